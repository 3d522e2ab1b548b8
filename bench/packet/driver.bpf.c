/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Driver of the packet benchmark, run by BPF_PROG_TEST_RUN. Every iteration
 *   1. undoes what the program under test did to the bounds of the packet (the kernel does not between repetitions),
 *   2. writes a fresh header for the next flow,
 *   3. drains the store buffer, so that the target reads headers as after DMA and pays no store-forwarding stall,
 *   4. tail-calls the target.
 * 1 to 3 are also paid by the null target, whose cost the harness subtracts. In a capture run every packet is copied out, as
 * the target left it, before step 1 of the next iteration.
 */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <stdbool.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "address.h"
#include "driver.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct driver_ctl);
} ctl SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, BENCH_MAX_FLOWS);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct driver_order);
} order SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, DRIVER_CAPTURE_ENTRIES);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct driver_capture);
} capture SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u32);
} targets SEC(".maps");

struct flow {
	__u32 id;
	__u32 pod;
	__u32 template;
};

static __always_inline void put32(void *at, __u32 offset, __u32 value)
{
	*(volatile __u32 *)(at + offset) = value;
}

static __always_inline void put16(void *at, __u32 offset, __u16 value)
{
	*(volatile __u16 *)(at + offset) = value;
}

static __always_inline __u16 fold_not(__u32 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (__u16)~sum;
}

static __always_inline __u32 sum32(__u32 word)
{
	return (word & 0xffff) + (word >> 16);
}

/* Which flow packet number n belongs to. The odd multiplier makes the counter a permutation of the flows. */
static __always_inline void flow_of(const struct driver_ctl *c, __u64 n, struct flow *ret)
{
	__u32 step = (__u32)n;

	ret->template = 0;
	ret->pod = 0;
	if (c->pair) {
		ret->template = step & 1;
		step >>= 1;
	}
	if (c->order_mask) {
		__u32 key = step & c->order_mask;
		const struct driver_order *o = bpf_map_lookup_elem(&order, &key);

		ret->id = o ? o->flow : 0;
		ret->pod = o ? o->pod : 0;
	} else {
		ret->id = c->flow_base + ((step * 2654435761u) & c->flow_mask);
	}
}

/* Copies the template and fills in addresses, ports and checksums; the caller checked that the header words fit at `at`. */
static __always_inline void write_packet(void *at, const struct driver_ctl *c, const struct driver_template *t,
					 const struct flow *f, bool is_v6)
{
	__u32 client = bpf_htonl(BENCH_CLIENT4(f->id)), vip = bpf_htonl(BENCH_VIP4(f->id & c->frontend_mask));
	__u32 server = t->reverse ? bpf_htonl(BENCH_POD4(f->pod)) : vip;
	__u16 port = bpf_htons(BENCH_CLIENT_PORT(f->id)), check;
	__u32 addresses = sum32(client) + sum32(server);
	__u32 source = is_v6 ? 34 : 26, destination = is_v6 ? 50 : 30, l4 = is_v6 ? 54 : 34;

#pragma clang loop unroll(full)
	for (int i = 0; i < (int)(is_v6 ? DRIVER_HEADER_WORDS : DRIVER_HEADER_WORDS_V4); i++)
		*(volatile __u64 *)(at + 8 * i) = t->header[i];
	if (!is_v6)
		put16(at, 24, fold_not(t->ip_sum + addresses));
	check = fold_not(t->l4_sum + addresses + port);
	if (t->reverse) {
		put32(at, source, server);
		put32(at, destination, client);
		put16(at, l4 + 2, port);
	} else {
		put32(at, source, client);
		put32(at, destination, server);
		put16(at, l4, port);
	}
	if (c->is_udp)
		put16(at, l4 + 6, check ? check : 0xffff);
	else
		put16(at, l4 + 16, check);
}

/* -1: the packet is shorter than its headers. */
static __always_inline int next_packet(void *data, void *end, struct driver_ctl *c, __u32 *ret_slot)
{
	const struct driver_template *t;
	struct flow f;

	flow_of(c, c->next, &f);
	t = &c->template[f.template & 1];
	if (c->is_v6) {
		if (data + 8 * DRIVER_HEADER_WORDS > end)
			return -1;
		write_packet(data, c, t, &f, true);
	} else {
		if (data + 8 * DRIVER_HEADER_WORDS_V4 > end)
			return -1;
		write_packet(data, c, t, &f, false);
	}
	c->next++;
	__sync_fetch_and_add(&c->fence, 1);
	*ret_slot = t->slot;
	return 0;
}

