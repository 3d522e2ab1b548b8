/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The learned gain of a pod: how long it takes for a request when nobody else waits, as log2 of microseconds.
 *
 * A sample is log2(latency) - log2 psi(load at the choice), made in the kernel for every timed request that was answered; requests that
 * failed without a first byte are no samples, so that a pod that fails fast does not look fast. The gain is their exponentially
 * weighted mean in the log domain: the median of a skewed latency moves it, single outliers hardly.
 * Such a pod is always idle, though, and would draw the requests by that: the share of failures is kept apart, by the same steps, and what goes into
 * the tables is the gain plus log2 of the tries that an answer takes.
 *
 * Time constant: by default 20 of the pod's own mean latencies (GAIN_TAU_Q8; with a delayed feedback, a fast one oscillates: docs/policy.md),
 * however many samples come in it; one sample moves the estimate by GAIN_STEP_MAX of the difference at most, so that a pod with few requests is
 * not its last one. Until a time constant (or 1 / GAIN_STEP_MAX samples) has been seen it is the plain mean, so that a new pod is known after its
 * first answers. Without samples it stays as it is. A second estimate has a quarter of the time constant (and steps up to four samples' worth): the
 * difference of the two is the trend. The deviation is the mean distance of the samples (of an interval's mean, where several came) from the gain.
 *
 * Fixed point: estimates Q32 (int64, +-64 octaves), weights Q30, mean latency in ns; all rounded half away from zero. Pure: time is an argument; no
 * allocation; no call into libm.
 */
#ifndef PINTLE_POLICY_GAIN_H
#define PINTLE_POLICY_GAIN_H

#include <stdbool.h>
#include <stdint.h>

#define GAIN_TAU_Q8 (20u * 256)
#define GAIN_STEP_MAX 0.1
#define GAIN_OCTAVES_MAX 64

struct gain {
	int64_t log2_us_q32; /* the estimate; meaningless before the first sample */
	int64_t fast_q32;
	uint64_t dev_q32;
	uint64_t latency_ns; /* mean latency, by the same weights: the unit of the time constant */
	uint32_t fail_q30;   /* share of requests that failed */
	uint64_t samples;    /* so far */
	uint64_t last_ns;    /* of the last samples */
	uint32_t tau_q8;     /* in mean latencies */
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
/* Begins with an estimate from elsewhere (what the tables held of the pod), which counts as one sample. */
void gain__adopt(struct gain *g, int16_t gain_q8);
/* Another time constant from now on, in mean latencies Q8; see policy/knobs.h for the bounds. */
void gain__set_tau(struct gain *g, uint32_t tau_q8);
/* Takes what came in an interval that ends at now_ns. The gain does not move without samples, while more requests fail than are answered, nor on
 * nonsense (a mean sample outside [-64, 64] octaves). Returns whether it or the share of failures moved. */
bool gain__update(struct gain *g, const struct gain_input *in, uint64_t now_ns);
/* False before the first sample. */
bool gain__known(const struct gain *g);
/* Q8.8, rounded and clamped to int16; 0 while unknown. */
int16_t gain__q8(const struct gain *g);
/* log2 of the tries that an answer takes, Q8: 0 without failures, at most GAIN_FAILURE_MAX_Q8. */
#define GAIN_FAILURE_MAX_Q8 (6 * 256)
int16_t gain__failure_q8(const struct gain *g);
/* What goes into the tables: both together, clamped; 0 while the gain is unknown. */
int16_t gain__cost_q8(const struct gain *g);
int16_t gain__fast_q8(const struct gain *g);
uint16_t gain__dev_q8(const struct gain *g);

#endif
