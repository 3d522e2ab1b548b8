/* SPDX-License-Identifier: BSD-2-Clause */
/* The analytic part of the score (include/pintle/score.h) as tables in log2 Q8.8. Pure: no I/O, no clock, no allocation. */
#ifndef PINTLE_POLICY_PSI_H
#define PINTLE_POLICY_PSI_H

#include <stdint.h>

#include "pintle/abi.h"

/* psi_q8[r] = log2((r + 1) + x * r): own delay under load r plus x times the delay caused to the r others. `externality` is clamped to 0..2
 * (a NaN to 1). */
void psi__fill(double externality, int16_t psi_q8[PINTLE_PSI_ENTRIES]);
/* latency_q8[r] = log2(r + 1): what a measured latency is divided by to get the gain. */
void psi__fill_latency(int16_t latency_q8[PINTLE_PSI_ENTRIES]);
/* A server that batches: with r others a request takes 1 + slowdown * r times as long (slowdown 0..1: 0.03 for a continuously batching LLM
 * server). psi_q8[r] = log2(1 + slowdown * (1 + x) * r); the latency curve is that for x = 0. Members have concurrency 1 under it. Clamped as above. */
void psi__fill_batch(double slowdown, double externality, int16_t psi_q8[PINTLE_PSI_ENTRIES]);
/*
 * The concurrency to choose by where one choice brings several requests (connections that are used again): with R requests a connection,
 * concurrency / R, at least 1. A choice then outlives what is known of this moment, and "a place is free" says little: the fewer requests the better.
 * `requests` and `flows`: counts over the same time; less than 16 flows say nothing.
 */
uint16_t psi__concurrency(uint16_t concurrency, uint64_t requests, uint64_t flows);
/* gain - log2(concurrency), kept inside int16. */
int16_t psi__gain_sat_q8(int16_t gain_q8, uint16_t concurrency);

#endif
