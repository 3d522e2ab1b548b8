/* SPDX-License-Identifier: BSD-2-Clause */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "agent/maglev.h"

#define MAX_PICKS 65536u

static uint16_t picks[MAX_PICKS], other[MAX_PICKS];
static uint32_t counts[MAX_PICKS];

static void make_members(struct pick_member *members, uint32_t nr, uint16_t weight)
{
	for (uint32_t i = 0; i < nr; i++) {
		const uint32_t addr_be[4] = { 0x0100000a + (i << 24) + (i >> 8 << 16) };

		members[i] = (struct pick_member){ .name_hash = pick_name_hash(addr_be, 8080), .weight = weight };
	}
}

static void count(uint32_t nr, uint32_t size)
{
	memset(counts, 0, sizeof(counts));
	for (uint32_t i = 0; i < size; i++) {
		ck_assert_uint_lt(picks[i], nr);
		counts[picks[i]]++;
	}
}

START_TEST(sizes_are_primes_a_hundred_times_the_members)
	{
		for (uint32_t nr = 1; nr < 70000; nr = nr < 700 ? nr + 1 : nr * 2) {
			uint32_t size = maglev__size(nr);

			ck_assert(size >= 100 * nr || size == 65521);
			for (uint32_t d = 2; d * d <= size; d++)
				ck_assert_uint_ne(size % d, 0);
		}
	}
END_TEST

/* Turns are taken in order, so shares of equal members differ by one turn at most. */
START_TEST(equal_members_get_equal_shares)
	{
		static const uint32_t sizes[] = { 1, 2, 3, 16, 64, 100, 655 };
		uint32_t nr = sizes[_i], size = maglev__size(nr);
		struct pick_member members[655];

		make_members(members, nr, 100);
		ck_assert_int_eq(maglev__fill(members, nr, picks, size), 0);
		count(nr, size);
		for (uint32_t i = 0; i < nr; i++) {
			ck_assert_uint_ge(counts[i], size / nr);
			ck_assert_uint_le(counts[i], size / nr + 1);
		}
	}
END_TEST

START_TEST(shares_follow_weights)
	{
		static const uint16_t weights[] = { 1, 2, 4, 8, 16 };
		struct pick_member members[5];
		uint32_t size = maglev__size(5);

		make_members(members, 5, 1);
		for (int i = 0; i < 5; i++)
			members[i].weight = weights[i];
		ck_assert_int_eq(maglev__fill(members, 5, picks, size), 0);
		count(5, size);
		for (int i = 0; i < 5; i++)
			ck_assert_double_eq_tol((double)counts[i] / size, weights[i] / 31.0, 0.02);
	}
END_TEST

/* The paper's point: when one of n goes, hardly any entry of the others changes hands. */
START_TEST(a_lost_member_disturbs_few_others)
	{
		struct pick_member members[20], fewer[19];
		uint32_t size = maglev__size(20), lost = 7, moved = 0, kept = 0;

		make_members(members, 20, 100);
		memcpy(fewer, members, lost * sizeof(*members));
		memcpy(fewer + lost, members + lost + 1, (19 - lost) * sizeof(*members));
		ck_assert_int_eq(maglev__fill(members, 20, picks, size), 0);
		ck_assert_int_eq(maglev__fill(fewer, 19, other, size), 0);
		for (uint32_t i = 0; i < size; i++) {
			if (picks[i] == lost)
				continue;
			kept++;
			moved += other[i] != picks[i] - (picks[i] > lost);
		}
		ck_assert_uint_lt(moved * 100, kept * 8);
	}
END_TEST

START_TEST(an_extreme_weight_ends_soon)
	{
		struct pick_member *members = calloc(60000, sizeof(*members));

		make_members(members, 60000, 1);
		members[5].weight = 65535;
		ck_assert_int_eq(maglev__fill(members, 60000, picks, maglev__size(60000)), 0);
		count(60000, maglev__size(60000));
		ck_assert_uint_gt(counts[5], maglev__size(60000) / 3);
		free(members);
	}
END_TEST

START_TEST(weighted_is_exact_when_it_can_be)
	{
		static const uint16_t weights[] = { 300, 200, 100, 50 };
		struct pick_member members[4];
		uint32_t size;

		make_members(members, 4, 1);
		for (int i = 0; i < 4; i++)
			members[i].weight = weights[i];
		size = weighted__size(members, 4);
		ck_assert_uint_eq(size, 13);
		ck_assert_int_eq(weighted__fill(members, 4, picks, size), 0);
		count(4, size);
		for (int i = 0; i < 4; i++)
			ck_assert_uint_eq(counts[i], weights[i] / 50);
		/* the same again gives the same */
		ck_assert_int_eq(weighted__fill(members, 4, other, size), 0);
		ck_assert_mem_eq(picks, other, size * sizeof(*picks));
	}
END_TEST

START_TEST(weighted_is_close_and_forgets_nobody)
	{
		struct pick_member members[50];
		uint32_t size, sum = 0;

		make_members(members, 50, 1);
		for (uint32_t i = 0; i < 50; i++) {
			members[i].weight = (uint16_t)(i ? 997 * i + 1 : 1);
			sum += members[i].weight;
		}
		size = weighted__size(members, 50);
		ck_assert_uint_eq(size, 50 * 64);
		ck_assert_int_eq(weighted__fill(members, 50, picks, size), 0);
		count(50, size);
		for (uint32_t i = 0; i < 50; i++) {
			ck_assert_uint_ge(counts[i], 1);
			ck_assert_double_eq_tol(counts[i], (double)members[i].weight * size / sum, 1.01);
		}
	}
END_TEST

START_TEST(weighted_shares_are_spread)
	{
		struct pick_member members[2];
		uint32_t runs = 1;

		make_members(members, 2, 1);
		members[1].weight = 61;
		members[0].weight = 60;
		ck_assert_int_eq(weighted__fill(members, 2, picks, weighted__size(members, 2)), 0);
		for (uint32_t i = 1; i < 121; i++)
			runs += picks[i] != picks[i - 1];
		ck_assert_uint_gt(runs, 40); /* two runs without the shuffle */
	}
END_TEST

int main(void)
{
	Suite *suite = suite_create("maglev");
	TCase *tcase = tcase_create("maglev");
	SRunner *runner;
	int failed;

	tcase_add_test(tcase, sizes_are_primes_a_hundred_times_the_members);
	tcase_add_loop_test(tcase, equal_members_get_equal_shares, 0, 7);
	tcase_add_test(tcase, shares_follow_weights);
	tcase_add_test(tcase, a_lost_member_disturbs_few_others);
	tcase_add_test(tcase, an_extreme_weight_ends_soon);
	tcase_add_test(tcase, weighted_is_exact_when_it_can_be);
	tcase_add_test(tcase, weighted_is_close_and_forgets_nobody);
	tcase_add_test(tcase, weighted_shares_are_spread);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
