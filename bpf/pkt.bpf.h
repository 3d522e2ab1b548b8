/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A packet as both entries see it, and its parsing: Ethernet, up to two VLAN tags, IPv4 without options or IPv6 without extension
 * headers, TCP, UDP, ICMP errors. Every length that a header states is checked against the frame before anything is changed.
 */
#ifndef PINTLE_PKT_BPF_H
#define PINTLE_PKT_BPF_H

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <bpf/bpf_helpers.h>

#include <stdbool.h>
#include <stddef.h>

#include "endian.bpf.h"
#include "pintle/verdict.h"

#ifndef __always_inline
#define __always_inline inline __attribute__((always_inline))
#endif
/* A function of its own for the verifier: checked once with unknown arguments, so pointers are tested for NULL. */
#define __global_fn __attribute__((noinline))

/* The compiler forgets what it knows of a variable. */
#define PT_OPAQUE(var) asm volatile("" : "+r"(var))

#define PT_TCP_FIN 0x01u
#define PT_TCP_SYN 0x02u
#define PT_TCP_RST 0x04u
#define PT_TCP_ACK 0x10u

struct pt_vlan {
	__be16 tci_be;
	__be16 proto_be;
};

struct pkt {
	void *data;
	void *end;
	void *l3;
	void *l4;
	__u32 frame_bytes;   /* whole frame, also what is not linear */
	__u32 payload_bytes; /* behind the TCP or UDP header; behind L3 for others */
	__u32 saddr_be[4];   /* raw words; IPv4 in [0] */
	__u32 daddr_be[4];
	__u16 sport_be;
	__u16 dport_be;
	__u16 l3_offset;
	__u8 family; /* 4 or 6 */
	__u8 proto;  /* IPPROTO_TCP, _UDP, _ICMP, _ICMPV6 */
	__u8 tcp_flags;
	__u8 ttl;
	__u8 has_vlan;
};

/* Ethernet and VLAN tags. On CONTINUE, l3, l3_offset and family are set. */
static __always_inline enum pintle_verdict pkt_parse_l2(struct pkt *p)
{
	struct ethhdr *eth = p->data;
	__be16 proto_be;

	if ((void *)(eth + 1) > p->end)
		return PINTLE_V_PASS_MALFORMED;
	proto_be = eth->h_proto;
	p->l3 = eth + 1;
	p->l3_offset = sizeof(*eth);
#pragma clang loop unroll(full)
	for (int i = 0; i < 2; i++) {
		struct pt_vlan *tag = p->l3;

		if (proto_be != pintle_const_htons(ETH_P_8021Q) && proto_be != pintle_const_htons(ETH_P_8021AD))
			break;
		if ((void *)(tag + 1) > p->end)
			return PINTLE_V_PASS_MALFORMED;
		proto_be = tag->proto_be;
		p->l3 = tag + 1;
		p->l3_offset += sizeof(*tag);
		p->has_vlan = 1;
	}
	if (proto_be == pintle_const_htons(ETH_P_IP))
		p->family = 4;
	else if (proto_be == pintle_const_htons(ETH_P_IPV6))
		p->family = 6;
	else
		return PINTLE_V_PASS_NOT_IP;
	return PINTLE_V_CONTINUE;
}

/* IPv4 header (RFC 791). *ret_l4_bytes: what the header says lies behind it. */
static __always_inline enum pintle_verdict pkt_parse_ip4(struct pkt *p, bool is_gso, __u32 *ret_l4_bytes)
{
	struct iphdr *ip = p->l3;
	__u32 total_bytes;

	if ((void *)(ip + 1) > p->end || ip->version != 4 || ip->ihl < 5)
		return PINTLE_V_PASS_MALFORMED;
	total_bytes = pintle_ntohs(ip->tot_len);
	if (is_gso && !total_bytes) /* "BIG TCP": the length does not fit the field */
		total_bytes = p->frame_bytes - p->l3_offset;
	if (total_bytes < ip->ihl * 4u || p->l3_offset + total_bytes > p->frame_bytes)
		return PINTLE_V_PASS_MALFORMED;
	if (ip->ihl != 5)
		return PINTLE_V_PASS_IP_OPTIONS;
	if (ip->frag_off & pintle_const_htons(0x3fff))
		return PINTLE_V_PASS_FRAGMENT;
	p->saddr_be[0] = pintle_raw32(ip->saddr);
	p->daddr_be[0] = pintle_raw32(ip->daddr);
	p->proto = ip->protocol;
	p->ttl = ip->ttl;
	p->l4 = ip + 1;
	*ret_l4_bytes = total_bytes - sizeof(*ip);
	return PINTLE_V_CONTINUE;
}

