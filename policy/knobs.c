// SPDX-License-Identifier: BSD-2-Clause
#include "policy/knobs.h"

static uint32_t between(uint32_t x, uint32_t low, uint32_t high)
{
	return x < low ? low : x > high ? high : x;
}

void knobs__default(struct policy_knobs *k)
{
	*k = (struct policy_knobs){
		.externality_q8 = 256,
		.tau_q8 = 20 * 256,
		.candidates = 0,
		.ramp_q8 = 512,
		.explore_ns = 2000000000ull,
	};
}

void knobs__clamp(struct policy_knobs *k)
{
	k->externality_q8 = between(k->externality_q8, 0, KNOBS_EXTERNALITY_MAX_Q8);
	k->tau_q8 = between(k->tau_q8, KNOBS_TAU_MIN_Q8, KNOBS_TAU_MAX_Q8);
	if (k->candidates)
		k->candidates = between(k->candidates, 2, KNOBS_CANDIDATES_MAX);
	k->ramp_q8 = between(k->ramp_q8, KNOBS_RAMP_MIN_Q8, KNOBS_RAMP_MAX_Q8);
}
