/* SPDX-License-Identifier: BSD-2-Clause */
/* The scenarios of docs/policy.md by name. */
#ifndef PINTLE_TRAIN_SCENARIO_H
#define PINTLE_TRAIN_SCENARIO_H

#include "policy/train/sim/sim.h"

/* Memory that a scenario refers to. */
struct sim_scenario_data {
	struct sim_change changes[512];
	uint64_t *trace_ns; /* freed by scenario__free */
};

/*
 * Names: s1 (2 pods of 20 ms and 2 of 250 ms + U(0, 50) ms, one request at a time), s2 (20 pods of 4 cores with antagonists), s3 (8 LLM servers,
 * 2 at half speed), s2-pareto (s2 with bounded Pareto sizes, shape 1.5, mean 20 ms), s2-add (s2 to which a pod is added, and taken away, once a
 * minute), s2-fail (s2 with a pod that refuses most of its requests at once), s2-recover (s2 whose pods all but stop for 5 s now and then).
 * load: share of the mean capacity, (0, 2]. Token sizes of s3: `data_dir` with the two files of the Azure LLM inference trace 2023, or NULL for a
 * synthetic stand-in. Sets everything but the duration, which the caller may change together with the warm-up.
 * 0, -EINVAL (unknown name, load out of range), -ENOENT or -EBADMSG (files), -ENOMEM; the reason is in ret_why[160].
 */
int scenario__make(const char *name, double load, const char *data_dir, struct sim_scenario *ret_scenario,
		   struct sim_scenario_data *ret_data, char ret_why[160]);
void scenario__free(struct sim_scenario_data *data);

#endif
