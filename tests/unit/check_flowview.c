/* SPDX-License-Identifier: BSD-2-Clause */
/* Parts of the viewing verbs: keys inverted, looking things up, quantiles, the choice in user space, tables that make no sense. */
#include <check.h>
#include <cjson/cJSON.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/choose.h"
#include "agent/cmd.h"
#include "agent/flowview.h"
#include "agent/opt.h"
#include "agent/view.h"
#include "pintle/verdict.h"
#include "tests/unit/view_fixture.h"

START_TEST(test_unmix_inverts)
	{
		uint64_t state = 42;
		unsigned int i;

		for (i = 0; i < 1000000; i++) {
			struct pintle_seed seed;
			uint64_t words[5];
			unsigned int w;

			for (w = 0; w < 5; w++)
				words[w] = (uint64_t)random_below(&state, UINT32_MAX) << 32 | random_below(&state, UINT32_MAX);
			seed = (struct pintle_seed){ words[0], words[1] | 1, words[2] | 1, words[3] };
			ck_assert_uint_eq(flowview__unmix(pintle_mix(words[4], &seed), &seed), words[4]);
		}
	}
END_TEST

START_TEST(test_names_unknown)
	{
		char name[64];
		bool wanted[17] = { false };
		struct pintle_err err;

		names__free(view_names);
		view_names = NULL;
		view_fixture__reopen();
		view__service_name(&view_opened, 0, name, sizeof(name));
		ck_assert_str_eq(name, "service 0");
		ck_assert_int_eq(view__find_service(&view_opened, "shop/web", wanted, &err), -ENOENT);
		ck_assert_ptr_nonnull(strstr(err.msg, "names are not known here"));
		ck_assert_int_eq(view__find_service(&view_opened, "10.96.0.53:53/udp", wanted, &err), 0);
	}
END_TEST

START_TEST(test_find)
	{
		bool wanted[17] = { false };
		struct pintle_err err;
		uint16_t pod;
		int i, n = 0;

		ck_assert_int_eq(view__find_service(&view_opened, "shop/web", wanted, &err), 0);
		for (i = 0; i < 16; i++)
			n += wanted[i];
		ck_assert_int_eq(n, 2); /* both families */
		ck_assert_int_eq(view__find_service(&view_opened, "shop/wed", wanted, &err), -ENOENT);
		ck_assert_str_eq(err.msg, "no service \"shop/wed\"; did you mean \"shop/web\"?");
		ck_assert_int_eq(view__find_service(&view_opened, "10.96.0.1:81/tcp", wanted, &err), -ENOENT);
		ck_assert_int_eq(view__find_service(&view_opened, "9", wanted, &err), -ENOENT);
		ck_assert_int_eq(view__find_pod(&view_opened, "10.1.0.1:8081", &pod, &err), -ENOENT);
		ck_assert_int_eq(view__find_pod(&view_opened, "10.1.0.1", &pod, &err), -EINVAL);
		ck_assert_str_eq(err.msg, "\"10.1.0.1\" is not ADDRESS:PORT, as in 10.0.0.1:80 or [2001:db8::1]:80");
	}
END_TEST

/* Exit codes: a word that is written wrong, and one that names nothing. */
START_TEST(test_words)
	{
		static const char *const pods[] = { "bad", "10.1.0.1", "10.1.0.1:0", "10.1.0.1:80/tcp" };
		struct view_flow_filter filter = { .client = "1.2.3" };
		struct out *out = out__open(stdout, OUT_TEXT);
		struct cmd_args args = { 0 };
		struct pintle_err err;
		uint16_t pod;

		for (size_t i = 0; i < sizeof(pods) / sizeof(pods[0]); i++) {
			ck_assert_int_eq(view__find_pod(&view_opened, pods[i], &pod, &err), -EINVAL);
			ck_assert_int_eq(cmd__fail(&args, &err), CMD_USAGE);
		}
		ck_assert_int_eq(view__find_pod(&view_opened, "10.1.0.1:8081", &pod, &err), -ENOENT);
		ck_assert_int_eq(cmd__fail(&args, &err), CMD_FAILURE);
		ck_assert_int_eq(view__flows_list(&view_opened, &filter, out, &err), -EINVAL);
		ck_assert_int_eq(cmd__fail(&args, &err), CMD_USAGE);
		ck_assert_int_eq(view__flows_explain(&view_opened, "A:1", "10.96.0.1:80/tcp", out, &err), -EINVAL);
		ck_assert_int_eq(cmd__fail(&args, &err), CMD_USAGE);
		ck_assert_int_eq(view__flows_explain(&view_opened, "192.0.2.1:1", "10.96.0.1:80", out, &err), -EINVAL);
		ck_assert_int_eq(cmd__fail(&args, &err), CMD_USAGE);
		ck_assert_int_eq(view__flows_explain(&view_opened, "192.0.2.1:1", "10.96.0.1:81/tcp", out, &err), -ENOENT);
		ck_assert_int_eq(cmd__fail(&args, &err), CMD_FAILURE);
		ck_assert_int_eq(out__close(out), 0);
	}
