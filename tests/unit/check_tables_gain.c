/* SPDX-License-Identifier: BSD-2-Clause */
/* Gains in two copies. */
#include <check.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "agent/tables_int.h"
#include "tests/unit/tables_fixture.h"

static struct arena arena;
static struct tables *t;
static struct pintle_err err;
static struct tables_applied applied;
static uint32_t stores, graces;

static void on_store(void *arg)
{
	(void)arg;
	stores++;
}

static int grace(void *arg)
{
	(void)arg;
	graces++;
	return 0;
}

static void begin(uint32_t max_frontends, uint32_t max_pods)
{
	arena__init(&arena, max_frontends, max_pods, 0);
	ck_assert_int_eq(tables__open(&arena.maps, grace, NULL, &t, &err), 0);
	tables_store_hook = on_store;
}

static void end(void)
{
	tables_store_hook = NULL;
	tables_store_hook_arg = NULL;
	tables__close(t);
	arena__destroy(&arena);
}

static void apply(const struct pintle_config *config)
{
	stores = 0;
	graces = 0;
	ck_assert_msg(!tables__apply(t, config, NULL, NULL, &applied, &err), "%s", err.msg);
}

/* Two services, both families; they share 10.0.0.3. */
static struct pintle_config *two_services(void)
{
	static const char *const pods[2][4] = { { "10.0.0.1", "10.0.0.2", "10.0.0.3", "fd01::1" },
						{ "10.0.0.3", "10.0.0.4", "fd01::2", "fd01::3" } };
	struct pintle_config *config = config_make__new();

	for (int i = 0; i < 2; i++) {
		struct cfg_service *service = config_make__service(config, i ? "beta" : "alpha", PINTLE_POLICY_SCORE);

		config_make__frontend(service, "10.96.0.1", IPPROTO_TCP, (uint16_t)(80 + i));
		config_make__frontend(service, "fd00::1", IPPROTO_UDP, (uint16_t)(80 + i));
		for (int p = 0; p < 4; p++)
			config_make__pod(service, pods[i][p], 8080)->concurrency = (uint16_t)(1 + 3 * i);
	}
	return config;
}

static uint16_t pod_at(const char *text)
{
	struct ip_addr addr = addr_of(text);
	uint16_t pod = 0xffff;

	ck_assert_int_eq(tables__pod_by_addr(t, &addr, 8080, &pod), 0);
	return pod;
}

/* The member of a pod in a service, in a half; NULL if it is none. */
static const struct pintle_member *member_of(const char *service, int family, uint32_t half, uint16_t pod)
{
	uint16_t id;

	ck_assert_int_eq(tables__service_ids(t, service, family, &id), 0);
	for (uint32_t i = 0; i < pool_in_force(t, id)->nr_members; i++) {
		const struct pintle_member *m = member_at(t, 0, half, pool_in_force(t, id)->members_line, i);

		if (m->pod == pod)
			return m;
	}
	return NULL;
}

static int16_t gain_in_force(const char *service, uint16_t pod)
{
	return member_of(service, 4, arena.maps.ctl->gains_half, pod)->gain_q8;
}

START_TEST(gains_flip_as_one)
	{
		struct pintle_config *config = two_services();
		uint16_t one, shared;
		uint32_t half;

		begin(8, 16);
		apply(config);
		one = pod_at("10.0.0.1");
		shared = pod_at("10.0.0.3");
		half = arena.maps.ctl->gains_half;
		graces = 0;
		tables__stage_gain(t, one, 1000);
		tables__stage_gain(t, shared, -2000);
		ck_assert_int_eq(gain_in_force("alpha", one), 0);
		ck_assert_int_eq(tables__commit_gains(t, &err), 0);
		ck_assert_uint_eq(arena.maps.ctl->gains_half, half ^ 1);
		ck_assert_int_eq(gain_in_force("alpha", one), 1000);
		ck_assert_int_eq(gain_in_force("alpha", shared), -2000);
		ck_assert_int_eq(gain_in_force("beta", shared), -2000);
		ck_assert_int_eq(member_of("beta", 4, half ^ 1, shared)->gain_sat_q8, -2000 - 512); /* concurrency 4 */
		ck_assert_int_eq(member_of("alpha", 4, half, one)->gain_q8, 0); /* readers may still be on it */
		ck_assert_uint_eq(graces, 0);
		/* the same again is nothing */
		stores = 0;
		tables__stage_gain(t, one, 1000);
		ck_assert_int_eq(tables__commit_gains(t, &err), 0);
		ck_assert_uint_eq(stores + graces, 0);
		/* the next one waits, and brings the half that was left up to date */
		tables__stage_gain(t, one, 1001);
		ck_assert_int_eq(tables__commit_gains(t, &err), 0);
		ck_assert_uint_eq(graces, 1);
		ck_assert_uint_eq(arena.maps.ctl->gains_half, half);
		ck_assert_int_eq(gain_in_force("alpha", one), 1001);
		ck_assert_int_eq(gain_in_force("beta", shared), -2000);
		ck_assert_int_eq(tables__gain(t, one), 1001);
		end();
		config_make__free(config);
	}
