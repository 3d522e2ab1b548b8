/* SPDX-License-Identifier: BSD-2-Clause */
/* Features: known cases by real logarithms, and any signal at all. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "policy/feature.h"
#include "tests/unit/mlp_fixture.h"

#define SECOND 1000000000ull
#define NR 5
/* two logarithms, each within 0.52 of the real one */
#define NEAR 1.1

static const struct pod_signal pods[NR] = {
	{ .load = 3,
	  .concurrency = 4,
	  .gain_q8 = 2560,
	  .fast_q8 = 2600,
	  .dev_q8 = 77,
	  .latency_ns = 20000000,
	  .last_sample_ns = 9 * SECOND,
	  .sent = 100,
	  .answered = 80,
	  .failed = 20 },
	{ .load = 0,
	  .concurrency = 1,
	  .gain_q8 = 3000,
	  .fast_q8 = 2900,
	  .dev_q8 = 10,
	  .latency_ns = 40000000,
	  .last_sample_ns = 10 * SECOND,
	  .sent = 50,
	  .answered = 50 },
	{ .load = 40,
	  .concurrency = 8,
	  .gain_q8 = 2000,
	  .fast_q8 = 2000,
	  .latency_ns = 1000000,
	  .last_sample_ns = 1,
	  .sent = 400,
	  .answered = 399 },
	{ .load = 1,
	  .concurrency = 0,
	  .gain_q8 = 2700,
	  .fast_q8 = 2700,
	  .latency_ns = 5000000,
	  .last_sample_ns = 11 * SECOND,
	  .sent = 7 },
	{ .load = 2, .concurrency = 2 }, /* new: never sampled */
};

static const struct service_signal service = { .now_ns = 10 * SECOND, .window_ns = SECOND / 2, .nr_pods = NR, .pods = pods };

START_TEST(values_are_what_the_list_says)
	{
		int32_t raw[NR][FEATURE_NR];
		double mean_load = (NR + 46) / 5.0, mean_sent = (NR + 557) / 5.0;

		for (uint32_t i = 0; i < NR; i++)
			feature__raw_q8(&service, i, raw[i]);
		/* sampled pods have 2000 2560 2700 3000: the lower median is 2560 */
		ck_assert_int_eq(raw[0][FEATURE_GAIN_REL], 0);
		ck_assert_int_eq(raw[1][FEATURE_GAIN_REL], 440);
		ck_assert_int_eq(raw[2][FEATURE_GAIN_REL], -560);
		ck_assert_int_eq(raw[0][FEATURE_TREND], 40);
		ck_assert_int_eq(raw[1][FEATURE_TREND], -100);
		ck_assert_int_eq(raw[0][FEATURE_DEV], 77);
		ck_assert_int_eq(raw[0][FEATURE_FAIL], 51); /* 20 of 100 */
		ck_assert_int_eq(raw[1][FEATURE_FAIL], 0);
		ck_assert_int_eq(raw[0][FEATURE_CONCURRENCY], 512);
		ck_assert_int_eq(raw[3][FEATURE_CONCURRENCY], 0);
		/* a new pod is average, old in age, and says nothing of gains */
		ck_assert_int_eq(raw[4][FEATURE_GAIN_REL], 0);
		ck_assert_int_eq(raw[4][FEATURE_TREND], 0);
		ck_assert_int_ge(raw[4][FEATURE_AGE], 38 * 256);
		for (uint32_t i = 0; i < NR; i++) {
			const struct pod_signal *p = &pods[i];
			double concurrency = p->concurrency ? p->concurrency : 1;

			ck_assert_double_eq_tol(raw[i][FEATURE_LOAD], 256 * log2(1 + p->load), NEAR);
			ck_assert_double_eq_tol(raw[i][FEATURE_LOAD_REL], 256 * log2((1 + p->load) / mean_load), 2 * NEAR);
			ck_assert_double_eq_tol(raw[i][FEATURE_SHARE], 256 * log2((1 + p->sent) / mean_sent), 2 * NEAR);
			ck_assert_double_eq_tol(raw[i][FEATURE_BACKLOG], 256 * log2((1.0 + p->sent) / (1 + p->answered)), NEAR);
			ck_assert_double_eq_tol(raw[i][FEATURE_UTILISATION],
						256 * log2(1 + p->answered / 0.5 * (double)p->latency_ns / 1e9 / concurrency),
						NEAR);
			ck_assert_double_eq_tol(raw[i][FEATURE_SERVICE_LOAD], 256 * log2(1 + 46 / 16.0), NEAR);
		}
		ck_assert_double_eq_tol(raw[0][FEATURE_AGE], 256 * log2(1 + 1e9 / 2e7), NEAR);
		ck_assert_int_eq(raw[1][FEATURE_AGE], 0);
		ck_assert_int_eq(raw[3][FEATURE_AGE], 0); /* sampled in the future: now */
	}
END_TEST

/* A service of equal pods has relative features of zero, alone or among many. */
START_TEST(equal_pods_are_average)
	{
		static struct pod_signal many[300];
		static const uint32_t sizes[] = { 1, 2, 3, 64, 300 };
		struct service_signal s = { .now_ns = SECOND, .window_ns = SECOND, .pods = many };
		int32_t raw[FEATURE_NR];

		for (int i = 0; i < 300; i++)
			many[i] = pods[0];
		for (int i = 0; i < 5; i++) {
			s.nr_pods = sizes[i];
			feature__raw_q8(&s, sizes[i] - 1, raw);
			ck_assert_int_eq(raw[FEATURE_GAIN_REL], 0);
			ck_assert_int_le(abs(raw[FEATURE_LOAD_REL]), 1);
			ck_assert_int_le(abs(raw[FEATURE_SHARE]), 1);
		}
	}
