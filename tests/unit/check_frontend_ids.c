// SPDX-License-Identifier: BSD-2-Clause
/* An id that a frontend left is not given to another while a flow may have it in its key. */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <time.h>

#include "agent/tables_plan.h"
#include "tests/unit/tables_fixture.h"

static struct arena arena;
static struct tables *t;
static struct pintle_err err;
static struct tables_applied applied;
static struct pintle_config *config;

static int grace(void *arg)
{
	(void)arg;
	return 0;
}

static void begin(uint32_t max_frontends)
{
	arena__init(&arena, max_frontends, 16, 0);
	config = NULL;
	ck_assert_int_eq(tables__open(&arena.maps, grace, NULL, &t, &err), 0);
}

static void end(void)
{
	tables__close(t);
	config_make__free(config);
	arena__destroy(&arena);
}

static void reopen(void)
{
	tables__close(t);
	t = NULL;
	ck_assert_msg(!tables__open(&arena.maps, grace, NULL, &t, &err), "%s", err.msg);
}

/* One service with frontends on the ports from..to, of one family. */
static int apply(const char *vip, uint16_t from, uint16_t to)
{
	struct pintle_config *next = config_make__new();
	struct cfg_service *service = config_make__service(next, "s", PINTLE_POLICY_RR);
	uint16_t port;
	int ret;

	for (port = from; port <= to; port++)
		config_make__frontend(service, vip, IPPROTO_TCP, port);
	config_make__pod(service, strchr(vip, ':') ? "fd01::1" : "10.0.0.1", 8080);
	ret = tables__apply(t, next, NULL, NULL, &applied, &err);
	config_make__free(ret ? next : config);
	if (!ret)
		config = next;
	return ret;
}

static uint16_t id_of(const char *vip, uint16_t port)
{
	struct ip_addr addr = addr_of(vip);

	return maps__see(&arena.maps, &addr, port, IPPROTO_TCP).frontend;
}

static const struct pintle_seed *seed(void)
{
	static struct pintle_seed s;

	s = (struct pintle_seed){ arena.meta.seed[0], arena.meta.seed[1] | 1, arena.meta.seed[2] | 1, arena.meta.seed[3] };
	return &s;
}

static void put_flow(uint32_t slot, uint16_t frontend, uint64_t family)
{
	const uint32_t addr_be[4] = { htonl(0xc0000201) };
	struct pintle_slot *to = &arena.maps.flows[slot / PINTLE_BUCKET_SLOTS].slot[slot % PINTLE_BUCKET_SLOTS];

	to->key = family ? pintle_flow_key6(addr_be, htons(5000), frontend, seed())
			 : pintle_flow_key4(addr_be[0], htons(5000), frontend, seed());
	to->state = PINTLE_FS_VALID | PINTLE_FS_EST | family;
}

static void end_flows(void)
{
	memset(arena.maps.flows, 0, arena.meta.nr_buckets * sizeof(*arena.maps.flows));
}

static void pass(uint32_t seconds)
{
	for (uint32_t id = 0; id < arena.meta.max_frontends; id++)
		if (arena.maps.frontends[id].left_s)
			arena.maps.frontends[id].left_s -= seconds;
}

static void beat(uint32_t seconds_ago)
{
	arena.maps.ctl->heartbeat_ns = (frontends__now_s() - seconds_ago) * 1000000000ull;
}