static __always_inline struct driver_capture *capture_entry(const struct driver_ctl *c, __u64 n)
{
	__u32 key = (__u32)(n - c->first) & (DRIVER_CAPTURE_ENTRIES - 1);

	return bpf_map_lookup_elem(&capture, &key);
}

/* Bytes to copy of a packet of `bytes`; the bounds are also for the verifier. */
static __always_inline __u32 capture_bytes(__u64 bytes)
{
	return bytes < 1 ? 1 : bytes > DRIVER_CAPTURE_BYTES ? DRIVER_CAPTURE_BYTES : (__u32)bytes;
}

/* A fresh load each time: a copy in a 32-bit register is no packet pointer to the verifier. */
#define PACKET_AT(field) ((void *)(long)*(const volatile __u32 *)&(field))

/* Keeps the packet that the previous iteration left, `bytes` long; `ctx` of an XDP or a TC program. True when the run is over: its extra iteration
 * only takes the last packet. */
static __always_inline bool capture_last(void *ctx, bool is_xdp, __u32 bytes, struct driver_ctl *c)
{
	struct driver_capture *to;
	struct flow f;

	if (c->next > c->first) {
		to = capture_entry(c, c->next - 1);
		if (!to)
			return true;
		flow_of(c, c->next - 1, &f);
		to->flow = f.id;
		to->bytes = bytes;
		if (is_xdp ? bpf_xdp_load_bytes(ctx, 0, to->data, capture_bytes(bytes))
			   : bpf_skb_load_bytes(ctx, 0, to->data, capture_bytes(bytes)))
			c->broken++;
	}
	return c->next - c->first >= c->limit;
}

/* Puts both ends of the packet back to where they were at the first packet of the run. */
static __always_inline int xdp_restore(struct xdp_md *ctx, struct driver_ctl *c)
{
	__s64 moved, grown;

	*(void *volatile *)&c->seen = PACKET_AT(ctx->data);
	if (!c->home)
		c->home = *(volatile __u64 *)&c->seen;
	moved = (__s64)(c->home - *(volatile __u64 *)&c->seen);
	if (moved && bpf_xdp_adjust_head(ctx, (int)moved))
		return -1;
	grown = (__s64)c->packet_bytes - (PACKET_AT(ctx->data_end) - PACKET_AT(ctx->data));
	return grown ? (int)bpf_xdp_adjust_tail(ctx, (int)grown) : 0;
}

static __always_inline int drive_xdp(struct xdp_md *ctx)
{
	__u32 zero = 0, slot;
	struct driver_ctl *c = bpf_map_lookup_elem(&ctl, &zero);

	if (!c || (c->limit && capture_last(ctx, true, (__u32)(PACKET_AT(ctx->data_end) - PACKET_AT(ctx->data)), c)))
		return XDP_ABORTED;
	if (xdp_restore(ctx, c) || next_packet(PACKET_AT(ctx->data), PACKET_AT(ctx->data_end), c, &slot)) {
		c->broken++;
		return XDP_ABORTED;
	}
	if (slot)
		bpf_tail_call_static(ctx, &targets, 1);
	bpf_tail_call_static(ctx, &targets, 0);
	c->missed++;
	return XDP_ABORTED;
}

SEC("xdp")
int driver_xdp(struct xdp_md *ctx)
{
	return drive_xdp(ctx);
}

SEC("xdp.frags")
int driver_xdp_frags(struct xdp_md *ctx)
{
	return drive_xdp(ctx);
}

/* A TC target must leave the length alone: there is no cheap way to see where an skb's head was. */
SEC("tc")
int driver_tc(struct __sk_buff *skb)
{
	__u32 zero = 0, slot;
	struct driver_ctl *c = bpf_map_lookup_elem(&ctl, &zero);

	if (!c || (c->limit && capture_last(skb, false, skb->len, c)))
		return TC_ACT_SHOT;
	if (skb->len != c->packet_bytes || next_packet(PACKET_AT(skb->data), PACKET_AT(skb->data_end), c, &slot)) {
		c->broken++;
		return TC_ACT_SHOT;
	}
	if (slot)
		bpf_tail_call_static(skb, &targets, 1);
	bpf_tail_call_static(skb, &targets, 0);
	c->missed++;
	return TC_ACT_SHOT;
}

char _license[] SEC("license") = "Dual BSD/GPL";
