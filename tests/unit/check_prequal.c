/* SPDX-License-Identifier: BSD-2-Clause */
/* The rules of Prequal's choice. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "bench/load/prequal.h"

#define MS 1000000ull

/* 40 pods with answers of 0..9 in flight seen: the quantile lies at 8. */
static struct prequal forty_pods(void)
{
	struct prequal p;

	prequal__init(&p, 40);
	for (uint32_t i = 0; i < 100; i++)
		prequal__answer(&p, i % 40, i % 10, 50 * MS, 0);
	p.nr = 0;
	return p;
}

START_TEST(cold_and_fast_before_cold_before_hot)
	{
		struct prequal p = forty_pods();

		prequal__answer(&p, 1, 9, 1 * MS, 0); /* hot, however fast it looks */
		prequal__answer(&p, 2, 8, 30 * MS, 0);
		prequal__answer(&p, 3, 0, 40 * MS, 0); /* fewer in flight is nothing among the cold */
		ck_assert_uint_eq(prequal__choose(&p, 1, 0), 2);
	}
END_TEST

START_TEST(among_the_hot_the_fewest_in_flight)
	{
		struct prequal p = forty_pods();

		prequal__answer(&p, 1, 12, 1 * MS, 0);
		prequal__answer(&p, 2, 10, 90 * MS, 0);
		prequal__answer(&p, 3, 11, 2 * MS, 0);
		ck_assert_uint_eq(prequal__choose(&p, 1, 0), 2);
	}
END_TEST

START_TEST(one_answer_is_no_choice)
	{
		bool other = false;

		for (uint64_t bits = 0; bits < 64; bits++) {
			struct prequal p = forty_pods();

			prequal__answer(&p, 1, 0, 1 * MS, 0);
			other |= prequal__choose(&p, 1, bits) != 1;
			ck_assert_uint_eq(p.blind, 1);
		}
		ck_assert(other);
	}
END_TEST

START_TEST(old_answers_do_not_count)
	{
		struct prequal p = forty_pods();

		prequal__answer(&p, 1, 0, 1 * MS, 0);
		prequal__answer(&p, 2, 0, 20 * MS, 600 * MS);
		prequal__answer(&p, 3, 0, 30 * MS, 600 * MS);
		prequal__answer(&p, 4, 0, 40 * MS, 600 * MS);
		ck_assert_uint_eq(prequal__choose(&p, 1001 * MS, 0), 2);
		ck_assert_uint_eq(p.blind, 0);
	}
END_TEST

START_TEST(the_pool_keeps_the_last_sixteen)
	{
		struct prequal p = forty_pods();

		for (uint32_t i = 0; i < 20; i++)
			prequal__answer(&p, i, 0, (1 + i) * MS, i);
		ck_assert_uint_eq(p.nr, PREQUAL_POOL);
		ck_assert_uint_eq(p.pool[0].pod, 4);
		ck_assert_uint_eq(p.pool[PREQUAL_POOL - 1].pod, 19);
	}
END_TEST

/* With 40 pods: b = 2 / ((1 - 16 / 40) 3 - 1) = 2.5. With fewer pods than places: 1. */
START_TEST(answers_wear_out)
	{
		struct prequal p = forty_pods();
		uint32_t uses = 0;

		ck_assert_double_eq_tol(p.reuse, 2.5, 1e-9);
		for (uint32_t i = 0; i < 16; i++)
			prequal__answer(&p, i + 10, 0, 50 * MS, 1);
		prequal__answer(&p, 1, 0, 1 * MS, 2);
		while (prequal__choose(&p, 3, UINT64_MAX) == 1) /* the fraction is drawn high: two uses and a half are two */
			uses++;
		ck_assert_uint_eq(uses, 2);
		prequal__init(&p, 8);
		ck_assert_double_eq(p.reuse, 1);
	}
END_TEST

/* In turn the oldest and the worst. */
START_TEST(each_request_removes_one)
	{
		struct prequal p = forty_pods();

		prequal__answer(&p, 1, 0, 10 * MS, 0); /* the oldest */
		prequal__answer(&p, 2, 0, 90 * MS, 1);
		prequal__answer(&p, 3, 30, 5 * MS, 2); /* the worst: hot */
		prequal__answer(&p, 4, 0, 1 * MS, 3);
		prequal__answer(&p, 5, 0, 2 * MS, 4);
		ck_assert_uint_eq(prequal__choose(&p, 5, 0), 4);
		ck_assert_uint_eq(p.nr, 4);
		ck_assert_uint_eq(p.pool[0].pod, 2);
		ck_assert_uint_eq(prequal__choose(&p, 6, 0), 4);
		ck_assert_uint_eq(p.nr, 3);
		for (uint32_t i = 0; i < p.nr; i++)
			ck_assert_uint_ne(p.pool[i].pod, 3);
	}
END_TEST

START_TEST(own_requests_are_in_flight)
	{
		struct prequal p = forty_pods();

		prequal__answer(&p, 9, 0, 90 * MS, 0);
		prequal__answer(&p, 1, 7, 1 * MS, 0);
		prequal__answer(&p, 1, 8, 2 * MS, 0);
		prequal__answer(&p, 2, 0, 50 * MS, 0);
		/* 7 + 1 is still cold; 8 + 1 is hot, and so is 7 + 2 */
		ck_assert_uint_eq(prequal__choose(&p, 1, 0), 1);
		ck_assert_uint_eq(prequal__choose(&p, 1, 0), 1);
		ck_assert_uint_eq(prequal__choose(&p, 1, 0), 2);
	}
END_TEST

START_TEST(probes_go_to_different_pods)
	{
		uint32_t pods[PREQUAL_PROBES], count[5] = { 0 };
		struct prequal p;

		prequal__init(&p, 5);
		for (uint64_t bits = 0; bits < 5000; bits++) {
			ck_assert_uint_eq(prequal__targets(&p, bits, pods), 3);
			ck_assert(pods[0] != pods[1] && pods[0] != pods[2] && pods[1] != pods[2]);
			for (int i = 0; i < 3; i++)
				count[pods[i]]++;
		}
		for (int i = 0; i < 5; i++)
			ck_assert_int_lt(abs((int)count[i] - 3000), 250);
		prequal__init(&p, 2);
		ck_assert_uint_eq(prequal__targets(&p, 1, pods), 2);
	}
END_TEST

int main(void)
{
	Suite *suite = suite_create("prequal");
	TCase *tcase = tcase_create("prequal");
	SRunner *runner;
	int failed;

	tcase_add_test(tcase, cold_and_fast_before_cold_before_hot);
	tcase_add_test(tcase, among_the_hot_the_fewest_in_flight);
	tcase_add_test(tcase, one_answer_is_no_choice);
	tcase_add_test(tcase, old_answers_do_not_count);
	tcase_add_test(tcase, the_pool_keeps_the_last_sixteen);
	tcase_add_test(tcase, answers_wear_out);
	tcase_add_test(tcase, each_request_removes_one);
	tcase_add_test(tcase, own_requests_are_in_flight);
	tcase_add_test(tcase, probes_go_to_different_pods);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
