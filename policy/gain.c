// SPDX-License-Identifier: BSD-2-Clause
#include "policy/gain.h"

#include <math.h>

#define MAX_OCTAVES 64.0

void gain__init(struct gain *g)
{
	*g = (struct gain){ 0 };
}

bool gain__known(const struct gain *g)
{
	return g->samples > 0.0;
}

/*
 * Weight of n new samples against the estimate: the larger of
 *   n / seen            the plain mean, while less than a time constant has been seen, and
 *   1 - exp(-dt / tau)  at most 1 - (1 - GAIN_STEP_MAX)^n: the log-EWMA; the rate of samples does not shorten tau.
 */
static double weight(const struct gain *g, double n, uint64_t now_ns)
{
	double by_count = n / (g->samples + n), by_time = 0.0;

	if (g->latency_ns > 0.0 && now_ns > g->last_ns)
		by_time = 1.0 - exp(-(double)(now_ns - g->last_ns) / (GAIN_TAU_LATENCIES * g->latency_ns));
	return fmax(by_count, fmin(by_time, 1.0 - pow(1.0 - GAIN_STEP_MAX, n)));
}

bool gain__update(struct gain *g, const struct gain_input *in, uint64_t now_ns)
{
	double n = (double)in->samples, mean, w;

	if (!in->samples || in->failed > in->answered)
		return false;
	mean = (double)in->sum_log2_q8 / 256.0 / n;
	if (!(fabs(mean) <= MAX_OCTAVES))
		return false;
	w = weight(g, n, now_ns);
	g->log2_us += w * (mean - g->log2_us);
	g->latency_ns += w * ((double)in->latency_ns / n - g->latency_ns);
	g->samples += n;
	g->last_ns = now_ns;
	return true;
}

int16_t gain__q8(const struct gain *g)
{
	double q8 = gain__known(g) ? round(g->log2_us * 256.0) : 0.0;

	return (int16_t)fmax(-32768.0, fmin(32767.0, q8));
}
