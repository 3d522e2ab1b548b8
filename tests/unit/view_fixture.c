/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/unit/view_fixture.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <math.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/choose.h"
#include "agent/rundir.h"

struct arena view_arena;
struct tables *view_tables;
static struct pintle_config *config;
struct names *view_names;
struct delivery_report *view_report;
struct view view_opened;
static char run_dir[64];

static const char config_text[] =
	"services:\n"
	"- name: shop/web\n"
	"  delivery: redirect\n"
	"  slo: 2ms\n"
	"  frontends: [{vip: 10.96.0.1, protocol: tcp, port: 80}, {vip: 10.96.0.1, protocol: tcp, port: 443}, "
	"{vip: '2001:db8::80', protocol: tcp, port: 80}]\n"
	"  pods: [{address: 10.1.0.1, port: 8080}, {address: 10.1.0.2, port: 8080, concurrency: 4}, "
	"{address: 'fd00::1', port: 8080}]\n"
	"- name: dns\n"
	"  policy: maglev\n"
	"  load: open\n"
	"  frontends: [{vip: 10.96.0.53, protocol: udp, port: 53}]\n"
	"  pods: [{address: 10.1.0.3, port: 53}, {address: 10.1.0.4, port: 53}]\n"
	"- name: empty\n"
	"  policy: rr\n"
	"  frontends: [{vip: 10.96.0.9, protocol: tcp, port: 80}]\n"
	"  pods: [{address: 10.1.0.5, port: 80, state: draining}]\n";

static int no_grace(void *arg)
{
	(void)arg;
	return 0;
}

static bool no_local(void *arg, const struct ip_addr *addr)
{
	(void)arg;
	(void)addr;
	return false;
}

static int fake_traffic(void *arg, uint32_t pod, struct pintle_traffic *ret)
{
	(void)arg;
	*ret = (struct pintle_traffic){ .packets = 1000 + pod, .bytes = 1000000 * (pod + 1ull), .flows = 90 + pod };
	return 0;
}

static int fake_pod_stats(void *arg, uint32_t slot, struct pintle_pod_stats *ret)
{
	(void)arg;
	*ret = (struct pintle_pod_stats){ .first_bytes = 80, .latency_count = 80, .latency_ns = 8000000 };
	ret->latency_hist[6] = 60; /* 64 to 128 us */
	ret->latency_hist[10] = 20;
	return slot > 10 ? -EIO : 0;
}

static uint64_t age_of(uint64_t state, unsigned int units)
{
	bool is_coarse = PINTLE_FS_IS_COARSE(state);
	uint64_t jiffies = (1ull << 32) - 300 * 250 + VIEW_MONO_NS / 1000000000 * 250;
	uint64_t now = jiffies >> (is_coarse ? view_arena.meta.coarse_shift : view_arena.meta.fine_shift);

	return ((now - units) & 0xff) << PINTLE_FS_AGE_SHIFT;
}

uint16_t view_fixture__pod(const char *text)
{
	struct pintle_err err;
	uint16_t pod = 0;

	ck_assert_msg(!view__find_pod(&view_opened, text, &pod, &err), "%s", err.msg);
	return pod;
}

/* As the programs would leave it: first free slot of the first bucket. */
static void put_flow(const char *client, const char *frontend, const char *pod, uint64_t flags, unsigned int age)
{
	struct choose_flow flow = { 0 };
	struct endpoint from, to;
	struct pintle_bucket *bucket;
	uint16_t service, id = view_fixture__pod(pod);
	uint32_t i;

	ck_assert_int_eq(endpoint__parse(client, false, &from, NULL), 0);
	ck_assert_int_eq(endpoint__parse(frontend, true, &to, NULL), 0);
	ck_assert_int_eq(table_maps__find_frontend(&view_arena.maps, &to.addr, to.proto, to.port, &flow.frontend, &service), 0);
	flow.family = from.addr.family;
	memcpy(flow.saddr_be, from.addr.bytes, sizeof(flow.saddr_be));
	flow.sport_be = htons(from.port);
	flow.key = choose__key(&view_arena.maps, &flow);
	bucket = &view_arena.maps.flows[pintle_bucket_first(flow.key, view_arena.meta.nr_buckets - 1)];
	flags |= PINTLE_FS_VALID | (flow.family == 6 ? PINTLE_FS_V6 : 0);
	for (i = 0; i < PINTLE_BUCKET_SLOTS; i++) {
		if (bucket->slot[i].state & PINTLE_FS_VALID)
			continue;
		bucket->slot[i].key = flow.key;
		bucket->slot[i].state = flags | id | age_of(flags, age);
		break;
	}
	ck_assert_uint_lt(i, PINTLE_BUCKET_SLOTS);
	view_arena.maps.loads[id].awaiting += flags & PINTLE_FS_AWAITING ? 1 : 0;
	view_arena.maps.loads[id].open += PINTLE_FS_IS_CLOSED(flags) ? 0 : 1;
}

