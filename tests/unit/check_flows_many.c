/* SPDX-License-Identifier: BSD-2-Clause */
/* `flows list -o json` of a full table: what is written goes out row by row, so memory does not grow with the flows, and time only with them. */
#include <check.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "agent/choose.h"
#include "agent/view.h"
#include "tests/unit/tables_fixture.h"

#if defined(__SANITIZE_ADDRESS__) /* slower, and freed memory stays in quarantine */
#define HAS_SANITIZER 1
#define NR_BUCKETS (1u << 14)
#else
#define HAS_SANITIZER 0
#define NR_BUCKETS (1u << 18)
#endif
#define NR_FLOWS (NR_BUCKETS * PINTLE_BUCKET_SLOTS)
#define MAX_GROWTH_BYTES (8l << 20) /* the document has some 300 MB */
#define MAX_CPU_SECONDS 40.0	    /* 3 to 6 s; what grows with the square of the flows takes hours */

static struct arena arena;
static struct tables *tables;
static struct view view;

static int no_grace(void *arg)
{
	(void)arg;
	return 0;
}

static int no_traffic(void *arg, uint32_t pod, struct pintle_traffic *ret)
{
	(void)arg, (void)pod, (void)ret;
	return -ENOENT;
}

static int no_pod_stats(void *arg, uint32_t slot, struct pintle_pod_stats *ret)
{
	(void)arg, (void)slot, (void)ret;
	return -ENOENT;
}

/* Every slot taken, by a client of its own. */
static struct pintle_bucket *fill(void)
{
	struct pintle_bucket *flows = aligned_alloc(64, NR_BUCKETS * sizeof(*flows));
	struct choose_flow flow = { .family = 4, .proto = IPPROTO_TCP };

	ck_assert_ptr_nonnull(flows);
	memset(flows, 0, NR_BUCKETS * sizeof(*flows));
	for (uint32_t i = 0; i < NR_FLOWS; i++) {
		flow.saddr_be[0] = i;
		flow.sport_be = (uint16_t)(i | 1);
		flows[i / PINTLE_BUCKET_SLOTS].slot[i % PINTLE_BUCKET_SLOTS] = (struct pintle_slot){
			.key = choose__key(&arena.maps, &flow),
			.state = PINTLE_FS_VALID | PINTLE_FS_SYN | PINTLE_FS_EST | PINTLE_FS_REDIRECT | PINTLE_FS_AWAITING,
		};
	}
	return flows;
}

static void setup(void)
{
	struct pintle_config *config = config_make__new();
	struct cfg_service *service = config_make__service(config, "web", PINTLE_POLICY_RR);
	struct view_source source = {
		.maps = &arena.maps, .mono_ns = 5000000000000ull, .traffic = no_traffic, .pod_stats = no_pod_stats
	};
	struct tables_applied applied;
	struct pintle_err err = { 0 };

	config_make__frontend(service, "10.96.0.1", IPPROTO_TCP, 80);
	config_make__pod(service, "10.1.0.1", 8080);
	arena__init(&arena, 16, 16, 0);
	ck_assert_int_eq(tables__open(&arena.maps, no_grace, NULL, &tables, &err), 0);
	ck_assert_msg(!tables__apply(tables, config, NULL, NULL, &applied, &err), "%s", err.msg);
	tables__close(tables);
	config_make__free(config);
	arena.meta.nr_buckets = NR_BUCKETS;
	arena.maps.flows = fill();
	ck_assert_int_eq(view__open(&source, &view, NULL), 0);
}

static void teardown(void)
{
	view__close(&view);
	free(arena.maps.flows);
	arena__destroy(&arena);
}

/* Where the document goes: looked at and forgotten. */
struct sink {
	uint64_t bytes, rows;
	int64_t depth;
	char first[512]; /* the document's beginning */
	bool is_quoted;
};

static ssize_t sink__write(void *arg, const char *data, size_t bytes)
{
	struct sink *sink = arg;

	for (size_t i = 0; i < bytes; i++) {
		if (sink->bytes < sizeof(sink->first) - 1)
			sink->first[sink->bytes] = data[i];
		sink->bytes++;
		sink->is_quoted ^= data[i] == '"';
		if (sink->is_quoted || !strchr("{}", data[i]))
			continue;
		sink->depth += data[i] == '{' ? 1 : -1;
		sink->rows += data[i] == '{';
	}
	return (ssize_t)bytes;
}

static struct rusage usage_now(void)
{
	struct rusage usage;

	ck_assert_int_eq(getrusage(RUSAGE_SELF, &usage), 0);
	return usage;
}

static double cpu_seconds(const struct rusage *usage)
{
	return (double)(usage->ru_utime.tv_sec + usage->ru_stime.tv_sec) +
	       (double)(usage->ru_utime.tv_usec + usage->ru_stime.tv_usec) / 1e6;
}

static void list(enum out_format format, struct sink *sink)
{
	const cookie_io_functions_t functions = { .write = sink__write };
	const struct view_flow_filter all = { 0 };
	FILE *file = fopencookie(sink, "w", functions);
	struct out *out = out__open(file, format);
	struct pintle_err err = { 0 };

	ck_assert_msg(!view__flows_list(&view, &all, out, &err), "%s", err.msg);
	ck_assert_int_eq(out__close(out), 0);
	ck_assert_int_eq(fclose(file), 0);
}

START_TEST(json_is_streamed)
	{
		struct rusage before = usage_now(), after;
		struct sink sink = { 0 };
		double seconds;
		long growth;

		list(OUT_JSON, &sink);
		after = usage_now();
		growth = (after.ru_maxrss - before.ru_maxrss) * 1024;
		seconds = cpu_seconds(&after) - cpu_seconds(&before);
		ck_assert_int_eq(sink.depth, 0);
		ck_assert_uint_eq(sink.rows, NR_FLOWS + 1); /* the document is one */
		ck_assert_ptr_nonnull(strstr(sink.first, "\"10.96.0.1:80/tcp\""));
		ck_assert_msg(HAS_SANITIZER || growth < MAX_GROWTH_BYTES, "memory grew by %ld bytes for %llu written", growth,
			      (unsigned long long)sink.bytes);
		ck_assert_msg(seconds < MAX_CPU_SECONDS, "%u flows took %.1f s", NR_FLOWS, seconds);
	}
END_TEST

int main(void)
{
	Suite *suite = suite_create("flows_many");
	TCase *tc = tcase_create("flows_many");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, json_is_streamed);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
