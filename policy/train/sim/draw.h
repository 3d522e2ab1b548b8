/* SPDX-License-Identifier: BSD-2-Clause */
/* Random draws of the simulator, by exact arithmetic (policy/train/exact.h): the same on every machine. */
#ifndef PINTLE_TRAIN_DRAW_H
#define PINTLE_TRAIN_DRAW_H

#include "policy/train/exact.h"
#include "policy/train/rng.h"
#include "policy/train/sim/sim.h"

/* Exponential of mean 1, > 0. */
static inline double draw__exponential(struct rng *r)
{
	return -exact__log(1.0 - rng__uniform(r));
}

/* Standard normal (Marsaglia's polar method; the second value is dropped). */
double draw__normal(struct rng *r);
/* Work of a request by the scenario's sizes, ns, >= 1. */
uint64_t draw__work_ns(struct rng *r, const struct sim_scenario *s);
/* Mean of draw__work_ns, ns. */
double draw__mean_work_ns(const struct sim_scenario *s);

#endif
