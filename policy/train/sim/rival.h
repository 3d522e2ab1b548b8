/* SPDX-License-Identifier: BSD-2-Clause */
/* What most rivals have in common: the pods that may be chosen and the own requests under way at each. */
#ifndef PINTLE_TRAIN_RIVAL_H
#define PINTLE_TRAIN_RIVAL_H

#include <string.h>

#include "policy/train/rng.h"
#include "policy/train/sim/sim.h"
#include "policy/train/sim/truth.h"

struct rival {
	const struct sim_scenario *scenario;
	struct sim *sim;
	uint32_t nr_balancers;
	uint32_t nr;
	uint16_t pods[SIM_MAX_PODS];
	uint32_t own[SIM_MAX_PODS];
	struct rng random;
};

static inline int rival__init(void *state, const struct sim_env *env)
{
	struct rival *r = state;

	r->scenario = env->scenario;
	r->sim = env->sim;
	r->nr_balancers = env->nr_balancers;
	rng__init(&r->random, env->seed);
	return 0;
}

static inline void rival__members(void *state, const uint16_t *pods, uint32_t nr, uint64_t now_ns)
{
	struct rival *r = state;

	(void)now_ns;
	r->nr = nr;
	memcpy(r->pods, pods, nr * sizeof(pods[0]));
}

static inline void rival__sent(void *state, uint32_t pod, uint64_t now_ns)
{
	struct rival *r = state;

	(void)now_ns;
	r->own[pod]++;
}

static inline void rival__done(void *state, const struct sim_outcome *o)
{
	struct rival *r = state;

	r->own[o->pod]--;
}

/* A member at random. */
static inline uint32_t rival__any(struct rival *r)
{
	return r->pods[rng__below(&r->random, r->nr)];
}

/* Two different members at random (the same twice when there is one). */
static inline void rival__two(struct rival *r, uint32_t ret_pods[2])
{
	uint32_t a = (uint32_t)rng__below(&r->random, r->nr), b = r->nr > 1 ? (uint32_t)rng__below(&r->random, r->nr - 1) : 0;

	if (r->nr > 1 && b >= a)
		b++;
	ret_pods[0] = r->pods[a];
	ret_pods[1] = r->pods[b];
}

/* The member of the lowest cost; ties at random. */
static inline uint32_t rival__least(struct rival *r, double (*cost)(struct rival *r, uint32_t pod, const struct sim_choice *c),
				    const struct sim_choice *c)
{
	uint32_t start = (uint32_t)rng__below(&r->random, r->nr), best_pod = r->pods[start];
	double best = cost(r, best_pod, c);

	for (uint32_t i = 1; i < r->nr; i++) {
		uint32_t at = start + i < r->nr ? start + i : start + i - r->nr;
		double this = cost(r, r->pods[at], c);

		if (this < best) {
			best = this;
			best_pod = r->pods[at];
		}
	}
	return best_pod;
}

#endif
