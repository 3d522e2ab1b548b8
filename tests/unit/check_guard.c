// SPDX-License-Identifier: BSD-2-Clause
/* The guard by synthetic windows: errors under the null over many seeded runs, power, strikes, and telemetry that lies. */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/guard.h"
#include "tests/bpf/rng.h"

#define S 1000000000ull
#define DRAWS 4096u

/* Buckets of a log-normal latency (median 1 ms, sigma 0.8) times `factor`, by equal shares: a draw is an index. */
static void make_table(uint8_t table[DRAWS], double factor)
{
	for (uint32_t i = 0; i < DRAWS; i++) {
		double u = ((double)i + 0.5) / DRAWS, low = -6.0, high = 6.0;

		while (high - low > 1e-6) { /* the normal quantile, by bisection of erf */
			double middle = (low + high) / 2;

			if (0.5 * (1.0 + erf(middle / M_SQRT2)) < u)
				low = middle;
			else
				high = middle;
		}
		table[i] = (uint8_t)pintle_fine_bucket((uint64_t)(1e6 * factor * exp(0.8 * low)));
	}
}

static void fill(struct guard_counts *c, const uint8_t table[DRAWS], uint32_t nr, struct rng *rng)
{
	memset(c, 0, sizeof(*c));
	c->flows = nr;
	c->count = nr;
	for (uint32_t i = 0; i < nr; i += 5) {
		uint64_t bits = rng__next(rng);

		for (uint32_t k = 0; k < 5 && i + k < nr; k++, bits >>= 12)
			c->hist[table[bits & (DRAWS - 1)]]++;
	}
	for (uint32_t i = 0; i < PINTLE_FINE_BUCKETS; i++) {
		c->log2_q8 += c->hist[i] * ((i << 5) + (10 << 8) + 16);
		c->latency_ns += c->hist[i] * pintle_fine_begin_ns(i);
	}
}

struct run {
	const uint8_t *tables[PINTLE_NR_CLASSES]; /* NULL: no flows */
	uint32_t nr[PINTLE_NR_CLASSES];
	uint32_t windows;
	double failed[PINTLE_NR_CLASSES]; /* of the answered */
};

/* The first verdict other than hold, or hold after all windows; *ret_windows: how many it took. */
static enum guard_verdict play(const struct run *run, uint64_t seed, enum guard_reason *ret_reason, uint32_t *ret_windows)
{
	struct guard_counts window[PINTLE_NR_CLASSES];
	struct rng rng = { seed * 0x9e3779b97f4a7c15ull + 1 };
	enum guard_verdict verdict = GUARD_HOLD;
	static struct guard g;

	guard__init(&g);
	for (*ret_windows = 1; *ret_windows <= run->windows && verdict == GUARD_HOLD; ++*ret_windows) {
		for (uint32_t c = 0; c < PINTLE_NR_CLASSES; c++) {
			fill(&window[c], run->tables[c], run->tables[c] ? run->nr[c] : 0, &rng);
			window[c].failed = (uint64_t)(run->failed[c] * (double)window[c].count);
		}
		verdict = guard__window(&g, window, *ret_windows * 10 * S, 10 * S, run->tables[PINTLE_CLASS_CANARY] != NULL,
					ret_reason);
	}
	return verdict;
}

static uint32_t runs(uint32_t normal)
{
#ifdef __SANITIZE_ADDRESS__
	return normal / 10;
#else
	return normal;
#endif
}

/* No difference: 1e4 candidates of 10 windows each. Promotion errs in at most GUARD_ALPHA of them, dropping in as much and a million windows' strikes. */
START_TEST(null_holds)
	{
		static uint8_t same[DRAWS];
		const struct run run = { { same, same, same }, { 1000, 250, 250 }, 10, { 0.01, 0.01, 0.01 } };
		uint32_t nr[4] = { 0 }, total = runs(10000), windows;
		enum guard_reason reason;

		make_table(same, 1.0);
		for (uint32_t i = 0; i < total; i++)
			nr[play(&run, i, &reason, &windows)]++;
		printf("# null: of %u candidates %u promoted, %u dropped, %u times production dropped\n", total, nr[1], nr[2],
		       nr[3]);
		ck_assert_uint_le(nr[GUARD_PROMOTE], total / 100);
		ck_assert_uint_le(nr[GUARD_DROP_CANDIDATE], total / 100);
		ck_assert_uint_le(nr[GUARD_DROP_PRODUCTION], total / 1000);
	}
