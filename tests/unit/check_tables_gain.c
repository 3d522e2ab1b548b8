/* SPDX-License-Identifier: BSD-2-Clause */
/* Gains in two copies. */
#include <check.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/tables_rig.h"

START_TEST(gains_flip_as_one)
	{
		struct pintle_config *config = rig__two_services();
		uint16_t one, shared;
		uint32_t half;

		rig__begin(8, 16, 0);
		rig__apply(config);
		one = rig__pod_at("10.0.0.1");
		shared = rig__pod_at("10.0.0.3");
		half = rig.arena.maps.ctl->gains_half;
		rig.graces = 0;
		tables__stage_gain(rig.t, one, 1000);
		tables__stage_gain(rig.t, shared, -2000);
		ck_assert_int_eq(rig__gain_in_force("alpha", one), 0);
		ck_assert_int_eq(tables__commit_gains(rig.t, &rig.err), 0);
		ck_assert_uint_eq(rig.arena.maps.ctl->gains_half, half ^ 1);
		ck_assert_int_eq(rig__gain_in_force("alpha", one), 1000);
		ck_assert_int_eq(rig__gain_in_force("alpha", shared), -2000);
		ck_assert_int_eq(rig__gain_in_force("beta", shared), -2000);
		ck_assert_int_eq(rig__member_of("beta", 4, half ^ 1, shared)->gain_sat_q8, -2000 - 512); /* concurrency 4 */
		ck_assert_int_eq(rig__member_of("alpha", 4, half, one)->gain_q8, 0); /* readers may still be on it */
		ck_assert_uint_eq(rig.graces, 0);
		/* the same again is nothing */
		rig.stores = 0;
		tables__stage_gain(rig.t, one, 1000);
		ck_assert_int_eq(tables__commit_gains(rig.t, &rig.err), 0);
		ck_assert_uint_eq(rig.stores + rig.graces, 0);
		/* the next one waits, and brings the half that was left up to date */
		tables__stage_gain(rig.t, one, 1001);
		ck_assert_int_eq(tables__commit_gains(rig.t, &rig.err), 0);
		ck_assert_uint_eq(rig.graces, 1);
		ck_assert_uint_eq(rig.arena.maps.ctl->gains_half, half);
		ck_assert_int_eq(rig__gain_in_force("alpha", one), 1001);
		ck_assert_int_eq(rig__gain_in_force("beta", shared), -2000);
		ck_assert_int_eq(tables__gain(rig.t, one), 1001);
		rig__end();
		config_make__free(config);
	}
END_TEST

static int16_t canary_in_force(const char *service, uint16_t pod)
{
	uint16_t id;

	ck_assert_int_eq(tables__service_ids(rig.t, service, 4, &id), 0);
	for (uint32_t i = 0; i < pool_in_force(rig.t, id)->nr_members; i++) {
		const struct pintle_member *m = member_at(rig.t, 1, rig.arena.maps.ctl->gains_half,
							  pool_in_force(rig.t, id)->members_line, i);

		if (m->pod == pod)
			return m->gain_q8;
	}
	return INT16_MIN;
}

