/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Simulator of balancers in front of pods: discrete events on an integer nanosecond clock, deterministic by seed, single threaded (run
 * several processes for several cores). Arrivals, sizes and the pods' speeds come from random streams of their own, so that all policies
 * under one seed meet the same requests and the same antagonists: results are compared in pairs.
 *
 * A policy is a struct sim_balancer_ops; pintle's own (pintle.c, which calls policy/ unchanged) and its rivals are the same kind of thing.
 */
#ifndef PINTLE_TRAIN_SIM_H
#define PINTLE_TRAIN_SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy/knobs.h"
#include "policy/signal.h"
#include "policy/train/sim/hist.h"

#define SIM_MAX_PODS 64u
#define SIM_MAX_BALANCERS 64u
#define SIM_MAX_SPEEDS 4u
#define SIM_MAX_INPUTS 16u /* features of a training row */
#define SIM_S 1000000000ull
#define SIM_MS 1000000ull
#define SIM_NEVER UINT64_MAX

/* ---- scenario ---- */

enum sim_discipline {
	SIM_FIFO, /* `slots` requests at once, the rest wait */
	SIM_PS,	  /* processor sharing on `slots` cores: with n requests each runs at min(1, slots / n) */
	SIM_BATCH, /* up to `slots` at once, each at 1 / (1 + slowdown (n - 1)); the rest wait (continuous batching of an LLM server) */
};

struct sim_pod_spec {
	enum sim_discipline discipline;
	uint32_t slots;
	double slowdown;      /* SIM_BATCH */
	double speed;	      /* work per time, > 0 */
	uint64_t base_ns;     /* added to every request's work on this pod */
	uint32_t concurrency; /* what an operator would configure for it */
	/* Antagonists: the pod's speed is multiplied by state_speed[i] for an exponential time of mean dwell_ns[i]; from state 0 it goes to
	 * i > 0 with weight state_weight[i], from there back to 0. nr_states 0: none. */
	uint32_t nr_states;
	double state_speed[SIM_MAX_SPEEDS];
	double state_weight[SIM_MAX_SPEEDS];
	uint64_t dwell_ns[SIM_MAX_SPEEDS];
	double fail_share; /* requests that are refused at once */
};

enum sim_sizes {
	SIM_SIZES_UNIFORM, /* work = size_ns[0] + U(0, size_ns[1]) */
	SIM_SIZES_NORMAL, /* normal with deviation = mean, cut at 0, scaled so that the mean is size_ns[0] (Prequal's test bed) */
	SIM_SIZES_PARETO, /* bounded Pareto, shape size_shape, between size_ns[0] and size_ns[1] */
	SIM_SIZES_TRACE,  /* a row of `trace`, drawn at random */
};

struct sim_change { /* of the set of pods that take new requests; requests under way are finished */
	uint64_t at_ns;
	uint16_t pod;
	bool up;
};

struct sim_scenario {
	const char *name;
	struct sim_pod_spec pods[SIM_MAX_PODS];
	uint32_t nr_pods;
	double rate_per_s; /* Poisson, over all balancers */
	enum sim_sizes sizes;
	uint64_t size_ns[2];
	double size_shape;
	const uint64_t *trace_ns; /* SIM_SIZES_TRACE: work of each row; the caller's */
	uint32_t nr_trace;
	/* Connections: the pod is chosen for the first request, the others follow on it, each an exponential think time after the answer. */
	uint32_t requests_per_connection; /* 1 = every request is a choice */
	uint64_t think_ns;
	uint64_t network_ns;		  /* balancer to pod, and back: one way */
	uint64_t duration_ns;		  /* arrivals stop; what is under way is finished */
	uint64_t warmup_ns;		  /* requests that began before are not counted */
	const struct sim_change *changes; /* sorted by time; pods without a change are up from the start; the caller's */
	uint32_t nr_changes;
	uint64_t after_change_ns; /* > 0: requests that began up to so long after a pod came up are counted apart as well */
};

/* ---- what a policy sees ---- */

struct sim_env {
	const struct sim_scenario *scenario;
	struct sim *sim; /* for the oracles' questions below */
	uint32_t index;	 /* of this balancer */
	uint32_t nr_balancers;
	uint64_t seed;	     /* of this balancer's own randomness */
	const void *options; /* of the policy, e.g. struct sim_pintle_options; NULL = its defaults */
	bool records;	     /* somebody reads training rows */
};

struct sim_choice {
	uint64_t now_ns;
	uint64_t random;  /* 64 fresh bits, as the hash of a flow gives them */
	uint64_t work_ns; /* oracles only: the request's work without the pod's base */
	/* what choose() may leave for its outcome and for the training rows */
	uint32_t load; /* that it assumed for the pod */
	uint32_t memo;
	int32_t gain_q8, psi_q8; /* of the pod and of its load */
	uint32_t nr_inputs;
	int8_t input[SIM_MAX_INPUTS];
};