END_TEST

/* What is really different is found, and in time. */
static const struct {
	double production, holdout, canary;
	enum guard_verdict verdict;
	enum guard_reason reason; /* GUARD_NR_REASONS: any */
	uint32_t within;	  /* windows, in 19 of 20 runs */
} differences[] = {
	{ 1.0, 1.0, 0.7, GUARD_PROMOTE, GUARD_BETTER, 40 },	  { 1.0, 1.0, 0.5, GUARD_PROMOTE, GUARD_BETTER, 20 },
	{ 1.0, 1.0, 2.0, GUARD_DROP_CANDIDATE, GUARD_SLOW, 12 },  { 1.0, 1.0, 1.6, GUARD_DROP_CANDIDATE, GUARD_NR_REASONS, 40 },
	{ 2.0, 1.0, 0.8, GUARD_DROP_PRODUCTION, GUARD_SLOW, 12 }, { 2.0, 1.0, 0.0, GUARD_DROP_PRODUCTION, GUARD_SLOW, 12 },
	{ 3.0, 1.0, 3.0, GUARD_DROP_CANDIDATE, GUARD_SLOW, 6 },	  { 0.8, 1.0, 1.0, GUARD_HOLD, GUARD_UNDECIDED, 0 },
};

START_TEST(differences_are_found)
	{
		static uint8_t tables[PINTLE_NR_CLASSES][DRAWS];
		struct run run = { { tables[0], tables[1], tables[2] }, { 3000, 250, 250 }, 60, { 0 } };
		const double factors[] = { differences[_i].production, differences[_i].holdout, differences[_i].canary };
		uint32_t good = 0, total = 100, windows = 0;
		enum guard_reason reason = GUARD_FEW;

		for (uint32_t c = 0; c < PINTLE_NR_CLASSES; c++) {
			if (factors[c] > 0.0)
				make_table(tables[c], factors[c]);
			else
				run.tables[c] = NULL;
		}
		if (!differences[_i].within)
			run.windows = 10;
		for (uint32_t i = 0; i < total; i++) {
			enum guard_verdict verdict = play(&run, i, &reason, &windows);

			good += verdict == differences[_i].verdict &&
				(reason == differences[_i].reason || differences[_i].reason == GUARD_NR_REASONS) &&
				(!differences[_i].within || windows - 1 <= differences[_i].within);
		}
		ck_assert_msg(good >= total * 19 / 20, "difference %d: %u of %u as expected, the last: reason %s in %u windows",
			      _i, good, total, guard_reason__text(reason), windows - 1);
	}
END_TEST

/* A class whose pods fail at once looks fast; it goes all the same, and is never promoted. */
START_TEST(failing_fast_is_no_success)
	{
		static uint8_t usual[DRAWS], fast[DRAWS];
		struct run run = { { usual, usual, fast }, { 3000, 250, 250 }, 20, { 0, 0, 0.3 } };
		enum guard_reason reason;
		uint32_t windows;

		make_table(usual, 1.0);
		make_table(fast, 0.1);
		ck_assert_int_eq(play(&run, 1, &reason, &windows), GUARD_DROP_CANDIDATE);
		ck_assert_int_eq(reason, GUARD_FAILING);
		ck_assert_uint_eq(windows - 1, GUARD_STRIKES);
		/* nothing but failures */
		run.nr[PINTLE_CLASS_CANARY] = 250;
		run.failed[PINTLE_CLASS_CANARY] = 1e6;
		ck_assert_int_eq(play(&run, 2, &reason, &windows), GUARD_DROP_CANDIDATE);
		ck_assert_int_eq(reason, GUARD_FAILING);
		/* failures that all have alike are nobody's fault */
		run = (struct run){ { usual, usual, usual }, { 3000, 250, 250 }, 20, { 0.3, 0.3, 0.3 } };
		ck_assert_int_eq(play(&run, 3, &reason, &windows), GUARD_HOLD);
	}
