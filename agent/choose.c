/* SPDX-License-Identifier: BSD-2-Clause */
#include "agent/choose.h"

#include <errno.h>

#include "agent/flowview.h"
#include "pintle/class.h"
#include "pintle/hash.h"
#include "pintle/score.h"

#define LOAD_MAX (1 << 22) /* PT_LOAD_MAX: a scan by load takes more for as much */

const struct pintle_pool *choose__pool(const struct table_maps *maps, uint32_t service)
{
	const struct pintle_service *s;
	const struct pintle_pool *pool;
	uint32_t lines;

	if (service >= maps->meta->max_frontends || !maps->services[service].in_use)
		return NULL;
	s = &maps->services[service];
	pool = &s->pool[__atomic_load_n(&s->active, __ATOMIC_ACQUIRE) & 1];
	lines = (pool->nr_members + PINTLE_MEMBERS_PER_LINE - 1) / PINTLE_MEMBERS_PER_LINE;
	if (pool->members_line > maps->meta->member_lines || lines > maps->meta->member_lines - pool->members_line)
		return NULL;
	lines = (pool->nr_picks + PINTLE_PICKS_PER_LINE - 1) / PINTLE_PICKS_PER_LINE;
	if (pool->nr_picks && (pool->picks_line > maps->meta->pick_lines || lines > maps->meta->pick_lines - pool->picks_line))
		return NULL;
	return pool;
}

const struct pintle_member *choose__member_of(const struct table_maps *maps, const struct pintle_pool *pool,
					      uint32_t flow_class, uint32_t index)
{
	uint32_t half = __atomic_load_n(&maps->ctl->gains_half, __ATOMIC_ACQUIRE) & 1;
	uint32_t quarter = half + (flow_class == PINTLE_CLASS_CANARY ? 2 : 0);
	uint32_t line = pool->members_line + index / PINTLE_MEMBERS_PER_LINE + quarter * maps->meta->member_lines;

	return &maps->members[line].member[index % PINTLE_MEMBERS_PER_LINE];
}

const struct pintle_member *choose__member(const struct table_maps *maps, const struct pintle_pool *pool, uint32_t index)
{
	return choose__member_of(maps, pool, PINTLE_CLASS_PRODUCTION, index);
}

int32_t choose__load(const struct table_maps *maps, const struct pintle_pool *pool, uint16_t pod)
{
	const struct pintle_load *load;

	if (pod >= maps->meta->max_pods)
		return 0;
	load = &maps->loads[pod];
	return __atomic_load_n(pool->flags & PINTLE_SVC_LOAD_OPEN ? &load->open : &load->awaiting, __ATOMIC_RELAXED);
}

const char *choose__class_name(unsigned int flow_class)
{
	static const char *const names[PINTLE_NR_CLASSES] = { "production", "holdout", "canary" };

	return flow_class < PINTLE_NR_CLASSES ? names[flow_class] : "?";
}

uint64_t choose__key(const struct table_maps *maps, const struct choose_flow *flow)
{
	struct pintle_seed seed = flowview__seed(maps->meta);

	if (flow->family == 6)
		return pintle_flow_key6(flow->saddr_be, flow->sport_be, flow->frontend, &seed);
	return pintle_flow_key4(flow->saddr_be[0], flow->sport_be, flow->frontend, &seed);
}

static void choose__fill(const struct table_maps *maps, const struct pintle_pool *pool, const struct choose_result *r,
			 struct choose_member *members)
{
	uint32_t i;

	for (i = 0; i < pool->nr_members; i++) {
		const struct pintle_member *m = choose__member_of(maps, pool, r->flow_class, i);
		int32_t load = choose__load(maps, pool, m->pod);

		members[i] = (struct choose_member){
			.pod = m->pod,
			.gain_q8 = m->gain_q8,
			.concurrency = m->concurrency,
			.load = load,
			.score_q8 = load > 0 ? load : 0,
		};
		if (pool->policy != PINTLE_POLICY_P2C && load > LOAD_MAX)
			members[i].score_q8 = LOAD_MAX;
		if (r->is_by_gain)
			members[i].score_q8 = pintle_score_q8(m, load, maps->ctl->psi_q8);
	}
}

static uint32_t choose__below(uint64_t random, uint32_t n)
{
	return (uint32_t)(((random & 0xffffffff) * n) >> 32);
}

static uint32_t choose__pick(const struct table_maps *maps, const struct pintle_pool *pool, uint32_t position)
{
	uint32_t line = pool->picks_line + position / PINTLE_PICKS_PER_LINE;
	uint32_t member = maps->picks[line].member[position % PINTLE_PICKS_PER_LINE];

	return member < pool->nr_members ? member : 0;
}

/* The pool's own policy, or a table of picks that is not there: then by load, as the programs do. */
static bool choose__is_scan(const struct pintle_pool *pool)
{
	switch (pool->policy) {
	case PINTLE_POLICY_RR:
	case PINTLE_POLICY_P2C:
		return false;
	case PINTLE_POLICY_MAGLEV:
	case PINTLE_POLICY_WEIGHTED:
		return !pool->nr_picks;
	default:
		return true;
	}
}

