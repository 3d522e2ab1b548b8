/* SPDX-License-Identifier: BSD-2-Clause */
/* What a model adds: pintle's policy with it and without it under the same arrivals, sizes and antagonists. */
#ifndef PINTLE_TRAIN_EXAM_H
#define PINTLE_TRAIN_EXAM_H

#include "policy/train/lesson.h"

#define EXAM_MAX_SEEDS 32u
#define EXAM_WHY_BYTES 256

struct exam {
	struct lesson lesson;
	const struct model *model;
	uint64_t seed, nr_seeds; /* seed, seed + 1, ..: at most EXAM_MAX_SEEDS */
	uint32_t threads;
};

/* With the model over without it, in octaves: mean over the seeds and half of the 95 % interval. */
struct exam_result {
	double p50, p50_half, p99, p99_half, p999, p999_half, mean, mean_half;
	double p99_ms_without, p99_ms_with; /* geometric means */
};

int exam__run(const struct exam *e, struct exam_result *ret_result, char ret_why[EXAM_WHY_BYTES]);
/* Reads and proves a model file. */
int exam__load(const char *path, struct model *ret_model, char ret_why[EXAM_WHY_BYTES]);

#endif
