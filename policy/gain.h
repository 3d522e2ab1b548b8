/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The learned gain of a pod: how long it takes for a request when nobody else waits, as log2 of microseconds in Q8.8.
 *
 * A sample is log2(latency) - log2 psi(load at the choice), made in the kernel for every timed request that was answered; requests that
 * failed without a first byte are no samples, so that a pod that fails fast does not look fast. The gain is their exponentially
 * weighted mean in the log domain: the median of a skewed latency moves it, single outliers hardly.
 *
 * Time constant: GAIN_TAU_LATENCIES of the pod's own mean latency (with a delayed feedback, a faster one oscillates: 45 / 36 / 28 s p99 at
 * 0.05 / 1 / 10 latencies in simulation), however many samples come in it; one sample moves the estimate by GAIN_STEP_MAX of the difference at
 * most, so that a pod with few requests is not its last one. Until a time constant (or 1 / GAIN_STEP_MAX samples) has been seen it is the plain
 * mean, so that a new pod is known after its first answers. Without samples it stays as it is.
 * Pure: time is an argument; no allocation.
 */
#ifndef PINTLE_POLICY_GAIN_H
#define PINTLE_POLICY_GAIN_H

#include <stdbool.h>
#include <stdint.h>

#define GAIN_TAU_LATENCIES 10.0
#define GAIN_STEP_MAX 0.1

struct gain {
	double log2_us;	   /* the estimate; meaningless before the first sample */
	double latency_ns; /* mean latency, by the same weights: the unit of the time constant */
	double samples;	   /* so far */
	uint64_t last_ns;  /* of the last samples */
};

/* What a pod did since the last look. */
struct gain_input {
	uint64_t samples;    /* answered requests that were timed */
	int64_t sum_log2_q8; /* sum over them of the sample, Q8.8 */
	uint64_t latency_ns; /* sum over them */
	uint64_t answered;   /* requests answered, timed or not */
	uint64_t failed;     /* refused or reset */
};

void gain__init(struct gain *g);
/* Takes the samples of an interval that ends at now_ns. Returns whether the gain moved: not without samples, not while more requests fail than
 * are answered, not on nonsense (a mean sample outside [-64, 64] octaves). */
bool gain__update(struct gain *g, const struct gain_input *in, uint64_t now_ns);
/* False before the first sample. */
bool gain__known(const struct gain *g);
/* Q8.8, clamped to int16; 0 while unknown. */
int16_t gain__q8(const struct gain *g);

#endif
