/* SPDX-License-Identifier: BSD-2-Clause */
/* agent/delivery.h: what is written is read back; written only when something changed; torn files are refused whole. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/delivery.h"
#include "agent/rundir.h"
#include "tests/unit/tables_fixture.h"

static struct arena arena;
static char dir[64], path[256];
static const char *reasons[16];
static struct paths_alarm alarms[2];
static uint32_t nr_alarms;

/* Stand in for agent/paths.c. */
const char *paths__reason(const struct paths *paths, uint16_t pod)
{
	(void)paths;
	return reasons[pod];
}

bool paths__is_unreachable(const struct paths *paths, uint16_t pod)
{
	(void)paths;
	return reasons[pod] && !strcmp(reasons[pod], "no route");
}

uint32_t paths__alarms(const struct paths *paths, struct paths_alarm *ret_alarms, uint32_t max)
{
	(void)paths;
	ck_assert_uint_ge(max, nr_alarms);
	memcpy(ret_alarms, alarms, nr_alarms * sizeof(alarms[0]));
	return nr_alarms;
}

static const struct paths *const some_paths = (const void *)"";

static void set_pod(uint16_t id, const char *addr, const char *reason)
{
	struct ip_addr parsed = addr_of(addr);
	struct pintle_pod *record = &arena.maps.pods[id];

	*record = (struct pintle_pod){ .family = parsed.family, .flags = PINTLE_POD_IN_USE, .port_be = 80 << 8 };
	memcpy(record->addr_be, parsed.bytes, parsed.family == 4 ? 4 : 16);
	reasons[id] = reason;
}

