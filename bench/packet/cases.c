// SPDX-License-Identifier: BSD-2-Clause
#include "cases.h"

#include <linux/in.h>
#include <string.h>

#define K 1024u
#define M (1024u * K)
#define PODS 250u

/* Sizes of frames: the shortest whose headers the driver writes in whole words. */
#define V4_BYTES 64u
#define V6_BYTES 80u
#define FULL_BYTES 1514u
#define GSO_BYTES 3400u /* linear part; the skb says how many segments it stands for */
#define GSO_SEGS 44u

#define SVC(services, pods, active) .nr_services = (services), .pods_per_service = (pods), .active_services = (active)
#define XDP4 .is_tc = false, .family = 4, .frame_bytes = V4_BYTES
#define XDP6 .is_tc = false, .family = 6, .frame_bytes = V6_BYTES
#define TC4 .is_tc = true, .family = 4, .frame_bytes = V4_BYTES
#define TC6 .is_tc = true, .family = 6, .frame_bytes = V6_BYTES
#define TCP .proto = IPPROTO_TCP
#define UDP .proto = IPPROTO_UDP
#define FLOWS(number) .capacity = (number), .nr_flows = (number)
/* New flows come in batches; the rest of the capacity is there before. */
#define NEW(batch, cap) .kind = BENCH_NEW, .capacity = (cap), .nr_flows = (batch)
#define ACK .kind = BENCH_ACK, .replies = REPLIES_BETWEEN
#define QUICK .is_quick = true
#define ALL_ROWS "empty parse hash lru lru_dnat stock pintle"
#define NEW_ROWS "lru_update lru_insert stock pintle pintle:sample=3 pintle:sample=0"

