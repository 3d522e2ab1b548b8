/* SPDX-License-Identifier: BSD-2-Clause */
/* Adam: Kingma and Ba, "Adam: a method for stochastic optimization", ICLR 2015, algorithm 1, with the constants proposed there (beta1 = 0.9,
 * beta2 = 0.999, epsilon = 1e-8). The powers of beta are products, not pow(): the same to the bit everywhere. */
#ifndef PINTLE_TRAIN_ADAM_H
#define PINTLE_TRAIN_ADAM_H

#include <stdint.h>

#include "policy/train/net.h"

struct adam {
	double first[NET_MAX_PARAMS], second[NET_MAX_PARAMS]; /* m, v */
	double beta1_power, beta2_power;		      /* beta^t */
};

void adam__init(struct adam *a);
/* One step t: param -= rate * m_hat / (sqrt(v_hat) + epsilon). */
void adam__step(struct adam *a, double rate, const double *grad, double *param, uint32_t nr_params);

#endif
