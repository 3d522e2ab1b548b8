/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Gains: two copies of every member line of both variants, one in force. A commit brings the idle copy up to date (the gains of this commit and of the one
 * before, which only the other copy has) and flips one word. The copy that was left may be written when programs that read it have ended.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/tables_int.h"
#include "policy/explore.h"
#include "policy/mlp.h"
#include "policy/psi.h"

static int16_t add_q8(int16_t a, int16_t b)
{
	int32_t sum = a + b;

	return (int16_t)(sum < INT16_MIN ? INT16_MIN : sum > INT16_MAX ? INT16_MAX : sum);
}

struct pintle_member member__make(const struct shadow_pod *shadow, uint32_t variant, uint16_t pod, uint16_t concurrency)
{
	struct pintle_member member = { .pod = pod,
					.gain_q8 = add_q8(shadow->gain_q8, shadow->residual_q8[variant]),
					.concurrency = concurrency ? concurrency : 1 };

	member.gain_q8 = add_q8(member.gain_q8, shadow->penalty_q8);
	member.gain_sat_q8 = psi__gain_sat_q8(member.gain_q8, member.concurrency);
	return shadow->flags & SP_EXPLORED ? explore__member(&member, shadow->lowest_q8 - MLP_RESIDUAL_MAX_Q8) : member;
}

int16_t tables__gain(const struct tables *t, uint16_t pod)
{
	return idset__has(&t->pods, pod) ? t->shadow_pods[pod].gain_q8 : 0;
}

bool tables__knows_gain(const struct tables *t, uint16_t pod)
{
	return idset__has(&t->pods, pod) && t->shadow_pods[pod].flags & SP_KNOWN;
}

static void stage(struct tables *t, uint16_t pod)
{
	struct shadow_pod *shadow = &t->shadow_pods[pod];

	if (shadow->flags & SP_STAGED)
		return;
	shadow->flags |= SP_STAGED;
	t->staged.pods[t->staged.nr++] = pod;
}

void tables__stage_gain(struct tables *t, uint16_t pod, int16_t gain_q8)
{
	struct shadow_pod *shadow;

	if (!idset__has(&t->pods, pod))
		return;
	shadow = &t->shadow_pods[pod];
	shadow->flags |= SP_KNOWN;
	if (shadow->gain_q8 == gain_q8)
		return;
	shadow->gain_q8 = gain_q8;
	stage(t, pod);
}

void tables__stage_residuals(struct tables *t, uint16_t pod, int16_t production_q8, int16_t canary_q8)
{
	struct shadow_pod *shadow;

	if (!idset__has(&t->pods, pod))
		return;
	shadow = &t->shadow_pods[pod];
	if (shadow->residual_q8[0] == production_q8 && shadow->residual_q8[1] == canary_q8)
		return;
	shadow->residual_q8[0] = production_q8;
	shadow->residual_q8[1] = canary_q8;
	stage(t, pod);
}

void tables__stage_default(struct tables *t, uint16_t pod, int16_t gain_q8)
{
	struct shadow_pod *shadow;

	if (!idset__has(&t->pods, pod))
		return;
	shadow = &t->shadow_pods[pod];
	if (shadow->flags & SP_KNOWN || shadow->gain_q8 == gain_q8)
		return;
	shadow->flags |= SP_DEFAULTED;
	shadow->gain_q8 = gain_q8;
	stage(t, pod);
}

static void drop_from_list(struct gain_list *list, uint16_t pod)
{
	for (uint32_t i = 0; i < list->nr; i++) {
		if (list->pods[i] == pod) {
			list->pods[i] = list->pods[--list->nr];
			return;
		}
	}
}

void gains__drop_pod(struct tables *t, uint16_t pod)
{
	if (t->shadow_pods[pod].flags & SP_STAGED)
		drop_from_list(&t->staged, pod);
	if (t->shadow_pods[pod].flags & SP_UNSETTLED)
		drop_from_list(&t->unsettled, pod);
	t->shadow_pods[pod].flags &= (uint8_t) ~(SP_STAGED | SP_UNSETTLED);
}

/* Calls `visit` for every member of every service in force. */
static void visit_members(struct tables *t, void (*visit)(struct tables *t, uint32_t pod, uint32_t place))
{
	for (uint32_t s = idset__next_used(&t->services, 0); s != NO_ID; s = idset__next_used(&t->services, s + 1)) {
		const struct pintle_pool *pool = pool_in_force(t, s);

		for (uint32_t i = 0; i < pool->nr_members; i++)
			visit(t, member_at(t, 0, 0, pool->members_line, i)->pod,
			      pool->members_line * PINTLE_MEMBERS_PER_LINE + i);
	}
}

static void count_place(struct tables *t, uint32_t pod, uint32_t place)
{
	(void)place;
	t->place_of_pod[pod]++;
}

/* Filling from the end turns the running sums into beginnings. */
static void fill_place(struct tables *t, uint32_t pod, uint32_t place)
{
	t->places[--t->place_of_pod[pod]] = place;
}

