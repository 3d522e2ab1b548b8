/* SPDX-License-Identifier: BSD-2-Clause */
/* pintle's own policy in the simulator: policy/ unchanged, with what the agent and the programs do around it. */
#ifndef PINTLE_TRAIN_PINTLE_H
#define PINTLE_TRAIN_PINTLE_H

#include "policy/model.h"
#include "policy/train/sim/sim.h"

/* Where the load of other balancers comes from. */
enum sim_pintle_load {
	SIM_LOAD_RECKONED = 0, /* policy/reckon.h over the reports; own ones alone until the first */
	SIM_LOAD_FRESH,	       /* true requests in flight, known at every instant: what reports can at most give */
	SIM_LOAD_STALE,	       /* the last report as it is */
	SIM_LOAD_OWN,	       /* own requests alone */
};

struct sim_pintle_options {
	struct policy_knobs knobs;
	enum sim_pintle_load load;
	bool no_gain, no_explore, no_ramp;
	bool no_reuse;		   /* the configured concurrency also where connections are used again */
	bool queue_psi;		   /* the curve of include/pintle/score.h for batching servers too */
	const struct model *model; /* its residual is added to the gains; NULL = none */
};

#define SIM_PINTLE_TICK_NS (10 * SIM_MS)

/* What a run without options uses: knobs__default, everything on, no model. */
extern const struct sim_pintle_options sim_pintle_defaults;

#endif
