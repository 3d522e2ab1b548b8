/* SPDX-License-Identifier: BSD-2-Clause */
/* Files of the run directory: names of services, and the event log with its reader, over rotation and torn lines. */
#include <arpa/inet.h>
#include <check.h>
#include <cjson/cJSON.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/clock.h"
#include "agent/eventlog.h"
#include "agent/eventtail.h"
#include "agent/log.h"
#include "agent/names.h"
#include "agent/paths.h"
#include "agent/rundir.h"
#include "pintle/verdict.h"
#include "tests/unit/tables_fixture.h"

static char dir[64];
static char path[256];
static FILE *quiet;

static void setup(void)
{
	strcpy(dir, "/tmp/pintle-run-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	quiet = fopen("/dev/null", "w");
	log__setup(quiet, LOG_INFO, NULL);
}

static void teardown(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	ck_assert_int_eq(system(command), 0);
	log__setup(NULL, LOG_INFO, NULL);
	fclose(quiet);
}

static void append(const char *text)
{
	FILE *file = fopen(path, "a");

	ck_assert_ptr_nonnull(file);
	fputs(text, file);
	fclose(file);
}

START_TEST(test_paths)
	{
		char a[256], b[256], tiny[10];

		ck_assert_int_eq(rundir__path("/run/x", "names", "/sys/fs/bpf/pintle", ".json", a, sizeof(a)), 0);
		ck_assert_int_eq(rundir__path("/run/x", "names", "/sys/fs/bpf/pintle//", ".json", b, sizeof(b)), 0);
		ck_assert_str_eq(a, b);
		ck_assert_int_eq(rundir__path("/run/x", "names", "/sys/fs/bpf/pintle2", ".json", b, sizeof(b)), 0);
		ck_assert_str_ne(a, b);
		ck_assert_int_eq(rundir__path("/run/x", "names", "/", ".json", tiny, sizeof(tiny)), -ENAMETOOLONG);
	}
END_TEST

static void check_spelling(const char *pin_dir, const char *expected)
{
	char other[256];

	ck_assert_int_eq(rundir__path("/run/x", "names", pin_dir, ".json", other, sizeof(other)), 0);
	ck_assert_msg(!strcmp(other, expected), "%s: %s, not %s", pin_dir, other, expected);
}

/* The same pins, however they are spelled; before they are made (_i = 0), while they are there (1), by a link (2). */
START_TEST(test_spellings)
	{
		char pins[128], spelled[160], expected[256];

		snprintf(pins, sizeof(pins), "%s/pins", dir);
		ck_assert_int_eq(rundir__path("/run/x", "names", pins, ".json", expected, sizeof(expected)), 0);
		if (_i)
			ck_assert_int_eq(mkdir(pins, 0755), 0);
		check_spelling(pins, expected);
		snprintf(spelled, sizeof(spelled), "%s/.//pins//", dir);
		check_spelling(spelled, expected);
		snprintf(spelled, sizeof(spelled), "%s/../%s/pins", dir, strrchr(dir, '/') + 1);
		check_spelling(spelled, expected);
		ck_assert_int_eq(chdir(dir), 0);
		check_spelling("pins", expected);
		check_spelling("./pins/", expected);
		if (_i == 2) {
			ck_assert_int_eq(symlink("pins", "link"), 0);
			check_spelling("link", expected);
		}
		ck_assert_int_eq(rundir__path("/run/x", "names", "pins2", ".json", spelled, sizeof(spelled)), 0);
		ck_assert_str_ne(spelled, expected);
		ck_assert_int_eq(rundir__path("/run/x", "names", "/", ".json", spelled, sizeof(spelled)), 0);
		ck_assert_int_eq(rundir__path("/run/x", "names", "", ".json", spelled, sizeof(spelled)), 0);
		ck_assert_int_eq(rundir__path("/run/x", "names", "/nowhere/deep/", ".json", expected, sizeof(expected)), 0);
		check_spelling("/nowhere/deep", expected);
	}
END_TEST

/* ---- names ---- */

START_TEST(test_names)
	{
		struct pintle_config *config = config_make__new();
		struct cfg_service *s = config_make__service(config, "shop/web", PINTLE_POLICY_RR);
		struct ip_addr v4 = addr_of("10.0.0.1"), v6 = addr_of("2001:db8::1");
		struct pintle_err err = { 0 };
		struct names *names = NULL;
		uint32_t slo_ms = 7;

		s->slo_ms = 250;
		config_make__frontend(s, "10.0.0.1", IPPROTO_TCP, 80);
		config_make__frontend(s, "2001:db8::1", IPPROTO_UDP, 53);
		ck_assert_int_eq(names__load(dir, "/p", &names, &err), -ENOENT);
		ck_assert_msg(!names__write(dir, "/p", config, &err), "%s", err.msg);
		ck_assert_msg(!names__load(dir, "/p", &names, &err), "%s", err.msg);
		ck_assert_str_eq(names__of_frontend(names, &v4, IPPROTO_TCP, 80, &slo_ms), "shop/web");
		ck_assert_uint_eq(slo_ms, 250);
		ck_assert_str_eq(names__of_frontend(names, &v6, IPPROTO_UDP, 53, NULL), "shop/web");
		ck_assert_ptr_null(names__of_frontend(names, &v4, IPPROTO_UDP, 80, NULL));
		ck_assert_ptr_null(names__of_frontend(names, &v4, IPPROTO_TCP, 81, &slo_ms));
		ck_assert_uint_eq(slo_ms, 0);
		ck_assert_ptr_null(names__of_frontend(NULL, &v4, IPPROTO_TCP, 80, NULL));
		names__free(names);
		ck_assert_int_eq(names__load(dir, "/q", &names, &err), -ENOENT);
		ck_assert_int_eq(names__write("/proc/nowhere/deep", "/p", config, &err), -ENOENT);
		config_make__free(config);
	}
END_TEST

START_TEST(test_names_torn)
	{
		static const char *const texts[] = { "",
						     "{",
						     "[]",
						     "{\"services\": 1}",
						     "{\"services\": [{\"name\": 1, \"frontends\": []}]}",
						     "{\"services\": [{\"name\": \"a\", \"frontends\": [\"x\"]}]}",
						     "{\"services\": [{\"name\": \"a\", \"frontends\": [7]}]}",
						     "{\"services\": [{\"name\": \"a\"}]}" };
		struct pintle_err err = { 0 };
		struct names *names = NULL;

		ck_assert_int_eq(rundir__path(dir, "names", "/p", ".json", path, sizeof(path)), 0);
		append(texts[_i]);
		ck_assert_int_eq(names__load(dir, "/p", &names, &err), -EINVAL);
		ck_assert_ptr_nonnull(strstr(err.msg, "is torn"));
		ck_assert_ptr_null(names);
	}
END_TEST

/* ---- event log ---- */

static struct pintle_event reject_event(void)
{
	static const uint8_t packet[] = { 1, 2, 3, 4,  5, 6, 1, 2,   3, 4, 5, 7,  8, 0, 0x45, 0,    0,	  40, 0,
					  0, 0, 0, 64, 6, 0, 0, 192, 0, 2, 1, 10, 0, 0, 1,    0x9c, 0x40, 0,  81 };
	struct pintle_event event = { .type = PINTLE_EVENT_REJECT,
				      .verdict = PINTLE_V_REJECT_PORT,
				      .ifindex = 3,
				      .frontend = 0xffff,
				      .packet_bytes = 54,
				      .copied_bytes = sizeof(packet),
				      .l3_offset = 14 };

	event.time_ns = clock__monotonic_ns();
	memcpy(event.packet, packet, sizeof(packet));
	return event;
}

static cJSON *next_event(struct eventtail *tail)
{
	struct pintle_err err = { 0 };
	const char *line;

	if (eventtail__next(tail, &line, &err) != 1)
		return NULL;
	return cJSON_Parse(line);
}

static const char *text_of(const cJSON *event, const char *key)
{
	const cJSON *item = cJSON_GetObjectItem(event, key);

	return cJSON_IsString(item) ? item->valuestring : "";
}

START_TEST(test_events)
	{
		struct pintle_event event = reject_event();
		struct pintle_err err = { 0 };
		struct paths_alarm alarm = {
			.ifindex = 4, .device = "veth1", .pod = 2, .redirected = 100, .arrived = 3, .text = "packets vanish"
		};
		struct eventtail *tail = NULL;
		struct eventlog *log;
		cJSON *json;

		ck_assert_int_eq(eventtail__open(dir, "/p", 10, false, &tail, &err), -ENOENT);
		ck_assert_int_eq(eventtail__open(dir, "/p", 10, true, &tail, &err), 0);
		ck_assert_ptr_null(next_event(tail));
		ck_assert_int_eq(eventlog__open(dir, "/p", &log, &err), 0);
		eventlog__packet(log, &event);
		event = (struct pintle_event){ .type = PINTLE_EVENT_EVICTED, .pod = 5, .frontend = 0xffff, .key = 0xabc };
		eventlog__packet(log, &event);
		eventlog__alarm(log, &alarm);
		event.type = 99;
		eventlog__packet(log, &event); /* of a newer program: left out */

		json = next_event(tail);
		ck_assert_ptr_nonnull(json);
		ck_assert_str_eq(text_of(json, "type"), "reject");
		ck_assert_str_eq(text_of(json, "verdict"), "reject_port");
		ck_assert_str_eq(text_of(json, "source"), "192.0.2.1:40000/tcp");
		ck_assert_str_eq(text_of(json, "destination"), "10.0.0.1:81/tcp");
		ck_assert_uint_eq(strlen(text_of(json, "time")), 24);
		cJSON_Delete(json);
		json = next_event(tail);
		ck_assert_str_eq(text_of(json, "type"), "evicted");
		ck_assert_str_eq(text_of(json, "key"), "0000000000000abc");
		ck_assert_double_eq(cJSON_GetObjectItem(json, "pod_id")->valuedouble, 5);
		cJSON_Delete(json);
		json = next_event(tail);
		ck_assert_str_eq(text_of(json, "type"), "alarm");
		ck_assert_str_eq(text_of(json, "text"), "packets vanish");
		cJSON_Delete(json);
		ck_assert_ptr_null(next_event(tail));
		eventtail__close(tail);
		eventlog__close(log);
	}
END_TEST

/* Every beginning of a packet, and offsets that lie, are recorded without reading past it (ASan). */
START_TEST(test_events_torn_packets)
	{
		struct pintle_err err = { 0 };
		struct eventlog *log;
		uint32_t copied, offset;

		ck_assert_int_eq(eventlog__open(dir, "/p", &log, &err), 0);
		for (copied = 0; copied < 300; copied += 3) {
			for (offset = 0; offset < 300; offset += 7) {
				struct pintle_event event = reject_event();

				event.packet[14] = copied & 1 ? 0x4f : 0x60;
				event.copied_bytes = (uint16_t)copied;
				event.l3_offset = (uint16_t)offset;
				event.verdict = copied * 1000;
				eventlog__packet(log, &event);
			}
		}
		eventlog__close(log);
	}
END_TEST

/* 100 lines a second of one type; the rest is counted. */
START_TEST(test_events_limited)
	{
		struct pintle_event event = reject_event();
		struct pintle_err err = { 0 };
		struct eventtail *tail;
		struct eventlog *log;
		int i, lines = 0;
		cJSON *json;

		ck_assert_int_eq(eventlog__open(dir, "/p", &log, &err), 0);
		for (i = 0; i < 5000; i++)
			eventlog__packet(log, &event);
		ck_assert_int_eq(eventtail__open(dir, "/p", 0, false, &tail, &err), 0);
		for (; (json = next_event(tail)); lines++)
			cJSON_Delete(json);
		ck_assert_int_ge(lines, 100);
		ck_assert_int_le(lines, 1000); /* the loop may take a few seconds on a slow machine */
		usleep(1100000);
		eventlog__packet(log, &event);
		json = next_event(tail);
		ck_assert_double_gt(cJSON_GetObjectItem(json, "suppressed")->valuedouble, 3000);
		cJSON_Delete(json);
		eventtail__close(tail);
		eventlog__close(log);
	}
END_TEST

/* A reader that follows sees every alarm once, in order, over rotations; two files of bounded size remain. */
START_TEST(test_events_rotate)
	{
		static char text[3000];
		struct paths_alarm alarm = { .device = "veth1", .text = text };
		struct pintle_err err = { 0 };
		struct eventtail *tail;
		struct eventlog *log;
		unsigned int written, read = 0;
		struct stat st;
		cJSON *json;

		memset(text, 'x', sizeof(text) - 1);
		ck_assert_int_eq(eventlog__open(dir, "/p", &log, &err), 0);
		ck_assert_int_eq(eventtail__open(dir, "/p", 0, true, &tail, &err), 0);
		for (written = 0; written < 4000; written++) {
			alarm.ifindex = written;
			eventlog__alarm(log, &alarm);
			if (written % 97)
				continue;
			while ((json = next_event(tail))) {
				ck_assert_double_eq(cJSON_GetObjectItem(json, "ifindex")->valuedouble, read++);
				cJSON_Delete(json);
			}
		}
		while ((json = next_event(tail))) {
			ck_assert_double_eq(cJSON_GetObjectItem(json, "ifindex")->valuedouble, read++);
			cJSON_Delete(json);
		}
		ck_assert_uint_eq(read, written);
		eventtail__close(tail);
		ck_assert_int_eq(eventlog__path(dir, "/p", path, sizeof(path)), 0);
		ck_assert_int_eq(stat(path, &st), 0);
		ck_assert_int_lt(st.st_size, 5 << 20);
		strcat(path, ".1");
		ck_assert_int_eq(stat(path, &st), 0);
		ck_assert_int_lt(st.st_size, 5 << 20);

		/* The last lines, over both files. */
		ck_assert_int_eq(eventtail__open(dir, "/p", 1500, false, &tail, &err), 0);
		for (read = written - 1500; (json = next_event(tail)); read++) {
			ck_assert_double_eq(cJSON_GetObjectItem(json, "ifindex")->valuedouble, read);
			cJSON_Delete(json);
		}
		ck_assert_uint_eq(read, written);
		eventtail__close(tail);
		eventlog__close(log);
	}
END_TEST

START_TEST(test_tail_waits_for_whole_lines)
	{
		struct pintle_err err = { 0 };
		struct eventtail *tail;
		const char *line;

		ck_assert_int_eq(eventlog__path(dir, "/p", path, sizeof(path)), 0);
		append("one\ntwo\nthr");
		ck_assert_int_eq(eventtail__open(dir, "/p", 1, false, &tail, &err), 0);
		ck_assert_int_eq(eventtail__next(tail, &line, &err), 1);
		ck_assert_str_eq(line, "two");
		ck_assert_int_eq(eventtail__next(tail, &line, &err), 0);
		append("ee\n");
		ck_assert_int_eq(eventtail__next(tail, &line, &err), 1);
		ck_assert_str_eq(line, "three");
		ck_assert_int_eq(truncate(path, 0), 0);
		ck_assert_int_eq(eventtail__next(tail, &line, &err), 0);
		append("new\n");
		ck_assert_int_eq(eventtail__next(tail, &line, &err), 1);
		ck_assert_str_eq(line, "new");
		eventtail__close(tail);
	}
END_TEST

/* A log that cannot be written counts and goes on; a symbolic link is not followed. */
START_TEST(test_events_not_writable)
	{
		struct pintle_event event = reject_event();
		struct pintle_err err = { 0 };
		struct rlimit limit, old;
		struct stat st, now;
		struct eventlog *log;

		ck_assert_int_eq(eventlog__path(dir, "/p", path, sizeof(path)), 0);
		ck_assert_int_eq(symlink("/dev/full", path), 0);
		ck_assert_int_eq(eventlog__open(dir, "/p", &log, &err), -ELOOP);
		ck_assert_int_eq(unlink(path), 0);
		ck_assert_int_eq(mknod(path, S_IFREG | 0644, 0), 0);
		ck_assert_int_eq(eventlog__open(dir, "/p", &log, &err), 0);
		ck_assert_uint_eq(eventlog__lost(log), 0);
		eventlog__packet(log, &event);
		ck_assert_uint_eq(eventlog__lost(log), 0);
		ck_assert_int_eq(stat(path, &st), 0);

		/* Room for half a line more: it is lost, and leaves nothing behind. */
		signal(SIGXFSZ, SIG_IGN);
		ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &old), 0);
		limit = (struct rlimit){ .rlim_cur = (rlim_t)st.st_size + 50, .rlim_max = old.rlim_max };
		ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
		eventlog__packet(log, &event);
		ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &old), 0);
		ck_assert_uint_eq(eventlog__lost(log), 1);
		eventlog__packet(log, &event);
		ck_assert_uint_eq(eventlog__lost(log), 1);
		eventlog__close(log);
		ck_assert_int_eq(stat(path, &now), 0);
		ck_assert_int_eq(now.st_size, 2 * st.st_size);
		ck_assert_int_eq(eventlog__open("/proc/nowhere/deep", "/p", &log, &err), -ENOENT);
		ck_assert_ptr_nonnull(strstr(err.msg, "--run-dir"));
	}
