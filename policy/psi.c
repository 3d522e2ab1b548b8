/* SPDX-License-Identifier: BSD-2-Clause */
#include "policy/psi.h"

#include <math.h>

static int16_t log2_q8(double x)
{
	return (int16_t)lround(256 * log2(x));
}

static double clamp_externality(double externality)
{
	return isnan(externality) ? 1 : fmin(fmax(externality, 0), 2);
}

void psi__fill(double externality, int16_t psi_q8[PINTLE_PSI_ENTRIES])
{
	externality = clamp_externality(externality);
	for (uint32_t r = 0; r < PINTLE_PSI_ENTRIES; r++)
		psi_q8[r] = log2_q8(r + 1 + externality * r);
}

void psi__fill_batch(double slowdown, double externality, int16_t psi_q8[PINTLE_PSI_ENTRIES])
{
	double slope = (isnan(slowdown) ? 0 : fmin(fmax(slowdown, 0), 1)) * (1 + clamp_externality(externality));

	for (uint32_t r = 0; r < PINTLE_PSI_ENTRIES; r++)
		psi_q8[r] = log2_q8(1 + slope * r);
}

void psi__fill_latency(int16_t latency_q8[PINTLE_PSI_ENTRIES])
{
	psi__fill(0, latency_q8);
}

uint16_t psi__concurrency(uint16_t concurrency, uint64_t requests, uint64_t flows)
{
	uint64_t each_q8, shared;

	if (flows < 16 || requests <= flows || concurrency <= 1)
		return concurrency ? concurrency : 1;
	while (flows >> 48) {
		flows >>= 1;
		requests >>= 1;
	}
	each_q8 = requests / flows >= 65535 ? 65535 * 256 : requests / flows * 256 + requests % flows * 256 / flows;
	shared = (concurrency * 256ull + each_q8 / 2) / each_q8;
	return shared ? (uint16_t)shared : 1;
}

int16_t psi__gain_sat_q8(int16_t gain_q8, uint16_t concurrency)
{
	int32_t gain = gain_q8 - log2_q8(concurrency ? concurrency : 1);

	return (int16_t)(gain < INT16_MIN ? INT16_MIN : gain);
}
