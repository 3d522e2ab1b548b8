/* SPDX-License-Identifier: BSD-2-Clause */
/* The two ways to run a net, for mlp.c alone. Both write all outputs of the last layer, padded to whole blocks of 8, and give the same bits. */
#ifndef PINTLE_POLICY_MLP_PATHS_H
#define PINTLE_POLICY_MLP_PATHS_H

#include "policy/mlp.h"

#if defined(__x86_64__)
#define MLP_HAS_AVX2 1
#else
#define MLP_HAS_AVX2 0
#endif

/* x[i] for odd numbers of inputs is read one further: room for a pair, zero. */
struct mlp_activations {
	int16_t x[MLP_MAX_WIDTH];
} __attribute__((aligned(32)));

void mlp_avx2__forward(const struct mlp *m, const int8_t *in, int32_t ret_out[MLP_MAX_WIDTH]);

#endif
