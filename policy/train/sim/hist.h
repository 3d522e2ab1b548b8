/* SPDX-License-Identifier: BSD-2-Clause */
/* Histogram of times: 256 buckets an octave (0.27 %), linear inside an octave, ns to 2^44 ns. Fixed memory, the caller's. */
#ifndef PINTLE_TRAIN_HIST_H
#define PINTLE_TRAIN_HIST_H

#include <stdint.h>

#define SIM_HIST_SUB 256u
#define SIM_HIST_OCTAVES 36u /* exact below 256 ns, then one row an octave */

struct sim_hist {
	uint64_t count;
	uint32_t bucket[SIM_HIST_OCTAVES * SIM_HIST_SUB];
};

void sim_hist__clear(struct sim_hist *h);
void sim_hist__add(struct sim_hist *h, uint64_t ns);
/* Smallest time that q (0..1) of the entries do not exceed, interpolated inside its bucket; 0 when empty. */
double sim_hist__quantile(const struct sim_hist *h, double q);

#endif
