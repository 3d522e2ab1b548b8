// SPDX-License-Identifier: BSD-2-Clause
/* agent/paths.h over real tables in plain memory and the kernel of paths_kernel.h. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/paths.h"
#include "tests/unit/paths_kernel.h"

START_TEST(allowed_after_the_test)
	{
		begin(64, true);
		apply(make_config(0, 1, 2, DELIVERY_REDIRECT));
		ck_assert(!allowed("10.0.0.1"));
		ck_assert_ptr_nonnull(strstr(paths__reason(paths, id_of("10.0.0.1")), "under way"));
		ck_assert_uint_eq(paths__pending(paths), 2);
		paths__tick(paths, world.now_ns);
		ck_assert(!allowed("10.0.0.1") && world.gro_calls == 2 && world.probe_calls == 0);
		run_for(S);
		ck_assert(allowed("10.0.0.1") && allowed("10.0.0.2"));
		ck_assert_ptr_null(paths__reason(paths, id_of("10.0.0.1")));
		ck_assert_uint_eq(paths__pending(paths), 0);
		ck_assert_uint_ne(world.arena.maps.pods[id_of("10.0.0.1")].devmap,
				  world.arena.maps.pods[id_of("10.0.0.2")].devmap);
		end();
	}
END_TEST

START_TEST(noise_is_no_success)
	{
		static const uint64_t rates[] = { 0, 100, 1000, 5000, 20000, 1000000 };

		begin(64, true);
		world.gro_works = false;
		world.noise_per_s = rates[_i];
		apply(make_config(0, 1, 1, DELIVERY_REDIRECT));
		for (int i = 0; i < 600; i++) {
			run_for(100 * MS);
			ck_assert(!allowed("10.0.0.1"));
		}
		ck_assert_int_gt(world.probe_calls, 3);
		ck_assert_ptr_nonnull(strstr(paths__reason(paths, id_of("10.0.0.1")), "namespace not found"));
		/* and none hides a device that works */
		world.napi[device_of(&(struct ip_addr){ .family = 4, .bytes = { 10, 0, 0, 1 } })] = true;
		run_for(140 * S);
		ck_assert(allowed("10.0.0.1"));
		end();
	}
END_TEST

START_TEST(waits_double)
	{
		begin(64, true);
		world.gro_works = false;
		apply(make_config(0, 1, 1, DELIVERY_REDIRECT));
		run_for(1000 * S);
		/* 1 + 2 + 4 + 8 + 16 + 32 = 63 s, then one in 64 s */
		ck_assert_int_ge(world.probe_calls, 6 + 13);
		ck_assert_int_le(world.probe_calls, 7 + 15);
		end();
	}
END_TEST

START_TEST(tc_needs_no_gro)
	{
		begin(64, false);
		apply(make_config(0, 1, 1, DELIVERY_REDIRECT));
		run_for(200 * MS);
		ck_assert(allowed("10.0.0.1") && world.gro_calls == 0 && world.probe_calls == 0 && world.attached[2]);
		/* another hook: shown anew */
		world.gro_works = false;
		paths__set_hook(paths, true);
		ck_assert(!allowed("10.0.0.1"));
		run_for(S);
		ck_assert(!allowed("10.0.0.1") && world.probe_calls == 1);
		end();
	}
END_TEST

/* Sends `redirected` packets a second of which `arriving` arrive, for 10 s. */
static int alarms_of(uint64_t redirected, uint64_t arriving, uint64_t others)
{
	uint32_t slot;

	begin(64, true);
	apply(make_config(0, 1, 1, DELIVERY_REDIRECT));
	run_for(2 * S);
	ck_assert(allowed("10.0.0.1"));
	slot = world.arena.maps.pods[id_of("10.0.0.1")].detail - 1u;
	world.gro_works = false;
	for (int i = 0; i < 10; i++) {
		world.redirected[slot] += redirected;
		world.sent[2] += arriving + others;
		run_for(S);
	}
	redirected = (uint64_t)world.alarms;
	end();
	return (int)redirected;
}

START_TEST(silent_drops)
	{
		ck_assert_int_eq(alarms_of(100, 100, 0), 0);
		ck_assert_int_eq(alarms_of(100, 60, 0), 0);
		ck_assert_int_ge(alarms_of(100, 40, 0), 1);
		ck_assert_int_ge(alarms_of(1000000, 0, 100), 1);
		ck_assert_int_ge(alarms_of(5, 0, 0), 1); /* few a second add up */
		ck_assert_int_eq(alarms_of(0, 0, 1000), 0);
	}
END_TEST

