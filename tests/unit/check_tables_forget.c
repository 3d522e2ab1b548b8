/* SPDX-License-Identifier: BSD-2-Clause */
/* Counts outside the shared memory: forgotten once for each pod that is removed, before its id and slot are free. */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/tables_int.h"
#include "tests/unit/tables_fixture.h"

static struct arena arena;
static struct tables *t;
static struct pintle_err err;
static uint32_t graces;

static void (*in_grace)(void); /* what other CPUs do while we wait */

static int grace(void *arg)
{
	(void)arg;
	graces++;
	if (in_grace)
		in_grace();
	return 0;
}

/* What is kept outside the shared memory: calls by pod, the slot that was named, and whether the record was still the pod's. */
static struct {
	uint32_t calls[8], details[8], nr;
	int ret;
} forgotten;

static int forget(void *arg, uint16_t pod, uint32_t detail, struct pintle_err *ret_err)
{
	ck_assert_ptr_eq(arg, &forgotten);
	ck_assert_uint_lt(pod, 8);
	if (forgotten.ret)
		return pintle_err__set(ret_err, forgotten.ret, "pod %u is not forgotten", pod);
	ck_assert(arena.maps.pods[pod].flags & PINTLE_POD_IN_USE);
	forgotten.calls[pod]++;
	forgotten.details[pod] = detail;
	forgotten.nr++;
	return 0;
}

static void begin(void)
{
	arena__init(&arena, 2, 8, 0);
	memset(&forgotten, 0, sizeof(forgotten));
	graces = 0;
	arena.maps.forget = forget;
	arena.maps.forget_arg = &forgotten;
	ck_assert_int_eq(tables__open(&arena.maps, grace, NULL, &t, &err), 0);
}

static void end(void)
{
	tables__close(t);
	arena__destroy(&arena);
}

static int apply(const struct pintle_config *config)
{
	struct tables_applied applied;

	return tables__apply(t, config, NULL, NULL, &applied, &err);
}

static struct pintle_config *pods(uint32_t nr)
{
	struct pintle_config *config = config_make__new();
	struct cfg_service *service = config_make__service(config, "a", PINTLE_POLICY_RR);

	config_make__frontend(service, "10.96.0.1", IPPROTO_TCP, 1000);
	for (uint32_t i = 0; i < nr; i++) {
		char text[INET_ADDRSTRLEN];

		snprintf(text, sizeof(text), "10.0.0.%u", i + 1);
		config_make__pod(service, text, 80);
	}
	return config;
}

START_TEST(counts_of_removed_pods_are_forgotten_once)
	{
		struct pintle_config *four = pods(4), *none = pods(0);
		uint16_t detail[4];

		begin();
		for (uint32_t i = 0; i < 5; i++) /* slots are not ids */
			ck_assert_uint_eq(idset__take(&t->details), i);
		ck_assert_int_eq(apply(four), 0);
		for (uint32_t pod = 0; pod < 4; pod++)
			detail[pod] = arena.maps.pods[pod].detail;
		ck_assert_uint_eq(detail[2], 5 + 2 + 1);
		arena.maps.pods[3].detail = 0; /* it got no slot */
		idset__drop(&t->details, detail[3] - 1u);
		arena.maps.flows[0].slot[3].state = 1 | PINTLE_FS_VALID; /* of pod 1 */
		ck_assert_int_eq(apply(none), 0);
		ck_assert_uint_eq(forgotten.nr, 0); /* neither new pods nor pods that linger */
		graces = 0;
		ck_assert_int_eq(tables__reap(t, &err), 3);
		ck_assert_uint_ge(graces, 1);
		ck_assert_uint_eq(forgotten.nr, 3);
		for (uint32_t pod = 0; pod < 4; pod++)
			ck_assert_uint_eq(forgotten.calls[pod], pod != 1);
		ck_assert_uint_eq(forgotten.details[0], detail[0] - 1u);
		ck_assert_uint_eq(forgotten.details[2], detail[2] - 1u);
		ck_assert_uint_eq(forgotten.details[3], TABLES_NO_DETAIL);
		ck_assert_int_eq(tables__reap(t, &err), 0);
		arena.maps.flows[0].slot[3].state = 0;
		ck_assert_int_eq(tables__reap(t, &err), 1);
		ck_assert_uint_eq(forgotten.nr, 4);
		ck_assert_uint_eq(forgotten.details[1], detail[1] - 1u);
		ck_assert_int_eq(apply(four), 0); /* new ones: nothing to forget */
		ck_assert_uint_eq(forgotten.nr, 4);
		end();
		config_make__free(four);
		config_make__free(none);
	}
