/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the parts of a balancer cost with the kernel's own maps. FROZEN: the bars are ratios to these programs, so a change here
 * makes old and new results incomparable; a better baseline is a new program beside them.
 *
 * All parse Ethernet, IPv4 without options or IPv6, TCP or UDP. `lru_dnat` is the reference row: parse, one LRU_HASH look-up of the
 * five-tuple, destination address and port rewritten with incremental checksums (RFC 1624).
 */
#include <stdbool.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/pkt_cls.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "baseline.h"

#define FLOW_MAP(name, map_type, key_type)       \
	struct {                                 \
		__uint(type, map_type);          \
		__uint(max_entries, 8192);       \
		__type(key, key_type);           \
		__type(value, struct base_flow); \
	} name SEC(".maps")

FLOW_MAP(flows_hash, BPF_MAP_TYPE_HASH, struct base_key4);
FLOW_MAP(flows_lru, BPF_MAP_TYPE_LRU_HASH, struct base_key4);
FLOW_MAP(flows_lru6, BPF_MAP_TYPE_LRU_HASH, struct base_key6);

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 32768);
	__type(key, __u64); /* address 32 | port 16 | protocol 16 */
	__type(value, struct base_vip);
} vips SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, BASE_MAX_PODS);
	__type(key, __u32);
	__type(value, struct base_flow);
} pods SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, BASE_MAX_PODS);
	__type(key, __u32);
	__type(value, struct base_count);
} counts SEC(".maps");

struct headers {
	void *l3;
	__u16 *ports; /* source, destination */
	__u16 *check; /* of TCP or UDP; NULL for UDP without checksum */
	__u16 check_offset;
	bool is_udp;
};

static __always_inline int parse_l4(void *l4, void *end, __u8 proto, struct headers *h)
{
	h->ports = l4;
	if (proto == IPPROTO_TCP) {
		struct tcphdr *tcp = l4;

		if ((void *)(tcp + 1) > end)
			return -1;
		h->check = (__u16 *)&tcp->check;
		h->check_offset = 16;
		h->is_udp = false;
	} else if (proto == IPPROTO_UDP) {
		struct udphdr *udp = l4;

		if ((void *)(udp + 1) > end)
			return -1;
		h->check = udp->check ? (__u16 *)&udp->check : NULL;
		h->check_offset = 6;
		h->is_udp = true;
	} else {
		return -1;
	}
	return 0;
}

static __always_inline int parse4(void *data, void *end, struct base_key4 *key, struct headers *h)
{
	struct ethhdr *eth = data;
	struct iphdr *ip = data + sizeof(*eth);

	if ((void *)(ip + 1) > end || eth->h_proto != bpf_htons(ETH_P_IP))
		return -1;
	if (ip->ihl != 5 || (ip->frag_off & bpf_htons(0x3fff)) || parse_l4(ip + 1, end, ip->protocol, h))
		return -1;
	h->l3 = ip;
	key->saddr_be = ip->saddr;
	key->daddr_be = ip->daddr;
	key->sport_be = h->ports[0];
	key->dport_be = h->ports[1];
	key->proto = ip->protocol;
	key->pad[0] = key->pad[1] = key->pad[2] = 0;
	return 0;
}

static __always_inline int parse6(void *data, void *end, struct base_key6 *key, struct headers *h)
{
	struct ethhdr *eth = data;
	struct ipv6hdr *ip = data + sizeof(*eth);

	if ((void *)(ip + 1) > end || eth->h_proto != bpf_htons(ETH_P_IPV6) || parse_l4(ip + 1, end, ip->nexthdr, h))
		return -1;
	h->l3 = ip;
	__builtin_memcpy(key->saddr_be, &ip->saddr, 16);
	__builtin_memcpy(key->daddr_be, &ip->daddr, 16);
	key->sport_be = h->ports[0];
	key->dport_be = h->ports[1];
	key->proto = ip->nexthdr;
	key->pad[0] = key->pad[1] = key->pad[2] = 0;
	return 0;
}

static __always_inline __u32 sum32(__u32 word)
{
	return (word & 0xffff) + (word >> 16);
}

static __always_inline __u32 sum128(const __u32 *words)
{
	return sum32(words[0]) + sum32(words[1]) + sum32(words[2]) + sum32(words[3]);
}

static __always_inline __u16 fold(__u32 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	return (__u16)((sum & 0xffff) + (sum >> 16));
}

