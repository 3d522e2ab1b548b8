// SPDX-License-Identifier: BSD-2-Clause
#include "policy/train/sim/recent.h"

#include <stdlib.h>

#define LAST 8u	    /* answers that the median is taken over */
#define C3_KEPT 0.9 /* weight of the old estimate */

void sim_recent__began(struct sim_recent *r, uint64_t now_ns, uint32_t in_flight_before)
{
	if (!in_flight_before)
		r->last_ns = now_ns;
}

void sim_recent__ended(struct sim_recent *r, uint64_t now_ns, uint32_t in_flight_at_start, uint64_t latency_ns,
		       uint32_t running)
{
	/* `running` were served side by side: each took so many times the time between answers */
	double service = (double)(now_ns - r->last_ns) * running;

	r->answer[r->nr % SIM_RECENT].in_flight = in_flight_at_start;
	r->answer[r->nr % SIM_RECENT].latency_ns = latency_ns;
	r->answer[r->nr % SIM_RECENT].at_ns = now_ns;
	r->service_ns = r->nr ? C3_KEPT * r->service_ns + (1 - C3_KEPT) * service : service;
	r->nr++;
	r->last_ns = now_ns;
}

uint64_t sim_recent__median_ns(const struct sim_recent *r, uint32_t in_flight, uint32_t slots, uint64_t now_ns,
			       uint64_t max_age_ns)
{
	uint32_t nr = r->nr < LAST ? r->nr : LAST, found = 0;
	double sorted[LAST] = { 0 };

	for (uint32_t i = 0; i < nr; i++) {
		uint32_t at = (r->nr - 1 - i) % SIM_RECENT, k;
		double latency = (double)r->answer[at].latency_ns * (in_flight + slots) / (r->answer[at].in_flight + slots);

		if (now_ns - r->answer[at].at_ns > max_age_ns)
			break;
		for (k = found++; k && sorted[k - 1] > latency; k--)
			sorted[k] = sorted[k - 1];
		sorted[k] = latency;
	}
	return found ? (uint64_t)sorted[found / 2] : 0;
}
