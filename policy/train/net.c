// SPDX-License-Identifier: BSD-2-Clause
#include "policy/train/net.h"

#include <math.h>
#include <string.h>

#define STEPS_MAX 127

bool net__is_shape(const struct net_shape *shape)
{
	if (shape->nr_layers < 1 || shape->nr_layers > NET_MAX_LAYERS)
		return false;
	for (uint32_t l = 0; l <= shape->nr_layers; l++)
		if (shape->width[l] < 1 || shape->width[l] > NET_MAX_WIDTH)
			return false;
	return shape->width[shape->nr_layers] == 1;
}

void net__init(struct net *net, const struct net_shape *shape, struct rng *rng)
{
	uint32_t at = 0;

	memset(net, 0, sizeof(*net));
	net->shape = *shape;
	for (uint32_t l = 0; l < shape->nr_layers; l++) {
		uint32_t nr_in = shape->width[l], nr_out = shape->width[l + 1];
		double bound = sqrt(6.0 / nr_in);

		net->weights_at[l] = at;
		for (uint32_t i = 0; i < nr_in * nr_out; i++)
			net->param[at++] = bound * (2 * rng__uniform(rng) - 1);
		net->biases_at[l] = at;
		at += nr_out;
	}
	net->nr_params = at;
}

/* ReLU, then the rounding when there is a step. */
static double pass_on(double sum, double step, bool *ret_passes)
{
	double steps;

	*ret_passes = sum > 0;
	if (!*ret_passes)
		return 0;
	if (step <= 0)
		return sum;
	steps = floor(sum / step + 0.5);
	*ret_passes = steps <= STEPS_MAX;
	return step * (*ret_passes ? steps : STEPS_MAX);
}

double net__run(const struct net *net, const struct net_steps *steps, const double *in, struct net_trace *trace)
{
	const uint32_t nr_layers = net->shape.nr_layers;

	memcpy(trace->value[0], in, net->shape.width[0] * sizeof(*in));
	for (uint32_t l = 0; l < nr_layers; l++) {
		const double *w = net->param + net->weights_at[l], *from = trace->value[l];
		uint32_t nr_in = net->shape.width[l], nr_out = net->shape.width[l + 1];
		double *to = trace->value[l + 1];

		memcpy(to, net->param + net->biases_at[l], nr_out * sizeof(*to));
		for (uint32_t i = 0; i < nr_in; i++, w += nr_out)
			for (uint32_t j = 0; j < nr_out; j++)
				to[j] += from[i] * w[j];
		if (l + 1 == nr_layers)
			break;
		for (uint32_t j = 0; j < nr_out; j++)
			to[j] = pass_on(to[j], steps ? steps->step[l] : 0, &trace->passes[l][j]);
	}
	return trace->value[nr_layers][0];
}

void net__back(const struct net *net, const struct net_trace *trace, double slope, double *grad)
{
	double delta[NET_MAX_WIDTH] = { slope }, before[NET_MAX_WIDTH];

	for (uint32_t l = net->shape.nr_layers; l-- > 0;) {
		const double *w = net->param + net->weights_at[l], *from = trace->value[l];
		double *gw = grad + net->weights_at[l], *gb = grad + net->biases_at[l];
		uint32_t nr_in = net->shape.width[l], nr_out = net->shape.width[l + 1];

		for (uint32_t j = 0; j < nr_out; j++)
			gb[j] += delta[j];
		for (uint32_t i = 0; i < nr_in; i++, w += nr_out, gw += nr_out) {
			double sum = 0;

			for (uint32_t j = 0; j < nr_out; j++) {
				gw[j] += from[i] * delta[j];
				sum += w[j] * delta[j];
			}
			before[i] = l && trace->passes[l - 1][i] ? sum : 0;
		}
		memcpy(delta, before, nr_in * sizeof(*delta));
	}
}
