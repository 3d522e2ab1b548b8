// SPDX-License-Identifier: BSD-2-Clause
#include "policy/train/fit.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "policy/train/adam.h"

#define TARGET_ONE 256.0
#define OBSERVED_ROWS 20000u
#define RATE_END 0.1   /* of the first rate, at the last epoch */
#define QUANT_RATE 0.1 /* the same for fine-tuning */

/* What a training needs besides its config; on the heap. */
struct fit {
	const struct fit_config *config;
	const struct dataset *train, *held;
	struct rng rng;
	struct net net, best, rounded;
	struct adam adam;
	double grad[NET_MAX_PARAMS];
	uint32_t *order; /* rows of train */
};

void fit_config__default(struct fit_config *c)
{
	*c = (struct fit_config){
		.shape = { .nr_layers = 3, .width = { 12, 16, 8, 1 } },
		.seed = 1,
		.loss = FIT_HUBER,
		.delta = 1,
		.rate = 2e-3,
		.decay = 1e-5,
		.batch = 64,
		.epochs = 30,
		.patience = 5,
		.quant_epochs = 6,
	};
}

double fit__loss(const struct fit_config *c, double error, double *ret_slope)
{
	double size = fabs(error);

	if (c->loss == FIT_HUBER && size > c->delta) {
		*ret_slope = error < 0 ? -c->delta : c->delta;
		return c->delta * (size - c->delta / 2);
	}
	if (c->loss == FIT_EXPECTILE) {
		double weight = error < 0 ? c->expectile : 1 - c->expectile;

		*ret_slope = weight * error;
		return weight * error * error / 2;
	}
	*ret_slope = error;
	return error * error / 2;
}

static void load_row(const struct dataset *d, size_t row, double *in)
{
	for (uint32_t i = 0; i < d->nr_inputs; i++)
		in[i] = d->inputs[row * d->nr_inputs + i] * QUANT_INPUT_STEP;
}

double fit__evaluate(const struct fit_config *c, const struct net *net, const struct net_steps *steps, const struct dataset *d)
{
	double in[NET_MAX_WIDTH], slope, sum = 0;
	struct net_trace trace;

	for (size_t row = 0; row < d->nr; row++) {
		load_row(d, row, in);
		sum += fit__loss(c, net__run(net, steps, in, &trace) - d->targets[row] / TARGET_ONE, &slope);
	}
	return d->nr ? sum / (double)d->nr : 0;
}

double fit__evaluate_int8(const struct fit_config *c, const struct mlp *mlp, const struct dataset *d)
{
	double slope, sum = 0;

	for (size_t row = 0; row < d->nr; row++)
		sum += fit__loss(c, (mlp__run(mlp, d->inputs + row * d->nr_inputs) - d->targets[row]) / TARGET_ONE, &slope);
	return d->nr ? sum / (double)d->nr : 0;
}

static double evaluate_constant(const struct fit_config *c, double value, const struct dataset *d)
{
	double slope, sum = 0;

	for (size_t row = 0; row < d->nr; row++)
		sum += fit__loss(c, value - d->targets[row] / TARGET_ONE, &slope);
	return d->nr ? sum / (double)d->nr : 0;
}

static double mean_target(const struct dataset *d)
{
	int64_t sum = 0;

	for (size_t row = 0; row < d->nr; row++)
		sum += d->targets[row];
	return (double)sum / (double)d->nr / TARGET_ONE;
}

/* Fisher and Yates. */
static void shuffle(struct fit *f)
{
	for (size_t i = f->train->nr; i > 1; i--) {
		size_t j = rng__below(&f->rng, i);
		uint32_t keep = f->order[i - 1];

		f->order[i - 1] = f->order[j];
		f->order[j] = keep;
	}
}

/* One step over rows order[from..to). The derivative at the rounded weights is applied to the exact ones. */
static void step(struct fit *f, const struct net_steps *steps, double rate, size_t from, size_t to)
{
	const struct net *net = &f->net;
	double in[NET_MAX_WIDTH], slope;
	struct net_trace trace;

	memset(f->grad, 0, net->nr_params * sizeof(f->grad[0]));
	if (steps) {
		quant__round_weights(&f->net, &f->rounded);
		net = &f->rounded;
	}
	for (size_t i = from; i < to; i++) {
		load_row(f->train, f->order[i], in);
		fit__loss(f->config, net__run(net, steps, in, &trace) - f->train->targets[f->order[i]] / TARGET_ONE, &slope);
		net__back(net, &trace, slope / (double)(to - from), f->grad);
	}
	for (uint32_t l = 0; l < net->shape.nr_layers; l++)
		for (uint32_t i = net->weights_at[l]; i < net->biases_at[l]; i++)
			f->grad[i] += f->config->decay * f->net.param[i];
	adam__step(&f->adam, rate, f->grad, f->net.param, f->net.nr_params);
}

static void epoch(struct fit *f, const struct net_steps *steps, double rate)
{
	shuffle(f);
	for (size_t from = 0; from < f->train->nr; from += f->config->batch) {
		size_t to = from + f->config->batch;

		step(f, steps, rate, from, to < f->train->nr ? to : f->train->nr);
	}
}

