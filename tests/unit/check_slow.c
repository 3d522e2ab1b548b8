// SPDX-License-Identifier: BSD-2-Clause
/* The slow loop: what a reward is, that it finds the top of a hill under noise, that it never leaves its bounds whatever it is told. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "policy/slow.h"
#include "policy/train/rng.h"

#define S 1000000000ull
#define MS 1000000ull
#define ALL 15u

static bool is_in_bounds(const struct policy_knobs *k)
{
	return k->externality_q8 <= KNOBS_EXTERNALITY_MAX_Q8 && k->tau_q8 >= KNOBS_TAU_MIN_Q8 &&
	       k->tau_q8 <= KNOBS_TAU_MAX_Q8 &&
	       (!k->candidates || (k->candidates >= 2 && k->candidates <= KNOBS_CANDIDATES_MAX)) &&
	       k->ramp_q8 >= KNOBS_RAMP_MIN_Q8 && k->ramp_q8 <= KNOBS_RAMP_MAX_Q8;
}

static struct policy_knobs defaults(void)
{
	struct policy_knobs k;

	knobs__default(&k);
	return k;
}

START_TEST(reward)
	{
		struct slow_window w = { .requests = 1000, .p99_ns = 1u << 20, .mean_ns = 1u << 10 };
		int32_t r = 12345;

		/* 20 octaves and 0.3 (77 / 256) of 10 */
		ck_assert(slow__reward_q8(&w, &r));
		ck_assert_int_eq(r, -(20 * 256 + 10 * 77));
		w.missed = 10; /* 1 % of 4 octaves */
		ck_assert(slow__reward_q8(&w, &r));
		ck_assert_int_eq(r, -(20 * 256 + 10 * 77 + 10));
		w.missed = 99999; /* more than there were: all */
		ck_assert(slow__reward_q8(&w, &r));
		ck_assert_int_eq(r, -(20 * 256 + 10 * 77 + 1024));
		w = (struct slow_window){ .requests = 1000, .p99_ns = 2u << 20, .mean_ns = 1u << 10 };
		ck_assert(slow__reward_q8(&w, &r));
		ck_assert_int_eq(r, -(21 * 256 + 10 * 77));
	}
END_TEST

START_TEST(no_measurement)
	{
		const struct slow_window bad[] = {
			{ 0 },
			{ .requests = SLOW_MIN_REQUESTS - 1, .p99_ns = MS, .mean_ns = MS },
			{ .requests = 1000, .p99_ns = 0, .mean_ns = MS },
			{ .requests = 1000, .p99_ns = MS, .mean_ns = 0 },
			{ .requests = 1000, .p99_ns = UINT64_MAX, .mean_ns = MS },
			{ .requests = UINT64_MAX, .p99_ns = MS, .mean_ns = UINT64_MAX, .missed = UINT64_MAX },
		};
		struct policy_knobs start = defaults(), k;
		struct slow s;

		slow__init(&s, &start, ALL);
		for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
			int32_t r = 77;

			ck_assert(!slow__reward_q8(&bad[i], &r));
			ck_assert_int_eq(r, 77);
		}
		/* nothing but such windows: the experiment waits in its first pair, whatever their number */
		slow__tick(&s, &bad[0], 10 * S, 1);
		k = slow__tick(&s, &bad[0], 20 * S, 2);
		for (uint64_t t = 3; t < 200; t++) {
			struct policy_knobs again = slow__tick(&s, &bad[t % 6], t * 10 * S, t);

			ck_assert_mem_eq(&again, &k, sizeof(k));
		}
		ck_assert_uint_eq(s.won + s.lost, 0);
		ck_assert_uint_eq(s.ignored, 198);
	}
END_TEST

START_TEST(nothing_to_tune)
	{
		struct slow_window w = { .requests = 1000, .p99_ns = MS, .mean_ns = MS };
		struct policy_knobs start = { .externality_q8 = 9999,
					      .tau_q8 = 1,
					      .candidates = 1,
					      .ramp_q8 = 0,
					      .explore_ns = 5 },
				    k;
		struct slow s;

		slow__init(&s, &start, 0);
		for (uint64_t t = 1; t < 50; t++) {
			k = slow__tick(&s, &w, t * S, t);
			ck_assert(is_in_bounds(&k));
			ck_assert_uint_eq(k.externality_q8, KNOBS_EXTERNALITY_MAX_Q8);
			ck_assert_uint_eq(k.explore_ns, 5);
		}
	}
