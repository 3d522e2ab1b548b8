/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Self-healing: an entry that is missing is made again from what the kernel still knows. Out of line; runs for packets without an entry only.
 *
 * Client to pod, TCP without SYN: if conntrack holds client -> VIP, the stack owns the connection and the packet passes (built with PT_WITH_CT, see
 * pintle_ct.bpf.c). Else the socket tables of the pods behind this frontend are asked, by the pods' network namespaces: LISTEN says nothing,
 * as it matches in every pod on that port; a connection in exactly one pod is the flow's. Without conntrack to ask, the connections of
 * others cannot be told from ours, so then this happens only while the agent says that the table was lost (ctl.recover_until_ns).
 *
 * Pod to client, while the table counts as lost: a reply without an entry takes the only TCP frontend of its pod: untranslated it would make
 * the client reset. That is a guess (PINTLE_FS_IS_GUESS): the client's next packet confirms it, its RST refutes it, and then the
 * connection is one that did not come through a frontend: the entry stays, closed, and says so.
 */
#ifndef PINTLE_HEAL_BPF_H
#define PINTLE_HEAL_BPF_H

#include "newflow.bpf.h"

#define PT_CT_OPTS_BYTES 12u /* of struct bpf_ct_opts up to 6.9; later kernels know both lengths */

#ifdef PT_WITH_CT
#define PT_ASKS_CONNTRACK true

struct nf_conn {
	unsigned long status;
};

struct bpf_ct_opts {
	__s32 netns_id;
	__s32 error;
	__u8 l4proto;
	__u8 dir;
	__u8 reserved[2];
};

extern struct nf_conn *bpf_xdp_ct_lookup(struct xdp_md *ctx, struct bpf_sock_tuple *tuple, __u32 tuple_bytes,
					 struct bpf_ct_opts *opts, __u32 opts_bytes) __ksym;
extern struct nf_conn *bpf_skb_ct_lookup(struct __sk_buff *ctx, struct bpf_sock_tuple *tuple, __u32 tuple_bytes,
					 struct bpf_ct_opts *opts, __u32 opts_bytes) __ksym;
extern void bpf_ct_release(struct nf_conn *ct) __ksym;
#else
#define PT_ASKS_CONNTRACK false
#endif

/* Does conntrack of this network namespace hold the connection? */
static __always_inline bool stack_owns(void *ctx, bool is_tc, struct bpf_sock_tuple *tuple, __u32 tuple_bytes)
{
#ifdef PT_WITH_CT
	struct bpf_ct_opts opts = { .netns_id = BPF_F_CURRENT_NETNS, .l4proto = IPPROTO_TCP };
	struct nf_conn *ct;

	if (is_tc)
		ct = bpf_skb_ct_lookup(ctx, tuple, tuple_bytes, &opts, PT_CT_OPTS_BYTES);
	else
		ct = bpf_xdp_ct_lookup(ctx, tuple, tuple_bytes, &opts, PT_CT_OPTS_BYTES);
	if (!ct)
		return false;
	bpf_ct_release(ct);
	return true;
#else
	(void)ctx;
	(void)is_tc;
	(void)tuple;
	(void)tuple_bytes;
	return false;
#endif
}

static __always_inline bool is_recovering(const struct pintle_ctl *ctl)
{
	__u64 until_ns = *(const volatile __u64 *)&ctl->recover_until_ns;

	return until_ns && bpf_ktime_get_ns() < until_ns;
}

/* One of the searches that this CPU may make in a tick of the kernel: a flood of packets without a flow costs a bounded share of it. */
static __always_inline bool take_search(void)
{
	__u32 zero = 0;
	struct scratch *s = bpf_map_lookup_elem(&pt_scratch, &zero);
	__u64 now = bpf_jiffies64();

	if (!s)
		return false;
	if (s->search_jiffies != now) {
		s->search_jiffies = now;
		s->searches = 0;
	}
	if (s->searches >= pt_searches)
		return false;
	s->searches += 1;
	return true;
}

