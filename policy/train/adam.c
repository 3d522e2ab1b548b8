// SPDX-License-Identifier: BSD-2-Clause
#include "policy/train/adam.h"

#include <math.h>
#include <string.h>

#define BETA1 0.9
#define BETA2 0.999
#define EPSILON 1e-8

void adam__init(struct adam *a)
{
	memset(a, 0, sizeof(*a));
	a->beta1_power = 1;
	a->beta2_power = 1;
}

void adam__step(struct adam *a, double rate, const double *grad, double *param, uint32_t nr_params)
{
	a->beta1_power *= BETA1;
	a->beta2_power *= BETA2;
	for (uint32_t i = 0; i < nr_params; i++) {
		double g = grad[i], m_hat, v_hat;

		a->first[i] = BETA1 * a->first[i] + (1 - BETA1) * g;
		a->second[i] = BETA2 * a->second[i] + (1 - BETA2) * g * g;
		m_hat = a->first[i] / (1 - a->beta1_power);
		v_hat = a->second[i] / (1 - a->beta2_power);
		param[i] -= rate * m_hat / (sqrt(v_hat) + EPSILON);
	}
}