/* An alarm stays in force over self-tests that fail, with the text it began with. */
START_TEST(alarm_until_the_test_succeeds)
	{
		struct paths_alarm alarms[2] = { 0 };
		uint32_t slot;

		begin(64, true);
		apply(make_config(0, 1, 2, DELIVERY_REDIRECT));
		run_for(2 * S);
		ck_assert_uint_eq(paths__alarms(paths, alarms, 2), 0);
		slot = world.arena.maps.pods[id_of("10.0.0.1")].detail - 1u;
		world.gro_works = false;
		world.napi[2] = false;
		world.redirected[slot] += 100;
		run_for(20 * S);
		ck_assert_int_eq(world.alarms, 1);
		ck_assert_ptr_nonnull(strstr(paths__reason(paths, id_of("10.0.0.1")), "self-test"));
		ck_assert_uint_eq(paths__alarms(paths, alarms, 2), 1);
		ck_assert_str_eq(alarms[0].device, "veth2");
		ck_assert_ptr_nonnull(strstr(alarms[0].text, "vanish"));
		ck_assert_uint_eq(alarms[0].redirected, 100);
		ck_assert_uint_eq(alarms[0].pod, id_of("10.0.0.1"));
		ck_assert_uint_eq(paths__alarms(paths, alarms, 0), 0);
		world.napi[2] = true;
		run_for(140 * S);
		ck_assert(allowed("10.0.0.1"));
		ck_assert_uint_eq(paths__alarms(paths, alarms, 2), 0);
		end();
	}
END_TEST

START_TEST(at_rest_nothing_is_asked)
	{
		struct pintle_config *mixed = make_config(0, 1, 200, DELIVERY_REDIRECT);

		begin(PINTLE_MAX_PODS, true);
		for (uint32_t s = 0; s < 60; s++) {
			struct cfg_service *service;
			char text[32];

			snprintf(text, sizeof(text), "rest%u", s);
			service = config_make__service(mixed, text, PINTLE_POLICY_LEASTCONN);
			snprintf(text, sizeof(text), "192.0.2.%u", 2 + s);
			config_make__frontend(service, text, 6, 80);
			for (uint32_t i = 0; i < 1000; i++) {
				snprintf(text, sizeof(text), "10.%u.%u.%u", 1 + s, i / 256, i % 256);
				config_make__pod(service, text, 80);
			}
		}
		apply(mixed);
		ck_assert_int_eq(world.path_calls, 200);
		paths__tick(paths, world.now_ns);
		ck_assert_int_eq(world.path_calls, 200 + 32);
		run_for(20 * S);
		ck_assert_uint_eq(paths__pending(paths), 0);
		world.path_calls = world.counter_calls = world.stats_calls = world.gro_calls = 0;
		run_for(100 * S);
		ck_assert_int_eq(world.path_calls + world.counter_calls + world.gro_calls, 0);
		ck_assert_int_le(world.stats_calls, 200 * 101);
		/* one neighbour changes: one question */
		world.changes[0] = (struct net_change){ .kind = NET_CHANGE_NEIGH, .ifindex = 8, .addr = addr_of("10.0.0.7") };
		world.nr_changes = 1;
		paths__update(paths, world.now_ns);
		ck_assert_int_eq(world.path_calls, 2); /* where it is, and whether it is there at all */
		end();
	}
END_TEST

START_TEST(hostnetwork_is_refused)
	{
		struct pintle_config *good = make_config(0, 1, 3, DELIVERY_PASS), *bad = make_config(201, 1, 3, DELIVERY_PASS);
		struct pintle_err err = { 0 };

		bad->name = strdup("shop.yaml");
		ck_assert_ptr_nonnull(bad->name);
		ck_assert_int_eq(paths__vet(NULL, good, &err), 0);
		ck_assert_int_eq(paths__vet(NULL, bad, &err), -EINVAL);
		ck_assert_ptr_eq(strstr(err.msg, "shop.yaml:"), err.msg);
		ck_assert_ptr_nonnull(strstr(err.msg, "service web: pod 10.201.0.1"));
		config_make__free(good);
		config_make__free(bad);
	}
END_TEST

START_TEST(more_than_can_be_supervised)
	{
		begin(4096, true);
		apply(make_config(0, 0, 1500, DELIVERY_REDIRECT));
		run_for(100 * S);
		ck_assert(allowed("10.0.0.1"));
		for (uint32_t id = 0, without = 0; id < 1500; id++) {
			const char *reason = paths__reason(paths, (uint16_t)id);

			without += reason != NULL;
			if (reason)
				ck_assert_ptr_nonnull(strstr(reason, "statistics slots"));
			if (id == 1499)
				ck_assert_uint_eq(without, 1500 - PINTLE_MAX_DETAIL);
		}
		end();
	}
END_TEST