/* What models add stands in the lines of its variant only, and is told from what was learned, also by the next agent. */
START_TEST(residuals_by_variant)
	{
		struct pintle_config *config = rig__two_services();
		uint16_t one, shared;

		rig__begin(8, 16, 0);
		rig__apply(config);
		one = rig__pod_at("10.0.0.1");
		shared = rig__pod_at("10.0.0.3");
		tables__stage_gain(rig.t, one, 1000);
		tables__stage_gain(rig.t, shared, 32700);
		tables__stage_residuals(rig.t, one, 50, -185);
		tables__stage_residuals(rig.t, shared, 0, 185);
		ck_assert_int_eq(tables__commit_gains(rig.t, &rig.err), 0);
		for (int round = 0; round < 2; round++) {
			ck_assert_int_eq(rig__gain_in_force("alpha", one), 1050);
			ck_assert_int_eq(canary_in_force("alpha", one), 815);
			ck_assert_int_eq(rig__gain_in_force("beta", shared), 32700);
			ck_assert_int_eq(canary_in_force("beta", shared), 32767); /* saturates */
			ck_assert_int_eq(tables__gain(rig.t, one), 1000);
			ck_assert_int_eq(tables__gain(rig.t, shared), 32700);
			tables__close(rig.t);
			ck_assert_int_eq(tables__open(&rig.arena.maps, rig__grace, NULL, &rig.t, &rig.err), 0);
			rig__apply(config);
		}
		tables__stage_residuals(rig.t, one, 0, 0);
		ck_assert_int_eq(tables__commit_gains(rig.t, &rig.err), 0);
		ck_assert_int_eq(rig__gain_in_force("alpha", one), 1000);
		ck_assert_int_eq(canary_in_force("alpha", one), 1000);
		rig.stores = 0;
		tables__stage_residuals(rig.t, one, 0, 0);
		ck_assert_int_eq(tables__commit_gains(rig.t, &rig.err), 0);
		ck_assert_uint_eq(rig.stores, 0);
		rig__end();
		config_make__free(config);
	}
END_TEST

/* One store; kept while the policy is score, over changes and restarts; other policies have none. */
START_TEST(classes_are_kept)
	{
		const struct table_classes wanted = {
			.holdout = 13, .canary = 250, .is_plain = true, .slot = PINTLE_MAX_CLASSED
		};
		struct pintle_config *config = rig__two_services(), *changed = rig__two_services();
		struct table_classes classes;
		uint16_t id;

		rig__begin(8, 16, 0);
		config->services[0].policy = changed->services[0].policy = PINTLE_POLICY_SCORE;
		rig__apply(config);
		ck_assert_int_eq(tables__service_ids(rig.t, "alpha", 4, &id), 0);
		tables__set_sampling(rig.t, id, 5);
		rig.stores = 0;
		tables__set_classes(rig.t, id, &wanted);
		tables__set_classes(rig.t, id, &wanted);
		ck_assert_uint_eq(rig.stores, 1);
		tables__close(rig.t);
		ck_assert_int_eq(tables__open(&rig.arena.maps, rig__grace, NULL, &rig.t, &rig.err), 0);
		changed->services[0].pods[0].concurrency = 9;
		rig__apply(changed);
		classes = tables__classes(rig.t, id);
		ck_assert_uint_eq(classes.holdout, 13);
		ck_assert_uint_eq(classes.canary, 242); /* together at most 255 */
		ck_assert_uint_eq(classes.slot, PINTLE_MAX_CLASSED);
		ck_assert(classes.is_plain);
		ck_assert_uint_eq(pool_in_force(rig.t, id)->sample_shift, 5);
		config->services[0].policy = PINTLE_POLICY_RR;
		rig__apply(config);
		tables__set_classes(rig.t, id, &wanted);
		classes = tables__classes(rig.t, id);
		ck_assert_int_eq(classes.holdout + classes.canary + classes.slot + classes.is_plain, 0);
		rig__end();
		config_make__free(config);
		config_make__free(changed);
	}
END_TEST

START_TEST(new_pods_begin_at_the_median)
	{
		struct pintle_config *config = rig__two_services(), *more = rig__two_services();
		static const int16_t gains[] = { 100, 300, 5000 };

		rig__begin(8, 16, 0);
		rig__apply(config);
		tables__stage_gain(rig.t, rig__pod_at("10.0.0.1"), gains[0]);
		tables__stage_gain(rig.t, rig__pod_at("10.0.0.2"), gains[1]);
		tables__stage_gain(rig.t, rig__pod_at("10.0.0.3"), gains[2]);
		ck_assert_int_eq(tables__commit_gains(rig.t, &rig.err), 0);
		config_make__pod(&more->services[0], "10.0.0.9", 8080);
		rig__apply(more);
		for (uint32_t half = 0; half < 2; half++) {
			ck_assert_int_eq(rig__member_of("alpha", 4, half, rig__pod_at("10.0.0.9"))->gain_q8, 300);
			ck_assert_int_eq(rig__member_of("alpha", 4, half, rig__pod_at("10.0.0.3"))->gain_q8, 5000);
		}
		/* its own gain wins from the first sample on, even one equal to the default's value */
		tables__stage_gain(rig.t, rig__pod_at("10.0.0.9"), -77);
		ck_assert_int_eq(tables__commit_gains(rig.t, &rig.err), 0);
		ck_assert_int_eq(rig__gain_in_force("alpha", rig__pod_at("10.0.0.9")), -77);
		rig__end();
		config_make__free(config);
		config_make__free(more);
	}
