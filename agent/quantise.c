/* SPDX-License-Identifier: BSD-2-Clause */
#include "agent/quantise.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* What of the largest activation becomes 127: less than all of it cuts rare peaks off and leaves the rest finer steps. */
static const double parts[] = { 1, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4 };

/* The real net over the calibration inputs. */
struct truth {
	double *outputs;
	double peaks[MLP_MAX_LAYERS];
	double rms;
};

static int truth__make(const struct float_net *net, const struct calibration *c, struct truth *ret, struct pintle_err *err)
{
	double in[FEATURE_NR], sum = 0;

	memset(ret, 0, sizeof(*ret));
	ret->outputs = malloc(c->nr * sizeof(*ret->outputs));
	if (!ret->outputs)
		return pintle_err__set(err, -ENOMEM, "out of memory");
	for (uint32_t i = 0; i < c->nr; i++) {
		for (int k = 0; k < FEATURE_NR; k++)
			in[k] = c->inputs[i][k] / (double)FEATURE_ONE;
		ret->outputs[i] = float_net__run(net, in, ret->peaks);
		sum += ret->outputs[i] * ret->outputs[i];
	}
	ret->rms = sqrt(sum / c->nr);
	return 0;
}

/*
 * The step of the weights: the largest is 127; but no finer than lets every bias fit 2^29 steps of the sum, and the multiplier be at least 2^-31, so that
 * a layer of zeros has one too.
 */
static double weight_step(const struct float_layer *l, double slope, double offset, double in_step, double out_step)
{
	double weight = 0, bias = 0;

	for (uint32_t i = 0; i < l->nr_in * l->nr_out; i++)
		weight = fmax(weight, fabs(l->weights[i]));
	for (uint32_t o = 0; o < l->nr_out; o++)
		bias = fmax(bias, fabs(l->bias[o] + offset / slope));
	return fmax(fmax(weight / 127, ldexp(bias / in_step, -29)), ldexp(out_step / (in_step * slope), -31));
}

static enum mlp_fault add_layer(const struct float_layer *l, double in_step, double out_step, struct mlp *mlp)
{
	double slope = l->activation == MLP_HARD_SIGMOID ? l->slope : 1,
	       offset = l->activation == MLP_HARD_SIGMOID ? l->offset : 0;
	double step = weight_step(l, slope, offset, in_step, out_step);
	int8_t weights[MLP_MAX_WIDTH * MLP_MAX_WIDTH];
	int32_t bias[MLP_MAX_WIDTH];
	uint32_t multiplier, shift;

	if (mlp__multiplier(in_step * step * slope / out_step, &multiplier, &shift))
		return MLP_BAD_MULTIPLIER;
	for (uint32_t i = 0; i < l->nr_in * l->nr_out; i++)
		weights[i] = (int8_t)lround(l->weights[i] / step);
	for (uint32_t o = 0; o < l->nr_out; o++)
		bias[o] = (int32_t)lround((l->bias[o] + offset / slope) / (in_step * step));
	return mlp__add(mlp, l->nr_in, l->nr_out, l->activation, multiplier, shift, weights, bias);
}

static enum mlp_fault build(const struct float_net *net, const double *peaks, double part, struct mlp *ret, uint32_t *ret_layer)
{
	double in_step = 1.0 / FEATURE_ONE;
	enum mlp_fault fault = MLP_OK;

	mlp__init(ret);
	for (uint32_t i = 0; !fault && i < net->nr_layers; i++) {
		const struct float_layer *l = &net->layers[i];
		double out_step = 1.0 / MLP_OUTPUT_ONE;

		if (l->activation == MLP_HARD_SIGMOID)
			out_step = 1.0 / MLP_ACTIVATION_ONE;
		else if (l->activation == MLP_RELU) /* one that never fires has any scale */
			out_step = (peaks[i] > 0 ? part * peaks[i] : 1) / MLP_ACTIVATION_ONE;
		*ret_layer = i;
		fault = add_layer(l, in_step, out_step, ret);
		in_step = out_step;
	}
	return fault ? fault : mlp__check(ret, ret_layer);
}

static void judge(const struct mlp *mlp, const struct calibration *c, const struct truth *truth, double part,
		  struct quantise_report *ret)
{
	double sum = 0, most = 0;

	for (uint32_t i = 0; i < c->nr; i++) {
		double error = fabs(mlp__run(mlp, c->inputs[i]) / (double)MLP_OUTPUT_ONE - truth->outputs[i]);

		sum += error * error;
		most = fmax(most, error);
	}
	*ret = (struct quantise_report){
		.nr_inputs = c->nr, .rms_error = sqrt(sum / c->nr), .max_error = most, .rms_output = truth->rms, .part = part
	};
}

int quantise(const struct float_net *net, const struct calibration *c, struct mlp *ret, struct quantise_report *ret_report,
	     struct pintle_err *err)
{
	struct quantise_report report, best = { .rms_error = INFINITY };
	struct mlp mlp, best_mlp;
	struct truth truth;
	uint32_t layer = 0;
	int error = truth__make(net, c, &truth, err);

	if (error)
		return error;
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		if (build(net, truth.peaks, parts[i], &mlp, &layer))
			continue;
		judge(&mlp, c, &truth, parts[i], &report);
		if (report.rms_error < best.rms_error) {
			best = report;
			best_mlp = mlp;
		}
	}
	free(truth.outputs);
	if (!isfinite(best.rms_error))
		return pintle_err__set(err, -EINVAL,
				       "layer %u: its numbers are so far apart that no scale of 8 bits fits them; train with "
				       "normalised features and some weight decay",
				       layer);
	*ret = best_mlp;
	*ret_report = best;
	return 0;
}