END_TEST

/* Strikes are in a row. */
START_TEST(a_good_window_forgives)
	{
		static uint8_t usual[DRAWS], slow[DRAWS];
		struct guard_counts window[PINTLE_NR_CLASSES];
		enum guard_reason reason;
		struct rng rng = { 5 };
		struct guard g;

		make_table(usual, 1.0);
		make_table(slow, 3.0);
		guard__init(&g);
		for (uint32_t i = 1; i <= 30; i++) {
			for (uint32_t c = 0; c < PINTLE_NR_CLASSES; c++)
				fill(&window[c], c == PINTLE_CLASS_PRODUCTION && i % 3 ? slow : usual, 400, &rng);
			ck_assert_int_eq(guard__window(&g, window, i * S, S, false, &reason), GUARD_HOLD);
			ck_assert_uint_eq(g.production_strikes, i % 3);
		}
	}
END_TEST

/* Too few: joined until they are enough, forgotten when they never are; nothing is decided meanwhile. */
START_TEST(few_requests)
	{
		static uint8_t usual[DRAWS], slow[DRAWS];
		struct run run = { { slow, usual, NULL }, { 90, 90, 0 }, 100, { 0 } };
		enum guard_reason reason;
		uint32_t windows;
		struct guard g;

		make_table(usual, 1.0);
		make_table(slow, 4.0);
		ck_assert_int_eq(play(&run, 1, &reason, &windows), GUARD_DROP_PRODUCTION);
		ck_assert_uint_eq(windows - 1, 3 * GUARD_STRIKES); /* three windows of 90 are 270 */
		run.nr[0] = run.nr[1] = GUARD_MIN_SAMPLES / GUARD_JOIN_MAX;
		ck_assert_int_eq(play(&run, 1, &reason, &windows), GUARD_HOLD);
		ck_assert_int_eq(reason, GUARD_FEW);
		run.tables[PINTLE_CLASS_HOLDOUT] = NULL;
		run.nr[0] = 1000000;
		ck_assert_int_eq(play(&run, 1, &reason, &windows), GUARD_HOLD);
		guard__init(&g);
		ck_assert_uint_eq(g.for_production.nr, 0);
	}
END_TEST

/* A candidate with few requests, or none (every flow of it is still open), holds up no verdict over production; nor does one that comes and goes. */
START_TEST(a_starved_candidate_shields_nothing)
	{
		static const uint32_t few[] = { 0, 3, 90 };
		static uint8_t usual[DRAWS], slow[DRAWS];
		struct guard_counts window[PINTLE_NR_CLASSES];
		enum guard_verdict verdict = GUARD_HOLD;
		enum guard_reason reason = GUARD_FEW;
		struct rng rng = { 8 };
		struct guard g;
		uint32_t nr;

		make_table(usual, 1.0);
		make_table(slow, 4.0);
		guard__init(&g);
		for (nr = 0; nr < 3 * GUARD_STRIKES && verdict == GUARD_HOLD; nr++) {
			fill(&window[PINTLE_CLASS_PRODUCTION], slow, 400, &rng);
			fill(&window[PINTLE_CLASS_HOLDOUT], usual, 90, &rng);
			fill(&window[PINTLE_CLASS_CANARY], usual, few[_i % 3], &rng);
			verdict = guard__window(&g, window, (nr + 1) * S, S, _i < 3 || nr % 2, &reason);
		}
		ck_assert_int_eq(verdict, GUARD_DROP_PRODUCTION);
		ck_assert_int_eq(reason, GUARD_SLOW);
		ck_assert_uint_eq(nr, 3 * GUARD_STRIKES); /* three windows of 90 are 270 */
	}
END_TEST