struct sim_outcome {
	uint64_t now_ns;
	uint64_t latency_ns; /* from the choice (or the request) to the first byte, as the balancer sees it */
	uint32_t pod;
	bool first;			 /* request of its connection: this balancer's choice */
	const struct sim_choice *choice; /* of the connection */
};

/* What the node of a pod has seen of it since the start, from all balancers. */
struct sim_samples {
	uint64_t arrived, answered, failed;
};

/* A load report as every balancer gets it: by pod, as it was at taken_ns. */
struct sim_report {
	uint64_t now_ns, taken_ns;
	const uint32_t *load; /* requests in flight */
	const struct sim_samples *samples;
};

struct sim_balancer_ops {
	const char *name;
	const char *what; /* one line: source and constants */
	size_t size;	  /* of the state; zeroed before init */
	uint64_t tick_ns; /* period of tick(); 0 = none */
	int (*init)(void *state, const struct sim_env *env);
	void (*fini)(void *state);
	/* The pods that may be chosen; called before the first choice and after every change. `pods` is sorted. */
	void (*members)(void *state, const uint16_t *pods, uint32_t nr, uint64_t now_ns);
	/* Returns the pod, one of the members. */
	uint32_t (*choose)(void *state, struct sim_choice *c);
	void (*sent)(void *state, uint32_t pod, uint64_t now_ns); /* later requests of a connection */
	void (*on_first_byte)(void *state, const struct sim_outcome *o);
	void (*on_fail)(void *state, const struct sim_outcome *o);
	void (*report)(void *state, const struct sim_report *r);
	void (*tick)(void *state, uint64_t now_ns);
	void (*set)(void *state, const struct policy_knobs *knobs); /* any time; values are clamped */
};

/* Every policy by name; NULL when there is none. sim_policy__at lists them, NULL past the end. */
const struct sim_balancer_ops *sim_policy__find(const char *name);
const struct sim_balancer_ops *sim_policy__at(uint32_t index);

/* ---- training ---- */

/* One answered request of pintle's policy: the features of its pod at the tick before the choice, and what came. */
struct sim_row {
	uint64_t now_ns;
	uint16_t pod, balancer;
	uint8_t nr_inputs;
	int8_t input[SIM_MAX_INPUTS]; /* policy/feature.h */
	int32_t target_q8;	      /* log2 latency_us - gain - log2 psi(load), at the choice */
	int32_t gain_q8, psi_q8;
	uint64_t latency_ns;
};

/* ---- a run ---- */

/* Latencies of the requests that were answered in a window of the slow loop, over all balancers. */
struct sim_window {
	uint64_t from_ns, to_ns;
	const struct sim_hist *latency;
	double mean_ns;
};

struct sim_run {
	const struct sim_scenario *scenario;
	const struct sim_balancer_ops *policy;
	const void *policy_options;
	uint32_t nr_balancers;
	uint64_t seed;
	uint64_t report_period_ns; /* 0 = no reports */
	uint64_t report_age_ns;	   /* way of a report: delivered so long after it was taken */
	bool report_together; /* all balancers get theirs at once, else one after the other, evenly spread over the period */
	void (*on_row)(void *arg, const struct sim_row *row);
	void *row_arg;
	/* The slow loop: called every slow_ns with the latencies of the window just ended; returns whether it changed the knobs, which are
	 * then set for every balancer. slow_ns 0 = none. */
	uint64_t slow_ns;
	bool (*on_slow)(void *arg, uint64_t now_ns, const struct sim_window *window, struct policy_knobs *knobs);
	void *slow_arg;
	struct policy_knobs knobs; /* first argument of on_slow; where the run begins */
};

struct sim_result {
	struct sim_hist latency;      /* ns, requests that began after the warm-up */
	struct sim_hist after_change; /* of them, within after_change_ns of a pod that came up */
	double mean_ns;
	uint64_t requests, failed;
	uint64_t events;
	uint64_t max_in_flight;
	uint64_t share[SIM_MAX_PODS]; /* requests by pod */
	bool diverged;		      /* more than SIM_MAX_IN_FLIGHT at once: the run was ended there */
};

#define SIM_MAX_IN_FLIGHT (1u << 18)

/* 0, -EINVAL (a scenario or run that makes no sense; *ret_why, when given, says what), -ENOMEM. `ret_result` is the caller's. */
int sim__run(const struct sim_run *run, struct sim_result *ret_result, const char **ret_why);

#endif
