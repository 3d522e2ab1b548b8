// SPDX-License-Identifier: BSD-2-Clause
#include "policy/mlp.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "policy/mlp_paths.h"

void mlp__init(struct mlp *m)
{
	memset(m, 0, sizeof(*m));
}

static enum mlp_fault check_numbers(uint32_t activation, uint32_t multiplier, uint32_t shift)
{
	if (activation > MLP_HARD_SIGMOID)
		return MLP_BAD_ACTIVATION;
	if (multiplier < MLP_MULTIPLIER_MIN || multiplier > MLP_MULTIPLIER_MAX)
		return MLP_BAD_MULTIPLIER;
	if (shift < MLP_SHIFT_MIN || shift > MLP_SHIFT_MAX)
		return MLP_BAD_SHIFT;
	return MLP_OK;
}

/* One output: what its inputs can sum up to must come out inside int32. */
static enum mlp_fault check_output(const struct mlp_layer *l, uint32_t out)
{
	uint64_t most = (uint64_t)(l->bias[out] < 0 ? -(int64_t)l->bias[out] : l->bias[out]);

	if (most > MLP_BIAS_MAX)
		return MLP_BAD_BIAS;
	for (uint32_t i = 0; i < l->nr_in; i++) {
		int32_t w = mlp_layer__weight(l, out, i);

		if (w < -127)
			return MLP_BAD_WEIGHT;
		most += (uint64_t)(w < 0 ? -w : w) * 128;
	}
	if ((most * l->multiplier + (1ull << (l->shift - 1))) >> l->shift > INT32_MAX)
		return MLP_BAD_RANGE;
	return MLP_OK;
}

static enum mlp_fault check_layer(const struct mlp_layer *l)
{
	enum mlp_fault fault;

	if (l->nr_in < 1 || l->nr_in > MLP_MAX_WIDTH || l->nr_out < 1 || l->nr_out > MLP_MAX_WIDTH)
		return MLP_BAD_WIDTH;
	fault = check_numbers(l->activation, l->multiplier, l->shift);
	for (uint32_t o = 0; !fault && o < l->nr_out; o++)
		fault = check_output(l, o);
	return fault;
}

enum mlp_fault mlp__add(struct mlp *m, uint32_t nr_in, uint32_t nr_out, enum mlp_activation activation, uint32_t multiplier,
			uint32_t shift, const int8_t *weights, const int32_t *bias)
{
	enum mlp_fault fault;
	struct mlp_layer *l;

	if (m->nr_layers >= MLP_MAX_LAYERS)
		return MLP_BAD_LAYERS;
	if (nr_in < 1 || nr_in > MLP_MAX_WIDTH || nr_out < 1 || nr_out > MLP_MAX_WIDTH)
		return MLP_BAD_WIDTH;
	fault = check_numbers(activation, multiplier, shift);
	if (fault)
		return fault;
	l = &m->layers[m->nr_layers];
	memset(l, 0, sizeof(*l));
	l->nr_in = (uint8_t)nr_in;
	l->nr_out = (uint8_t)nr_out;
	l->activation = (uint8_t)activation;
	l->shift = (uint8_t)shift;
	l->multiplier = multiplier;
	memcpy(l->bias, bias, nr_out * sizeof(*bias));
	for (uint32_t o = 0; o < nr_out; o++) {
		for (uint32_t i = 0; i < nr_in; i++)
			l->weights[mlp_layer__index(nr_in, o, i)] = weights[o * nr_in + i];
	}
	fault = check_layer(l);
	if (fault)
		memset(l, 0, sizeof(*l));
	else
		m->nr_layers++;
	return fault;
}

enum mlp_fault mlp__check(const struct mlp *m, uint32_t *ret_layer)
{
	enum mlp_fault fault = m->nr_layers >= 1 && m->nr_layers <= MLP_MAX_LAYERS ? MLP_OK : MLP_BAD_LAYERS;
	uint32_t i;

	for (i = 0; !fault && i < m->nr_layers; i++) {
		const struct mlp_layer *l = &m->layers[i];
		bool is_last = i + 1 == m->nr_layers;

		fault = check_layer(l);
		if (!fault && i && l->nr_in != m->layers[i - 1].nr_out)
			fault = MLP_BAD_CHAIN;
		if (!fault && is_last != (l->activation == MLP_LINEAR))
			fault = MLP_BAD_ACTIVATION;
	}
	if (fault && ret_layer)
		*ret_layer = i ? i - 1 : 0;
	return fault;
}

