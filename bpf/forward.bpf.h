/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Client to pod: one core for XDP and TC. */
#ifndef PINTLE_FORWARD_BPF_H
#define PINTLE_FORWARD_BPF_H

#include "deliver.bpf.h"
#include "endpoint.bpf.h"
#include "heal.bpf.h"
#include "socket.bpf.h"

/* What the entry program hands down and gets back. */
struct forward {
	void *ctx;
	int action;    /* of a redirect */
	bool is_other; /* an ICMP error for another host */
};

/* A request that begins on a known flow is timed anew if the flow is one of the sampled. */
__global_fn int restamp(__u32 index, __u64 state)
{
	__u32 pod = flow_backend(state);
	struct pintle_load *load = bpf_map_lookup_elem(&pt_loads, &pod);
	__u64 *stamp = bpf_map_lookup_elem(&pt_stamps, &index);
	__s32 r = load ? load->awaiting : 0;

	if (stamp)
		*stamp = stamp_word(r > 0 ? (__u32)r : 0);
	return 0;
}

#define PT_UDP_LOST_NS 1000000000ull

/* A datagram while an answer is awaited: part of the request, one more beside it, or the same again because the first was lost. After a second it is
 * taken for the last, and timed from itself. */
__global_fn int restamp_lost(__u32 index, __u64 state)
{
	__u64 *stamp = bpf_map_lookup_elem(&pt_stamps, &index);

	if (stamp && ((bpf_ktime_get_ns() - *stamp) & PINTLE_STAMP_NS_MASK) > PT_UDP_LOST_NS)
		restamp(index, state);
	return 0;
}

/* Where the packet stands after the look-ups. */
struct lookup {
	__u64 key;
	__u64 state; /* of the flow's entry */
	__u32 index; /* its slot; of a closed entry that a SYN takes over; or PT_NO_SLOT */
	__u16 frontend;
	__u16 service;
	bool is_new; /* wants an entry */
	bool is_healed;
};

/* A request that begins now is not counted: one is counted already, or none will be answered. */
#define PT_NO_REQUEST (PINTLE_FS_AWAITING | PINTLE_FS_FIN_POD | PINTLE_FS_RST | PINTLE_FS_RST_CLIENT)

/* Flags that a TCP segment of the client changes. */
static __always_inline void tcp_step(const struct pkt *p, __u64 state, __u64 *set, __u64 *clear)
{
	if (!(p->tcp_flags & (PT_TCP_SYN | PT_TCP_RST)) && !(state & PINTLE_FS_EST))
		*set = PINTLE_FS_EST | PINTLE_FS_SYN; /* a guess is none any more */
	if (state & PINTLE_FS_RST_CLIENT)
		*clear = revived(state, p->tcp_flags);
	/* a pod that has finished will not answer */
	if (p->payload_bytes && !(state & ~*clear & PT_NO_REQUEST))
		*set |= PINTLE_FS_AWAITING;
	if (p->tcp_flags & (PT_TCP_FIN | PT_TCP_RST)) {
		*set |= p->tcp_flags & PT_TCP_RST ? PINTLE_FS_RST_CLIENT : PINTLE_FS_FIN_CLIENT;
		*set &= ~state & ~PINTLE_FS_AWAITING;
		*clear |= state & PINTLE_FS_AWAITING;
	}
}

/* Transitions that a packet of the client makes; none on the path of an established flow. */
static __always_inline void client_transitions(const struct pkt *p, const struct lookup *look, struct flow_ref *ref)
{
	__u64 state = ref->state, set = 0, clear = 0, before;

	if (p->proto != IPPROTO_UDP)
		tcp_step(p, state, &set, &clear);
	else if (!(state & PINTLE_FS_AWAITING))
		set = PINTLE_FS_AWAITING;
	else if (state & PINTLE_FS_STAMPED && flow_is_later(state)) /* at most once a tick, so that streams cost nothing */
		restamp_lost(ref->index, state);
	if (!(set | clear)) {
		flow_touch(ref->slot, state);
		return;
	}
	if (set & PINTLE_FS_AWAITING && state & PINTLE_FS_STAMPED)
		restamp(ref->index, state);
	if (flow_change(ref->index, state, set, clear, &before) && clear & before & PINTLE_FS_AWAITING) {
		count_aborted(flow_backend(before));
		record_class(look->service, look->key, 0, 1);
	}
}

