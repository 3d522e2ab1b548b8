/* SPDX-License-Identifier: BSD-2-Clause */
/* Rows for training: the integer features of a pod as the balancer saw them, and what came of it. */
#ifndef PINTLE_TRAIN_DATASET_H
#define PINTLE_TRAIN_DATASET_H

#include <stddef.h>
#include <stdint.h>

#define DATASET_MAX_INPUTS 64u

struct dataset {
	uint32_t nr_inputs;
	size_t nr, room;
	int8_t *inputs;	  /* nr_inputs a row */
	int32_t *targets; /* log2 of the ratio of measured to expected latency, Q8.8 */
	uint64_t *times;  /* ns; of the same clock within one data set; for splits by time */
};

/* nr_inputs in 1..DATASET_MAX_INPUTS. Nothing is allocated before the first row. */
void dataset__init(struct dataset *d, uint32_t nr_inputs);
void dataset__free(struct dataset *d);
/* -ENOMEM; the rows so far stay. */
int dataset__add(struct dataset *d, const int8_t *inputs, int32_t target_q8, uint64_t time_ns);
/*
 * Rows of the last `percent` (1..99) of the time go to *ret_held, those before to *ret_train, and those of the 1 % of the time between to
 * neither, since neighbours in time tell of each other. Both are new and the caller's to free, also on -ENOMEM. -ERANGE: one of them is empty.
 */
int dataset__split(const struct dataset *d, uint32_t percent, struct dataset *ret_train, struct dataset *ret_held);

#endif
