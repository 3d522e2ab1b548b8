/* SPDX-License-Identifier: BSD-2-Clause */
/* What an apply is going to do, worked out before its first write: ids, lines, and which services differ. */
#ifndef PINTLE_AGENT_TABLES_PLAN_H
#define PINTLE_AGENT_TABLES_PLAN_H

#include "agent/maglev.h"
#include "agent/tables_int.h"

struct plan_service {
	uint32_t cfg; /* index in the configuration */
	uint32_t id;
	uint64_t digest;
	uint32_t nr_members, nr_picks;
	uint32_t members_line, picks_line; /* of the new pool, if changed */
	struct pintle_pool old;		   /* the pool that a change replaces; nr_members and nr_picks 0 for a new service */
	uint8_t family;
	bool is_new, is_changed;
};

struct plan_frontend {
	struct ep_key key;
	uint32_t service; /* index in the plan */
	uint32_t id;
	bool is_new;
};

struct new_pod {
	struct ep_key key;
	uint32_t id;
};

struct plan {
	const struct pintle_config *config;
	struct plan_service *services;
	struct plan_frontend *frontends; /* sorted by key */
	uint32_t nr_services, nr_frontends, nr_new_frontends;
	uint32_t *first_pod; /* by configured service: where its pods begin in pod_ids */
	uint32_t *pod_ids;   /* by configured service and pod; NO_ID where no frontend of that family exists */
	struct new_pod *new_pods;
	uint32_t nr_new_pods, room_new_pods;
	uint32_t *new_pod_slots; /* open addressing over new_pods, NO_ID = empty */
	uint32_t new_pod_mask;
	struct idset keep_frontends, keep_services, keep_pods; /* ids that the configuration wants */
	struct idset shut; /* drained by the operator, or gone; read once: the flags may change while the plan is carried out */
	uint32_t *first_sibling; /* by pod id, max_pods + 1 */
	uint16_t *siblings;	 /* frontend ids, by pod */
};

/* Everything but frontend ids: those are taken by plan__take_frontends(), because the ids of frontends that go may have to be freed before. */
int plan__make(struct tables *t, const struct pintle_config *config, struct plan *ret_plan, struct pintle_err *err);
/* Frontend ids and sibling lists. -ENOSPC when ids are short. */
int plan__take_frontends(struct tables *t, struct plan *p);
/* tables_frontends.c. Are there ids for what is new? -ENOSPC says when; held ids that no flow has are given back on the way. */
int plan__check_frontend_ids(struct tables *t, const struct plan *p, struct pintle_err *err);
bool plan__is_short_of_ids(const struct tables *t, const struct plan *p); /* without those of frontends that go */
void frontends__drop(struct tables *t, uint32_t id);			  /* the id is held back from now on */
int frontends__free_more(struct tables *t,
			 const struct plan *p);	    /* short of ids, after those that go were dropped and a wait. -ENOMEM */
uint32_t frontends__take(struct tables *t);	    /* NO_ID: none is free */
uint32_t frontends__hold_s(const struct tables *t); /* for so long */
uint32_t frontends__now_s(void);

void plan__undo(struct tables *t, struct plan *p); /* gives back ids and lines that no map refers to yet */
void plan__destroy(struct plan *p);

/* tables_plan_pods.c */
int plan__find_pods(struct tables *t, struct plan *p, struct pintle_err *err);
int plan__check_siblings(struct tables *t, struct plan *p, struct pintle_err *err);
void plan__fill_siblings(const struct tables *t, struct plan *p);

/* The members of a service in their order, and its picks; memory is used again for the next. */
struct member_list {
	struct member_source {
		const struct cfg_pod *cfg;
		uint64_t name_hash;
		uint32_t pod;
	} * members;
	struct pick_member *pick_members;
	uint16_t *picks;
	uint32_t nr_members, nr_picks;
	uint32_t room;
	uint8_t flags; /* PINTLE_SVC_* */
};

/* tables_members.c */
int member_list__init(struct member_list *list, const struct pintle_config *config); /* -ENOMEM */
void member_list__destroy(struct member_list *list);
/* Collects members; picks only their number. *ret_digest never 0. */
void member_list__collect(struct member_list *list, const struct plan *p, const struct plan_service *s, uint64_t *ret_digest);
int member_list__fill_picks(struct member_list *list, uint8_t policy); /* -ENOMEM */
/* Do the maps hold just this (gains apart)? */
bool member_list__is_in_force(const struct member_list *list, const struct tables *t, const struct pintle_pool *pool,
			      uint8_t policy);
/* Pods without a gain of their own get the median of the others'. */
void member_list__default_gains(const struct member_list *list, struct tables *t);
/* Member lines in both halves of both variants, pick lines. */
void member_list__write(const struct member_list *list, struct tables *t, uint32_t members_line, uint32_t picks_line);

#endif