static void put_flows(void)
{
	put_flow("192.0.2.1:40000", "10.96.0.1:80/tcp", "10.1.0.1:8080",
		 PINTLE_FS_SYN | PINTLE_FS_EST | PINTLE_FS_AWAITING | PINTLE_FS_STAMPED, 3);
	put_flow("192.0.2.1:40001", "10.96.0.1:443/tcp", "10.1.0.1:8080", PINTLE_FS_SYN | PINTLE_FS_EST | PINTLE_FS_REDIRECT,
		 2);
	put_flow("192.0.2.2:40002", "10.96.0.1:80/tcp", "10.1.0.2:8080", PINTLE_FS_SYN | PINTLE_FS_AWAITING, 0);
	put_flow("192.0.2.3:40003", "10.96.0.1:80/tcp", "10.1.0.2:8080", PINTLE_FS_SYN | PINTLE_FS_EST | PINTLE_FS_RST, 1);
	put_flow("192.0.2.3:5353", "10.96.0.53:53/udp", "10.1.0.3:53", PINTLE_FS_UDP | PINTLE_FS_EST, 5);
	put_flow("[2001:db8::7]:9999", "[2001:db8::80]:80/tcp", "[fd00::1]:8080",
		 PINTLE_FS_SYN | PINTLE_FS_EST | PINTLE_FS_FIN_CLIENT, 0);
}

void view_fixture__reopen(void)
{
	struct view_source source = { .maps = &view_arena.maps,
				      .names = view_names,
				      .delivery = view_report,
				      .mono_ns = VIEW_MONO_NS,
				      .traffic = fake_traffic,
				      .pod_stats = fake_pod_stats };

	view__close(&view_opened);
	ck_assert_int_eq(view__open(&source, &view_opened, NULL), 0);
}

static int put_text(FILE *file, const void *text)
{
	return fputs(text, file) < 0 ? -EIO : 0;
}

void view_fixture__report(const char *json)
{
	struct pintle_err err = { 0 };

	delivery__free(view_report);
	view_report = NULL;
	if (json) {
		ck_assert_msg(!rundir__replace(run_dir, "delivery", "/pins", put_text, json, &err), "%s", err.msg);
		ck_assert_msg(!delivery__load(run_dir, "/pins/", &view_report, &err), "%s", err.msg);
	}
	view_fixture__reopen();
}

void view_fixture__setup(void)
{
	struct pintle_err err = { 0 };
	struct tables_applied applied;
	int i;

	arena__init(&view_arena, 16, 16, 0);
	for (i = 0; i < (int)PINTLE_PSI_ENTRIES; i++)
		view_arena.maps.ctl->psi_q8[i] = (int16_t)lround(256 * log2(2.0 * i + 1));
	view_arena.maps.ctl->heartbeat_ns = VIEW_MONO_NS - 1000000;
	ck_assert_msg(!config__parse("test", config_text, sizeof(config_text) - 1, &config, &err), "%s", err.msg);
	ck_assert_int_eq(tables__open(&view_arena.maps, no_grace, NULL, &view_tables, &err), 0);
	ck_assert_msg(!tables__apply(view_tables, config, no_local, NULL, &applied, &err), "%s", err.msg);
	strcpy(run_dir, "/tmp/pintle-view_opened-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(run_dir));
	ck_assert_msg(!names__write(run_dir, "/pins", config, &err), "%s", err.msg);
	ck_assert_msg(!names__load(run_dir, "/pins/", &view_names, &err), "%s", err.msg);
	memset(&view_opened, 0, sizeof(view_opened));
	view_fixture__reopen();
	tables__stage_gain(view_tables, view_fixture__pod("10.1.0.1:8080"), 256 * 14);
	tables__stage_gain(view_tables, view_fixture__pod("10.1.0.2:8080"), 256 * 13);
	ck_assert_int_eq(tables__commit_gains(view_tables, &err), 0);
	put_flows();
	view_fixture__reopen();
}

void view_fixture__teardown(void)
{
	char command[128];

	view__close(&view_opened);
	names__free(view_names);
	delivery__free(view_report);
	tables__close(view_tables);
	config__free(config);
	arena__destroy(&view_arena);
	snprintf(command, sizeof(command), "rm -rf '%s'", run_dir);
	ck_assert_int_eq(system(command), 0);
}
