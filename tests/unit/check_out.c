/* SPDX-License-Identifier: BSD-2-Clause */
/* One tree of calls in three formats; hostile strings; misuse. */
#include <check.h>
#include <cjson/cJSON.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/out.h"

static char *written;
static size_t written_bytes;
static FILE *file;

static struct out *start(enum out_format format)
{
	struct out *out;

	free(written);
	written = NULL;
	file = open_memstream(&written, &written_bytes);
	ck_assert_ptr_nonnull(file);
	out = out__open(file, format);
	ck_assert_ptr_nonnull(out);
	return out;
}

static int finish(struct out *out)
{
	int error = out__close(out);

	ck_assert_int_eq(fclose(file), 0);
	return error;
}

static void pods(struct out *out)
{
	out__table(out, "pods", NULL);
	out__row(out);
	out__str(out, "address", NULL, "10.0.0.1:80");
	out__u64(out, "flows", NULL, 7);
	out__list(out, "services", NULL);
	out__str(out, NULL, NULL, "a");
	out__str(out, NULL, NULL, "b");
	out__end(out);
	out__u64(out, "secret", OUT_HIDDEN, 1);
	out__ns(out, "p99_ns", "p99", 1500000);
	out__end(out);
	out__row(out);
	out__str(out, "address", NULL, "[2001:db8::1]:8080");
	out__u64(out, "flows", NULL, 12345);
	out__list(out, "services", NULL);
	out__end(out);
	out__u64(out, "secret", OUT_HIDDEN, 2);
	out__null(out, "p99_ns", "p99");
	out__end(out);
	out__end(out);
}

static void status(struct out *out)
{
	out__record(out, NULL, NULL);
	out__str(out, "pin_dir", NULL, "/sys/fs/bpf/pintle");
	out__bool(out, "agent_alive", "agent", false);
	out__note(out, "no agent");
	out__record(out, "memory", NULL);
	out__bytes(out, "flows_bytes", "flows", 8u << 20);
	out__double(out, "load", NULL, 0.25, 2);
	out__end(out);
	pods(out);
	out__i64(out, "offset", NULL, -3);
	out__end(out);
}

START_TEST(test_record_text)
	{
		struct out *out = start(OUT_TEXT);

		status(out);
		ck_assert_int_eq(finish(out), 0);
		ck_assert_str_eq(written, "pin dir  /sys/fs/bpf/pintle\n"
					  "agent    no\n"
					  "no agent\n"
					  "memory:\n"
					  "  flows  8.0 MiB\n"
					  "  load   0.25\n"
					  "  ADDRESS             FLOWS  SERVICES      P99\n"
					  "  10.0.0.1:80             7  a, b      1.50 ms\n"
					  "  [2001:db8::1]:8080  12345  -               -\n"
					  "offset  -3\n");
	}
END_TEST

START_TEST(test_record_json)
	{
		struct out *out = start(OUT_JSON);

		status(out);
		ck_assert_int_eq(finish(out), 0);
		ck_assert_str_eq(
			written,
			"{\n"
			"  \"pin_dir\": \"/sys/fs/bpf/pintle\",\n"
			"  \"agent_alive\": false,\n"
			"  \"memory\": {\n"
			"    \"flows_bytes\": 8388608,\n"
			"    \"load\": 0.25\n"
			"  },\n"
			"  \"pods\": [\n"
			"    {\"address\": \"10.0.0.1:80\", \"flows\": 7, \"services\": [\"a\", \"b\"], \"secret\": 1, \"p99_ns\": 1500000},\n"
			"    {\"address\": \"[2001:db8::1]:8080\", \"flows\": 12345, \"services\": [], \"secret\": 2, \"p99_ns\": null}\n"
			"  ],\n"
			"  \"offset\": -3\n"
			"}\n");
	}
END_TEST

START_TEST(test_record_jsonl)
	{
		struct out *out = start(OUT_JSONL);

		status(out);
		ck_assert_int_eq(finish(out), 0);
		ck_assert_str_eq(
			written,
			"{\"pin_dir\":\"/sys/fs/bpf/pintle\",\"agent_alive\":false,\"memory\":{\"flows_bytes\":8388608,\"load\":0.25},"
			"\"pods\":[{\"address\":\"10.0.0.1:80\",\"flows\":7,\"services\":[\"a\",\"b\"],\"secret\":1,\"p99_ns\":1500000},"
			"{\"address\":\"[2001:db8::1]:8080\",\"flows\":12345,\"services\":[],\"secret\":2,\"p99_ns\":null}],\"offset\":-3}\n");
	}
