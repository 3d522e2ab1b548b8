// SPDX-License-Identifier: BSD-2-Clause
#include "policy/ramp.h"

#include <stdlib.h>

#include "policy/fixed.h"
#include "policy/knobs.h"

void ramp__begin(struct ramp *r, uint64_t sent, uint64_t all, uint64_t now_ns)
{
	*r = (struct ramp){ .began_ns = now_ns ? now_ns : 1, .sent = sent, .all = all };
}

/* Part of all requests that is allowed, Q16: ramp^(age / latency) / K, continuous in time. */
static uint64_t allowed_q16(uint64_t age_ns, uint64_t latency_ns, uint32_t nr_pods, uint32_t ramp_q8)
{
	uint64_t latencies_q16, octaves_q16;

	if (age_ns / latency_ns >= 1024)
		return FIXED_ONE_Q16;
	latencies_q16 = age_ns / latency_ns * FIXED_ONE_Q16 + fixed__fraction_q16(age_ns % latency_ns, latency_ns);
	octaves_q16 = latencies_q16 * (uint64_t)(fixed__log2_q8(ramp_q8) - 8 * 256) >> 8;
	if (octaves_q16 >> 16 >= 16)
		return FIXED_ONE_Q16;
	return fixed__exp2_q8((int32_t)(octaves_q16 >> 8) + 16 * 256) / nr_pods;
}

int32_t ramp__penalty_q8(struct ramp *r, uint64_t sent, uint64_t all, uint32_t nr_pods, uint64_t latency_ns, uint32_t ramp_q8,
			 uint64_t now_ns)
{
	uint64_t mine = sent - r->sent, total = all - r->all, part;

	if (!r->began_ns)
		return 0;
	if (ramp_q8 < KNOBS_RAMP_MIN_Q8)
		ramp_q8 = KNOBS_RAMP_MIN_Q8;
	part = now_ns <= r->began_ns
		       ? FIXED_ONE_Q16 / (nr_pods ? nr_pods : 1)
		       : allowed_q16(now_ns - r->began_ns, latency_ns ? latency_ns : 1, nr_pods ? nr_pods : 1, ramp_q8);
	if (part >= FIXED_ONE_Q16 || sent < r->sent || all < r->all) {
		r->began_ns = 0;
		return 0;
	}
	if (total >> 40) /* hostile counts: nothing is bounded any more */
		return 0;
	return mine > RAMP_GRACE + (total * part >> 16) ? RAMP_PENALTY_Q8 : 0;
}

static int compare(const void *a, const void *b)
{
	return *(const int16_t *)a - *(const int16_t *)b;
}

int16_t ramp__median_q8(int16_t *gains_q8, uint32_t n)
{
	if (!n)
		return 0;
	qsort(gains_q8, n, sizeof(gains_q8[0]), compare);
	return gains_q8[(n - 1) / 2];
}
