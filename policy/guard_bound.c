/* SPDX-License-Identifier: BSD-2-Clause */
/* The always-valid bound: two families of bets, over a grid of means. */
#include <math.h>

#include "policy/guard.h"

static double grid_value(uint32_t i)
{
	return 2.0 * (double)i / (GUARD_GRID - 1) - 1.0;
}

void guard_bound__init(struct guard_bound *b)
{
	*b = (struct guard_bound){ .lower = -GUARD_CLIP, .upper = GUARD_CLIP };
}

/* Predictable: made of what came before. Variance with a prior of one observation at 1/4 (the largest of a variable in 0..1 stretched to -1..1
 * would be 1; the prior only tempers the first bets). */
static double plug_in(const struct guard_bound *b)
{
	double n = (double)b->windows, mean = b->sum / (n + 1.0);
	double variance = (0.25 + b->squares - n * mean * mean) / (n + 1.0);

	if (!(variance > 1e-6))
		variance = 1e-6;
	return sqrt(2.0 * log(1.0 / GUARD_ALPHA) / (variance * (n + 1.0) * log(n + 2.0)));
}

/* Bets on values of the grid stay below GUARD_LAMBDA_MAX of what can be lost: 1 + lambda (x - m) >= 1 - GUARD_LAMBDA_MAX. */
static void bet(struct guard_bound *b, double x, double lambda)
{
	for (uint32_t i = 0; i < GUARD_GRID; i++) {
		double m = grid_value(i);
		double up = fmin(lambda, GUARD_LAMBDA_MAX / (1.0 + m + 1e-9));
		double down = fmin(lambda, GUARD_LAMBDA_MAX / (1.0 - m + 1e-9));

		b->log_up[i] += log1p(up * (x - m));
		b->log_down[i] += log1p(-down * (x - m));
	}
}

void guard_bound__add(struct guard_bound *b, double octaves)
{
	double x = isnan(octaves) ? 0.0 : fmax(-1.0, fmin(1.0, octaves / GUARD_CLIP));
	const double enough = log(1.0 / GUARD_ALPHA);

	bet(b, x, plug_in(b));
	b->windows++;
	b->sum += x;
	b->squares += x * x;
	/* once excluded, excluded: the intersection over time is valid too */
	for (uint32_t i = 0; i < GUARD_GRID && b->log_up[i] >= enough; i++)
		b->lower = fmax(b->lower, GUARD_CLIP * grid_value(i));
	for (uint32_t i = GUARD_GRID; i-- && b->log_down[i] >= enough;)
		b->upper = fmin(b->upper, GUARD_CLIP * grid_value(i));
}