static double rate_of(double rate, uint32_t number, uint32_t epochs)
{
	return epochs > 1 ? rate * (1 - (1 - RATE_END) * number / (epochs - 1)) : rate;
}

static void train_float(struct fit *f, struct fit_report *report)
{
	const struct fit_config *c = f->config;

	adam__init(&f->adam);
	f->best = f->net;
	report->held = INFINITY;
	for (uint32_t e = 0; e < c->epochs && e < report->best + c->patience; e++) {
		double loss;

		epoch(f, NULL, rate_of(c->rate, e, c->epochs));
		loss = fit__evaluate(c, &f->net, NULL, f->held);
		report->epochs = e + 1;
		if (loss < report->held) {
			report->held = loss;
			report->best = e + 1;
			f->best = f->net;
		}
	}
	f->net = f->best;
	report->trained = fit__evaluate(c, &f->net, NULL, f->train);
}

/* Steps follow what the layers give in the first half of the epochs, and stay in the second. The best net on the held-out rows is kept, that
 * before the first epoch included. */
static int train_quantised(struct fit *f, struct mlp *ret_mlp, struct fit_report *report)
{
	size_t stride = f->train->nr / OBSERVED_ROWS + 1;
	const struct fit_config *c = f->config;
	struct net_steps steps, seen;
	struct mlp mlp;

	adam__init(&f->adam);
	quant__observe(&f->net, f->train, stride, &steps);
	if (quant__export(&f->net, &steps, ret_mlp))
		return -ERANGE;
	report->held_rounded = report->held_int8 = fit__evaluate_int8(c, ret_mlp, f->held);
	for (uint32_t e = 0; e < c->quant_epochs; e++) {
		double loss;

		epoch(f, &steps, rate_of(QUANT_RATE * c->rate, e, c->quant_epochs));
		if (2 * e < c->quant_epochs) {
			quant__observe(&f->net, f->train, stride, &seen);
			quant__blend(&steps, &seen, f->net.shape.nr_layers, 0.5);
		}
		if (quant__export(&f->net, &steps, &mlp))
			continue;
		loss = fit__evaluate_int8(c, &mlp, f->held);
		if (loss < report->held_int8) {
			report->held_int8 = loss;
			*ret_mlp = mlp;
		}
	}
	return 0;
}

/* Whole numbers from here on. */
static void centre(struct mlp *mlp, const struct dataset *d)
{
	struct mlp_layer *last = &mlp->layers[mlp->nr_layers - 1];
	double unit = (double)last->multiplier / (double)(1ull << last->shift); /* of the bias, in Q8 octaves */
	int64_t sum = 0;

	for (size_t row = 0; row < d->nr; row++)
		sum += mlp__run(mlp, d->inputs + row * d->nr_inputs);
	last->bias[0] -= (int32_t)floor((double)sum / (double)d->nr / unit + 0.5);
}

static bool is_loss(const struct fit_config *c)
{
	switch (c->loss) {
	case FIT_HUBER:
		return c->delta > 0;
	case FIT_EXPECTILE:
		return c->expectile > 0 && c->expectile < 1;
	default:
		return c->loss == FIT_SQUARE;
	}
}

static bool is_data(const struct fit_config *c, const struct dataset *train, const struct dataset *held)
{
	return net__is_shape(&c->shape) && c->shape.width[0] == train->nr_inputs && held->nr_inputs == train->nr_inputs &&
	       train->nr && train->nr <= UINT32_MAX && held->nr;
}

static bool is_config(const struct fit_config *c)
{
	return c->batch && c->epochs && c->patience && c->rate > 0 && c->rate < 1 && c->decay >= 0 && c->decay < 1 &&
	       is_loss(c);
}

int fit__train(const struct fit_config *c, const struct dataset *train, const struct dataset *held, struct mlp *ret_mlp,
	       struct fit_report *ret_report)
{
	struct fit_report report = { 0 };
	struct fit *f;
	int error;

	if (!is_config(c) || !is_data(c, train, held))
		return -EINVAL;
	f = calloc(1, sizeof(*f));
	if (f)
		f->order = calloc(train->nr, sizeof(*f->order));
	if (!f || !f->order) {
		free(f);
		return -ENOMEM;
	}
	f->config = c;
	f->train = train;
	f->held = held;
	for (size_t i = 0; i < train->nr; i++)
		f->order[i] = (uint32_t)i;
	rng__init(&f->rng, c->seed);
	net__init(&f->net, &c->shape, &f->rng);
	report.zero = evaluate_constant(c, 0, held);
	report.mean = evaluate_constant(c, mean_target(train), held);
	train_float(f, &report);
	error = train_quantised(f, ret_mlp, &report);
	if (!error && c->centre) {
		centre(ret_mlp, train);
		if (mlp__check(ret_mlp, NULL))
			error = -ERANGE;
	}
	if (!error)
		*ret_report = report;
	free(f->order);
	free(f);
	return error;
}
