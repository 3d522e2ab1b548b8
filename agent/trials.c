// SPDX-License-Identifier: BSD-2-Clause
#include "agent/trials.h"

#include <string.h>

#include "policy/fixed.h"

#define NO_SLOT UINT32_MAX
#define SHUT (PINTLE_POD_DRAIN | PINTLE_POD_GONE)

/* Of the members of a service. */
struct summary {
	uint32_t nr, nr_known;
	uint64_t latency_ns; /* mean of those that have one, else after the median */
	int16_t median_q8;
	int16_t lowest_q8; /* penalties included */
};

void trials__init(struct trials *t, struct tables *tables, const struct table_maps *maps)
{
	*t = (struct trials){ .tables = tables, .maps = maps };
	knobs__default(&t->knobs);
}

static int32_t load_of(const struct trials *t, uint16_t pod, bool is_open)
{
	const struct pintle_load *load = &t->maps->loads[pod];
	int32_t n = __atomic_load_n(is_open ? &load->open : &load->awaiting, __ATOMIC_RELAXED);

	return n > 0 ? n : 0;
}

void trials__take(struct trials *t, uint32_t slot, uint16_t pod, const struct gain *gain)
{
	t->slots[slot] = (struct trial){ .gain = gain, .pod = pod, .is_new = true, .sent = (uint64_t)load_of(t, pod, false) };
}

void trials__drop(struct trials *t, uint32_t slot)
{
	t->slots[slot] = (struct trial){ 0 };
}

void trials__count(struct trials *t, uint32_t slot, uint64_t ended)
{
	t->slots[slot].ended += ended;
}

static void stage(struct trials *t, struct trial *p, int16_t penalty_q8, bool is_explored, int16_t lowest_q8)
{
	p->penalty_q8 = penalty_q8;
	p->is_explored = is_explored;
	tables__stage_trial(
		t->tables, p->pod,
		&(struct table_trial){ .penalty_q8 = penalty_q8, .is_explored = is_explored, .lowest_q8 = lowest_q8 });
}

/* ---- services ---- */

/* Slot of a pod of the configuration, if it has one and no service before had it. */
static uint32_t free_slot(const struct trials *t, const uint8_t *taken, size_t service, size_t pod)
{
	uint32_t slot;
	uint16_t id;

	if (tables__configured_pod(t->tables, service, pod, &id))
		return NO_SLOT;
	slot = t->maps->pods[id].detail;
	if (!slot || slot > PINTLE_MAX_DETAIL || taken[slot - 1] || !t->slots[slot - 1].gain || t->slots[slot - 1].pod != id)
		return NO_SLOT;
	return slot - 1;
}

static void add_group(struct trials *t, const struct cfg_service *cfg, size_t service, int family, uint8_t *taken)
{
	struct trial_group *g = &t->groups[t->nr_groups];
	uint32_t slot, end = g->first;

	g->nr = 0;
	for (size_t i = 0; i < cfg->nr_pods; i++) {
		const struct cfg_pod *pod = &cfg->pods[i];

		slot = pod->addr.family == family ? free_slot(t, taken, service, i) : NO_SLOT;
		if (slot == NO_SLOT)
			continue;
		taken[slot] = 1;
		t->slots[slot].is_member = pod->state == POD_ACTIVE && pod->weight &&
					   !(t->maps->pods[t->slots[slot].pod].flags & SHUT);
		t->order[end++] = (uint16_t)slot;
	}
	g->nr = (uint16_t)(end - g->first);
	g->is_open = cfg->load_open;
	g->unexplored = 0;
	if (!g->nr)
		return;
	t->nr_groups++;
	if (t->nr_groups < PINTLE_MAX_DETAIL)
		t->groups[t->nr_groups].first = (uint16_t)end;
}

/* Where all are new, all are equal. */
static void judge_new(struct trials *t, const struct trial_group *g)
{
	bool is_measured = false;

	for (uint32_t i = 0; i < g->nr; i++) {
		const struct trial *p = &t->slots[t->order[g->first + i]];

		is_measured |= p->is_member && gain__known(p->gain);
	}
	for (uint32_t i = 0; i < g->nr; i++) {
		struct trial *p = &t->slots[t->order[g->first + i]];

		if (p->is_new && p->is_member)
			p->may_ramp = is_measured && !gain__known(p->gain);
		p->is_new &= !p->is_member;
	}
}

void trials__regroup(struct trials *t, const struct pintle_config *config)
{
	uint8_t taken[PINTLE_MAX_DETAIL] = { 0 };

	t->nr_groups = 0;
	t->groups[0].first = 0;
	for (size_t i = 0; i < config->nr_services && t->nr_groups < PINTLE_MAX_DETAIL; i++) {
		if (config->services[i].policy != PINTLE_POLICY_SCORE)
			continue;
		for (int family = 4; family <= 6 && t->nr_groups < PINTLE_MAX_DETAIL; family += 2)
			add_group(t, &config->services[i], i, family, taken);
	}
	for (uint32_t g = 0; g < t->nr_groups; g++)
		judge_new(t, &t->groups[g]);
	/* pods of no group are no members either */
	for (uint32_t i = 0; i < PINTLE_MAX_DETAIL; i++)
		if (t->slots[i].gain && !(taken[i] && t->slots[i].is_member))
			stage(t, &t->slots[i], 0, false, 0);
}

/* ---- a look ---- */

