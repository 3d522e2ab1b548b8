/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Header rewriting. In XDP all checksums are updated by hand (RFC 1624). In TC the L4 checksum goes through bpf_l4_csum_replace(), which
 * knows whether it is complete, partial (only the pseudo header is in it) or verified: the address with BPF_F_PSEUDO_HDR, the port by a
 * second call without it. The helper calls come last, because they invalidate packet pointers.
 */
#ifndef PINTLE_REWRITE_BPF_H
#define PINTLE_REWRITE_BPF_H

#include "config.bpf.h"
#include "pintle/csum.h"
#include "pkt.bpf.h"

#ifndef BPF_F_PSEUDO_HDR
#define BPF_F_PSEUDO_HDR (1ull << 4)
#endif

enum pt_side { PT_SIDE_DST, PT_SIDE_SRC };

/* New address and port; sums are folded ones-complement sums of their memory words. */
struct endpoint_new {
	const __be32 *addr_be; /* 1 or 4 words */
	__u16 port_be;
	__u16 addr_sum;
	__u16 sum; /* of address and port */
};

static __always_inline void store_addr4(struct pkt *p, enum pt_side side, __u32 addr_be)
{
	*(__u32 *)(p->l3 + (side == PT_SIDE_DST ? 16 : 12)) = addr_be;
}

static __always_inline void store_addr6(struct pkt *p, enum pt_side side, const __be32 *addr_be)
{
	__u32 *to = p->l3 + (side == PT_SIDE_DST ? 24 : 8);

	to[0] = pintle_raw32(addr_be[0]);
	to[1] = pintle_raw32(addr_be[1]);
	to[2] = pintle_raw32(addr_be[2]);
	to[3] = pintle_raw32(addr_be[3]);
}

/* The IPv4 header's checksum. */
static __always_inline void ip_check_update(struct iphdr *ip, __u16 inv, __u16 to)
{
	ip->check = (PINTLE_FORCE __sum16)pintle_csum_update((PINTLE_FORCE __u16)ip->check, inv, to);
}

static __always_inline void l4_check_xdp(struct pkt *p, __u16 inv, __u16 to)
{
	__u16 *check = p->l4 + (p->proto == IPPROTO_TCP ? 16 : 6);

	if (p->proto == IPPROTO_UDP) {
		__u16 updated;

		if (!*check) /* not computed by the sender (RFC 768) */
			return;
		updated = pintle_csum_update(*check, inv, to);
		*check = updated ? updated : 0xffff;
		return;
	}
	*check = pintle_csum_update(*check, inv, to);
}

static __always_inline int l4_check_tc(struct __sk_buff *skb, const struct pkt *p, __u16 addr_inv,
				       const struct endpoint_new *to, __u16 old_port_be)
{
	__u32 offset = (__u32)p->l3_offset + (p->family == 4 ? 20 : 40) + (p->proto == IPPROTO_TCP ? 16 : 6);
	__u64 flags = p->proto == IPPROTO_UDP ? BPF_F_MARK_MANGLED_0 : 0;
	__u64 pseudo = BPF_F_PSEUDO_HDR | (p->family == 6 ? pt_v6_csum_flag : 0);
	__u16 new_port_be = to->port_be;

	if (bpf_l4_csum_replace(skb, offset, 0, (__u32)addr_inv + to->addr_sum, flags | pseudo))
		return -1;
	if (old_port_be == new_port_be)
		return 0;
	return (int)bpf_l4_csum_replace(skb, offset, old_port_be, new_port_be, flags | 2);
}

/* Replaces one side of the packet. `family` is a constant at every caller. In TC, packet pointers are invalid afterwards. */
static __always_inline int rewrite(void *ctx, bool is_tc, struct pkt *p, int family, enum pt_side side,
				   const struct endpoint_new *to)
{
	const __u32 *old_addr_be = side == PT_SIDE_DST ? p->daddr_be : p->saddr_be;
	__u16 old_port_be = side == PT_SIDE_DST ? p->dport_be : p->sport_be;
	__u16 addr_inv = (__u16)~pintle_csum_addr(old_addr_be, family == 4 ? 1 : 4);

	if (family == 4) {
		struct iphdr *ip = p->l3;

		ip_check_update(ip, addr_inv, to->addr_sum);
		store_addr4(p, side, pintle_raw32(to->addr_be[0]));
	} else {
		store_addr6(p, side, to->addr_be);
	}
	*(__u16 *)(p->l4 + (side == PT_SIDE_DST ? 2 : 0)) = to->port_be;
	if (is_tc)
		return l4_check_tc(ctx, p, addr_inv, to, old_port_be);
	l4_check_xdp(p, pintle_csum_fold((__u32)addr_inv + (__u16)~old_port_be), to->sum);
	return 0;
}

/* One hop less; the caller has seen that TTL is above 1. */
static __always_inline void decrement_ttl(struct pkt *p, int family)
{
	if (family == 4) {
		struct iphdr *ip = p->l3;
		__u16 *word = (__u16 *)&ip->ttl;
		__u16 old = *word;

		ip->ttl -= 1;
		ip_check_update(ip, (__u16)~old, *word);
	} else {
		struct ipv6hdr *ip = p->l3;

		ip->hop_limit -= 1;
	}
}

#endif
