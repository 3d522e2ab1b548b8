/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One simulated pod. All three disciplines are processor sharing among the first `slots` requests with a rate per request that depends on how
 * many they are, so a pod keeps one virtual time (work that each running request has got) and a heap of the virtual times at which they end;
 * what does not run yet waits in order.
 */
#ifndef PINTLE_TRAIN_POD_H
#define PINTLE_TRAIN_POD_H

#include "policy/train/rng.h"
#include "policy/train/sim/sim.h"

struct sim_running {
	double end; /* in virtual time */
	uint32_t job;
};

struct sim_waiting {
	double work_ns;
	uint32_t job;
};

struct sim_pod {
	const struct sim_pod_spec *spec;
	uint32_t max_running;
	uint32_t state; /* of the antagonist */
	double speed;	/* now */
	double rate;	/* virtual time per ns, now */
	double virtual_ns;
	double sum_end; /* over the heap */
	double sum_waiting;
	double busy_ns;	   /* integral of the share of the slots that were in use */
	uint64_t last_ns;  /* when virtual_ns was brought up to date */
	uint64_t speed_ns; /* next change of speed */
	struct rng speeds;
	struct sim_running *heap;
	uint32_t nr_running, heap_size;
	struct sim_waiting *queue; /* ring */
	uint32_t nr_waiting, queue_head, queue_size;
	uint64_t arrived; /* requests */
};

int sim_pod__init(struct sim_pod *p, const struct sim_pod_spec *spec, uint64_t seed);
void sim_pod__fini(struct sim_pod *p);
/* A request of `work_ns` comes at now_ns. -ENOMEM, or 0. */
int sim_pod__push(struct sim_pod *p, uint32_t job, uint64_t work_ns, uint64_t now_ns);
/* When a request ends next, SIM_NEVER when none runs. Valid until the next push, pop or change of speed. */
uint64_t sim_pod__next_ns(const struct sim_pod *p);
/* The request that ends at now_ns = sim_pod__next_ns(). */
uint32_t sim_pod__pop(struct sim_pod *p, uint64_t now_ns);
/* At speed_ns: to the next speed. */
void sim_pod__change_speed(struct sim_pod *p, uint64_t now_ns);
static inline uint32_t sim_pod__in_flight(const struct sim_pod *p)
{
	return p->nr_running + p->nr_waiting;
}

/* What the oracles know. Work of the requests here that is not done, ns at speed 1. */
double sim_pod__work_left(const struct sim_pod *p, uint64_t now_ns);
/* Time until a new request of that work would end if nothing else came, and (ret_others, may be NULL) the sum of the delays that it causes to
 * the requests here. */
double sim_pod__time_to_end(const struct sim_pod *p, uint64_t now_ns, double work_ns, double *ret_others);
/* Time per work for one of n running requests at the present speed. */
double sim_pod__slowness(const struct sim_pod *p, uint32_t n);
/* Time that a request of that work would take at the present speed if it found n others of its kind and their number stayed. */
double sim_pod__expected(const struct sim_pod *p, uint32_t n, double work_ns);

#endif