/* What was counted for a candidate says nothing of the next one, and what is known of production stays. */
START_TEST(candidates_start_anew)
	{
		static uint8_t usual[DRAWS], slow[DRAWS];
		struct guard_counts window[PINTLE_NR_CLASSES];
		enum guard_reason reason;
		struct rng rng = { 9 };
		struct guard g;

		make_table(usual, 1.0);
		make_table(slow, 3.0);
		guard__init(&g);
		for (uint32_t i = 1; i < GUARD_STRIKES; i++) {
			for (uint32_t c = 0; c < PINTLE_NR_CLASSES; c++)
				fill(&window[c], c == PINTLE_CLASS_HOLDOUT ? usual : slow, 400, &rng);
			ck_assert_int_eq(guard__window(&g, window, i * S, S, true, &reason), GUARD_HOLD);
		}
		ck_assert_uint_eq(g.candidate_strikes, GUARD_STRIKES - 1);
		ck_assert_uint_eq(g.bound.windows, GUARD_STRIKES - 1);
		guard__restart_candidate(&g);
		ck_assert_uint_eq(g.candidate_strikes + g.bound.windows, 0);
		ck_assert_uint_eq(g.production_strikes, GUARD_STRIKES - 1);
	}
END_TEST

/* A mean of 0 that is very skewed, looked at 300 times: the bound errs in GUARD_ALPHA of the runs at most, either way. */
START_TEST(bound_is_always_valid)
	{
		uint32_t total = runs(500), up = 0, down = 0;

		for (uint32_t i = 0; i < total; i++) {
			struct rng rng = { i + 77 };
			struct guard_bound b;

			guard_bound__init(&b);
			for (uint32_t n = 0; n < 300 && b.lower <= 0 && b.upper >= 0; n++)
				guard_bound__add(&b, (_i ? -1.0 : 1.0) * (rng__below(&rng, 10) ? -0.2 : 1.8));
			up += b.lower > 0;
			down += b.upper < 0;
		}
		printf("# skewed mean of zero: of %u bounds %u above, %u below\n", total, up, down);
		ck_assert_uint_le(up, total / 100);
		ck_assert_uint_le(down, total / 100);
	}
END_TEST

START_TEST(bound_closes_in)
	{
		struct guard_bound b;

		guard_bound__init(&b);
		for (uint32_t n = 0; n < 500; n++)
			guard_bound__add(&b, 0.5 + (n % 2 ? 0.2 : -0.2));
		ck_assert_double_ge(b.lower, 0.3);
		ck_assert_double_le(b.lower, 0.5);
		ck_assert_double_ge(b.upper, 0.5);
		ck_assert_double_le(b.upper, 0.75);
		guard_bound__init(&b);
		for (uint32_t n = 0; n < 1000; n++) {
			static const double absurd[] = { NAN, INFINITY, -INFINITY, 1e308, -1e308 };

			guard_bound__add(&b, absurd[n % 5]);
		}
		ck_assert(b.lower <= 0 && b.upper >= 0 && isfinite(b.sum));
	}
END_TEST

/* ---- telemetry that lies ---- */

static struct guard_counts some(uint64_t n)
{
	struct guard_counts c = { .flows = n, .count = n, .latency_ns = n * 1000000, .log2_q8 = n * 20 * 256 };

	c.hist[pintle_fine_bucket(1000000)] = n;
	return c;
}

START_TEST(counters_that_go_back)
	{
		struct guard_counts before = some(1000), now = some(3000), d;

		ck_assert(guard_counts__delta(&now, &before, &d));
		ck_assert_uint_eq(d.count, 2000);
		ck_assert(!guard_counts__delta(&before, &now, &d)); /* a reset, or a wrap */
		ck_assert_uint_eq(d.count + d.flows, 0);
		now.hist[3] = 0;
		before.hist[3] = UINT32_MAX; /* wrapped */
		ck_assert(!guard_counts__delta(&now, &before, &d));
		before.hist[3] = 0;
		now.count += 1000; /* says more than its histogram */
		ck_assert(!guard_counts__delta(&now, &before, &d));
		now = some(3000);
		now.count += 60; /* read beside a writer: the histogram counts */
		ck_assert(guard_counts__delta(&now, &before, &d));
		ck_assert_uint_eq(d.count, 2000);
		now.hist[7] = now.count = UINT64_MAX;
		ck_assert(!guard_counts__delta(&now, &before, &d));
	}
END_TEST