/* RFC 1624 equation 3; `from` and `to` are ones-complement sums. */
static __always_inline __u16 replace(__u16 check, __u32 from, __u32 to)
{
	return (__u16)~fold((__u32)(__u16)~check + (__u16)~fold(from) + to);
}

static __always_inline void replace_l4(struct headers *h, __u32 from, __u32 to)
{
	__u16 check;

	if (!h->check)
		return;
	check = replace(*h->check, from, to);
	*h->check = h->is_udp && !check ? 0xffff : check;
}

static __always_inline void dnat4(struct headers *h, const struct base_flow *to)
{
	struct iphdr *ip = h->l3;
	__u32 from_sum = sum32(ip->daddr), to_sum = sum32(to->addr_be[0]);

	ip->check = replace(ip->check, from_sum, to_sum);
	replace_l4(h, from_sum + h->ports[1], to_sum + to->port_be);
	ip->daddr = to->addr_be[0];
	h->ports[1] = to->port_be;
}

static __always_inline void dnat6(struct headers *h, const struct base_key6 *key, const struct base_flow *to)
{
	struct ipv6hdr *ip = h->l3;

	replace_l4(h, sum128(key->daddr_be) + key->dport_be, sum128(to->addr_be) + to->port_be);
	__builtin_memcpy(&ip->daddr, to->addr_be, 16);
	h->ports[1] = to->port_be;
}

/* XDP_DROP never means success here: the harness expects XDP_PASS. */
#define BEGIN4(ctx)                                                                     \
	struct base_key4 key;                                                           \
	struct headers h;                                                               \
	if (parse4((void *)(long)(ctx)->data, (void *)(long)(ctx)->data_end, &key, &h)) \
	return XDP_DROP
#define BEGIN6(ctx)                                                                     \
	struct base_key6 key;                                                           \
	struct headers h;                                                               \
	if (parse6((void *)(long)(ctx)->data, (void *)(long)(ctx)->data_end, &key, &h)) \
	return XDP_DROP

SEC("xdp")
int base_empty(struct xdp_md *ctx)
{
	return ctx->rx_queue_index > 1u << 30 ? XDP_DROP : XDP_PASS;
}

SEC("xdp")
int base_parse(struct xdp_md *ctx)
{
	BEGIN4(ctx);
	return (key.saddr_be ^ key.daddr_be ^ key.sport_be) == 0x12345678 ? XDP_DROP : XDP_PASS;
}

SEC("xdp")
int base_parse6(struct xdp_md *ctx)
{
	BEGIN6(ctx);
	return (key.saddr_be[3] ^ key.daddr_be[3] ^ key.sport_be) == 0x12345678 ? XDP_DROP : XDP_PASS;
}

SEC("xdp")
int base_hash(struct xdp_md *ctx)
{
	const struct base_flow *flow;

	BEGIN4(ctx);
	flow = bpf_map_lookup_elem(&flows_hash, &key);
	return flow && !flow->flags ? XDP_PASS : XDP_DROP;
}

SEC("xdp")
int base_lru(struct xdp_md *ctx)
{
	const struct base_flow *flow;

	BEGIN4(ctx);
	flow = bpf_map_lookup_elem(&flows_lru, &key);
	return flow && !flow->flags ? XDP_PASS : XDP_DROP;
}

SEC("xdp")
int base_lru_dnat(struct xdp_md *ctx)
{
	const struct base_flow *flow;

	BEGIN4(ctx);
	flow = bpf_map_lookup_elem(&flows_lru, &key);
	if (!flow)
		return XDP_DROP;
	dnat4(&h, flow);
	return XDP_PASS;
}

SEC("xdp")
int base_lru_dnat6(struct xdp_md *ctx)
{
	const struct base_flow *flow;

	BEGIN6(ctx);
	flow = bpf_map_lookup_elem(&flows_lru6, &key);
	if (!flow)
		return XDP_DROP;
	dnat6(&h, &key, flow);
	return XDP_PASS;
}

SEC("xdp")
int base_lru_update(struct xdp_md *ctx)
{
	struct base_flow flow = { .port_be = 1 };

	BEGIN4(ctx);
	return bpf_map_update_elem(&flows_lru, &key, &flow, BPF_ANY) ? XDP_DROP : XDP_PASS;
}