/* The flow of a packet that has no entry, in scratch. */
static __always_inline struct new_flow *note_flow(const struct pkt *p, const struct lookup *look)
{
	struct new_flow *f = scratch_flow();

	if (!f)
		return NULL;
	f->key = look->key;
	f->family = p->family == 6 ? PINTLE_FS_V6 : 0;
	f->reuse = look->index;
	f->reuse_state = look->state;
	f->saddr_be[0] = p->saddr_be[0];
	f->saddr_be[1] = p->saddr_be[1];
	f->saddr_be[2] = p->saddr_be[2];
	f->saddr_be[3] = p->saddr_be[3];
	f->sport_be = p->sport_be;
	f->frontend = look->frontend;
	f->service = look->service;
	f->proto = p->proto;
	f->may_redirect = !p->has_vlan;
	return f;
}

/* Makes the flow's entry: CONTINUE with look->state, or the verdict. */
static __always_inline enum pintle_verdict steer_new(struct forward *fw, bool is_tc, struct pkt *p, struct lookup *look)
{
	struct new_flow *f = note_flow(p, look);
	enum pintle_verdict verdict;

	if (!f)
		return PINTLE_V_PASS_INTERNAL;
	verdict = (enum pintle_verdict)new_flow();
	look->state = f->state;
	if (verdict == PINTLE_V_REJECT_NO_POD)
		return reject(fw->ctx, is_tc, p, look->frontend, verdict);
	return verdict;
}

/* A SYN over a closed entry begins a new flow; where only a reset of the client has closed it, not while the pod has a socket for it still: that
 * one answers (RFC 5961 section 4), and the flow stays its own. */
static __always_inline bool may_take_over(struct forward *fw, bool is_tc, const struct pkt *p, __u64 state)
{
	struct new_flow *f = scratch_flow();

	if (PINTLE_FS_IS_ENDED(state) || !f)
		return true;
	f->saddr_be[0] = p->saddr_be[0];
	f->saddr_be[1] = p->saddr_be[1];
	f->saddr_be[2] = p->saddr_be[2];
	f->saddr_be[3] = p->saddr_be[3];
	f->sport_be = p->sport_be;
	return !(is_tc ? tc_socket_lives(fw->ctx, flow_backend(state)) : xdp_socket_lives(fw->ctx, flow_backend(state)));
}

/* The client denies a connection that was guessed from a reply. */
static __always_inline bool denies_guess(const struct pkt *p, const struct flow_ref *ref)
{
	if (p->tcp_flags & PT_TCP_SYN || !PINTLE_FS_IS_GUESS(ref->state))
		return false;
	refute(ref->index, ref->state);
	return true;
}

/* The flow's entry, or whether the packet may make one. */
static __always_inline enum pintle_verdict find_flow(struct forward *fw, bool is_tc, struct pkt *p, int family,
						     struct lookup *look)
{
	bool is_syn = p->proto == IPPROTO_TCP && (p->tcp_flags & (PT_TCP_SYN | PT_TCP_ACK | PT_TCP_RST)) == PT_TCP_SYN;
	struct flow_ref ref;

	look->key = flow_key(family == 6 ? PINTLE_FS_V6 : 0, p->saddr_be, p->sport_be, look->frontend);
	if (flow_find(look->key, family == 6 ? PINTLE_FS_V6 : 0, &ref)) {
		look->state = ref.state;
		look->index = ref.index;
		look->is_new = is_syn && (PINTLE_FS_IS_GUESS(ref.state) ||
					  (PINTLE_FS_IS_CLOSED(ref.state) && may_take_over(fw, is_tc, p, ref.state)));
		if (p->tcp_flags & PT_TCP_RST && denies_guess(p, &ref))
			return PINTLE_V_DROP_GUESS;
		if (!look->is_new)
			client_transitions(p, look, &ref);
		return PINTLE_V_CONTINUE;
	}
	look->state = 0;
	look->index = PT_NO_SLOT;
	look->is_new = true;
	return p->proto == IPPROTO_TCP && !is_syn ? PINTLE_V_PASS_MISS : PINTLE_V_CONTINUE;
}

/* No frontend has this port: is the address ours at all? */
static __always_inline enum pintle_verdict unknown_port(struct forward *fw, bool is_tc, struct pkt *p, int family)
{
	struct endpoint vip;

	if (!vip_find(family, p->daddr_be, 0, 0, &vip))
		return PINTLE_V_PASS_NOT_VIP;
	if (vip.flags & PINTLE_EP_LOCAL)
		return PINTLE_V_PASS_LOCAL_PORT;
	if (agent_rung() == PINTLE_RUNG_GONE)
		return PINTLE_V_PASS_NO_AGENT;
	return reject(fw->ctx, is_tc, p, PT_NO_FRONTEND, PINTLE_V_REJECT_PORT);
}

