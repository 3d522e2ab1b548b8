// SPDX-License-Identifier: BSD-2-Clause
#include "agent/podsignal.h"

#include <math.h>

#define MAX_ELAPSED_NS 3.6e12

void podsignal__init(struct podsignal *s, int16_t learned_q8)
{
	*s = (struct podsignal){ 0 };
	gain__init(&s->gain);
	if (learned_q8)
		gain__adopt(&s->gain, learned_q8);
}

/* Requests that began: those that ended and those that more are waiting. */
static double begun(const struct podsignal *s, const struct podstats_delta *delta, int32_t awaiting)
{
	double n = (double)delta->first_bytes + (double)delta->aborted;

	if (s->last_ns)
		n += (double)awaiting - s->awaiting;
	return n > 0 ? n : 0;
}

static void count(struct podsignal *s, const struct podstats_delta *delta, int32_t awaiting, uint64_t now_ns)
{
	double elapsed_ns = s->last_ns && now_ns > s->last_ns ? fmin((double)(now_ns - s->last_ns), MAX_ELAPSED_NS) : 0;
	double keep = exp(-elapsed_ns / (double)SIGNAL_WINDOW_NS);

	s->sent = s->sent * keep + begun(s, delta, awaiting);
	s->answered = s->answered * keep + (double)delta->first_bytes;
	s->failed = s->failed * keep + (double)delta->refused + (double)delta->resets;
	s->window_ns = s->window_ns * keep + elapsed_ns;
	s->awaiting = awaiting;
	s->last_ns = now_ns;
}

bool podsignal__tick(struct podsignal *s, const struct podstats_delta *delta, int32_t awaiting, uint64_t now_ns)
{
	struct gain_input in = { .samples = delta->latency_count,
				 .sum_log2_q8 = delta->gain_q8,
				 .latency_ns = delta->latency_ns,
				 .answered = delta->first_bytes,
				 .failed = delta->refused + delta->resets };

	count(s, delta, awaiting, now_ns);
	return gain__update(&s->gain, &in, now_ns);
}

static uint32_t whole(double x)
{
	return x < 0 ? 0 : x > UINT32_MAX ? UINT32_MAX : (uint32_t)lround(x);
}

void podsignal__get(const struct podsignal *s, int32_t load, uint32_t concurrency, struct pod_signal *ret_signal)
{
	*ret_signal = (struct pod_signal){
		.load = load > 0 ? (uint32_t)load : 0,
		.concurrency = concurrency ? concurrency : 1,
		.gain_q8 = gain__q8(&s->gain),
		.fast_q8 = gain__fast_q8(&s->gain),
		.dev_q8 = gain__dev_q8(&s->gain),
		.latency_ns = s->gain.latency_ns,
		.last_sample_ns = s->gain.last_ns,
		.sent = whole(s->sent),
		.answered = whole(s->answered),
		.failed = whole(s->failed),
	};
}

uint64_t podsignal__window_ns(const struct podsignal *s)
{
	return s->window_ns < 1 ? 1 : (uint64_t)s->window_ns;
}
