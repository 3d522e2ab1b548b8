/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Training: mini-batches in a random order, Adam, decay of weights, the best net on held-out rows is kept and training ends when it gets no
 * better; then some epochs with simulated quantisation; then integers. One seed gives one net, to the bit, on every x86-64: see exact.h.
 */
#ifndef PINTLE_TRAIN_FIT_H
#define PINTLE_TRAIN_FIT_H

#include "policy/mlp.h"
#include "policy/train/dataset.h"
#include "policy/train/net.h"
#include "policy/train/quant.h"

enum fit_loss {
	FIT_SQUARE, /* e^2 / 2 */
	FIT_HUBER,  /* e^2 / 2 while |e| <= delta, beyond that delta (|e| - delta / 2): Huber 1964 */
	/* w e^2 / 2, w = expectile where the target is higher, else 1 - expectile: learns not the mean but an upper (or lower) expectile, which
	 * follows the tail (Newey and Powell 1987, "Asymmetric least squares estimation and testing", Econometrica 55, equation 2.2) */
	FIT_EXPECTILE,
};

struct fit_config {
	struct net_shape shape; /* width[0] as the rows have inputs */
	uint64_t seed;
	enum fit_loss loss;
	double delta;	  /* octaves, FIT_HUBER */
	double expectile; /* 0..1, FIT_EXPECTILE */
	bool centre; /* at the end the last bias is moved so that the mean over the training rows is zero: only differences count */
	double rate;	       /* of Adam; falls linearly to a tenth over the epochs */
	double decay;	       /* L2: adds decay * w to the slope of every weight, not of biases */
	uint32_t batch;	       /* rows */
	uint32_t epochs;       /* at most */
	uint32_t patience;     /* epochs without a better held-out loss before the end */
	uint32_t quant_epochs; /* with simulated quantisation, at a tenth of the rate; 0: quantised as it is */
};

/* Losses are means over rows, of the errors in octaves. */
struct fit_report {
	double zero;	     /* held-out loss of saying 0 always: what there is to gain */
	double mean;	     /* held-out loss of saying the mean of the training targets always */
	double trained;	     /* training loss of the net kept */
	double held;	     /* held-out loss of the net in floating point */
	double held_rounded; /* the same net quantised without fine-tuning */
	double held_int8;    /* of the integers that are written */
	uint32_t epochs;     /* done */
	uint32_t best;	     /* the epoch kept */
};

/* A config that makes sense for the features of pintle. */
void fit_config__default(struct fit_config *c);
/* Loss of one error, and its derivative. */
double fit__loss(const struct fit_config *c, double error, double *ret_slope);
/* Held-out loss of a net in floating point, and of integers. 0 without rows. */
double fit__evaluate(const struct fit_config *c, const struct net *net, const struct net_steps *steps, const struct dataset *d);
double fit__evaluate_int8(const struct fit_config *c, const struct mlp *mlp, const struct dataset *d);

/* Early stopping looks at `held`, which must come from other runs or another time than `train`. -EINVAL: the config or the data make no sense;
 * -ENOMEM; -ERANGE: what came out cannot be integers (it did not converge). */
int fit__train(const struct fit_config *c, const struct dataset *train, const struct dataset *held, struct mlp *ret_mlp,
	       struct fit_report *ret_report);

#endif
