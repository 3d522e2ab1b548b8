/* SPDX-License-Identifier: BSD-2-Clause */
/* How the models of policy/models are made: which runs, which loss, which seeds. One seed gives one file, byte for byte, on every x86-64. */
#ifndef PINTLE_TRAIN_CURRICULUM_H
#define PINTLE_TRAIN_CURRICULUM_H

#include "policy/model.h"
#include "policy/train/fit.h"
#include "policy/train/lesson.h"

/*
 * Rows come from runs without a model, under seeds from CURRICULUM_SEED on: CURRICULUM_RUNS of each lesson, the last of which is held out. Figures in
 * docs/policy.md are of other seeds (below 1000).
 */
#define CURRICULUM_SEED 1000u
#define CURRICULUM_RUNS 4u

struct curriculum_report {
	struct fit_report fit;
	uint64_t train_rows, held_rows;
};

/* The config of the shipped model; `tiny`: of a small one that takes a second, for tests. */
void curriculum__config(bool tiny, uint64_t seed, struct fit_config *ret_config);
/* Runs the lessons (of the scenario `only`, when it is not NULL) and fills both data sets (empty, FEATURE_NR inputs). 0, or -errno with the reason. */
int curriculum__collect(bool tiny, const char *only, uint32_t threads, struct dataset *train, struct dataset *held,
			char ret_why[LESSON_WHY_BYTES]);
/* Trains on them. *ret_model is whole: metadata (`origin` says where the rows came from) and golden vectors too. */
int curriculum__train(const struct fit_config *c, const char *origin, const struct dataset *train, const struct dataset *held,
		      struct model *ret_model, struct curriculum_report *ret_report, char ret_why[LESSON_WHY_BYTES]);

#endif
