/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Pod to client, at TC: the source becomes the frontend again; latency and the end of requests are seen here. */
#ifndef PINTLE_REVERSE_BPF_H
#define PINTLE_REVERSE_BPF_H

#include "deliver.bpf.h"
#include "endpoint.bpf.h"
#include "heal.bpf.h"
#include "icmp.bpf.h"

enum pt_rev_hook {
	PT_REV_UPLINK, /* TC egress of the uplink: after conntrack */
	PT_REV_VETH,   /* TC ingress of the pod's host-side device: flows that are redirected */
};

struct reverse {
	struct __sk_buff *skb;
	int action; /* of a redirect */
	__u32 oif;  /* where a redirected reply leaves */
};

/* Tells the program at the uplink's egress that the skb has been through here; nothing else of this kernel uses tc_index. */
#define PT_TC_INDEX_REDIRECTED 0x7074

static __always_inline int redirect_reply(struct reverse *rv)
{
	rv->skb->tc_index = PT_TC_INDEX_REDIRECTED;
	return (int)bpf_redirect_neigh(rv->oif, NULL, 0, 0);
}

static __always_inline bool rev_try(struct reply *r, __u32 frontend_id)
{
	struct pintle_frontend *frontend = bpf_map_lookup_elem(&pt_frontends, &frontend_id);
	__u64 family = r->is_v6 ? PINTLE_FS_V6 : 0;
	struct flow_ref ref;

	if (!frontend || frontend->proto != r->proto)
		return false;
	if (!flow_find(flow_key(family, r->client_be, r->client_port_be, (__u16)frontend_id), family, &ref) ||
	    flow_backend(ref.state) != r->pod)
		return false;
	if (PINTLE_FS_IS_CLOSED(ref.state) && r->is_found)
		return false;
	r->state = ref.state;
	r->index = ref.index;
	r->frontend = frontend_id;
	r->is_refuted = PINTLE_FS_IS_REFUTED(ref.state);
	r->is_found = !r->is_refuted;
	return r->is_found;
}

/* The pod's frontends, busiest first, until one has this client's flow; a closed one only if no other is open. */
__global_fn int rev_lookup(void)
{
	struct reply *r = scratch_reply();
	struct pintle_sibling_set *set;
	struct pintle_siblings *siblings;
	__u32 pod;

	if (!r)
		return 0;
	r->is_found = 0;
	r->is_refuted = 0;
	pod = r->pod;
	siblings = bpf_map_lookup_elem(&pt_siblings, &pod);
	if (!siblings)
		return 0;
	set = &siblings->set[siblings->active & 1];
	for (__u32 i = 0; i < PINTLE_MAX_SIBLINGS; i++) {
		if (i >= set->nr)
			break;
		if (rev_try(r, set->frontend[i]) && !PINTLE_FS_IS_CLOSED(r->state))
			return 1;
	}
	return r->is_found;
}

/* Looks for the flow of a reply from `pod` to a client; r->is_found, r->state. */
static __always_inline struct reply *find_reply(int family, const __u32 *client_be, __u16 client_port_be, __u16 pod, __u8 proto)
{
	struct reply *r = scratch_reply();

	if (!r)
		return NULL;
	r->client_be[0] = client_be[0];
	if (family == 6) {
		r->client_be[1] = client_be[1];
		r->client_be[2] = client_be[2];
		r->client_be[3] = client_be[3];
	}
	r->client_port_be = client_port_be;
	r->pod = pod;
	r->proto = proto;
	r->is_v6 = family == 6;
	rev_lookup();
	return r;
}

__global_fn int record_pod_end(__u32 pod_id, __u32 was_established, __u32 is_reset, __u32 is_aborted)
{
	struct pintle_pod_stats *stats = pod_stats(pod_id);

	if (!stats)
		return 0;
	if (is_reset && was_established)
		stats->resets += 1;
	else if (is_reset)
		stats->refused += 1;
	if (is_aborted)
		stats->aborted += 1;
	mark_active(pod_id);
	return 0;
}

