/* SPDX-License-Identifier: BSD-2-Clause */
/* Single behaviours of apply: what is written, what is not, ids, limits. Order of writes: check_tables_random.c. */
#include <check.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/tables_rig.h"

static void add_pods(struct cfg_service *service, uint32_t first, uint32_t nr)
{
	for (uint32_t i = first; i < first + nr; i++) {
		char text[INET_ADDRSTRLEN];

		snprintf(text, sizeof(text), "10.%u.%u.%u", i >> 16 & 255, i >> 8 & 255, i & 255);
		config_make__pod(service, text, 80);
	}
}

static void add_frontends(struct cfg_service *service, uint16_t first_port, uint32_t nr)
{
	for (uint32_t i = 0; i < nr; i++)
		config_make__frontend(service, "10.96.0.1", IPPROTO_TCP, (uint16_t)(first_port + i));
}

static struct pintle_config *simple(uint8_t policy, uint32_t nr_services, uint32_t nr_pods)
{
	struct pintle_config *config = config_make__new();

	for (uint32_t i = 0; i < nr_services; i++) {
		char name[16];
		struct cfg_service *service;

		snprintf(name, sizeof(name), "service%u", i);
		service = config_make__service(config, name, policy);
		add_frontends(service, (uint16_t)(1000 + i), 1);
		add_pods(service, i * nr_pods, nr_pods);
	}
	return config;
}

static struct seen see(uint16_t port)
{
	struct ip_addr addr = addr_of("10.96.0.1");

	return maps__see(&rig.arena.maps, &addr, port, IPPROTO_TCP);
}

START_TEST(sizes_fit_and_clocks_follow_hz)
	{
		static const struct {
			uint32_t hz, fine;
		} clocks[] = { { 100, 8 }, { 250, 9 }, { 300, 10 }, { 1000, 11 } };
		struct pintle_meta meta = { 0 };
		struct table_sizes_in in = { .max_flows = 1000000, .max_frontends = 16384, .max_pods = 65536 };

		for (size_t i = 0; i < 4; i++) {
			in.hz = clocks[i].hz;
			ck_assert_int_eq(tables__sizes(&in, &meta, &rig.err), 0);
			ck_assert_uint_eq(meta.hz, in.hz);
			ck_assert_uint_eq(meta.fine_shift, clocks[i].fine);
			ck_assert_uint_eq(meta.coarse_shift, clocks[i].fine + 5);
		}
		ck_assert_uint_eq(meta.nr_buckets, 1u << 19); /* 2 slots a flow */
		ck_assert_uint_ge(meta.nr_vip4_buckets * 4, 2 * 2 * 16384);
		ck_assert_uint_ge(meta.nr_vip6_buckets * 2, 2 * 2 * 16384);
		ck_assert_uint_ge(meta.nr_rev4_buckets * 4, 2 * 65536);
		ck_assert_uint_ge(meta.nr_rev6_buckets * 2, 2 * 65536);
		in.max_pods = 65537;
		ck_assert_int_eq(tables__sizes(&in, &meta, &rig.err), -ERANGE);
		ck_assert_ptr_nonnull(strstr(rig.err.msg, "65536"));
		in.max_pods = 1;
		in.max_frontends = 0;
		ck_assert_int_eq(tables__sizes(&in, &meta, &rig.err), -ERANGE);
		in.max_frontends = 1;
		in.max_flows = 0xffffffff;
		ck_assert_int_eq(tables__sizes(&in, &meta, &rig.err), -ERANGE);
		in.max_flows = 1;
		in.hz = 0;
		ck_assert_int_eq(tables__sizes(&in, &meta, &rig.err), -ERANGE);
	}
END_TEST

START_TEST(nothing_changed_costs_nothing)
	{
		struct pintle_config *config = simple((uint8_t)_i, 20, 5), *same = simple((uint8_t)_i, 20, 5);

		rig__begin(32, 128, 0);
		ck_assert_int_eq(rig__try(config), 0);
		ck_assert_uint_eq(rig.applied.changed_services, 20);
		ck_assert_uint_eq(rig.applied.added_pods, 100);
		ck_assert_int_eq(rig__try(same), 0);
		ck_assert_uint_eq(rig.stores, 1); /* ctl.generation */
		ck_assert_uint_eq(rig.graces, 0);
		ck_assert_uint_eq(rig.applied.changed_services, 0);
		ck_assert_uint_eq(rig.applied.added_pods + rig.applied.removed_pods, 0);
		ck_assert_uint_eq(rig.applied.services, 20);
		ck_assert_uint_eq(rig.applied.frontends, 20);
		ck_assert_uint_eq(rig.applied.pods, 100);
		ck_assert_uint_eq(rig.arena.maps.ctl->generation, 2);
		/* one weight: one service */
		same->services[7].pods[2].weight = 50;
		ck_assert_int_eq(rig__try(same), 0);
		ck_assert_uint_eq(rig.applied.changed_services, 1);
		ck_assert_uint_eq(rig.graces, 1);
		rig__end();
		config_make__free(config);
		config_make__free(same);
	}
