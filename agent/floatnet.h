/* SPDX-License-Identifier: BSD-2-Clause */
/* A net in real numbers, as trainers make it: between ONNX files (agent/onnx.h) and the integers of policy/mlp.h. */
#ifndef PINTLE_AGENT_FLOATNET_H
#define PINTLE_AGENT_FLOATNET_H

#include <stdint.h>

#include "policy/mlp.h"

/* Inputs are normalised features (policy/feature.h): 1.0 is one scale above the center. Outputs of the last layer are octaves. */
struct float_layer {
	uint32_t nr_in, nr_out;
	enum mlp_activation activation;
	double slope, offset;			       /* hard sigmoid: clamp(slope * z + offset, 0, 1); slope > 0 */
	double weights[MLP_MAX_WIDTH * MLP_MAX_WIDTH]; /* [nr_out][nr_in], row by row */
	double bias[MLP_MAX_WIDTH];
};

/* 133 KiB: not for the stack. */
struct float_net {
	uint32_t nr_layers;
	struct float_layer layers[MLP_MAX_LAYERS];
};

/* First output. ret_peaks (may be NULL): raised to the largest output of each hidden layer. */
double float_net__run(const struct float_net *net, const double *in, double ret_peaks[MLP_MAX_LAYERS]);

/* The real net that a checked `mlp` stands for (see mlp.h): every hidden layer is a clamp to 0..1. */
void float_net__of(const struct mlp *mlp, struct float_net *ret);

#endif