/* Of the flow that find_reply() found. */
__global_fn int record_reply_class(__u64 elapsed_ns, __u32 is_failed)
{
	struct reply *r = scratch_reply();
	struct pintle_frontend *frontend;
	__u64 family;

	if (!r)
		return 0;
	frontend = bpf_map_lookup_elem(&pt_frontends, &r->frontend);
	if (!frontend)
		return 0;
	family = r->is_v6 ? PINTLE_FS_V6 : 0;
	return record_class(frontend->service, flow_key(family, r->client_be, r->client_port_be, (__u16)r->frontend),
			    elapsed_ns, is_failed);
}

/* The departure time that the pod's TCP wrote, if it is on the monotonic clock; else 0 = read it. */
static __always_inline __u64 departure_ns(const struct __sk_buff *skb)
{
	return skb->tstamp_type == BPF_SKB_TSTAMP_DELIVERY_MONO ? skb->tstamp : 0;
}

/* What a step of the flow's entry says about its pod and its class. */
static __always_inline void record_step(struct __sk_buff *skb, __u32 index, __u64 before, __u64 set, bool has_payload)
{
	__u64 elapsed_ns = 0;
	bool is_failed = false;

	if (before & PINTLE_FS_AWAITING && has_payload)
		elapsed_ns = record_first_byte(flow_backend(before), index, departure_ns(skb),
					       before & PINTLE_FS_STAMPED ? 1 : 0);
	if (set & (PINTLE_FS_RST | PINTLE_FS_FIN_POD) & ~before) {
		bool is_reset = set & ~before & PINTLE_FS_RST, is_aborted = before & PINTLE_FS_AWAITING && !has_payload;

		record_pod_end(flow_backend(before), before & PINTLE_FS_EST ? 1 : 0, is_reset, is_aborted);
		is_failed = is_reset || is_aborted;
	}
	if (elapsed_ns || is_failed)
		record_reply_class(elapsed_ns, is_failed);
}

__global_fn int pod_transition(struct __sk_buff *skb, __u32 index, __u64 state, __u32 tcp_flags, __u32 has_payload)
{
	__u64 set = 0, before, clear = 0;

	if (has_payload || tcp_flags & (PT_TCP_FIN | PT_TCP_RST))
		clear = PINTLE_FS_AWAITING;
	if (tcp_flags & PT_TCP_FIN)
		set |= PINTLE_FS_FIN_POD;
	if (tcp_flags & PT_TCP_RST)
		set |= PINTLE_FS_RST;
	if (state & PINTLE_FS_UDP)
		set |= PINTLE_FS_EST;
	if (state & PINTLE_FS_RST_CLIENT)
		clear |= revived(state, tcp_flags);
	if (flow_change(index, state, set, clear, &before))
		record_step(skb, index, before, set, has_payload);
	return 0;
}

/* What the pod repeats to nobody keeps nothing alive: a SYN-ACK, data of a flow that was guessed. */
static __always_inline void touch_by_pod(const struct pkt *p, const struct reply *r)
{
	if (!(p->tcp_flags & PT_TCP_SYN) && !PINTLE_FS_IS_GUESS(r->state))
		flow_touch(slot_at(r->index), r->state);
}

static __always_inline void pod_transitions(struct __sk_buff *skb, const struct pkt *p, const struct reply *r)
{
	__u64 state = r->state;
	bool has_payload = p->payload_bytes || p->proto == IPPROTO_UDP;
	bool ends = (p->tcp_flags & PT_TCP_FIN && !(state & PINTLE_FS_FIN_POD)) ||
		    (p->tcp_flags & PT_TCP_RST && !(state & PINTLE_FS_RST));

	if (p->tcp_flags & PT_TCP_SYN && state & PINTLE_FS_STAMPED && !(state & PINTLE_FS_EST))
		record_handshake(flow_backend(state), r->index, departure_ns(skb));
	if ((has_payload && state & PINTLE_FS_AWAITING) || ends ||
	    (state & PINTLE_FS_RST_CLIENT && revived(state, p->tcp_flags)))
		pod_transition(skb, r->index, state, p->tcp_flags, has_payload ? 1 : 0);
	else
		touch_by_pod(p, r);
}

