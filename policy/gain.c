// SPDX-License-Identifier: BSD-2-Clause
#include "policy/gain.h"

#include "policy/fixed.h"
#include "policy/knobs.h"

#define ONE_Q30 (1ull << 30)
#define OCTAVES_PER_SAMPLE_Q16 9962u /* -log2(1 - GAIN_STEP_MAX) */
#define LATENCY_MAX_NS (1ull << 44)  /* a mean of 4.9 hours */
#define FAST 4u

void gain__init(struct gain *g)
{
	*g = (struct gain){ .tau_q8 = GAIN_TAU_Q8 };
}

void gain__adopt(struct gain *g, int16_t gain_q8)
{
	g->log2_us_q32 = g->fast_q32 = (int64_t)gain_q8 * (1 << 24);
	g->samples = 1;
}

void gain__set_tau(struct gain *g, uint32_t tau_q8)
{
	g->tau_q8 = tau_q8 < KNOBS_TAU_MIN_Q8 ? KNOBS_TAU_MIN_Q8 : tau_q8 > KNOBS_TAU_MAX_Q8 ? KNOBS_TAU_MAX_Q8 : tau_q8;
}

bool gain__known(const struct gain *g)
{
	return g->samples > 0;
}

/* 1 - (1 - GAIN_STEP_MAX)^n */
static uint64_t by_steps_q30(uint64_t n)
{
	uint64_t octaves_q16 = n > 1000 ? 1000 * OCTAVES_PER_SAMPLE_Q16 : n * OCTAVES_PER_SAMPLE_Q16;

	return ONE_Q30 - fixed__exp2_neg_q30(octaves_q16 << 14);
}

/*
 * Weight of n new samples against the estimate, Q30: the larger of
 *   n / seen            the plain mean, while less than a time constant has been seen, and
 *   1 - exp(-dt / tau)  at most 1 - (1 - GAIN_STEP_MAX)^n: the log-EWMA; the rate of samples does not shorten tau.
 */
static uint64_t weight_q30(const struct gain *g, uint64_t n, uint64_t now_ns, uint32_t speed)
{
	uint64_t seen = g->samples + n < n ? UINT64_MAX : g->samples + n;
	uint64_t by_count = fixed__fraction_q30(n, seen), by_time = 0,
		 cap = by_steps_q30(n > UINT64_MAX / speed ? n : n * speed);

	if (g->latency_ns && now_ns > g->last_ns)
		by_time = fixed__one_minus_exp_q30(now_ns - g->last_ns, g->latency_ns * g->tau_q8 / 256 / speed);
	if (by_time > cap)
		by_time = cap;
	return by_count > by_time ? by_count : by_time;
}

/* from + weight * (to - from), |to - from| <= 2^39. */
static int64_t mix(int64_t from, int64_t to, uint64_t weight)
{
	/* the difference in two halves, so that nothing is lost and nothing overflows */
	int64_t d = to - from, high = d / (1 << 16), low = d % (1 << 16);

	return from + fixed__shr_round(high * (int64_t)weight, 14) + fixed__shr_round(low * (int64_t)weight, 30);
}

static bool update_failures(struct gain *g, const struct gain_input *in)
{
	uint64_t all = in->answered + in->failed < in->answered ? UINT64_MAX : in->answered + in->failed;
	int64_t seen = (int64_t)fixed__fraction_q30(in->failed, all), before = g->fail_q30;

	if (all)
		g->fail_q30 = (uint32_t)mix(before, seen, by_steps_q30(all));
	return g->fail_q30 != before;
}

/* Mean of the samples, Q32; false on nonsense. */
static bool mean_q32(const struct gain_input *in, int64_t *ret_q32)
{
	const int64_t limit = (int64_t)GAIN_OCTAVES_MAX << 8;
	int64_t n = (int64_t)in->samples, mean_q8;

	if (!in->samples || in->failed > in->answered || in->samples > INT64_MAX)
		return false;
	mean_q8 = in->sum_log2_q8 / n;
	if (mean_q8 > limit || mean_q8 < -limit)
		return false;
	*ret_q32 = mean_q8 * (1 << 24);
	if (n < 1ll << 38) /* the rest of the division, where the count is small enough for it to matter */
		*ret_q32 += fixed__div_round((in->sum_log2_q8 % n) * (1 << 24), n);
	return true;
}

bool gain__update(struct gain *g, const struct gain_input *in, uint64_t now_ns)
{
	bool moved = update_failures(g, in);
	uint64_t weight, latency_ns;
	int64_t mean, off;

	if (!mean_q32(in, &mean))
		return moved;
	latency_ns = in->latency_ns / in->samples;
	if (latency_ns > LATENCY_MAX_NS)
		latency_ns = LATENCY_MAX_NS;
	weight = weight_q30(g, in->samples, now_ns, 1);
	off = g->samples ? mean - g->log2_us_q32 : 0;
	g->fast_q32 = mix(g->fast_q32, mean, weight_q30(g, in->samples, now_ns, FAST));
	g->log2_us_q32 = mix(g->log2_us_q32, mean, weight);
	g->dev_q32 = (uint64_t)mix((int64_t)g->dev_q32, off < 0 ? -off : off, weight);
	g->latency_ns = (uint64_t)mix((int64_t)g->latency_ns, (int64_t)latency_ns, weight);
	g->samples = g->samples + in->samples < in->samples ? UINT64_MAX : g->samples + in->samples;
	g->last_ns = now_ns;
	return true;
}

int16_t gain__failure_q8(const struct gain *g)
{
	uint32_t answered_q30 = (uint32_t)ONE_Q30 - g->fail_q30;
	int32_t octaves_q8 = answered_q30 ? 30 * 256 - fixed__log2_q8(answered_q30) : GAIN_FAILURE_MAX_Q8;

	return (int16_t)(octaves_q8 > GAIN_FAILURE_MAX_Q8 ? GAIN_FAILURE_MAX_Q8 : octaves_q8);
}

int16_t gain__cost_q8(const struct gain *g)
{
	return gain__known(g) ? fixed__sat16((int64_t)gain__q8(g) + gain__failure_q8(g)) : 0;
}

static int16_t to_q8(const struct gain *g, int64_t q32)
{
	return gain__known(g) ? fixed__sat16(fixed__shr_round(q32, 24)) : 0;
}

int16_t gain__q8(const struct gain *g)
{
	return to_q8(g, g->log2_us_q32);
}

int16_t gain__fast_q8(const struct gain *g)
{
	return to_q8(g, g->fast_q32);
}

uint16_t gain__dev_q8(const struct gain *g)
{
	return (uint16_t)to_q8(g, (int64_t)g->dev_q32);
}
