/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A new flow: service, choice, siblings, insertion. Out of line; runs once a flow. */
#ifndef PINTLE_NEWFLOW_BPF_H
#define PINTLE_NEWFLOW_BPF_H

#include "insert.bpf.h"
#include "ladder.bpf.h"
#include "select.bpf.h"

#define PT_SIBLING_TRIES PINTLE_MAX_SIBLINGS

/* The same on every node and after every restart, so that `maglev` agrees everywhere: no seed of the table in it. */
static __always_inline __u64 maglev_hash(const struct new_flow *f)
{
	const struct pintle_seed fixed = { 0x243f6a8885a308d3ull, 0x9e3779b97f4a7c15ull, 0xbf58476d1ce4e5b9ull,
					   0x13198a2e03707344ull };

	return pintle_flow_key6(f->saddr_be, f->sport_be, f->proto, &fixed);
}

/* Does another frontend's entry of this client already lead to this pod? Then replies could not be told apart. A reset with the client's address ends
 * nothing here: it may be a stranger's, and replies of the connection that lives would be translated as the newcomer's. */
__global_fn int sibling_holds(__u32 pod_id)
{
	struct new_flow *f = scratch_flow();
	struct pintle_siblings *siblings = bpf_map_lookup_elem(&pt_siblings, &pod_id);
	struct pintle_sibling_set *set;
	__u32 nr;

	if (!siblings || !f)
		return 0;
	set = &siblings->set[siblings->active & 1];
	nr = set->nr;
	if (nr < 2)
		return 0;
	for (__u32 i = 0; i < PINTLE_MAX_SIBLINGS; i++) {
		struct pintle_frontend *frontend;
		struct flow_ref ref;
		__u32 id;

		if (i >= nr)
			break;
		id = set->frontend[i];
		if (id == f->frontend)
			continue;
		frontend = bpf_map_lookup_elem(&pt_frontends, &id);
		if (!frontend || frontend->proto != f->proto)
			continue;
		if (flow_find(flow_key(f->family, f->saddr_be, f->sport_be, (__u16)id), f->family, &ref) &&
		    flow_backend(ref.state) == pod_id && !PINTLE_FS_IS_ENDED(ref.state))
			return 1;
	}
	return 0;
}

static __always_inline bool has_siblings(__u32 pod_id)
{
	struct pintle_pod *pod = bpf_map_lookup_elem(&pt_pods, &pod_id);

	return pod && pod->nr_frontends > 1;
}

/* Pods of several frontends: the next member behind `index` that no sibling of this client holds, or PT_NO_POD. */
__global_fn __u32 free_of_siblings(const struct pintle_pool *pool, __u32 index)
{
	__u32 zero = 0, n;
	struct pintle_ctl *ctl = bpf_map_lookup_elem(&pt_ctl, &zero);

	if (!ctl || !pool)
		return PT_NO_POD;
	n = pool->nr_members;
	for (__u32 i = 0; i < PT_SIBLING_TRIES; i++) {
		__u32 pod;

		if (i >= n)
			break;
		pod = member_pod(ctl, pool, index + i >= n ? index + i - n : index + i);
		if (pod != PT_NO_POD && !sibling_holds(pod))
			return pod;
	}
	return PT_NO_POD;
}

/* The policy's choice in f->pod: CONTINUE, DROP_SIBLING, or PASS_INTERNAL when a table is not there. */
static __always_inline enum pintle_verdict choose_pod(struct pintle_service *svc, const struct pintle_ctl *ctl,
						      const struct pintle_pool *pool, struct new_flow *f)
{
	__u32 flow_class = pintle_class_of(f->key, pool->holdout, pool->canary), index;

	f->class_index = class_index(pool, flow_class);
	index = choose(svc, ctl, pool, pool->policy == PINTLE_POLICY_MAGLEV ? maglev_hash(f) : f->key, flow_class,
		       f->rung == PINTLE_RUNG_LATE);

	f->pod = member_pod(ctl, pool, index);
	if (f->pod == PT_NO_POD)
		return PINTLE_V_PASS_INTERNAL;
	if (!has_siblings(f->pod) || !sibling_holds(f->pod))
		return PINTLE_V_CONTINUE;
	f->pod = free_of_siblings(pool, index);
	return f->pod == PT_NO_POD ? PINTLE_V_DROP_SIBLING : PINTLE_V_CONTINUE;
}