__global_fn int leads_to(__u32 pod_id, __u32 frontend)
{
	struct pintle_siblings *siblings = bpf_map_lookup_elem(&pt_siblings, &pod_id);
	struct pintle_sibling_set *set;

	if (!siblings)
		return 0;
	set = &siblings->set[siblings->active & 1];
	for (__u32 i = 0; i < PINTLE_MAX_SIBLINGS; i++) {
		if (i >= set->nr)
			break;
		if (set->frontend[i] == frontend)
			return 1;
	}
	return 0;
}

/* A connection that its pod has finished; a new one of the same client and port, at another pod, goes before it. */
static __always_inline bool is_over(__u32 state)
{
	return state == BPF_TCP_TIME_WAIT;
}

static __always_inline void walk_found(struct heal_walk *walk, __u32 pod_id, __u32 state)
{
	if (state == BPF_TCP_LISTEN || state == BPF_TCP_SYN_SENT || state == BPF_TCP_CLOSE)
		return;
	if (!is_over(state))
		walk->nr_live += 1;
	if (walk->pod != PT_NO_POD && is_over(state))
		return;
	walk->pod = pod_id;
	walk->state = state;
}

/* Looks into one pod of the list. */
static __always_inline void walk_pod(void *ctx, struct heal_walk *walk, __u32 pod_id)
{
	struct pintle_pod *pod = bpf_map_lookup_elem(&pt_pods, &pod_id);
	struct bpf_sock *sk;
	__u32 nsid, bytes, state;

	if (!pod || pod_id == walk->pod || !(pod->flags & PINTLE_POD_IN_USE) || pod->family != (walk->is_v6 ? 6 : 4) ||
	    !leads_to(pod_id, walk->frontend))
		return;
	nsid = pod->netns;
	if (!nsid) {
		walk->nr_blind += 1;
		return;
	}
	if (walk->is_v6) {
		for (int i = 0; i < 4; i++)
			walk->tuple.ipv6.daddr[i] = pod->addr_be[i];
		walk->tuple.ipv6.dport = pod->port_be;
		bytes = sizeof(walk->tuple.ipv6);
	} else {
		walk->tuple.ipv4.daddr = pod->addr_be[0];
		walk->tuple.ipv4.dport = pod->port_be;
		bytes = sizeof(walk->tuple.ipv4);
	}
	sk = bpf_skc_lookup_tcp(ctx, &walk->tuple, bytes, nsid - 1, 0);
	if (!sk)
		return;
	state = sk->state;
	bpf_sk_release(sk);
	walk_found(walk, pod_id, state);
}

/* All that changes lies in scratch, so that the verifier sees every step alike. */
struct walk_ctx {
	void *ctx;
};

static long walk_step(__u32 i, struct walk_ctx *at)
{
	__u64 *local = bpf_map_lookup_elem(&pt_locals, &i);
	struct heal_walk *walk = scratch_walk();

	if (local && walk)
		walk_pod(at->ctx, walk, (__u32)*local);
	return 0;
}

static __always_inline void walk_pods(void *ctx, struct heal_walk *walk, __u32 nr)
{
	struct walk_ctx at = { ctx };

	walk->pod = PT_NO_POD;
	walk->nr_live = 0;
	walk->nr_blind = !nr || nr > PINTLE_MAX_LOCALS; /* the list is not there yet, or not complete */
	bpf_loop(nr < PINTLE_MAX_LOCALS ? nr : PINTLE_MAX_LOCALS, walk_step, &at, 0);
}

static __always_inline void set_tuple(struct bpf_sock_tuple *t, const struct new_flow *f, const __u32 *addr_be, __u16 port_be)
{
	if (f->family) {
		for (int i = 0; i < 4; i++) {
			t->ipv6.saddr[i] = (PINTLE_FORCE __be32)f->saddr_be[i];
			t->ipv6.daddr[i] = (PINTLE_FORCE __be32)addr_be[i];
		}
		t->ipv6.sport = (PINTLE_FORCE __be16)f->sport_be;
		t->ipv6.dport = (PINTLE_FORCE __be16)port_be;
	} else {
		t->ipv4.saddr = (PINTLE_FORCE __be32)f->saddr_be[0];
		t->ipv4.daddr = (PINTLE_FORCE __be32)addr_be[0];
		t->ipv4.sport = (PINTLE_FORCE __be16)f->sport_be;
		t->ipv4.dport = (PINTLE_FORCE __be16)port_be;
	}
}

