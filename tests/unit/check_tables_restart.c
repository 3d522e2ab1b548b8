/* SPDX-License-Identifier: BSD-2-Clause */
/* Paths, settings, names, and an agent that starts on maps that are there, well kept or hostile. */
#include <check.h>
#include <errno.h>
#include <math.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/psi.h"
#include "tests/unit/tables_rig.h"

START_TEST(a_restart_keeps_everything)
	{
		struct pintle_config *config = rig__two_services(), *renamed = rig__two_services();
		struct seen before[2], after[2];
		struct ip_addr vip = addr_of("10.96.0.1");
		uint16_t pods[2], id;

		rig__begin(8, 16, 0);
		rig__apply(config);
		tables__stage_gain(rig.t, rig__pod_at("10.0.0.3"), 444);
		ck_assert_int_eq(tables__commit_gains(rig.t, &rig.err), 0);
		for (int i = 0; i < 2; i++)
			before[i] = maps__see(&rig.arena.maps, &vip, (uint16_t)(80 + i), IPPROTO_TCP);
		pods[0] = rig__pod_at("10.0.0.3");
		pods[1] = rig__pod_at("fd01::3");
		rig__reopen();
		ck_assert_ptr_null(tables__service_name(rig.t, before[0].service));
		ck_assert_uint_eq(rig__pod_at("10.0.0.3"), pods[0]);
		ck_assert_int_eq(tables__gain(rig.t, pods[0]), 444);
		rig__apply(config);
		ck_assert_uint_eq(rig.applied.changed_services, 0);
		ck_assert_uint_eq(rig.applied.added_pods, 0);
		ck_assert_uint_eq(rig.stores, 1);
		ck_assert_str_eq(tables__service_name(rig.t, before[1].service), "beta");
		/* the copy of gains that the first agent left behind has caught up */
		tables__stage_gain(rig.t, rig__pod_at("10.0.0.4"), 5);
		ck_assert_int_eq(tables__commit_gains(rig.t, &rig.err), 0);
		ck_assert_int_eq(rig__gain_in_force("beta", pods[0]), 444);
		/* other names, same services */
		free(renamed->services[0].name);
		renamed->services[0].name = strdup("gamma");
		rig__reopen();
		rig__apply(renamed);
		for (int i = 0; i < 2; i++) {
			after[i] = maps__see(&rig.arena.maps, &vip, (uint16_t)(80 + i), IPPROTO_TCP);
			ck_assert_uint_eq(after[i].service, before[i].service);
			ck_assert_uint_eq(after[i].frontend, before[i].frontend);
			ck_assert_ptr_null(after[i].broken);
		}
		ck_assert_int_eq(tables__service_ids(rig.t, "gamma", 4, &id), 0);
		ck_assert_uint_eq(id, before[0].service);
		ck_assert_int_eq(tables__service_ids(rig.t, "alpha", 4, &id), -ENOENT);
		ck_assert_int_eq(tables__service_ids(rig.t, "gamma", 6, &id), 0);
		ck_assert_uint_ne(id, before[0].service);
		ck_assert_int_eq(rig__gain_in_force("beta", pods[0]), 444);
		rig__end();
		config_make__free(config);
		config_make__free(renamed);
	}
END_TEST

/* What a lookup without a struct tables finds. */
START_TEST(commands_find_by_address)
	{
		struct pintle_config *config = rig__two_services();
		struct ip_addr vip = addr_of("fd00::1"), pod = addr_of("fd01::2"), other = addr_of("10.0.0.99");
		uint16_t id, frontend, service, expected;

		rig__begin(8, 16, 0);
		rig__apply(config);
		ck_assert_int_eq(table_maps__find_pod(&rig.arena.maps, &pod, 8080, &id), 0);
		ck_assert_uint_eq(id, rig__pod_at("fd01::2"));
		ck_assert_int_eq(table_maps__find_pod(&rig.arena.maps, &pod, 8081, &id), -ENOENT);
		ck_assert_int_eq(table_maps__find_pod(&rig.arena.maps, &other, 8080, &id), -ENOENT);
		ck_assert_int_eq(table_maps__find_frontend(&rig.arena.maps, &vip, IPPROTO_UDP, 81, &frontend, &service), 0);
		ck_assert_int_eq(tables__service_ids(rig.t, "beta", 6, &expected), 0);
		ck_assert_uint_eq(service, expected);
		ck_assert_int_eq(table_maps__find_frontend(&rig.arena.maps, &vip, IPPROTO_TCP, 81, &frontend, &service),
				 -ENOENT);
		ck_assert_int_eq(table_maps__find_frontend(&rig.arena.maps, &vip, 0, 0, &frontend, &service), -ENOENT);
		rig__end();
		config_make__free(config);
	}