static __always_inline __u64 new_flow_flags(const struct new_flow *f, const struct pintle_pool *pool, __u32 pod_id)
{
	struct pintle_pod *pod = bpf_map_lookup_elem(&pt_pods, &pod_id);
	__u64 flags = PINTLE_FS_AWAITING | (f->proto == IPPROTO_UDP ? PINTLE_FS_UDP : PINTLE_FS_SYN);

	if (pool->flags & PINTLE_SVC_REDIRECT && f->may_redirect && pod && pod->flags & PINTLE_POD_REDIRECT)
		flags |= PINTLE_FS_REDIRECT;
	if (!(f->key & ((1ull << (pool->sample_shift & 31)) - 1)))
		flags |= PINTLE_FS_STAMPED;
	return flags;
}

static __always_inline __u64 stamp_word(__u32 load)
{
	return (bpf_ktime_get_ns() & PINTLE_STAMP_NS_MASK) | (__u64)(load > 255 ? 255 : load) << PINTLE_STAMP_LOAD_SHIFT;
}

static __always_inline void count_new_flow(__u32 pod_id)
{
	struct pintle_traffic *traffic = bpf_map_lookup_elem(&pt_traffic, &pod_id);

	if (traffic)
		traffic->flows += 1;
}

/* Two new flows of one client port, through two frontends of one pod, on two CPUs: neither saw the other when it chose. After publication (a full
 * barrier) one of them does, and gives way: the sender tries again. */
static __always_inline bool gave_way(struct new_flow *f)
{
	if (!has_siblings(f->pod) || flow_backend(f->state) != f->pod || !sibling_holds(f->pod))
		return false;
	free_key(f->index, f->key, f->family);
	return true;
}

/* Chooses for and inserts the flow in scratch. CONTINUE with f->state, or the verdict: PASS_DRAINING, PASS_NO_AGENT, REJECT_NO_POD (the caller rejects),
 * DROP_*, PASS_INTERNAL. */
__global_fn int new_flow(void)
{
	__u32 zero = 0, service;
	struct pintle_ctl *ctl = bpf_map_lookup_elem(&pt_ctl, &zero);
	struct new_flow *f = scratch_flow();
	struct pintle_service *svc;
	struct pintle_pool *pool;
	int verdict;

	if (!ctl || !f)
		return PINTLE_V_PASS_INTERNAL;
	service = f->service;
	svc = bpf_map_lookup_elem(&pt_services, &service);
	if (!svc)
		return PINTLE_V_PASS_INTERNAL;
	if (ctl->flags & PINTLE_CTL_DRAINING)
		return PINTLE_V_PASS_DRAINING;
	f->rung = (__u8)agent_rung();
	if (f->rung == PINTLE_RUNG_GONE)
		return PINTLE_V_PASS_NO_AGENT;
	pool = &svc->pool[svc->active & 1];
	if (!pool->nr_members)
		return PINTLE_V_REJECT_NO_POD;
	verdict = choose_pod(svc, ctl, pool, f);
	if (verdict != PINTLE_V_CONTINUE)
		return verdict;
	f->flags = new_flow_flags(f, pool, f->pod);
	if (f->flags & PINTLE_FS_STAMPED)
		f->stamp = stamp_word(load_of(pool, f->pod));
	verdict = flow_insert();
	if (verdict == PINTLE_V_DROP_TABLE_FULL)
		event_table_full(f->key, f->frontend);
	if (verdict != PINTLE_V_CONTINUE)
		return verdict;
	if (gave_way(f))
		return PINTLE_V_DROP_SIBLING;
	if (flow_backend(f->state) == f->pod) {
		count_new_flow(f->pod);
		count_class_flow(f->class_index);
	}
	return PINTLE_V_CONTINUE;
}

#endif
