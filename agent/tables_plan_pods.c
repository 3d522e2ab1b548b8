/* SPDX-License-Identifier: BSD-2-Clause */
/* Which pods are known, which are new, and which frontends lead to each. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/tables_plan.h"

#define NEW_POD_TAG 0x80000000u /* in pod_ids until ids are taken: index in new_pods */

static bool has_family(const struct plan *p, uint32_t cfg_index, uint8_t family)
{
	const struct cfg_service *cfg = &p->config->services[cfg_index];

	for (size_t i = 0; i < cfg->nr_frontends; i++) {
		if (cfg->frontends[i].addr.family == family)
			return true;
	}
	return false;
}

static int reserve(struct plan *p)
{
	size_t nr_services = p->config->nr_services, nr_pods = 0;
	uint32_t slots = 64;

	p->first_pod = calloc(nr_services + 1, sizeof(*p->first_pod));
	if (!p->first_pod)
		return -ENOMEM;
	for (size_t i = 0; i < nr_services; i++) {
		p->first_pod[i] = (uint32_t)nr_pods;
		nr_pods += p->config->services[i].nr_pods;
		if (nr_pods > 1u << 24)
			return -ENOSPC;
	}
	p->first_pod[nr_services] = (uint32_t)nr_pods;
	p->pod_ids = calloc(nr_pods + 1, sizeof(*p->pod_ids));
	p->new_pod_slots = calloc(slots, sizeof(*p->new_pod_slots));
	if (!p->pod_ids || !p->new_pod_slots)
		return -ENOMEM;
	memset(p->new_pod_slots, 0xff, slots * sizeof(*p->new_pod_slots));
	p->new_pod_mask = slots - 1;
	return 0;
}

/* Where the key is, or where it belongs. */
static uint32_t *new_pod_slot(const struct plan *p, const struct ep_key *key)
{
	uint32_t at = (uint32_t)pick_name_hash(key->addr_be, key->port_be) & p->new_pod_mask;

	while (p->new_pod_slots[at] != NO_ID && !ep_key__equal(&p->new_pods[p->new_pod_slots[at]].key, key))
		at = (at + 1) & p->new_pod_mask;
	return &p->new_pod_slots[at];
}

/* Doubles list and index; the index stays at most half full. */
static int grow_new_pods(struct plan *p)
{
	uint32_t room = p->room_new_pods ? 2 * p->room_new_pods : 32, slots = 2 * room;
	struct new_pod *pods = reallocarray(p->new_pods, room, sizeof(*pods));
	uint32_t *index;

	if (!pods)
		return -ENOMEM;
	p->new_pods = pods;
	index = reallocarray(p->new_pod_slots, slots, sizeof(*index));
	if (!index)
		return -ENOMEM;
	p->new_pod_slots = index;
	p->new_pod_mask = slots - 1;
	p->room_new_pods = room;
	memset(index, 0xff, slots * sizeof(*index));
	for (uint32_t i = 0; i < p->nr_new_pods; i++)
		*new_pod_slot(p, &pods[i].key) = i;
	return 0;
}

static int add_new_pod(struct plan *p, const struct ep_key *key, uint32_t *ret_index)
{
	uint32_t *slot;

	if (p->nr_new_pods == p->room_new_pods) {
		int ret = grow_new_pods(p);

		if (ret)
			return ret;
	}
	slot = new_pod_slot(p, key);
	if (*slot == NO_ID) {
		*slot = p->nr_new_pods;
		p->new_pods[p->nr_new_pods++] = (struct new_pod){ .key = *key, .id = NO_ID };
	}
	*ret_index = *slot;
	return 0;
}

static void keep_pod(const struct tables *t, struct plan *p, uint32_t id)
{
	idset__mark(&p->keep_pods, id);
	if (t->maps.pods[id].flags & (PINTLE_POD_DRAIN | PINTLE_POD_GONE))
		idset__mark(&p->shut, id);
}

/* The service of that name in the configuration in force; as a rule it stands where it stood. NO_ID: none, or ids are not known. */
static uint32_t find_before(const struct tables *t, const struct plan *p, uint32_t cfg_index)
{
	const char *name = p->config->services[cfg_index].name;
	uint16_t id;

	if (!t->cfg_pod_ids)
		return NO_ID;
	if (cfg_index < t->config->nr_services && !strcmp(t->config->services[cfg_index].name, name))
		return cfg_index;
	if (tables__service_ids(t, name, 4, &id) && tables__service_ids(t, name, 6, &id))
		return NO_ID;
	return (uint32_t)(t->shadow_services[id].cfg - t->config->services);
}

