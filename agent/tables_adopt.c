/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What pinned maps hold, after an agent that went at any instant. The order of writes (tables_apply.c) leaves only these halves, all undone here
 * or by the next apply: an endpoint entry in two places (a move), a record or id that no entry leads to, lines of a pool that was not flipped,
 * an idle copy of gains that is behind. Anything else that does not fit together is somebody else's writing; it is taken out of force.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/tables_int.h"
#include "policy/mlp.h"

static void forget(struct tables *t)
{
	idset__clear(&t->frontends);
	idset__clear(&t->services);
	idset__clear(&t->pods);
	idset__clear(&t->details);
	lines__clear(&t->members);
	lines__clear(&t->picks);
	memset(t->shadow_services, 0, t->max_services * sizeof(*t->shadow_services));
	for (uint32_t i = 0; i < t->maps.meta->max_pods; i++)
		t->shadow_pods[i] = (struct shadow_pod){ .service = NO_CFG };
	t->config = NULL;
	t->nr_by_name = 0;
	t->lingering = 0;
	t->staged.nr = 0;
	t->unsettled.nr = 0;
	t->has_places = false;
}

/* Entries in no bucket of theirs, and second copies, go. */
static void clean_hash(struct tables *t, struct ephash *h)
{
	for (uint32_t slot = 0; slot < ephash__nr_slots(h); slot++) {
		struct ep_entry entry;

		if (!ephash__get(h, slot, &entry) || (ephash__is_home(h, slot) && ephash__find(h, &entry.key) == slot))
			continue;
		ephash__clear(h, slot);
		t->needs_grace = true;
	}
}

static bool pod_fits(const struct tables *t, const struct ep_entry *entry)
{
	struct ep_key key;

	if (entry->id >= t->maps.meta->max_pods || !(t->maps.pods[entry->id].flags & PINTLE_POD_IN_USE))
		return false;
	key = pod_record__key(t, entry->id);
	return ep_key__equal(&key, &entry->key);
}

static void adopt_pods(struct tables *t)
{
	for (int f = 0; f < 2; f++) {
		struct ephash *h = &t->rev[f];

		clean_hash(t, h);
		for (uint32_t slot = 0; slot < ephash__nr_slots(h); slot++) {
			struct ep_entry entry;

			if (!ephash__get(h, slot, &entry) || (pod_fits(t, &entry) && idset__mark(&t->pods, entry.id)))
				continue;
			ephash__clear(h, slot);
			t->needs_grace = true;
		}
	}
	for (uint32_t pod = idset__next_used(&t->pods, 0); pod != NO_ID; pod = idset__next_used(&t->pods, pod + 1)) {
		struct pintle_pod *record = &t->maps.pods[pod];

		if (record->detail && !idset__mark(&t->details, record->detail - 1u))
			store16(&record->detail, 0);
	}
}

/* Without a reverse entry a pod was never a member, or no flow named it any more. Those that stay have their detail slots. */
static int drop_orphans(struct tables *t, struct pintle_err *err)
{
	for (uint32_t pod = 0; pod < t->maps.meta->max_pods; pod++) {
		struct pintle_pod *record = &t->maps.pods[pod];
		int ret;

		if (!record->flags || idset__has(&t->pods, pod))
			continue;
		if (record->detail && idset__has(&t->details, record->detail - 1u))
			store16(&record->detail, 0);
		ret = pod_record__forget(t, (uint16_t)pod, err);
		if (ret)
			return ret;
		store8(&record->flags, 0);
	}
	return 0;
}

static bool members_fit(const struct tables *t, const struct pintle_pool *pool)
{
	uint32_t half = load32(&t->maps.ctl->gains_half) & 1;

	for (uint32_t i = 0; i < pool->nr_members; i++) {
		if (!idset__has(&t->pods, member_at(t, 0, half, pool->members_line, i)->pod))
			return false;
	}
	return true;
}

static bool adopt_pool(struct tables *t, const struct pintle_pool *pool)
{
	uint32_t members = lines_of_members(pool->nr_members), picks = lines_of_picks(pool->nr_picks);

	if (pool->nr_picks > UINT16_MAX + 1u || !lines__mark(&t->members, pool->members_line, members))
		return false;
	if (!lines__mark(&t->picks, pool->picks_line, picks)) {
		lines__drop(&t->members, pool->members_line, members);
		return false;
	}
	if (members_fit(t, pool))
		return true;
	lines__drop(&t->members, pool->members_line, members);
	lines__drop(&t->picks, pool->picks_line, picks);
	return false;
}

/* A pool that cannot be believed: its service rejects until the next apply. */
static void empty_service(struct tables *t, uint32_t id)
{
	static const struct pintle_pool none;
	struct pintle_service *service = &t->maps.services[id];
	uint32_t idle = ~load32(&service->active) & 1;

	store_words(&service->pool[idle], &none, sizeof(none));
	store32(&service->active, idle);
	t->needs_grace = true;
}

/* What a model added to a gain; more than one can is a ramp's, which does not outlive its agent. */
static int16_t adopt_residual(const struct pintle_member *m, int16_t gain_q8)
{
	int32_t residual_q8 = (member__is_explored(m) ? m->gain_sat_q8 : m->gain_q8) - gain_q8;

	return residual_q8 < -MLP_RESIDUAL_MAX_Q8 || residual_q8 > MLP_RESIDUAL_MAX_Q8 ? 0 : (int16_t)residual_q8;
}