END_TEST

static int put_text(FILE *file, const void *arg)
{
	return fputs(arg, file) < 0 ? -EIO : 0;
}

/* A FIFO in the place of a file holds nobody up: it is no file to read, and is replaced like one. */
START_TEST(test_fifo)
	{
		struct pintle_err err = { 0 };
		char *text = NULL;
		struct eventtail *tail;
		struct eventlog *log;
		size_t bytes = 0;
		struct stat st;

		alarm(2);
		ck_assert_int_eq(rundir__path(dir, "policy", "/p", ".json", path, sizeof(path)), 0);
		ck_assert_int_eq(mkfifo(path, 0600), 0);
		ck_assert_int_eq(rundir__slurp(dir, "policy", "/p", &text, &bytes, &err), -EINVAL);
		ck_assert_ptr_null(text);
		ck_assert_ptr_nonnull(strstr(err.msg, path));
		ck_assert_int_eq(rundir__path(dir, "policy", "/p", ".new", path, sizeof(path)), 0);
		ck_assert_int_eq(mkfifo(path, 0600), 0);
		ck_assert_int_eq(rundir__replace(dir, "policy", "/p", put_text, "{}", &err), 0);
		ck_assert_int_eq(lstat(path, &st), -1);
		ck_assert_int_eq(rundir__slurp(dir, "policy", "/p", &text, &bytes, &err), 0);
		ck_assert_uint_eq(bytes, 2);
		free(text);
		ck_assert_int_eq(eventlog__path(dir, "/p", path, sizeof(path)), 0);
		ck_assert_int_eq(mkfifo(path, 0600), 0);
		ck_assert_int_eq(eventlog__open(dir, "/p", &log, &err), -ENXIO);
		ck_assert_int_eq(eventtail__open(dir, "/p", 1, false, &tail, &err), -EINVAL);
		alarm(0);
	}
