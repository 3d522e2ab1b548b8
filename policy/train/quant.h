/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From floating point to the integers of policy/mlp.h. Jacob et al., "Quantization and Training of Neural Networks for Efficient
 * Integer-Arithmetic-Only Inference", CVPR 2018: section 3 (training with simulated quantisation, the derivative goes straight through the
 * rounding), in the symmetric form of mlp.h: one step a layer, max |w| / 127 for weights, what was seen / 127 for activations.
 */
#ifndef PINTLE_TRAIN_QUANT_H
#define PINTLE_TRAIN_QUANT_H

#include "policy/mlp.h"
#include "policy/train/dataset.h"
#include "policy/train/net.h"

#define QUANT_INPUT_STEP (1.0 / 32) /* of the inputs: policy/feature.h, Q2.5 */

/* Step of the weights of a layer; > 0 also when all are zero. */
double quant__weight_step(const struct net *net, uint32_t layer);
/* A copy whose weights are what the integers will be, biases untouched. */
void quant__round_weights(const struct net *net, struct net *ret_rounded);
/* Largest outputs of the hidden layers over rows 0, stride, 2 * stride.. of `d`, as steps; > 0. */
void quant__observe(const struct net *net, const struct dataset *d, size_t stride, struct net_steps *ret_steps);
/* Moves the steps by `share` of the way to `to`: the moving average of section 3.1. */
void quant__blend(struct net_steps *steps, const struct net_steps *to, uint32_t nr_layers, double share);
/* MLP_OK with *ret_mlp checked, or what mlp.h refuses (weights that are no numbers, steps without bounds). */
enum mlp_fault quant__export(const struct net *net, const struct net_steps *steps, struct mlp *ret_mlp);

#endif
