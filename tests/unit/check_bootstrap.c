/* SPDX-License-Identifier: BSD-2-Clause */
/* Intervals of paired latencies. */
#include <check.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "bench/pod/protocol.h"
#include "bench/route/bootstrap.h"

#define NR 4000u

static double base[NR], row[NR];

static double normal(uint64_t *state)
{
	double u, v;

	*state = pod_mix64(*state);
	u = pod_uniform(*state);
	*state = pod_mix64(*state);
	v = pod_uniform(*state);
	return sqrt(-2 * log1p(-u)) * cos(2 * M_PI * v);
}

static double width(const struct interval *interval)
{
	return interval->high - interval->low;
}

START_TEST(statistics_are_those_of_the_data)
	{
		const struct bootstrap how = { .block = 10, .resamples = 50, .seed = 1 };
		struct comparison c;

		for (size_t i = 0; i < 1000; i++) {
			base[i] = (double)((i * 7919) % 1000) + 1; /* 1..1000 in some order */
			row[i] = 2 * base[i];
		}
		ck_assert_int_eq(bootstrap__compare(&how, base, row, 1000, &c), 0);
		ck_assert_double_eq_tol(c.base[STATISTIC_MEAN].value, 500.5, 1e-9);
		ck_assert_double_eq(c.base[STATISTIC_P50].value, 500);
		ck_assert_double_eq(c.base[STATISTIC_P95].value, 950);
		ck_assert_double_eq(c.base[STATISTIC_P99].value, 990);
		ck_assert_double_eq(c.row[STATISTIC_P99].value, 1980);
		ck_assert_double_eq(c.difference[STATISTIC_P99].value, 990);
		for (int s = 0; s < STATISTIC_MAX; s++) {
			ck_assert_double_le(c.difference[s].low, c.difference[s].value);
			ck_assert_double_ge(c.difference[s].high, c.difference[s].value);
		}
	}
END_TEST

/* What both have in common is no uncertainty of the difference: that is what pairing is for. */
START_TEST(a_constant_difference_is_certain)
	{
		const struct bootstrap how = { .block = 20, .resamples = 200, .seed = 3 };
		uint64_t state = 5;
		struct comparison c;

		for (size_t i = 0; i < NR; i++) {
			base[i] = 100 + 30 * normal(&state);
			row[i] = base[i] - 2;
		}
		ck_assert_int_eq(bootstrap__compare(&how, base, row, NR, &c), 0);
		for (int s = 0; s < STATISTIC_MAX; s++) {
			ck_assert_double_eq_tol(c.difference[s].low, -2, 1e-9);
			ck_assert_double_eq_tol(c.difference[s].high, -2, 1e-9);
			ck_assert_double_gt(width(&c.base[s]), 0.5);
		}
	}
END_TEST

START_TEST(independent_data_give_the_textbook_interval)
	{
		const struct bootstrap how = { .block = 1, .resamples = 2000, .seed = 1 };
		double expected = 2 * 1.96 * 30 / sqrt(NR);
		uint64_t state = 1;
		struct comparison c;

		for (size_t i = 0; i < NR; i++) {
			base[i] = 100 + 30 * normal(&state);
			row[i] = 100 + 30 * normal(&state);
		}
		ck_assert_int_eq(bootstrap__compare(&how, base, row, NR, &c), 0);
		ck_assert_double_eq_tol(width(&c.base[STATISTIC_MEAN]), expected, 0.08 * expected);
		ck_assert_double_eq_tol(width(&c.difference[STATISTIC_MEAN]), M_SQRT2 * expected, 0.08 * M_SQRT2 * expected);
		/* and there is none here */
		ck_assert_double_lt(c.difference[STATISTIC_MEAN].low, 0);
		ck_assert_double_gt(c.difference[STATISTIC_MEAN].high, 0);
	}
END_TEST

/* AR(1) with 0.9: the mean of n is as uncertain as that of n (1 - 0.9) / (1 + 0.9) independent ones. */
START_TEST(dependent_data_need_blocks)
	{
		struct bootstrap how = { .block = 1, .resamples = 1000, .seed = 2 };
		double x = 0, truth = 2 * 1.96 * sqrt(19.0 / NR), alone;
		uint64_t state = 11;
		struct comparison c;

		for (size_t i = 0; i < NR; i++) {
			x = 0.9 * x + sqrt(1 - 0.81) * normal(&state);
			base[i] = row[i] = x;
		}
		ck_assert_int_eq(bootstrap__compare(&how, base, row, NR, &c), 0);
		alone = width(&c.base[STATISTIC_MEAN]);
		ck_assert_double_lt(alone, 0.3 * truth);
		how.block = 100;
		ck_assert_int_eq(bootstrap__compare(&how, base, row, NR, &c), 0);
		ck_assert_double_eq_tol(width(&c.base[STATISTIC_MEAN]), truth, 0.3 * truth);
	}
END_TEST

START_TEST(the_seed_decides)
	{
		struct bootstrap how = { .block = 7, .resamples = 100, .seed = 1 };
		uint64_t state = 21;
		struct comparison a, b;

		for (size_t i = 0; i < 500; i++) {
			base[i] = normal(&state);
			row[i] = normal(&state);
		}
		ck_assert_int_eq(bootstrap__compare(&how, base, row, 500, &a), 0);
		ck_assert_int_eq(bootstrap__compare(&how, base, row, 500, &b), 0);
		ck_assert_mem_eq(&a, &b, sizeof(a));
		how.seed = 2;
		ck_assert_int_eq(bootstrap__compare(&how, base, row, 500, &b), 0);
		ck_assert_double_ne(a.difference[STATISTIC_MEAN].low, b.difference[STATISTIC_MEAN].low);
		ck_assert_double_eq(a.difference[STATISTIC_MEAN].value, b.difference[STATISTIC_MEAN].value);
	}
END_TEST

START_TEST(bad_arguments)
	{
		const struct bootstrap good = { .block = 4, .resamples = 10, .seed = 1 };
		struct bootstrap bad = good;
		struct comparison c;

		ck_assert_int_eq(bootstrap__compare(&good, base, row, 4, &c), 0);
		ck_assert_int_eq(bootstrap__compare(&good, base, row, 0, &c), -EINVAL);
		ck_assert_int_eq(bootstrap__compare(&good, base, row, 3, &c), -EINVAL);
		bad.block = 0;
		ck_assert_int_eq(bootstrap__compare(&bad, base, row, 4, &c), -EINVAL);
		bad = good;
		bad.resamples = 0;
		ck_assert_int_eq(bootstrap__compare(&bad, base, row, 4, &c), -EINVAL);
	}
END_TEST

int main(void)
{
	Suite *suite = suite_create("bootstrap");
	TCase *tcase = tcase_create("bootstrap");
	SRunner *runner;
	int failed;

	tcase_add_test(tcase, statistics_are_those_of_the_data);
	tcase_add_test(tcase, a_constant_difference_is_certain);
	tcase_add_test(tcase, independent_data_give_the_textbook_interval);
	tcase_add_test(tcase, dependent_data_need_blocks);
	tcase_add_test(tcase, the_seed_decides);
	tcase_add_test(tcase, bad_arguments);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