/* Most pods are those of the configuration in force, in their places: their ids need no search, so that a reload costs what has changed. */
static bool is_as_before(const struct tables *t, uint32_t before, size_t index, const struct cfg_pod *pod, uint32_t *ret_id)
{
	const struct cfg_service *service;
	uint32_t id;

	if (before == NO_ID || index >= t->config->services[before].nr_pods)
		return false;
	service = &t->config->services[before];
	id = t->cfg_pod_ids[t->cfg_first_pod[before] + index];
	if (id == NO_ID || service->pods[index].port != pod->port || !ip_addr__equal(&service->pods[index].addr, &pod->addr))
		return false;
	*ret_id = id;
	return true;
}

static int find_pod(struct tables *t, struct plan *p, const struct cfg_pod *pod, uint32_t *ret_id)
{
	struct ep_entry entry;
	struct ep_key key;
	struct ephash *h = &t->rev[family_index(pod->addr.family)];
	uint32_t slot, index;
	int ret;

	ep_key__make(&key, &pod->addr, pod->port, 0);
	slot = ephash__find(h, &key);
	if (slot != EPHASH_NO_SLOT && ephash__get(h, slot, &entry)) {
		keep_pod(t, p, entry.id);
		*ret_id = entry.id;
		return 0;
	}
	ret = add_new_pod(p, &key, &index);
	if (!ret)
		*ret_id = index | NEW_POD_TAG;
	return ret;
}

static int find_service_pods(struct tables *t, struct plan *p, uint32_t cfg_index)
{
	const struct cfg_service *cfg = &p->config->services[cfg_index];
	bool wants[2] = { has_family(p, cfg_index, 4), has_family(p, cfg_index, 6) };
	uint32_t *ids = &p->pod_ids[p->first_pod[cfg_index]], before = find_before(t, p, cfg_index);
	int ret = 0;

	for (size_t i = 0; i < cfg->nr_pods && !ret; i++) {
		ids[i] = NO_ID;
		if (!wants[family_index(cfg->pods[i].addr.family)])
			continue;
		if (is_as_before(t, before, i, &cfg->pods[i], &ids[i]))
			keep_pod(t, p, ids[i]);
		else
			ret = find_pod(t, p, &cfg->pods[i], &ids[i]);
	}
	return ret;
}

/* Pods that left make room when their flows have ended; those that come back now are safe, they are found again below. */
static int make_room(struct tables *t, struct plan *p, struct pintle_err *err)
{
	uint32_t wanted = p->keep_pods.used + p->nr_new_pods;
	int ret;

	if (p->nr_new_pods <= idset__free(&t->pods))
		return 0;
	ret = tables__reap(t, err);
	if (ret < 0)
		return ret;
	if (wanted <= t->pods.nr && p->nr_new_pods > idset__free(&t->pods))
		return pintle_err__set(
			err, -ENOSPC,
			"%u new pods, but %u of %u pod ids are free: %u belong to pods that left and still have flows, and those of "
			"pods that leave now come free after a reload; reload in two steps, or attach with a larger --max-pods "
			"(%u at most)",
			p->nr_new_pods, idset__free(&t->pods), t->pods.nr, t->lingering, PINTLE_MAX_PODS);
	if (p->nr_new_pods > idset__free(&t->pods))
		return pintle_err__set(err, -ENOSPC,
				       "%u pods, but the tables hold %u: attach with a larger --max-pods (%u at most)", wanted,
				       t->pods.nr, PINTLE_MAX_PODS);
	return ret ? -EAGAIN : 0;
}

static int find_all(struct tables *t, struct plan *p)
{
	int ret = 0;

	idset__clear(&p->keep_pods);
	idset__clear(&p->shut);
	p->nr_new_pods = 0;
	memset(p->new_pod_slots, 0xff, ((size_t)p->new_pod_mask + 1) * sizeof(*p->new_pod_slots));
	for (uint32_t i = 0; i < p->config->nr_services && !ret; i++)
		ret = find_service_pods(t, p, i);
	return ret;
}