/* Lowest score; of equal ones the first from a start that depends on the flow. */
static void choose__argmin(const struct pintle_pool *pool, uint64_t mixed, struct choose_member *members,
			   struct choose_result *ret)
{
	uint32_t n = pool->nr_members;
	int32_t best = INT32_MAX;

	ret->why = ret->is_by_gain ? "lowest score" : "lowest load";
	ret->first = n ? choose__below(mixed, n) : 0;
	for (uint32_t i = 0; i < n; i++) {
		uint32_t member = (ret->first + i) % n;

		members[member].is_candidate = true;
		if (members[member].score_q8 < best) {
			best = members[member].score_q8;
			ret->member = member;
		}
	}
}

/* Many members: the best of two groups of neighbours. */
static void choose__sample(const struct pintle_pool *pool, uint64_t mixed, struct choose_member *members,
			   struct choose_result *ret)
{
	uint32_t n = pool->nr_members;
	int32_t best = INT32_MAX;

	ret->why = ret->is_by_gain ? "lowest score of two groups of members that the flow's hash gives"
				   : "lowest load of two groups of members that the flow's hash gives";
	ret->first = choose__below(mixed, n) & ~(PINTLE_SCAN_GROUP - 1);
	for (int group = 0; group < 2; group++) {
		uint32_t start = choose__below(group ? mixed >> 32 : mixed, n) & ~(PINTLE_SCAN_GROUP - 1);

		for (uint32_t i = 0; i < PINTLE_SCAN_GROUP; i++) {
			uint32_t member = start + ((i + (uint32_t)mixed) & (PINTLE_SCAN_GROUP - 1));

			if (member >= n)
				continue;
			members[member].is_candidate = true;
			if (members[member].score_q8 < best) {
				best = members[member].score_q8;
				ret->member = member;
			}
		}
	}
}

static void choose__p2c(const struct pintle_pool *pool, uint64_t mixed, struct choose_member *members,
			struct choose_result *ret)
{
	uint32_t n = pool->nr_members;
	uint32_t first = choose__below(mixed, n), second = n > 1 ? choose__below(mixed >> 32, n - 1) : 0;

	if (n > 1 && second >= first)
		second++;
	members[first].is_candidate = true;
	members[second].is_candidate = true;
	ret->first = first;
	ret->member = members[second].score_q8 < members[first].score_q8 ? second : first;
	ret->why = "lower load of two members picked by the flow's hash";
}

/* Independent of the table's seed: newflow.bpf.h, maglev_hash(). */
static uint64_t choose__maglev_hash(const struct choose_flow *flow)
{
	const struct pintle_seed fixed = { 0x243f6a8885a308d3ull, 0x9e3779b97f4a7c15ull, 0xbf58476d1ce4e5b9ull,
					   0x13198a2e03707344ull };

	return pintle_flow_key6(flow->saddr_be, flow->sport_be, flow->proto, &fixed);
}

int choose__explain(const struct table_maps *maps, uint16_t service, const struct choose_flow *flow,
		    struct choose_member *members, struct choose_result *ret)
{
	const struct pintle_pool *pool = choose__pool(maps, service);
	struct choose_result r = { .member = CHOOSE_NONE, .why = "the service has no pod that takes new flows" };
	uint64_t mixed;

	if (!pool)
		return -ENOENT;
	if (pool->policy == PINTLE_POLICY_SCORE)
		r.flow_class = (uint8_t)pintle_class_of(flow->key, pool->holdout, pool->canary);
	r.is_by_gain = pool->policy == PINTLE_POLICY_SCORE && !pintle_class_is_plain(pool, r.flow_class);
	choose__fill(maps, pool, &r, members);
	mixed = (pool->policy == PINTLE_POLICY_MAGLEV ? choose__maglev_hash(flow) : flow->key) * 0x9e3779b97f4a7c15ull;
	mixed ^= mixed >> 32;
	if (!pool->nr_members) {
		*ret = r;
		return 0;
	}
	if (choose__is_scan(pool) && pool->nr_members > PINTLE_SCAN_MAX) {
		choose__sample(pool, mixed, members, &r);
	} else if (choose__is_scan(pool)) {
		choose__argmin(pool, mixed, members, &r);
	} else if (pool->policy == PINTLE_POLICY_P2C) {
		choose__p2c(pool, mixed, members, &r);
	} else if (pool->policy == PINTLE_POLICY_RR) {
		r.first = r.member = __atomic_load_n(&maps->services[service].rr_next, __ATOMIC_RELAXED) % pool->nr_members;
		r.why = "next in turn";
	} else {
		r.first = choose__below(mixed, pool->nr_picks);
		r.member = choose__pick(maps, pool, r.first);
		r.why = "entry of the pick table at the flow's hash";
		r.is_certain = true;
	}
	members[r.member].is_candidate = true;
	*ret = r;
	return 0;
}