END_TEST

START_TEST(a_pod_that_cannot_be_forgotten_keeps_its_id)
	{
		struct pintle_config *four = pods(4), *none = pods(0);

		begin();
		ck_assert_int_eq(apply(four), 0);
		ck_assert_int_eq(apply(none), 0);
		forgotten.ret = -ENOMEM;
		ck_assert_int_eq(tables__reap(t, &err), -ENOMEM);
		ck_assert_ptr_nonnull(strstr(err.msg, "not forgotten"));
		ck_assert_uint_eq(t->pods.used, 4);
		ck_assert_uint_eq(tables__lingering(t), 4);
		/* the agent goes here: nothing leads to the records any more, and the next one forgets or does not begin */
		tables__close(t);
		t = NULL;
		ck_assert_int_eq(tables__open(&arena.maps, grace, NULL, &t, &err), -ENOMEM);
		forgotten.ret = 0;
		arena.maps.pods[1].detail = UINT16_MAX; /* somebody else's writing */
		ck_assert_int_eq(tables__open(&arena.maps, grace, NULL, &t, &err), 0);
		ck_assert_uint_eq(forgotten.nr, 4);
		for (uint32_t pod = 0; pod < 4; pod++) {
			ck_assert_uint_eq(forgotten.calls[pod], 1);
			ck_assert_uint_eq(forgotten.details[pod], pod == 1 ? TABLES_NO_DETAIL : pod);
		}
		ck_assert_uint_eq(t->pods.used, 0);
		tables__close(t);
		ck_assert_int_eq(tables__open(&arena.maps, grace, NULL, &t, &err), 0);
		ck_assert_uint_eq(forgotten.nr, 4); /* once */
		end();
		config_make__free(four);
		config_make__free(none);
	}
END_TEST

static void publish_flow_of_pod_2(void)
{
	arena.maps.flows[0].slot[1].state = 2 | PINTLE_FS_VALID;
}

/* A program that chose the pod before it left publishes its flow while we wait: only then is the table looked at. */
START_TEST(a_flow_on_its_way_keeps_its_pod)
	{
		struct pintle_config *four = pods(4), *none = pods(0);

		begin();
		ck_assert_int_eq(apply(four), 0);
		ck_assert_int_eq(apply(none), 0);
		t->needs_grace = true; /* nobody has waited since the members went */
		in_grace = publish_flow_of_pod_2;
		ck_assert_int_eq(tables__reap(t, &err), 3);
		in_grace = NULL;
		ck_assert_uint_eq(tables__lingering(t), 1);
		ck_assert(arena.maps.pods[2].flags & PINTLE_POD_IN_USE);
		end();
		config_make__free(four);
		config_make__free(none);
	}
END_TEST

static uint32_t seen_pods, seen_entries;

static void look_at_pods(void)
{
	seen_pods = seen_entries = 0;
	for (uint16_t pod = 0; pod < 4; pod++) {
		const uint32_t addr_be[4] = { htonl(0x0a000001u + pod) };

		seen_pods += arena.maps.pods[pod].flags & PINTLE_POD_IN_USE;
		seen_entries += maps__see_pod(&arena.maps, 4, addr_be, htons(80)) >= 0;
	}
}

/* A program that has found a reverse entry still reads the pod's record: the wait is between the two. */
START_TEST(records_outlive_their_entries_by_a_wait)
	{
		struct pintle_config *four = pods(4), *none = pods(0);

		begin();
		ck_assert_int_eq(apply(four), 0);
		ck_assert_int_eq(apply(none), 0);
		t->needs_grace = false;
		graces = 0;
		look_at_pods();
		ck_assert_uint_eq(seen_entries, 4);
		in_grace = look_at_pods;
		ck_assert_int_eq(tables__reap(t, &err), 4);
		in_grace = NULL;
		ck_assert_uint_eq(graces, 1);
		ck_assert_uint_eq(seen_entries, 0);
		ck_assert_uint_eq(seen_pods, 4);
		look_at_pods();
		ck_assert_uint_eq(seen_pods, 0);
		end();
		config_make__free(four);
		config_make__free(none);
	}
END_TEST

int main(void)
{
	Suite *suite = suite_create("tables_forget");
	TCase *tcase = tcase_create("forget");
	SRunner *runner;
	int failed;

	tcase_add_test(tcase, counts_of_removed_pods_are_forgotten_once);
	tcase_add_test(tcase, a_pod_that_cannot_be_forgotten_keeps_its_id);
	tcase_add_test(tcase, a_flow_on_its_way_keeps_its_pod);
	tcase_add_test(tcase, records_outlive_their_entries_by_a_wait);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
