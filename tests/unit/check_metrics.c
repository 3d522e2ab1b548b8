/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The export of metrics.def on tables in plain memory, against tests/golden (GOLDEN_UPDATE=1 writes the files anew; look at the difference). That
 * others can read it is shown by tests/net/test_metrics.sh, with a parser of somebody else.
 */
#include <check.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/metrics.h"
#include "pintle/verdict.h"
#include "tests/unit/view_fixture.h"

static uint64_t verdicts[PINTLE_V_MAX];
static struct metrics_policies policies;

/* As the agent writes it, less what the metrics do not look at. The second name is nobody's; the last of a pair is not believed. */
static const char policy_state[] =
	"{\"version\": 1, \"telemetry_to_table\": {\"count\": 9, \"sum_ns\": 9000123, "
	"\"below\": [0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 3, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]}, \"services\": ["
	"{\"service\": \"shop/web\", \"family\": 4, \"production\": {\"name\": \"new \\\"m\\\"\", \"crc32c\": \"0000abcd\"}, "
	"\"candidate\": null}, "
	"{\"service\": \"gone\", \"family\": 4, \"production\": {\"name\": \"plain\", \"crc32c\": null}}, "
	"{\"service\": \"shop/web\", \"family\": 6, \"production\": {\"name\": \"gains\", \"crc32c\": null}, "
	"\"candidate\": {\"name\": \"b.ptm\", \"crc32c\": \"12345678\"}}, "
	"{\"service\": \"shop/web\", \"family\": 6, \"production\": {\"name\": \"twice\", \"crc32c\": null}}]}";

static int fake_classes(void *arg, uint32_t slot, struct guard_counts ret[PINTLE_NR_CLASSES], struct pintle_err *err)
{
	(void)arg;
	if (slot == 99)
		return pintle_err__set(err, -EIO, "slot 99");
	memset(ret, 0, PINTLE_NR_CLASSES * sizeof(*ret));
	for (uint32_t c = 0; c < PINTLE_NR_CLASSES; c++) {
		ret[c] = (struct guard_counts){ .flows = 1000 * (slot + 1) + c, .failed = c, .latency_ns = 3000000 + c };
		ret[c].hist[0] = 1;			  /* from 1.024 us */
		ret[c].hist[6 * 8 - 1] = 2;		  /* to 65.536 us */
		ret[c].hist[6 * 8] = 4;			  /* from there */
		ret[c].hist[PINTLE_FINE_BUCKETS - 1] = 8; /* and longer than any that has an end */
	}
	return 0;
}

/* 0: not counted by class. */
static void set_slot(uint32_t service, uint16_t slot)
{
	struct pintle_service *s = &view_arena.maps.services[service];

	s->pool[0].class_slot = s->pool[1].class_slot = slot;
}

static void setup(void)
{
	policies = (struct metrics_policies){ .state = cJSON_Parse(policy_state), .classes = fake_classes };
	ck_assert_ptr_nonnull(policies.state);
	view_fixture__setup();
	strcpy(view_arena.meta.build, "v1 \"x\"\\\n");
	view_arena.maps.ctl->heartbeat_ns = VIEW_MONO_NS - 1500000007;
	view_fixture__report("{\"pin_dir\": \"/pins\", \"reasons\": [], \"alarms\": []}");
	for (uint32_t v = 1; v < PINTLE_V_MAX; v++)
		verdicts[v] = v * 1000;
	for (uint32_t id = 0; id < 2; id++) {
		ck_assert_str_eq(view_opened.services[id].name, "shop/web");
		set_slot(id, (uint16_t)(2 - id));
	}
}

static void set_state(const char *json)
{
	cJSON_Delete((cJSON *)policies.state);
	policies.state = json ? cJSON_Parse(json) : NULL;
}

static void teardown(void)
{
	set_state(NULL);
	view_fixture__teardown();
}

static char *render(enum metrics_format format, uint32_t max_pods)
{
	struct metrics_source source = {
		.view = &view_opened, .verdicts = verdicts, .policies = policies, .max_pods = max_pods
	};
	struct pintle_err err;
	size_t bytes = 0;
	char *text = NULL;
	FILE *file = open_memstream(&text, &bytes);

	ck_assert_ptr_nonnull(file);
	ck_assert_msg(!metrics__write(&source, format, file, &err), "%s", err.msg);
	ck_assert_int_eq(fclose(file), 0);
	return text;
}

