// SPDX-License-Identifier: BSD-2-Clause
#include "policy/train/slowrun.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/train/exact.h"
#include "policy/train/parallel.h"
#include "policy/train/rng.h"

static const uint32_t externalities_q8[] = { 0, 128, 256, 384, 512 }, taus_q8[] = { 5 * 256, 20 * 256, 60 * 256 },
		      candidates[] = { 0, 8 }, ramps_q8[] = { 512, 320 };
#define MAX_GRID 60u /* product of their numbers */

struct compare {
	const struct slowrun *s;
	struct policy_knobs grid[MAX_GRID];
	uint32_t nr_grid;
	double cost[MAX_GRID * SLOWRUN_MAX_SEEDS];
	struct policy_knobs best;
	/* held out: [0] default, [1] best fixed, [2] slow */
	struct lesson_result held[3 * SLOWRUN_MAX_SEEDS];
	struct slow slow[SLOWRUN_MAX_SEEDS];
	int error;
	char why[LESSON_WHY_BYTES];
};

/* In octaves: what the slow loop is to lower. */
static double cost_of(const struct lesson_result *r)
{
	return exact__log2(r->p99_ns) + 0.3 * exact__log2(r->mean_ns);
}

static void make_grid(struct compare *c)
{
	uint32_t tuned = c->s->tuned;

	for (uint32_t x = 0; x < (tuned >> SLOW_EXTERNALITY & 1 ? 5 : 1); x++)
		for (uint32_t t = 0; t < (tuned >> SLOW_TAU & 1 ? 3 : 1); t++)
			for (uint32_t d = 0; d < (tuned >> SLOW_CANDIDATES & 1 ? 2 : 1); d++)
				for (uint32_t r = 0; r < (tuned >> SLOW_RAMP & 1 ? 2 : 1); r++) {
					struct policy_knobs *k = &c->grid[c->nr_grid++];

					*k = sim_pintle_defaults.knobs;
					if (tuned >> SLOW_EXTERNALITY & 1)
						k->externality_q8 = externalities_q8[x];
					if (tuned >> SLOW_TAU & 1)
						k->tau_q8 = taus_q8[t];
					if (tuned >> SLOW_CANDIDATES & 1)
						k->candidates = candidates[d];
					if (tuned >> SLOW_RAMP & 1)
						k->ramp_q8 = ramps_q8[r];
				}
}

static void note(struct compare *c, int error, const char *why)
{
	if (!error)
		return;
	__atomic_store_n(&c->error, error, __ATOMIC_RELAXED);
	memcpy(c->why, why, LESSON_WHY_BYTES); /* whichever comes last: any of them tells the user enough */
}

static void run_grid(void *arg, uint32_t i)
{
	struct compare *c = arg;
	struct sim_pintle_options options = sim_pintle_defaults;
	struct lesson lesson = c->s->lesson;
	char why[LESSON_WHY_BYTES] = "";
	struct lesson_result r;
	int error;

	options.knobs = c->grid[i / c->s->nr_grid_seeds];
	lesson.seconds = c->s->grid_seconds;
	error = lesson__run(&lesson, c->s->grid_seed + i % c->s->nr_grid_seeds, &options, NULL, &r, why);
	note(c, error, why);
	c->cost[i] = error ? 0 : cost_of(&r);
}

static void choose_best(struct compare *c)
{
	double best = INFINITY;

	for (uint32_t g = 0; g < c->nr_grid; g++) {
		double sum = 0;

		for (uint32_t s = 0; s < c->s->nr_grid_seeds; s++)
			sum += c->cost[g * c->s->nr_grid_seeds + s];
		if (sum < best) {
			best = sum;
			c->best = c->grid[g];
		}
	}
}

struct loop {
	struct slow *slow;
	struct rng rng;
};

static bool on_slow(void *arg, uint64_t now_ns, const struct sim_window *window, struct policy_knobs *knobs)
{
	struct loop *l = arg;
	struct slow_window w = { .requests = window->latency->count,
				 .p99_ns = (uint64_t)sim_hist__quantile(window->latency, 0.99),
				 .mean_ns = (uint64_t)window->mean_ns };
	struct policy_knobs next = slow__tick(l->slow, &w, now_ns, rng__next(&l->rng));

	if (!memcmp(&next, knobs, sizeof(next)))
		return false;
	*knobs = next;
	return true;
}

static void run_held(void *arg, uint32_t i)
{
	struct compare *c = arg;
	uint32_t which = i % 3, seed = i / 3;
	struct sim_pintle_options options = sim_pintle_defaults;
	struct loop loop = { .slow = &c->slow[seed] };
	struct lesson_tuner tuner = { .window_ns = c->s->window_ns, .on_slow = on_slow, .arg = &loop };
	char why[LESSON_WHY_BYTES] = "";

	if (which == 1)
		options.knobs = c->best;
	rng__init(&loop.rng, c->s->seed + seed);
	slow__init(loop.slow, &options.knobs, c->s->tuned);
	note(c, lesson__run(&c->s->lesson, c->s->seed + seed, &options, which == 2 ? &tuner : NULL, &c->held[i], why), why);
}

static void paired(const struct compare *c, uint32_t of, uint32_t against, double (*value)(const struct lesson_result *r),
		   double *ret_mean, double *ret_half)
{
	double x[SLOWRUN_MAX_SEEDS];

	for (uint32_t s = 0; s < c->s->nr_seeds; s++)
		x[s] = value(&c->held[3 * s + of]) - value(&c->held[3 * s + against]);
	lesson__interval(x, (uint32_t)c->s->nr_seeds, ret_mean, ret_half);
}

static double log_p99(const struct lesson_result *r)
{
	return exact__log2(r->p99_ns);
}

static void conclude(const struct compare *c, struct slowrun_result *r)
{
	*r = (struct slowrun_result){ .best = c->best };
	paired(c, 1, 0, log_p99, &r->best_p99, &r->best_p99_half);
	paired(c, 2, 0, log_p99, &r->slow_p99, &r->slow_p99_half);
	paired(c, 2, 1, log_p99, &r->versus_p99, &r->versus_p99_half);
	paired(c, 2, 1, cost_of, &r->versus_cost, &r->versus_cost_half);
	for (uint32_t s = 0; s < c->s->nr_seeds; s++) {
		r->won += (double)c->slow[s].won / (double)c->s->nr_seeds;
		r->lost += (double)c->slow[s].lost / (double)c->s->nr_seeds;
	}
}

int slowrun__compare(const struct slowrun *s, struct slowrun_result *ret_result, char ret_why[LESSON_WHY_BYTES])
{
	struct compare *c = calloc(1, sizeof(*c));
	int error;

	if (!c || !s->nr_seeds || s->nr_seeds > SLOWRUN_MAX_SEEDS || !s->nr_grid_seeds ||
	    s->nr_grid_seeds > SLOWRUN_MAX_SEEDS) {
		snprintf(ret_why, LESSON_WHY_BYTES, c ? "1 to %u seeds" : "out of memory", SLOWRUN_MAX_SEEDS);
		error = c ? -EINVAL : -ENOMEM;
		free(c);
		return error;
	}
	c->s = s;
	make_grid(c);
	parallel__run(s->threads, c->nr_grid * (uint32_t)s->nr_grid_seeds, run_grid, c);
	choose_best(c);
	if (!c->error)
		parallel__run(s->threads, 3 * (uint32_t)s->nr_seeds, run_held, c);
	error = c->error;
	if (error)
		memcpy(ret_why, c->why, LESSON_WHY_BYTES);
	else
		conclude(c, ret_result);
	free(c);
	return error;
}
