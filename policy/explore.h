/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Exploration by staleness: a pod that nobody chooses is not measured, so a gain that was bad once stays bad. A pod without any own request for
 * the whole interval gets one; pods that are in use are never explored (uniform exploration shows directly in the tail).
 *
 * One request and no more is asked for by the member itself, without a change of the programs: its concurrency becomes 1 and its gain, which
 * counts while nothing is in flight there, is put just below every other pod's; with one in flight the ordinary gain counts.
 */
#ifndef PINTLE_POLICY_EXPLORE_H
#define PINTLE_POLICY_EXPLORE_H

#include <stdbool.h>
#include <stdint.h>

#include "pintle/abi.h"

struct explore {
	uint64_t last_ns; /* the last own request to the pod, or when it became a member */
	uint64_t sent;	  /* cumulative, then */
};

/* A pod became a member, or its counters began anew. */
void explore__begin(struct explore *e, uint64_t sent, uint64_t now_ns);
/* Is a request due? `sent`: own requests to the pod so far. interval_ns: policy/knobs.h, times the number of balancers that explore the same pod;
 * 0 = never. */
bool explore__due(struct explore *e, uint64_t sent, uint64_t interval_ns, uint64_t now_ns);
/* The member as it must be to get the next request, given the lowest score of the others. */
struct pintle_member explore__member(const struct pintle_member *m, int32_t lowest_q8);

#endif
