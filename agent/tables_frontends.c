// SPDX-License-Identifier: BSD-2-Clause
/*
 * Ids of frontends. A flow has its frontend's id in its key and nowhere else, so an id that left is held back until no flow can have it: for longer
 * than an idle flow stays, as long as the sweep runs; or until a look at the table shows that none has it. The key of an IPv4 flow gives its frontend
 * back, that of an IPv6 flow does not.
 */
#include <errno.h>
#include <time.h>

#include "agent/flowview.h"
#include "agent/tables_plan.h"

#define SWEEPS_S 16u	   /* four rounds of the sweep (sweeper.h) */
#define AGENT_ABSENT_S 10u /* a heartbeat older than this: nobody swept meanwhile */

uint32_t frontends__now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint32_t)now.tv_sec;
}

static uint32_t seconds_of(const struct pintle_meta *meta, uint32_t units, uint32_t shift)
{
	return meta->hz ? (uint32_t)(((uint64_t)units << shift) / meta->hz) + 1 : 0;
}

/* A request that is never answered is given up first, and then the flow is idle; either clock may just have begun a unit. */
uint32_t frontends__hold_s(const struct tables *t)
{
	const struct pintle_meta *meta = t->maps.meta;
	const struct pintle_ctl *ctl = t->maps.ctl;
	uint32_t fine = ctl->age_half_open;

	fine = ctl->age_closed > fine ? ctl->age_closed : fine;
	fine = ctl->age_udp > fine ? ctl->age_udp : fine;
	fine = ctl->age_awaiting > fine ? ctl->age_awaiting : fine;
	return seconds_of(meta, fine + 2u, meta->fine_shift) + seconds_of(meta, ctl->age_tcp + 2u, meta->coarse_shift) +
	       SWEEPS_S;
}

static bool is_held(const struct tables *t, uint32_t id, uint32_t now_s)
{
	uint32_t left_s = load32(&t->maps.frontends[id].left_s);

	return left_s && now_s - left_s < frontends__hold_s(t);
}

/* Has a flow these ids? IPv6 flows may have any. */
static int look_at_flows(const struct tables *t, struct idset *named, bool *ret_any_v6)
{
	const struct pintle_seed seed = flowview__seed(t->maps.meta);

	*ret_any_v6 = false;
	if (idset__init(named, t->frontends.nr))
		return -ENOMEM;
	for (uint32_t b = 0; b < t->maps.meta->nr_buckets; b++) {
		for (uint32_t i = 0; i < PINTLE_BUCKET_SLOTS; i++) {
			const struct pintle_slot *slot = &t->maps.flows[b].slot[i];
			uint64_t state = load64(&slot->state);

			if (!(state & (PINTLE_FS_VALID | PINTLE_FS_BUSY)))
				continue;
			*ret_any_v6 |= (state & PINTLE_FS_V6) != 0 ||
				       (state & PINTLE_FS_BUSY); /* one in the making: of either */
			if (!(state & PINTLE_FS_V6))
				idset__mark(named, (uint32_t)flowview__unmix(load64(&slot->key), &seed) & 0xffff);
		}
	}
	return 0;
}

static bool may_be_named(const struct idset *named, bool any_v6, uint32_t id, uint8_t family)
{
	return idset__has(named, id) || (family != 4 && any_v6);
}

static uint32_t count_free(const struct tables *t)
{
	uint32_t now_s = frontends__now_s(), nr = 0;

	for (uint32_t id = 0; id < t->frontends.nr; id++)
		nr += !idset__has(&t->frontends, id) && !is_held(t, id, now_s);
	return nr;
}

/* Gives back held ids that no flow has; counts ids of frontends that go and that no flow has now. */
static int look_for_more(struct tables *t, const struct plan *p, uint32_t *ret_nr_going)
{
	struct idset named;
	bool any_v6;
	int ret = look_at_flows(t, &named, &any_v6);

	*ret_nr_going = 0;
	for (uint32_t id = 0; !ret && id < t->frontends.nr; id++) {
		struct pintle_frontend *record = &t->maps.frontends[id];

		if (idset__has(&t->frontends, id)) {
			if (!idset__has(&p->keep_frontends, id) && !may_be_named(&named, any_v6, id, record->family))
				(*ret_nr_going)++;
		} else if (record->left_s && !may_be_named(&named, any_v6, id, record->left_family)) {
			store32(&record->left_s, 0);
		}
	}
	if (!ret)
		idset__destroy(&named);
	return ret;
}

int plan__check_frontend_ids(struct tables *t, const struct plan *p, struct pintle_err *err)
{
	uint32_t nr_going = 0, nr_free;
	int ret;

	if (p->nr_new_frontends <= count_free(t))
		return 0;
	ret = look_for_more(t, p, &nr_going);
	if (ret)
		return pintle_err__set(err, ret, "tables: out of memory");
	nr_free = count_free(t) + nr_going;
	if (p->nr_new_frontends <= nr_free)
		return 0;
	return pintle_err__set(
		err, -ENOSPC,
		"%u new frontends, but only %u ids are free: flows may still belong to frontends that left; attach with a larger "
		"--max-frontends, or wait until they have ended (%u s at most)",
		p->nr_new_frontends, nr_free, frontends__hold_s(t));
}

bool plan__is_short_of_ids(const struct tables *t, const struct plan *p)
{
	return p->nr_new_frontends > count_free(t);
}

/* Nobody can find it any more: not by address, not as a sibling. Its flows can. */
void frontends__drop(struct tables *t, uint32_t id)
{
	uint32_t now_s = frontends__now_s();
	struct pintle_frontend *record = &t->maps.frontends[id];
	const struct pintle_frontend left = { .left_s = now_s ? now_s : 1, .left_family = record->family };

	store8(&record->family, 0);
	store_words(record, &left, sizeof(left));
	idset__drop(&t->frontends, id);
}

int frontends__free_more(struct tables *t, const struct plan *p)
{
	uint32_t nr_going;
	int ret = look_for_more(t, p, &nr_going);

	if (ret || !plan__is_short_of_ids(t, p))
		return ret;
	/* a flow began between the plan and now; it would be worse to have no frontend than to share a key with it */
	for (uint32_t id = 0; id < t->frontends.nr; id++) {
		if (!idset__has(&t->frontends, id) && t->maps.frontends[id].left_s)
			store32(&t->maps.frontends[id].left_s, 0);
	}
	return 0;
}

uint32_t frontends__take(struct tables *t)
{
	uint32_t now_s = frontends__now_s();

	for (uint32_t i = 0; i < t->frontends.nr; i++) {
		uint32_t id = (t->frontends.next + i) % t->frontends.nr;

		if (idset__has(&t->frontends, id) || is_held(t, id, now_s))
			continue;
		idset__mark(&t->frontends, id);
		t->frontends.next = id + 1;
		return id;
	}
	return NO_ID;
}

void frontends__adopt_held(struct tables *t)
{
	uint64_t beat_s = __atomic_load_n(&t->maps.ctl->heartbeat_ns, __ATOMIC_ACQUIRE) / 1000000000;
	uint32_t now_s = frontends__now_s();

	if (beat_s && now_s - (uint32_t)beat_s < AGENT_ABSENT_S)
		return;
	for (uint32_t id = 0; id < t->frontends.nr; id++) {
		struct pintle_frontend *record = &t->maps.frontends[id];

		if (!record->family && record->left_s)
			store32(&record->left_s, now_s ? now_s : 1);
	}
}