END_TEST

/* One holder at a time; who waits in vain is told for what. */
START_TEST(test_lock)
	{
		struct pintle_err err = { 0 };
		int one = -1, other = -1;

		ck_assert_int_eq(rundir__lock(dir, "policy", "/p", 0, &one, &err), 0);
		ck_assert_int_eq(rundir__lock(dir, "policy", "/p", 30000000, &other, &err), -EBUSY);
		ck_assert_int_eq(other, -1);
		ck_assert_ptr_nonnull(strstr(err.msg, ".lock"));
		ck_assert_int_eq(rundir__lock(dir, "policy", "/other", 0, &other, &err), 0);
		ck_assert_int_eq(close(other), 0);
		ck_assert_int_eq(close(one), 0);
		ck_assert_int_eq(rundir__lock(dir, "policy", "/p", 0, &one, &err), 0);
		ck_assert_int_eq(close(one), 0);
		ck_assert_int_eq(rundir__lock("/proc/nowhere/deep", "policy", "/p", 0, &one, &err), -ENOENT);
	}
END_TEST

int main(void)
{
	Suite *suite = suite_create("rundir");
	TCase *tc = tcase_create("rundir");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, test_paths);
	tcase_add_loop_test(tc, test_spellings, 0, 3);
	tcase_add_test(tc, test_names);
	tcase_add_loop_test(tc, test_names_torn, 0, 8);
	tcase_add_test(tc, test_events);
	tcase_add_test(tc, test_events_torn_packets);
	tcase_add_test(tc, test_events_limited);
	tcase_add_test(tc, test_events_rotate);
	tcase_add_test(tc, test_tail_waits_for_whole_lines);
	tcase_add_test(tc, test_events_not_writable);
	tcase_add_test(tc, test_lock);
	tcase_add_test(tc, test_fifo);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