static __always_inline bool pkt_is_ip6_extension(__u8 next_header)
{
	return next_header == IPPROTO_HOPOPTS || next_header == IPPROTO_ROUTING || next_header == IPPROTO_DSTOPTS ||
	       next_header == IPPROTO_AH || next_header == IPPROTO_MH;
}

static __always_inline void pkt_copy_addr6(__u32 *to, const struct in6_addr *from)
{
	to[0] = pintle_raw32(from->in6_u.u6_addr32[0]);
	to[1] = pintle_raw32(from->in6_u.u6_addr32[1]);
	to[2] = pintle_raw32(from->in6_u.u6_addr32[2]);
	to[3] = pintle_raw32(from->in6_u.u6_addr32[3]);
}

/* IPv6 header (RFC 8200). */
static __always_inline enum pintle_verdict pkt_parse_ip6(struct pkt *p, bool is_gso, __u32 *ret_l4_bytes)
{
	struct ipv6hdr *ip = p->l3;
	__u32 payload_bytes;

	if ((void *)(ip + 1) > p->end || ip->version != 6)
		return PINTLE_V_PASS_MALFORMED;
	payload_bytes = pintle_ntohs(ip->payload_len);
	if (is_gso && !payload_bytes)
		payload_bytes = p->frame_bytes - p->l3_offset - (__u32)sizeof(*ip);
	if (p->l3_offset + sizeof(*ip) + payload_bytes > p->frame_bytes)
		return PINTLE_V_PASS_MALFORMED;
	if (ip->nexthdr == IPPROTO_FRAGMENT)
		return PINTLE_V_PASS_FRAGMENT;
	if (pkt_is_ip6_extension(ip->nexthdr))
		return PINTLE_V_PASS_IP_OPTIONS;
	pkt_copy_addr6(p->saddr_be, &ip->saddr);
	pkt_copy_addr6(p->daddr_be, &ip->daddr);
	p->proto = ip->nexthdr;
	p->ttl = ip->hop_limit;
	p->l4 = ip + 1;
	*ret_l4_bytes = payload_bytes;
	return PINTLE_V_CONTINUE;
}

/* TCP (RFC 9293) and UDP (RFC 768) headers; anything else is PASS_NOT_L4, ICMP included (see icmp.bpf.h). */
static __always_inline enum pintle_verdict pkt_parse_l4(struct pkt *p, bool is_gso, __u32 l4_bytes)
{
	if (p->proto == IPPROTO_TCP) {
		struct tcphdr *tcp = p->l4;
		__u32 header_bytes;

		if ((void *)(tcp + 1) > p->end || l4_bytes < sizeof(*tcp))
			return PINTLE_V_PASS_MALFORMED;
		header_bytes = tcp->doff * 4u;
		if (header_bytes < sizeof(*tcp) || header_bytes > l4_bytes)
			return PINTLE_V_PASS_MALFORMED;
		p->sport_be = pintle_raw16(tcp->source);
		p->dport_be = pintle_raw16(tcp->dest);
		p->tcp_flags = ((const __u8 *)tcp)[13];
		p->payload_bytes = l4_bytes - header_bytes;
		return PINTLE_V_CONTINUE;
	}
	if (p->proto == IPPROTO_UDP) {
		struct udphdr *udp = p->l4;
		__u32 udp_bytes;

		if ((void *)(udp + 1) > p->end || l4_bytes < sizeof(*udp))
			return PINTLE_V_PASS_MALFORMED;
		udp_bytes = pintle_ntohs(udp->len);
		/* a UDP GSO super-packet keeps the length of one segment or of all; only its frame bounds it */
		if (!is_gso && (udp_bytes < sizeof(*udp) || udp_bytes > l4_bytes))
			return PINTLE_V_PASS_MALFORMED;
		p->sport_be = pintle_raw16(udp->source);
		p->dport_be = pintle_raw16(udp->dest);
		p->tcp_flags = 0;
		p->payload_bytes = l4_bytes - sizeof(*udp);
		return PINTLE_V_CONTINUE;
	}
	p->payload_bytes = l4_bytes;
	return PINTLE_V_PASS_NOT_L4;
}

#endif
