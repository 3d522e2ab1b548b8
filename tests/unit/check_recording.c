// SPDX-License-Identifier: BSD-2-Clause
/* Recordings: rows are what was written, a torn end is named, anything else is refused with its place. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/train/recording.h"

static char file[65536];
static char text[RECORDING_TEXT_BYTES];
static struct recording_report report;
static struct dataset d;

static void header(int version)
{
	int n = sprintf(file, "{\"recording\": %d, \"features\": [", version);

	for (int i = 0; i < FEATURE_NR; i++)
		n += sprintf(file + n, "%s\"%s\"", i ? ", " : "", feature_list[i].name);
	strcat(file, "]}\n");
}

/* Feature i is center + scale * i / 4. */
static void row(const char *time, const char *latency)
{
	size_t n = strlen(file);

	n += (size_t)sprintf(file + n,
			     "{\"time_ns\": %s, \"latency_ns\": %s, \"gain_q8\": 3900, \"delay_q8\": 512, \"features\": {",
			     time, latency);
	for (int i = 0; i < FEATURE_NR; i++)
		n += (size_t)sprintf(file + n, "%s\"%s\": %d", i ? ", " : "", feature_list[i].name,
				     feature_list[i].center_q8 + feature_list[i].scale_q8 * i / 4);
	strcat(file, "}}\n");
}

static int read_file(void)
{
	dataset__free(&d);
	dataset__init(&d, FEATURE_NR);
	text[0] = '\0';
	return recording__read(file, strlen(file), &d, &report, text);
}

START_TEST(rows_are_what_was_written)
	{
		header(1);
		row("0", "1024000000");
		row("5000", "2048000");
		ck_assert_int_eq(read_file(), 0);
		ck_assert_uint_eq(report.rows, 2);
		ck_assert(!report.is_torn);
		ck_assert_uint_eq(d.nr, 2);
		ck_assert_int_eq(d.targets[0], 5111 - 3900 - 512); /* log2(1024000) = 19.9658 */
		ck_assert_int_eq(d.targets[1], 11 * 256 - 3900 - 512);
		ck_assert_uint_eq(d.times[1], 5000);
		for (int i = 0; i < FEATURE_NR; i++)
			ck_assert_int_eq(d.inputs[i], i * 8);
	}
END_TEST

/* Every length of a file that stops too early. */
START_TEST(torn_anywhere)
	{
		size_t second, end;

		header(1);
		row("0", "51000");
		second = strlen(file);
		row("1000", "52000");
		end = strlen(file);
		for (size_t n = end - 1; n > second; n--) {
			file[n] = '\0';
			ck_assert_int_eq(read_file(), 0);
			ck_assert_uint_eq(d.nr, 1);
			ck_assert(report.is_torn);
			ck_assert_uint_eq(report.torn_line, 3);
			ck_assert_uint_eq(report.torn_byte, second);
		}
		header(1);
		file[strlen(file) - 1] = '\0';
		ck_assert_int_eq(read_file(), -EINVAL);
		ck_assert_ptr_nonnull(strstr(text, "line 1 (byte 0)"));
	}
END_TEST

static const struct {
	const char *time, *latency, *what;
} bad[] = {
	{ "-1", "51000", "time_ns" },	   { "0.5", "51000", "time_ns" }, { "1e30", "51000", "time_ns" },
	{ "0", "0", "latency_ns" },	   { "0", "1e13", "latency_ns" }, { "0", "\"x\"", "latency_ns" },
	{ "0", "null", "latency_ns" },	   { "0", "1]", "not one JSON" }, { "0}", "1", "not one JSON" },
	{ "0}{\"a\": 0", "1", "not one" },
};

START_TEST(bad_rows)
	{
		char where[64];
		size_t at;

		header(1);
		row("0", "51000");
		at = strlen(file);
		row(bad[_i].time, bad[_i].latency);
		row("0", "51000");
		ck_assert_int_eq(read_file(), -EINVAL);
		sprintf(where, "line 3 (byte %zu): ", at);
		ck_assert_msg(strstr(text, where) && strstr(text, bad[_i].what), "%s", text);
		ck_assert_uint_eq(d.nr, 1);
	}
END_TEST

START_TEST(bad_files)
	{
		struct dataset narrow;

		header(2);
		ck_assert_int_eq(read_file(), -EINVAL);
		ck_assert_ptr_nonnull(strstr(text, "version 2"));
		header(1);
		memcpy(strstr(file, "trend"), "tremd", 5);
		ck_assert_int_eq(read_file(), -EINVAL);
		ck_assert_ptr_nonnull(strstr(text, "not trend"));
		strcpy(file, "{\"recording\": 1, \"features\": [\"gain_rel\"]}\n");
		ck_assert_int_eq(read_file(), -EINVAL);
		ck_assert_ptr_nonnull(strstr(text, "1 features"));
		file[0] = '\0';
		ck_assert_int_eq(read_file(), -EINVAL);
		header(1);
		memset(file + strlen(file), ' ', RECORDING_LINE_BYTES + 1);
		strcat(file, "\n");
		ck_assert_int_eq(read_file(), -EINVAL);
		ck_assert_ptr_nonnull(strstr(text, "line 2"));
		dataset__init(&narrow, 3);
		ck_assert_int_eq(recording__read(file, strlen(file), &narrow, &report, text), -EINVAL);
	}
END_TEST

int main(void)
{
	Suite *suite = suite_create("recording");
	TCase *tc = tcase_create("recording");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, rows_are_what_was_written);
	tcase_add_test(tc, torn_anywhere);
	tcase_add_loop_test(tc, bad_rows, 0, (int)(sizeof(bad) / sizeof(bad[0])));
	tcase_add_test(tc, bad_files);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
