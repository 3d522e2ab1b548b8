// SPDX-License-Identifier: BSD-2-Clause
#include "bench/route/bootstrap.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/pod/protocol.h"

/* One policy's latencies with their order by size: a resample is then how often each was drawn, and a percentile one walk. */
struct series {
	const double *latency;
	size_t *by_size;
};

/* qsort has no argument for its comparison. */
struct sized {
	double latency;
	size_t at;
};

static int compare_sizes(const void *a, const void *b)
{
	const struct sized *x = a, *y = b;

	return x->latency != y->latency ? (x->latency > y->latency) - (x->latency < y->latency)
					: (x->at > y->at) - (x->at < y->at);
}

static int series__init(struct series *series, const double *latency, size_t nr)
{
	struct sized *sized = calloc(nr, sizeof(*sized));

	series->latency = latency;
	series->by_size = calloc(nr, sizeof(*series->by_size));
	if (!sized || !series->by_size) {
		free(sized);
		return -ENOMEM;
	}
	for (size_t i = 0; i < nr; i++)
		sized[i] = (struct sized){ .latency = latency[i], .at = i };
	qsort(sized, nr, sizeof(*sized), compare_sizes);
	for (size_t i = 0; i < nr; i++)
		series->by_size[i] = sized[i].at;
	free(sized);
	return 0;
}

static void series__statistics(const struct series *series, const uint32_t *drawn, size_t nr, double ret[STATISTIC_MAX])
{
	static const double percent[STATISTIC_MAX] = { [STATISTIC_P50] = 50, [STATISTIC_P95] = 95, [STATISTIC_P99] = 99 };
	unsigned int next = STATISTIC_P50;
	double sum = 0;
	size_t passed = 0;

	for (size_t i = 0; i < nr; i++) {
		double latency = series->latency[series->by_size[i]];

		sum += drawn[series->by_size[i]] * latency;
		passed += drawn[series->by_size[i]];
		for (; next < STATISTIC_MAX && passed >= (size_t)ceil(percent[next] / 100 * (double)nr); next++)
			ret[next] = latency;
	}
	ret[STATISTIC_MEAN] = sum / (double)nr;
}

/* Blocks from random places, around the end, until there are nr; drawn[i] is how often request i is among them. */
static void draw(uint32_t *drawn, size_t nr, size_t block, uint64_t *state)
{
	memset(drawn, 0, nr * sizeof(*drawn));
	for (size_t have = 0; have < nr;) {
		size_t at;

		*state = pod_mix64(*state);
		at = (size_t)(*state % nr);
		for (size_t i = 0; i < block && have < nr; i++, have++) {
			drawn[at]++;
			at = at + 1 == nr ? 0 : at + 1;
		}
	}
}

static int compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Sorts `samples`. */
static void set_bounds(struct interval *interval, double *samples, unsigned int nr)
{
	qsort(samples, nr, sizeof(*samples), compare_doubles);
	interval->low = samples[(unsigned int)(0.025 * (nr - 1) + 0.5)];
	interval->high = samples[(unsigned int)(0.975 * (nr - 1) + 0.5)];
}

/* `samples`: STATISTIC_MAX * 3 rows of how->resamples. */
static void resample(const struct bootstrap *how, const struct series series[2], uint32_t *drawn, size_t nr, double *samples,
		     struct comparison *out)
{
	struct interval *intervals[3] = { out->base, out->row, out->difference };
	double got[2][STATISTIC_MAX] = { { 0 } };
	uint64_t state = pod_mix64(how->seed ^ 0x626f6f74u);

	for (size_t i = 0; i < nr; i++)
		drawn[i] = 1;
	for (unsigned int round = 0; round <= how->resamples; round++) {
		for (int which = 0; which < 2; which++)
			series__statistics(&series[which], drawn, nr, got[which]);
		for (int kind = 0; kind < 3; kind++) {
			for (int s = 0; s < STATISTIC_MAX; s++) {
				double value = kind < 2 ? got[kind][s] : got[1][s] - got[0][s];

				if (!round) /* what was measured itself */
					intervals[kind][s].value = value;
				else
					samples[(size_t)(kind * STATISTIC_MAX + s) * how->resamples + round - 1] = value;
			}
		}
		draw(drawn, nr, how->block, &state);
	}
	for (int kind = 0; kind < 3; kind++)
		for (int s = 0; s < STATISTIC_MAX; s++)
			set_bounds(&intervals[kind][s], &samples[(size_t)(kind * STATISTIC_MAX + s) * how->resamples],
				   how->resamples);
}

int bootstrap__compare(const struct bootstrap *how, const double *base, const double *row, size_t nr, struct comparison *ret)
{
	struct series series[2] = { 0 };
	uint32_t *drawn;
	double *samples;
	int err = 0;

	if (!nr || !how->resamples || !how->block || how->block > nr)
		return -EINVAL;
	drawn = calloc(nr, sizeof(*drawn));
	samples = calloc((size_t)how->resamples * STATISTIC_MAX * 3, sizeof(*samples));
	if (!drawn || !samples)
		err = -ENOMEM;
	if (!err)
		err = series__init(&series[0], base, nr);
	if (!err)
		err = series__init(&series[1], row, nr);
	if (!err)
		resample(how, series, drawn, nr, samples, ret);
	free(series[0].by_size);
	free(series[1].by_size);
	free(drawn);
	free(samples);
	return err;
}
