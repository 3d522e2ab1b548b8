// SPDX-License-Identifier: BSD-2-Clause
/* See kit.h. */
#include <stdlib.h>

#include <bpf/bpf.h>

#include "tests/bpf/kit.h"

struct wire_addr kit__client(uint32_t n)
{
	n /= 60000;
	return addr4(10, (uint8_t)(128 + (n >> 16)), (uint8_t)(n >> 8), (uint8_t)n);
}

uint16_t kit__client_port(uint32_t n)
{
	return (uint16_t)(1024 + n % 60000);
}

void kit__service(struct rig *r, uint8_t policy, uint8_t flags, int nr)
{
	uint16_t service = rig__add_service(r, policy, flags);
	int i;

	rig__add_frontend(r, service, addr4(198, 51, 100, 1), WIRE_TCP, 80);
	for (i = 0; i < nr; i++)
		rig__add_member(r, service, rig__add_pod(r, addr4(10, 2, 0, (uint8_t)(1 + i)), KIT_POD_PORT), 0, 1);
	rig__link(r);
}

int kit__run(struct rig *r, enum model_prog prog, const struct pkt_spec *spec)
{
	uint64_t before[PINTLE_V_MAX], after[PINTLE_V_MAX];
	static struct rig_out out;
	struct pkt p;
	int v, seen = 0;

	pkt__build(spec, &p);
	rig__verdicts(r, before);
	ck_assert_int_eq(rig__run(r, prog, p.data, p.bytes, &out), 0);
	rig__verdicts(r, after);
	for (v = 0; v < PINTLE_V_MAX; v++) {
		if (after[v] == before[v])
			continue;
		ck_assert_msg(!seen && after[v] == before[v] + 1, "two verdicts: %s, %s", verdict_name(seen), verdict_name(v));
		seen = v;
	}
	return seen;
}

int kit__to_vip(struct rig *r, uint32_t n, uint8_t tcp_flags, uint32_t payload_bytes)
{
	struct pkt_spec spec = { .src = kit__client(n),
				 .dst = addr4(198, 51, 100, 1),
				 .sport = kit__client_port(n),
				 .dport = 80,
				 .proto = WIRE_TCP,
				 .tcp_flags = tcp_flags,
				 .payload_bytes = payload_bytes };

	return kit__run(r, MODEL_XDP, &spec);
}

int kit__from_pod(struct rig *r, uint32_t n, uint16_t pod, uint8_t tcp_flags, uint32_t payload_bytes)
{
	struct pkt_spec spec = { .src = r->model.pods[pod].addr,
				 .dst = kit__client(n),
				 .sport = r->model.pods[pod].port,
				 .dport = kit__client_port(n),
				 .proto = WIRE_TCP,
				 .tcp_flags = tcp_flags,
				 .payload_bytes = payload_bytes };

	return kit__run(r, MODEL_REV_UP, &spec);
}

struct pintle_slot *kit__slot(struct rig *r, uint32_t n, uint16_t frontend)
{
	struct wire_addr client = kit__client(n);

	return rig__slot(r, &client, kit__client_port(n), frontend);
}

uint64_t kit__flags(const struct pintle_slot *slot)
{
	return slot->state & PINTLE_FS_FLAGS_MASK & ~PINTLE_FS_STAMPED;
}

int kit__new_flow(struct rig *r, uint32_t n)
{
	int verdict = kit__to_vip(r, n, WIRE_SYN, 0);
	struct pintle_slot *slot = kit__slot(r, n, 0);

	ck_assert_msg(verdict == PINTLE_V_STEER_PASS && slot, "SYN of client %u: %s", n, verdict_name(verdict));
	return (int)(slot->state & PINTLE_FS_BACKEND_MASK);
}

