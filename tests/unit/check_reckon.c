/* SPDX-License-Identifier: BSD-2-Clause */
/* Dead reckoning, slow start, exploration and the choice over members. */
#include <check.h>
#include <math.h>
#include <stdlib.h>

#include "policy/pick.h"
#include "policy/explore.h"
#include "policy/psi.h"
#include "policy/ramp.h"
#include "policy/reckon.h"

#define MS 1000000ull
#define S 1000000000ull

/* At the moment of the report: the report. Then own ones count share times, and what was counted fades. */
START_TEST(reckons_from_the_report)
	{
		struct reckon_share s;
		int32_t offset;

		reckon__init(&s, 4 * 256);
		offset = reckon__offset_q8(&s, 10, 2, 0, 20 * MS);
		ck_assert_int_eq(offset, 2 * 256); /* 10 - 4 * 2 */
		ck_assert_uint_eq(pintle_reckon(2, offset, s.share_q8), 10);
		ck_assert_uint_eq(pintle_reckon(3, offset, s.share_q8), 14);
		ck_assert_uint_eq(pintle_reckon(0, offset, s.share_q8), 2);
		offset = reckon__offset_q8(&s, 10, 2, RECKON_HALF_LIVES * 20 * MS, 20 * MS); /* one half life */
		ck_assert_int_eq(offset, 256);
		ck_assert_int_eq(reckon__offset_q8(&s, 10, 2, 3600 * S, 20 * MS), 0);
		offset = reckon__offset_q8(&s, 3, 2, 0, 20 * MS); /* fewer than expected: below zero, but never below the own */
		ck_assert_int_eq(offset, -5 * 256);
		ck_assert_uint_eq(pintle_reckon(1, offset, s.share_q8), 1);
		ck_assert_uint_eq(pintle_reckon(0, offset, s.share_q8), 0);
	}
END_TEST

START_TEST(fading_is_the_exponential)
	{
		struct reckon_share s;

		reckon__init(&s, 256);
		for (uint64_t age = 0; age < 3000 * MS; age += 7777777) {
			double real = 256 * 1000 * exp2(-(double)age / (RECKON_HALF_LIVES * 20e6));

			ck_assert_double_le(fabs(reckon__offset_q8(&s, 1000, 0, age, 20 * MS) - real), 9);
		}
	}
END_TEST

START_TEST(share_is_learned)
	{
		struct reckon_share s;
		uint64_t total = 0, own = 0, now = 0;

		reckon__init(&s, 16 * 256);
		ck_assert_uint_eq(s.share_q32, 16ull << 32);
		for (int i = 0; i < 1000; i++)
			reckon__arrivals(&s, total += 300, own += 100, now += 100 * MS);
		ck_assert_int_le(abs((int)s.share_q8 - 3 * 256), 1);
		for (int i = 0; i < 1000; i++) /* a time constant is 10 s */
			reckon__arrivals(&s, total += 1000, own += 100, now += 100 * MS);
		ck_assert_int_le(abs((int)s.share_q8 - 10 * 256), 2);
		/* another node began anew: no look, the share stays */
		reckon__arrivals(&s, total = 5, own += 100, now += 100 * MS);
		ck_assert_int_le(abs((int)s.share_q8 - 10 * 256), 2);
		/* nothing sent: no division, no change */
		reckon__arrivals(&s, total + 1000000, own, now + 100 * MS);
		ck_assert_int_le(abs((int)s.share_q8 - 10 * 256), 2);
	}
END_TEST

