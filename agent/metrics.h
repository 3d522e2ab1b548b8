/* SPDX-License-Identifier: BSD-2-Clause */
/* The export of metrics.def from the tables and from what the agent left in the run directory; to a file, a buffer, a socket. */
#ifndef PINTLE_AGENT_METRICS_H
#define PINTLE_AGENT_METRICS_H

#include <stdint.h>
#include <stdio.h>

#include "agent/metrics_policies.h"
#include "agent/metrics_text.h"
#include "agent/view.h"

struct metrics_source {
	const struct view *view;
	const uint64_t *verdicts; /* [PINTLE_V_MAX] */
	struct metrics_policies policies;
	uint32_t
		max_pods; /* with series of their own: the lowest ids; 61 series each. The rest is counted in pintle_pods_left_out */
};

/* Every family of metrics.def once, in its order. -ENOMEM, or -errno of reading the classes, before anything is written; errors of writing stick to the
 * file. */
int metrics__write(const struct metrics_source *source, enum metrics_format format, FILE *file, struct pintle_err *err);

#endif
