/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The features of every pod (policy/feature.h) over the last while, for a process beside the agent: computed each tick from the same tables by the
 * same code, so that a request that was answered can be told with what was known when its pod was chosen.
 */
#ifndef PINTLE_AGENT_FEATURELOG_H
#define PINTLE_AGENT_FEATURELOG_H

#include <stdint.h>

#include "agent/datapath.h"
#include "policy/feature.h"

#define FEATURELOG_TICKS 1024u /* remembered */

struct featurelog;

struct featurelog_entry {
	uint16_t service, pod;
	int16_t gain_q8;
	uint16_t concurrency;
	int32_t raw_q8[FEATURE_NR];
};

/* `dp` must outlive the log. Gains begin with what the tables hold of them. */
int featurelog__open(const struct datapath *dp, struct featurelog **ret_log, struct pintle_err *err);
void featurelog__close(struct featurelog *log); /* NULL is fine */
/* Reads the pods' statistics and loads, computes the features of the members of every service. */
int featurelog__tick(struct featurelog *log, uint64_t now_ns, struct pintle_err *err);
/* A member of a service as it was at the last tick before or at `at_ns`; NULL when it was none, or that is too long ago. Valid until the next tick. */
const struct featurelog_entry *featurelog__find(const struct featurelog *log, uint16_t service, uint16_t pod, uint64_t at_ns);

#endif