int mlp__multiplier(double m, uint32_t *ret_multiplier, uint32_t *ret_shift)
{
	double fraction, mantissa;
	int exponent;

	if (!(m >= ldexp(1, -32) && m < ldexp(1, 15)))
		return -1;
	fraction = frexp(m, &exponent); /* 0.5..1 */
	mantissa = round(ldexp(fraction, 31));
	if (mantissa > MLP_MULTIPLIER_MAX) { /* rounded up to 2^31: half of it, an octave up */
		mantissa = MLP_MULTIPLIER_MIN;
		exponent++;
	}
	if (31 - exponent < MLP_SHIFT_MIN || 31 - exponent > MLP_SHIFT_MAX)
		return -1;
	*ret_multiplier = (uint32_t)mantissa;
	*ret_shift = (uint32_t)(31 - exponent);
	return 0;
}

enum mlp_path mlp__best_path(uint32_t cpu_features)
{
	return MLP_HAS_AVX2 && (cpu_features & MLP_CPU_AVX2) ? MLP_AVX2 : MLP_SCALAR;
}

/* 128 bits, which every 64-bit machine has (SSE2, NEON). */
typedef int16_t eight_i16 __attribute__((vector_size(16)));
typedef uint16_t eight_u16 __attribute__((vector_size(16)));
typedef int16_t four_i16 __attribute__((vector_size(8)));
typedef int32_t four_i32 __attribute__((vector_size(16)));
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "of a pair of weights the first is the low byte");

/* Sums of 8 outputs, number 8 * block and on. A pair of products fits 16 bits: 2 * 127 * 128 = 32512. */
static void sums(const struct mlp_layer *l, uint32_t block, const int16_t *x, int32_t ret_acc[8])
{
	uint32_t pairs = (l->nr_in + 1u) / 2;
	const int8_t *w = &l->weights[(size_t)block * pairs * 16];
	four_i32 acc[2];

	memcpy(acc, &l->bias[(size_t)block * 8], sizeof(acc));
	for (uint32_t k = 0; k < pairs; k++, w += 16) {
		eight_i16 weights, products;
		four_i16 half[2];

		memcpy(&weights, w, sizeof(weights));
		products = ((eight_i16)((eight_u16)weights << 8) >> 8) * x[2 * k] + (weights >> 8) * x[2 * k + 1];
		memcpy(half, &products, sizeof(half));
		acc[0] += __builtin_convertvector(half[0], four_i32);
		acc[1] += __builtin_convertvector(half[1], four_i32);
	}
	memcpy(ret_acc, acc, sizeof(acc));
}

static void scalar_forward(const struct mlp *m, const int8_t *in, int32_t ret_out[MLP_MAX_WIDTH])
{
	struct mlp_activations a[2] = { 0 };
	const struct mlp_layer *last = &m->layers[m->nr_layers - 1];
	int16_t *x = a[0].x, *y = a[1].x, *swap;
	int32_t acc[8];

	for (uint32_t i = 0; i < m->layers[0].nr_in; i++)
		x[i] = in[i];
	for (const struct mlp_layer *l = m->layers; l < last; l++) {
		for (uint32_t o = 0; o < l->nr_out; o += 8) {
			sums(l, o / 8, x, acc);
			for (uint32_t j = 0; j < 8; j++) {
				int32_t v = mlp__requantise(acc[j] > 0 ? acc[j] : 0, l->multiplier, l->shift);

				y[o + j] = (int16_t)(v > MLP_ACTIVATION_ONE ? MLP_ACTIVATION_ONE : v);
			}
		}
		swap = x;
		x = y;
		y = swap;
	}
	for (uint32_t o = 0; o < last->nr_out; o += 8) {
		sums(last, o / 8, x, acc);
		for (uint32_t j = 0; j < 8; j++)
			ret_out[o + j] = mlp__requantise(acc[j], last->multiplier, last->shift);
	}
}

static void forward(const struct mlp *m, const int8_t *in, int32_t ret_out[MLP_MAX_WIDTH])
{
#if MLP_HAS_AVX2
	if (m->path == MLP_AVX2) {
		mlp_avx2__forward(m, in, ret_out);
		return;
	}
#endif
	scalar_forward(m, in, ret_out);
}

void mlp__forward(const struct mlp *m, const int8_t *in, int32_t *ret_out)
{
	int32_t out[MLP_MAX_WIDTH];

	forward(m, in, out);
	memcpy(ret_out, out, m->layers[m->nr_layers - 1].nr_out * sizeof(*ret_out));
}

int32_t mlp__run(const struct mlp *m, const int8_t *in)
{
	int32_t out[MLP_MAX_WIDTH];

	out[0] = 0; /* a net without outputs is refused by mlp__check; no reader of the code need know */
	forward(m, in, out);
	return out[0];
}

int32_t mlp__residual_q8(const struct mlp *m, const int8_t *in)
{
	int32_t y = mlp__run(m, in);

	return y > MLP_RESIDUAL_MAX_Q8 ? MLP_RESIDUAL_MAX_Q8 : y < -MLP_RESIDUAL_MAX_Q8 ? -MLP_RESIDUAL_MAX_Q8 : y;
}
