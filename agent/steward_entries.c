/* SPDX-License-Identifier: BSD-2-Clause */
/* Which services the steward judges: those with policy `score` and learning, as many as there are class slots. */
#include <stdlib.h>
#include <string.h>

#include "agent/log.h"
#include "agent/steward_int.h"

static struct steward_entry *find_entry(struct steward *s, const char *name, uint8_t family)
{
	for (uint32_t i = 0; i < s->nr_entries; i++)
		if (s->entries[i]->m.family == family && !strcmp(s->entries[i]->m.name, name))
			return s->entries[i];
	return NULL;
}

/* What is remembered of a service moves into its entry. */
static void recall(struct steward *s, struct steward_memory *m)
{
	for (uint32_t i = 0; i < s->nr_memories; i++) {
		if (s->memories[i].family != m->family || strcmp(s->memories[i].name, m->name))
			continue;
		*m = s->memories[i];
		s->memories[i] = s->memories[--s->nr_memories];
		return;
	}
}

static void remember(struct steward *s, const struct steward_memory *m)
{
	struct steward_memory *grown;

	if (s->nr_memories == PINTLE_MAX_CLASSED) /* the oldest goes */
		memmove(s->memories, s->memories + 1, --s->nr_memories * sizeof(*s->memories));
	grown = reallocarray(s->memories, s->nr_memories + 1, sizeof(*grown));
	if (!grown)
		return;
	s->memories = grown;
	s->memories[s->nr_memories++] = *m;
}

static uint32_t take_slot(struct steward *s)
{
	for (uint32_t slot = 0; slot < PINTLE_MAX_CLASSED; slot++) {
		if (s->slot_used[slot])
			continue;
		s->slot_used[slot] = true;
		return slot;
	}
	return PINTLE_MAX_CLASSED;
}

static struct steward_entry *make_entry(struct steward *s, const char *name, uint8_t family)
{
	uint32_t slot = s->nr_entries < PINTLE_MAX_CLASSED ? take_slot(s) : PINTLE_MAX_CLASSED;
	struct steward_entry *e, **grown;

	if (slot == PINTLE_MAX_CLASSED)
		return NULL;
	grown = reallocarray(s->entries, s->nr_entries + 1, sizeof(*grown));
	e = calloc(1, sizeof(*e));
	if (grown)
		s->entries = grown;
	if (!grown || !e) {
		s->slot_used[slot] = false;
		free(e);
		return NULL;
	}
	strcpy(e->m.name, name);
	e->m.family = family;
	e->slot = (uint16_t)slot;
	recall(s, &e->m);
	guard__init(&e->guard);
	s->entries[s->nr_entries++] = e;
	return e;
}

/* Detail slots of the pods of this family, of those whose first service this is. */
static void list_slots(struct steward *s, struct steward_entry *e, const struct cfg_service *cfg)
{
	const struct table_maps *maps = datapath__maps(s->dp);
	uint16_t pod;

	free(e->slots);
	e->nr_slots = 0;
	e->slots = calloc(cfg->nr_pods + 1, sizeof(*e->slots));
	for (size_t i = 0; i < cfg->nr_pods && e->slots && e->nr_slots < PINTLE_MAX_DETAIL; i++) {
		struct pod_ref ref;

		if (cfg->pods[i].addr.family != e->m.family ||
		    tables__pod_by_addr(s->tables, &cfg->pods[i].addr, cfg->pods[i].port, &pod) ||
		    tables__pod_ref(s->tables, pod, &ref) || !ref.service || strcmp(ref.service, cfg->name))
			continue;
		if (maps->pods[pod].detail && maps->pods[pod].detail <= PINTLE_MAX_DETAIL)
			e->slots[e->nr_slots++] = (uint16_t)(maps->pods[pod].detail - 1);
	}
}

static void keep(struct steward *s, const struct cfg_service *cfg, uint8_t family, uint16_t id)
{
	struct steward_entry *e = find_entry(s, cfg->name, family);

	if (!e)
		e = make_entry(s, cfg->name, family);
	if (!e) {
		s->nr_left_out++;
		return;
	}
	if (e->id != id)
		e->is_disturbed = true;
	e->id = id;
	e->is_kept = true;
	list_slots(s, e, cfg);
}

static void drop_others(struct steward *s)
{
	uint32_t nr = 0;

	for (uint32_t i = 0; i < s->nr_entries; i++) {
		struct steward_entry *e = s->entries[i];

		if (e->is_kept) {
			s->entries[nr++] = e;
			continue;
		}
		tables__set_classes(s->tables, e->id, &(struct table_classes){ 0 });
		remember(s, &e->m);
		s->slot_used[e->slot] = false;
		free(e->slots);
		free(e);
	}
	s->nr_entries = nr;
}

void steward__list_entries(struct steward *s)
{
	uint16_t id;

	s->nr_left_out = 0;
	learner__set_services(s->learner, NULL, 0);
	for (uint32_t i = 0; i < s->nr_entries; i++)
		s->entries[i]->is_kept = false;
	/* twice: those that go give their slots to those that come */
	for (int pass = 0; pass < 2; pass++) {
		for (size_t i = 0; i < s->config->nr_services; i++) {
			const struct cfg_service *cfg = &s->config->services[i];

			if (cfg->policy != PINTLE_POLICY_SCORE || cfg->no_learning)
				continue;
			for (uint8_t family = 4; family <= 6; family = (uint8_t)(family + 2)) {
				if (tables__service_ids(s->tables, cfg->name, family, &id))
					continue;
				if (pass || find_entry(s, cfg->name, family))
					keep(s, cfg, family, id);
			}
		}
		drop_others(s);
	}
	if (s->nr_left_out)
		log_warn("services run by their gains alone: more than can be judged by holdout and canary",
			 log_uint("left_out", s->nr_left_out), log_uint("most", PINTLE_MAX_CLASSED));
}

void steward__free_entries(struct steward *s)
{
	for (uint32_t i = 0; i < s->nr_entries; i++) {
		free(s->entries[i]->slots);
		free(s->entries[i]);
	}
	free(s->entries);
	free(s->memories);
}