END_TEST

static const uint8_t mac_a[6] = { 2, 0, 0, 0, 0, 1 }, mac_b[6] = { 2, 0, 0, 0, 0, 2 }, mac_c[6] = { 2, 0, 0, 0, 0, 3 };
static uint16_t path_pod;
static bool path_is_torn;

/* A redirect may happen only by words that belong together: device 1 with mac_a, device 2 with mac_b. */
static void watch_path(void *arg)
{
	const struct pintle_pod *pod = &rig.arena.maps.pods[path_pod];
	const uint8_t *wanted = pod->ifindex == 1 ? mac_a : mac_b;

	(void)arg;
	if (!pod->dmac_gen || pod->dmac_gen >> 48 != pod->smac_gen >> 48 || !pod->ifindex)
		return;
	path_is_torn |= memcmp(&pod->dmac_gen, wanted, 6) || memcmp(&pod->smac_gen, mac_c, 6) ||
			pod->devmap != pod->ifindex + 10;
}

START_TEST(paths_change_whole)
	{
		struct pintle_config *config = rig__two_services();
		struct pintle_pod *pod;
		uint64_t generation;

		rig__begin(8, 16, 0);
		rig__apply(config);
		path_pod = rig__pod_at("10.0.0.2");
		pod = &rig.arena.maps.pods[path_pod];
		tables_store_hook = watch_path;
		path_is_torn = false;
		for (int i = 0; i < 70000; i++) {
			tables__set_path(rig.t, path_pod, 1, 11, mac_a, mac_c);
			ck_assert(pod->dmac_gen && pod->dmac_gen >> 48 == pod->smac_gen >> 48);
			if (i % 3 == 0)
				tables__set_path(rig.t, path_pod, 1, 11, NULL, NULL);
			tables__set_path(rig.t, path_pod, 2, 12, mac_b, mac_c);
		}
		ck_assert(!path_is_torn);
		generation = pod->dmac_gen >> 48;
		tables_store_hook = rig__on_store;
		rig.stores = 0;
		tables__set_path(rig.t, path_pod, 2, 12, mac_b, mac_c);
		ck_assert_uint_eq(rig.stores, 0);
		ck_assert_uint_eq(pod->dmac_gen >> 48, generation);
		tables__set_path(rig.t, path_pod, 2, 12, NULL, NULL);
		ck_assert_uint_eq(pod->dmac_gen, 0);
		tables__set_redirect(rig.t, path_pod, true);
		ck_assert_uint_eq(pod->flags, PINTLE_POD_IN_USE | PINTLE_POD_REDIRECT);
		pod->flags |= PINTLE_POD_DRAIN; /* another process */
		tables__set_redirect(rig.t, path_pod, false);
		ck_assert_uint_eq(pod->flags, PINTLE_POD_IN_USE | PINTLE_POD_DRAIN);
		tables__set_path(rig.t, 15, 2, 12, mac_b, mac_c); /* nobody's id */
		ck_assert_uint_eq(rig.arena.maps.pods[15].ifindex, 0);
		rig__end();
		config_make__free(config);
	}
END_TEST