END_TEST

START_TEST(limits_are_named_before_the_first_write)
	{
		struct pintle_config *good = simple(PINTLE_POLICY_MAGLEV, 4, 4), *bad;

		rig__begin(8, 20, 80);
		ck_assert_int_eq(rig__try(good), 0);
		bad = simple(PINTLE_POLICY_RR, 9, 1);
		ck_assert_int_eq(rig__try(bad), -ENOSPC);
		ck_assert_ptr_nonnull(strstr(rig.err.msg, "--max-frontends"));
		ck_assert_uint_eq(rig.stores, 0);
		config_make__free(bad);
		bad = simple(PINTLE_POLICY_RR, 3, 7);
		ck_assert_int_eq(rig__try(bad), -ENOSPC);
		ck_assert_ptr_nonnull(strstr(rig.err.msg, "--max-pods"));
		ck_assert_uint_eq(rig.stores, 0);
		config_make__free(bad);
		bad = simple(PINTLE_POLICY_MAGLEV, 1, 20); /* 64 lines are used, 64 more needed */
		ck_assert_int_eq(rig__try(bad), -ENOSPC);
		ck_assert_ptr_nonnull(strstr(rig.err.msg, "pick lines"));
		ck_assert_uint_eq(rig.stores, 0);
		config_make__free(bad);
		bad = simple(PINTLE_POLICY_RR, 2, 2);
		bad->services[1].frontends[0].port = 1000;
		ck_assert_int_eq(rig__try(bad), -EINVAL);
		ck_assert_ptr_nonnull(strstr(rig.err.msg, "service0"));
		ck_assert_uint_eq(rig.stores, 0);
		config_make__free(bad);
		/* nothing leaked on the way: the same configuration again, and one that needs the room */
		ck_assert_int_eq(rig__try(good), 0);
		ck_assert_uint_eq(rig.stores, 1);
		ck_assert_uint_eq(rig.t->pods.used, 16);
		ck_assert_uint_eq(rig.t->services.used, 4);
		ck_assert_uint_eq(rig.t->frontends.used, 4);
		ck_assert_uint_eq(rig.t->picks.used, 4 * 16); /* 509 picks each */
		rig__end();
		config_make__free(good);
	}
END_TEST

START_TEST(siblings_have_a_limit)
	{
		struct pintle_config *config = config_make__new();
		struct cfg_service *service = config_make__service(config, "a", PINTLE_POLICY_RR);

		rig__begin(32, 8, 0);
		add_frontends(service, 1, PINTLE_MAX_SIBLINGS);
		add_pods(service, 1, 1);
		ck_assert_int_eq(rig__try(config), 0);
		ck_assert_uint_eq(siblings_in_force(rig.t, 0)->nr, PINTLE_MAX_SIBLINGS);
		add_frontends(service, 100, 1);
		ck_assert_int_eq(rig__try(config), -ENOSPC);
		ck_assert_ptr_nonnull(strstr(rig.err.msg, "14 frontends"));
		ck_assert_uint_eq(rig.stores, 0);
		/* all thirteen replaced at once */
		for (uint32_t i = 0; i < service->nr_frontends; i++)
			service->frontends[i].port = (uint16_t)(i + 200);
		service->nr_frontends = PINTLE_MAX_SIBLINGS;
		ck_assert_int_eq(rig__try(config), 0);
		ck_assert_uint_eq(siblings_in_force(rig.t, 0)->nr, PINTLE_MAX_SIBLINGS);
		for (uint16_t i = 0; i < PINTLE_MAX_SIBLINGS; i++)
			ck_assert(see((uint16_t)(i + 200)).kind == SEEN_SERVICE && !see((uint16_t)(i + 200)).broken);
		rig__end();
		config_make__free(config);
	}
END_TEST

/* No id is free while the old ones are in use: they go first. */
START_TEST(every_frontend_can_be_replaced)
	{
		struct pintle_config *config = simple(PINTLE_POLICY_RR, 8, 1), *other = simple(PINTLE_POLICY_RR, 8, 1);

		rig__begin(8, 8, 0);
		ck_assert_int_eq(rig__try(config), 0);
		for (uint32_t i = 0; i < 8; i++)
			other->services[i].frontends[0].port = (uint16_t)(2000 + i);
		ck_assert_int_eq(rig__try(other), 0);
		for (uint16_t i = 0; i < 8; i++) {
			ck_assert_int_eq(see((uint16_t)(1000 + i)).kind, SEEN_UNKNOWN_PORT);
			ck_assert(see((uint16_t)(2000 + i)).kind == SEEN_SERVICE && !see((uint16_t)(2000 + i)).broken);
		}
		ck_assert_uint_eq(rig.t->frontends.used, 8);
		rig__end();
		config_make__free(config);
		config_make__free(other);
	}
