// SPDX-License-Identifier: BSD-2-Clause
/* On which rung the programs are: their own function at its edges, and what the views and the metrics make of their words. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/flowview.h"
#include "agent/metrics.h"
#include "pintle/ladder.h"
#include "pintle/verdict.h"
#include "tests/unit/view_fixture.h"

#define SHIFT 9u /* 512 jiffies a unit */

static const struct {
	uint32_t beat, absence, jiffies, rung, silent;
} edges[] = {
	{ 0, 4, 1u << 30, PINTLE_RUNG_AGENT, 0 }, /* none is waited for */
	{ 1000, 4, 1000, PINTLE_RUNG_AGENT, 0 },
	{ 1000, 4, 1511, PINTLE_RUNG_AGENT, 511 },
	{ 1000, 4, 1512, PINTLE_RUNG_LATE, 512 },
	{ 1000, 4, 1000 + 4 * 512 - 1, PINTLE_RUNG_LATE, 4 * 512 - 1 },
	{ 1000, 4, 1000 + 4 * 512, PINTLE_RUNG_GONE, 4 * 512 },
	{ 1000, 0, 1000 + 4 * 512, PINTLE_RUNG_LATE, 4 * 512 }, /* never left to the stack */
	{ 1000, 1, 1512, PINTLE_RUNG_GONE, 512 },
	{ 1000, 4, 999, PINTLE_RUNG_AGENT, 0 },		  /* another CPU's clock */
	{ 0xfffffff0, 4, 0x10, PINTLE_RUNG_AGENT, 0x20 }, /* the word wraps */
	{ 0xfffffff0, 4, 0x1f0, PINTLE_RUNG_LATE, 512 },
	{ 1, 4, 0x80000000, PINTLE_RUNG_GONE, 0x7fffffff },
	{ 1, 4, 0xc0000001, PINTLE_RUNG_GONE, 0xc0000000 }, /* weeks without an agent */
	{ 1000, 4, 1000u - 4 * 512, PINTLE_RUNG_AGENT, 0 },
	{ 1000, 4, 1000u - 4 * 512 - 1, PINTLE_RUNG_GONE, 0u - 4 * 512 - 1 },
};

START_TEST(edges_of_the_rungs)
	{
		uint32_t silent = 7;

		ck_assert_uint_eq(pintle_rung(edges[_i].beat, edges[_i].absence, edges[_i].jiffies, SHIFT, &silent),
				  edges[_i].rung);
		ck_assert_uint_eq(silent, edges[_i].silent);
	}
END_TEST

/* The last beat was so many ms ago; new flows pass after ten units. */
static void be_silent(uint64_t ms)
{
	const struct pintle_meta *meta = view_arena.maps.meta;

	view_arena.maps.ctl->absence = 10;
	view_arena.maps.ctl->beat = (uint32_t)flowview__jiffies(meta, VIEW_MONO_NS - ms * 1000000);
}

static char *document(enum out_format format)
{
	size_t bytes = 0;
	char *text = NULL;
	FILE *file = open_memstream(&text, &bytes);
	struct out *out = out__open(file, format);

	ck_assert_ptr_nonnull(out);
	out__record(out, NULL, NULL);
	view__put_ladder(&view_opened, out);
	out__end(out);
	ck_assert_int_eq(out__close(out), 0);
	ck_assert_int_eq(fclose(file), 0);
	return text;
}

static char *metrics(void)
{
	static const uint64_t verdicts[PINTLE_V_MAX];
	struct metrics_source source = { .view = &view_opened, .verdicts = verdicts };
	struct pintle_err err = { 0 };
	size_t bytes = 0;
	char *text = NULL;
	FILE *file = open_memstream(&text, &bytes);

	ck_assert_msg(!metrics__write(&source, METRICS_PROMETHEUS, file, &err), "%s", err.msg);
	ck_assert_int_eq(fclose(file), 0);
	return text;
}

static void has(char *text, const char *what)
{
	ck_assert_msg(strstr(text, what) != NULL, "no \"%s\" in:\n%s", what, text);
	free(text);
}

static const struct {
	uint64_t silent_ms;
	const char *json, *text, *metric;
} said[] = {
	{ 1000, "\"rung\":\"agent\"", "as configured", "\npintle_rung 0\n" },
	{ 5000, "\"rung\":\"load\"", "the less loaded of two pods", "\npintle_rung 1\n" },
	{ 30000, "\"rung\":\"stack\"", "pass untouched", "\npintle_rung 2\n" },
};

static void squeeze(char *text)
{
	char *to = text;

	for (; *text; text++)
		if (*text != ' ' && *text != '\n')
			*to++ = *text;
	*to = '\0';
}

START_TEST(views_say_the_rung)
	{
		char silent[64], *json;

		be_silent(said[_i].silent_ms);
		ck_assert_uint_eq(view__ladder(&view_opened).rung, (unsigned int)_i);
		json = document(OUT_JSON);
		squeeze(json);
		snprintf(silent, sizeof(silent), "\"silent_ns\":%llu", (unsigned long long)said[_i].silent_ms * 1000000);
		ck_assert_ptr_nonnull(strstr(json, silent));
		ck_assert_ptr_nonnull(strstr(json, "\"waits_for_agent\":true"));
		has(json, said[_i].json);
		has(document(OUT_TEXT), said[_i].text);
		has(metrics(), said[_i].metric);
	}
END_TEST

START_TEST(nobody_is_waited_for)
	{
		char *json;

		view_arena.maps.ctl->beat = 0;
		view_arena.maps.ctl->absence = 0;
		json = document(OUT_JSON);
		squeeze(json);
		ck_assert_ptr_nonnull(strstr(json, "\"rung\":\"agent\""));
		ck_assert_ptr_nonnull(strstr(json, "\"silent_ns\":null"));
		ck_assert_ptr_nonnull(strstr(json, "\"pass_after_ns\":null"));
		has(json, "\"waits_for_agent\":false");
		has(document(OUT_TEXT), "no agent is waited for");
		has(metrics(), "\npintle_rung 0\n");
	}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ladder");
	TCase *tc = tcase_create("rungs"), *views = tcase_create("views");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(tc, edges_of_the_rungs, 0, sizeof(edges) / sizeof(edges[0]));
	tcase_add_checked_fixture(views, view_fixture__setup, view_fixture__teardown);
	tcase_add_loop_test(views, views_say_the_rung, 0, sizeof(said) / sizeof(said[0]));
	tcase_add_test(views, nobody_is_waited_for);
	suite_add_tcase(suite, tc);
	suite_add_tcase(suite, views);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
