/* SPDX-License-Identifier: BSD-2-Clause */
/* Insides of a run, shared by the simulator's own files only. */
#ifndef PINTLE_TRAIN_ENGINE_H
#define PINTLE_TRAIN_ENGINE_H

#include "policy/train/rng.h"
#include "policy/train/sim/pod.h"
#include "policy/train/sim/recent.h"
#include "policy/train/sim/sim.h"

/* A request under way; between two requests of a connection, the connection. */
struct sim_job {
	uint64_t start_ns;
	uint64_t work_ns;
	struct sim_choice choice;
	struct rng draws;   /* sizes and think times of a connection */
	uint32_t left;	    /* requests of the connection after this one */
	uint32_t in_flight; /* of the pod, when it came there */
	uint16_t pod, balancer;
	bool first;
	uint32_t next_free;
};

/* (time, job) in order of time: a ring where the delay is the same for all, a heap else. */
struct sim_timed {
	uint64_t at_ns;
	uint32_t job;
};

struct sim_ring {
	struct sim_timed *entries;
	uint32_t head, nr, size; /* size: power of two */
};

struct sim_heap {
	struct sim_timed *entries;
	uint32_t nr, size;
};

int sim_ring__push(struct sim_ring *r, struct sim_timed t);
struct sim_timed sim_ring__pop(struct sim_ring *r);
int sim_heap__push(struct sim_heap *h, struct sim_timed t);
struct sim_timed sim_heap__pop(struct sim_heap *h);

enum sim_source {
	SIM_ARRIVAL,
	SIM_CHANGE,
	SIM_REPORT,
	SIM_DELIVER,
	SIM_TICK,
	SIM_SLOW,
	SIM_THINK,
	SIM_FORWARD,
	SIM_BACK,
	SIM_PODS, /* one each from here on */
};

/* Earliest of few sources: a tree of winners; of equal ones the lowest. */
#define SIM_LEAVES 128u
struct sim_agenda {
	uint64_t at_ns[SIM_LEAVES];
	uint8_t winner[SIM_LEAVES]; /* [1] the root; leaves lie beyond */
	uint32_t nr_leaves;	    /* power of two >= sources */
};

void sim_agenda__init(struct sim_agenda *a, uint32_t nr_sources);
static inline void sim_agenda__set(struct sim_agenda *a, uint32_t source, uint64_t at_ns)
{
	uint32_t node = (source + a->nr_leaves) / 2, left = source & ~1u, right = source | 1u;

	a->at_ns[source] = at_ns;
	for (;;) {
		a->winner[node] = (uint8_t)(a->at_ns[left] <= a->at_ns[right] ? left : right);
		if (node == 1)
			break;
		node /= 2;
		left = a->winner[2 * node];
		right = a->winner[2 * node + 1];
	}
}

struct sim_snapshot {
	uint64_t taken_ns;
	uint32_t balancer; /* for whom; nr_balancers: for all */
	uint32_t load[SIM_MAX_PODS];
	struct sim_samples samples[SIM_MAX_PODS];
};

#define SIM_SNAPSHOTS 256u /* under way at once */

struct sim {
	const struct sim_run *run;
	const struct sim_scenario *scenario;
	struct sim_result *result;
	uint64_t now_ns;
	struct sim_agenda agenda;
	struct sim_pod pods[SIM_MAX_PODS];
	struct sim_recent recent[SIM_MAX_PODS];
	void *states[SIM_MAX_BALANCERS];
	struct rng randoms[SIM_MAX_BALANCERS];
	struct rng arrivals;
	double mean_gap_ns;
	struct sim_job *jobs;
	uint32_t nr_jobs, size_jobs, free_job, in_flight;
	struct sim_ring forward, back;
	struct sim_heap thinking;
	struct sim_samples samples[SIM_MAX_PODS];
	struct sim_snapshot *snapshots; /* ring */
	uint32_t snapshot_head, nr_snapshots;
	uint16_t members[SIM_MAX_PODS];
	uint32_t nr_members, next_change, next_tick, next_report;
	uint64_t last_up_ns;
	double sum_ns;
	struct sim_hist window;
	double window_sum_ns;
	uint64_t window_from_ns;
	struct policy_knobs knobs;
	int error;
};

/* The events. An event that cannot go on leaves its reason in sim->error. */
void sim__arrive(struct sim *s);
void sim__think(struct sim *s);	  /* the next request of a connection */
void sim__forward(struct sim *s); /* a request reaches its pod */
void sim__pod(struct sim *s, uint32_t pod);
void sim__back(struct sim *s); /* an answer reaches its balancer */
void sim__change(struct sim *s);
void sim__take_report(struct sim *s);
void sim__deliver_report(struct sim *s);
void sim__tick(struct sim *s);
void sim__slow(struct sim *s);

#endif