static void setup(void)
{
	strcpy(dir, "/tmp/pintle-delivery-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_int_eq(rundir__path(dir, "delivery", "/p", ".json", path, sizeof(path)), 0);
	arena__init(&arena, 16, 16, 0);
	memset(reasons, 0, sizeof(reasons));
	nr_alarms = 0;
	set_pod(0, "10.0.0.1", NULL);
	set_pod(1, "10.0.0.2", "no route");
	set_pod(2, "fd00::1", "self-test \"failed\"\n");
	set_pod(3, "10.0.0.4", "no route");
}

static void teardown(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	ck_assert_int_eq(system(command), 0);
	arena__destroy(&arena);
}

static const char *reason_of(const struct delivery_report *report, const char *addr, uint16_t port)
{
	return delivery__reason(report, &(struct endpoint){ .addr = addr_of(addr), .port = port });
}

START_TEST(read_back)
	{
		struct delivery_writer writer = { .run_dir = dir, .pin_dir = "/p" };
		struct delivery_report *report = NULL;
		struct pintle_err err = { 0 };

		alarms[0] = (struct paths_alarm){
			.device = "veth7", .ifindex = 7, .text = "packets vanish", .redirected = 1000000007, .arrived = 3
		};
		nr_alarms = 1;
		ck_assert_int_eq(delivery__load(dir, "/p", &report, &err), -ENOENT);
		ck_assert_msg(!delivery__write(&writer, &arena.maps, some_paths, &err), "%s", err.msg);
		ck_assert_msg(!delivery__load(dir, "/p/", &report, &err), "%s", err.msg);
		ck_assert_ptr_null(reason_of(report, "10.0.0.1", 80));
		ck_assert_str_eq(reason_of(report, "10.0.0.2", 80), "no route");
		ck_assert_str_eq(reason_of(report, "10.0.0.4", 80), "no route");
		ck_assert_ptr_null(reason_of(report, "10.0.0.4", 81));
		ck_assert_ptr_nonnull(strstr(reason_of(report, "fd00::1", 80), "self-test"));
		ck_assert_uint_eq(report->nr_reasons, 2);
		ck_assert(delivery__is_unreachable(report, &(struct endpoint){ .addr = addr_of("10.0.0.4"), .port = 80 }));
		ck_assert(!delivery__is_unreachable(report, &(struct endpoint){ .addr = addr_of("fd00::1"), .port = 80 }));
		ck_assert(!delivery__is_unreachable(report, &(struct endpoint){ .addr = addr_of("10.0.0.1"), .port = 80 }));
		ck_assert_uint_eq(report->reasons[0].nr_pods, 2);
		ck_assert_uint_eq(report->nr_alarms, 1);
		ck_assert_str_eq(report->alarms[0].device, "veth7");
		ck_assert_uint_eq(report->alarms[0].redirected, 1000000007);
		delivery__free(report);
		ck_assert_ptr_null(reason_of(NULL, "10.0.0.2", 80));
		/* nobody keeps paths */
		ck_assert_int_eq(delivery__write(&writer, &arena.maps, NULL, &err), 0);
		ck_assert_int_eq(delivery__load(dir, "/p", &report, &err), 0);
		ck_assert_uint_eq(report->nr_reasons + report->nr_alarms, 0);
		delivery__free(report);
	}
END_TEST

static bool writes(struct delivery_writer *writer)
{
	struct pintle_err err = { 0 };
	bool is_there;

	remove(path);
	ck_assert_msg(!delivery__write(writer, &arena.maps, some_paths, &err), "%s", err.msg);
	is_there = !access(path, F_OK);
	return is_there;
}

START_TEST(written_when_changed)
	{
		struct delivery_writer writer = { .run_dir = dir, .pin_dir = "/p" };
		char text[] = "a text that changes in place";

		ck_assert(writes(&writer));
		ck_assert(!writes(&writer));
		reasons[3] = NULL;
		ck_assert(writes(&writer));
		reasons[0] = text;
		ck_assert(writes(&writer));
		text[0] = 'A';
		ck_assert(writes(&writer));
		set_pod(1, "10.0.0.9", "no route"); /* the id came to another pod */
		ck_assert(writes(&writer));
		arena.maps.pods[1].flags = 0;
		ck_assert(writes(&writer));
		alarms[0] = (struct paths_alarm){ .device = "veth7", .ifindex = 7, .text = "packets vanish" };
		nr_alarms = 1;
		ck_assert(writes(&writer));
		ck_assert(!writes(&writer));
		nr_alarms = 0;
		ck_assert(writes(&writer));
		ck_assert(!writes(&writer));
	}
END_TEST

/* What could not be written is tried again. */
START_TEST(failure_is_not_forgotten)
	{
		struct delivery_writer writer = { .run_dir = "/proc/nowhere/deep", .pin_dir = "/p" };
		struct pintle_err err = { 0 };

		ck_assert_int_eq(delivery__write(&writer, &arena.maps, some_paths, &err), -ENOENT);
		ck_assert_int_eq(delivery__write(&writer, &arena.maps, some_paths, &err), -ENOENT);
		writer.run_dir = dir;
		ck_assert(writes(&writer));
	}
END_TEST

static const char *const torn[] = {
	"",
	"{\"reasons\": [",
	"[]",
	"{\"reasons\": []}",
	"{\"reasons\": 1, \"alarms\": []}",
	"{\"reasons\": [7], \"alarms\": []}",
	"{\"reasons\": [{\"reason\": \"x\"}], \"alarms\": []}",
	"{\"reasons\": [{\"pods\": []}], \"alarms\": []}",
	"{\"reasons\": [{\"reason\": \"x\", \"pods\": {\"a\": \"10.0.0.1:80\"}}], \"alarms\": []}",
	"{\"reasons\": [{\"reason\": \"x\", \"pods\": [\"10.0.0.1\"]}], \"alarms\": []}",
	"{\"reasons\": [{\"reason\": \"x\", \"pods\": [\"10.0.0.1:80\", 9]}], \"alarms\": []}",
	"{\"reasons\": [], \"alarms\": [{\"device\": \"a\", \"text\": \"b\", \"ifindex\": -1, \"redirected_packets\": 1, \"arrived_packets\": 1}]}",
	"{\"reasons\": [], \"alarms\": [{\"device\": \"a\", \"text\": \"b\", \"ifindex\": 1, \"redirected_packets\": 1e300, \"arrived_packets\": 1}]}",
	"{\"reasons\": [], \"alarms\": [{\"text\": \"b\", \"ifindex\": 1, \"redirected_packets\": 1, \"arrived_packets\": 1}]}",
};

static int put_text(FILE *file, const void *text)
{
	return fputs(text, file) < 0 ? -EIO : 0;
}

START_TEST(torn_is_refused)
	{
		struct delivery_report *report = NULL;
		struct pintle_err err = { 0 };

		ck_assert_int_eq(rundir__replace(dir, "delivery", "/p", put_text, torn[_i], &err), 0);
		ck_assert_int_eq(delivery__load(dir, "/p", &report, &err), -EINVAL);
		ck_assert_ptr_nonnull(strstr(err.msg, "is torn"));
		ck_assert_ptr_null(report);
	}
END_TEST

START_TEST(not_a_file)
	{
		struct delivery_report *report = NULL;
		struct pintle_err err = { 0 };

		ck_assert_int_eq(mkdir(path, 0755), 0);
		ck_assert_int_eq(delivery__load(dir, "/p", &report, &err), -EINVAL);
		ck_assert_ptr_null(report);
	}
END_TEST

int main(void)
{
	Suite *suite = suite_create("delivery");
	TCase *tc = tcase_create("delivery");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, read_back);
	tcase_add_test(tc, written_when_changed);
	tcase_add_test(tc, failure_is_not_forgotten);
	tcase_add_loop_test(tc, torn_is_refused, 0, (int)(sizeof(torn) / sizeof(torn[0])));
	tcase_add_test(tc, not_a_file);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
