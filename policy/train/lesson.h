/* SPDX-License-Identifier: BSD-2-Clause */
/* Where rows for training come from, and how well a policy does: runs of the simulator. */
#ifndef PINTLE_TRAIN_LESSON_H
#define PINTLE_TRAIN_LESSON_H

#include <stdint.h>

#include "policy/model.h"
#include "policy/train/dataset.h"
#include "policy/train/sim/pintle.h"

#define LESSON_WHY_BYTES 160
#define LESSON_REPORT_NS (10 * SIM_MS)

struct lesson {
	const char *scenario; /* of policy/train/sim/scenario.h */
	double load;
	uint32_t balancers;
	uint32_t seconds;     /* simulated */
	uint32_t every;	      /* one of so many rows is kept */
	const char *data_dir; /* token sizes of s3, or NULL */
};

/* The rows of one run of pintle's policy (with the model, when there is one) after the warm-up. 0, or -errno with the reason. */
int lesson__collect(const struct lesson *l, uint64_t seed, const struct model *model, struct dataset *d,
		    char ret_why[LESSON_WHY_BYTES]);

struct lesson_result {
	double p99_ns, mean_ns, p50_ns, p999_ns;
};
/* Who may change the knobs during a run: struct sim_run on_slow. */
struct lesson_tuner {
	uint64_t window_ns;
	bool (*on_slow)(void *arg, uint64_t now_ns, const struct sim_window *window, struct policy_knobs *knobs);
	void *arg;
};

/* One run under `options`; `tuner` may be NULL. */
int lesson__run(const struct lesson *l, uint64_t seed, const struct sim_pintle_options *options,
		const struct lesson_tuner *tuner, struct lesson_result *ret, char ret_why[LESSON_WHY_BYTES]);

/* Mean of n values and the half width of its 95 % confidence interval (Student's t); infinite for n < 2. */
void lesson__interval(const double *x, uint32_t n, double *ret_mean, double *ret_half);

#endif
