/* SPDX-License-Identifier: BSD-2-Clause */
#include <check.h>
#include <math.h>
#include <stdlib.h>

#include "policy/gain.h"

#define MS 1000000ull

/* `n` samples of one latency under no load. */
static struct gain_input samples_of(uint64_t n, double latency_ms)
{
	return (struct gain_input){
		.samples = n,
		.sum_log2_q8 = (int64_t)lround((double)n * 256 * log2(latency_ms * 1000)),
		.latency_ns = (uint64_t)((double)n * latency_ms * 1e6),
		.answered = n,
	};
}

static double octaves_of(double latency_ms)
{
	return log2(latency_ms * 1000);
}

static double octaves(const struct gain *g)
{
	return ldexp((double)g->log2_us_q32, -32);
}

START_TEST(first_answers_make_it_known)
	{
		struct gain g;
		struct gain_input in = samples_of(1, 20);

		gain__init(&g);
		ck_assert(!gain__known(&g));
		ck_assert_int_eq(gain__q8(&g), 0);
		ck_assert(gain__update(&g, &in, 100 * MS));
		ck_assert(gain__known(&g));
		ck_assert_int_eq(gain__q8(&g), lround(256 * octaves_of(20)));
		/* the plain mean of the first ones */
		in = samples_of(1, 80);
		ck_assert(gain__update(&g, &in, 101 * MS));
		ck_assert_double_eq_tol(octaves(&g), octaves_of(40), 0.01);
	}
END_TEST

/* A pod that becomes 4 times as slow: after one time constant of steady samples 1/e of the difference is left, at any rate of samples. */
START_TEST(time_constant_is_in_latencies)
	{
		static const uint64_t per_tick[] = { 1, 4, 50, 1000 };
		struct gain g;
		struct gain_input in = samples_of(per_tick[_i], 20);
		uint64_t now = 0;
		double tau_ns = 0;

		gain__init(&g);
		for (int i = 0; i < 100000; i++)
			gain__update(&g, &in, now += 10 * MS);
		ck_assert_double_eq_tol(octaves(&g), octaves_of(20), 0.01);
		/* keep the unit of time at 20 ms: only the gain moves */
		in.sum_log2_q8 = samples_of(per_tick[_i], 80).sum_log2_q8;
		while (octaves_of(80) - octaves(&g) > 2 * exp(-1)) {
			gain__update(&g, &in, now += 1 * MS);
			tau_ns += 1e6;
		}
		ck_assert_double_ge(tau_ns, GAIN_TAU_Q8 / 256.0 * 20e6 * 0.98);
		ck_assert_double_le(tau_ns, GAIN_TAU_Q8 / 256.0 * 20e6 * 1.1);
	}
END_TEST

START_TEST(converges_after_a_change)
	{
		struct gain g;
		struct gain_input in = samples_of(3, 5);
		uint64_t now = 0;

		gain__init(&g);
		for (int i = 0; i < 2000; i++)
			gain__update(&g, &in, now += 10 * MS);
		in = samples_of(3, 250);
		for (int i = 0; i < 5000; i++)
			gain__update(&g, &in, now += 10 * MS);
		ck_assert_int_eq(gain__q8(&g), lround(256 * octaves_of(250)));
	}
END_TEST

/* One answer in a long time is one answer. */
START_TEST(one_sample_moves_a_tenth)
	{
		struct gain g;
		struct gain_input in = samples_of(1, 10);
		uint64_t now = 0;
		double before;

		gain__init(&g);
		for (int i = 0; i < 1000; i++)
			gain__update(&g, &in, now += 10 * MS);
		before = octaves(&g);
		in = samples_of(1, 10 * 1024);
		gain__update(&g, &in, now + 3600 * 1000 * MS);
		ck_assert_double_eq_tol(octaves(&g) - before, GAIN_STEP_MAX * 10, 1e-3);
	}
END_TEST