END_TEST

START_TEST(test_table)
	{
		struct out *out = start(OUT_TEXT);

		pods(out);
		ck_assert_int_eq(finish(out), 0);
		ck_assert_str_eq(written, "ADDRESS             FLOWS  SERVICES      P99\n"
					  "10.0.0.1:80             7  a, b      1.50 ms\n"
					  "[2001:db8::1]:8080  12345  -               -\n");
		out = start(OUT_JSON);
		pods(out);
		ck_assert_int_eq(finish(out), 0);
		ck_assert_str_eq(
			written,
			"{\n  \"pods\": [\n"
			"    {\"address\": \"10.0.0.1:80\", \"flows\": 7, \"services\": [\"a\", \"b\"], \"secret\": 1, \"p99_ns\": 1500000},\n"
			"    {\"address\": \"[2001:db8::1]:8080\", \"flows\": 12345, \"services\": [], \"secret\": 2, \"p99_ns\": null}\n"
			"  ]\n}\n");
		out = start(OUT_JSONL);
		pods(out);
		ck_assert_int_eq(finish(out), 0);
		ck_assert_str_eq(
			written,
			"{\"address\":\"10.0.0.1:80\",\"flows\":7,\"services\":[\"a\",\"b\"],\"secret\":1,\"p99_ns\":1500000}\n"
			"{\"address\":\"[2001:db8::1]:8080\",\"flows\":12345,\"services\":[],\"secret\":2,\"p99_ns\":null}\n");
	}
END_TEST

START_TEST(test_empty)
	{
		static const char *const expected[] = { "pods: none\n", "{\n  \"pods\": []\n}\n", "" };
		static const char *const expected_record[] = { "", "{}\n", "{}\n" };
		struct out *out = start((enum out_format)_i);

		out__table(out, "pods", NULL);
		out__end(out);
		ck_assert_int_eq(finish(out), 0);
		ck_assert_str_eq(written, expected[_i]);
		out = start((enum out_format)_i);
		out__record(out, NULL, NULL);
		out__end(out);
		ck_assert_int_eq(finish(out), 0);
		ck_assert_str_eq(written, expected_record[_i]);
	}
END_TEST

/* Widths are those of the first rows; each row comes out, in order, whatever their number. */
START_TEST(test_many_rows)
	{
		struct out *out = start((enum out_format)_i);
		char *line, *state = NULL;
		unsigned int n = 0, i;

		out__table(out, "rows", NULL);
		for (i = 0; i < 2000; i++) {
			out__row(out);
			out__u64(out, "n", NULL, i);
			out__end(out);
		}
		out__end(out);
		ck_assert_int_eq(finish(out), 0);
		for (line = strtok_r(written, "\n", &state); line; line = strtok_r(NULL, "\n", &state)) {
			char *number = strpbrk(line, "0123456789");

			if (number)
				ck_assert_uint_eq(strtoul(number, NULL, 10), n++);
		}
		ck_assert_uint_eq(n, 2000);
	}
END_TEST

/* Control characters and broken UTF-8 reach neither a terminal nor a JSON reader. */
START_TEST(test_hostile_strings)
	{
		static const char text[] = "a\"b\\c\x1b[31m\n\xff\xc3\xa4\xed\xa0\x80\xc2\x9b_";
		struct out *out = start((enum out_format)_i);
		cJSON *json;

		out__record(out, NULL, NULL);
		out__str(out, "s", NULL, text);
		out__end(out);
		ck_assert_int_eq(finish(out), 0);
		if (_i == OUT_TEXT) {
			ck_assert_str_eq(written, "s  a\"b\\c?[31m??\xc3\xa4????_\n");
			return;
		}
		json = cJSON_Parse(written);
		ck_assert_ptr_nonnull(json);
		ck_assert_str_eq(cJSON_GetObjectItem(json, "s")->valuestring, "a\"b\\c?[31m??\xc3\xa4????_");
		cJSON_Delete(json);
	}
