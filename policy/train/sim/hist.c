// SPDX-License-Identifier: BSD-2-Clause
#include "policy/train/sim/hist.h"

#include <string.h>

#define SUB_BITS 8u

void sim_hist__clear(struct sim_hist *h)
{
	memset(h, 0, sizeof(*h));
}

/* Row 0 holds [0, 256), row k > 0 holds [2^(7 + k), 2^(8 + k)) by the 8 bits below the leading one. */
void sim_hist__add(struct sim_hist *h, uint64_t ns)
{
	uint32_t row = 0, index;

	if (ns >= SIM_HIST_SUB) {
		uint32_t e = 63u - (uint32_t)__builtin_clzll(ns);

		row = e - SUB_BITS + 1;
		ns = (ns >> (e - SUB_BITS)) - SIM_HIST_SUB;
	}
	index = row * SIM_HIST_SUB + (uint32_t)ns;
	if (index >= SIM_HIST_OCTAVES * SIM_HIST_SUB)
		index = SIM_HIST_OCTAVES * SIM_HIST_SUB - 1;
	h->bucket[index]++;
	h->count++;
}

static double lower_end(uint32_t index)
{
	uint32_t row = index / SIM_HIST_SUB, sub = index % SIM_HIST_SUB;

	return row ? (double)((uint64_t)(SIM_HIST_SUB + sub) << (row - 1)) : (double)sub;
}

double sim_hist__quantile(const struct sim_hist *h, double q)
{
	double want = q * (double)h->count, seen = 0;

	for (uint32_t i = 0; i < SIM_HIST_OCTAVES * SIM_HIST_SUB; i++) {
		if (!h->bucket[i])
			continue;
		if (seen + h->bucket[i] >= want)
			return lower_end(i) + (lower_end(i + 1) - lower_end(i)) * (want - seen) / h->bucket[i];
		seen += h->bucket[i];
	}
	return 0;
}
