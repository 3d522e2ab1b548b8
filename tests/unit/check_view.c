/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The viewing verbs on tables in plain memory: their text and JSON against tests/golden. GOLDEN_UPDATE=1 writes the files anew (look at the
 * difference before committing it).
 */
#include <check.h>
#include <cjson/cJSON.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/choose.h"
#include "agent/flowview.h"
#include "agent/opt.h"
#include "agent/view.h"
#include "pintle/verdict.h"
#include "tests/unit/view_fixture.h"

static void show_service_list(struct out *out)
{
	view__service_list(&view_opened, out);
}

/* The tables were not applied again yet since a device went: the pod is named and still a member. */
static void show_service(struct out *out)
{
	view_arena.maps.pods[view_fixture__pod("10.1.0.2:8080")].flags |= PINTLE_POD_GONE;
	view_fixture__reopen();
	ck_assert_int_eq(view__service_show(&view_opened, "shop/web", out, NULL), 0);
}

static const char report[] =
	"{\"pin_dir\": \"/pins\", \"reasons\": [{\"reason\": \"self-test: nothing arrived\", \"pods\": [\"10.1.0.2:8080\", \"10.1.0.1:8080\"]},"
	"{\"reason\": \"no route leads to it\", \"unreachable\": true, \"pods\": [\"10.1.0.4:53\"]}],"
	"\"alarms\": [{\"device\": \"veth8\", \"ifindex\": 8, \"text\": \"redirected packets vanish\","
	"\"redirected_packets\": 50, \"arrived_packets\": 2}]}";

/* One is redirected, whatever the report says of it; two and four have a reason; [fd00::1] should be redirected, and nobody says why not. */
static void show_pods(struct out *out)
{
	uint16_t one = view_fixture__pod("10.1.0.1:8080"), two = view_fixture__pod("10.1.0.2:8080"),
		 three = view_fixture__pod("10.1.0.3:53");
	uint8_t mac[6] = { 2, 0, 0, 0, 0, 1 };

	tables__set_path(view_tables, one, 7, 1, mac, mac);
	tables__set_redirect(view_tables, one, true);
	tables__set_path(view_tables, two, 8, 2, mac, mac);
	view_arena.maps.pods[three].flags |= PINTLE_POD_DRAIN;
	view_fixture__report(report);
	ck_assert_int_eq(view__pod_list(&view_opened, NULL, out, NULL), 0);
}

static void show_delivery(struct out *out)
{
	uint16_t one = view_fixture__pod("10.1.0.1:8080");
	uint8_t mac[6] = { 2, 0, 0, 0, 0, 1 };

	tables__set_path(view_tables, one, 7, 1, mac, mac);
	tables__set_redirect(view_tables, one, true);
	view_fixture__report(report);
	out__record(out, NULL, NULL);
	view__delivery(&view_opened, out);
	out__end(out);
}

/* Neither agent nor file. */
static void show_delivery_unknown(struct out *out)
{
	view_fixture__report(NULL);
	out__record(out, NULL, NULL);
	view__delivery(&view_opened, out);
	out__end(out);
}

static void show_flows(struct out *out)
{
	struct view_flow_filter all = { 0 };

	ck_assert_int_eq(view__flows_list(&view_opened, &all, out, NULL), 0);
}

static void show_some_flows(struct out *out)
{
	struct view_flow_filter some = { .service = "shop/web", .client = "192.0.2.1", .limit = 1 };

	ck_assert_int_eq(view__flows_list(&view_opened, &some, out, NULL), 0);
}

static void show_top_pods(struct out *out)
{
	ck_assert_int_eq(view__flows_top(&view_opened, FLOWS_BY_POD, 2, out, NULL), 0);
}

static void show_top_clients(struct out *out)
{
	ck_assert_int_eq(view__flows_top(&view_opened, FLOWS_BY_CLIENT, 0, out, NULL), 0);
}