const struct case_def case_defs[] = {
	{ { "ack4-1", XDP4, TCP, ACK, FLOWS(1), SVC(1, PODS, 1) }, QUICK, ALL_ROWS },
	{ { "ack4-1k", XDP4, TCP, ACK, FLOWS(K), SVC(1, PODS, 1) }, false, ALL_ROWS },
	{ { "ack4-128k", XDP4, TCP, ACK, FLOWS(128 * K), SVC(1, PODS, 1) }, QUICK, ALL_ROWS },
	{ { "ack4-1m", XDP4, TCP, ACK, FLOWS(M), SVC(1, PODS, 1) }, QUICK, ALL_ROWS },
	{ { "ack4-zipf", XDP4, TCP, ACK, FLOWS(M), SVC(1, PODS, 1), .zipf = 1.1 }, false, "lru_dnat stock pintle" },
	{ { "ack4-svc4096", XDP4, TCP, ACK, FLOWS(M), SVC(4096, 16, 4096) }, false, "lru_dnat stock pintle" },
	{ { "ack6-1", XDP6, TCP, ACK, FLOWS(1), SVC(1, PODS, 1) }, QUICK, "lru_dnat pintle" },
	{ { "ack6-1k", XDP6, TCP, ACK, FLOWS(K), SVC(1, PODS, 1) }, false, "lru_dnat pintle" },
	{ { "ack6-128k", XDP6, TCP, ACK, FLOWS(128 * K), SVC(1, PODS, 1) }, false, "lru_dnat pintle" },
	{ { "ack6-1m", XDP6, TCP, ACK, FLOWS(M), SVC(1, PODS, 1) }, false, "lru_dnat pintle" },
	{ { "udp4-1", XDP4, UDP, ACK, FLOWS(1), SVC(1, PODS, 1) }, false, "lru_dnat stock pintle" },
	{ { "udp4-1m", XDP4, UDP, ACK, FLOWS(M), SVC(1, PODS, 1) }, false, "lru_dnat stock pintle" },
	{ { "udp6-1", XDP6, UDP, ACK, FLOWS(1), SVC(1, PODS, 1) }, false, "lru_dnat pintle" },
	/* requests whose replies are sent at the same time by the other CPU: every entry changes on both */
	{ { "live4-1k", XDP4, TCP, .kind = BENCH_DATA, .replies = REPLIES_LIVE, FLOWS(K), SVC(1, PODS, 1) },
	  false,
	  "lru_dnat pintle" },
	{ { "live4-128k", XDP4, TCP, .kind = BENCH_DATA, .replies = REPLIES_LIVE, FLOWS(128 * K), SVC(1, PODS, 1) },
	  false,
	  "lru_dnat pintle" },
	{ { "live4-1m", XDP4, TCP, .kind = BENCH_DATA, .replies = REPLIES_LIVE, FLOWS(M), SVC(1, PODS, 1) },
	  false,
	  "lru_dnat pintle" },
	/* redirect instead of pass */
	{ { "redirect4-1", XDP4, TCP, ACK, FLOWS(1), SVC(1, PODS, 1) }, false, "lru_dnat pintle:redirect" },
	{ { "redirect4-1m", XDP4, TCP, ACK, FLOWS(M), SVC(1, PODS, 1) }, false, "lru_dnat pintle:redirect" },
	/* new flows */
	{ { "pair4-1", XDP4, TCP, .kind = BENCH_NEW_CLOSE, FLOWS(1), SVC(1, PODS, 1) }, QUICK, "lru_update pintle" },
	{ { "new4-1k", XDP4, TCP, NEW(K, K), SVC(1, PODS, 1) }, QUICK, NEW_ROWS },
	{ { "new4-128k", XDP4, TCP, NEW(16 * K, 128 * K), SVC(1, PODS, 1) }, false, NEW_ROWS },
	{ { "new4-1m", XDP4, TCP, NEW(128 * K, M), SVC(1, PODS, 1) }, QUICK, NEW_ROWS },
	{ { "new6-1k", XDP6, TCP, NEW(K, K), SVC(1, PODS, 1) }, false, "lru_update pintle" },
	{ { "new6-1m", XDP6, TCP, NEW(128 * K, M), SVC(1, PODS, 1) }, false, "lru_update pintle" },
	{ { "newudp4-1k", XDP4, UDP, NEW(K, K), SVC(1, PODS, 1) }, false, "lru_update pintle" },
	{ { "newudp4-1m", XDP4, UDP, NEW(128 * K, M), SVC(1, PODS, 1) }, false, "lru_update pintle" },
	{ { "choice-1", XDP4, TCP, NEW(K, K), SVC(1, 1, 1) }, QUICK, "pintle" },
	{ { "choice-64", XDP4, TCP, NEW(K, K), SVC(1, 64, 1) },
	  QUICK,
	  "pintle pintle:policy=leastconn pintle:policy=p2c pintle:policy=maglev pintle:policy=rr" },
	{ { "front-1", XDP4, TCP, NEW(16 * K, 128 * K), SVC(1, 4, 1) }, false, "lru_update stock pintle" },
	{ { "front-16384", XDP4, TCP, NEW(16 * K, 128 * K), SVC(16 * K, 4, 1) }, false, "lru_update stock pintle" },
	{ { "front-16384-all", XDP4, TCP, NEW(16 * K, 128 * K), SVC(16 * K, 4, 16 * K) }, false, "lru_update stock pintle" },
	/* TC entry */
	{ { "tc4-1", TC4, TCP, ACK, FLOWS(1), SVC(1, PODS, 1) }, QUICK, "empty lru_dnat pintle" },
	{ { "tc4-1k", TC4, TCP, ACK, FLOWS(K), SVC(1, PODS, 1) }, false, "empty lru_dnat pintle" },
	{ { "tc4-128k", TC4, TCP, ACK, FLOWS(128 * K), SVC(1, PODS, 1) }, false, "lru_dnat pintle" },
	{ { "tc4-1m", TC4, TCP, ACK, FLOWS(M), SVC(1, PODS, 1) }, false, "lru_dnat pintle" },
	{ { "tc6-1", TC6, TCP, ACK, FLOWS(1), SVC(1, PODS, 1) }, false, "lru_dnat pintle" },
	{ { "tc6-1m", TC6, TCP, ACK, FLOWS(M), SVC(1, PODS, 1) }, false, "lru_dnat pintle" },
	{ { "tcudp4-1", TC4, UDP, ACK, FLOWS(1), SVC(1, PODS, 1) }, false, "lru_dnat pintle" },
	{ { "tcnew4-1k", TC4, TCP, NEW(K, K), SVC(1, PODS, 1) }, false, "pintle" },
	/* request and reply in turn on one CPU, each with its transition; ns are per packet */
	{ { "turn4-1", TC4, TCP, .kind = BENCH_TURN, FLOWS(1), SVC(1, PODS, 1) }, false, "pintle" },
	{ { "turn4-1m", TC4, TCP, .kind = BENCH_TURN, FLOWS(M), SVC(1, PODS, 1) }, false, "pintle" },
	/* replies */
	{ { "rev4-1", TC4, TCP, .kind = BENCH_REPLY, FLOWS(1), SVC(1, PODS, 1) }, QUICK, "pintle pintle:redirect" },
	{ { "rev4-1k", TC4, TCP, .kind = BENCH_REPLY, FLOWS(K), SVC(1, PODS, 1) }, false, "pintle pintle:redirect" },
	{ { "rev4-128k", TC4, TCP, .kind = BENCH_REPLY, FLOWS(128 * K), SVC(1, PODS, 1) }, false, "pintle pintle:redirect" },
	{ { "rev4-1m", TC4, TCP, .kind = BENCH_REPLY, FLOWS(M), SVC(1, PODS, 1) }, QUICK, "pintle pintle:redirect" },
	{ { "rev4-full", .is_tc = true, .family = 4, TCP, .kind = BENCH_REPLY, FLOWS(K), SVC(1, PODS, 1),
	    .frame_bytes = FULL_BYTES },
	  false,
	  "pintle pintle:redirect" },
	{ { "rev4-gso", .is_tc = true, .family = 4, TCP, .kind = BENCH_REPLY, FLOWS(K), SVC(1, PODS, 1),
	    .frame_bytes = GSO_BYTES, .gso_segs = GSO_SEGS },
	  QUICK,
	  "pintle pintle:redirect" },
	{ { "rev6-1", TC6, TCP, .kind = BENCH_REPLY, FLOWS(1), SVC(1, PODS, 1) }, false, "pintle pintle:redirect" },
	{ { "rev6-1m", TC6, TCP, .kind = BENCH_REPLY, FLOWS(M), SVC(1, PODS, 1) }, false, "pintle pintle:redirect" },
	{ { "revudp4-1", TC4, UDP, .kind = BENCH_REPLY, FLOWS(1), SVC(1, PODS, 1) }, false, "pintle pintle:redirect" },
	{ { "rev4-svc4096", TC4, TCP, .kind = BENCH_REPLY, FLOWS(M), SVC(4096, 16, 4096) }, false, "pintle" },
};
const size_t nr_case_defs = sizeof(case_defs) / sizeof(case_defs[0]);

