/* SPDX-License-Identifier: BSD-2-Clause */
/* What the programs would choose for a new flow, and why: bpf/select.bpf.h and newflow.bpf.h in user space, for `flows explain`. */
#ifndef PINTLE_AGENT_CHOOSE_H
#define PINTLE_AGENT_CHOOSE_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/tables.h"

struct choose_flow {
	uint8_t family, proto;
	uint32_t saddr_be[4]; /* IPv4 in [0] */
	uint16_t sport_be;
	uint16_t frontend;
	uint64_t key;
};

struct choose_member {
	uint16_t pod;
	int16_t gain_q8;
	uint16_t concurrency;
	int32_t load;	   /* as the service counts it */
	int32_t score_q8;  /* `score`: log2 Q8.8; other policies: the load */
	bool is_candidate; /* looked at for this flow */
};

#define CHOOSE_NONE 0xffffffffu

struct choose_result {
	uint32_t member;    /* index of the choice, or CHOOSE_NONE */
	uint32_t first;	    /* where the look began (ties go to the first seen), or the entry of the pick table */
	uint8_t flow_class; /* enum pintle_class; production for policies other than `score` */
	bool is_by_gain;    /* else by load alone */
	const char *why;    /* in words */
	bool is_certain;    /* false: rr and live loads move on before the packet comes */
};

const char *choose__class_name(unsigned int flow_class); /* "production", "holdout", "canary" */
uint64_t choose__key(const struct table_maps *maps, const struct choose_flow *flow);
/* Fills members[pool->nr_members] of the service's active pool and says which one `flow` would get now. */
int choose__explain(const struct table_maps *maps, uint16_t service, const struct choose_flow *flow,
		    struct choose_member *members, struct choose_result *ret);
/* The active pool; NULL for an id that is not in use or tables that make no sense. */
const struct pintle_pool *choose__pool(const struct table_maps *maps, uint32_t service);
const struct pintle_member *choose__member(const struct table_maps *maps, const struct pintle_pool *pool, uint32_t index);
/* As flows of a class see it: the canary's gains may differ. */
const struct pintle_member *choose__member_of(const struct table_maps *maps, const struct pintle_pool *pool,
					      uint32_t flow_class, uint32_t index);
int32_t choose__load(const struct table_maps *maps, const struct pintle_pool *pool, uint16_t pod);

#endif