START_TEST(settings_reach_the_programs)
	{
		struct pintle_config *config = rig__two_services();
		const struct pintle_ctl *ctl;
		int16_t psi[PINTLE_PSI_ENTRIES];
		uint16_t id;

		rig__begin(8, 16, 0);
		ctl = rig.arena.maps.ctl;
		config->externality = 0.5;
		rig__apply(config);
		/* 250 jiffies a second: 512 a fine unit, 16384 a coarse one; rounded up */
		ck_assert_uint_eq(ctl->absence, 147); /* 5 minutes of 2.048 s */
		ck_assert_uint_eq(ctl->age_half_open, 15);
		ck_assert_uint_eq(ctl->age_closed, 5);
		ck_assert_uint_eq(ctl->age_udp, 30);
		ck_assert_uint_eq(ctl->age_awaiting, 59);
		ck_assert_uint_eq(ctl->age_tcp, 110);
		ck_assert_uint_eq(ctl->evict_half_open, 2);
		ck_assert_uint_eq(ctl->evict_tcp, 5);
		psi__fill(0.5, psi);
		ck_assert_mem_eq(ctl->psi_q8, psi, sizeof(psi));
		psi__fill(0, psi);
		ck_assert_mem_eq(ctl->latency_q8, psi, sizeof(psi));
		config->tcp_idle_s = 4000000;
		config->udp_idle_s = 0;
		rig__apply(config);
		ck_assert_uint_eq(ctl->age_tcp, 240);
		ck_assert_uint_eq(ctl->age_udp, 1);
		/* sampling stays over a change of the service */
		ck_assert_int_eq(tables__service_ids(rig.t, "alpha", 4, &id), 0);
		tables__set_sampling(rig.t, id, 4);
		config->services[0].pods[0].concurrency = 9;
		rig__apply(config);
		ck_assert_uint_eq(rig.applied.changed_services, 1);
		ck_assert_uint_eq(pool_in_force(rig.t, id)->sample_shift, 4);
		rig__end();
		config_make__free(config);
	}
END_TEST

START_TEST(detail_slots_return)
	{
		struct pintle_config *config = config_make__new(), *none = config_make__new();
		struct cfg_service *service = config_make__service(config, "a", PINTLE_POLICY_RR);
		uint32_t with = 0;

		config_make__frontend(service, "10.96.0.1", IPPROTO_TCP, 80);
		for (uint32_t i = 0; i < 1100; i++) {
			char text[32];

			snprintf(text, sizeof(text), "10.0.%u.%u", i / 250, i % 250);
			config_make__pod(service, text, 8080);
		}
		rig__begin(8, 2048, 0);
		for (int round = 0; round < 3; round++) {
			rig__apply(config);
			with = 0;
			for (uint32_t i = 0; i < 2048; i++)
				with += rig.arena.maps.pods[i].detail != 0;
			ck_assert_uint_eq(with, PINTLE_MAX_DETAIL);
			if (round == 1)
				rig__reopen();
			rig__apply(none);
			ck_assert_int_eq(tables__reap(rig.t, &rig.err), 1100);
			ck_assert_uint_eq(rig.t->details.used, 0);
		}
		rig__end();
		config_make__free(config);
		config_make__free(none);
	}
END_TEST

static int grace_fails;

static int failing_grace(void *arg)
{
	(void)arg;
	return grace_fails-- == 0 ? -EINTR : 0;
}