void kit__clocks(struct rig *r, uint8_t *ret_fine, uint8_t *ret_coarse)
{
	struct pintle_slot *slot;

	rig__reset(r);
	kit__service(r, PINTLE_POLICY_SCORE, 0, 1);
	kit__new_flow(r, 1);
	slot = kit__slot(r, 1, 0);
	*ret_fine = (uint8_t)(slot->state >> PINTLE_FS_AGE_SHIFT);
	kit__to_vip(r, 1, WIRE_ACK, 0);
	ck_assert_int_eq(kit__from_pod(r, 1, 0, WIRE_ACK, 1), PINTLE_V_REV_STEER);
	*ret_coarse = (uint8_t)(slot->state >> PINTLE_FS_AGE_SHIFT);
}

void kit__place(struct rig *r, uint32_t at, uint32_t n, uint16_t frontend, uint16_t pod, uint64_t flags, uint8_t now,
		uint8_t age)
{
	struct pintle_slot *slot = &r->flows[at / PINTLE_BUCKET_SLOTS].slot[at % PINTLE_BUCKET_SLOTS];
	struct wire_addr client = kit__client(n);

	slot->key = rig__key(r, &client, kit__client_port(n), frontend);
	slot->state = pod | (uint64_t)(uint8_t)(now - age) << PINTLE_FS_AGE_SHIFT | flags | PINTLE_FS_VALID;
	r->loads[pod].awaiting += (flags & PINTLE_FS_AWAITING) != 0;
	r->loads[pod].open += !PINTLE_FS_IS_CLOSED(flags);
}

void kit__forget_flows(struct rig *r)
{
	memset(r->flows, 0, r->meta.nr_buckets * sizeof(*r->flows));
	memset(r->loads, 0, r->meta.max_pods * sizeof(*r->loads));
}

static void kit__build(struct kit_frame *f, const struct pkt_spec *spec)
{
	struct pkt p;

	pkt__build(spec, &p);
	if (p.bytes > sizeof(f->data))
		abort();
	memcpy(f->data, p.data, p.bytes);
	f->bytes = p.bytes;
}

void kit__frame_to_vip(struct kit_frame *f, uint32_t n, uint8_t tcp_flags, uint32_t payload_bytes)
{
	struct pkt_spec spec = { .src = kit__client(n),
				 .dst = addr4(198, 51, 100, 1),
				 .sport = kit__client_port(n),
				 .dport = 80,
				 .proto = WIRE_TCP,
				 .tcp_flags = tcp_flags,
				 .payload_bytes = payload_bytes };

	kit__build(f, &spec);
}

void kit__frame_from_pod(struct kit_frame *f, uint32_t n, uint8_t pod, uint8_t tcp_flags, uint32_t payload_bytes)
{
	struct pkt_spec spec = { .src = addr4(10, 2, 0, (uint8_t)(1 + pod)),
				 .dst = kit__client(n),
				 .sport = KIT_POD_PORT,
				 .dport = kit__client_port(n),
				 .proto = WIRE_TCP,
				 .tcp_flags = tcp_flags,
				 .payload_bytes = payload_bytes };

	kit__build(f, &spec);
}

void kit__set_source(struct kit_frame *f, uint32_t saddr, uint16_t sport)
{
	wire__put32(f->data + WIRE_ETH_BYTES + 12, saddr);
	wire__put16(f->data + WIRE_ETH_BYTES + WIRE_IP4_BYTES, sport);
}

uint32_t kit__fire(const struct rig *r, enum model_prog prog, const struct kit_frame *f)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = f->data, .data_size_in = f->bytes);

	if (bpf_prog_test_run_opts(r->prog_fd[prog], &opts))
		abort(); /* also runs in threads, where Check cannot fail */
	return opts.retval;
}

double kit__chi_square(const uint32_t *counts, const double *expected, int nr)
{
	double sum = 0;
	int i;

	for (i = 0; i < nr; i++)
		sum += (counts[i] - expected[i]) * (counts[i] - expected[i]) / expected[i];
	return sum;
}