START_TEST(devices_that_go)
	{
		uint16_t id;

		begin(64, true);
		apply(make_config(0, 1, 1, DELIVERY_REDIRECT));
		run_for(S);
		id = id_of("10.0.0.1");
		ck_assert_uint_eq(world.arena.maps.pods[id].ifindex, 2);
		world.exists[2] = false;
		world.changes[0] = (struct net_change){ .kind = NET_CHANGE_LINK, .ifindex = 2 };
		world.nr_changes = 1;
		paths__update(paths, world.now_ns);
		ck_assert(!allowed("10.0.0.1"));
		ck_assert_uint_eq(world.arena.maps.pods[id].ifindex, 0);
		ck_assert_uint_eq(world.arena.maps.pods[id].dmac_gen, 0);
		ck_assert_int_eq(world.detached, 1);
		ck_assert_uint_eq(world.devmap[0], 0);
		/* another with the same index */
		world.exists[2] = true;
		run_for(40 * S);
		ck_assert(allowed("10.0.0.1") && world.attached[2]);
		/* the MAC is lost for a while: the device and its program stay */
		world.no_macs = true;
		world.changes[0] = (struct net_change){ .kind = NET_CHANGE_ALL };
		world.nr_changes = 1;
		paths__update(paths, world.now_ns);
		ck_assert(!allowed("10.0.0.1") && world.attached[2]);
		ck_assert_uint_eq(world.arena.maps.pods[id].ifindex, 2);
		world.no_macs = false;
		run_for(2 * S);
		ck_assert(allowed("10.0.0.1"));
		end();
	}
END_TEST

START_TEST(pods_that_go)
	{
		struct pintle_err err;

		begin(64, true);
		apply(make_config(0, 1, 2, DELIVERY_REDIRECT));
		run_for(S);
		apply(make_config(0, 2, 1, DELIVERY_REDIRECT)); /* 10.0.0.1 is out of it */
		ck_assert(allowed("10.0.0.2"));
		ck_assert(world.attached[2] == (tables__lingering(tables) > 0));
		tables__reap(tables, &err);
		run_for(S);
		ck_assert(!world.attached[2] && world.attached[3]);
		/* its id goes to another */
		apply(make_config(0, 2, 3, DELIVERY_REDIRECT));
		run_for(S);
		ck_assert(allowed("10.0.0.3") && allowed("10.0.0.4"));
		ck_assert_uint_eq(world.arena.maps.pods[id_of("10.0.0.3")].ifindex, 4);
		/* pass: the stack delivers, replies of old flows are still translated at the device */
		apply(make_config(0, 2, 3, DELIVERY_PASS));
		ck_assert(!allowed("10.0.0.3") && world.attached[4]);
		ck_assert_ptr_null(paths__reason(paths, id_of("10.0.0.3")));
		end();
	}
END_TEST

START_TEST(adopted)
	{
		uint32_t slot;

		begin(64, true);
		apply(make_config(0, 1, 3, DELIVERY_REDIRECT));
		run_for(S);
		slot = world.arena.maps.pods[id_of("10.0.0.3")].devmap;
		paths__close(paths);
		world.attached[900] = true; /* of a pod that went while nobody looked */
		open_paths(true);
		apply(config);
		ck_assert(allowed("10.0.0.3"));
		ck_assert(!world.attached[900] && world.attached[4]);
		ck_assert_uint_eq(world.arena.maps.pods[id_of("10.0.0.3")].devmap, slot);
		ck_assert_uint_eq(world.devmap[slot], 4);
		run_for(S);
		ck_assert(allowed("10.0.0.3"));
		/* GRO was switched off meanwhile and cannot be turned on: the self-test finds out */
		paths__close(paths);
		world.gro_works = false;
		memset(world.napi, false, sizeof(world.napi));
		open_paths(true);
		apply(config);
		run_for(S);
		ck_assert(!allowed("10.0.0.3"));
		end();
	}
END_TEST

int main(void)
{
	Suite *suite = suite_create("paths");
	TCase *tcase = tcase_create("paths");
	SRunner *runner;
	int failed;

	tcase_add_test(tcase, allowed_after_the_test);
	tcase_add_loop_test(tcase, noise_is_no_success, 0, 6);
	tcase_add_test(tcase, waits_double);
	tcase_add_test(tcase, tc_needs_no_gro);
	tcase_add_test(tcase, silent_drops);
	tcase_add_test(tcase, alarm_until_the_test_succeeds);
	tcase_add_test(tcase, at_rest_nothing_is_asked);
	tcase_add_test(tcase, hostnetwork_is_refused);
	tcase_add_test(tcase, more_than_can_be_supervised);
	tcase_add_test(tcase, devices_that_go);
	tcase_add_test(tcase, pods_that_go);
	tcase_add_test(tcase, adopted);
	tcase_set_timeout(tcase, 60);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