START_TEST(sums_are_bounded)
	{
		struct guard_counts before = { 0 }, now = some(1000), d;

		now.log2_q8 = UINT64_MAX;
		ck_assert(guard_counts__delta(&now, &before, &d));
		ck_assert_double_le(guard_counts__mean_log2(&d), 20.3);
		now.log2_q8 = 0;
		ck_assert(guard_counts__delta(&now, &before, &d));
		ck_assert_double_ge(guard_counts__mean_log2(&d), 19.7);
		ck_assert_uint_le(guard_counts__quantile_ns(&d, 0.5), pintle_fine_begin_ns(pintle_fine_bucket(1000000) + 1));
		ck_assert_uint_ge(guard_counts__quantile_ns(&d, 0.5), pintle_fine_begin_ns(pintle_fine_bucket(1000000)));
		memset(&d, 0, sizeof(d));
		ck_assert_uint_eq(guard_counts__quantile_ns(&d, 0.99), 0);
	}
END_TEST

/* Random garbage in every counter: never a crash, and promotion only by a bound. */
START_TEST(garbage)
	{
		struct rng rng = { 4711 };
		struct guard g;

		guard__init(&g);
		for (uint32_t i = 0; i < runs(4000); i++) {
			struct guard_counts window[PINTLE_NR_CLASSES], raw[2];
			enum guard_reason reason;
			uint64_t now_ns = i % 7 ? i * S : rng__next(&rng);

			for (uint32_t c = 0; c < PINTLE_NR_CLASSES; c++) {
				for (uint32_t k = 0; k < sizeof(raw) / 8; k++)
					((uint64_t *)(void *)raw)[k] = rng__next(&rng) >> rng__below(&rng, 64);
				if (i % 2)
					memset(&raw[1], 0, sizeof(raw[1]));
				guard_counts__delta(&raw[0], &raw[1], &window[c]);
			}
			ck_assert_int_eq(guard__window(&g, i % 11 ? window : NULL, now_ns, S, i % 3, &reason), GUARD_HOLD);
			ck_assert_int_lt(reason, GUARD_NR_REASONS);
		}
	}
END_TEST

START_TEST(time_goes_back)
	{
		static uint8_t usual[DRAWS], slow[DRAWS];
		struct guard_counts window[PINTLE_NR_CLASSES];
		enum guard_reason reason;
		struct rng rng = { 6 };
		struct guard g;

		make_table(usual, 1.0);
		make_table(slow, 3.0);
		guard__init(&g);
		for (uint32_t c = 0; c < PINTLE_NR_CLASSES; c++)
			fill(&window[c], c == PINTLE_CLASS_PRODUCTION ? slow : usual, 150, &rng);
		guard__window(&g, window, 100 * S, S, false, &reason);
		ck_assert_uint_eq(g.for_production.nr, 1);
		guard__window(&g, window, 99 * S, S, false, &reason);
		ck_assert_int_eq(reason, GUARD_NO_WINDOW);
		ck_assert_uint_eq(g.for_production.nr, 0);
		guard__window(&g, window, 100 * S, S, false, &reason);
		ck_assert_int_eq(reason, GUARD_FEW);
		guard__window(&g, window, 200 * S, S, false, &reason); /* asleep */
		ck_assert_int_eq(reason, GUARD_NO_WINDOW);
		ck_assert_uint_eq(g.invalid, 2);
	}
END_TEST

int main(void)
{
	Suite *s = suite_create("guard");
	TCase *tc = tcase_create("guard");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, null_holds);
	tcase_add_loop_test(tc, differences_are_found, 0, sizeof(differences) / sizeof(differences[0]));
	tcase_add_test(tc, failing_fast_is_no_success);
	tcase_add_test(tc, a_good_window_forgives);
	tcase_add_test(tc, few_requests);
	tcase_add_loop_test(tc, a_starved_candidate_shields_nothing, 0, 6);
	tcase_add_test(tc, candidates_start_anew);
	tcase_add_loop_test(tc, bound_is_always_valid, 0, 2);
	tcase_add_test(tc, bound_closes_in);
	tcase_add_test(tc, counters_that_go_back);
	tcase_add_test(tc, sums_are_bounded);
	tcase_add_test(tc, garbage);
	tcase_add_test(tc, time_goes_back);
	suite_add_tcase(s, tc);
	runner = srunner_create(s);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
