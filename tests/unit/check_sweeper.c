/* SPDX-License-Identifier: BSD-2-Clause */
/* The walk over the flow table, whatever the clock says; the kernel's part is replaced. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/sweeper.h"

#define MS 1000000ull
#define S 1000000000ull

static struct pintle_meta meta;
static struct table_maps maps = { .meta = &meta };
static uint8_t *visits; /* by bucket */
static uint32_t calls, next_error;

const struct table_maps *datapath__maps(const struct datapath *dp)
{
	(void)dp;
	return &maps;
}

int datapath__sweep(const struct datapath *dp, struct pintle_sweep *sweep, struct pintle_err *err)
{
	(void)dp;
	calls++;
	if (next_error && !--next_error)
		return pintle_err__set(err, -EIO, "no sweep");
	ck_assert_uint_ge(sweep->nr_buckets, 1);
	ck_assert_uint_le(sweep->nr_buckets, SWEEPER_SLICE_BUCKETS);
	ck_assert_uint_le((uint64_t)sweep->first_bucket + sweep->nr_buckets, meta.nr_buckets);
	for (uint32_t i = 0; i < sweep->nr_buckets; i++)
		visits[sweep->first_bucket + i]++;
	sweep->valid += sweep->nr_buckets;
	return 0;
}

static struct sweeper begin(uint32_t nr_buckets)
{
	struct sweeper s;

	meta.nr_buckets = nr_buckets;
	calls = next_error = 0;
	visits = calloc(nr_buckets, 1);
	ck_assert_ptr_nonnull(visits);
	sweeper__init(&s, NULL);
	return s;
}

static uint64_t visited(void)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < meta.nr_buckets; i++)
		sum += visits[i];
	return sum;
}

static void tick(struct sweeper *s, uint64_t now_ns)
{
	struct pintle_err err;

	ck_assert_int_eq(sweeper__tick(s, now_ns, &err), 0);
}

static const struct {
	uint32_t nr_buckets;
	uint64_t period_ns;
} walks[] = { { 1, 100 * MS }, { 2, MS },	   { 512, 100 * MS },	  { 131072, 100 * MS },
	      { 131072, MS },  { 131072, 10 * S }, { 1u << 20, 30 * MS }, { 1u << 20, 5 * S } };

/* Every bucket is seen within a round, and none much more often than needed (one bucket a tick is always swept). */
START_TEST(every_bucket_once_a_round)
	{
		const uint64_t period = walks[_i].period_ns;
		struct sweeper s = begin(walks[_i].nr_buckets);
		uint64_t now = 5 * S, ticks = (SWEEPER_ROUND_NS + period - 1) / period;

		tick(&s, now);
		ck_assert_uint_eq(visited(), 0);
		for (uint64_t i = 0; i < ticks; i++)
			tick(&s, now += period);
		for (uint32_t i = 0; i < meta.nr_buckets; i++)
			ck_assert_uint_ge(visits[i], 1);
		ck_assert_uint_le(visited(), meta.nr_buckets + meta.nr_buckets / 50 + ticks + 1);
		ck_assert_uint_ge(s.rounds, 1);
		ck_assert_uint_eq(s.done.valid, meta.nr_buckets);
		free(visits);
	}
END_TEST

START_TEST(a_clock_that_goes_back_sweeps_nothing)
	{
		struct sweeper s = begin(4096);
		uint64_t before;

		tick(&s, 100 * S);
		tick(&s, 101 * S);
		before = visited();
		ck_assert_uint_gt(before, 1000);
		tick(&s, 50 * S);
		ck_assert_uint_eq(visited(), before);
		/* and goes on from there */
		tick(&s, 51 * S);
		ck_assert_uint_ge(visited(), before + 1000);
		ck_assert_uint_le(visited(), before + 1100);
		free(visits);
	}
END_TEST

START_TEST(a_jump_sweeps_one_round_at_most)
	{
		static const uint64_t jumps[] = { 10 * S, 864000 * S, UINT64_MAX - 200 * S };
		struct sweeper s = begin(100000);

		tick(&s, 100 * S);
		tick(&s, 100 * S + jumps[_i]);
		ck_assert_uint_eq(visited(), 100000);
		ck_assert_uint_eq(calls, 100000 / SWEEPER_SLICE_BUCKETS + 1);
		ck_assert_uint_eq(s.rounds, 1);
		tick(&s, 100 * S); /* back again */
		ck_assert_uint_eq(visited(), 100000);
		free(visits);
	}
END_TEST

START_TEST(an_error_is_told_and_the_walk_goes_on)
	{
		struct sweeper s = begin(65536);
		struct pintle_err err;

		tick(&s, S);
		next_error = 2;
		ck_assert_int_eq(sweeper__tick(&s, S + SWEEPER_ROUND_NS, &err), -EIO);
		ck_assert_str_eq(err.msg, "no sweep");
		ck_assert_uint_eq(visited(), SWEEPER_SLICE_BUCKETS);
		tick(&s, S + 2 * SWEEPER_ROUND_NS);
		for (uint32_t i = 0; i < meta.nr_buckets; i++)
			ck_assert_uint_ge(visits[i], 1);
		free(visits);
	}
END_TEST

int main(void)
{
	Suite *suite = suite_create("sweeper");
	TCase *tcase = tcase_create("sweeper");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(tcase, every_bucket_once_a_round, 0, sizeof(walks) / sizeof(walks[0]));
	tcase_add_test(tcase, a_clock_that_goes_back_sweeps_nothing);
	tcase_add_loop_test(tcase, a_jump_sweeps_one_round_at_most, 0, 3);
	tcase_add_test(tcase, an_error_is_told_and_the_walk_goes_on);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
