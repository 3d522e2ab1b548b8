// SPDX-License-Identifier: BSD-2-Clause
#include "policy/train/sim/draw.h"

#include <math.h>

/* Mean of a normal of mean 1 and deviation 1, given that it is above 0: 1 + phi(1) / Phi(1). */
#define NORMAL_CUT_MEAN 1.2875999709391783

double draw__normal(struct rng *r)
{
	double x, y, s;

	do {
		x = 2 * rng__uniform(r) - 1;
		y = 2 * rng__uniform(r) - 1;
		s = x * x + y * y;
	} while (s >= 1 || s == 0);
	return x * sqrt(-2 * exact__log(s) / s);
}

static double normal_cut(struct rng *r)
{
	double x;

	do
		x = 1 + draw__normal(r);
	while (x <= 0);
	return x / NORMAL_CUT_MEAN;
}

/* Inverse of the distribution function of the bounded Pareto. */
static double pareto(struct rng *r, double low, double high, double shape)
{
	double ratio = exact__pow(low / high, shape), u = rng__uniform(r);

	return low * exact__pow(1 - u * (1 - ratio), -1 / shape);
}

uint64_t draw__work_ns(struct rng *r, const struct sim_scenario *s)
{
	double work = 0;

	switch (s->sizes) {
	case SIM_SIZES_UNIFORM:
		work = (double)s->size_ns[0] + rng__uniform(r) * (double)s->size_ns[1];
		break;
	case SIM_SIZES_NORMAL:
		work = normal_cut(r) * (double)s->size_ns[0];
		break;
	case SIM_SIZES_PARETO:
		work = pareto(r, (double)s->size_ns[0], (double)s->size_ns[1], s->size_shape);
		break;
	case SIM_SIZES_TRACE:
		work = (double)s->trace_ns[rng__below(r, s->nr_trace)];
		break;
	}
	return work < 1 ? 1 : (uint64_t)work;
}

static double pareto_mean(double low, double high, double a)
{
	double ratio = exact__pow(low / high, a);

	if (fabs(a - 1) < 1e-9)
		return low * exact__log(high / low) / (1 - ratio);
	return exact__pow(low, a) / (1 - ratio) * a / (a - 1) * (exact__pow(low, 1 - a) - exact__pow(high, 1 - a));
}

double draw__mean_work_ns(const struct sim_scenario *s)
{
	double sum = 0;

	switch (s->sizes) {
	case SIM_SIZES_UNIFORM:
		return (double)s->size_ns[0] + (double)s->size_ns[1] / 2;
	case SIM_SIZES_NORMAL:
		return (double)s->size_ns[0];
	case SIM_SIZES_PARETO:
		return pareto_mean((double)s->size_ns[0], (double)s->size_ns[1], s->size_shape);
	case SIM_SIZES_TRACE:
		for (uint32_t i = 0; i < s->nr_trace; i++)
			sum += (double)s->trace_ns[i];
		return sum / s->nr_trace;
	}
	return 1;
}