START_TEST(hostile_reports_are_bounded)
	{
		struct reckon_share s;
		static const uint64_t edges[] = { 0, 1, UINT32_MAX, 1ull << 63, UINT64_MAX };

		reckon__init(&s, UINT32_MAX);
		ck_assert_uint_eq(s.share_q8, RECKON_SHARE_MAX_Q8);
		for (size_t a = 0; a < 5; a++) {
			for (size_t b = 0; b < 5; b++) {
				for (size_t c = 0; c < 5; c++) {
					int32_t offset = reckon__offset_q8(&s, (uint32_t)edges[a], (uint32_t)edges[b], edges[c],
									   edges[(a + b) % 5]);

					reckon__arrivals(&s, edges[a], edges[b], edges[c]);
					ck_assert_uint_ge(s.share_q8, 256);
					ck_assert_uint_le(s.share_q8, RECKON_SHARE_MAX_Q8);
					ck_assert_uint_ge(pintle_reckon((uint32_t)edges[b], offset, s.share_q8), 0);
					ck_assert_uint_le(pintle_reckon((uint32_t)edges[b], offset, s.share_q8), 1u << 30);
				}
			}
		}
	}
END_TEST

/* 1/K in the first latency, twice that after it, everything after log2 K of them. */
START_TEST(new_pod_ramps)
	{
		struct ramp r = { 0 };

		ck_assert_int_eq(ramp__penalty_q8(&r, 1000, 1000, 8, 20 * MS, 512, S), 0); /* not ramping */
		ramp__begin(&r, 5, 100, 10 * S);
		ck_assert_int_eq(ramp__penalty_q8(&r, 5 + RAMP_GRACE, 100, 8, 20 * MS, 512, 10 * S), 0);
		ck_assert_int_eq(ramp__penalty_q8(&r, 6 + RAMP_GRACE, 100, 8, 20 * MS, 512, 10 * S), RAMP_PENALTY_Q8);
		ck_assert_int_eq(ramp__penalty_q8(&r, 5 + RAMP_GRACE + 10, 180, 8, 20 * MS, 512, 10 * S), 0); /* 80 / 8 */
		ck_assert_int_eq(ramp__penalty_q8(&r, 5 + RAMP_GRACE + 11, 180, 8, 20 * MS, 512, 10 * S), RAMP_PENALTY_Q8);
		ck_assert_int_eq(ramp__penalty_q8(&r, 5 + RAMP_GRACE + 20, 180, 8, 20 * MS, 512, 10 * S + 20 * MS), 0);
		ck_assert_int_eq(ramp__penalty_q8(&r, 5 + RAMP_GRACE + 21, 180, 8, 20 * MS, 512, 10 * S + 20 * MS),
				 RAMP_PENALTY_Q8);
		ck_assert_int_eq(ramp__penalty_q8(&r, 180, 180, 8, 20 * MS, 512, 10 * S + 60 * MS), 0);
		ck_assert_uint_eq(r.began_ns, 0); /* over for good */
	}
END_TEST

START_TEST(ramp_bears_nonsense)
	{
		struct ramp r;

		ramp__begin(&r, 5, 100, 0);
		ck_assert_uint_ne(r.began_ns, 0);
		ramp__penalty_q8(&r, 50, 100, 0, 0, 0, 0); /* the clock went backwards: the first part */
		ramp__begin(&r, 5, 100, S);
		ck_assert_int_eq(ramp__penalty_q8(&r, 1, 100, 4, 20 * MS, 512, S), 0); /* counters began anew */
		ramp__begin(&r, 0, 0, 1);
		ck_assert_int_eq(ramp__penalty_q8(&r, UINT64_MAX, UINT64_MAX, 4, UINT64_MAX, UINT32_MAX, UINT64_MAX), 0);
	}
END_TEST

START_TEST(median_of_gains)
	{
		int16_t odd[] = { 5, -3, 900 }, even[] = { 4, 1, 3, 2 };

		ck_assert_int_eq(ramp__median_q8(odd, 3), 5);
		ck_assert_int_eq(ramp__median_q8(even, 4), 2);
		ck_assert_int_eq(ramp__median_q8(NULL, 0), 0);
	}
END_TEST

START_TEST(idle_pod_is_due)
	{
		struct explore e;

		explore__begin(&e, 7, S);
		ck_assert(!explore__due(&e, 7, 2 * S, 3 * S - 1));
		ck_assert(explore__due(&e, 7, 2 * S, 3 * S));
		ck_assert(!explore__due(&e, 7, 0, 3000 * S));
		ck_assert(!explore__due(&e, 8, 2 * S, 4 * S)); /* it got one */
		ck_assert(!explore__due(&e, 8, 2 * S, 6 * S - 1));
		ck_assert(explore__due(&e, 8, 2 * S, 6 * S));
		ck_assert(!explore__due(&e, 8, 2 * S, 5 * S - S * 2)); /* the clock went backwards */
	}
