/* SPDX-License-Identifier: BSD-2-Clause */
#include "agent/tables_plan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int by_key(const void *a, const void *b)
{
	return ep_key__compare(&((const struct plan_frontend *)a)->key, &((const struct plan_frontend *)b)->key);
}

/* One planned service for each family that a configured one has a frontend of. */
static void list_frontends(struct plan *p, uint32_t cfg_index)
{
	const struct cfg_service *cfg = &p->config->services[cfg_index];

	for (uint8_t family = 4; family <= 6; family = (uint8_t)(family + 2)) {
		uint32_t before = p->nr_frontends;

		for (size_t i = 0; i < cfg->nr_frontends; i++) {
			const struct cfg_frontend *from = &cfg->frontends[i];
			struct plan_frontend *to = &p->frontends[p->nr_frontends];

			if (from->addr.family != family)
				continue;
			ep_key__make(&to->key, &from->addr, from->port, from->proto);
			to->service = p->nr_services;
			to->id = NO_ID;
			p->nr_frontends++;
		}
		if (p->nr_frontends != before)
			p->services[p->nr_services++] = (struct plan_service){ .cfg = cfg_index,
									       .id = NO_ID,
									       .family = family };
	}
}

static int plan_frontends(struct tables *t, struct plan *p, struct pintle_err *err)
{
	size_t room = 0;

	for (size_t i = 0; i < p->config->nr_services; i++)
		room += p->config->services[i].nr_frontends;
	if (room > t->frontends.nr)
		return pintle_err__set(
			err, -ENOSPC,
			"%zu frontends, but the tables hold %u: attach with a larger --max-frontends (%u at most)", room,
			t->frontends.nr, PINTLE_MAX_FRONTENDS);
	p->frontends = calloc(room + 1, sizeof(*p->frontends));
	p->services = calloc(room + 1, sizeof(*p->services));
	if (!p->frontends || !p->services)
		return pintle_err__set(err, -ENOMEM, "tables: out of memory for %zu frontends", room);
	for (size_t i = 0; i < p->config->nr_services; i++)
		list_frontends(p, (uint32_t)i);
	if (p->nr_frontends)
		qsort(p->frontends, p->nr_frontends, sizeof(*p->frontends), by_key);
	for (uint32_t i = 0; i < p->nr_frontends; i++) {
		struct plan_frontend *frontend = &p->frontends[i];
		struct ep_entry entry;
		uint32_t slot;

		if (i && ep_key__equal(&frontend->key, &p->frontends[i - 1].key))
			return pintle_err__set(err, -EINVAL, "services %s and %s have the same frontend",
					       p->config->services[p->services[p->frontends[i - 1].service].cfg].name,
					       p->config->services[p->services[frontend->service].cfg].name);
		slot = ephash__find(&t->vip[family_index(frontend->key.family)], &frontend->key);
		frontend->is_new = slot == EPHASH_NO_SLOT;
		if (!frontend->is_new && ephash__get(&t->vip[family_index(frontend->key.family)], slot, &entry)) {
			frontend->id = entry.id;
			idset__mark(&p->keep_frontends, entry.id);
		} else {
			p->nr_new_frontends++;
		}
	}
	return plan__check_frontend_ids(t, p, err);
}

static void keep_service(struct plan *p, struct plan_service *s, uint32_t id)
{
	if (idset__mark(&p->keep_services, id))
		s->id = id;
}

/* Service that a known frontend leads to now. */
static uint32_t service_now(const struct tables *t, const struct plan_frontend *frontend)
{
	uint32_t id = t->maps.frontends[frontend->id].service;

	return idset__has(&t->services, id) ? id : NO_ID;
}