static __always_inline void count_reply(const struct pkt *p, __u32 pod_id)
{
	struct pintle_pod_stats *stats = pod_stats(pod_id);

	if (stats) {
		stats->rev_packets += 1;
		stats->rev_bytes += p->frame_bytes;
	}
}

/* A SYN-ACK belongs to a flow whose SYN was seen and that is not closed; any other new connection is not ours, and a closed entry in its
 * way must go, or its later packets would be translated. */
static __always_inline bool is_foreign_connection(const struct pkt *p, const struct reply *r)
{
	if (p->proto != IPPROTO_TCP || !(p->tcp_flags & PT_TCP_SYN))
		return false;
	if (!r->is_found)
		return true;
	if (PINTLE_FS_IS_CLOSED(r->state)) {
		struct pintle_slot *slot = slot_at(r->index);

		if (slot)
			flow_free(slot, r->state);
		return true;
	}
	return !(p->tcp_flags & PT_TCP_ACK) || !(r->state & PINTLE_FS_SYN);
}

/* Several uplinks: the FIB says by which a packet to the client leaves; 0 = no route. */
__global_fn __u32 fib_oif(struct __sk_buff *skb, __u32 l3_offset, __u32 family, __u32 proto)
{
	struct bpf_fib_lookup fib = {};
	long err;

	fib.family = family == 4 ? 2 : 10; /* AF_INET, AF_INET6 */
	fib.l4_protocol = (__u8)proto;
	fib.ifindex = skb->ifindex;
	if (family == 4)
		err = bpf_skb_load_bytes(skb, l3_offset + 12, &fib.ipv4_src, 4) ||
		      bpf_skb_load_bytes(skb, l3_offset + 16, &fib.ipv4_dst, 4);
	else
		err = bpf_skb_load_bytes(skb, l3_offset + 8, fib.ipv6_src, 16) ||
		      bpf_skb_load_bytes(skb, l3_offset + 24, fib.ipv6_dst, 16);
	if (err)
		return 0;
	err = bpf_fib_lookup(skb, &fib, sizeof(fib), 0);
	return err == BPF_FIB_LKUP_RET_SUCCESS || err == BPF_FIB_LKUP_RET_NO_NEIGH ? fib.ifindex : 0;
}

/* The device by which a redirected reply leaves; 0 = no route. */
static __always_inline __u32 reply_oif(struct reverse *rv, const struct pkt *p, int family)
{
	__u32 zero = 0;
	struct pintle_ctl *ctl = bpf_map_lookup_elem(&pt_ctl, &zero);

	if (ctl && ctl->uplink_ifindex)
		return ctl->uplink_ifindex;
	return fib_oif(rv->skb, p->l3_offset, (__u32)family, p->proto);
}

/* At the pod's device: may this reply be redirected? CONTINUE, or the verdict. */
static __always_inline enum pintle_verdict veth_gate(struct reverse *rv, const struct pkt *p, int family, __u64 state)
{
	if (!(state & PINTLE_FS_REDIRECT))
		return PINTLE_V_REV_OTHER_HOOK;
	if (p->ttl <= 1)
		return PINTLE_V_REV_TTL;
	rv->oif = reply_oif(rv, p, family);
	return rv->oif ? PINTLE_V_CONTINUE : PINTLE_V_REV_NO_ROUTE;
}

static __always_inline void endpoint_of_frontend(const struct pintle_frontend *frontend, int family, struct endpoint_new *to)
{
	to->addr_be = frontend->addr_be;
	to->port_be = pintle_raw16(frontend->port_be);
	to->addr_sum = pintle_csum_addr((const __u32 *)frontend->addr_be, family == 4 ? 1 : 4);
	to->sum = frontend->sum;
}

/* No entry. Only at the uplink: what is still untranslated there came through the stack, and goes to a client. A reset tells the pod's side only. */
static __always_inline enum pintle_verdict missing_reply(const struct pkt *p, enum pt_rev_hook hook)
{
	if (hook != PT_REV_UPLINK || p->tcp_flags & PT_TCP_RST)
		return PINTLE_V_REV_NO_FLOW;
	return (enum pintle_verdict)heal_reply(0);
}