END_TEST

static int by_value(const void *a, const void *b)
{
	return (*(const int32_t *)a > *(const int32_t *)b) - (*(const int32_t *)a < *(const int32_t *)b);
}

START_TEST(median)
	{
		uint64_t rng = 11;

		for (int round = 0; round < 500; round++) {
			struct pod_signal p[40] = { 0 };
			struct service_signal s = {
				.now_ns = 1, .window_ns = 1, .nr_pods = 1 + (uint32_t)(random_u64(&rng) % 40), .pods = p
			};
			struct feature_context c;
			int32_t gains[40] = { 0 };
			uint32_t n = 0;

			for (uint32_t i = 0; i < s.nr_pods; i++) {
				p[i].gain_q8 = (int32_t)(random_u64(&rng) % (round % 2 ? 7 : 30000)) - (round % 2 ? 3 : 15000);
				p[i].last_sample_ns = random_u64(&rng) % 4;
				if (p[i].last_sample_ns)
					gains[n++] = p[i].gain_q8;
			}
			qsort(gains, n, sizeof(gains[0]), by_value);
			feature_context__init(&c, &s);
			ck_assert_int_eq(c.median_gain_q8, n ? gains[(n - 1) / 2] : 0);
		}
	}
END_TEST

START_TEST(inputs_are_normalised)
	{
		int32_t raw[FEATURE_NR];
		int8_t in[FEATURE_NR];
		uint64_t rng = 2;

		for (int n = 0; n < 800; n++) {
			for (int i = 0; i < FEATURE_NR; i++)
				raw[i] = (int32_t)(random_u64(&rng) % 8192) - 4096;
			if (!n) /* whole and half steps, at zero and at the ends */
				for (int i = 0; i < FEATURE_NR; i++)
					raw[i] = feature_list[i].center_q8 + (i - 6) * feature_list[i].scale_q8;
			feature__normalise(raw, in);
			for (int i = 0; i < FEATURE_NR; i++) {
				double x = round(32.0 * (raw[i] - feature_list[i].center_q8) / feature_list[i].scale_q8);

				ck_assert_int_eq(in[i], (int)fmax(-127, fmin(127, x)));
			}
		}
	}
END_TEST

START_TEST(any_signal_is_bounded)
	{
		uint64_t rng = 5;
		uint32_t saturated = 0;

		for (int round = 0; round < 1500; round++) {
			struct pod_signal p[8];
			struct service_signal s = { .pods = p, .nr_pods = 1 + (uint32_t)round % 8 };
			int32_t raw[FEATURE_NR];
			int8_t in[FEATURE_NR];

			for (size_t i = 0; i < sizeof(p) / (sizeof(uint32_t)); i++) {
				uint32_t word = (uint32_t)random_u64(&rng);

				word = word % 3 == 0 ? UINT32_MAX : word % 3 == 1 ? 0 : word;
				memcpy((char *)p + i * sizeof(word), &word, sizeof(word));
			}
			s.now_ns = random_u64(&rng) % 2 ? UINT64_MAX : random_u64(&rng);
			s.window_ns = random_u64(&rng) % 2 ? 0 : random_u64(&rng);
			for (uint32_t i = 0; i < s.nr_pods; i++) {
				feature__raw_q8(&s, i, raw);
				feature__vector(&s, i, in);
				ck_assert(raw[FEATURE_UTILISATION] >= 0 && raw[FEATURE_AGE] >= 0 &&
					  raw[FEATURE_SERVICE_LOAD] >= 0);
				ck_assert(raw[FEATURE_FAIL] >= 0 && raw[FEATURE_FAIL] <= 256);
				for (int f = 0; f < FEATURE_NR; f++) {
					ck_assert_int_le(abs(raw[f]), 2 * 64 * 256);
					ck_assert_int_ge(in[f], -127);
					saturated += abs(in[f]) == 127;
				}
			}
		}
		ck_assert_uint_gt(saturated, 0);
	}
END_TEST

START_TEST(the_list_fits_a_file)
	{
		ck_assert_int_eq(FEATURE_NR, 12);
		for (int i = 0; i < FEATURE_NR; i++) {
			ck_assert_uint_lt(strlen(feature_list[i].name), FEATURE_NAME_BYTES);
			ck_assert_uint_gt(strlen(feature_list[i].name), 0);
			ck_assert_uint_lt(strlen(feature_list[i].unit), FEATURE_UNIT_BYTES);
			ck_assert_int_gt(feature_list[i].scale_q8, 0);
			for (int k = 0; k < i; k++)
				ck_assert_str_ne(feature_list[i].name, feature_list[k].name);
		}
	}
END_TEST

int main(void)
{
	Suite *suite = suite_create("feature");
	TCase *tcase = tcase_create("feature");
	SRunner *runner;
	int failed;

	tcase_add_test(tcase, values_are_what_the_list_says);
	tcase_add_test(tcase, equal_pods_are_average);
	tcase_add_test(tcase, median);
	tcase_add_test(tcase, inputs_are_normalised);
	tcase_add_test(tcase, any_signal_is_bounded);
	tcase_add_test(tcase, the_list_fits_a_file);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