/* Which planned service (index + 1) has the frontends that lead to an id now; NO_ID: more than one. */
static uint32_t *find_heirs(const struct tables *t, const struct plan *p)
{
	uint32_t *heirs = calloc((size_t)t->services.nr + 1, sizeof(*heirs));

	if (!heirs)
		return NULL;
	for (uint32_t i = 0; i < p->nr_frontends; i++) {
		const struct plan_frontend *frontend = &p->frontends[i];
		uint32_t id = frontend->is_new ? NO_ID : service_now(t, frontend);

		if (id != NO_ID)
			heirs[id] = !heirs[id] || heirs[id] == frontend->service + 1 ? frontend->service + 1 : NO_ID;
	}
	return heirs;
}

/* A service goes on under its id, found by name or, if it is new by name (renamed, or the agent restarted), by its frontends. But an id
 * whose frontends go different ways is not kept: one that leaves would see the new pool of a service that is not its own any more. */
static void keep_ids(struct tables *t, struct plan *p, const uint32_t *heirs)
{
	for (uint32_t i = 0; i < p->nr_services; i++) {
		struct plan_service *s = &p->services[i];
		uint16_t id;

		if (!tables__service_ids(t, p->config->services[s->cfg].name, s->family, &id) &&
		    (!heirs[id] || heirs[id] == i + 1))
			keep_service(p, s, id);
	}
	for (uint32_t id = 0; id < t->services.nr; id++) {
		struct plan_service *s = heirs[id] && heirs[id] != NO_ID ? &p->services[heirs[id] - 1] : NULL;

		if (s && s->id == NO_ID && t->shadow_services[id].family == s->family)
			keep_service(p, s, id);
	}
}

static int plan_service_ids(struct tables *t, struct plan *p, struct pintle_err *err)
{
	uint32_t *heirs = find_heirs(t, p);

	if (!heirs)
		return pintle_err__set(err, -ENOMEM, "tables: out of memory");
	keep_ids(t, p, heirs);
	free(heirs);
	for (uint32_t i = 0; i < p->nr_services; i++) {
		struct plan_service *s = &p->services[i];

		if (s->id != NO_ID)
			continue;
		s->id = idset__take(&t->services);
		if (s->id == NO_ID)
			return pintle_err__set(
				err, -ENOSPC,
				"%u services, old and new together more than the tables hold (%u): attach with a larger "
				"--max-frontends, or reload in two steps",
				p->nr_services, t->services.nr);
		s->is_new = true;
		idset__mark(&p->keep_services, s->id);
	}
	return 0;
}

static int take_lines(struct tables *t, struct plan_service *s, const struct member_list *list, struct pintle_err *err)
{
	s->members_line = lines__take(&t->members, lines_of_members(list->nr_members));
	if (s->members_line == NO_LINE)
		return pintle_err__set(err, -ENOSPC,
				       "%u of %u member lines used, %u more needed: attach with a larger --max-pods",
				       t->members.used, t->members.nr, lines_of_members(list->nr_members));
	s->picks_line = lines__take(&t->picks, lines_of_picks(list->nr_picks));
	if (s->picks_line == NO_LINE) {
		lines__drop(&t->members, s->members_line, lines_of_members(list->nr_members));
		return pintle_err__set(err, -ENOSPC,
				       "%u of %u pick lines used, %u more needed: attach with a larger --max-pods",
				       t->picks.used, t->picks.nr, lines_of_picks(list->nr_picks));
	}
	s->nr_members = list->nr_members;
	s->nr_picks = list->nr_picks;
	s->is_changed = true;
	return 0;
}

/* Is it different from what is in force? Only a service whose digest is unknown (adopted) is compared entry by entry. */
static int plan_pool(struct tables *t, struct plan *p, struct plan_service *s, struct member_list *list, struct pintle_err *err)
{
	const struct cfg_service *cfg = &p->config->services[s->cfg];
	uint64_t known = s->is_new ? 0 : t->shadow_services[s->id].digest;

	member_list__collect(list, p, s, &s->digest);
	if (known == s->digest)
		return 0;
	if (list->nr_members > UINT16_MAX)
		return pintle_err__set(err, -ENOSPC, "service %s: %u pods take new flows, %u can", cfg->name, list->nr_members,
				       UINT16_MAX);
	if (!s->is_new) {
		s->old = *pool_in_force(t, s->id);
		if (!known && member_list__fill_picks(list, cfg->policy))
			return pintle_err__set(err, -ENOMEM, "service %s: out of memory", cfg->name);
		if (!known && member_list__is_in_force(list, t, &s->old, cfg->policy))
			return 0;
	}
	return take_lines(t, s, list, err);
}