static __always_inline enum pintle_verdict translate(struct forward *fw, bool is_tc, struct pkt *p, int family, __u64 state)
{
	__u32 pod_id = flow_backend(state);
	struct pintle_pod *pod = bpf_map_lookup_elem(&pt_pods, &pod_id);
	enum pintle_verdict verdict = PINTLE_V_STEER_PASS;
	struct endpoint_new to;

	if (!pod)
		return PINTLE_V_PASS_INTERNAL;
	count_traffic(pod_id, p->frame_bytes);
	if (state & PINTLE_FS_REDIRECT) {
		verdict = PINTLE_V_STEER_FALLBACK;
		if (deliver_redirect(is_tc, p, family, pod, &fw->action)) {
			verdict = PINTLE_V_STEER_REDIRECT;
			count_redirected(pod);
		}
	}
	to.addr_be = pod->addr_be;
	to.port_be = pintle_raw16(pod->port_be);
	to.addr_sum = pod->addr_sum;
	to.sum = pod->sum;
	if (rewrite(fw->ctx, is_tc, p, family, PT_SIDE_DST, &to))
		return PINTLE_V_DROP_INTERNAL;
	return verdict;
}

/* Frontend and flow of a packet; the verdict, or CONTINUE with *look. */
static __always_inline enum pintle_verdict look_up(struct forward *fw, bool is_tc, struct pkt *p, int family,
						   struct lookup *look)
{
	struct endpoint vip;

	if (!vip_find(family, p->daddr_be, p->dport_be, p->proto, &vip))
		return unknown_port(fw, is_tc, p, family);
	look->frontend = vip.id;
	look->service = vip.service;
	return find_flow(fw, is_tc, p, family, look);
}

/* TCP without SYN and without an entry: its connection may be known elsewhere. */
static __always_inline enum pintle_verdict steer_missing(struct forward *fw, bool is_tc, struct pkt *p, struct lookup *look)
{
	struct new_flow *f = note_flow(p, look);
	enum pintle_verdict verdict;
	struct flow_ref ref;

	if (!f || p->tcp_flags & PT_TCP_SYN)
		return PINTLE_V_PASS_MISS;
	verdict = (enum pintle_verdict)(is_tc ? tc_heal(fw->ctx) : xdp_heal(fw->ctx));
	if (verdict != PINTLE_V_CONTINUE)
		return verdict;
	ref = (struct flow_ref){ .slot = slot_at(f->index), .state = f->state, .index = f->index };
	client_transitions(p, look, &ref);
	look->state = f->state;
	look->is_new = false;
	look->is_healed = true;
	return PINTLE_V_CONTINUE;
}

/* The verdict of a packet whose entry was made again. */
static __always_inline enum pintle_verdict healed_name(enum pintle_verdict verdict)
{
	if (verdict == PINTLE_V_STEER_REDIRECT)
		return PINTLE_V_STEER_HEALED_REDIRECT;
	return verdict == PINTLE_V_DROP_INTERNAL || verdict == PINTLE_V_PASS_INTERNAL ? verdict : PINTLE_V_STEER_HEALED;
}

static __always_inline enum pintle_verdict forward_l4(struct forward *fw, bool is_tc, struct pkt *p)
{
	struct lookup look = {};
	enum pintle_verdict verdict;

	verdict = p->family == 4 ? look_up(fw, is_tc, p, 4, &look) : look_up(fw, is_tc, p, 6, &look);
	PT_OPAQUE(p->family); /* or clang makes two copies of what follows, with two frames */
	if (verdict == PINTLE_V_PASS_MISS)
		verdict = steer_missing(fw, is_tc, p, &look);
	if (verdict == PINTLE_V_CONTINUE && look.is_new)
		verdict = steer_new(fw, is_tc, p, &look);
	if (verdict != PINTLE_V_CONTINUE)
		return verdict;
	PT_OPAQUE(p->family);
	verdict = p->family == 4 ? translate(fw, is_tc, p, 4, look.state) : translate(fw, is_tc, p, 6, look.state);
	return look.is_healed ? healed_name(verdict) : verdict;
}

#endif