START_TEST(stale_and_failing_pods_keep_their_gain)
	{
		struct gain g, before;
		struct gain_input in = samples_of(20, 50);

		gain__init(&g);
		ck_assert(gain__update(&g, &in, 10 * MS));
		before = g;
		in = (struct gain_input){ 0 };
		ck_assert(!gain__update(&g, &in, 1000000 * MS));
		/* fast failures: more refused than answered, and the few answers were fast */
		in = samples_of(2, 0.01);
		in.failed = 3;
		ck_assert(gain__update(&g, &in, 1000100 * MS));
		ck_assert_int_eq(g.log2_us_q32, before.log2_us_q32);
		ck_assert_int_gt(gain__failure_q8(&g), 0);
		/* half is no majority */
		in.failed = 2;
		ck_assert(gain__update(&g, &in, 1000200 * MS));
	}
END_TEST

START_TEST(hostile_sums_do_no_harm)
	{
		struct gain g;
		static const struct gain_input cases[] = {
			{ 1, INT64_MAX, 1, 1, 0 },
			{ 1, INT64_MIN, 1, 1, 0 },
			{ UINT64_MAX, INT64_MIN, UINT64_MAX, UINT64_MAX, 0 },
			{ UINT64_MAX, INT64_MAX, 0, UINT64_MAX, UINT64_MAX },
			{ 1, 64 * 256, UINT64_MAX, 1, 0 },
			{ 1, -64 * 256, 0, 1, 0 },
			{ 5, 0, 0, 0, 0 },
		};

		gain__init(&g);
		for (int round = 0; round < 3; round++) {
			for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
				gain__update(&g, &cases[i], (uint64_t)(i * 7919 % 13) * MS); /* time jumps both ways */
				ck_assert_double_le(fabs(octaves(&g)), 64);
				ck_assert_uint_le(g.latency_ns, 1ull << 44);
				ck_assert_uint_le(g.dev_q32, 128ull << 32);
			}
		}
		g.samples = 1;
		g.log2_us_q32 = INT64_MAX / 2;
		ck_assert_int_eq(gain__q8(&g), INT16_MAX);
		g.log2_us_q32 = -INT64_MAX / 2;
		ck_assert_int_eq(gain__q8(&g), INT16_MIN);
	}
END_TEST

START_TEST(samples_of_no_time_count_no_more_than_the_mean)
	{
		struct gain g;
		struct gain_input in = samples_of(100, 20);
		double before;

		gain__init(&g);
		gain__update(&g, &in, 500 * MS);
		before = octaves(&g);
		in = samples_of(1, 20480);
		gain__update(&g, &in, 500 * MS);
		gain__update(&g, &in, 400 * MS);
		ck_assert_double_le(octaves(&g) - before, 10.0 * (1.0 / 101 + 1.0 / 102) + 1e-9);
	}
END_TEST

/* The fast estimate is there first, the trend has the sign of the change and dies away; the deviation is that of the samples. */
START_TEST(fast_estimate_and_deviation)
	{
		struct gain g;
		struct gain_input in = samples_of(2, 10);
		uint64_t now = 0;

		gain__init(&g);
		for (int i = 0; i < 5000; i++)
			gain__update(&g, &in, now += 10 * MS);
		ck_assert_int_eq(gain__q8(&g), gain__fast_q8(&g));
		ck_assert_uint_eq(gain__dev_q8(&g), 0);
		in = samples_of(2, 40);
		for (int i = 0; i < 10; i++)
			gain__update(&g, &in, now += 10 * MS);
		ck_assert_int_gt(gain__fast_q8(&g), gain__q8(&g) + 128);
		for (int i = 0; i < 50000; i++) { /* half an octave up and down */
			in = samples_of(1, i & 1 ? 40 * M_SQRT2 : 40 / M_SQRT2);
			gain__update(&g, &in, now += 10 * MS);
		}
		ck_assert_int_le(abs(gain__fast_q8(&g) - gain__q8(&g)), 16);
		ck_assert_int_le(abs((int)gain__dev_q8(&g) - 128), 4);
	}
END_TEST

