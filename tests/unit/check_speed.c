/* SPDX-License-Identifier: BSD-2-Clause */
/* Speeds of the benches' pods over time. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/pod/speed.h"

#define S 1000000000ull

static struct speed read_text(const char *text, uint32_t pod, int expected, unsigned long expected_line)
{
	FILE *file = fmemopen((void *)text, strlen(text), "r");
	unsigned long line = 0;
	struct speed speed;

	ck_assert_ptr_nonnull(file);
	ck_assert_int_eq(speed__read(&speed, file, pod, &line), expected);
	ck_assert_uint_eq(line, expected_line);
	fclose(file);
	return speed;
}

START_TEST(work_is_done_at_the_speed_of_the_moment)
	{
		/* full until 1 s, a quarter until 3 s, half from then on */
		struct speed speed = read_text("0 1 1\n1000000000 1 0.25\n0 2 0.5\n3000000000 1 0.5\n", 1, 0, 0);

		ck_assert_uint_eq(speed.nr, 3);
		ck_assert_double_eq(speed__at(&speed, S - 1), 1);
		ck_assert_double_eq(speed__at(&speed, S), 0.25);
		ck_assert_double_eq(speed__at(&speed, 100 * S), 0.5);
		ck_assert_uint_eq(speed__end_ns(&speed, 0, S / 2), S / 2);
		ck_assert_uint_eq(speed__end_ns(&speed, 0, S), S);
		ck_assert_uint_eq(speed__end_ns(&speed, 0, S + S / 4), 2 * S);
		ck_assert_uint_eq(speed__end_ns(&speed, S / 2, S), 3 * S);
		ck_assert_uint_eq(speed__end_ns(&speed, 2 * S, S), 2 * S + S + 3 * S / 2);
		ck_assert_uint_eq(speed__end_ns(&speed, 7 * S, S), 9 * S);
		ck_assert_uint_eq(speed__end_ns(&speed, 2 * S, 0), 2 * S);
		speed__free(&speed);
	}
END_TEST

START_TEST(without_steps_the_speed_is_one)
	{
		struct speed speed = read_text("5000000000 3 0.25\n", 1, 0, 0);

		ck_assert_double_eq(speed__at(&speed, 9 * S), 1);
		ck_assert_uint_eq(speed__end_ns(&speed, 4 * S, S), 5 * S);
		/* before the first step too */
		speed = read_text("5000000000 3 0.25\n", 3, 0, 0);
		ck_assert_double_eq(speed__at(&speed, S), 1);
		ck_assert_uint_eq(speed__end_ns(&speed, 4 * S, 2 * S), 9 * S);
		speed__free(&speed);
	}
END_TEST

START_TEST(drawn_by_seed_and_pod_alone)
	{
		struct speed a, b, other, longer;

		ck_assert_int_eq(speed__draw(&a, 7, 3, S, 100 * S), 0);
		ck_assert_int_eq(speed__draw(&b, 7, 3, S, 100 * S), 0);
		ck_assert_int_eq(speed__draw(&other, 7, 4, S, 100 * S), 0);
		ck_assert_int_eq(speed__draw(&longer, 7, 3, S, 200 * S), 0);
		ck_assert_uint_eq(a.nr, b.nr);
		ck_assert_mem_eq(a.steps, b.steps, a.nr * sizeof(*a.steps));
		/* a longer run sees the same beginning */
		ck_assert_uint_gt(longer.nr, a.nr);
		ck_assert_mem_eq(a.steps, longer.steps, a.nr * sizeof(*a.steps));
		ck_assert(other.nr != a.nr || memcmp(a.steps, other.steps, a.nr * sizeof(*a.steps)));
		speed__free(&a);
		speed__free(&b);
		speed__free(&other);
		speed__free(&longer);
	}
END_TEST

START_TEST(dwells_as_said)
	{
		double time[3] = { 0 }, visits[3] = { 0 }, all = 0, work;
		struct speed speed;

		ck_assert_int_eq(speed__draw(&speed, 1, 1, S, 40000 * S), 0);
		ck_assert_uint_eq(speed.steps[0].at_ns, 0);
		ck_assert_double_eq(speed.steps[0].speed, 1);
		for (size_t i = 0; i + 1 < speed.nr; i++) {
			double dwell = (double)(speed.steps[i + 1].at_ns - speed.steps[i].at_ns) / S;
			int state = speed.steps[i].speed == 1 ? 0 : speed.steps[i].speed == 0.6 ? 1 : 2;

			ck_assert_uint_gt(speed.steps[i + 1].at_ns, speed.steps[i].at_ns);
			ck_assert((speed.steps[i].speed == 1) != (speed.steps[i + 1].speed == 1));
			time[state] += dwell;
			visits[state]++;
			all += dwell;
		}
		ck_assert_double_eq_tol(time[0] / visits[0], 4, 0.2);
		ck_assert_double_eq_tol(time[1] / visits[1], 2, 0.15);
		ck_assert_double_eq_tol(time[2] / visits[2], 1, 0.08);
		ck_assert_double_eq_tol(visits[1] / visits[2], 1, 0.08);
		work = time[0] + 0.6 * time[1] + 0.25 * time[2];
		ck_assert_double_eq_tol(work / all, SPEED_DRAWN_MEAN, 0.01);
		speed__free(&speed);
	}
END_TEST

START_TEST(written_and_read_again)
	{
		struct speed speed, again;
		unsigned long line = 0;
		FILE *file = tmpfile();

		ck_assert_ptr_nonnull(file);
		ck_assert_int_eq(speed__draw(&speed, 9, 2, S, 50 * S), 0);
		speed__write(&speed, 2, file);
		rewind(file);
		ck_assert_int_eq(speed__read(&again, file, 2, &line), 0);
		ck_assert_uint_eq(again.nr, speed.nr);
		for (size_t i = 0; i < speed.nr; i++) {
			ck_assert_uint_eq(again.steps[i].at_ns, speed.steps[i].at_ns);
			ck_assert_double_eq(again.steps[i].speed, speed.steps[i].speed);
		}
		fclose(file);
		speed__free(&speed);
		speed__free(&again);
	}
END_TEST

START_TEST(bad_lines_are_named)
	{
		static const char *const bad[] = {
			"0 1\n", "0 1 0\n", "0 1 nan\n", "0 1 -1\n", "0 1 1e9\n", "x\n", "0 1 1 1\n"
		};

		for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
			char text[64];

			snprintf(text, sizeof(text), "0 7 1\n%s", bad[i]);
			read_text(text, 1, -EINVAL, 2);
		}
		/* times of one pod rise */
		read_text("5 1 1\n5 1 0.5\n", 1, -EINVAL, 2);
	}
END_TEST

int main(void)
{
	Suite *suite = suite_create("speed");
	TCase *tcase = tcase_create("speed");
	SRunner *runner;
	int failed;

	tcase_add_test(tcase, work_is_done_at_the_speed_of_the_moment);
	tcase_add_test(tcase, without_steps_the_speed_is_one);
	tcase_add_test(tcase, drawn_by_seed_and_pod_alone);
	tcase_add_test(tcase, dwells_as_said);
	tcase_add_test(tcase, written_and_read_again);
	tcase_add_test(tcase, bad_lines_are_named);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
