/* SPDX-License-Identifier: BSD-2-Clause */
/* Errors, strings, clocks' text, the log, near words, endpoints. */
#include <check.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/buf.h"
#include "agent/clock.h"
#include "agent/endpoint.h"
#include "agent/err.h"
#include "agent/log.h"
#include "agent/nearest.h"

START_TEST(test_err)
	{
		struct pintle_err err = { 0 };
		char big[2000];

		ck_assert_int_eq(pintle_err__set(&err, -ENOENT, "no %s %d", "thing", 7), -ENOENT);
		ck_assert_int_eq(err.code, -ENOENT);
		ck_assert_str_eq(err.msg, "no thing 7");
		ck_assert_int_eq(pintle_err__prefix(&err, -EIO, "file %s", "f"), -ENOENT);
		ck_assert_str_eq(err.msg, "file f: no thing 7");
		ck_assert_int_eq(pintle_err__set(NULL, -EIO, "x"), -EIO);
		ck_assert_int_eq(pintle_err__prefix(NULL, -EIO, "x"), -EIO);
		memset(big, 'x', sizeof(big) - 1);
		big[sizeof(big) - 1] = '\0';
		pintle_err__set(&err, -EIO, "%s", big);
		ck_assert_uint_eq(strlen(err.msg), PINTLE_ERR_BYTES - 1);
		pintle_err__prefix(&err, -EIO, "prefix");
		ck_assert_uint_eq(strlen(err.msg), PINTLE_ERR_BYTES - 1);
		ck_assert_int_eq(strncmp(err.msg, "prefix: xxx", 11), 0);
		pintle_err__prefix(&err, -EIO, "%s", big);
		ck_assert_uint_eq(strlen(err.msg), PINTLE_ERR_BYTES - 1);
	}
END_TEST

START_TEST(test_buf)
	{
		struct buf b = { 0 };
		int i;

		ck_assert_str_eq(buf__str(&b), "");
		for (i = 0; i < 1000; i++)
			buf__printf(&b, "%d,", i);
		ck_assert_uint_eq(b.len, 10 * 2 + 90 * 3 + 900 * 4);
		ck_assert_uint_eq(strlen(buf__str(&b)), b.len);
		ck_assert_int_eq(buf__error(&b), 0);
		buf__clear(&b);
		ck_assert_str_eq(buf__str(&b), "");
		buf__append(&b, "ab", 2);
		buf__puts(&b, "");
		ck_assert_str_eq(buf__str(&b), "ab");
		buf__append(&b, "x", (size_t)-1 / 2); /* cannot be had: nothing is read or written */
		ck_assert_int_eq(buf__error(&b), -ENOMEM);
		buf__puts(&b, "more");
		ck_assert_str_eq(buf__str(&b), "ab");
		buf__free(&b);
	}
END_TEST

START_TEST(test_utf8)
	{
		static const struct {
			const char *text;
			size_t bytes;
		} cases[] = {
			{ "", 0 },
			{ "a", 1 },
			{ "\xc3\xa4", 2 },
			{ "\xe2\x82\xac", 3 },
			{ "\xf0\x9f\x98\x80", 4 },
			{ "\x80", 0 },	   /* a continuation */
			{ "\xc0\x80", 0 }, /* overlong */
			{ "\xe0\x80\x80", 0 },
			{ "\xf0\x80\x80\x80", 0 },
			{ "\xed\xa0\x80", 0 },	   /* a surrogate */
			{ "\xf4\x90\x80\x80", 0 }, /* above U+10FFFF */
			{ "\xe2\x82", 0 },	   /* torn */
			{ "\xff", 0 },
		};
		size_t i;

		for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
			ck_assert_uint_eq(utf8__sequence(cases[i].text), cases[i].bytes);
		ck_assert_uint_eq(utf8__columns("a\xc3\xa4\xe2\x82\xac"), 3);
	}
END_TEST

START_TEST(test_clock)
	{
		char text[CLOCK_TEXT_BYTES], duration[40];
		static const struct {
			uint64_t ns;
			const char *text;
		} cases[] = {
			{ 0, "0 ns" },
			{ 1, "1 ns" },
			{ 999, "999 ns" },
			{ 1000, "1 us" },
			{ 1500, "1.50 us" },
			{ 15500, "15.5 us" },
			{ 155500, "155 us" },
			{ 2000000000, "2 s" },
			{ 59900000000, "59.9 s" },
			{ 60000000000, "1 m 0 s" },
			{ 3600000000000, "1 h 0 m" },
			{ 90061000000000, "1 d 1 h" },
		};
		size_t i;

		clock__format(1769860800123456789ull, text);
		ck_assert_str_eq(text, "2026-01-31T12:00:00.123Z");
		clock__format(0, text);
		ck_assert_str_eq(text, "1970-01-01T00:00:00.000Z");
		for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
			clock__format_duration(cases[i].ns, duration, sizeof(duration));
			ck_assert_str_eq(duration, cases[i].text);
		}
		clock__format_duration(UINT64_MAX, duration, 5);
		ck_assert_uint_eq(strlen(duration), 4);
	}
END_TEST

static uint64_t fixed_now(void)
{
	return 1769860800000000000ull;
}

