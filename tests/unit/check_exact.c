// SPDX-License-Identifier: BSD-2-Clause
/* policy/train/exact.h against libm, and the bits that every machine must give; the generator against its published values. */
#include <check.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "policy/train/exact.h"
#include "policy/train/rng.h"

#define DRAWS 200000

static double ulps(double got, double want)
{
	return fabs(got - want) / (nextafter(fabs(want), INFINITY) - fabs(want));
}

START_TEST(close_to_libm)
	{
		struct rng r;

		rng__init(&r, 7);
		for (int i = 0; i < DRAWS; i++) {
			double wide = -700 + 1400 * rng__uniform(&r), near_one = 0.5 + 1.5 * rng__uniform(&r);
			double x = i & 1 ? exp(wide) : near_one;

			ck_assert_double_le(ulps(exact__log(x), log(x)), 3);
			ck_assert_double_le(ulps(exact__log2(x), log2(x)), 4);
			ck_assert_double_le(ulps(exact__exp(wide), exp(wide)), 3);
			ck_assert_double_le(ulps(exact__exp2(wide), exp2(wide)), 3);
			ck_assert_double_le(fabs(exact__pow(x, 0.3) / pow(x, 0.3) - 1), 1e-13);
		}
	}
END_TEST

START_TEST(edges)
	{
		const double bad[] = { 0, -1, NAN, INFINITY, -INFINITY };

		for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
			ck_assert_double_eq(exact__log(bad[i]), -1e9);
			ck_assert_double_eq(exact__log2(bad[i]), -1e9);
		}
		ck_assert_double_eq(exact__exp(NAN), 0);
		ck_assert_double_eq(exact__exp(-1e300), 0);
		ck_assert_double_eq(exact__exp(1e300), DBL_MAX);
		ck_assert_double_eq(exact__exp2(NAN), 0);
		ck_assert_double_eq(exact__exp2(-1e300), 0);
		ck_assert_double_eq(exact__exp2(1024), DBL_MAX);
		ck_assert_double_eq(exact__log(1), 0);
		ck_assert_double_eq(exact__exp(0), 1);
		for (int e = -1070; e < 1024; e++) {
			ck_assert_double_eq(exact__log2(ldexp(1, e)), e);
			ck_assert_double_eq(exact__exp2(e), ldexp(1, e));
		}
	}
END_TEST

/* A change of one bit anywhere changes every model made after it. */
START_TEST(bits)
	{
		struct rng r;
		double sum = 0;

		rng__init(&r, 1);
		for (int i = 0; i < 1000; i++)
			sum += exact__log(1 - rng__uniform(&r)) + exact__exp(rng__uniform(&r)) + exact__exp2(rng__uniform(&r));
		ck_assert_double_eq(sum, 0x1.0600c817e2771p+11);
	}
END_TEST

START_TEST(generator)
	{
		/* The authors' xoshiro256** from the state 1, 2, 3, 4. */
		const uint64_t want[] = { 11520, 0, 1509978240, 1215971899390074240ull };
		struct rng r = { .s = { 1, 2, 3, 4 } };
		uint64_t counts[10] = { 0 };

		for (int i = 0; i < 4; i++)
			ck_assert_uint_eq(rng__next(&r), want[i]);
		for (int i = 0; i < 100000; i++)
			counts[rng__below(&r, 10)]++;
		for (int i = 0; i < 10; i++)
			ck_assert(counts[i] > 9500 && counts[i] < 10500);
	}
END_TEST

int main(void)
{
	Suite *suite = suite_create("exact");
	TCase *tc = tcase_create("exact");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tc, close_to_libm);
	tcase_add_test(tc, edges);
	tcase_add_test(tc, bits);
	tcase_add_test(tc, generator);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