END_TEST

static void add_flow(uint32_t slot, uint16_t pod)
{
	rig.arena.maps.flows[slot / 4].slot[slot % 4].state = pod | PINTLE_FS_VALID;
}

START_TEST(ids_return_when_flows_have_ended)
	{
		struct pintle_config *four = simple(PINTLE_POLICY_RR, 1, 4), *none = simple(PINTLE_POLICY_RR, 1, 0), *others;
		struct ip_addr addr = addr_of("10.0.0.2");
		struct pod_ref ref;
		uint16_t pod, again;

		rig__begin(2, 4, 0);
		ck_assert_int_eq(rig__try(four), 0);
		ck_assert_int_eq(tables__pod_by_addr(rig.t, &addr, 80, &pod), 0);
		add_flow(3, pod);
		ck_assert_int_eq(rig__try(none), 0);
		ck_assert_uint_eq(rig.applied.removed_pods, 4);
		ck_assert_uint_eq(rig.applied.lingering_pods, 4);
		ck_assert_int_eq(see(1000).pool->nr_members, 0);
		ck_assert_int_eq(tables__pod_ref(rig.t, pod, &ref), 0);
		ck_assert(!ref.cfg && !ref.service && ref.pod == pod);
		ck_assert_int_eq(tables__reap(rig.t, &rig.err), 3);
		ck_assert_uint_eq(tables__lingering(rig.t), 1);
		ck_assert_int_eq(tables__reap(rig.t, &rig.err), 0);
		ck_assert(rig.arena.maps.pods[pod].flags & PINTLE_POD_IN_USE);
		/* four others do not fit while the flow lives */
		others = config_make__new();
		add_frontends(config_make__service(others, "others", PINTLE_POLICY_RR), 5, 1);
		add_pods(&others->services[0], 100, 4);
		ck_assert_int_eq(rig__try(others), -ENOSPC);
		ck_assert_ptr_nonnull(strstr(rig.err.msg, "still have flows"));
		/* it comes back under its id */
		ck_assert_int_eq(rig__try(four), 0);
		ck_assert_uint_eq(tables__lingering(rig.t), 0);
		ck_assert_int_eq(tables__pod_by_addr(rig.t, &addr, 80, &again), 0);
		ck_assert_uint_eq(again, pod);
		ck_assert_int_eq(tables__pod_ref(rig.t, pod, &ref), 0);
		ck_assert_ptr_eq(ref.cfg, &four->services[0].pods[2]);
		ck_assert_str_eq(ref.service, "service0");
		/* the flow ends: apply itself makes room */
		ck_assert_int_eq(rig__try(none), 0);
		rig.arena.maps.flows[0].slot[3].state = 0;
		rig.arena.maps.loads[pod].open = 7;
		ck_assert_int_eq(rig__try(others), 0);
		ck_assert_uint_eq(rig.t->pods.used, 4);
		ck_assert_int_eq(rig.arena.maps.loads[pod].open, 0);
		ck_assert_int_eq(tables__pod_by_addr(rig.t, &addr, 80, &again), -ENOENT);
		rig__end();
		config_make__free(four);
		config_make__free(none);
		config_make__free(others);
	}
END_TEST

START_TEST(every_pod_id_can_be_used)
	{
		struct pintle_config *config = config_make__new();
		uint32_t nr = 0;
		uint16_t pod;

		rig__begin(16384, 65536, 0);
		tables_store_hook = NULL;
		for (uint32_t i = 0; i < 4096; i++) {
			char name[16];
			struct cfg_service *service;

			snprintf(name, sizeof(name), "s%u", i);
			service = config_make__service(config, name, (uint8_t)(i % PINTLE_POLICY_MAX));
			add_frontends(service, (uint16_t)(i + 1), 1);
			add_pods(service, i * 16, 16);
		}
		ck_assert_msg(!rig__try(config), "%s", rig.err.msg);
		printf("# 4096 services x 16 pods: first %.3f s", rig.applied.seconds);
		for (uint32_t from = 0; !tables__next_pod(rig.t, from, &pod); from = pod + 1u) {
			ck_assert_uint_eq(pod, from);
			nr++;
		}
		ck_assert_uint_eq(nr, 65536);
		for (uint16_t i = 1; i <= 4096; i++)
			ck_assert(see(i).kind == SEEN_SERVICE && !see(i).broken && see(i).pool->nr_members == 16);
		for (uint32_t i = 0; i < 40; i++)
			config->services[i * 100].pods[3].weight = 7;
		ck_assert_int_eq(rig__try(config), 0);
		ck_assert_uint_eq(rig.applied.changed_services, 40);
		printf(", 1 %% changed %.3f s", rig.applied.seconds);
		for (uint32_t i = 0; i < 4096; i++)
			config->services[i].pods[3].weight = 9;
		ck_assert_msg(!rig__try(config), "%s", rig.err.msg);
		ck_assert_uint_eq(rig.applied.changed_services, 4096);
		printf(", all changed %.3f s\n", rig.applied.seconds);
		rig__end();
		config_make__free(config);
	}