/* Programs by row: XDP IPv4, XDP IPv6, TC IPv4, TC IPv6. */
static const struct {
	const char *name;
	const char *programs[4];
} row_defs[] = {
	{ "empty", { "base_empty", "base_empty", "base_empty_tc", "base_empty_tc" } },
	{ "parse", { "base_parse", "base_parse6" } },
	{ "hash", { "base_hash" } },
	{ "lru", { "base_lru" } },
	{ "lru_dnat", { "base_lru_dnat", "base_lru_dnat6", "base_lru_dnat_tc", "base_lru_dnat6_tc" } },
	{ "lru_update", { "base_lru_update", "base_lru_update6" } },
	{ "lru_insert", { "base_lru_update", "base_lru_update6" } },
	{ "stock", { "base_stock" } },
};

bool row_is_pintle(const char *name)
{
	return !strncmp(name, "pintle", 6);
}

const char *row_program(const char *name, const struct bench_case *bc)
{
	if (row_is_pintle(name)) {
		if (bc->kind == BENCH_REPLY)
			return strstr(name, "redirect") ? "pt_rev_veth" : "pt_rev_up";
		return bc->is_tc ? "pt_tc" : "pt_xdp";
	}
	for (size_t i = 0; i < sizeof(row_defs) / sizeof(row_defs[0]); i++)
		if (!strcmp(row_defs[i].name, name))
			return row_defs[i].programs[(bc->is_tc ? 2 : 0) + (bc->family == 6)];
	return NULL;
}

