/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A small quantised multi-layer perceptron: int8 weights and activations, int32 sums, the same bits on every path.
 *
 * Scheme: Jacob et al., "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference", CVPR 2018
 * (arXiv 1712.05877), section 2.2, symmetric (zero points 0). Per layer
 *   acc = bias + sum over inputs of w * x            int32
 *   y   = acc * multiplier / 2^shift                 M = M0 * 2^-n of equation 5, rounded once, half away from zero
 * Hidden layers clamp y to 0..127. The last layer is linear and gives int32: log2 in Q8 (octaves * 256) for pintle's models.
 *
 * Real values: input x / 32 (policy/feature.h), hidden activation y / 127 in 0..1, output y / 256. A clamp to 0..1 is a ReLU that saturates at
 * what training chose as 1, or a hard sigmoid whose slope and offset are in the multiplier and the bias: the arithmetic is one, the
 * kind is kept for those who export. So the real net is
 *   W = w * M * S / D,  B = b * M / D,  M = multiplier / 2^shift,  S = 32 in the first layer, else 127,  D = 256 in the last layer, else 127.
 *
 * No overflow: |w| <= 127, |x| <= 128, at most 64 inputs: |sum of products| <= 1040384 < 2^20; |bias| <= 2^30; so |acc| < 2^30 + 2^20 < 2^31.
 * |acc| * multiplier < 2^62, plus half of 2^shift (<= 2^61) < 2^63. mlp__check refuses a layer whose largest possible y does not fit int32.
 *
 * Pure: no allocation, no state but the structure, which is the caller's and not written while it runs.
 */
#ifndef PINTLE_POLICY_MLP_H
#define PINTLE_POLICY_MLP_H

#include <stdint.h>

#define MLP_MAX_LAYERS 4
#define MLP_MAX_WIDTH 64
#define MLP_BIAS_MAX (1 << 30)
#define MLP_MULTIPLIER_MIN (1u << 30) /* normalised: 2^30..2^31 - 1 */
#define MLP_MULTIPLIER_MAX ((1u << 31) - 1)
#define MLP_SHIFT_MIN 16
#define MLP_SHIFT_MAX 62
#define MLP_ACTIVATION_ONE 127	/* hidden 1.0 */
#define MLP_OUTPUT_ONE 256	/* output 1.0 */
#define MLP_RESIDUAL_MAX_Q8 185 /* 0.5 nat = 0.7213 octaves: the most that a correction may say */

enum mlp_activation { MLP_LINEAR = 0, MLP_RELU = 1, MLP_HARD_SIGMOID = 2 };

enum mlp_path {
	MLP_SCALAR = 0, /* any 64-bit machine: C, on 128-bit vectors where the compiler has them */
	MLP_AVX2 = 1,
};
#define MLP_CPU_AVX2 1u /* the CPU and the kernel do AVX2 */

/* Weights are stored as the AVX2 path reads them, blocks of 8 outputs by pairs of inputs: see mlp_layer__index. Padding is zero. */
struct mlp_layer {
	uint8_t nr_in, nr_out;
	uint8_t activation; /* enum mlp_activation */
	uint8_t shift;
	uint32_t multiplier;
	int32_t bias[MLP_MAX_WIDTH];
	int8_t weights[MLP_MAX_WIDTH * MLP_MAX_WIDTH];
};

struct mlp {
	uint32_t nr_layers;
	uint32_t path; /* enum mlp_path; MLP_SCALAR unless set */
	struct mlp_layer layers[MLP_MAX_LAYERS];
};

/* Where the weight of `in` for `out` is. */
static inline uint32_t mlp_layer__index(uint32_t nr_in, uint32_t out, uint32_t in)
{
	return ((out / 8 * ((nr_in + 1) / 2) + in / 2) * 8 + out % 8) * 2 + in % 2;
}

static inline int8_t mlp_layer__weight(const struct mlp_layer *l, uint32_t out, uint32_t in)
{
	return l->weights[mlp_layer__index(l->nr_in, out, in)];
}

/* y = acc * multiplier / 2^shift, half away from zero. Bounds as in the text above. */
static inline int32_t mlp__requantise(int32_t acc, uint32_t multiplier, uint32_t shift)
{
	uint64_t magnitude = acc < 0 ? 0 - (uint64_t)acc : (uint64_t)acc;

	magnitude = (magnitude * multiplier + (1ull << (shift - 1))) >> shift;
	return acc < 0 ? (int32_t) - (int64_t)magnitude : (int32_t)magnitude;
}

enum mlp_fault {
	MLP_OK = 0,
	MLP_BAD_LAYERS,	    /* number of layers not 1..4, or more than that added */
	MLP_BAD_WIDTH,	    /* a width not 1..64 */
	MLP_BAD_CHAIN,	    /* inputs of a layer are not the outputs of the one before */
	MLP_BAD_ACTIVATION, /* a hidden layer is linear, the last is not, or unknown */
	MLP_BAD_MULTIPLIER, /* not 2^30..2^31 - 1 */
	MLP_BAD_SHIFT,	    /* not 16..62 */
	MLP_BAD_WEIGHT,	    /* -128 */
	MLP_BAD_BIAS,	    /* beyond +-2^30 */
	MLP_BAD_RANGE,	    /* the largest possible y of an output does not fit int32 */
};

void mlp__init(struct mlp *m);
/*
 * Adds a layer: `weights` [nr_out][nr_in] row by row, `bias` [nr_out] in units of acc. Checks the layer but not what only the whole shows
 * (chain, activation of the last): mlp__check does. On a fault the net is unchanged.
 */
enum mlp_fault mlp__add(struct mlp *m, uint32_t nr_in, uint32_t nr_out, enum mlp_activation activation, uint32_t multiplier,
			uint32_t shift, const int8_t *weights, const int32_t *bias);
/* Everything the arithmetic relies on. *ret_layer: where the fault is (may be NULL). */
enum mlp_fault mlp__check(const struct mlp *m, uint32_t *ret_layer);

/* The multiplier and shift nearest to m, 2^-32 <= m < 2^15. Returns -1 when m is outside or not a number. */
int mlp__multiplier(double m, uint32_t *ret_multiplier, uint32_t *ret_shift);

/* `cpu_features`: MLP_CPU_*. The fastest path that this build has for it. */
enum mlp_path mlp__best_path(uint32_t cpu_features);

/* Runs a checked net. `in`: nr_in of the first layer. `ret_out`: nr_out of the last. */
void mlp__forward(const struct mlp *m, const int8_t *in, int32_t *ret_out);
/* The first output: log2 in Q8. */
int32_t mlp__run(const struct mlp *m, const int8_t *in);
/* The same within +-MLP_RESIDUAL_MAX_Q8. */
int32_t mlp__residual_q8(const struct mlp *m, const int8_t *in);

#endif