END_TEST

START_TEST(test_numbers)
	{
		struct out *out = start(OUT_JSONL);

		out__record(out, NULL, NULL);
		out__u64(out, "a", NULL, UINT64_MAX);
		out__i64(out, "b", NULL, INT64_MIN);
		out__double(out, "c", NULL, NAN, 2);
		out__double(out, "d", NULL, -INFINITY, 2);
		out__double(out, "e", NULL, 1e300, 0);
		out__end(out);
		ck_assert_int_eq(finish(out), 0);
		ck_assert_ptr_eq(
			strstr(written,
			       "{\"a\":18446744073709551615,\"b\":-9223372036854775808,\"c\":null,\"d\":null,\"e\":1000"),
			written);
		out = start(OUT_TEXT);
		out__record(out, NULL, NULL);
		out__bytes(out, "a", NULL, 1023);
		out__bytes(out, "b", NULL, 1536);
		out__bytes(out, "c", NULL, UINT64_MAX);
		out__ns(out, "d", NULL, 999);
		out__ns(out, "e", NULL, 12345678);
		out__ns(out, "f", NULL, 59999000000);
		out__ns(out, "g", NULL, 7384000000000);
		out__ns(out, "h", NULL, 200000000000000);
		out__end(out);
		ck_assert_int_eq(finish(out), 0);
		ck_assert_str_eq(
			written,
			"a  1023 B\nb  1.5 KiB\nc  16.0 EiB\nd  999 ns\ne  12.3 ms\nf  60.0 s\ng  2 h 3 m\nh  2 d 7 h\n");
	}
END_TEST

START_TEST(test_flush_follows)
	{
		struct out *out = start((enum out_format)_i);

		out__table(out, "events", NULL);
		out__row(out);
		out__u64(out, "n", NULL, 1);
		out__end(out);
		out__flush(out);
		ck_assert_ptr_nonnull(strchr(written, '1'));
		out__row(out);
		out__u64(out, "n", NULL, 2);
		out__end(out);
		out__flush(out);
		ck_assert_ptr_nonnull(strchr(written, '2'));
		out__end(out);
		ck_assert_int_eq(finish(out), 0);
	}
END_TEST

START_TEST(test_misuse)
	{
		struct out *out = start((enum out_format)_i);

		out__record(out, NULL, NULL);
		ck_assert_int_eq(finish(out), -EPROTO); /* not closed */
		out = start((enum out_format)_i);
		out__end(out);
		ck_assert_int_eq(finish(out), -EPROTO);
		out = start((enum out_format)_i);
		out__u64(out, "a", NULL, 1); /* outside of everything */
		ck_assert_int_eq(finish(out), -EPROTO);
		out = start((enum out_format)_i);
		out__table(out, "t", NULL);
		out__u64(out, "a", NULL, 1); /* not in a row */
		out__end(out);
		ck_assert_int_eq(finish(out), -EPROTO);
		out = start((enum out_format)_i);
		out__row(out); /* not in a table */
		ck_assert_int_eq(finish(out), -EPROTO);
	}
END_TEST

START_TEST(test_full_disk)
	{
		FILE *full = fopen("/dev/full", "w");
		struct out *out;

		ck_assert_ptr_nonnull(full);
		out = out__open(full, (enum out_format)_i);
		pods(out);
		ck_assert_int_eq(out__close(out), -ENOSPC);
		fclose(full);
	}
END_TEST

int main(void)
{
	Suite *suite = suite_create("out");
	TCase *tc = tcase_create("formats");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tc, test_record_text);
	tcase_add_test(tc, test_record_json);
	tcase_add_test(tc, test_record_jsonl);
	tcase_add_test(tc, test_table);
	tcase_add_loop_test(tc, test_empty, 0, 3);
	tcase_add_loop_test(tc, test_many_rows, 0, 3);
	tcase_add_loop_test(tc, test_hostile_strings, 0, 3);
	tcase_add_test(tc, test_numbers);
	tcase_add_loop_test(tc, test_flush_follows, 0, 3);
	tcase_add_loop_test(tc, test_misuse, 0, 3);
	tcase_add_loop_test(tc, test_full_disk, 0, 3);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