/* What the entry of a connection in this state would have become by now. */
static __always_inline __u64 flags_of_socket(__u32 state)
{
	switch (state) {
	case BPF_TCP_NEW_SYN_RECV:
	case BPF_TCP_SYN_RECV:
		return PINTLE_FS_SYN;
	case BPF_TCP_FIN_WAIT1:
	case BPF_TCP_FIN_WAIT2:
		return PINTLE_FS_SYN | PINTLE_FS_EST | PINTLE_FS_FIN_POD;
	case BPF_TCP_CLOSE_WAIT:
		return PINTLE_FS_SYN | PINTLE_FS_EST | PINTLE_FS_FIN_CLIENT;
	case BPF_TCP_LAST_ACK:
	case BPF_TCP_CLOSING:
	case BPF_TCP_TIME_WAIT:
		return PINTLE_FS_SYN | PINTLE_FS_EST | PINTLE_FS_FINS;
	default:
		return PINTLE_FS_SYN | PINTLE_FS_EST;
	}
}

/* Makes the entry of the flow in scratch for the pod that was found. CONTINUE with f->state and f->index, or the verdict. */
static __always_inline int rebuild(struct new_flow *f, __u32 pod_id, __u32 socket_state)
{
	struct pintle_service *svc;
	__u32 service = f->service;
	int verdict;

	svc = bpf_map_lookup_elem(&pt_services, &service);
	if (!svc)
		return PINTLE_V_PASS_INTERNAL;
	/* the connection is that of another frontend's entry */
	if (has_siblings(pod_id) && sibling_holds(pod_id))
		return PINTLE_V_PASS_MISS;
	f->pod = pod_id;
	f->flags = (new_flow_flags(f, &svc->pool[svc->active & 1], pod_id) & PINTLE_FS_REDIRECT) |
		   flags_of_socket(socket_state);
	verdict = flow_insert();
	return verdict;
}

static __always_inline int not_found(const struct heal_walk *walk, bool is_lost)
{
	if (walk->nr_live > 1)
		return PINTLE_V_PASS_MISS_TWICE;
	if (!walk->nr_blind)
		return PINTLE_V_PASS_MISS;
	return is_lost ? PINTLE_V_DROP_HEAL_LATER : PINTLE_V_PASS_MISS_BLIND;
}

/* A client's packet without an entry, in scratch (new_flow): CONTINUE when its entry was made again, or its verdict. */
static __always_inline int heal_forward(void *ctx, bool is_tc)
{
	__u32 zero = 0, frontend_id;
	struct pintle_ctl *ctl = bpf_map_lookup_elem(&pt_ctl, &zero);
	struct new_flow *f = scratch_flow();
	struct heal_walk *walk = scratch_walk();
	struct pintle_frontend *frontend;
	bool is_lost;

	if (!ctl || !f || !walk)
		return PINTLE_V_PASS_INTERNAL;
	is_lost = is_recovering(ctl);
	if (!is_lost && !PT_ASKS_CONNTRACK)
		return PINTLE_V_PASS_MISS;
	if (!take_search())
		return is_lost ? PINTLE_V_DROP_HEAL_LATER : PINTLE_V_PASS_MISS_RATE;
	frontend_id = f->frontend;
	frontend = bpf_map_lookup_elem(&pt_frontends, &frontend_id);
	if (!frontend)
		return PINTLE_V_PASS_INTERNAL;
	set_tuple(&walk->tuple, f, (const __u32 *)frontend->addr_be, pintle_raw16(frontend->port_be));
	if (stack_owns(ctx, is_tc, &walk->tuple, f->family ? sizeof(walk->tuple.ipv6) : sizeof(walk->tuple.ipv4)))
		return PINTLE_V_PASS_OWNED;
	walk->frontend = frontend_id;
	walk->is_v6 = f->family ? 1 : 0;
	walk_pods(ctx, walk, ctl->nr_locals);
	if (walk->pod != PT_NO_POD && walk->nr_live <= 1)
		return rebuild(f, walk->pod, walk->state);
	return not_found(walk, is_lost);
}

