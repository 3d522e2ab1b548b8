// SPDX-License-Identifier: BSD-2-Clause
/* The ladder of one service: up by promotion and configuration, down by rollback, never below plain, never back to what was refused by itself. */
#include <check.h>
#include <stdlib.h>

#include "agent/standing.h"

static uint32_t production(const struct standing *s, bool plain)
{
	bool is_plain;
	uint32_t model = standing__production(s, &is_plain);

	ck_assert_int_eq(is_plain, plain);
	return model;
}

START_TEST(down_to_plain)
	{
		struct standing s = { 0 };

		ck_assert_uint_eq(production(&s, false), 0); /* gains alone */
		standing__configure(&s, 11);
		standing__promote(&s, 22);
		ck_assert_uint_eq(production(&s, false), 22);
		ck_assert_uint_eq(standing__candidate(&s, 22), 0); /* in production already */
		ck_assert(standing__step_down(&s));
		ck_assert_uint_eq(production(&s, false), 11);
		ck_assert_uint_eq(standing__candidate(&s, 22), 0); /* refused */
		ck_assert(standing__step_down(&s));
		ck_assert_uint_eq(production(&s, false), 0);
		ck_assert(standing__step_down(&s));
		ck_assert_uint_eq(production(&s, true), 0);
		ck_assert(!standing__step_down(&s));
		ck_assert_uint_eq(standing__candidate(&s, 33), 33);
		standing__promote(&s, 33); /* a candidate leads out of plain */
		ck_assert_uint_eq(production(&s, false), 33);
		standing__promote(&s, 0);
		ck_assert_uint_eq(production(&s, false), 33);
	}
END_TEST

/* The operator's word forgives: a model that is configured anew is tried again. */
START_TEST(configured_again)
	{
		struct standing s = { 0 };

		standing__configure(&s, 11);
		standing__step_down(&s);
		ck_assert(standing__has_refused(&s, 11));
		standing__configure(&s, 11);
		ck_assert(!standing__has_refused(&s, 11));
		ck_assert_uint_eq(production(&s, false), 11);
		standing__configure(&s, 0);
		ck_assert_uint_eq(production(&s, false), 0);
	}
END_TEST

START_TEST(pins_come_first)
	{
		struct standing s = { 0 };

		standing__configure(&s, 11);
		s.pin = STANDING_PIN_PLAIN;
		ck_assert_uint_eq(production(&s, true), 0);
		s.pin = STANDING_PIN_GAINS;
		ck_assert_uint_eq(production(&s, false), 0);
		s.pin = STANDING_PIN_MODEL;
		s.pinned = 44;
		ck_assert_uint_eq(production(&s, false), 44);
		ck_assert_uint_eq(standing__candidate(&s, 55), 0); /* nothing is tried meanwhile */
		s.pin = STANDING_FREE;
		ck_assert_uint_eq(production(&s, false), 11);
	}
END_TEST

/* Rolled back to plain, a service would stay there for ever: unpin tries gains again, and forgives no model. */
START_TEST(unpin_leads_out_of_plain)
	{
		struct standing s = { 0 };

		standing__configure(&s, 11);
		ck_assert(standing__step_down(&s) && standing__step_down(&s));
		ck_assert_uint_eq(production(&s, true), 0);
		standing__pin(&s, STANDING_PIN_MODEL, 44);
		ck_assert_uint_eq(production(&s, false), 44);
		standing__pin(&s, STANDING_PIN_PLAIN, 0);
		ck_assert_uint_eq(production(&s, true), 0);
		standing__pin(&s, STANDING_FREE, 0);
		ck_assert_uint_eq(production(&s, false), 0);
		ck_assert(standing__has_refused(&s, 11));
		ck_assert(standing__step_down(&s));
		ck_assert_uint_eq(production(&s, true), 0);
	}
END_TEST

/* Bounded: the oldest is forgotten, nothing stands twice. */
START_TEST(lists_are_bounded)
	{
		struct standing s = { 0 };

		for (uint32_t i = 1; i <= 100; i++) {
			standing__promote(&s, i);
			standing__promote(&s, i);
			standing__refuse(&s, 1000 + i);
			standing__refuse(&s, 1000 + i);
		}
		ck_assert_uint_eq(s.nr_models, STANDING_DEPTH);
		ck_assert_uint_eq(s.nr_refused, STANDING_REFUSED);
		ck_assert_uint_eq(production(&s, false), 100);
		for (uint32_t i = 0; i < STANDING_DEPTH; i++)
			ck_assert(standing__step_down(&s));
		ck_assert_uint_eq(production(&s, false), 0);
	}
END_TEST

int main(void)
{
	Suite *s = suite_create("standing");
	TCase *tc = tcase_create("standing");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, down_to_plain);
	tcase_add_test(tc, configured_again);
	tcase_add_test(tc, pins_come_first);
	tcase_add_test(tc, unpin_leads_out_of_plain);
	tcase_add_test(tc, lists_are_bounded);
	suite_add_tcase(s, tc);
	runner = srunner_create(s);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