END_TEST

static int16_t canary_in_force(const char *service, uint16_t pod)
{
	uint16_t id;

	ck_assert_int_eq(tables__service_ids(t, service, 4, &id), 0);
	for (uint32_t i = 0; i < pool_in_force(t, id)->nr_members; i++) {
		const struct pintle_member *m = member_at(t, 1, arena.maps.ctl->gains_half, pool_in_force(t, id)->members_line,
							  i);

		if (m->pod == pod)
			return m->gain_q8;
	}
	return INT16_MIN;
}

/* What models add stands in the lines of its variant only, and is told from what was learned, also by the next agent. */
START_TEST(residuals_by_variant)
	{
		struct pintle_config *config = two_services();
		uint16_t one, shared;

		begin(8, 16);
		apply(config);
		one = pod_at("10.0.0.1");
		shared = pod_at("10.0.0.3");
		tables__stage_gain(t, one, 1000);
		tables__stage_gain(t, shared, 32700);
		tables__stage_residuals(t, one, 50, -185);
		tables__stage_residuals(t, shared, 0, 185);
		ck_assert_int_eq(tables__commit_gains(t, &err), 0);
		for (int round = 0; round < 2; round++) {
			ck_assert_int_eq(gain_in_force("alpha", one), 1050);
			ck_assert_int_eq(canary_in_force("alpha", one), 815);
			ck_assert_int_eq(gain_in_force("beta", shared), 32700);
			ck_assert_int_eq(canary_in_force("beta", shared), 32767); /* saturates */
			ck_assert_int_eq(tables__gain(t, one), 1000);
			ck_assert_int_eq(tables__gain(t, shared), 32700);
			tables__close(t);
			ck_assert_int_eq(tables__open(&arena.maps, grace, NULL, &t, &err), 0);
			apply(config);
		}
		tables__stage_residuals(t, one, 0, 0);
		ck_assert_int_eq(tables__commit_gains(t, &err), 0);
		ck_assert_int_eq(gain_in_force("alpha", one), 1000);
		ck_assert_int_eq(canary_in_force("alpha", one), 1000);
		stores = 0;
		tables__stage_residuals(t, one, 0, 0);
		ck_assert_int_eq(tables__commit_gains(t, &err), 0);
		ck_assert_uint_eq(stores, 0);
		end();
		config_make__free(config);
	}
END_TEST

/* One store; kept while the policy is score, over changes and restarts; other policies have none. */
START_TEST(classes_are_kept)
	{
		const struct table_classes wanted = {
			.holdout = 13, .canary = 250, .is_plain = true, .slot = PINTLE_MAX_CLASSED
		};
		struct pintle_config *config = two_services(), *changed = two_services();
		struct table_classes classes;
		uint16_t id;

		begin(8, 16);
		config->services[0].policy = changed->services[0].policy = PINTLE_POLICY_SCORE;
		apply(config);
		ck_assert_int_eq(tables__service_ids(t, "alpha", 4, &id), 0);
		tables__set_sampling(t, id, 5);
		stores = 0;
		tables__set_classes(t, id, &wanted);
		tables__set_classes(t, id, &wanted);
		ck_assert_uint_eq(stores, 1);
		tables__close(t);
		ck_assert_int_eq(tables__open(&arena.maps, grace, NULL, &t, &err), 0);
		changed->services[0].pods[0].concurrency = 9;
		apply(changed);
		classes = tables__classes(t, id);
		ck_assert_uint_eq(classes.holdout, 13);
		ck_assert_uint_eq(classes.canary, 242); /* together at most 255 */
		ck_assert_uint_eq(classes.slot, PINTLE_MAX_CLASSED);
		ck_assert(classes.is_plain);
		ck_assert_uint_eq(pool_in_force(t, id)->sample_shift, 5);
		config->services[0].policy = PINTLE_POLICY_RR;
		apply(config);
		tables__set_classes(t, id, &wanted);
		classes = tables__classes(t, id);
		ck_assert_int_eq(classes.holdout + classes.canary + classes.slot + classes.is_plain, 0);
		end();
		config_make__free(config);
		config_make__free(changed);
	}