/* verdict.def grows: those lines are looked at by themselves. */
static void drop_packets(char *text)
{
	char *to = text;

	for (char *line = text, *end; *line; line = end) {
		end = strchr(line, '\n');
		end = end ? end + 1 : line + strlen(line);
		if (!strncmp(line, "pintle_packets_total{", 21))
			continue;
		memmove(to, line, (size_t)(end - line));
		to += end - line;
	}
	*to = '\0';
}

START_TEST(as_agreed)
	{
		const char *path = _i ? "tests/golden/metrics.openmetrics" : "tests/golden/metrics.prom";
		char *text = render(_i ? METRICS_OPENMETRICS : METRICS_PROMETHEUS, 2), *expected = calloc(1, 65536);
		FILE *file = fopen(path, getenv("GOLDEN_UPDATE") ? "w+" : "r");
		size_t same = 0;

		ck_assert_msg(file != NULL, "%s", path);
		drop_packets(text);
		if (getenv("GOLDEN_UPDATE")) {
			fputs(text, file);
			rewind(file);
		}
		ck_assert_uint_lt(fread(expected, 1, 65535, file), 65535);
		fclose(file);
		while (text[same] && text[same] == expected[same])
			same++;
		ck_assert_msg(!strcmp(text, expected), "%s differs from byte %zu on: \"%.200s\"", path, same, text + same);
		free(expected);
		free(text);
	}
END_TEST

START_TEST(every_verdict_is_a_series)
	{
		static const struct {
			const char *label;
			const char *direction;
		} all[] = {
#define PINTLE_DIR_NAME_FWD "forward"
#define PINTLE_DIR_NAME_REV "reverse"
#define PINTLE_VERDICT(name, direction, action, label, help) { label, PINTLE_DIR_NAME_##direction },
#include "pintle/verdict.def"
#undef PINTLE_VERDICT
		};
		char *text = render(METRICS_PROMETHEUS, 0);

		for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
			char line[160];

			snprintf(line, sizeof(line), "\npintle_packets_total{direction=\"%s\",verdict=\"%s\"} %zu\n",
				 all[i].direction, all[i].label, (i + 1) * 1000);
			ck_assert_msg(strstr(text, line) != NULL, "no %s", line);
		}
		free(text);
	}
END_TEST

static uint32_t count(const char *text, const char *what)
{
	uint32_t nr = 0;

	for (; (text = strstr(text, what)); text++)
		nr++;
	return nr;
}

START_TEST(series_of_pods_are_bounded)
	{
		static const uint32_t limits[] = { 0, 1, 5, 6, UINT32_MAX };
		uint32_t per_pod = 0;

		for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
			char *text = render(METRICS_PROMETHEUS, limits[i]), left_out[64];
			uint32_t nr = limits[i] < 6 ? limits[i] : 6, lines = count(text, "{pod=");

			if (limits[i] == 1)
				per_pod = lines;
			ck_assert_uint_le(lines, nr * 61);
			ck_assert_uint_ge(lines, nr * (per_pod - 1)); /* some have no gain yet */
			snprintf(left_out, sizeof(left_out), "\npintle_pods_left_out %u\n", 6 - nr);
			ck_assert_ptr_nonnull(strstr(text, left_out));
			ck_assert_uint_eq(count(text, "# TYPE "), PINTLE_M_MAX);
			free(text);
		}
	}
END_TEST

/* A node with nothing learned, no names and nobody who knows of alarms: no value is made up. */
START_TEST(what_is_unknown_is_absent)
	{
		char *text;

		names__free(view_names);
		view_names = NULL;
		view_arena.maps.ctl->heartbeat_ns = 0;
		view_fixture__report(NULL);
		view_fixture__reopen();
		text = render(METRICS_PROMETHEUS, 10);
		ck_assert_ptr_nonnull(strstr(text, "\npintle_agent_up 0\n"));
		ck_assert_ptr_null(strstr(text, "\npintle_alarms "));
		ck_assert_ptr_null(strstr(text, "\npintle_agent_heartbeat_age_seconds "));
		ck_assert_ptr_null(strstr(text, "\npintle_service_slo_ratio{"));
		ck_assert_ptr_nonnull(strstr(text, "\npintle_service_pods{service=\"service 0\",family=\"ipv4\"} 2\n"));
		free(text);
	}
END_TEST