SEC("xdp")
int base_lru_update6(struct xdp_md *ctx)
{
	struct base_flow flow = { .port_be = 1 };

	BEGIN6(ctx);
	return bpf_map_update_elem(&flows_lru6, &key, &flow, BPF_ANY) ? XDP_DROP : XDP_PASS;
}

/* A balancer of stock maps: frontend by HASH, flow by LRU_HASH, pod by hash of the flow, packets and bytes per pod. */
SEC("xdp")
int base_stock(struct xdp_md *ctx)
{
	const struct base_flow *flow;
	const struct base_vip *vip;
	struct base_count *count;
	__u64 vip_key;
	__u32 pod;

	BEGIN4(ctx);
	vip_key = (__u64)key.daddr_be << 32 | (__u32)key.dport_be << 16 | key.proto;
	vip = bpf_map_lookup_elem(&vips, &vip_key);
	if (!vip)
		return XDP_DROP;
	flow = bpf_map_lookup_elem(&flows_lru, &key);
	if (!flow) {
		pod = (key.saddr_be ^ key.sport_be) * 2654435761u;
		pod = vip->first_pod + (__u32)(((__u64)pod * vip->nr_pods) >> 32);
		flow = bpf_map_lookup_elem(&pods, &pod);
		if (!flow || bpf_map_update_elem(&flows_lru, &key, flow, BPF_ANY))
			return XDP_DROP;
	}
	pod = flow->pod;
	count = bpf_map_lookup_elem(&counts, &pod);
	if (!count)
		return XDP_DROP;
	count->packets++;
	count->bytes += (__u32)(ctx->data_end - ctx->data);
	dnat4(&h, flow);
	return XDP_PASS;
}

SEC("tc")
int base_empty_tc(struct __sk_buff *skb)
{
	return skb->queue_mapping > 1u << 30 ? TC_ACT_SHOT : TC_ACT_OK;
}

#define TC_L4(h, l3_bytes) (ETH_HLEN + (l3_bytes) + (h).check_offset)

/* At TC a checksum may be partial or complete, so the helper that knows must change it: addresses with the pseudo-header flag, then
 * ports without. The helper ends the validity of packet pointers, hence the plain stores come first. */
SEC("tc")
int base_lru_dnat_tc(struct __sk_buff *skb)
{
	const struct base_flow *flow;
	__u64 mangled;
	struct iphdr *ip;

	BEGIN4(skb);
	flow = bpf_map_lookup_elem(&flows_lru, &key);
	if (!flow)
		return TC_ACT_SHOT;
	ip = h.l3;
	ip->check = replace(ip->check, sum32(key.daddr_be), sum32(flow->addr_be[0]));
	ip->daddr = flow->addr_be[0];
	h.ports[1] = flow->port_be;
	mangled = h.is_udp ? BPF_F_MARK_MANGLED_0 : 0;
	if (bpf_l4_csum_replace(skb, TC_L4(h, sizeof(*ip)), key.daddr_be, flow->addr_be[0], BPF_F_PSEUDO_HDR | mangled | 4) ||
	    bpf_l4_csum_replace(skb, TC_L4(h, sizeof(*ip)), key.dport_be, flow->port_be, mangled | 2))
		return TC_ACT_SHOT;
	return TC_ACT_OK;
}

/* The 128-bit difference of two addresses as one 32-bit sum, so that one call changes the checksum for the whole address. */
SEC("tc")
int base_lru_dnat6_tc(struct __sk_buff *skb)
{
	const struct base_flow *flow;
	__u64 mangled;
	struct ipv6hdr *ip;
	__u32 difference;

	BEGIN6(skb);
	flow = bpf_map_lookup_elem(&flows_lru6, &key);
	if (!flow)
		return TC_ACT_SHOT;
	ip = h.l3;
	__builtin_memcpy(&ip->daddr, flow->addr_be, 16);
	h.ports[1] = flow->port_be;
	mangled = h.is_udp ? BPF_F_MARK_MANGLED_0 : 0;
	difference = (__u32)(__u16)~fold(sum128(key.daddr_be)) + fold(sum128(flow->addr_be));
	if (bpf_l4_csum_replace(skb, TC_L4(h, sizeof(*ip)), 0, difference, BPF_F_PSEUDO_HDR | mangled) ||
	    bpf_l4_csum_replace(skb, TC_L4(h, sizeof(*ip)), key.dport_be, flow->port_be, mangled | 2))
		return TC_ACT_SHOT;
	return TC_ACT_OK;
}

char _license[] SEC("license") = "Dual BSD/GPL";
