/* SPDX-License-Identifier: BSD-2-Clause */
/* Between the tables_*.c files: the shadow of what the maps hold. The maps themselves are the record of endpoints, members and siblings. */
#ifndef PINTLE_AGENT_TABLES_INT_H
#define PINTLE_AGENT_TABLES_INT_H

#include "agent/ephash.h"
#include "agent/tables.h"
#include "agent/tables_ids.h"
#include "agent/tables_lines.h"
#include "agent/tables_store.h"

#define NO_CFG 0xffffffffu
#define WILDCARD_SERVICE 0xffffu
#define WILDCARD_ID 0xffffu

#define NR_VARIANTS 2u /* of the member lines: production, canary */

enum shadow_pod_flags {
	SP_LINGERS = 1U << 0,	/* not in the configuration */
	SP_KNOWN = 1U << 1,	/* gain was staged or adopted, not a default */
	SP_STAGED = 1U << 2,	/* in the list of staged gains */
	SP_UNSETTLED = 1U << 3, /* in the list of gains of which one half is behind */
	SP_DEFAULTED = 1U << 4, /* the gain is the median that it began with */
	SP_EXPLORED = 1U << 5,	/* its members ask for one request (policy/explore.h) */
};

struct shadow_pod {
	uint32_t service, index; /* where the configuration names it first: services[service].pods[index]; NO_CFG = nowhere */
	int16_t gain_q8;
	int16_t residual_q8[NR_VARIANTS]; /* of models, added to the gain */
	int16_t penalty_q8;		  /* of the ramp, added too */
	int16_t lowest_q8;		  /* of the others, while it is explored */
	uint8_t flags;			  /* enum shadow_pod_flags */
	uint8_t pad;
};

struct shadow_service {
	const struct cfg_service *cfg; /* NULL: adopted and not yet seen in a configuration */
	uint64_t digest;	       /* of what the pool was made from; 0 = unknown */
	uint8_t family;
};

/* Pods whose gains changed, each once (a flag in the shadow tells). */
struct gain_list {
	uint16_t *pods;
	uint32_t nr, room;
};

struct tables {
	struct table_maps maps;
	tables_grace_fn grace;
	void *grace_arg;
	uint32_t max_services;
	const struct pintle_config *config; /* in force; lent */
	/* Its pods' ids (NO_ID: none): where a service's begin, and by pod. NULL until the first apply, and after one that failed. */
	uint32_t *cfg_first_pod, *cfg_pod_ids;
	struct ephash vip[2], rev[2]; /* IPv4, IPv6 */
	struct idset frontends, services, pods, details;
	struct lines members, picks;
	struct shadow_service *shadow_services; /* max_services */
	struct shadow_pod *shadow_pods;		/* max_pods */
	uint16_t *by_name;			/* service ids by name and family */
	uint32_t nr_by_name;
	uint32_t lingering;
	bool needs_adopt;    /* an apply failed half way, and so did the attempt to look at what it left */
	bool needs_grace;    /* something was taken back, and nobody waited since */
	bool locals_changed; /* pods or their namespaces, since the list of them was written */

	struct gain_list staged, unsettled;
	bool idle_half_busy;	/* flipped, and nobody waited since */
	bool has_places;	/* places[] fits the members in force */
	uint32_t *place_of_pod; /* max_pods + 1: where a pod's places begin */
	uint32_t *places;	/* member positions: line * 8 + index */
};

static inline int family_index(uint8_t family)
{
	return family == 4 ? 0 : 1;
}

static inline struct pintle_pool *pool_in_force(const struct tables *t, uint32_t service)
{
	return &t->maps.services[service].pool[load32(&t->maps.services[service].active) & 1];
}

static inline uint32_t lines_of_members(uint32_t nr)
{
	return (nr + PINTLE_MEMBERS_PER_LINE - 1) / PINTLE_MEMBERS_PER_LINE;
}

static inline uint32_t lines_of_picks(uint32_t nr)
{
	return (nr + PINTLE_PICKS_PER_LINE - 1) / PINTLE_PICKS_PER_LINE;
}

/* Member `index` of a pool in a half (0 or 1) of a variant. */
static inline struct pintle_member *member_at(const struct tables *t, uint32_t variant, uint32_t half, uint32_t line,
					      uint32_t index)
{
	line += (2 * variant + half) * t->maps.meta->member_lines + index / PINTLE_MEMBERS_PER_LINE;
	return &t->maps.members[line].member[index % PINTLE_MEMBERS_PER_LINE];
}

static inline const struct pintle_sibling_set *siblings_in_force(const struct tables *t, uint32_t pod)
{
	return &t->maps.siblings[pod].set[load32(&t->maps.siblings[pod].active) & 1];
}

/* tables.c */
int tables__wait(struct tables *t); /* a grace period; after it what was taken back may be used again */
int tables__wait_arg(void *t);	    /* the same as a tables_grace_fn */

void tables__forget_ids(struct tables *t); /* of config's pods: the next apply looks them up */

/* tables_adopt.c: the shadow made anew from the maps, and what is half done in them undone */
int tables__adopt(struct tables *t, struct pintle_err *err);

/* tables_pods.c */
void pod_record__write(struct tables *t, uint16_t pod, const struct ep_key *key); /* detail slot too, if one is free */
/* The record and everything that hangs on the id, what was counted first: when that fails nothing was cleared. */
int pod_record__clear(struct tables *t, uint16_t pod, struct pintle_err *err);
int pod_record__forget(struct tables *t, uint16_t pod, struct pintle_err *err); /* what was counted, alone */
struct ep_key pod_record__key(const struct tables *t, uint16_t pod);
void siblings__write(struct tables *t, uint16_t pod, const struct pintle_sibling_set *set); /* the idle set, then the flip */

/* tables_frontends.c: time without an agent, and so without a sweep, does not count for ids that are held back */
void frontends__adopt_held(struct tables *t);

/* tables_gain.c */
struct pintle_member member__make(const struct shadow_pod *shadow, uint32_t variant, uint16_t pod, uint16_t concurrency);
void gains__drop_pod(struct tables *t, uint16_t pod);
/* Its members are about to be written anew, ordinary ones; the next commit makes the others so. */
void gains__end_exploration(struct tables *t, uint16_t pod);
/* Only a member that is explored is slower beyond its concurrency than within. */
static inline bool member__is_explored(const struct pintle_member *m)
{
	return m->gain_sat_q8 > m->gain_q8;
}

#endif