/* Nothing that the state says adds a series that is not in the tables, and a state that is not the agent's adds none. */
START_TEST(policies_without_a_state)
	{
		static const char *const states[] = {
			NULL,
			"7",
			"{\"services\": 7, \"telemetry_to_table\": []}",
			"{\"services\": [1, null, {\"service\": 4}, {\"service\": \"shop/web\", \"family\": \"4\"}], "
			"\"telemetry_to_table\": {\"below\": [1, 2]}}",
			"{\"services\": [{\"service\": \"shop/web\", \"family\": 4, \"production\": {\"name\": 1, \"crc32c\": []}, "
			"\"candidate\": \"x\"}], \"telemetry_to_table\": {\"below\": "
			"[0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 3, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, -1]}}",
			"{\"services\": [{\"service\": \"shop/web\", \"family\": 4, \"production\": "
			"{\"name\": \"a\", \"crc32c\": \"123456789\"}}], \"telemetry_to_table\": {\"below\": "
			"[0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 3, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1e300]}}",
		};
		char *text;

		set_state(states[_i]);
		text = render(METRICS_PROMETHEUS, 0);
		ck_assert_uint_eq(count(text, "\npintle_policy_info{"), 0);
		ck_assert_uint_eq(count(text, "\npintle_telemetry_to_table_seconds_"), 0);
		ck_assert_uint_eq(count(text, "\npintle_class_flows_total{"), 6);
		ck_assert_uint_eq(count(text, "\npintle_class_first_byte_seconds_count{"), 6);
		ck_assert_uint_eq(count(text, "# TYPE "), PINTLE_M_MAX);
		free(text);
	}
END_TEST

/* As metrics_policies.h says; a slot is shown once whatever the tables say, and one that cannot be is not looked up. */
START_TEST(series_of_policies_are_bounded)
	{
		char *text = render(METRICS_PROMETHEUS, 0);
		uint32_t classes = count(text, "\npintle_class_"), infos = count(text, "\npintle_policy_info{");

		ck_assert_uint_eq(classes, 2 * 75);
		ck_assert_uint_eq(infos, 3);
		ck_assert_uint_le(count(text, "\npintle_telemetry_to_table_seconds_"), 23);
		free(text);
		set_slot(0, 1);
		set_slot(1, 1);
		text = render(METRICS_PROMETHEUS, 0);
		ck_assert_uint_eq(count(text, "\npintle_class_"), 75);
		free(text);
		set_slot(0, PINTLE_MAX_CLASSED + 1);
		set_slot(1, 0);
		text = render(METRICS_PROMETHEUS, 0);
		ck_assert_uint_eq(count(text, "\npintle_class_") + count(text, "\npintle_policy_info{"), 0);
		free(text);
	}
END_TEST

START_TEST(counters_that_cannot_be_read_are_said)
	{
		struct metrics_source source = { .view = &view_opened, .verdicts = verdicts, .policies = policies };
		struct pintle_err err = { 0 };
		FILE *file = tmpfile();

		ck_assert_ptr_nonnull(file);
		set_slot(0, 100);
		ck_assert_int_eq(metrics__write(&source, METRICS_PROMETHEUS, file, &err), -EIO);
		ck_assert_str_eq(err.msg, "slot 99");
		ck_assert_int_eq(ftell(file), 0);
		fclose(file);
	}
END_TEST

START_TEST(shares_are_interpolated)
	{
		uint64_t hist[PINTLE_HIST_BUCKETS] = { 0 };
		double share = 7;

		ck_assert(!view__share_within(hist, 1000, &share) && share == 7);
		hist[0] = 10; /* up to 2 us */
		hist[3] = 20; /* 8 to 16 us */
		hist[31] = 10;
		ck_assert(view__share_within(hist, 0, &share) && share == 0);
		ck_assert(view__share_within(hist, 1000, &share) && fabs(share - 5 / 40.0) < 1e-9);
		ck_assert(view__share_within(hist, 8000, &share) && fabs(share - 10 / 40.0) < 1e-9);
		ck_assert(view__share_within(hist, 12000, &share) && fabs(share - 20 / 40.0) < 1e-9);
		ck_assert(view__share_within(hist, 16000, &share) && fabs(share - 30 / 40.0) < 1e-9);
		ck_assert(view__share_within(hist, UINT64_MAX, &share) && share == 1);
	}
END_TEST

int main(void)
{
	Suite *suite = suite_create("metrics");
	TCase *tc = tcase_create("metrics");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, as_agreed, 0, 2);
	tcase_add_test(tc, every_verdict_is_a_series);
	tcase_add_test(tc, series_of_pods_are_bounded);
	tcase_add_test(tc, what_is_unknown_is_absent);
	tcase_add_loop_test(tc, policies_without_a_state, 0, 6);
	tcase_add_test(tc, series_of_policies_are_bounded);
	tcase_add_test(tc, counters_that_cannot_be_read_are_said);
	tcase_add_test(tc, shares_are_interpolated);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
