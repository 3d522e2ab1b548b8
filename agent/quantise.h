/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From real numbers to the integers of policy/mlp.h, after training: Jacob et al., CVPR 2018 (arXiv 1712.05877), section 2, symmetric, one scale a
 * layer. Weights: their largest is 127. Activations of ReLU: 127 is a part of the largest that the calibration inputs give, the part that makes the
 * error smallest; of a hard sigmoid: 1.
 */
#ifndef PINTLE_AGENT_QUANTISE_H
#define PINTLE_AGENT_QUANTISE_H

#include "agent/calibration.h"
#include "agent/err.h"
#include "agent/floatnet.h"

/* Of the integer net against the real one over the calibration inputs, in octaves. */
struct quantise_report {
	uint32_t nr_inputs;
	double rms_error, max_error;
	double rms_output; /* of the real net: what the error is to be seen against */
	double part;	   /* of the largest activations that 127 stands for */
};

/* `net` has one output. -EINVAL: no scale fits it, the message says which layer. */
int quantise(const struct float_net *net, const struct calibration *c, struct mlp *ret, struct quantise_report *ret_report,
	     struct pintle_err *err);

#endif