static void show_top_frontends(struct out *out)
{
	ck_assert_int_eq(view__flows_top(&view_opened, FLOWS_BY_FRONTEND, 0, out, NULL), 0);
}

static void show_explain(struct out *out)
{
	ck_assert_int_eq(view__flows_explain(&view_opened, "192.0.2.1:40000", "10.96.0.1:80/tcp", out, NULL), 0);
}

static void show_explain_new(struct out *out)
{
	ck_assert_int_eq(view__flows_explain(&view_opened, "192.0.2.77:1234", "10.96.0.53:53/udp", out, NULL), 0);
}

static void show_explain_none(struct out *out)
{
	ck_assert_int_eq(view__flows_explain(&view_opened, "192.0.2.77:1234", "10.96.0.9:80/tcp", out, NULL), 0);
}

static void show_stats(struct out *out)
{
	uint64_t verdicts[PINTLE_V_MAX] = { 0 };

	verdicts[PINTLE_V_STEER_PASS] = 41;
	verdicts[PINTLE_V_REJECT_PORT] = 1;
	verdicts[PINTLE_V_REV_STEER] = 40;
	view__stats(verdicts, false, out);
}

static const struct {
	const char *name;
	void (*show)(struct out *out);
} documents[] = {
	{ "service_list", show_service_list },
	{ "service_show", show_service },
	{ "pod_list", show_pods },
	{ "delivery", show_delivery },
	{ "delivery_unknown", show_delivery_unknown },
	{ "flows_list", show_flows },
	{ "flows_list_some", show_some_flows },
	{ "flows_top_pod", show_top_pods },
	{ "flows_top_client", show_top_clients },
	{ "flows_top_frontend", show_top_frontends },
	{ "flows_explain", show_explain },
	{ "flows_explain_new", show_explain_new },
	{ "flows_explain_none", show_explain_none },
	{ "stats", show_stats },
};
#define NR_DOCUMENTS (int)(sizeof(documents) / sizeof(documents[0]))

static char *render(int document, enum out_format format, size_t *ret_bytes)
{
	char *text = NULL;
	FILE *file = open_memstream(&text, ret_bytes);
	struct out *out = out__open(file, format);

	ck_assert_ptr_nonnull(out);
	documents[document].show(out);
	ck_assert_int_eq(out__close(out), 0);
	ck_assert_int_eq(fclose(file), 0);
	return text;
}

static char *slurp(const char *path)
{
	FILE *file = fopen(path, "r");
	char *text = calloc(1, 65536);

	ck_assert_msg(file != NULL, "%s: %s", path, strerror(errno));
	ck_assert_uint_lt(fread(text, 1, 65535, file), 65535);
	fclose(file);
	return text;
}

START_TEST(test_golden)
	{
		static const char *const suffixes[] = { "txt", "json", "jsonl" };
		enum out_format format = (enum out_format)(_i % 3);
		char path[128], *text, *expected;
		size_t bytes;

		text = render(_i / 3, format, &bytes);
		snprintf(path, sizeof(path), "tests/golden/%s.%s", documents[_i / 3].name, suffixes[format]);
		if (getenv("GOLDEN_UPDATE")) {
			FILE *file = fopen(path, "w");

			ck_assert_ptr_nonnull(file);
			fputs(text, file);
			fclose(file);
		}
		expected = slurp(path);
		ck_assert_msg(!strcmp(text, expected), "%s differs:\n%s", path, text);
		if (format == OUT_JSON) {
			cJSON *json = cJSON_Parse(text);

			ck_assert_ptr_nonnull(json);
			cJSON_Delete(json);
		}
		free(expected);
		free(text);
	}
END_TEST

int main(void)
{
	Suite *suite = suite_create("view");
	TCase *tc = tcase_create("golden");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tc, view_fixture__setup, view_fixture__teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, test_golden, 0, 3 * NR_DOCUMENTS);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