/* Not even after a restart, which begins to look for ids from the start. */
START_TEST(held_for_the_longest_life)
	{
		uint32_t hold_s;
		uint16_t left;

		begin(8);
		ck_assert_int_eq(apply("10.96.0.1", 80, 80), 0);
		left = id_of("10.96.0.1", 80);
		ck_assert_int_eq(apply("10.96.0.1", 81, 81), 0);
		beat(1);
		reopen();
		hold_s = frontends__hold_s(t);
		ck_assert_uint_gt(hold_s, 7200 + 120); /* the default tcp_idle, and awaiting before */
		ck_assert_uint_lt(hold_s, 7200 + 120 + 200 + 16);
		ck_assert_int_eq(apply("10.96.0.1", 81, 82), 0);
		ck_assert_uint_ne(id_of("10.96.0.1", 82), left);
		pass(hold_s - 2);
		reopen();
		ck_assert_int_eq(apply("10.96.0.1", 81, 83), 0);
		ck_assert_uint_ne(id_of("10.96.0.1", 83), left);
		pass(2);
		reopen();
		ck_assert_int_eq(apply("10.96.0.1", 81, 84), 0);
		ck_assert_uint_eq(id_of("10.96.0.1", 84), left);
		ck_assert_uint_eq(arena.maps.frontends[left].left_s, 0);
		end();
	}
END_TEST

/* Nobody sweeps while no agent runs: that time does not count. */
START_TEST(absence_does_not_count)
	{
		uint16_t left;

		begin(8);
		ck_assert_int_eq(apply("10.96.0.1", 80, 80), 0);
		left = id_of("10.96.0.1", 80);
		ck_assert_int_eq(apply("10.96.0.1", 81, 81), 0);
		pass(frontends__hold_s(t) + 10);
		if (_i)
			beat(600); /* else it has never beaten */
		reopen();
		ck_assert_int_eq(apply("10.96.0.1", 81, 82), 0);
		ck_assert_uint_ne(id_of("10.96.0.1", 82), left);
		end();
	}
END_TEST

/* Ids run out: those that no flow has are found, the others are not given. _i: IPv6, where any flow may have any. */
START_TEST(short_of_ids)
	{
		const char *vip = _i ? "fd00::1" : "10.96.0.1";
		const uint64_t family = _i ? PINTLE_FS_V6 : 0;
		uint16_t ids[4], k;

		begin(4);
		ck_assert_int_eq(apply(vip, 80, 83), 0);
		for (k = 0; k < 4; k++)
			ids[k] = id_of(vip, (uint16_t)(80 + k));
		put_flow(5, ids[1], family);
		ck_assert_int_eq(apply(vip, 80, 80), 0); /* three go */
		ck_assert_int_eq(apply(vip, 80, 83), -ENOSPC);
		ck_assert_ptr_nonnull(strstr(err.msg, "--max-frontends"));
		ck_assert_uint_eq(id_of(vip, 80), ids[0]); /* as it was */
		if (!_i) {				   /* two of them are free, and are not that of the flow */
			ck_assert_int_eq(apply(vip, 80, 82), 0);
			for (k = 1; k < 3; k++)
				ck_assert_uint_ne(id_of(vip, (uint16_t)(80 + k)), ids[1]);
			ck_assert_int_eq(apply(vip, 80, 83), -ENOSPC);
		}
		end_flows();
		ck_assert_int_eq(apply(vip, 80, 83), 0);
		end();
	}
END_TEST

/* All change at once: an id that goes is given again in the same apply only where no flow has it. */
START_TEST(going_and_coming)
	{
		begin(4);
		ck_assert_int_eq(apply("10.96.0.1", 80, 83), 0);
		ck_assert_int_eq(apply("10.96.0.1", 90, 93), 0);
		put_flow(9, id_of("10.96.0.1", 92), 0);
		ck_assert_int_eq(apply("10.96.0.1", 100, 103), -ENOSPC);
		ck_assert_uint_lt(id_of("10.96.0.1", 93), 4);
		ck_assert_int_eq(apply("10.96.0.1", 100, 102), 0);
		end();
	}
END_TEST

int main(void)
{
	Suite *suite = suite_create("frontend_ids");
	TCase *tc = tcase_create("frontend_ids");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, held_for_the_longest_life);
	tcase_add_loop_test(tc, absence_does_not_count, 0, 2);
	tcase_add_loop_test(tc, short_of_ids, 0, 2);
	tcase_add_test(tc, going_and_coming);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
