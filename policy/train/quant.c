// SPDX-License-Identifier: BSD-2-Clause
#include "policy/train/quant.h"

#include <math.h>
#include <stdbool.h>

#define WEIGHT_MAX 127
#define STEP_MIN 1e-6 /* a layer of zeros has no scale of its own */

double quant__weight_step(const struct net *net, uint32_t layer)
{
	uint32_t nr = net->shape.width[layer] * net->shape.width[layer + 1];
	double most = 0;

	for (uint32_t i = 0; i < nr; i++)
		most = fmax(most, fabs(net->param[net->weights_at[layer] + i]));
	return fmax(most / WEIGHT_MAX, STEP_MIN);
}

/* Half away from zero, as everywhere in pintle. */
static double nearest(double x)
{
	return x < 0 ? -floor(0.5 - x) : floor(x + 0.5);
}

static double steps_of(double w, double step)
{
	return fmax(-WEIGHT_MAX, fmin(WEIGHT_MAX, nearest(w / step)));
}

void quant__round_weights(const struct net *net, struct net *ret_rounded)
{
	*ret_rounded = *net;
	for (uint32_t l = 0; l < net->shape.nr_layers; l++) {
		uint32_t nr = net->shape.width[l] * net->shape.width[l + 1];
		double step = quant__weight_step(net, l), *w = ret_rounded->param + net->weights_at[l];

		for (uint32_t i = 0; i < nr; i++)
			w[i] = step * steps_of(w[i], step);
	}
}

void quant__observe(const struct net *net, const struct dataset *d, size_t stride, struct net_steps *ret_steps)
{
	double most[NET_MAX_LAYERS] = { 0 }, in[NET_MAX_WIDTH];
	struct net_trace trace;

	for (size_t row = 0; row < d->nr; row += stride) {
		for (uint32_t i = 0; i < d->nr_inputs; i++)
			in[i] = d->inputs[row * d->nr_inputs + i] * QUANT_INPUT_STEP;
		net__run(net, NULL, in, &trace);
		for (uint32_t l = 0; l + 1 < net->shape.nr_layers; l++)
			for (uint32_t j = 0; j < net->shape.width[l + 1]; j++)
				most[l] = fmax(most[l], trace.value[l + 1][j]);
	}
	for (uint32_t l = 0; l < NET_MAX_LAYERS; l++)
		ret_steps->step[l] = fmax(most[l] / MLP_ACTIVATION_ONE, STEP_MIN);
}

void quant__blend(struct net_steps *steps, const struct net_steps *to, uint32_t nr_layers, double share)
{
	for (uint32_t l = 0; l < nr_layers; l++)
		steps->step[l] += share * (to->step[l] - steps->step[l]);
}

/* One layer as integers: real = acc * scale, and what leaves it is real / out_step. */
static enum mlp_fault export_layer(const struct net *net, uint32_t l, double in_step, double out_step, struct mlp *mlp)
{
	uint32_t nr_in = net->shape.width[l], nr_out = net->shape.width[l + 1], multiplier, shift;
	double step = quant__weight_step(net, l), scale = step * in_step;
	bool is_last = l + 1 == net->shape.nr_layers;
	int8_t weights[NET_MAX_WIDTH * NET_MAX_WIDTH];
	int32_t bias[NET_MAX_WIDTH];

	if (mlp__multiplier(scale / out_step, &multiplier, &shift))
		return MLP_BAD_MULTIPLIER;
	for (uint32_t o = 0; o < nr_out; o++) {
		double b = nearest(net->param[net->biases_at[l] + o] / scale);

		if (!(fabs(b) <= MLP_BIAS_MAX))
			return MLP_BAD_BIAS;
		bias[o] = (int32_t)b;
		for (uint32_t i = 0; i < nr_in; i++)
			weights[o * nr_in + i] = (int8_t)steps_of(net->param[net->weights_at[l] + i * nr_out + o], step);
	}
	return mlp__add(mlp, nr_in, nr_out, is_last ? MLP_LINEAR : MLP_RELU, multiplier, shift, weights, bias);
}

enum mlp_fault quant__export(const struct net *net, const struct net_steps *steps, struct mlp *ret_mlp)
{
	enum mlp_fault fault = MLP_OK;
	double in_step = QUANT_INPUT_STEP;
	struct mlp mlp;

	mlp__init(&mlp);
	for (uint32_t i = 0; i < net->nr_params; i++)
		if (!isfinite(net->param[i]))
			return MLP_BAD_WEIGHT;
	for (uint32_t l = 0; !fault && l < net->shape.nr_layers; l++) {
		double out_step = l + 1 == net->shape.nr_layers ? 1.0 / MLP_OUTPUT_ONE : steps->step[l];

		fault = export_layer(net, l, in_step, out_step, &mlp);
		in_step = out_step;
	}
	if (!fault)
		fault = mlp__check(&mlp, NULL);
	if (!fault)
		*ret_mlp = mlp;
	return fault;
}
