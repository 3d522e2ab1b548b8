/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * ICMP errors (RFC 792, RFC 4443) about steered flows. The packet that is quoted inside names the flow; both the outer and the quoted
 * header are translated, so that the receiver finds its socket. The quoted L4 checksum is left alone: receivers do not look at it.
 *
 * The ICMP checksum covers the quote: with IPv4, the quoted address and header checksum change by opposite amounts, so only the port counts;
 * with IPv6 there is no quoted header checksum and the outer address stands in the pseudo-header, so all of them do.
 */
#ifndef PINTLE_ICMP_BPF_H
#define PINTLE_ICMP_BPF_H

#include "endpoint.bpf.h"
#include "flow.bpf.h"
#include "rewrite.bpf.h"

#define PT_ICMP_HEADER_BYTES 8
#define PT_ICMP_PULL_BYTES 128u

/* What an ICMP error quotes. */
struct quote {
	void *l3;
	void *l4;
	__u32 saddr_be[4];
	__u32 daddr_be[4];
	__u16 sport_be;
	__u16 dport_be;
	__u8 proto;
};

static __always_inline bool icmp_is_error(int family, __u8 type)
{
	if (family == 4)
		return type == 3 || type == 11 || type == 12; /* unreachable, time exceeded, parameter problem */
	return type >= 1 && type <= 4;			      /* unreachable, too big, time exceeded, parameter problem */
}

static __always_inline bool quote_parse4(struct pkt *p, struct quote *q)
{
	struct iphdr *ip = p->l4 + PT_ICMP_HEADER_BYTES;

	if ((void *)(ip + 1) + 8 > p->end || ip->version != 4 || ip->ihl != 5 || ip->frag_off & pintle_const_htons(0x1fff))
		return false;
	q->l3 = ip;
	q->l4 = ip + 1;
	q->proto = ip->protocol;
	q->saddr_be[0] = pintle_raw32(ip->saddr);
	q->daddr_be[0] = pintle_raw32(ip->daddr);
	return true;
}

static __always_inline bool quote_parse6(struct pkt *p, struct quote *q)
{
	struct ipv6hdr *ip = p->l4 + PT_ICMP_HEADER_BYTES;

	if ((void *)(ip + 1) + 8 > p->end || ip->version != 6)
		return false;
	q->l3 = ip;
	q->l4 = ip + 1;
	q->proto = ip->nexthdr;
	pkt_copy_addr6(q->saddr_be, &ip->saddr);
	pkt_copy_addr6(q->daddr_be, &ip->daddr);
	return true;
}

/* An ICMP error whose quote is the head of a TCP or UDP packet: CONTINUE; else PASS_MALFORMED, PASS_NOT_L4 (no error), PASS_ICMP (an error
 * that quotes something else). `p` has passed L3; p->payload_bytes is what lies behind it. */
static __always_inline enum pintle_verdict quote_parse(struct pkt *p, int family, struct quote *q)
{
	__u32 need_bytes = PT_ICMP_HEADER_BYTES + (family == 4 ? 20 : 40) + 8;

	if (p->proto != (family == 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6))
		return PINTLE_V_PASS_NOT_L4;
	if (p->payload_bytes < PT_ICMP_HEADER_BYTES || p->l4 + PT_ICMP_HEADER_BYTES > p->end)
		return PINTLE_V_PASS_MALFORMED;
	if (!icmp_is_error(family, *(__u8 *)p->l4))
		return PINTLE_V_PASS_NOT_L4;
	if (p->payload_bytes < need_bytes || !(family == 4 ? quote_parse4(p, q) : quote_parse6(p, q)))
		return PINTLE_V_PASS_ICMP;
	if (q->proto != IPPROTO_TCP && q->proto != IPPROTO_UDP)
		return PINTLE_V_PASS_ICMP;
	q->sport_be = *(__u16 *)q->l4;
	q->dport_be = *(__u16 *)(q->l4 + 2);
	return PINTLE_V_CONTINUE;
}

static __always_inline void store_quoted_addr(struct quote *q, int family, enum pt_side side, const __be32 *addr_be, __u16 inv,
					      __u16 to)
{
	struct pkt inner = { .l3 = q->l3 };

	if (family == 4) {
		struct iphdr *ip = q->l3;

		ip_check_update(ip, inv, to);
		store_addr4(&inner, side, pintle_raw32(addr_be[0]));
	} else {
		store_addr6(&inner, side, addr_be);
	}
}

/* Translates outer side `outer` (unless outer_stays) and the other side of the quote to `to`. */
static __always_inline void icmp_rewrite(struct pkt *p, int family, struct quote *q, enum pt_side outer, bool outer_stays,
					 const struct endpoint_new *to)
{
	enum pt_side quoted = outer == PT_SIDE_DST ? PT_SIDE_SRC : PT_SIDE_DST;
	const __u32 *old_addr_be = quoted == PT_SIDE_SRC ? q->saddr_be : q->daddr_be;
	__u16 old_port_be = quoted == PT_SIDE_SRC ? q->sport_be : q->dport_be;
	__u16 addr_inv = (__u16)~pintle_csum_addr(old_addr_be, family == 4 ? 1 : 4);
	__u16 *check = p->l4 + 2;
	__u32 inv = (__u16)~old_port_be, sum = to->port_be;

	store_quoted_addr(q, family, quoted, to->addr_be, addr_inv, to->addr_sum);
	*(__u16 *)(q->l4 + (quoted == PT_SIDE_SRC ? 0 : 2)) = to->port_be;
	if (!outer_stays) {
		if (family == 4) {
			struct iphdr *ip = p->l3;

			ip_check_update(ip, addr_inv, to->addr_sum);
			store_addr4(p, outer, pintle_raw32(to->addr_be[0]));
		} else {
			store_addr6(p, outer, to->addr_be);
		}
	}
	if (family == 6) {
		inv += outer_stays ? addr_inv : 2u * addr_inv;
		sum += outer_stays ? to->addr_sum : 2u * to->addr_sum;
	}
	*check = pintle_csum_update(*check, pintle_csum_fold(inv), pintle_csum_fold(sum));
}

static __always_inline bool same_addr(int family, const __u32 *a, const __u32 *b)
{
	if (a[0] != b[0])
		return false;
	return family == 4 || (a[1] == b[1] && a[2] == b[2] && a[3] == b[3]);
}

#endif