int plan__find_pods(struct tables *t, struct plan *p, struct pintle_err *err)
{
	int ret = reserve(p);

	if (!ret)
		ret = find_all(t, p);
	if (ret)
		return pintle_err__set(err, ret, "tables: %s for the pods of %zu services", strerror(-ret),
				       p->config->nr_services);
	ret = make_room(t, p, err);
	if (ret == -EAGAIN) {
		/* a reaped pod that the configuration names is a new one now */
		ret = find_all(t, p);
		if (ret)
			return pintle_err__set(err, ret, "tables: out of memory");
		if (p->nr_new_pods > idset__free(&t->pods))
			return pintle_err__set(err, -ENOSPC, "%u new pods, %u pod ids free: attach with a larger --max-pods",
					       p->nr_new_pods, idset__free(&t->pods));
	}
	if (ret)
		return ret;
	for (uint32_t i = 0; i < p->nr_new_pods; i++) {
		p->new_pods[i].id = idset__take(&t->pods);
		idset__mark(&p->keep_pods, p->new_pods[i].id);
	}
	for (uint32_t i = 0; i < p->first_pod[p->config->nr_services]; i++) {
		if (p->pod_ids[i] != NO_ID && p->pod_ids[i] & NEW_POD_TAG)
			p->pod_ids[i] = p->new_pods[p->pod_ids[i] & ~NEW_POD_TAG].id;
	}
	return 0;
}

/* Calls `visit` for every pod of the family in the planned service. */
static void visit_pods(struct plan *p, const struct plan_service *s, uint32_t nr,
		       void (*visit)(struct plan *p, uint32_t pod, uint32_t nr))
{
	const struct cfg_service *cfg = &p->config->services[s->cfg];
	const uint32_t *ids = &p->pod_ids[p->first_pod[s->cfg]];

	for (size_t i = 0; i < cfg->nr_pods; i++) {
		if (cfg->pods[i].addr.family == s->family && ids[i] != NO_ID)
			visit(p, ids[i], nr);
	}
}

static void count_siblings(struct plan *p, uint32_t pod, uint32_t nr)
{
	p->first_sibling[pod] += nr;
}

static uint32_t frontends_of(const struct plan *p, const struct plan_service *s)
{
	const struct cfg_service *cfg = &p->config->services[s->cfg];
	uint32_t nr = 0;

	for (size_t i = 0; i < cfg->nr_frontends; i++)
		nr += cfg->frontends[i].addr.family == s->family;
	return nr;
}

int plan__check_siblings(struct tables *t, struct plan *p, struct pintle_err *err)
{
	uint32_t max_pods = t->maps.meta->max_pods, sum = 0;

	p->first_sibling = calloc((size_t)max_pods + 1, sizeof(*p->first_sibling));
	if (!p->first_sibling)
		return pintle_err__set(err, -ENOMEM, "tables: out of memory");
	for (uint32_t i = 0; i < p->nr_services; i++)
		visit_pods(p, &p->services[i], frontends_of(p, &p->services[i]), count_siblings);
	for (uint32_t pod = 0; pod <= max_pods; pod++) {
		if (p->first_sibling[pod] > PINTLE_MAX_SIBLINGS)
			return pintle_err__set(err, -ENOSPC,
					       "%u frontends lead to one pod, %u can: give some of them another pod port",
					       p->first_sibling[pod], PINTLE_MAX_SIBLINGS);
		sum += p->first_sibling[pod];
		p->first_sibling[pod] = sum;
	}
	p->siblings = calloc((size_t)sum + 1, sizeof(*p->siblings));
	return p->siblings ? 0 : pintle_err__set(err, -ENOMEM, "tables: out of memory");
}

static void add_sibling(struct plan *p, uint32_t pod, uint32_t frontend)
{
	p->siblings[--p->first_sibling[pod]] = (uint16_t)frontend;
}

/* Filling from the end turns the running sums into beginnings. */
void plan__fill_siblings(const struct tables *t, struct plan *p)
{
	(void)t;
	for (uint32_t i = 0; i < p->nr_frontends; i++)
		visit_pods(p, &p->services[p->frontends[i].service], p->frontends[i].id, add_sibling);
}