/* A wait that fails in the middle: the error is reported, and the next apply repairs. */
START_TEST(failed_waits_are_repaired)
	{
		struct pintle_config *config = rig__two_services(), *other = rig__two_services();
		struct ip_addr vip = addr_of("10.96.0.1");

		other->services[0].pods[0].addr = addr_of("10.0.0.55");
		other->services[1].frontends[0].port = 99;
		for (int fail_at = 0; fail_at < 6; fail_at++) {
			int ret;

			arena__init(&rig.arena, 8, 16, 0);
			grace_fails = -1;
			ck_assert_int_eq(tables__open(&rig.arena.maps, failing_grace, NULL, &rig.t, &rig.err), 0);
			ck_assert_int_eq(tables__apply(rig.t, config, NULL, NULL, &rig.applied, &rig.err), 0);
			grace_fails = fail_at;
			ret = tables__apply(rig.t, other, NULL, NULL, &rig.applied, &rig.err);
			ck_assert(ret == 0 || ret == -EINTR);
			ck_assert(ret == 0 || fail_at < 3);
			grace_fails = -1;
			ck_assert_int_eq(tables__apply(rig.t, other, NULL, NULL, &rig.applied, &rig.err), 0);
			ck_assert(!maps__see(&rig.arena.maps, &vip, 80, IPPROTO_TCP).broken);
			ck_assert_uint_eq(maps__see(&rig.arena.maps, &vip, 80, IPPROTO_TCP).digest,
					  service__expect(&other->services[0], 4));
			ck_assert_int_eq(maps__see(&rig.arena.maps, &vip, 81, IPPROTO_TCP).kind, SEEN_UNKNOWN_PORT);
			ck_assert_uint_eq(maps__see(&rig.arena.maps, &vip, 99, IPPROTO_TCP).digest,
					  service__expect(&other->services[1], 4));
			ck_assert_uint_eq(rig.t->services.used, 4);
			ck_assert_uint_eq(rig.t->frontends.used, 4);
			ck_assert_uint_eq(rig.t->members.used, 4);
			rig__end();
		}
		config_make__free(config);
		config_make__free(other);
	}
END_TEST

/* Maps in which anything stands, whole words or single bytes changed: no crash, and an apply makes them right. */
START_TEST(garbage_is_taken_out_of_force)
	{
		struct pintle_config *config = rig__two_services();
		struct ip_addr vip = addr_of("10.96.0.1");
		uint64_t random = (uint64_t)_i + 5;

		rig__begin(8, 16, 0);
		rig__apply(config);
		for (int round = 0; round < 40; round++) {
			uint32_t changes = _i % 2 ? 1 + random_below(&random, 200) : 100000;

			for (uint32_t i = 0; i < changes; i++)
				rig.arena.block[random_below(&random, (uint32_t)rig.arena.bytes)] = (uint8_t)random_below(
					&random, 256);
			memset(rig.arena.maps.flows, 0, rig.arena.meta.nr_buckets * sizeof(*rig.arena.maps.flows));
			rig__reopen();
			rig__apply(config);
			for (uint16_t port = 80; port < 82; port++) {
				struct seen seen = maps__see(&rig.arena.maps, &vip, port, IPPROTO_TCP);

				ck_assert_int_eq(seen.kind, SEEN_SERVICE);
				ck_assert_uint_eq(tables__lingering(rig.t) + 7, rig.t->pods.used);
			}
			ck_assert_int_ge(tables__reap(rig.t, &rig.err), 0);
		}
		rig__end();
		config_make__free(config);
	}
END_TEST

START_TEST(impossible_sizes_are_refused)
	{
		rig__begin(8, 16, 0);
		tables__close(rig.t);
		rig.t = NULL;
		rig.arena.meta.nr_vip4_buckets = 3;
		ck_assert_int_eq(tables__open(&rig.arena.maps, rig__grace, NULL, &rig.t, &rig.err), -EINVAL);
		rig.arena.meta.nr_vip4_buckets = 256;
		rig.arena.meta.max_pods = 70000;
		ck_assert_int_eq(tables__open(&rig.arena.maps, rig__grace, NULL, &rig.t, &rig.err), -EINVAL);
		rig.arena.meta.max_pods = 16;
		rig.arena.meta.hz = 0;
		ck_assert_int_eq(tables__open(&rig.arena.maps, rig__grace, NULL, &rig.t, &rig.err), -EINVAL);
		ck_assert_ptr_null(rig.t);
		rig__end();
	}
END_TEST

int main(void)
{
	Suite *suite = suite_create("tables_restart");
	TCase *tcase = tcase_create("restart");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, a_restart_keeps_everything);
	tcase_add_test(tcase, commands_find_by_address);
	tcase_add_test(tcase, paths_change_whole);
	tcase_add_test(tcase, settings_reach_the_programs);
	tcase_add_test(tcase, detail_slots_return);
	tcase_add_test(tcase, failed_waits_are_repaired);
	tcase_add_loop_test(tcase, garbage_is_taken_out_of_force, 0, 6);
	tcase_add_test(tcase, impossible_sizes_are_refused);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