END_TEST

START_TEST(new_pods_begin_at_the_median)
	{
		struct pintle_config *config = two_services(), *more = two_services();
		static const int16_t gains[] = { 100, 300, 5000 };

		begin(8, 16);
		apply(config);
		tables__stage_gain(t, pod_at("10.0.0.1"), gains[0]);
		tables__stage_gain(t, pod_at("10.0.0.2"), gains[1]);
		tables__stage_gain(t, pod_at("10.0.0.3"), gains[2]);
		ck_assert_int_eq(tables__commit_gains(t, &err), 0);
		config_make__pod(&more->services[0], "10.0.0.9", 8080);
		apply(more);
		for (uint32_t half = 0; half < 2; half++) {
			ck_assert_int_eq(member_of("alpha", 4, half, pod_at("10.0.0.9"))->gain_q8, 300);
			ck_assert_int_eq(member_of("alpha", 4, half, pod_at("10.0.0.3"))->gain_q8, 5000);
		}
		/* its own gain wins from the first sample on, even one equal to the default's value */
		tables__stage_gain(t, pod_at("10.0.0.9"), -77);
		ck_assert_int_eq(tables__commit_gains(t, &err), 0);
		ck_assert_int_eq(gain_in_force("alpha", pod_at("10.0.0.9")), -77);
		end();
		config_make__free(config);
		config_make__free(more);
	}
END_TEST

START_TEST(gains_of_pods_that_went_are_forgotten)
	{
		struct pintle_config *config = two_services(), *less = two_services();
		uint16_t pod;

		begin(8, 16);
		apply(config);
		pod = pod_at("10.0.0.1");
		tables__stage_gain(t, pod, 900);
		ck_assert_int_eq(tables__commit_gains(t, &err), 0);
		tables__stage_gain(t, pod, 950); /* staged and unsettled at once */
		less->services[0].pods[0].addr = addr_of("10.0.0.77");
		apply(less);
		ck_assert_int_eq(tables__reap(t, &err), 1);
		tables__stage_gain(t, pod, 901); /* of nobody now */
		ck_assert_int_eq(tables__commit_gains(t, &err), 0);
		ck_assert_uint_eq(t->staged.nr, 0);
		ck_assert_int_eq(tables__gain(t, pod), 0);
		end();
		config_make__free(config);
		config_make__free(less);
	}
END_TEST

static uint16_t record_concurrency(const char *text)
{
	return arena.maps.pods[pod_at(text)].concurrency;
}

/* What telemetry normalises latencies by: of the first service that names the pod, kept up with the configuration and over a restart. */
START_TEST(record_has_concurrency)
	{
		struct pintle_config *config = two_services();

		begin(8, 16);
		config->services[0].pods[1].concurrency = 7;
		apply(config);
		ck_assert_uint_eq(record_concurrency("10.0.0.1"), 1);
		ck_assert_uint_eq(record_concurrency("10.0.0.2"), 7);
		ck_assert_uint_eq(record_concurrency("10.0.0.3"), 1); /* 4 in the second service */
		ck_assert_uint_eq(record_concurrency("10.0.0.4"), 4);
		ck_assert_uint_eq(record_concurrency("fd01::2"), 4);
		config->services[0].pods[1].concurrency = 300;
		apply(config);
		ck_assert_uint_eq(record_concurrency("10.0.0.2"), 300);
		tables__close(t);
		ck_assert_int_eq(tables__open(&arena.maps, grace, NULL, &t, &err), 0);
		config->services[0].pods[1].concurrency = 2;
		apply(config);
		ck_assert_uint_eq(record_concurrency("10.0.0.2"), 2);
		apply(config);
		ck_assert_uint_le(stores, 1);
		config_make__free(config);
		end();
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
