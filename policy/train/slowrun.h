/* SPDX-License-Identifier: BSD-2-Clause */
/* policy/slow.h in the simulator, against the best fixed setting of a grid. */
#ifndef PINTLE_TRAIN_SLOWRUN_H
#define PINTLE_TRAIN_SLOWRUN_H

#include "policy/slow.h"
#include "policy/train/lesson.h"

#define SLOWRUN_MAX_SEEDS 32u

struct slowrun {
	struct lesson lesson;
	uint32_t grid_seconds;		   /* simulated, of the runs that choose the best fixed setting */
	uint64_t window_ns;		   /* of the slow loop */
	uint32_t tuned;			   /* bit per enum slow_knob; the grid moves them too */
	uint64_t grid_seed, nr_grid_seeds; /* training seeds */
	uint64_t seed, nr_seeds;	   /* held-out seeds */
	uint32_t threads;
};

/* Ratios of p99 and of the reward's cost (log2 p99 + 0.3 log2 mean), in octaves: mean over the held-out seeds and half of the 95 % interval. */
struct slowrun_result {
	struct policy_knobs best;	      /* fixed */
	double best_p99, best_p99_half;	      /* best fixed against the default setting */
	double slow_p99, slow_p99_half;	      /* slow loop, begun at the default setting, against the default setting */
	double versus_p99, versus_p99_half;   /* slow loop against best fixed */
	double versus_cost, versus_cost_half; /* the same in the units of the reward */
	double won, lost;		      /* challengers a run, in the mean */
};

int slowrun__compare(const struct slowrun *s, struct slowrun_result *ret_result, char ret_why[LESSON_WHY_BYTES]);

#endif
