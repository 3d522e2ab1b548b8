/* SPDX-License-Identifier: BSD-2-Clause */
/* Fixed point against doubles, at every edge and at random. */
#include <check.h>
#include <math.h>
#include <stdlib.h>

#include "policy/fixed.h"
#include "policy/knobs.h"

static uint64_t random64(uint64_t *state)
{
	uint64_t z = (*state += 0x9e3779b97f4a7c15ull);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

START_TEST(casts_saturate)
	{
		ck_assert_int_eq(fixed__sat8(INT64_MAX), 127);
		ck_assert_int_eq(fixed__sat8(INT64_MIN), -127);
		ck_assert_int_eq(fixed__sat8(-127), -127);
		ck_assert_int_eq(fixed__sat16(40000), INT16_MAX);
		ck_assert_int_eq(fixed__sat16(-40000), INT16_MIN);
		ck_assert_int_eq(fixed__sat32(INT64_MIN), INT32_MIN);
		ck_assert_int_eq(fixed__sat32(-5), -5);
		ck_assert_uint_eq(fixed__satu32(1ull << 32), UINT32_MAX);
	}
END_TEST

START_TEST(halves_round_away_from_zero)
	{
		static const struct {
			int64_t x, halved;
		} cases[] = { { 0, 0 }, { 1, 1 },   { -1, -1 }, { 2, 1 },
			      { 3, 2 }, { -3, -2 }, { -4, -2 }, { INT64_MIN, INT64_MIN / 2 } };

		for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
			ck_assert_int_eq(fixed__shr_round(cases[i].x, 1), cases[i].halved);
			ck_assert_int_eq(fixed__div_round(cases[i].x, 2), cases[i].halved);
			ck_assert_int_eq(fixed__shr_round(cases[i].x, 0), cases[i].x);
		}
		ck_assert_int_eq(fixed__div_round(7, -2), -4);
		ck_assert_int_eq(fixed__div_round(-5, -2), 3);
		ck_assert_int_eq(fixed__div_round(5, 0), 5);
		ck_assert_int_eq(fixed__div_round(INT64_MIN, -1), INT64_MAX);
		ck_assert_int_eq(fixed__mul_q16(INT32_MIN, INT32_MIN), INT32_MAX);
		ck_assert_int_eq(fixed__mul_q16(-3, 32768), -2);
	}
END_TEST

START_TEST(random_products_and_fractions)
	{
		uint64_t state = 1;

		for (int i = 0; i < 200000; i++) {
			int32_t a = (int32_t)(random64(&state) >> (32 + i % 32)), b = (int32_t)random64(&state) >> (i % 31);
			uint64_t x = random64(&state) >> (i % 64), y = random64(&state) >> (i / 64 % 64);
			double real = round((double)a * b / 65536.0), part = y ? fmin((double)x / (double)y, 1) : 0;

			real = fmax(fmin(real, INT32_MAX), INT32_MIN);
			ck_assert_double_eq(fixed__mul_q16(a, b), real);
			ck_assert_double_le(fabs(fixed__fraction_q16(x, y) - part * 65536), 0.51);
		}
	}
END_TEST

START_TEST(logs_and_powers)
	{
		uint64_t state = 2;
		double worst = 0;

		ck_assert_int_eq(fixed__log2_q8(0), 0);
		for (unsigned int e = 0; e < 64; e++)
			ck_assert_int_eq(fixed__log2_q8(1ull << e), (int)e * 256);
		for (int i = 0; i < 200000; i++) {
			uint64_t x = random64(&state) >> (i % 63);
			double got;

			if (!x)
				continue;
			got = fixed__log2_q8(x);
			worst = fmax(worst, fabs(got - 256 * log2((double)x)));
		}
		ck_assert_double_le(worst, 0.52);
		worst = 0;
		for (uint64_t x = 0; x < 20 * 65536; x += 7)
			worst = fmax(worst, fabs(fixed__exp2_neg_q16(x) - 65536 * exp2(-(double)x / 65536)));
		ck_assert_double_le(worst, 1.5);
		ck_assert_uint_eq(fixed__exp2_neg_q16(0), 65536);
		ck_assert_uint_eq(fixed__exp2_neg_q16(UINT64_MAX), 0);
	}
END_TEST

START_TEST(weights_of_time)
	{
		uint64_t state = 3;

		for (int i = 0; i < 200000; i++) {
			uint64_t tau = (random64(&state) >> (i % 50)) | 1, dt = random64(&state) >> (i / 50 % 60);
			double real = -expm1(-(double)dt / (double)tau) * 1073741824.0;

			ck_assert_double_le(fabs((double)fixed__one_minus_exp_q30(dt, tau) - real), 2 + real / 4096);
		}
		ck_assert_uint_eq(fixed__one_minus_exp_q30(0, 5), 0);
		ck_assert_uint_eq(fixed__one_minus_exp_q30(5, 0), 1u << 30);
		ck_assert_uint_eq(fixed__exp2_neg_q30(0), 1u << 30);
		ck_assert_uint_eq(fixed__exp2_neg_q30(UINT64_MAX), 0);
		ck_assert_uint_eq(fixed__fraction_q30(UINT64_MAX / 2, UINT64_MAX), 1u << 29);
		ck_assert_uint_eq(fixed__fraction_q30(3, 0), 0);
	}
END_TEST

START_TEST(powers_of_two_of_logs)
	{
		ck_assert_uint_eq(fixed__exp2_q8(0), 1);
		ck_assert_uint_eq(fixed__exp2_q8(INT32_MIN), 0);
		ck_assert_uint_eq(fixed__exp2_q8(INT32_MAX), UINT64_MAX);
		ck_assert_uint_eq(fixed__exp2_q8(64 * 256), UINT64_MAX);
		for (int32_t x = -256; x < 64 * 256; x++) {
			double real = exp2(x / 256.0);

			ck_assert_double_le(fabs((double)fixed__exp2_q8(x) - real), 0.5 + real / 32768);
		}
	}
END_TEST

START_TEST(knobs_are_bounded)
	{
		struct policy_knobs k = { UINT32_MAX, 0, 1, 0, 0 }, standard;

		knobs__clamp(&k);
		ck_assert_uint_eq(k.externality_q8, KNOBS_EXTERNALITY_MAX_Q8);
		ck_assert_uint_eq(k.tau_q8, KNOBS_TAU_MIN_Q8);
		ck_assert_uint_eq(k.candidates, 2);
		ck_assert_uint_eq(k.ramp_q8, KNOBS_RAMP_MIN_Q8);
		knobs__default(&standard);
		k = standard;
		knobs__clamp(&k);
		ck_assert_mem_eq(&k, &standard, sizeof(k));
	}
END_TEST

int main(void)
{
	Suite *suite = suite_create("fixed");
	TCase *tcase = tcase_create("fixed");
	SRunner *runner;
	int failed;

	tcase_add_test(tcase, casts_saturate);
	tcase_add_test(tcase, halves_round_away_from_zero);
	tcase_add_test(tcase, random_products_and_fractions);
	tcase_add_test(tcase, logs_and_powers);
	tcase_add_test(tcase, weights_of_time);
	tcase_add_test(tcase, powers_of_two_of_logs);
	tcase_add_test(tcase, knobs_are_bounded);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