__global_fn int xdp_heal(struct xdp_md *ctx)
{
	return heal_forward(ctx, false);
}

__global_fn int tc_heal(struct __sk_buff *ctx)
{
	return heal_forward(ctx, true);
}

/* The client denies a connection that was guessed from a reply: the entry stays as the note that it is none of ours. */
__global_fn int refute(__u32 index, __u64 state)
{
	__u64 before;

	return flow_change(index, state, PINTLE_FS_RST, 0, &before);
}

/* The pod's only TCP frontend, PT_NO_FRONTEND when it has several or none. */
static __always_inline __u32 only_frontend(__u32 pod_id)
{
	struct pintle_siblings *siblings = bpf_map_lookup_elem(&pt_siblings, &pod_id);
	__u32 only = PT_NO_FRONTEND;
	struct pintle_sibling_set *set;

	if (!siblings)
		return PT_NO_FRONTEND;
	set = &siblings->set[siblings->active & 1];
	for (__u32 i = 0; i < PINTLE_MAX_SIBLINGS; i++) {
		struct pintle_frontend *frontend;
		__u32 id;

		if (i >= set->nr)
			break;
		id = set->frontend[i];
		frontend = bpf_map_lookup_elem(&pt_frontends, &id);
		if (!frontend || frontend->proto != IPPROTO_TCP)
			continue;
		if (only != PT_NO_FRONTEND)
			return PT_NO_FRONTEND;
		only = id;
	}
	return only;
}

/* Puts the flow of key and flags in `f` into the table for the pod that the reply came from. */
static __always_inline int guess(struct new_flow *f, struct reply *r)
{
	f->reuse = PT_NO_SLOT;
	f->pod = r->pod;
	if (flow_insert() != PINTLE_V_CONTINUE)
		return PINTLE_V_REV_HEAL_LATER;
	if (flow_backend(f->state) != r->pod || PINTLE_FS_IS_REFUTED(f->state))
		return PINTLE_V_REV_NO_FLOW;
	r->state = f->state;
	r->index = f->index;
	r->frontend = f->frontend;
	r->is_found = 1;
	return PINTLE_V_CONTINUE;
}

/* A reply without an entry, in scratch (reply), at the uplink. `is_direct`: it opens a connection that did not come through a frontend, which is
 * noted. CONTINUE with r->state, r->index and r->frontend when it is to be translated, or its verdict. */
__global_fn int heal_reply(__u32 is_direct)
{
	__u32 zero = 0, frontend;
	struct pintle_ctl *ctl = bpf_map_lookup_elem(&pt_ctl, &zero);
	struct new_flow *f = scratch_flow();
	struct reply *r = scratch_reply();
	struct flow_ref other;

	if (!ctl || !f || !r || !is_recovering(ctl))
		return PINTLE_V_REV_NO_FLOW;
	if (r->is_refuted) {
		flow_touch(slot_at(r->index), r->state);
		return PINTLE_V_REV_NO_FLOW;
	}
	frontend = r->proto == IPPROTO_TCP ? only_frontend(r->pod) : PT_NO_FRONTEND;
	if (frontend == PT_NO_FRONTEND)
		return PINTLE_V_REV_UNHEALED;
	f->family = r->is_v6 ? PINTLE_FS_V6 : 0;
	f->key = flow_key(f->family, r->client_be, r->client_port_be, (__u16)frontend);
	if (flow_find(f->key, f->family, &other)) /* the client's connection is at another pod */
		return PINTLE_V_REV_NO_FLOW;
	if (!take_search())
		return is_direct ? PINTLE_V_REV_NO_FLOW : PINTLE_V_REV_HEAL_LATER;
	f->frontend = (__u16)frontend;
	f->flags = is_direct ? PINTLE_FS_RST : 0;
	return guess(f, r);
}

#endif
