/* SPDX-License-Identifier: BSD-2-Clause */
/* The detailed statistics of all pods, summed over CPUs, and their advance since the last reading. */
#ifndef PINTLE_AGENT_PODSTATS_H
#define PINTLE_AGENT_PODSTATS_H

#include <stdint.h>

#include "agent/datapath.h"

struct podstats;

struct podstats_delta {
	uint64_t first_bytes, aborted, resets, refused;
	uint64_t latency_count, latency_ns;
	int64_t gain_q8; /* sum over latency_count of log2 latency - log2 psi */
};

int podstats__open(const struct datapath *dp, struct podstats **ret_stats, struct pintle_err *err);
void podstats__close(struct podstats *s);
/* Reads slots [0, nr_slots), at most PINTLE_MAX_DETAIL, by one batched call. */
int podstats__read(struct podstats *s, uint32_t nr_slots, struct pintle_err *err);
/* Reads those slots below nr_slots of which wanted[slot] is set; the others did not advance. Costs nothing but a look at wanted for those. */
int podstats__read_some(struct podstats *s, const uint8_t *wanted, uint32_t nr_slots, struct pintle_err *err);
/* Advance of a slot between the last two readings; zero for a slot that went backwards. */
struct podstats_delta podstats__delta(const struct podstats *s, uint32_t slot);
/* The slot was given to another pod: what it counts from zero is its advance. */
void podstats__restart(struct podstats *s, uint32_t slot);

#endif
