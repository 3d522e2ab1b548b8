/* SPDX-License-Identifier: BSD-2-Clause */
/* What the programs counted of the classes of a service's flows, summed over CPUs. */
#ifndef PINTLE_AGENT_CLASSSTATS_H
#define PINTLE_AGENT_CLASSSTATS_H

#include "agent/datapath.h"
#include "policy/guard.h"

struct classstats;

int classstats__open(const struct datapath *dp, struct classstats **ret_stats, struct pintle_err *err);
void classstats__close(struct classstats *s);
/* Counters of the three classes of a slot (0..PINTLE_MAX_CLASSED - 1) since the tables were made. 0 or -errno. */
int classstats__read(struct classstats *s, uint32_t slot, struct guard_counts ret_counts[PINTLE_NR_CLASSES],
		     struct pintle_err *err);

#endif
