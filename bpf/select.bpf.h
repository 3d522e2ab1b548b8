/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The choice of a pod for a new flow: what the tables say, by the service's policy. Loads are read fresh from the shared array. */
#ifndef PINTLE_SELECT_BPF_H
#define PINTLE_SELECT_BPF_H

#include "flow.bpf.h"
#include "pintle/class.h"
#include "pintle/score.h"

#define PT_NO_POD 0xffffffffu

#define PT_TIE_BITS 6 /* below the score: the distance from a start that the flow gives, so that ties spread */
#define PT_TIE_MASK ((1 << PT_TIE_BITS) - 1)
#define PT_LOAD_MAX (1 << 22)

/* log2 psi past the table's end, out of line: the choice loop stays small for the verifier. */
__global_fn int psi_beyond(__u32 load)
{
	__u32 zero = 0;
	struct pintle_ctl *ctl = bpf_map_lookup_elem(&pt_ctl, &zero);

	return ctl ? pintle_psi_log2_q8(ctl->psi_q8, load) : 0;
}

/* `variant`: 0 production, 1 canary. */
static __always_inline struct pintle_member_line *line_at(const struct pintle_ctl *ctl, const struct pintle_pool *pool,
							  __u32 variant, __u32 line)
{
	__u32 index = pool->members_line + line + (2 * variant + (ctl->gains_half & 1)) * pt_member_lines;

	return bpf_map_lookup_elem(&pt_members, &index);
}