/* A million answers a second: each moves the estimate by less than 2^-20, and it still arrives. */
START_TEST(many_small_steps_are_not_lost)
	{
		struct gain g;
		struct gain_input in = samples_of(1, 20);
		uint64_t now = 0;

		gain__init(&g);
		for (int i = 0; i < 1000000; i++)
			gain__update(&g, &in, now += 1000);
		in.sum_log2_q8 = samples_of(1, 21).sum_log2_q8;
		for (int i = 0; i < 2000000; i++)
			gain__update(&g, &in, now += 1000);
		ck_assert_int_le(abs(gain__q8(&g) - (int)lround(256 * octaves_of(21))), 1);
	}
END_TEST

START_TEST(adopted_gain_counts_as_one_sample)
	{
		struct gain g;
		struct gain_input in = samples_of(1, 80);

		gain__init(&g);
		gain__adopt(&g, (int16_t)lround(256 * octaves_of(20)));
		ck_assert(gain__known(&g));
		ck_assert_int_eq(gain__fast_q8(&g), lround(256 * octaves_of(20)));
		gain__update(&g, &in, 10 * MS);
		ck_assert_double_eq_tol(octaves(&g), octaves_of(40), 0.01);
		gain__set_tau(&g, 0);
		ck_assert_uint_gt(g.tau_q8, 0);
		gain__set_tau(&g, UINT32_MAX);
		ck_assert_uint_lt(g.tau_q8, UINT32_MAX);
	}
END_TEST

/* 9 of 10 fail: an answer takes ten tries. It stays so while nothing comes, and goes with answers. */
START_TEST(failures_cost_tries)
	{
		struct gain g;
		struct gain_input in = samples_of(1, 20);
		uint64_t now = 0;

		gain__init(&g);
		ck_assert_int_eq(gain__failure_q8(&g), 0);
		gain__update(&g, &in, now += 10 * MS);
		in.failed = 9;
		for (int i = 0; i < 100; i++)
			gain__update(&g, &in, now += 10 * MS);
		ck_assert_int_le(abs(gain__failure_q8(&g) - (int)lround(256 * log2(10))), 1);
		ck_assert_int_eq(gain__cost_q8(&g), gain__q8(&g) + gain__failure_q8(&g));
		in = (struct gain_input){ .failed = 1 };
		for (int i = 0; i < 1000; i++)
			gain__update(&g, &in, now += 10 * MS);
		ck_assert_int_eq(gain__failure_q8(&g), GAIN_FAILURE_MAX_Q8);
		in = (struct gain_input){ 0 };
		ck_assert(!gain__update(&g, &in, now += 3600000 * MS));
		ck_assert_int_eq(gain__failure_q8(&g), GAIN_FAILURE_MAX_Q8);
		in = samples_of(1, 20);
		for (int i = 0; i < 200; i++)
			gain__update(&g, &in, now += 10 * MS);
		ck_assert_int_eq(gain__failure_q8(&g), 0);
		in = (struct gain_input){ .answered = UINT64_MAX, .failed = UINT64_MAX };
		gain__update(&g, &in, now);
		ck_assert_int_le(gain__failure_q8(&g), GAIN_FAILURE_MAX_Q8);
	}
END_TEST

int main(void)
{
	Suite *suite = suite_create("gain");
	TCase *tcase = tcase_create("gain");
	SRunner *runner;
	int failed;

	tcase_add_test(tcase, first_answers_make_it_known);
	tcase_add_loop_test(tcase, time_constant_is_in_latencies, 0, 4);
	tcase_add_test(tcase, converges_after_a_change);
	tcase_add_test(tcase, one_sample_moves_a_tenth);
	tcase_add_test(tcase, stale_and_failing_pods_keep_their_gain);
	tcase_add_test(tcase, hostile_sums_do_no_harm);
	tcase_add_test(tcase, samples_of_no_time_count_no_more_than_the_mean);
	tcase_add_test(tcase, fast_estimate_and_deviation);
	tcase_add_test(tcase, many_small_steps_are_not_lost);
	tcase_add_test(tcase, adopted_gain_counts_as_one_sample);
	tcase_add_test(tcase, failures_cost_tries);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
