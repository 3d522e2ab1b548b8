// SPDX-License-Identifier: BSD-2-Clause
/* Counts of a pod to its signal: rates over the window, what began, the gain, nonsense bounded. */
#include <check.h>
#include <stdlib.h>

#include "agent/podsignal.h"

#define MS 1000000ull
#define TICK_NS (100 * MS)

/* 10 requests a tick of 20 ms each, one of ten fails, `awaiting` as told. */
static void run(struct podsignal *s, int ticks, int32_t awaiting, uint64_t *now_ns)
{
	for (int i = 0; i < ticks; i++) {
		struct podstats_delta d = { .first_bytes = 9,
					    .refused = 1,
					    .aborted = 1,
					    .latency_count = 9,
					    .latency_ns = 9 * 20 * MS,
					    .gain_q8 = 9 * 3658 };

		*now_ns += TICK_NS;
		podsignal__tick(s, &d, awaiting, *now_ns);
	}
}

START_TEST(steady)
	{
		uint64_t now_ns = 5000 * MS;
		struct pod_signal signal;
		struct podsignal s;
		double per_s;

		podsignal__init(&s, 0);
		run(&s, 100, 3, &now_ns);
		podsignal__get(&s, 7, 4, &signal);
		per_s = 1e9 / (double)podsignal__window_ns(&s);
		ck_assert_double_eq_tol(signal.sent * per_s, 100,
					7); /* the counts are of the ticks' ends: up to half a tick more */
		ck_assert_double_eq_tol(signal.answered * per_s, 90, 7);
		ck_assert_double_eq_tol(signal.failed * per_s, 10, 1);
		ck_assert_uint_eq(signal.load, 7);
		ck_assert_uint_eq(signal.concurrency, 4);
		ck_assert_int_eq(signal.gain_q8, 3658);
		ck_assert_int_eq(signal.fast_q8, 3658);
		ck_assert_uint_eq(signal.dev_q8, 0);
		ck_assert_uint_eq(signal.latency_ns, 20 * MS);
		ck_assert_uint_eq(signal.last_sample_ns, now_ns);
	}
END_TEST

/* Requests that pile up were sent, though none of them ended. */
START_TEST(backlog_was_sent)
	{
		uint64_t now_ns = 5000 * MS;
		struct pod_signal before, after;
		struct podstats_delta none = { 0 };
		struct podsignal s;

		podsignal__init(&s, 0);
		run(&s, 100, 3, &now_ns);
		podsignal__get(&s, 3, 4, &before);
		podsignal__tick(&s, &none, 43, now_ns + MS);
		podsignal__get(&s, 43, 4, &after);
		ck_assert_uint_ge(after.sent, before.sent + 39);
		ck_assert_uint_le(after.answered, before.answered);
		/* fewer that wait without an answer: none was sent, none less than that */
		podsignal__tick(&s, &none, -5, now_ns + 2 * MS);
		podsignal__get(&s, -5, 0, &before);
		ck_assert_uint_le(before.sent, after.sent);
		ck_assert_uint_eq(before.load, 0);
		ck_assert_uint_eq(before.concurrency, 1);
	}
END_TEST

START_TEST(adopted_gain_counts_as_one_sample)
	{
		uint64_t now_ns = 5000 * MS;
		struct pod_signal signal;
		struct podsignal s;

		podsignal__init(&s, 2560);
		podsignal__get(&s, 0, 1, &signal);
		ck_assert_int_eq(signal.gain_q8, 2560);
		run(&s, 1, 0, &now_ns);
		podsignal__get(&s, 0, 1, &signal);
		ck_assert_int_eq(signal.gain_q8, (2560 + 9 * 3658) / 10);
	}
END_TEST

/* Without requests the counts fade and the gain stays; a clock that goes back, and huge counts, are survived. */
START_TEST(silence_and_nonsense)
	{
		struct podstats_delta none = { 0 }, huge = { .first_bytes = UINT64_MAX / 2,
							     .aborted = UINT64_MAX / 2,
							     .refused = UINT64_MAX / 2,
							     .latency_count = UINT64_MAX / 2,
							     .latency_ns = UINT64_MAX,
							     .gain_q8 = INT64_MIN };
		uint64_t now_ns = 5000 * MS;
		struct pod_signal signal;
		struct podsignal s;

		podsignal__init(&s, 0);
		run(&s, 100, 3, &now_ns);
		for (int i = 0; i < 200; i++)
			podsignal__tick(&s, &none, 0, now_ns += TICK_NS);
		podsignal__get(&s, 0, 4, &signal);
		ck_assert_uint_eq(signal.sent + signal.answered + signal.failed, 0);
		ck_assert_int_eq(signal.gain_q8, 3658);
		podsignal__tick(&s, &huge, INT32_MAX, 1);
		podsignal__tick(&s, &huge, INT32_MIN, UINT64_MAX);
		podsignal__get(&s, INT32_MAX, UINT32_MAX, &signal);
		ck_assert_uint_ge(podsignal__window_ns(&s), 1);
	}
END_TEST

int main(void)
{
	Suite *suite = suite_create("podsignal");
	TCase *tc = tcase_create("podsignal");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, steady);
	tcase_add_test(tc, backlog_was_sent);
	tcase_add_test(tc, adopted_gain_counts_as_one_sample);
	tcase_add_test(tc, silence_and_nonsense);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
