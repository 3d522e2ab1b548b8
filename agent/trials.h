/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pods of `score` services of which too little is known, as members: one without a sample has the median gain of its service; one that came to
 * pods that were measured already begins slowly (policy/ramp.h); one without a request for a while gets one (policy/explore.h), at most
 * one pod of a service at a time and one of TRIALS_REQUESTS of its requests. A pod belongs to the first `score` service that names it.
 * Only pods with statistics (PINTLE_MAX_DETAIL) are known by what they answer; the others stay at the median that they began with.
 */
#ifndef PINTLE_AGENT_TRIALS_H
#define PINTLE_AGENT_TRIALS_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/config.h"
#include "agent/tables.h"
#include "policy/explore.h"
#include "policy/gain.h"
#include "policy/knobs.h"
#include "policy/ramp.h"

#define TRIALS_REQUESTS 128u /* less than 1 %: below the p99 */

struct trial {
	const struct gain *gain; /* NULL: slot not in use */
	uint16_t pod;
	bool is_new;	/* since the last regrouping */
	bool may_ramp;	/* at the next look */
	bool is_member; /* takes new flows of a `score` service */
	bool is_explored;
	int16_t penalty_q8;
	uint64_t ended;	       /* requests answered or given up */
	uint64_t sent;	       /* these, and those that wait; never falls */
	uint64_t service_sent; /* requests of the service since the ramp began */
	struct ramp ramp;
	struct explore explore;
};

struct trial_group {
	uint16_t first, nr;  /* of order[] */
	bool is_open;	     /* its load is connections */
	uint64_t unexplored; /* requests since the last exploration */
};

struct trials {
	struct tables *tables;
	const struct table_maps *maps;
	struct policy_knobs knobs;
	struct trial slots[PINTLE_MAX_DETAIL];
	uint16_t order[PINTLE_MAX_DETAIL]; /* slots by service */
	struct trial_group groups[PINTLE_MAX_DETAIL];
	uint32_t nr_groups;
	int16_t gains_q8[PINTLE_MAX_DETAIL]; /* of the service at hand */
};

void trials__init(struct trials *t, struct tables *tables, const struct table_maps *maps);
/* The slot came to a pod; `gain` must outlive. */
void trials__take(struct trials *t, uint32_t slot, uint16_t pod, const struct gain *gain);
void trials__drop(struct trials *t, uint32_t slot);
/* After every applied configuration, when slots are taken and dropped. */
void trials__regroup(struct trials *t, const struct pintle_config *config);
/* So many more requests of the slot's pod were answered or given up. */
void trials__count(struct trials *t, uint32_t slot, uint64_t ended);
/* Stages what the pods of services with requests since the last look need. `wanted`: slots that may have had some (those that are on trial are
 * looked at anyway). */
void trials__look(struct trials *t, const uint8_t *wanted, uint64_t now_ns);

#endif