END_TEST

START_TEST(gains_of_pods_that_went_are_forgotten)
	{
		struct pintle_config *config = rig__two_services(), *less = rig__two_services();
		uint16_t pod;

		rig__begin(8, 16, 0);
		rig__apply(config);
		pod = rig__pod_at("10.0.0.1");
		tables__stage_gain(rig.t, pod, 900);
		ck_assert_int_eq(tables__commit_gains(rig.t, &rig.err), 0);
		tables__stage_gain(rig.t, pod, 950); /* staged and unsettled at once */
		less->services[0].pods[0].addr = addr_of("10.0.0.77");
		rig__apply(less);
		ck_assert_int_eq(tables__reap(rig.t, &rig.err), 1);
		tables__stage_gain(rig.t, pod, 901); /* of nobody now */
		ck_assert_int_eq(tables__commit_gains(rig.t, &rig.err), 0);
		ck_assert_uint_eq(rig.t->staged.nr, 0);
		ck_assert_int_eq(tables__gain(rig.t, pod), 0);
		rig__end();
		config_make__free(config);
		config_make__free(less);
	}
END_TEST

static uint16_t record_concurrency(const char *text)
{
	return rig.arena.maps.pods[rig__pod_at(text)].concurrency;
}

/* What telemetry normalises latencies by: of the first service that names the pod, kept up with the configuration and over a restart. */
START_TEST(record_has_concurrency)
	{
		struct pintle_config *config = rig__two_services();

		rig__begin(8, 16, 0);
		config->services[0].pods[1].concurrency = 7;
		rig__apply(config);
		ck_assert_uint_eq(record_concurrency("10.0.0.1"), 1);
		ck_assert_uint_eq(record_concurrency("10.0.0.2"), 7);
		ck_assert_uint_eq(record_concurrency("10.0.0.3"), 1); /* 4 in the second service */
		ck_assert_uint_eq(record_concurrency("10.0.0.4"), 4);
		ck_assert_uint_eq(record_concurrency("fd01::2"), 4);
		config->services[0].pods[1].concurrency = 300;
		rig__apply(config);
		ck_assert_uint_eq(record_concurrency("10.0.0.2"), 300);
		tables__close(rig.t);
		ck_assert_int_eq(tables__open(&rig.arena.maps, rig__grace, NULL, &rig.t, &rig.err), 0);
		config->services[0].pods[1].concurrency = 2;
		rig__apply(config);
		ck_assert_uint_eq(record_concurrency("10.0.0.2"), 2);
		rig__apply(config);
		ck_assert_uint_le(rig.stores, 1);
		config_make__free(config);
		rig__end();
	}
END_TEST

int main(void)
{
	Suite *suite = suite_create("tables_gain");
	TCase *tcase = tcase_create("gain");
	SRunner *runner;
	int failed;

	tcase_add_test(tcase, gains_flip_as_one);
	tcase_add_test(tcase, residuals_by_variant);
	tcase_add_test(tcase, classes_are_kept);
	tcase_add_test(tcase, new_pods_begin_at_the_median);
	tcase_add_test(tcase, gains_of_pods_that_went_are_forgotten);
	tcase_add_test(tcase, record_has_concurrency);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
