/* SPDX-License-Identifier: BSD-2-Clause */
/* What the learned policies do, by service and class: from the programs' counters and from what the agent wrote of its decisions. */
#ifndef PINTLE_AGENT_METRICS_POLICIES_H
#define PINTLE_AGENT_METRICS_POLICIES_H

#include <cjson/cJSON.h>

#include "agent/metrics_text.h"
#include "agent/view.h"
#include "policy/guard.h"

struct metrics_policies {
	const cJSON *state; /* policyfile__read_state(); NULL: unknown */
	/* Counters of the classes of a slot below PINTLE_MAX_CLASSED, as classstats__read(); NULL: unknown. */
	int (*classes)(void *arg, uint32_t slot, struct guard_counts ret[PINTLE_NR_CLASSES], struct pintle_err *err);
	void *arg;
};

struct metrics_classes;

/* The counters of every service that has a class slot, at most PINTLE_MAX_CLASSED, once; the caller's to free(). -ENOMEM or -errno of reading. */
int metrics_policies__read(const struct metrics_policies *policies, const struct view *view,
			   struct metrics_classes **ret_classes, struct pintle_err *err);
/* The families from PINTLE_M_CLASS_FLOWS to PINTLE_M_TELEMETRY_DELAY: at most 77 series a service, and 23. */
void metrics_policies__put(const struct metrics_policies *policies, const struct metrics_classes *classes,
			   struct metrics_text *t);

#endif
