/* SPDX-License-Identifier: BSD-2-Clause */
/* The series of single pods: their counters are read once, and written family by family. */
#ifndef PINTLE_AGENT_METRICS_PODS_H
#define PINTLE_AGENT_METRICS_PODS_H

#include "agent/metrics_text.h"
#include "agent/view.h"

struct metrics_pod;
struct metrics_pods {
	const struct view *view;
	struct metrics_pod *list;
	uint32_t nr, left_out;
};

/* At most `max` pods; the rest is counted. -ENOMEM. */
int metrics_pods__read(struct metrics_pods *ret_pods, const struct view *view, uint32_t max);
/* PINTLE_M_PODS_LEFT_OUT and all families after it. */
void metrics_pods__put(const struct metrics_pods *pods, struct metrics_text *t);
void metrics_pods__free(struct metrics_pods *pods);

#endif