const struct bar_def bar_defs[] = {
	{ "established IPv4, hot", BAR_RATIO, "ack4-1", "pintle", NULL, "lru_dnat", NULL, 0.9, 0.5 },
	{ "established IPv4, 128k flows", BAR_RATIO, "ack4-128k", "pintle", NULL, "lru_dnat", NULL, 0.62, 0.45 },
	{ "established IPv4, 1M flows", BAR_RATIO, "ack4-1m", "pintle", NULL, "lru_dnat", NULL, 0.50, 0.35 },
	{ "established IPv6, hot", BAR_RATIO, "ack6-1", "pintle", NULL, "lru_dnat", NULL, 0.9, 0.5 },
	{ "established IPv6, 128k flows", BAR_RATIO, "ack6-128k", "pintle", NULL, "lru_dnat", NULL, 0.62, 0.45 },
	{ "established IPv6, 1M flows", BAR_RATIO, "ack6-1m", "pintle", NULL, "lru_dnat", NULL, 0.50, 0.35 },
	{ "established at TC, hot", BAR_RATIO, "tc4-1", "pintle", NULL, "lru_dnat", NULL, 0.9, 0.5 },
	{ "established at TC, 128k flows", BAR_RATIO, "tc4-128k", "pintle", NULL, "lru_dnat", NULL, 0.62, 0.45 },
	{ "established at TC, 1M flows", BAR_RATIO, "tc4-1m", "pintle", NULL, "lru_dnat", NULL, 0.50, 0.35 },
	{ "established IPv4, hot, ns", BAR_NET, "ack4-1", "pintle", NULL, NULL, NULL, 40, 25 },
	{ "established IPv4, 1k flows, ns", BAR_NET, "ack4-1k", "pintle", NULL, NULL, NULL, 60, 40 },
	{ "established IPv4, 128k flows, ns", BAR_NET, "ack4-128k", "pintle", NULL, NULL, NULL, 200, 150 },
	{ "established IPv4, 1M flows, ns", BAR_NET, "ack4-1m", "pintle", NULL, NULL, NULL, 210, 170 },
	{ "new flow, one flow, closing counted in", BAR_NEW_ONE, "pair4-1", "pintle", NULL, "lru_update", "ack4-1", 0.35, 0 },
	{ "new flow, 1k flows", BAR_RATIO, "new4-1k", "pintle", NULL, "lru_update", NULL, 0.35, 0 },
	{ "new flow, 1M flows", BAR_RATIO, "new4-1m", "pintle", NULL, "lru_update", NULL, 0.30, 0 },
	{ "new IPv6 flow, 1k flows", BAR_RATIO, "new6-1k", "pintle", NULL, "lru_update", NULL, 0.35, 0 },
	{ "new IPv6 flow, 1M flows", BAR_RATIO, "new6-1m", "pintle", NULL, "lru_update", NULL, 0.30, 0 },
	{ "choice over 64 pods, ns", BAR_MINUS, "choice-64", "pintle", "choice-1", "pintle", NULL, 300, 150 },
	{ "reply, linear, hot, ns", BAR_NET, "rev4-1", "pintle", NULL, NULL, NULL, 250, 150 },
	{ "reply, GSO, ns", BAR_NET, "rev4-gso", "pintle", NULL, NULL, NULL, 250, 150 },
	{ "reply, linear, redirect, ns", BAR_NET, "rev4-1", "pintle:redirect", NULL, NULL, NULL, 250, 150 },
	{ "reply, 1M flows, ns", BAR_NET, "rev4-1m", "pintle", NULL, NULL, NULL, 250, 150 },
	{ "16384 frontends against 1, new flow", BAR_RATIO, "front-16384", "pintle", "front-1", "pintle", NULL, 1.1, 0 },
	{ "4096 services of 16 pods, 1M flows", BAR_RATIO, "ack4-svc4096", "pintle", NULL, "lru_dnat", NULL, 0.50, 0.35 },
	{ "1M flows placed, %", BAR_PLACED, "ack4-1m", "pintle", NULL, NULL, NULL, 99.9, 0 },
	{ "128k flows placed, %", BAR_PLACED, "ack4-128k", "pintle", NULL, NULL, NULL, 99.9, 0 },
};
const size_t nr_bar_defs = sizeof(bar_defs) / sizeof(bar_defs[0]);