END_TEST

/* Only the knobs asked for move; the others keep their value to the bit. */
START_TEST(only_the_knobs_asked_for)
	{
		struct policy_knobs start = defaults(), k;
		struct slow s;
		bool moved = false;

		start.tau_q8 = 2561;
		start.candidates = 13;
		start.ramp_q8 = 511;
		slow__init(&s, &start, 1u << SLOW_EXTERNALITY);
		for (uint64_t t = 1; t < 100; t++) {
			struct slow_window w = { .requests = 1000, .p99_ns = MS + t * 7919 % 1000 * 1000, .mean_ns = MS };

			k = slow__tick(&s, &w, t * S, t);
			moved |= k.externality_q8 != start.externality_q8;
			k.externality_q8 = start.externality_q8;
			ck_assert_mem_eq(&k, &start, sizeof(k));
		}
		ck_assert(moved);
	}
END_TEST

/* A made-up service: p99 is least at x = 1.5, tau = 2.5, 16 candidates, and twice that some way off; noise of 10 % a window, the load drifts. */
static struct slow_window service(const struct policy_knobs *k, struct rng *rng, uint64_t t)
{
	double x = k->externality_q8 / 256.0 - 1.5, tau = log2(k->tau_q8 / 256.0) - log2(2.5),
	       d = log2(k->candidates ? k->candidates : 64) - 4;
	double octaves = x * x + 0.1 * tau * tau + 0.15 * d * d + sin((double)t / 97);
	double noise = 0.24 * (rng__uniform(rng) + rng__uniform(rng) + rng__uniform(rng) - 1.5);

	return (struct slow_window){ .requests = 5000,
				     .p99_ns = (uint64_t)(1e8 * exp2(octaves + noise)),
				     .mean_ns = (uint64_t)(2e7 * exp2(octaves / 2)) };
}

static double height(const struct policy_knobs *k)
{
	double x = k->externality_q8 / 256.0 - 1.5, tau = log2(k->tau_q8 / 256.0) - log2(2.5),
	       d = log2(k->candidates ? k->candidates : 64) - 4;

	return x * x + 0.1 * tau * tau + 0.15 * d * d;
}

START_TEST(finds_the_top_of_a_hill)
	{
		struct policy_knobs start = defaults(), k = start, best;
		struct rng rng;
		struct slow s;

		rng__init(&rng, (uint64_t)_i + 1);
		slow__init(&s, &start, ALL);
		for (uint64_t t = 1; t < 3000; t++) {
			struct slow_window w = service(&k, &rng, t);

			k = slow__tick(&s, &w, t * 10 * S, rng__next(&rng));
			ck_assert(is_in_bounds(&k));
		}
		best = slow__incumbent(&s);
		ck_assert_double_gt(height(&start), 1.2);
		ck_assert_double_lt(height(&best), 0.15);
		ck_assert_uint_gt(s.won, 2);
	}
END_TEST

/* Where no setting is better than another it must not pay for changes: few challengers win. */
START_TEST(stays_where_it_makes_no_difference)
	{
		struct policy_knobs start = defaults();
		struct rng rng;
		struct slow s;

		rng__init(&rng, 11);
		slow__init(&s, &start, ALL);
		for (uint64_t t = 1; t < 5000; t++) {
			struct slow_window w = { .requests = 5000,
						 .p99_ns = (uint64_t)(1e8 * (1 + 0.2 * rng__uniform(&rng))),
						 .mean_ns = 20 * MS };

			slow__tick(&s, &w, t * 10 * S, rng__next(&rng));
		}
		ck_assert_uint_gt(s.lost, 200);
		ck_assert_uint_lt(s.won * 10, s.lost);
	}
END_TEST

