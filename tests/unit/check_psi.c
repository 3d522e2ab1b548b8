/* SPDX-License-Identifier: BSD-2-Clause */
/* The psi tables, and score.h (the programs' own arithmetic) against a model in doubles. */
#include <check.h>
#include <math.h>
#include <stdlib.h>

#include "pintle/score.h"
#include "policy/psi.h"

/* psi as score.h states it. */
static double model_score(double gain, double load, double concurrency, double x)
{
	if (load + 1 <= concurrency)
		return gain;
	return gain + log2((load + 1 + x * load) / concurrency);
}

START_TEST(tables_are_the_rounded_logarithm)
	{
		double x = _i * 0.5;
		int16_t psi[PINTLE_PSI_ENTRIES], latency[PINTLE_PSI_ENTRIES];

		psi__fill(x, psi);
		psi__fill_latency(latency);
		for (int r = 0; r < (int)PINTLE_PSI_ENTRIES; r++) {
			ck_assert_int_eq(psi[r], lround(256 * log2(r + 1 + x * r)));
			ck_assert_int_eq(latency[r], lround(256 * log2(r + 1)));
		}
		ck_assert_int_eq(psi[0], 0);
	}
END_TEST

START_TEST(externality_is_clamped)
	{
		int16_t psi[PINTLE_PSI_ENTRIES], limit[PINTLE_PSI_ENTRIES];
		static const struct {
			double given, effective;
		} cases[] = { { -5, 0 }, { 1e300, 2 }, { INFINITY, 2 }, { -INFINITY, 0 }, { NAN, 1 } };

		for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
			psi__fill(cases[i].given, psi);
			psi__fill(cases[i].effective, limit);
			ck_assert_mem_eq(psi, limit, sizeof(psi));
		}
	}
END_TEST

START_TEST(saturated_gain_stays_in_range)
	{
		ck_assert_int_eq(psi__gain_sat_q8(0, 1), 0);
		ck_assert_int_eq(psi__gain_sat_q8(512, 4), 0);
		ck_assert_int_eq(psi__gain_sat_q8(0, 65535), -4096);
		ck_assert_int_eq(psi__gain_sat_q8(INT16_MIN, 65535), INT16_MIN);
		ck_assert_int_eq(psi__gain_sat_q8(100, 0), 100);
		ck_assert_int_eq(psi__gain_sat_q8(0, 3), -lround(256 * log2(3)));
	}
END_TEST

/* Exact by rounding inside the table; within the stated 0.03 octaves (and rounding) beyond. */
START_TEST(score_follows_the_model)
	{
		static const uint16_t concurrency[] = { 1, 2, 3, 8, 64, 1000 };
		double x = _i * 0.5;
		int16_t psi[PINTLE_PSI_ENTRIES];

		psi__fill(x, psi);
		for (size_t c = 0; c < sizeof(concurrency) / sizeof(concurrency[0]); c++) {
			struct pintle_member m = { .gain_q8 = 3000, .concurrency = concurrency[c] };

			m.gain_sat_q8 = psi__gain_sat_q8(m.gain_q8, m.concurrency);
			for (int32_t load = 0; load < 1 << 20; load = load < 300 ? load + 1 : load + load / 7) {
				double wanted = model_score(3000 / 256.0, load, concurrency[c], x);
				double off = fabs(pintle_score_q8(&m, load, psi) / 256.0 - wanted);

				ck_assert_msg(off <= (load < (int)PINTLE_PSI_ENTRIES ? 1.01 / 256 : 0.03 + 2.0 / 256),
					      "x %g, concurrency %u, load %d: off by %g", x, concurrency[c], load, off);
			}
		}
	}
END_TEST

START_TEST(batch_curve_is_the_rounded_logarithm)
	{
		int16_t psi[PINTLE_PSI_ENTRIES], before = -1;

		psi__fill_batch(0.03, 1, psi);
		for (int r = 0; r < (int)PINTLE_PSI_ENTRIES; r++) {
			ck_assert_int_eq(psi[r], lround(256 * log2(1 + 0.06 * r)));
			ck_assert_int_gt(psi[r], before);
			before = psi[r];
		}
		psi__fill_batch(NAN, NAN, psi);
		ck_assert_int_eq(psi[63], 0);
		psi__fill_batch(INFINITY, -1, psi);
		ck_assert_int_eq(psi[63], lround(256 * log2(64)));
	}
END_TEST

START_TEST(reuse_shares_the_concurrency)
	{
		ck_assert_uint_eq(psi__concurrency(4, 1000, 1000), 4);
		ck_assert_uint_eq(psi__concurrency(4, 2000, 1000), 2);
		ck_assert_uint_eq(psi__concurrency(4, 10000, 1000), 1);
		ck_assert_uint_eq(psi__concurrency(64, 1500, 1000), 43);
		ck_assert_uint_eq(psi__concurrency(4, 150, 15), 4);
		ck_assert_uint_eq(psi__concurrency(0, 1, 0), 1);
		ck_assert_uint_eq(psi__concurrency(65535, UINT64_MAX, 16), 1);
		ck_assert_uint_eq(psi__concurrency(65535, UINT64_MAX, UINT64_MAX / 2), 32768);
	}
END_TEST

START_TEST(score_never_falls_with_load)
	{
		int16_t psi[PINTLE_PSI_ENTRIES];
		struct pintle_member m = { .concurrency = 4 };
		int32_t before;

		psi__fill(1, psi);
		m.gain_sat_q8 = psi__gain_sat_q8(0, 4);
		before = pintle_score_q8(&m, 0, psi);
		for (int32_t load = 1; load < 100000; load++) {
			int32_t score = pintle_score_q8(&m, load, psi);

			ck_assert_int_ge(score, before);
			before = score;
		}
		ck_assert_int_eq(pintle_score_q8(&m, -7, psi), pintle_score_q8(&m, 0, psi));
		ck_assert_int_ge(pintle_score_q8(&m, INT32_MAX, psi), before);
	}
END_TEST

START_TEST(logarithm_is_within_its_bound)
	{
		ck_assert_int_eq(pintle_log2_q8(0), 0);
		ck_assert_int_eq(pintle_log2_q8(1), 0);
		for (int e = 0; e < 64; e++)
			ck_assert_int_eq(pintle_log2_q8(1ull << e), e * 256);
		for (uint64_t x = 1, step = 1; x < 1ull << 62; x += step, step = x / 100 + 1) {
			double off = log2((double)x) - pintle_log2_q8(x) / 256.0;

			ck_assert_msg(off > -1e-9 && off < 0.09, "log2(%llu): off by %g", (unsigned long long)x, off);
		}
		ck_assert_int_eq(pintle_log2_q8(UINT64_MAX), 63 * 256 + 255);
	}
END_TEST

int main(void)
{
	Suite *suite = suite_create("psi");
	TCase *tcase = tcase_create("psi");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(tcase, tables_are_the_rounded_logarithm, 0, 5);
	tcase_add_test(tcase, externality_is_clamped);
	tcase_add_test(tcase, saturated_gain_stays_in_range);
	tcase_add_loop_test(tcase, score_follows_the_model, 0, 5);
	tcase_add_test(tcase, batch_curve_is_the_rounded_logarithm);
	tcase_add_test(tcase, reuse_shares_the_concurrency);
	tcase_add_test(tcase, score_never_falls_with_load);
	tcase_add_test(tcase, logarithm_is_within_its_bound);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
