/* SPDX-License-Identifier: BSD-2-Clause */
/* What a server would remember of its own last answers (Prequal, C3). */
#ifndef PINTLE_TRAIN_RECENT_H
#define PINTLE_TRAIN_RECENT_H

#include <stdint.h>

#define SIM_RECENT 8u

struct sim_recent {
	uint32_t nr; /* ever */
	struct {
		uint32_t in_flight; /* when the request came */
		uint64_t latency_ns;
		uint64_t at_ns;
	} answer[SIM_RECENT];
	uint64_t last_ns; /* of the last answer, or the start of the busy time */
	double service_ns;
};

void sim_recent__began(struct sim_recent *r, uint64_t now_ns, uint32_t in_flight_before);
void sim_recent__ended(struct sim_recent *r, uint64_t now_ns, uint32_t in_flight_at_start, uint64_t latency_ns,
		       uint32_t running);
/* Median over the last answers, none older than max_age_ns, of latency for the load that they found, times the present load (load = requests in
 * flight + slots); 0 = none. */
uint64_t sim_recent__median_ns(const struct sim_recent *r, uint32_t in_flight, uint32_t slots, uint64_t now_ns,
			       uint64_t max_age_ns);

#endif