START_TEST(never_leaves_its_bounds)
	{
		struct policy_knobs start = defaults(), k;
		uint64_t now = 0;
		struct rng rng;
		struct slow s;

		rng__init(&rng, 3);
		for (uint32_t tuned = 0; tuned <= ALL; tuned++) {
			memset(&start, (int)rng__next(&rng), sizeof(start));
			slow__init(&s, &start, tuned);
			for (int i = 0; i < 2000; i++) {
				uint64_t shift = rng__below(&rng, 64);
				struct slow_window w = { .requests = rng__next(&rng) >> shift,
							 .p99_ns = rng__next(&rng) >> rng__below(&rng, 64),
							 .mean_ns = rng__next(&rng) >> rng__below(&rng, 64),
							 .missed = rng__next(&rng) >> rng__below(&rng, 64) };

				now = rng__below(&rng, 50) ? now + rng__below(&rng, 20 * S) : rng__next(&rng) >> shift;
				k = slow__tick(&s, rng__below(&rng, 30) ? &w : NULL, now, rng__next(&rng));
				ck_assert(is_in_bounds(&k));
				for (int j = 0; j < SLOW_NR_KNOBS; j++)
					ck_assert(s.incumbent[j] >= 0 && s.incumbent[j] <= SLOW_ONE && s.challenger[j] >= 0 &&
						  s.challenger[j] <= SLOW_ONE);
				ck_assert(s.step >= SLOW_STEP_MIN && s.step <= SLOW_STEP_MAX);
			}
		}
	}
END_TEST

/* A clock that jumps, or a window that was none: the incumbent at once, and the half experiment is forgotten. */
START_TEST(gaps_begin_anew)
	{
		struct slow_window w = { .requests = 1000, .p99_ns = MS, .mean_ns = MS };
		struct policy_knobs start = defaults(), k;
		struct slow s;

		slow__init(&s, &start, ALL);
		for (int i = 0; i < 3; i++) {
			uint64_t gap_ns = i == 1 ? 1 * S : 2000 * S; /* back, and far ahead */

			for (uint64_t t = 0; t < 4; t++)
				slow__tick(&s, &w, 1000 * S + t * 10 * S, t + 1);
			ck_assert_uint_ne(s.phase, 0);
			k = slow__tick(&s, i == 0 ? NULL : &w, i == 0 ? 1050 * S : gap_ns, 9);
			ck_assert_mem_eq(&k, &start, sizeof(k));
			ck_assert_uint_eq(s.phase, 0);
			s.last_ns = 0;
		}
	}
END_TEST

START_TEST(the_same_calls_give_the_same_settings)
	{
		struct policy_knobs start = defaults(), k[2];
		struct slow s[2];
		uint64_t digest = 0;

		for (int i = 0; i < 2; i++) {
			struct rng rng;

			rng__init(&rng, 42);
			k[i] = start;
			slow__init(&s[i], &start, ALL);
			for (uint64_t t = 1; t < 500; t++) {
				struct slow_window w = { .requests = 1000,
							 .p99_ns = MS + rng__below(&rng, MS),
							 .mean_ns = MS / 2 };

				k[i] = slow__tick(&s[i], &w, t * 10 * S, rng__next(&rng));
				digest = digest * 31 + k[i].tau_q8 + k[i].externality_q8 + k[i].candidates + k[i].ramp_q8;
			}
		}
		ck_assert_mem_eq(&s[0], &s[1], sizeof(s[0]));
		ck_assert_uint_eq(digest, 13090778535728826944ull); /* on every machine */
	}
END_TEST

int main(void)
{
	Suite *suite = suite_create("slow");
	TCase *tc = tcase_create("slow");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, reward);
	tcase_add_test(tc, no_measurement);
	tcase_add_test(tc, nothing_to_tune);
	tcase_add_test(tc, only_the_knobs_asked_for);
	tcase_add_loop_test(tc, finds_the_top_of_a_hill, 0, 5);
	tcase_add_test(tc, stays_where_it_makes_no_difference);
	tcase_add_test(tc, never_leaves_its_bounds);
	tcase_add_test(tc, gaps_begin_anew);
	tcase_add_test(tc, the_same_calls_give_the_same_settings);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
