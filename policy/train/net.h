/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A small multilayer perceptron in floating point, for training: up to NET_MAX_LAYERS layers of up to NET_MAX_WIDTH, ReLU between them, one linear
 * output. Rumelhart, Hinton and Williams, "Learning representations by back-propagating errors", 1986. Sums run in one fixed order, so that the
 * result is the same to the bit everywhere (see exact.h).
 */
#ifndef PINTLE_TRAIN_NET_H
#define PINTLE_TRAIN_NET_H

#include <stdbool.h>
#include <stdint.h>

#include "policy/train/rng.h"

#define NET_MAX_LAYERS 4u
#define NET_MAX_WIDTH 64u
#define NET_MAX_PARAMS (3 * NET_MAX_WIDTH * (NET_MAX_WIDTH + 1) + NET_MAX_WIDTH + 1)

struct net_shape {
	uint32_t nr_layers;		    /* 1..NET_MAX_LAYERS */
	uint32_t width[NET_MAX_LAYERS + 1]; /* [0] inputs, [nr_layers] must be 1; the rest as zero */
};

/* Plain memory; copied by assignment. Layer l has its weights at param[weights_at[l] + i * width[l + 1] + j], input i to output j, and its biases
 * at param[biases_at[l] + j]. */
struct net {
	struct net_shape shape;
	uint32_t weights_at[NET_MAX_LAYERS], biases_at[NET_MAX_LAYERS];
	uint32_t nr_params;
	double param[NET_MAX_PARAMS];
};

/* Simulated quantisation of what the layers pass on (Jacob et al. 2018, section 3.1): values become step * round(value / step), 0..127 steps. */
struct net_steps {
	double step[NET_MAX_LAYERS]; /* of the outputs of layer l, all but the last; > 0 */
};

/* What a forward pass leaves for the backward pass. */
struct net_trace {
	double value[NET_MAX_LAYERS + 1][NET_MAX_WIDTH]; /* [0] the inputs, [l + 1] what layer l passes on */
	bool passes[NET_MAX_LAYERS][NET_MAX_WIDTH];	 /* its derivative is one (straight through a rounding), not zero */
};

/* Is the shape within the limits? */
bool net__is_shape(const struct net_shape *shape);
/* Weights uniform in +-sqrt(6 / inputs of the layer) (He et al. 2015, in its uniform form), biases zero. The shape must be within the limits. */
void net__init(struct net *net, const struct net_shape *shape, struct rng *rng);
/* The output for width[0] inputs. `steps` NULL: no quantisation. */
double net__run(const struct net *net, const struct net_steps *steps, const double *in, struct net_trace *trace);
/* Adds slope * d(output)/d(param) to grad[nr_params]. */
void net__back(const struct net *net, const struct net_trace *trace, double slope, double *grad);

#endif
