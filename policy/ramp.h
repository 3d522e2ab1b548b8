/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Slow start: a pod that is new to a balancer begins with the median gain of its service, and may have no more of the balancer's requests than
 * its even part, 1/K of K pods, during its first mean latency, ramp times that during the second, and so on: without a bound, a pod that is idle
 * and unmeasured is everybody's best choice at once. What it did beyond its part is answered by a penalty on its gain until it is within it again.
 */
#ifndef PINTLE_POLICY_RAMP_H
#define PINTLE_POLICY_RAMP_H

#include <stdint.h>

#define RAMP_PENALTY_Q8 (6 * 256) /* 64 times as slow: chosen only when all others are worse than that */
#define RAMP_GRACE 2u		  /* requests that are always allowed: a pod must be measured */

struct ramp {
	uint64_t began_ns;  /* 0 = not ramping */
	uint64_t sent, all; /* the pod's and the balancer's requests when it began */
};

/* sent, all: cumulative counts of the balancer's requests to this pod and to all pods of the service. */
void ramp__begin(struct ramp *r, uint64_t sent, uint64_t all, uint64_t now_ns);
/* What to add to the pod's gain, Q8: 0 or RAMP_PENALTY_Q8. Ends the ramp (for good) when the allowed part reaches everything. latency_ns: mean of
 * the service while the pod has none; ramp_q8: policy/knobs.h. */
int32_t ramp__penalty_q8(struct ramp *r, uint64_t sent, uint64_t all, uint32_t nr_pods, uint64_t latency_ns, uint32_t ramp_q8,
			 uint64_t now_ns);
/* Median of n gains (reordered; n up to any size), the lower one of two; 0 for none. What a new pod starts with. */
int16_t ramp__median_q8(int16_t *gains_q8, uint32_t n);

#endif
