/* SPDX-License-Identifier: BSD-2-Clause */
/* agent/presence.h through agent/paths.h, over real tables in plain memory and the kernel of paths_kernel.h. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/paths.h"
#include "agent/presence.h"
#include "tests/unit/paths_kernel.h"

START_TEST(so_many_pods_are_watched)
	{
		begin(8192, true);
		apply(make_config(200, 1, 100, DELIVERY_PASS));
		run_for(S);
		ck_assert_int_eq(world.path_calls, 100);
		ck_assert_ptr_nonnull(strstr(paths__reason(paths, id_of("10.200.0.1")), "next hop"));
		ck_assert(!paths__is_unreachable(paths, id_of("10.200.0.1")));
		apply(make_config(0, 1, 1500, DELIVERY_PASS));
		run_for(10 * S);
		ck_assert_int_eq(world.path_calls, 100 + PRESENCE_MAX);
		ck_assert_ptr_null(paths__reason(paths, id_of("10.0.0.1")));
		apply(make_config(201, 1, 1500, DELIVERY_PASS));
		ck_assert_ptr_nonnull(strstr(paths__reason(paths, id_of("10.201.0.1")), "hostNetwork"));
		end();
	}
END_TEST

static void change_link(uint32_t ifindex, bool exists)
{
	world.exists[ifindex] = exists;
	world.changes[0] = (struct net_change){ .kind = NET_CHANGE_LINK, .ifindex = ifindex };
	world.nr_changes = 1;
	paths__update(paths, world.now_ns);
}

static bool is_gone(const char *addr)
{
	return world.arena.maps.pods[id_of(addr)].flags & PINTLE_POD_GONE;
}

/* Pods that could take new flows. */
static uint32_t nr_members(void)
{
	uint16_t id;

	ck_assert_int_eq(tables__service_ids(tables, "web", 4, &id), 0);
	return world.arena.maps.services[id].pool[world.arena.maps.services[id].active & 1].nr_members;
}

/* Whatever the delivery: it is said, and it takes no new flows until it is back; also when the agent begins anew meanwhile. */
START_TEST(a_pod_whose_device_is_gone)
	{
		enum delivery delivery = _i & 1 ? DELIVERY_REDIRECT : DELIVERY_PASS;

		begin(64, true);
		world.is_bridge = _i & 2;
		apply(make_config(0, 1, 3, delivery));
		run_for(S);
		ck_assert_uint_eq(nr_members(), 3);
		ck_assert(!paths__take_changed(paths));
		change_link(3, false);
		ck_assert(is_gone("10.0.0.2") && !is_gone("10.0.0.1"));
		ck_assert_str_eq(said, "2- ");
		ck_assert(paths__is_unreachable(paths, id_of("10.0.0.2")));
		ck_assert_ptr_nonnull(strstr(paths__reason(paths, id_of("10.0.0.2")), "device is gone"));
		ck_assert(paths__take_changed(paths) && !paths__take_changed(paths));
		apply(config);
		ck_assert_uint_eq(nr_members(), 2);
		run_for(70 * S);
		ck_assert_str_eq(said, "2- ");
		paths__close(paths);
		open_paths(true);
		apply(config);
		run_for(70 * S);
		ck_assert_str_eq(said, "2- "); /* known before */
		ck_assert_uint_eq(nr_members(), 2);
		change_link(3, true);
		ck_assert(!is_gone("10.0.0.2"));
		ck_assert_str_eq(said, "2- 2+ ");
		ck_assert(paths__take_changed(paths));
		apply(config);
		ck_assert_uint_eq(nr_members(), 3);
		end();
	}
END_TEST

/* A device that is configured by name and is not there. */
START_TEST(a_configured_device_is_missing)
	{
		struct pintle_config *named = make_config(0, 1, 2, DELIVERY_PASS);

		begin(64, true);
		world.exists[2] = false;
		strcpy(named->services[0].pods[0].device, "nowhere0");
		apply(named);
		run_for(S);
		ck_assert(is_gone("10.0.0.1") && !is_gone("10.0.0.2"));
		change_link(2, true);
		ck_assert(!is_gone("10.0.0.1"));
		end();
	}
END_TEST

/* Without a route, or when the MAC is not answered, it is said, but the pod stays a member. */
START_TEST(no_route_is_said_only)
	{
		begin(64, true);
		world.exists[2] = false;
		apply(make_config(0, 1, 2, DELIVERY_PASS));
		run_for(S);
		ck_assert_str_eq(said, "1- ");
		ck_assert_ptr_nonnull(strstr(paths__reason(paths, id_of("10.0.0.1")), "no route"));
		ck_assert(!is_gone("10.0.0.1") && !paths__take_changed(paths));
		world.exists[2] = true;
		world.changes[0] = (struct net_change){ .kind = NET_CHANGE_ROUTE,
							.addr = addr_of("10.0.0.0"),
							.prefix_len = 24 };
		world.nr_changes = 1;
		paths__update(paths, world.now_ns);
		ck_assert_str_eq(said, "1- 1+ ");
		world.no_macs = true;
		world.changes[0] = (struct net_change){ .kind = NET_CHANGE_NEIGH, .addr = addr_of("10.0.0.2") };
		world.nr_changes = 1;
		paths__update(paths, world.now_ns);
		ck_assert_str_eq(said, "1- 1+ ");
		run_for(20 * S);
		ck_assert_str_eq(said, "1- 1+ 2- ");
		ck_assert_ptr_nonnull(strstr(paths__reason(paths, id_of("10.0.0.2")), "MAC"));
		world.no_macs = false;
		run_for(33 * S);
		ck_assert_str_eq(said, "1- 1+ 2- 2+ ");
		ck_assert(!paths__take_changed(paths));
		end();
	}
END_TEST

/* Nobody would find that they are back: pods beyond those that are watched are members. */
START_TEST(a_pod_that_is_not_watched_is_no_longer_gone)
	{
		struct pintle_config *more;

		begin(4096, true);
		apply(make_config(0, 1, 3, DELIVERY_PASS));
		run_for(S);
		change_link(3, false);
		ck_assert(is_gone("10.0.0.2"));
		more = make_config(1, 1, PRESENCE_MAX, DELIVERY_PASS);
		config_make__pod(&more->services[0], "10.0.0.2", 80);
		apply(more);
		ck_assert(!is_gone("10.0.0.2"));
		ck_assert(paths__take_changed(paths));
		end();
	}
END_TEST

int main(void)
{
	Suite *suite = suite_create("presence");
	TCase *tcase = tcase_create("presence");
	SRunner *runner;
	int failed;

	tcase_add_test(tcase, so_many_pods_are_watched);
	tcase_add_loop_test(tcase, a_pod_whose_device_is_gone, 0, 4);
	tcase_add_test(tcase, a_configured_device_is_missing);
	tcase_add_test(tcase, no_route_is_said_only);
	tcase_add_test(tcase, a_pod_that_is_not_watched_is_no_longer_gone);
	tcase_set_timeout(tcase, 60);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