END_TEST

START_TEST(test_explain_errors)
	{
		struct out *out = out__open(stdout, OUT_TEXT);
		struct pintle_err err;

		ck_assert_int_eq(view__flows_explain(&view_opened, "192.0.2.1:1", "[2001:db8::80]:80/tcp", out, &err), -EINVAL);
		ck_assert_ptr_nonnull(strstr(err.msg, "different address families"));
		ck_assert_int_eq(view__flows_explain(&view_opened, "192.0.2.1:1", "10.96.0.1:80", out, &err), -EINVAL);
		ck_assert_int_eq(view__flows_explain(&view_opened, "192.0.2.1:1", "10.96.0.1:81/tcp", out, &err), -ENOENT);
		ck_assert_int_eq(out__close(out), 0);
	}
END_TEST

START_TEST(test_agent_alive)
	{
		ck_assert(view__agent_alive(&view_opened));
		view_arena.maps.ctl->heartbeat_ns = VIEW_MONO_NS - VIEW_AGENT_ALIVE_NS - 1;
		ck_assert(!view__agent_alive(&view_opened));
		view_arena.maps.ctl->heartbeat_ns = 0;
		ck_assert(!view__agent_alive(&view_opened));
		view_arena.maps.ctl->heartbeat_ns = VIEW_MONO_NS + 5; /* it ticked after we looked at the clock */
		ck_assert(view__agent_alive(&view_opened));
	}
END_TEST

START_TEST(test_quantile)
	{
		uint32_t hist[PINTLE_HIST_BUCKETS] = { 0 };
		uint64_t ns;

		ck_assert(!view__quantile_ns(hist, 0.5, &ns));
		hist[3] = 100; /* 8 to 16 us */
		ck_assert(view__quantile_ns(hist, 0.5, &ns));
		ck_assert_uint_eq(ns, 12000);
		hist[0] = 100; /* 0 to 2 us */
		ck_assert(view__quantile_ns(hist, 0.25, &ns));
		ck_assert_uint_eq(ns, 1000);
		ck_assert(view__quantile_ns(hist, 1.0, &ns));
		ck_assert_uint_eq(ns, 16000);
		hist[31] = 1000000;
		ck_assert(view__quantile_ns(hist, 1.0, &ns));
		ck_assert_uint_eq(ns, 4294967296000);
	}
END_TEST

/* Every verdict is there once, under its direction's sum. */
START_TEST(test_stats_sum)
	{
		uint64_t verdicts[PINTLE_V_MAX];
		double sums[2] = { 0 };
		char *text = NULL;
		size_t bytes;
		FILE *file = open_memstream(&text, &bytes);
		struct out *out = out__open(file, OUT_JSON);
		const cJSON *row;
		cJSON *json;
		int v;

		for (v = 0; v < PINTLE_V_MAX; v++)
			verdicts[v] = (uint64_t)v * 1000 + 1;
		view__stats(verdicts, true, out);
		out__close(out);
		fclose(file);
		json = cJSON_Parse(text);
		ck_assert_int_eq(cJSON_GetArraySize(cJSON_GetObjectItem(json, "verdicts")), PINTLE_V_MAX - 1);
		cJSON_ArrayForEach (row, cJSON_GetObjectItem(json, "verdicts"))
			sums[!strcmp(cJSON_GetObjectItem(row, "direction")->valuestring, "reverse")] +=
				cJSON_GetObjectItem(row, "packets")->valuedouble;
		ck_assert_double_eq(sums[0], cJSON_GetObjectItem(json, "forward_packets")->valuedouble);
		ck_assert_double_eq(sums[1], cJSON_GetObjectItem(json, "reverse_packets")->valuedouble);
		ck_assert_double_gt(sums[1], 0);
		cJSON_Delete(json);
		free(text);
	}
END_TEST

