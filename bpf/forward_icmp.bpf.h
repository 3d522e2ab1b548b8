/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* ICMP errors from the network to a VIP, handed to the pod whose reply caused them. */
#ifndef PINTLE_FORWARD_ICMP_BPF_H
#define PINTLE_FORWARD_ICMP_BPF_H

#include "forward.bpf.h"
#include "icmp.bpf.h"

/* The quote is a reply: VIP:port -> client:port. */
static __always_inline enum pintle_verdict forward_icmp(struct forward *fw, bool is_tc, struct pkt *p, int family)
{
	enum pintle_verdict verdict;
	struct endpoint_new to;
	struct pintle_pod *pod;
	struct endpoint vip;
	struct flow_ref ref;
	struct quote q = {};
	__u32 pod_id;
	__u64 key;

	verdict = quote_parse(p, family, &q);
	if (verdict != PINTLE_V_CONTINUE)
		return verdict;
	if (fw->is_other)
		return PINTLE_V_PASS_OTHER_MAC;
	if (!same_addr(family, q.saddr_be, p->daddr_be) || !vip_find(family, q.saddr_be, q.sport_be, q.proto, &vip))
		return PINTLE_V_PASS_ICMP;
	key = flow_key(family == 6 ? PINTLE_FS_V6 : 0, q.daddr_be, q.dport_be, vip.id);
	if (!flow_find(key, family == 6 ? PINTLE_FS_V6 : 0, &ref))
		return PINTLE_V_PASS_ICMP;
	pod_id = flow_backend(ref.state);
	pod = bpf_map_lookup_elem(&pt_pods, &pod_id);
	if (!pod)
		return PINTLE_V_PASS_INTERNAL;
	to.addr_be = pod->addr_be;
	to.port_be = pintle_raw16(pod->port_be);
	to.addr_sum = pod->addr_sum;
	to.sum = pod->sum;
	icmp_rewrite(p, family, &q, PT_SIDE_DST, false, &to);
	count_traffic(pod_id, p->frame_bytes);
	if (!(ref.state & PINTLE_FS_REDIRECT) || !deliver_redirect(is_tc, p, family, pod, &fw->action))
		return PINTLE_V_STEER_ICMP;
	count_redirected(pod);
	return PINTLE_V_STEER_ICMP_REDIRECT;
}

#endif