static int index_places(struct tables *t)
{
	uint32_t sum = 0, *places;

	if (t->has_places)
		return 0;
	memset(t->place_of_pod, 0, ((size_t)t->maps.meta->max_pods + 1) * sizeof(*t->place_of_pod));
	visit_members(t, count_place);
	for (uint32_t i = 0; i <= t->maps.meta->max_pods; i++) {
		sum += t->place_of_pod[i];
		t->place_of_pod[i] = sum;
	}
	places = reallocarray(t->places, sum ? sum : 1, sizeof(*places));
	if (!places)
		return -ENOMEM;
	t->places = places;
	visit_members(t, fill_place);
	t->has_places = true;
	return 0;
}

/* An explored member does not show its own concurrency: it is that of the pod. */
static uint16_t concurrency_of(const struct tables *t, const struct pintle_member *m, uint16_t pod)
{
	return member__is_explored(m) ? t->maps.pods[pod].concurrency : m->concurrency;
}

/* A pod of several services with a concurrency in each is not explored: it could not be put back. */
static bool can_explore(struct tables *t, uint16_t pod)
{
	if (index_places(t))
		return false;
	for (uint32_t i = t->place_of_pod[pod]; i < t->place_of_pod[pod + 1u]; i++) {
		const struct pintle_member *m = member_at(t, 0, load32(&t->maps.ctl->gains_half) & 1,
							  t->places[i] / PINTLE_MEMBERS_PER_LINE,
							  t->places[i] % PINTLE_MEMBERS_PER_LINE);

		if (concurrency_of(t, m, pod) != t->maps.pods[pod].concurrency)
			return false;
	}
	return true;
}

void tables__stage_trial(struct tables *t, uint16_t pod, const struct table_trial *trial)
{
	struct shadow_pod *shadow;
	bool was, is;

	if (!idset__has(&t->pods, pod))
		return;
	shadow = &t->shadow_pods[pod];
	was = shadow->flags & SP_EXPLORED;
	is = trial->is_explored && (was || can_explore(t, pod));
	if (is == was && shadow->penalty_q8 == trial->penalty_q8 && (!is || shadow->lowest_q8 == trial->lowest_q8))
		return;
	shadow->penalty_q8 = trial->penalty_q8;
	shadow->lowest_q8 = trial->lowest_q8;
	shadow->flags = (uint8_t)((shadow->flags & ~SP_EXPLORED) | (is ? SP_EXPLORED : 0));
	stage(t, pod);
}

void gains__end_exploration(struct tables *t, uint16_t pod)
{
	if (!(t->shadow_pods[pod].flags & SP_EXPLORED))
		return;
	t->shadow_pods[pod].flags &= (uint8_t)~SP_EXPLORED;
	stage(t, pod);
}

static void write_place(struct tables *t, uint32_t variant, uint32_t half, uint16_t pod, uint32_t place)
{
	struct pintle_member *to = member_at(t, variant, half, place / PINTLE_MEMBERS_PER_LINE,
					     place % PINTLE_MEMBERS_PER_LINE);
	struct pintle_member member = member__make(&t->shadow_pods[pod], variant, pod, concurrency_of(t, to, pod));
	uint64_t word;

	memcpy(&word, &member, sizeof(word));
	if (load64(to) != word)
		store64(to, word);
}

static void write_pod(struct tables *t, uint32_t half, uint16_t pod)
{
	int16_t *learned_q8 = &t->maps.pods[pod].learned_q8;

	if (*learned_q8 != t->shadow_pods[pod].gain_q8)
		store16((uint16_t *)learned_q8, (uint16_t)t->shadow_pods[pod].gain_q8);
	for (uint32_t i = t->place_of_pod[pod]; i < t->place_of_pod[pod + 1u]; i++)
		for (uint32_t variant = 0; variant < NR_VARIANTS; variant++)
			write_place(t, variant, half, pod, t->places[i]);
}

void tables__gains_settled(struct tables *t)
{
	t->idle_half_busy = false;
}

int tables__commit_gains(struct tables *t, struct pintle_err *err)
{
	uint32_t idle = ~load32(&t->maps.ctl->gains_half) & 1;
	struct gain_list swap;
	int ret = 0;

	if (!t->staged.nr)
		return 0;
	if (t->idle_half_busy)
		ret = tables__wait(t);
	if (!ret)
		ret = index_places(t);
	if (ret)
		return pintle_err__set(err, ret, "writing gains: %s", strerror(-ret));
	for (uint32_t i = 0; i < t->unsettled.nr; i++) {
		write_pod(t, idle, t->unsettled.pods[i]);
		t->shadow_pods[t->unsettled.pods[i]].flags &= (uint8_t)~SP_UNSETTLED;
	}
	for (uint32_t i = 0; i < t->staged.nr; i++) {
		write_pod(t, idle, t->staged.pods[i]);
		t->shadow_pods[t->staged.pods[i]].flags &= (uint8_t)~SP_STAGED;
		t->shadow_pods[t->staged.pods[i]].flags |= SP_UNSETTLED;
	}
	store32(&t->maps.ctl->gains_half, idle);
	t->idle_half_busy = true;
	swap = t->unsettled;
	t->unsettled = t->staged;
	t->staged = swap;
	t->staged.nr = 0;
	return 0;
}
