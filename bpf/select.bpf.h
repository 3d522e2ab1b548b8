/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The choice of a pod for a new flow: what the tables say, by the service's policy. Loads are read fresh from the shared array. */
#ifndef PINTLE_SELECT_BPF_H
#define PINTLE_SELECT_BPF_H

#include "flow.bpf.h"
#include "pintle/score.h"

#define PT_NO_POD 0xffffffffu

/* log2 psi past the table's end, out of line: the choice loop stays small for the verifier. */
__global_fn int psi_beyond(__u32 load)
{
	__u32 zero = 0;
	struct pintle_ctl *ctl = bpf_map_lookup_elem(&pt_ctl, &zero);

	return ctl ? pintle_psi_log2_q8(ctl->psi_q8, load) : 0;
}

static __always_inline struct pintle_member *member_at(const struct pintle_ctl *ctl, const struct pintle_pool *pool, __u32 index)
{
	__u32 line = pool->members_line + index / PINTLE_MEMBERS_PER_LINE + (ctl->gains_half & 1) * pt_member_lines;
	struct pintle_member_line *members = bpf_map_lookup_elem(&pt_members, &line);

	return members ? &members->member[index % PINTLE_MEMBERS_PER_LINE] : NULL;
}

static __always_inline __u32 load_of(const struct pintle_pool *pool, __u32 pod)
{
	struct pintle_load *load = bpf_map_lookup_elem(&pt_loads, &pod);
	__s32 r;

	if (!load)
		return 0;
	r = pool->flags & PINTLE_SVC_LOAD_OPEN ? *(volatile __s32 *)&load->open : *(volatile __s32 *)&load->awaiting;
	return r > 0 ? (__u32)r : 0;
}

/* Score of a member (see score.h); by load alone where the policy is not `score`. */
static __always_inline __s32 member_score(const struct pintle_ctl *ctl, const struct pintle_pool *pool, const struct pintle_member *m)
{
	__u32 r = load_of(pool, m->pod);

	if (pool->policy != PINTLE_POLICY_SCORE)
		return (__s32)(r & 0x7fffffff);
	if (r + 1 <= m->concurrency)
		return m->gain_q8;
	if (r < PINTLE_PSI_ENTRIES)
		return m->gain_sat_q8 + ctl->psi_q8[r & (PINTLE_PSI_ENTRIES - 1)];
	return m->gain_sat_q8 + psi_beyond(r);
}

/* Index of a member by position in the pick table. */
static __always_inline __u32 pick_at(const struct pintle_pool *pool, __u32 position)
{
	__u32 line = pool->picks_line + position / PINTLE_PICKS_PER_LINE;
	struct pintle_pick_line *picks = bpf_map_lookup_elem(&pt_picks, &line);

	return picks ? picks->member[position % PINTLE_PICKS_PER_LINE] : 0;
}

/* Scales 32 random bits to [0, n). */
static __always_inline __u32 below(__u64 random, __u32 n)
{
	return (__u32)(((random & 0xffffffff) * n) >> 32);
}

/* start + i, wrapped into [0, n). Written so that the verifier never knows the result: it would follow each value apart. */
static __always_inline __u32 wrapped(__u32 start, __u32 i, __u32 n)
{
	__u32 k = start + i;

	return k >= n ? k - n : k;
}

/* argmin over all members, from an offset given by the flow so that ties spread. */
__global_fn __u32 choose_scan(const struct pintle_pool *pool, __u64 hash)
{
	__u32 zero = 0, best_pod = PT_NO_POD, n, start;
	struct pintle_ctl *ctl = bpf_map_lookup_elem(&pt_ctl, &zero);
	__s32 best = 0x7fffffff;

	if (!ctl || !pool)
		return PT_NO_POD;
	n = pool->nr_members;
	start = below(hash, n);
	for (__u32 i = 0; i < PINTLE_SCAN_MAX; i++) {
		struct pintle_member *m;
		__s32 score;

		if (i >= n)
			break;
		m = member_at(ctl, pool, wrapped(start, i, n));
		if (!m)
			break;
		score = member_score(ctl, pool, m);
		if (score < best) {
			best = score;
			best_pod = m->pod;
		}
	}
	return best_pod;
}

/* argmin over a few of the picks: services with more than PINTLE_SCAN_MAX members. */
__global_fn __u32 choose_sample(const struct pintle_pool *pool, __u64 hash)
{
	__u32 zero = 0, best_pod = PT_NO_POD, n, start;
	struct pintle_ctl *ctl = bpf_map_lookup_elem(&pt_ctl, &zero);
	__s32 best = 0x7fffffff;

	if (!ctl || !pool)
		return PT_NO_POD;
	n = pool->nr_picks;
	start = below(hash, n);
	for (__u32 i = 0; i < PINTLE_SCAN_PICKS; i++) {
		struct pintle_member *m;
		__s32 score;

		if (i >= n)
			break;
		m = member_at(ctl, pool, pick_at(pool, wrapped(start, i, n)));
		if (!m)
			break;
		score = member_score(ctl, pool, m);
		if (score < best) {
			best = score;
			best_pod = m->pod;
		}
	}
	return best_pod;
}

/* Power of two choices: two different members, the one with the lower load. */
static __always_inline __u32 choose_p2c(const struct pintle_ctl *ctl, const struct pintle_pool *pool, __u64 hash)
{
	__u32 n = pool->nr_members;
	__u32 first = below(hash, n);
	__u32 second = n > 1 ? below(hash >> 32, n - 1) : 0;
	struct pintle_member *a, *b;

	if (n > 1 && second >= first)
		second += 1;
	a = member_at(ctl, pool, first);
	b = member_at(ctl, pool, second);
	if (!a || !b)
		return PT_NO_POD;
	return member_score(ctl, pool, b) < member_score(ctl, pool, a) ? b->pod : a->pod;
}

static __always_inline __u32 member_pod(const struct pintle_ctl *ctl, const struct pintle_pool *pool, __u32 index)
{
	struct pintle_member *m = member_at(ctl, pool, index);

	return m ? m->pod : PT_NO_POD;
}

/* `hash`: the flow's key. PT_NO_POD only when a table is not there. */
static __always_inline __u32 choose(struct pintle_service *svc, const struct pintle_ctl *ctl, const struct pintle_pool *pool, __u64 hash)
{
	/* p2c, weighted and the tie offset want bits that the bucket index does not share */
	__u64 mixed = hash * 0x9e3779b97f4a7c15ull;

	mixed ^= mixed >> 32;
	switch (pool->policy) {
	case PINTLE_POLICY_RR:
		return member_pod(ctl, pool, __sync_fetch_and_add(&svc->rr_next, 1) % pool->nr_members);
	case PINTLE_POLICY_MAGLEV:
	case PINTLE_POLICY_WEIGHTED:
		if (!pool->nr_picks)
			return PT_NO_POD;
		return member_pod(ctl, pool, pick_at(pool, below(mixed, pool->nr_picks)));
	case PINTLE_POLICY_P2C:
		return choose_p2c(ctl, pool, mixed);
	default:
		if (pool->nr_members > PINTLE_SCAN_MAX)
			return choose_sample(pool, mixed);
		return choose_scan(pool, mixed);
	}
}

#endif
