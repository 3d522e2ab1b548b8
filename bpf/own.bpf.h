/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Frames that are not for this node: a promiscuous device, a bridge's port or a flooding switch shows them too. They pass as they are, or another
 * host's clients would be answered, and served twice. Which addresses are ours is in pt_uplinks, by device (agent/ownmacs.h says where from).
 */
#ifndef PINTLE_OWN_BPF_H
#define PINTLE_OWN_BPF_H

#include "maps.bpf.h"
#include "pkt.bpf.h"

#define PT_MAC_MASK 0xffffffffffffull
#define PT_PACKET_HOST 0 /* linux/if_packet.h: the kernel found the device's own address */

static __always_inline struct pintle_uplink *uplink_of(__u32 ifindex)
{
	for (__u32 i = 0; i < PINTLE_MAX_UPLINKS; i++) {
		__u32 index = (ifindex + i) % PINTLE_MAX_UPLINKS;
		struct pintle_uplink *uplink = bpf_map_lookup_elem(&pt_uplinks, &index);

		if (uplink && uplink->ifindex == ifindex)
			return uplink;
	}
	return NULL;
}

/* All addresses of the device; out of line: the first is compared before. */
__global_fn int mac_is_other(__u32 ifindex, __u64 mac)
{
	struct pintle_uplink *uplink = uplink_of(ifindex);
	__u32 nr;

	if (!uplink)
		return 0;
	nr = *(volatile __u32 *)&uplink->nr_macs;
	if (nr > PINTLE_UPLINK_MACS)
		return 0;
	for (__u32 i = 0; i < PINTLE_UPLINK_MACS; i++)
		if (i < nr && *(volatile __u64 *)&uplink->mac[i] == mac)
			return 0;
	return 1;
}

/* `p` has passed L2. */
static __always_inline bool frame_is_other(__u32 ifindex, const struct pkt *p)
{
	__u64 mac = *(const __u64 *)p->data & PT_MAC_MASK;
	__u32 index = ifindex % PINTLE_MAX_UPLINKS;
	struct pintle_uplink *uplink = bpf_map_lookup_elem(&pt_uplinks, &index);

	if (uplink && uplink->ifindex == ifindex && uplink->mac[0] == mac)
		return false;
	return mac_is_other(ifindex, mac);
}

static __always_inline bool xdp_is_other(const struct xdp_md *ctx, const struct pkt *p)
{
	return frame_is_other(ctx->ingress_ifindex, p);
}

/* What the kernel took for its own needs no look; it does not know the addresses of devices on top of this one yet. */
static __always_inline bool tc_is_other(const struct __sk_buff *skb, const struct pkt *p)
{
	return skb->pkt_type != PT_PACKET_HOST && frame_is_other(skb->ifindex, p);
}

#endif
