/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Intervals for the latencies of two policies that met the same requests. A latency depends on those before it (a queue, a pod that is slow for
 * a while), so what is drawn with replacement are blocks of successive requests, the same blocks for both policies: the circular block bootstrap
 * of paired data (Politis, Romano, "A circular block-resampling procedure for stationary data", 1992; moving blocks: Kuensch, Annals of
 * Statistics 17, 1989). Intervals are the 2.5 % and 97.5 % quantiles of the resamples. Pure: the randomness is the seed.
 */
#ifndef BENCH_ROUTE_BOOTSTRAP_H
#define BENCH_ROUTE_BOOTSTRAP_H

#include <stddef.h>
#include <stdint.h>

enum statistic { STATISTIC_MEAN = 0, STATISTIC_P50, STATISTIC_P95, STATISTIC_P99, STATISTIC_MAX };

struct interval {
	double value, low, high;
};

struct bootstrap {
	size_t block; /* requests; 1..nr */
	unsigned int resamples;
	uint64_t seed;
};

struct comparison {
	struct interval base[STATISTIC_MAX];
	struct interval row[STATISTIC_MAX];
	struct interval difference[STATISTIC_MAX]; /* row - base */
};

/*
 * base[i] and row[i] are latencies of request i, in order of arrival, finite. Percentiles are nearest rank. 0, -EINVAL for nr or resamples of 0 or
 * a block out of range, -ENOMEM.
 */
int bootstrap__compare(const struct bootstrap *how, const double *base, const double *row, size_t nr, struct comparison *ret);

#endif