static int plan_pools(struct tables *t, struct plan *p, struct pintle_err *err)
{
	struct member_list list;
	int ret = member_list__init(&list, p->config);

	if (ret)
		return pintle_err__set(err, ret, "tables: out of memory");
	for (uint32_t i = 0; i < p->nr_services && !ret; i++)
		ret = plan_pool(t, p, &p->services[i], &list, err);
	member_list__destroy(&list);
	return ret;
}

static int init_keep(const struct tables *t, struct plan *p)
{
	if (idset__init(&p->keep_frontends, t->frontends.nr) || idset__init(&p->keep_services, t->services.nr) ||
	    idset__init(&p->keep_pods, t->pods.nr) || idset__init(&p->shut, t->pods.nr))
		return -ENOMEM;
	return 0;
}

int plan__make(struct tables *t, const struct pintle_config *config, struct plan *ret_plan, struct pintle_err *err)
{
	struct plan *p = ret_plan;
	int ret;

	*p = (struct plan){ .config = config };
	ret = init_keep(t, p);
	if (ret)
		pintle_err__set(err, ret, "tables: out of memory");
	else
		ret = plan_frontends(t, p, err);
	if (!ret)
		ret = plan_service_ids(t, p, err);
	if (!ret)
		ret = plan__find_pods(t, p, err);
	if (!ret)
		ret = plan__check_siblings(t, p, err);
	if (!ret)
		ret = plan_pools(t, p, err);
	if (ret) {
		plan__undo(t, p);
		plan__destroy(p);
	}
	return ret;
}

int plan__take_frontends(struct tables *t, struct plan *p)
{
	for (uint32_t i = 0; i < p->nr_frontends; i++) {
		if (p->frontends[i].id != NO_ID)
			continue;
		p->frontends[i].id = frontends__take(t);
		if (p->frontends[i].id == NO_ID)
			return -ENOSPC;
		idset__mark(&p->keep_frontends, p->frontends[i].id);
	}
	plan__fill_siblings(t, p);
	return 0;
}

void plan__undo(struct tables *t, struct plan *p)
{
	for (uint32_t i = 0; i < p->nr_services; i++) {
		const struct plan_service *s = &p->services[i];

		if (s->is_changed) {
			lines__drop(&t->members, s->members_line, lines_of_members(s->nr_members));
			lines__drop(&t->picks, s->picks_line, lines_of_picks(s->nr_picks));
		}
		if (s->is_new)
			idset__drop(&t->services, s->id);
	}
	for (uint32_t i = 0; i < p->nr_new_pods; i++) {
		if (p->new_pods[i].id != NO_ID)
			idset__drop(&t->pods, p->new_pods[i].id);
	}
	for (uint32_t i = 0; i < p->nr_frontends; i++) {
		if (p->frontends[i].is_new && p->frontends[i].id != NO_ID)
			idset__drop(&t->frontends, p->frontends[i].id);
	}
}

void plan__destroy(struct plan *p)
{
	free(p->services);
	free(p->frontends);
	free(p->first_pod);
	free(p->pod_ids);
	free(p->new_pods);
	free(p->new_pod_slots);
	free(p->first_sibling);
	free(p->siblings);
	idset__destroy(&p->keep_frontends);
	idset__destroy(&p->keep_services);
	idset__destroy(&p->keep_pods);
	idset__destroy(&p->shut);
	*p = (struct plan){ 0 };
}
