/* SPDX-License-Identifier: BSD-2-Clause */
/* Random nets, in plain arrays and built, for the tests of the net and of model files. Draws are by splitmix64 from *rng. */
#ifndef PINTLE_TESTS_UNIT_MLP_FIXTURE_H
#define PINTLE_TESTS_UNIT_MLP_FIXTURE_H

#include <stdint.h>

#include "policy/mlp.h"
#include "policy/model.h"

struct plain_net {
	uint32_t nr_layers;
	uint32_t widths[MLP_MAX_LAYERS + 1];
	enum mlp_activation activation[MLP_MAX_LAYERS];
	uint32_t multiplier[MLP_MAX_LAYERS], shift[MLP_MAX_LAYERS];
	int8_t weights[MLP_MAX_LAYERS][MLP_MAX_WIDTH * MLP_MAX_WIDTH]; /* row by row */
	int32_t bias[MLP_MAX_LAYERS][MLP_MAX_WIDTH];
};

uint64_t random_u64(uint64_t *rng);
double random_double(uint64_t *rng); /* 0..1 */
/* `kind` 0 and above 2: any values; 1: the ends; 2: mostly zero. */
void random_input(uint64_t *rng, int kind, int8_t in[MLP_MAX_WIDTH]);

/* Any shape, weights of any spread, biases up to the limit, any multiplier: seldom sensible, nearly always legal. */
void plain_net__random(struct plain_net *n, uint64_t *rng);
/* As trained ones are: activations neither all 0 nor all 127. */
void plain_net__random_usual(struct plain_net *n, uint64_t *rng);
enum mlp_fault plain_net__build(const struct plain_net *n, struct mlp *ret);

/* A sensible model of FEATURE_NR inputs with hidden layers of these widths (0 = none), golden vectors and a text. */
void random_model(uint64_t seed, uint32_t hidden1, uint32_t hidden2, uint32_t hidden3, struct model *ret);

/* MLP_CPU_* of this machine. */
uint32_t cpu_features(void);

#endif