/* Of a pod in force: what was learned, and what models added to it. */
static void adopt_gain(struct tables *t, const struct pintle_member *production, const struct pintle_member *canary)
{
	struct shadow_pod *shadow = &t->shadow_pods[production->pod];
	int16_t learned_q8 = t->maps.pods[production->pod].learned_q8;

	shadow->gain_q8 = learned_q8			    ? learned_q8
			  : member__is_explored(production) ? production->gain_sat_q8
							    : production->gain_q8;
	shadow->residual_q8[0] = adopt_residual(production, shadow->gain_q8);
	shadow->residual_q8[1] = adopt_residual(canary, shadow->gain_q8);
	if (shadow->gain_q8)
		shadow->flags |= SP_KNOWN;
}

/* Ends the exploration and the ramp of an agent that died. */
static void mend_member(struct tables *t, struct pintle_member *m, uint32_t variant)
{
	uint16_t concurrency = member__is_explored(m) ? t->maps.pods[m->pod].concurrency : m->concurrency;
	struct pintle_member member = member__make(&t->shadow_pods[m->pod], variant, m->pod, concurrency);
	uint64_t word;

	memcpy(&word, &member, sizeof(word));
	if (load64(m) != word)
		store64(m, word);
}

/* Gains in force become the shadow's; the other copy is made equal. A canary's line that names others than production's is somebody else's
 * writing: it becomes production's. */
static void adopt_gains(struct tables *t, const struct pintle_pool *pool)
{
	uint32_t half = load32(&t->maps.ctl->gains_half) & 1;
	uint32_t nr = lines_of_members(pool->nr_members) * PINTLE_MEMBERS_PER_LINE;

	for (uint32_t i = 0; i < nr; i++) {
		struct pintle_member *production = member_at(t, 0, half, pool->members_line, i);
		struct pintle_member *canary = member_at(t, 1, half, pool->members_line, i);

		if (canary->pod != production->pod || canary->concurrency != production->concurrency)
			store64(canary, load64(production));
		if (i < pool->nr_members) {
			adopt_gain(t, production, canary);
			mend_member(t, production, 0);
			mend_member(t, canary, 1);
		}
		for (uint32_t variant = 0; variant < NR_VARIANTS; variant++) {
			const struct pintle_member *from = member_at(t, variant, half, pool->members_line, i);
			struct pintle_member *to = member_at(t, variant, half ^ 1, pool->members_line, i);

			if (load64(from) != load64(to))
				store64(to, load64(from));
		}
	}
}

static void adopt_services(struct tables *t)
{
	for (uint32_t id = 0; id < t->max_services; id++) {
		if (!t->maps.services[id].in_use)
			continue;
		idset__mark(&t->services, id);
		if (adopt_pool(t, pool_in_force(t, id)))
			adopt_gains(t, pool_in_force(t, id));
		else
			empty_service(t, id);
	}
}

static bool frontend_fits(const struct tables *t, const struct ep_entry *entry)
{
	const struct pintle_frontend *record;

	if (entry->id >= t->frontends.nr || !idset__has(&t->services, entry->service))
		return false;
	record = &t->maps.frontends[entry->id];
	return record->family == entry->key.family && record->proto == entry->key.proto &&
	       record->port_be == entry->key.port_be && !memcmp(record->addr_be, entry->key.addr_be, sizeof(record->addr_be));
}

static bool adopt_frontend(struct tables *t, const struct ep_entry *entry)
{
	struct pintle_frontend *record;

	if (!entry->key.proto && !entry->key.port_be)
		return true; /* a wildcard: the next apply knows whether it is wanted */
	if (!frontend_fits(t, entry) || !idset__mark(&t->frontends, entry->id))
		return false;
	record = &t->maps.frontends[entry->id];
	if (record->service != entry->service)
		store16(&record->service, entry->service);
	t->shadow_services[entry->service].family = entry->key.family;
	return true;
}

static void adopt_frontends(struct tables *t)
{
	for (int f = 0; f < 2; f++) {
		struct ephash *h = &t->vip[f];

		clean_hash(t, h);
		for (uint32_t slot = 0; slot < ephash__nr_slots(h); slot++) {
			struct ep_entry entry;

			if (!ephash__get(h, slot, &entry) || adopt_frontend(t, &entry))
				continue;
			ephash__clear(h, slot);
			t->needs_grace = true;
		}
	}
	/* records that no entry leads to may still be siblings: the next apply takes them out in order */
	for (uint32_t id = 0; id < t->frontends.nr; id++) {
		if (t->maps.frontends[id].family)
			idset__mark(&t->frontends, id);
	}
	frontends__adopt_held(t);
}

/* A service that no frontend leads to is nobody's: its first frontend was not published yet, or its last one went. */
static void drop_services(struct tables *t)
{
	for (uint32_t id = idset__next_used(&t->services, 0); id != NO_ID; id = idset__next_used(&t->services, id + 1)) {
		const struct pintle_pool *pool = pool_in_force(t, id);

		if (t->shadow_services[id].family)
			continue;
		store64(&t->maps.services[id].in_use, 0);
		lines__drop(&t->members, pool->members_line, lines_of_members(pool->nr_members));
		lines__drop(&t->picks, pool->picks_line, lines_of_picks(pool->nr_picks));
		idset__drop(&t->services, id);
		t->needs_grace = true;
	}
}

int tables__adopt(struct tables *t, struct pintle_err *err)
{
	int ret = tables__wait(t);

	if (ret)
		return pintle_err__set(err, ret, "waiting for programs to finish: %s", strerror(-ret));
	forget(t);
	adopt_pods(t);
	ret = drop_orphans(t, err);
	if (ret)
		return ret;
	adopt_services(t);
	adopt_frontends(t);
	drop_services(t);
	return 0;
}
