/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* How a translated packet gets to its pod: through the stack, or straight into the pod's device. */
#ifndef PINTLE_DELIVER_BPF_H
#define PINTLE_DELIVER_BPF_H

#include "maps.bpf.h"
#include "rewrite.bpf.h"

/* Where the packet goes from here; filled before the headers change, because TC loses its pointers with the checksum helpers. */
struct delivery {
	bool is_redirect;
	int action; /* XDP or TC action of the redirect */
};

static __always_inline bool pod_has_macs(const struct pintle_pod *pod, __u64 dmac_gen, __u64 smac_gen)
{
	return dmac_gen && dmac_gen >> 48 == smac_gen >> 48 && pod->ifindex;
}

static __always_inline void store_macs(struct pkt *p, __u64 dmac, __u64 smac)
{
	*(__u32 *)p->data = (__u32)dmac;
	*(__u16 *)(p->data + 4) = (__u16)(dmac >> 32);
	*(__u32 *)(p->data + 6) = (__u32)smac;
	*(__u16 *)(p->data + 10) = (__u16)(smac >> 32);
}

/* Tries to redirect: sets MACs and TTL and arms the redirect. False = the stack must deliver. */
static __always_inline bool deliver_redirect(bool is_tc, struct pkt *p, int family, const struct pintle_pod *pod,
					     int *ret_action)
{
	__u64 dmac_gen = *(const volatile __u64 *)&pod->dmac_gen;
	__u64 smac_gen = *(const volatile __u64 *)&pod->smac_gen;

	if (p->has_vlan || p->ttl <= 1 || !(pod->flags & PINTLE_POD_REDIRECT) || !pod_has_macs(pod, dmac_gen, smac_gen))
		return false;
	if (is_tc) {
		*ret_action = (int)bpf_redirect(pod->ifindex, 0);
	} else {
		*ret_action = (int)bpf_redirect_map(&pt_devmap, pod->devmap, XDP_PASS);
		if (*ret_action != XDP_REDIRECT)
			return false;
	}
	store_macs(p, dmac_gen, smac_gen);
	decrement_ttl(p, family);
	return true;
}

static __always_inline void count_redirected(const struct pintle_pod *pod)
{
	struct pintle_pod_stats *stats;
	__u32 slot;

	if (!pod->detail)
		return;
	slot = pod->detail - 1u;
	stats = bpf_map_lookup_elem(&pt_pod_stats, &slot);
	if (stats)
		stats->redirected += 1;
}

#endif
