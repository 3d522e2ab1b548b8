/* SPDX-License-Identifier: BSD-2-Clause */
/* From the counts of a pod to its signal (policy/signal.h): one of these a pod, advanced every tick. No I/O. */
#ifndef PINTLE_AGENT_PODSIGNAL_H
#define PINTLE_AGENT_PODSIGNAL_H

#include <stdint.h>

#include "agent/podstats.h"
#include "policy/gain.h"
#include "policy/signal.h"

struct podsignal {
	struct gain gain;
	double sent, answered, failed, window_ns; /* decayed */
	int32_t awaiting;			  /* at the last tick */
	uint64_t last_ns;			  /* of the last tick; 0 = never */
};

/* A pod that was not watched before. learned_q8: gain that somebody learned earlier, 0 = none; it counts as one sample. */
void podsignal__init(struct podsignal *s, int16_t learned_q8);
/* What it did since the last tick; `awaiting`: requests that wait for their first byte now. Returns whether the gain moved. */
bool podsignal__tick(struct podsignal *s, const struct podstats_delta *delta, int32_t awaiting, uint64_t now_ns);
/* The signal at the last tick. `load`: best estimate of all requests in flight at the pod (negative counts as 0). */
void podsignal__get(const struct podsignal *s, int32_t load, uint32_t concurrency, struct pod_signal *ret_signal);
/* Over what span its counts are. */
uint64_t podsignal__window_ns(const struct podsignal *s);

#endif