/* Requests since the last look. */
static uint64_t take_fresh(const struct trials *t, struct trial *p)
{
	uint64_t sent = p->ended + (uint64_t)load_of(t, p->pod, false), fresh;

	if (sent <=
	    p->sent) /* a request was counted twice, or not at all, between two words that are read one after the other */
		return 0;
	fresh = sent - p->sent;
	p->sent = sent;
	return fresh;
}

static uint64_t group_fresh(struct trials *t, const struct trial_group *g, const uint8_t *wanted)
{
	uint64_t fresh = 0;

	for (uint32_t i = 0; i < g->nr; i++) {
		uint32_t slot = t->order[g->first + i];
		struct trial *p = &t->slots[slot];

		if (wanted[slot] || p->is_explored || p->ramp.began_ns || p->may_ramp)
			fresh += take_fresh(t, p);
	}
	return fresh;
}

/* A gain is log2 us; between a microsecond and a minute. */
static uint64_t gain_ns(int16_t gain_q8)
{
	int32_t q8 = gain_q8 < 0 ? 0 : gain_q8 > 26 * 256 ? 26 * 256 : gain_q8;

	return fixed__exp2_q8(q8) * 1000;
}

static struct summary summarise(struct trials *t, const struct trial_group *g)
{
	struct summary s = { .lowest_q8 = INT16_MAX };
	uint64_t sum_ns = 0, nr_timed = 0;

	for (uint32_t i = 0; i < g->nr; i++) {
		const struct trial *p = &t->slots[t->order[g->first + i]];

		if (!p->is_member)
			continue;
		s.nr++;
		if (gain__known(p->gain))
			t->gains_q8[s.nr_known++] = gain__cost_q8(p->gain);
		if (p->gain->latency_ns) {
			sum_ns += p->gain->latency_ns; /* each below 2^45, gain.c */
			nr_timed++;
		}
	}
	s.median_q8 = ramp__median_q8(t->gains_q8, s.nr_known);
	s.latency_ns = nr_timed ? sum_ns / nr_timed : gain_ns(s.median_q8);
	return s;
}

static int16_t ramp_pod(struct trials *t, struct trial *p, const struct summary *s, uint64_t fresh, uint64_t now_ns)
{
	uint64_t latency_ns = p->gain->latency_ns ? p->gain->latency_ns : s->latency_ns;

	if (p->may_ramp) {
		p->may_ramp = false;
		p->service_sent = 0;
		ramp__begin(&p->ramp, p->sent, 0, now_ns);
	} else {
		p->service_sent += fresh;
	}
	return (int16_t)ramp__penalty_q8(&p->ramp, p->sent, p->service_sent, s->nr, latency_ns, t->knobs.ramp_q8, now_ns);
}

/* Medians and ramps; the lowest of the gains as they are then. */
static void settle_gains(struct trials *t, const struct trial_group *g, struct summary *s, uint64_t fresh, uint64_t now_ns)
{
	for (uint32_t i = 0; i < g->nr; i++) {
		struct trial *p = &t->slots[t->order[g->first + i]];
		int16_t gain_q8;

		if (!p->is_member)
			continue;
		/* one that has only failed so far is idle too, and would draw everything */
		if (!gain__known(p->gain) && (s->nr_known || gain__failure_q8(p->gain)))
			tables__stage_default(t->tables, p->pod,
					      fixed__sat16((int64_t)s->median_q8 + gain__failure_q8(p->gain)));
		p->penalty_q8 = ramp_pod(t, p, s, fresh, now_ns);
		gain_q8 = fixed__sat16((int64_t)tables__gain(t->tables, p->pod) + p->penalty_q8);
		if (gain_q8 < s->lowest_q8)
			s->lowest_q8 = gain_q8;
	}
}

/* Whom to explore: who is being explored already, else who waited longest; NULL: nobody. */
static const struct trial *choose(struct trials *t, const struct trial_group *g, uint64_t now_ns)
{
	const struct trial *best = NULL;

	for (uint32_t i = 0; i < g->nr; i++) {
		struct trial *p = &t->slots[t->order[g->first + i]];
		bool is_due;

		if (!p->is_member) {
			explore__begin(&p->explore, p->sent, now_ns);
			continue;
		}
		if (!p->explore.last_ns)
			explore__begin(&p->explore, p->sent, now_ns);
		is_due = explore__due(&p->explore, p->sent, t->knobs.explore_ns, now_ns) && !load_of(t, p->pod, g->is_open);
		if (!is_due || (best && best->is_explored))
			continue;
		if (p->is_explored ||
		    (g->unexplored >= TRIALS_REQUESTS && (!best || p->explore.last_ns < best->explore.last_ns)))
			best = p;
	}
	return best;
}

static void look_at_group(struct trials *t, struct trial_group *g, const uint8_t *wanted, uint64_t now_ns)
{
	uint64_t fresh = group_fresh(t, g, wanted);
	const struct trial *explored;
	struct summary s;

	if (!fresh)
		return;
	s = summarise(t, g);
	settle_gains(t, g, &s, fresh, now_ns);
	g->unexplored += fresh;
	explored = choose(t, g, now_ns);
	if (explored)
		g->unexplored = 0;
	for (uint32_t i = 0; i < g->nr; i++) {
		struct trial *p = &t->slots[t->order[g->first + i]];

		stage(t, p, p->is_member ? p->penalty_q8 : 0, p == explored, s.lowest_q8);
	}
}

void trials__look(struct trials *t, const uint8_t *wanted, uint64_t now_ns)
{
	for (uint32_t i = 0; i < t->nr_groups; i++)
		look_at_group(t, &t->groups[i], wanted, now_ns);
}