static __always_inline enum pintle_verdict reverse_l4(struct reverse *rv, enum pt_rev_hook hook, struct pkt *p, int family)
{
	struct pintle_frontend *frontend;
	enum pintle_verdict verdict;
	struct endpoint_new to;
	bool is_healed = false;
	struct endpoint pod;
	struct reply *r;

	if (!rev_find(family, p->saddr_be, p->sport_be, &pod))
		return PINTLE_V_REV_NOT_POD;
	r = find_reply(family, p->daddr_be, p->dport_be, pod.id, p->proto);
	if (!r)
		return PINTLE_V_REV_NO_FLOW;
	if (is_foreign_connection(p, r)) {
		if (hook == PT_REV_UPLINK && !r->is_found)
			heal_reply(1);
		return PINTLE_V_REV_NEW_CONN;
	}
	if (!r->is_found) {
		verdict = missing_reply(p, hook);
		if (verdict != PINTLE_V_CONTINUE)
			return verdict;
		is_healed = true;
	}
	frontend = bpf_map_lookup_elem(&pt_frontends, &r->frontend);
	if (!frontend)
		return PINTLE_V_REV_NO_FLOW;
	if (hook == PT_REV_VETH) {
		verdict = veth_gate(rv, p, family, r->state);
		if (verdict != PINTLE_V_CONTINUE)
			return verdict;
		decrement_ttl(p, family);
	}
	pod_transitions(rv->skb, p, r);
	count_reply(p, pod.id);
	endpoint_of_frontend(frontend, family, &to);
	if (rewrite(rv->skb, true, p, family, PT_SIDE_SRC, &to))
		return PINTLE_V_REV_INTERNAL;
	if (hook == PT_REV_UPLINK)
		return is_healed ? PINTLE_V_REV_HEALED : PINTLE_V_REV_STEER;
	rv->action = redirect_reply(rv);
	return PINTLE_V_REV_REDIRECT;
}

/* The quote is a request: client:port -> pod:port. Errors of the node itself keep their source. */
static __always_inline enum pintle_verdict reverse_icmp(struct reverse *rv, enum pt_rev_hook hook, struct pkt *p, int family)
{
	struct pintle_frontend *frontend;
	enum pintle_verdict verdict;
	struct endpoint_new to;
	struct endpoint pod;
	struct quote q = {};
	struct reply *r;

	verdict = quote_parse(p, family, &q);
	if (verdict != PINTLE_V_CONTINUE)
		return verdict;
	if (!same_addr(family, q.saddr_be, p->daddr_be) || !rev_find(family, q.daddr_be, q.dport_be, &pod))
		return PINTLE_V_REV_NOT_POD;
	r = find_reply(family, q.saddr_be, q.sport_be, pod.id, q.proto);
	if (!r || !r->is_found)
		return PINTLE_V_REV_NO_FLOW;
	frontend = bpf_map_lookup_elem(&pt_frontends, &r->frontend);
	if (!frontend)
		return PINTLE_V_REV_NO_FLOW;
	if (hook == PT_REV_VETH) {
		verdict = veth_gate(rv, p, family, r->state);
		if (verdict != PINTLE_V_CONTINUE)
			return verdict;
		decrement_ttl(p, family);
	}
	if (*(__u8 *)p->l4 == (family == 4 ? 3 : 1) && !(r->state & PINTLE_FS_EST)) {
		record_pod_end(pod.id, 0, 1, 0);
		record_reply_class(0, 1);
	}
	endpoint_of_frontend(frontend, family, &to);
	icmp_rewrite(p, family, &q, PT_SIDE_SRC, !same_addr(family, p->saddr_be, q.daddr_be), &to);
	if (hook == PT_REV_UPLINK)
		return PINTLE_V_REV_ICMP;
	rv->action = redirect_reply(rv);
	return PINTLE_V_REV_ICMP_REDIRECT;
}

#endif
