/* SPDX-License-Identifier: BSD-2-Clause */
#include "agent/floatnet.h"

#include <math.h>
#include <string.h>

#include "policy/feature.h"

static double activate(const struct float_layer *l, double z)
{
	if (l->activation == MLP_RELU)
		return fmax(z, 0);
	if (l->activation == MLP_HARD_SIGMOID)
		return fmin(fmax(l->slope * z + l->offset, 0), 1);
	return z;
}

double float_net__run(const struct float_net *net, const double *in, double ret_peaks[MLP_MAX_LAYERS])
{
	double x[MLP_MAX_WIDTH], y[MLP_MAX_WIDTH] = { 0 };

	memcpy(x, in, net->layers[0].nr_in * sizeof(*in));
	for (uint32_t i = 0; i < net->nr_layers; i++) {
		const struct float_layer *l = &net->layers[i];

		for (uint32_t o = 0; o < l->nr_out; o++) {
			double z = l->bias[o];

			for (uint32_t k = 0; k < l->nr_in; k++)
				z += l->weights[o * l->nr_in + k] * x[k];
			y[o] = activate(l, z);
			if (ret_peaks && i + 1 < net->nr_layers)
				ret_peaks[i] = fmax(ret_peaks[i], y[o]);
		}
		memcpy(x, y, l->nr_out * sizeof(*y));
	}
	return y[0];
}

void float_net__of(const struct mlp *mlp, struct float_net *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->nr_layers = mlp->nr_layers;
	for (uint32_t i = 0; i < mlp->nr_layers; i++) {
		const struct mlp_layer *from = &mlp->layers[i];
		struct float_layer *l = &ret->layers[i];
		int is_last = i + 1 == mlp->nr_layers;
		double scale = ldexp(from->multiplier, -(int)from->shift) / (is_last ? MLP_OUTPUT_ONE : MLP_ACTIVATION_ONE);
		double input_one = i ? MLP_ACTIVATION_ONE : FEATURE_ONE;

		l->nr_in = from->nr_in;
		l->nr_out = from->nr_out;
		l->activation = is_last ? MLP_LINEAR : MLP_HARD_SIGMOID;
		l->slope = 1;
		for (uint32_t o = 0; o < l->nr_out; o++) {
			l->bias[o] = from->bias[o] * scale;
			for (uint32_t k = 0; k < l->nr_in; k++)
				l->weights[o * l->nr_in + k] = mlp_layer__weight(from, o, k) * scale * input_one;
		}
	}
}