/* Tables that make no sense (torn, hostile) are shown as unknown, never read out of bounds (ASan). */
START_TEST(test_broken_tables)
	{
		struct view_flow_filter all = { 0 };
		char *text = NULL;
		size_t bytes;
		FILE *file = open_memstream(&text, &bytes);
		struct out *out = out__open(file, OUT_JSONL);
		uint64_t state = 7;
		int round;
		uint32_t i;

		for (round = 0; round < 200; round++) {
			uint8_t *tables_memory[] = { (uint8_t *)view_arena.maps.frontends, (uint8_t *)view_arena.maps.services,
						     (uint8_t *)view_arena.maps.pods,	   (uint8_t *)view_arena.maps.members,
						     (uint8_t *)view_arena.maps.siblings,  (uint8_t *)view_arena.maps.flows };
			size_t sizes[] = { sizeof(*view_arena.maps.frontends) * 16,
					   sizeof(*view_arena.maps.services) * 16,
					   sizeof(*view_arena.maps.pods) * 16,
					   sizeof(*view_arena.maps.members) * 4 * view_arena.meta.member_lines,
					   sizeof(*view_arena.maps.siblings) * 16,
					   sizeof(*view_arena.maps.flows) * view_arena.meta.nr_buckets };

			for (i = 0; i < 20; i++) {
				uint32_t t = random_below(&state, 6);

				tables_memory[t][random_below(&state, (uint32_t)sizes[t])] = (uint8_t)random_below(&state, 256);
			}
			view_fixture__reopen();
			view__service_list(&view_opened, out);
			ck_assert_int_eq(view__pod_list(&view_opened, NULL, out, NULL), 0);
			ck_assert_int_eq(view__flows_list(&view_opened, &all, out, NULL), 0);
			ck_assert_int_eq(view__flows_top(&view_opened, FLOWS_BY_FRONTEND, 0, out, NULL), 0);
			(void)view__flows_explain(&view_opened, "192.0.2.1:40000", "10.96.0.1:80/tcp", out, NULL);
		}
		out__close(out);
		fclose(file);
		free(text);
	}
END_TEST

/* The choice in user space: each policy's rule, on loads set by hand. */
START_TEST(test_choose)
	{
		struct choose_flow flow = { .family = 4, .proto = IPPROTO_TCP, .saddr_be = { 1 }, .sport_be = 2 };
		struct choose_member members[4];
		struct choose_result result;
		uint16_t one = view_fixture__pod("10.1.0.1:8080"), two = view_fixture__pod("10.1.0.2:8080"), frontend, service;
		struct ip_addr vip = addr_of("10.96.0.1");
		struct pintle_pool *pool;

		ck_assert_int_eq(table_maps__find_frontend(&view_arena.maps, &vip, IPPROTO_TCP, 80, &frontend, &service), 0);
		flow.key = choose__key(&view_arena.maps, &flow);
		pool = (struct pintle_pool *)choose__pool(&view_arena.maps, service);
		/* Gains 2^14 and 2^13, concurrency 1 and 4: the second wins until its score is higher. */
		view_arena.maps.loads[one] = view_arena.maps.loads[two] = (struct pintle_load){ 0 };
		ck_assert_int_eq(choose__explain(&view_arena.maps, service, &flow, members, &result), 0);
		ck_assert_uint_eq(members[result.member].pod, two);
		view_arena.maps.loads[two].awaiting = 30; /* psi = 61 / 4: 13 + 3.9 > 14 */
		ck_assert_int_eq(choose__explain(&view_arena.maps, service, &flow, members, &result), 0);
		ck_assert_uint_eq(members[result.member].pod, one);
		pool->policy = PINTLE_POLICY_LEASTCONN;
		view_arena.maps.loads[one].awaiting = 31;
		ck_assert_int_eq(choose__explain(&view_arena.maps, service, &flow, members, &result), 0);
		ck_assert_uint_eq(members[result.member].pod, two);
		pool->policy = PINTLE_POLICY_P2C;
		ck_assert_int_eq(choose__explain(&view_arena.maps, service, &flow, members, &result), 0);
		ck_assert_uint_eq(members[result.member].pod, two); /* two members: both are looked at */
		pool->flags |= PINTLE_SVC_LOAD_OPEN;
		view_arena.maps.loads[two].open = 5;
		ck_assert_int_eq(choose__explain(&view_arena.maps, service, &flow, members, &result), 0);
		ck_assert_uint_eq(members[result.member].pod, one);
		pool->policy = PINTLE_POLICY_RR;
		view_arena.maps.services[service].rr_next = 7;
		ck_assert_int_eq(choose__explain(&view_arena.maps, service, &flow, members, &result), 0);
		ck_assert_uint_eq(result.member, 1);
		pool->nr_members = 0;
		ck_assert_int_eq(choose__explain(&view_arena.maps, service, &flow, members, &result), 0);
		ck_assert_uint_eq(result.member, CHOOSE_NONE);
		ck_assert_int_eq(choose__explain(&view_arena.maps, 15, &flow, members, &result), -ENOENT);
	}
END_TEST

int main(void)
{
	Suite *suite = suite_create("view");
	TCase *tc = tcase_create("parts");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tc, view_fixture__setup, view_fixture__teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, test_unmix_inverts);
	tcase_add_test(tc, test_names_unknown);
	tcase_add_test(tc, test_find);
	tcase_add_test(tc, test_words);
	tcase_add_test(tc, test_explain_errors);
	tcase_add_test(tc, test_agent_alive);
	tcase_add_test(tc, test_quantile);
	tcase_add_test(tc, test_stats_sum);
	tcase_add_test(tc, test_broken_tables);
	tcase_add_test(tc, test_choose);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