END_TEST

/* The pod that is due gets one request, and the next goes where it would have gone. */
START_TEST(one_request_explores)
	{
		struct pintle_member m[3] = {
			{ .pod = 0, .gain_q8 = 3000, .gain_sat_q8 = 3000, .concurrency = 1 },
			{ .pod = 1, .gain_q8 = 3100, .gain_sat_q8 = 3100 - 512, .concurrency = 4 },
			{ .pod = 2, .gain_q8 = 6000, .gain_sat_q8 = 6000 - 512, .concurrency = 4 },
		};
		int16_t psi[PINTLE_PSI_ENTRIES];
		uint32_t own[3] = { 0 }, load;
		struct pick_input in = { .members = m, .own = own, .psi_q8 = psi, .nr = 3 };

		psi__fill(1, psi);
		for (uint64_t hash = 0; hash < 3; hash++)
			ck_assert_uint_eq(pick__member(&in, hash << 30, NULL), 0);
		m[2] = explore__member(&m[2], 3000);
		for (uint64_t hash = 0; hash < 3; hash++)
			ck_assert_uint_eq(pick__member(&in, hash << 30, &load), 2);
		ck_assert_uint_eq(load, 0);
		own[2] = 1;
		for (uint64_t hash = 0; hash < 3; hash++)
			ck_assert_uint_eq(pick__member(&in, hash << 30, NULL), 0);
	}
END_TEST

START_TEST(choice_is_the_least_from_the_flows_place)
	{
		struct pintle_member m[5];
		int16_t psi[PINTLE_PSI_ENTRIES];
		uint32_t own[5] = { 0 }, counts[5] = { 0 };
		int32_t offsets[5] = { 0, 0, 0, 0, 3 * 256 };
		struct pick_input in = { .members = m, .own = own, .psi_q8 = psi, .nr = 5 };

		psi__fill(1, psi);
		for (uint16_t i = 0; i < 5; i++)
			m[i] = (struct pintle_member){ .pod = i, .gain_q8 = 100, .gain_sat_q8 = 100, .concurrency = 1 };
		for (uint64_t i = 0; i < 5000; i++)
			counts[pick__member(&in, i * 0x9e3779b97f4a7c15ull >> 32, NULL)]++;
		for (int i = 0; i < 5; i++)
			ck_assert_uint_ge(counts[i], 900);
		in.offset_q8 = offsets; /* others are at the last */
		in.share_q8 = 256;
		for (uint64_t i = 0; i < 1000; i++)
			ck_assert_uint_ne(pick__member(&in, i * 0x9e3779b97f4a7c15ull >> 32, NULL), 4);
		own[0] = own[1] = own[2] = own[3] = 5;
		ck_assert_uint_eq(pick__member(&in, 0, NULL), 4);
		in.candidates = 2; /* from place 0 on: the last is not looked at */
		ck_assert_uint_eq(pick__member(&in, 0, NULL), 0);
	}
END_TEST

int main(void)
{
	Suite *suite = suite_create("reckon");
	TCase *tcase = tcase_create("reckon");
	SRunner *runner;
	int failed;

	tcase_add_test(tcase, reckons_from_the_report);
	tcase_add_test(tcase, fading_is_the_exponential);
	tcase_add_test(tcase, share_is_learned);
	tcase_add_test(tcase, hostile_reports_are_bounded);
	tcase_add_test(tcase, new_pod_ramps);
	tcase_add_test(tcase, ramp_bears_nonsense);
	tcase_add_test(tcase, median_of_gains);
	tcase_add_test(tcase, idle_pod_is_due);
	tcase_add_test(tcase, one_request_explores);
	tcase_add_test(tcase, choice_is_the_least_from_the_flows_place);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