END_TEST

START_TEST(drained_pods_take_no_new_flows)
	{
		struct pintle_config *config = simple(PINTLE_POLICY_SCORE, 1, 3);
		struct ip_addr addr = addr_of("10.0.0.1");
		struct pintle_pool before;
		uint16_t pod;

		rig__begin(2, 4, 0);
		ck_assert_int_eq(rig__try(config), 0);
		ck_assert_int_eq(tables__pod_by_addr(rig.t, &addr, 80, &pod), 0);
		before = *see(1000).pool;
		rig.arena.maps.pods[pod].flags |= PINTLE_POD_DRAIN;
		ck_assert_int_eq(rig__try(config), 0);
		ck_assert_uint_eq(see(1000).pool->nr_members, 2);
		for (uint32_t i = 0; i < 2; i++)
			ck_assert_uint_ne(member_at(rig.t, 0, 0, see(1000).pool->members_line, i)->pod, pod);
		ck_assert(maps__is_sibling(&rig.arena.maps, pod, see(1000).frontend));
		ck_assert_uint_eq(tables__lingering(rig.t), 0);
		ck_assert_uint_eq(see(1000).pool->generation, before.generation + 1);
		rig.arena.maps.pods[pod].flags &= (uint8_t)~PINTLE_POD_DRAIN;
		ck_assert_int_eq(rig__try(config), 0);
		ck_assert_uint_eq(see(1000).pool->nr_members, 3);
		config->services[0].pods[0].state = POD_DRAINING;
		config->services[0].pods[1].state = POD_DOWN;
		config->services[0].pods[2].weight = 0;
		ck_assert_int_eq(rig__try(config), 0);
		ck_assert_uint_eq(see(1000).pool->nr_members, 0);
		rig__end();
		config_make__free(config);
	}
END_TEST

/* Nodes agree on Maglev whatever order their configurations list pods in. */
START_TEST(picks_do_not_depend_on_order)
	{
		struct pintle_config *config = simple((uint8_t)_i, 1, 70);
		struct pintle_pod first[70] = { 0 }, second[70] = { 0 };
		uint16_t picks[2][8200];

		rig__begin(2, 128, 0);
		for (int round = 0; round < 2; round++) {
			const struct pintle_pool *pool;

			ck_assert_int_eq(rig__try(config), 0);
			pool = see(1000).pool;
			ck_assert_uint_ge(pool->nr_picks, 70);
			for (uint32_t i = 0; i < 70; i++)
				(round ? second
				       : first)[i] = rig.arena.maps.pods[member_at(rig.t, 0, 0, pool->members_line, i)->pod];
			for (uint32_t i = 0; i < pool->nr_picks; i++)
				picks[round][i] = rig.arena.maps.picks[pool->picks_line + i / 32].member[i % 32];
			if (!round) {
				for (uint32_t i = 0; i < 35; i++) {
					struct cfg_pod swap = config->services[0].pods[i];

					config->services[0].pods[i] = config->services[0].pods[69 - i];
					config->services[0].pods[69 - i] = swap;
				}
				rig__end();
				rig__begin(2, 128, 0);
			} else {
				ck_assert_mem_eq(picks[0], picks[1], pool->nr_picks * sizeof(picks[0][0]));
			}
		}
		for (uint32_t i = 0; i < 70; i++)
			ck_assert_uint_eq(first[i].addr_be[0], second[i].addr_be[0]);
		rig__end();
		config_make__free(config);
	}
END_TEST

int main(void)
{
	Suite *suite = suite_create("tables");
	TCase *tcase = tcase_create("apply");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, sizes_fit_and_clocks_follow_hz);
	tcase_add_loop_test(tcase, nothing_changed_costs_nothing, 0, PINTLE_POLICY_MAX);
	tcase_add_test(tcase, limits_are_named_before_the_first_write);
	tcase_add_test(tcase, siblings_have_a_limit);
	tcase_add_test(tcase, every_frontend_can_be_replaced);
	tcase_add_test(tcase, ids_return_when_flows_have_ended);
	tcase_add_test(tcase, every_pod_id_can_be_used);
	tcase_add_test(tcase, drained_pods_take_no_new_flows);
	tcase_add_loop_test(tcase, picks_do_not_depend_on_order, PINTLE_POLICY_MAGLEV, PINTLE_POLICY_WEIGHTED + 1);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