START_TEST(test_log)
	{
		char *text = NULL;
		size_t bytes;
		FILE *file = open_memstream(&text, &bytes);

		log__setup(file, LOG_INFO, fixed_now);
		log_info("configuration applied", log_str("file", "a b\"c\\\n\x1b"), log_int("n", -1),
			 log_uint("big", UINT64_MAX), log_double("x", 0.5), log_str("none", NULL), log_str("empty", ""),
			 log_str("plain", "/a/b:80"));
		log_debug("hidden");
		log_error("bare");
		fclose(file);
		ck_assert_str_eq(
			text,
			"time=2026-01-31T12:00:00.000Z level=info msg=\"configuration applied\" file=\"a b\\\"c\\\\\\n?\" n=-1 "
			"big=18446744073709551615 x=0.5 none=null empty=\"\" plain=/a/b:80\n"
			"time=2026-01-31T12:00:00.000Z level=error msg=bare\n");
		free(text);
		log__setup(NULL, LOG_INFO, NULL);
		ck_assert(log__enabled(LOG_WARN));
		ck_assert(!log__enabled(LOG_DEBUG));
	}
END_TEST

START_TEST(test_log_limit)
	{
		struct log_limit limit = { 0 };
		uint64_t suppressed = 99;
		char *text = NULL;
		size_t bytes;
		FILE *file;
		int i;

		ck_assert(log__allowed(&limit, 1000, 100, &suppressed));
		ck_assert_uint_eq(suppressed, 0);
		ck_assert(!log__allowed(&limit, 1001, 100, &suppressed));
		ck_assert(!log__allowed(&limit, 1099, 100, &suppressed));
		ck_assert(log__allowed(&limit, 1100, 100, &suppressed));
		ck_assert_uint_eq(suppressed, 2);
		ck_assert(!log__allowed(&limit, 1199, 100, &suppressed));
		ck_assert(log__allowed(&limit, 1200, 100, &suppressed));
		ck_assert_uint_eq(suppressed, 1);

		file = open_memstream(&text, &bytes);
		log__setup(file, LOG_INFO, fixed_now);
		for (i = 0; i < 1000; i++)
			log_warn_limited("again", log_int("i", i));
		fclose(file);
		log__setup(NULL, LOG_INFO, NULL);
		ck_assert_str_eq(text, "time=2026-01-31T12:00:00.000Z level=warn msg=again i=0\n");
		free(text);
	}
END_TEST

START_TEST(test_nearest)
	{
		struct nearest n;

		ck_assert_uint_eq(nearest__distance("", "abc"), 3);
		ck_assert_uint_eq(nearest__distance("abc", "abc"), 0);
		ck_assert_uint_eq(nearest__distance("abc", "acb"), 1); /* neighbours swapped */
		ck_assert_uint_eq(nearest__distance("kitten", "sitting"), 3);
		ck_assert_uint_eq(nearest__distance("0123456789012345678901234567890123456789012345678901234567890123x", "a"),
				  65);
		nearest__init(&n, "servces");
		nearest__offer(&n, "settings");
		nearest__offer(&n, "services");
		ck_assert_str_eq(n.best, "services");
		nearest__init(&n, "dr");
		nearest__offer(&n, "list");
		nearest__offer(&n, "drain");
		ck_assert_str_eq(n.best, "drain");
		nearest__init(&n, "");
		nearest__offer(&n, "a");
		ck_assert_str_eq(n.best, "a"); /* one letter away */
		nearest__init(&n, "xyz");
		nearest__offer(&n, "abc");
		ck_assert_ptr_null(n.best);
	}
END_TEST

START_TEST(test_endpoint)
	{
		static const char *const good[] = { "10.0.0.1:80/tcp", "[2001:db8::1]:65535/udp" };
		static const char *const bad[] = { "",
						   "10.0.0.1",
						   "10.0.0.1:80",
						   "10.0.0.1:0/tcp",
						   "10.0.0.1:65536/tcp",
						   "10.0.0.1:80/",
						   "10.0.0.1:80/sctp",
						   "[10.0.0.1]:80/tcp",
						   "2001:db8::1:80/tcp",
						   "[2001:db8::1]80/tcp",
						   "[2001:db8::1:80/tcp",
						   "[]:80/tcp",
						   ":80/tcp",
						   "10.0.0.1:80x/tcp",
						   "[2001:db8::1]:/tcp" };
		char text[ENDPOINT_BYTES], big[300];
		struct endpoint e;
		size_t i;

		for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
			ck_assert_int_eq(endpoint__parse(good[i], true, &e, NULL), 0);
			endpoint__format(&e, text);
			ck_assert_str_eq(text, good[i]);
		}
		for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
			ck_assert_msg(endpoint__parse(bad[i], true, &e, NULL) == -EINVAL, "%s", bad[i]);
		ck_assert_int_eq(endpoint__parse("10.0.0.1:80", false, &e, NULL), 0);
		ck_assert_uint_eq(e.proto, 0);
		ck_assert_int_eq(endpoint__parse("10.0.0.1:80/tcp", false, &e, NULL), -EINVAL);
		memset(big, '1', sizeof(big) - 1);
		big[sizeof(big) - 1] = '\0';
		ck_assert_int_eq(endpoint__parse(big, false, &e, NULL), -EINVAL);
		e = (struct endpoint){ .addr.family = 6, .port = 65535, .proto = IPPROTO_UDP };
		memset(e.addr.bytes, 0xff, 16);
		endpoint__format(&e, text); /* the longest there is */
		ck_assert_str_eq(text, "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535/udp");
	}
END_TEST

int main(void)
{
	Suite *suite = suite_create("base");
	TCase *tc = tcase_create("base");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tc, test_err);
	tcase_add_test(tc, test_buf);
	tcase_add_test(tc, test_utf8);
	tcase_add_test(tc, test_clock);
	tcase_add_test(tc, test_log);
	tcase_add_test(tc, test_log_limit);
	tcase_add_test(tc, test_nearest);
	tcase_add_test(tc, test_endpoint);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