static __always_inline struct pintle_member *member_at(const struct pintle_ctl *ctl, const struct pintle_pool *pool,
						       __u32 index)
{
	struct pintle_member_line *line = line_at(ctl, pool, 0, index / PINTLE_MEMBERS_PER_LINE);

	return line ? &line->member[index % PINTLE_MEMBERS_PER_LINE] : NULL;
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
static __always_inline __s32 member_score(const struct pintle_ctl *ctl, const struct pintle_pool *pool,
					  const struct pintle_member *m, bool by_gain)
{
	__u32 r = load_of(pool, m->pod);

	if (!by_gain)
		return (__s32)(r < PT_LOAD_MAX ? r : PT_LOAD_MAX);
	if (r < m->concurrency)
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

/* index - turn, modulo n. Without a branch: the verifier would follow each outcome through the rest of the loop. */
static __always_inline __u32 turned(__u32 index, __u32 turn, __u32 n)
{
	__u32 distance = index - turn;

	return distance + (n & (__u32)((__s32)distance >> 31));
}

/* argmin over all of at most PINTLE_SCAN_MAX members; its index. Score and tie order share one word, so the loop keeps a minimum only. */
static __always_inline __u32 scan(const struct pintle_ctl *ctl, const struct pintle_pool *pool, __u64 hash, bool by_gain,
				  __u32 variant)
{
	__u32 n = pool->nr_members, turn = below(hash, n), winner;
	__s32 best = 0x7fffffff;

	for (__u32 line = 0; line < PINTLE_SCAN_MAX / PINTLE_MEMBERS_PER_LINE; line++) {
		struct pintle_member_line *members;

		if (line * PINTLE_MEMBERS_PER_LINE >= n)
			break;
		members = line_at(ctl, pool, variant, line);
		if (!members)
			break;
		for (__u32 i = 0; i < PINTLE_MEMBERS_PER_LINE; i++) {
			__u32 index = line * PINTLE_MEMBERS_PER_LINE + i;
			__s32 score;

			if (index >= n)
				break;
			score = member_score(ctl, pool, &members->member[i], by_gain);
			score = (__s32)((__u32)score << PT_TIE_BITS | (turned(index, turn, n) & PT_TIE_MASK));
			if (score < best)
				best = score;
		}
	}
	winner = ((__u32)best & PT_TIE_MASK) + turn;
	return winner >= n ? winner - n : winner;
}

__global_fn __u32 choose_score(const struct pintle_pool *pool, __u64 hash, __u32 variant)
{
	__u32 zero = 0;
	struct pintle_ctl *ctl = bpf_map_lookup_elem(&pt_ctl, &zero);

	return ctl && pool ? scan(ctl, pool, hash, true, variant & 1) : 0;
}

__global_fn __u32 choose_leastconn(const struct pintle_pool *pool, __u64 hash)
{
	__u32 zero = 0;
	struct pintle_ctl *ctl = bpf_map_lookup_elem(&pt_ctl, &zero);

	return ctl && pool ? scan(ctl, pool, hash, false, 0) : 0;
}

/* argmin over two groups of four neighbours, from two places that the flow gives: services with more than PINTLE_SCAN_MAX members. Neighbours
 * share cache lines; two independent groups balance load among all groups as two choices do. */
__global_fn __u32 choose_sample(const struct pintle_pool *pool, __u64 hash, __u32 by_gain, __u32 variant)
{
	__u32 zero = 0, best_index = 0, n;
	struct pintle_ctl *ctl = bpf_map_lookup_elem(&pt_ctl, &zero);
	__s32 best = 0x7fffffff;

	if (!ctl || !pool)
		return 0;
	n = pool->nr_members;
	for (int group = 0; group < 2; group++) {
		__u32 start = below(group ? hash >> 32 : hash, n) & ~(PINTLE_SCAN_GROUP - 1);
		struct pintle_member_line *line = line_at(ctl, pool, variant & 1, start / PINTLE_MEMBERS_PER_LINE);

		if (!line)
			break;
		for (__u32 i = 0; i < PINTLE_SCAN_GROUP; i++) {
			__u32 k = (i + (__u32)hash) & (PINTLE_SCAN_GROUP - 1); /* so that ties spread */
			__u32 slot = (start & PINTLE_SCAN_GROUP) + k;
			__s32 score;

			if (start + k >= n)
				continue;
			PT_OPAQUE(slot); /* 6.1 loses the bounds of the sum, and clang would drop the mask */
			slot &= PINTLE_MEMBERS_PER_LINE - 1;
			score = member_score(ctl, pool, &line->member[slot], by_gain);
			if (score < best) {
				best = score;
				best_index = start + k;
			}
		}
	}
	return best_index;
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
		return first;
	return load_of(pool, b->pod) < load_of(pool, a->pod) ? second : first;
}

static __always_inline __u32 member_pod(const struct pintle_ctl *ctl, const struct pintle_pool *pool, __u32 index)
{
	struct pintle_member *m = member_at(ctl, pool, index);

	return m ? m->pod : PT_NO_POD;
}

/* Index of the member that the service's policy gives a new flow of a class. `hash`: the flow's key, or a hash that is the same on all nodes
 * (maglev). `is_late`: what the agent learned is old. */
static __always_inline __u32 choose(struct pintle_service *svc, const struct pintle_ctl *ctl, const struct pintle_pool *pool,
				    __u64 hash, __u32 flow_class, bool is_late)
{
	/* p2c, weighted and the order of ties want bits that the bucket index does not share */
	__u64 mixed = hash * 0x9e3779b97f4a7c15ull;
	__u32 variant = flow_class == PINTLE_CLASS_CANARY;
	bool by_gain;

	mixed ^= mixed >> 32;
	switch (pool->policy) {
	case PINTLE_POLICY_RR:
		return __sync_fetch_and_add(&svc->rr_next, 1) % pool->nr_members;
	case PINTLE_POLICY_MAGLEV:
	case PINTLE_POLICY_WEIGHTED:
		if (pool->nr_picks)
			return pick_at(pool, below(mixed, pool->nr_picks));
		break;
	case PINTLE_POLICY_P2C:
		return choose_p2c(ctl, pool, mixed);
	}
	if (is_late)
		return choose_p2c(ctl, pool, mixed);
	by_gain = pool->policy == PINTLE_POLICY_SCORE && !pintle_class_is_plain(pool, flow_class);
	if (pool->nr_members > PINTLE_SCAN_MAX)
		return choose_sample(pool, mixed, by_gain, variant);
	return by_gain ? choose_score(pool, mixed, variant) : choose_leastconn(pool, mixed);
}

#endif
