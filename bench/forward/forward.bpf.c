/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Generator and sink of the forwarding benchmark. `forward_gen` is run by BPF_PROG_TEST_RUN with live frames in the client's namespace: it
 * makes the next UDP datagram and sends it out of the device. `forward_sink` is attached in the pod and counts what arrives.
 */
#include <stdbool.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "forward.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct forward_ctl);
} ctl SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct forward_count);
} counts SEC(".maps");

struct frame {
	struct ethhdr eth;
	struct iphdr ip;
	struct udphdr udp;
	__u8 payload[FORWARD_PAYLOAD_BYTES];
} __attribute__((packed));
_Static_assert(sizeof(struct frame) == FORWARD_FRAME_BYTES, "the smallest Ethernet frame");

#define IP_BYTES (sizeof(struct iphdr) + sizeof(struct udphdr) + FORWARD_PAYLOAD_BYTES)
#define UDP_BYTES (sizeof(struct udphdr) + FORWARD_PAYLOAD_BYTES)

static __always_inline __u32 sum32(__u32 word)
{
	return (word & 0xffff) + (word >> 16);
}

static __always_inline __u16 fold(__u32 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	return (__u16)((sum & 0xffff) + (sum >> 16));
}

SEC("xdp")
int forward_gen(struct xdp_md *ctx)
{
	struct frame *f = (void *)(long)ctx->data;
	__u32 zero = 0, flow, client, sum;
	struct forward_ctl *c = bpf_map_lookup_elem(&ctl, &zero);
	__u16 check;

	if (!c || (void *)(f + 1) > (void *)(long)ctx->data_end)
		return XDP_ABORTED;
	flow = (__u32)(c->first_flow + (c->next++ & c->flow_mask));
	client = bpf_htonl(FORWARD_CLIENT4 + (flow >> 10));
	__builtin_memset(f, 0, sizeof(*f));
	__builtin_memcpy(f->eth.h_dest, c->dmac, ETH_ALEN);
	__builtin_memcpy(f->eth.h_source, c->smac, ETH_ALEN);
	f->eth.h_proto = bpf_htons(ETH_P_IP);
	*(__u8 *)&f->ip = 0x45;
	f->ip.tot_len = bpf_htons(IP_BYTES);
	f->ip.frag_off = bpf_htons(0x4000);
	f->ip.ttl = 64;
	f->ip.protocol = IPPROTO_UDP;
	f->ip.saddr = client;
	f->ip.daddr = c->target_be;
	sum = sum32(client) + sum32(c->target_be);
	f->ip.check = (__u16)~fold(sum + bpf_htons(0x4500) + bpf_htons(IP_BYTES) + bpf_htons(0x4000) + bpf_htons(0x4011));
	f->udp.source = bpf_htons((__u16)(1024 + (flow & 1023) * 61));
	f->udp.dest = c->target_port_be;
	f->udp.len = bpf_htons(UDP_BYTES);
	check = (__u16)~fold(sum + bpf_htons(IPPROTO_UDP) + 2 * bpf_htons(UDP_BYTES) + f->udp.source + f->udp.dest);
	f->udp.check = check ? check : 0xffff;
	return XDP_TX;
}

/* Sums the frame from the IP header on; the payload is zero, but is read all the same. */
static __always_inline bool sums_are_right(const struct frame *f)
{
	const __u16 *words = (const void *)f + sizeof(struct ethhdr);
	__u32 ip_sum = 0, udp_sum = 0;

#pragma clang loop unroll(full)
	for (__u32 i = 0; i < sizeof(struct iphdr) / 2; i++)
		ip_sum += words[i];
#pragma clang loop unroll(full)
	for (__u32 i = sizeof(struct iphdr) / 2; i < IP_BYTES / 2; i++)
		udp_sum += words[i];
	udp_sum += sum32(f->ip.saddr) + sum32(f->ip.daddr) + bpf_htons(IPPROTO_UDP) + f->udp.len;
	return fold(ip_sum) == 0xffff && fold(udp_sum) == 0xffff;
}

SEC("xdp")
int forward_sink(struct xdp_md *ctx)
{
	const struct frame *f = (void *)(long)ctx->data;
	__u32 zero = 0;
	const struct forward_ctl *c = bpf_map_lookup_elem(&ctl, &zero);
	struct forward_count *count = bpf_map_lookup_elem(&counts, &zero);

	if (!c || !count)
		return XDP_PASS;
	if ((void *)(f + 1) > (void *)(long)ctx->data_end || f->eth.h_proto != bpf_htons(ETH_P_IP) ||
	    f->ip.protocol != IPPROTO_UDP || (f->ip.daddr & bpf_htonl(0xffffff00)) != c->sink_net_be ||
	    f->udp.dest != c->sink_port_be) {
		count->foreign++;
		return XDP_PASS;
	}
	count->arrived++;
	if (c->checks && !sums_are_right(f))
		count->bad_sum++;
	return XDP_DROP;
}

char _license[] SEC("license") = "Dual BSD/GPL";
