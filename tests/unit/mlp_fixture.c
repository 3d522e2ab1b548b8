/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/unit/mlp_fixture.h"

#include <check.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

uint64_t random_u64(uint64_t *rng)
{
	uint64_t z = *rng += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

static uint32_t below(uint64_t *rng, uint32_t n)
{
	return (uint32_t)((random_u64(rng) >> 32) * n >> 32);
}

double random_double(uint64_t *rng)
{
	return (double)(random_u64(rng) >> 11) * 0x1p-53;
}

void random_input(uint64_t *rng, int kind, int8_t in[MLP_MAX_WIDTH])
{
	for (int i = 0; i < MLP_MAX_WIDTH; i++) {
		in[i] = (int8_t)((int)below(rng, 256) - 128);
		if (kind == 1)
			in[i] = in[i] < 0 ? -128 : 127;
		if (kind == 2 && in[i] % 8)
			in[i] = 0;
	}
}

static void random_shape(struct plain_net *n, uint64_t *rng)
{
	n->nr_layers = 1 + below(rng, MLP_MAX_LAYERS);
	for (uint32_t l = 0; l <= n->nr_layers; l++)
		n->widths[l] = below(rng, 4) ? 1 + below(rng, 24) : 1 + below(rng, MLP_MAX_WIDTH);
	for (uint32_t l = 0; l < n->nr_layers; l++)
		n->activation[l] = below(rng, 2) ? MLP_RELU : MLP_HARD_SIGMOID;
	n->activation[n->nr_layers - 1] = MLP_LINEAR;
}

static void random_weights(struct plain_net *n, uint32_t l, uint32_t spread, uint64_t *rng)
{
	for (uint32_t i = 0; i < n->widths[l] * n->widths[l + 1]; i++)
		n->weights[l][i] = (int8_t)((int)below(rng, 2 * spread + 1) - (int)spread);
}

void plain_net__random(struct plain_net *n, uint64_t *rng)
{
	memset(n, 0, sizeof(*n));
	random_shape(n, rng);
	for (uint32_t l = 0; l < n->nr_layers; l++) {
		uint32_t bias_bits = below(rng, 31);

		random_weights(n, l, below(rng, 3) ? 127 : 1 + below(rng, 127), rng);
		for (uint32_t o = 0; o < n->widths[l + 1]; o++)
			n->bias[l][o] = (int32_t)((int64_t)(random_u64(rng) >> (63 - bias_bits)) - (1ll << bias_bits >> 1));
		n->multiplier[l] = MLP_MULTIPLIER_MIN + below(rng, 1u << 30);
		/* so that y has up to 30 bits, of sums of about 2^max(bias_bits, 17) */
		n->shift[l] = (bias_bits > 20 ? bias_bits : 20) + 31 - below(rng, 31);
		n->shift[l] = n->shift[l] > MLP_SHIFT_MAX   ? MLP_SHIFT_MAX
			      : n->shift[l] < MLP_SHIFT_MIN ? MLP_SHIFT_MIN
							    : n->shift[l];
	}
}

void plain_net__random_usual(struct plain_net *n, uint64_t *rng)
{
	memset(n, 0, sizeof(*n));
	random_shape(n, rng);
	for (uint32_t l = 0; l < n->nr_layers; l++) {
		/* a sum of n products of spread 127 * 50 has a deviation of about sqrt(n) * 4000: that becomes half of the range */
		double deviation = sqrt(n->widths[l]) * 4000;

		random_weights(n, l, below(rng, 3) ? 127 : 1 + below(rng, 127), rng);
		for (uint32_t o = 0; o < n->widths[l + 1]; o++)
			n->bias[l][o] = (int32_t)((random_double(rng) - 0.5) * deviation);
		ck_assert_int_eq(mlp__multiplier(64 / deviation, &n->multiplier[l], &n->shift[l]), 0);
	}
}

enum mlp_fault plain_net__build(const struct plain_net *n, struct mlp *ret)
{
	enum mlp_fault fault = MLP_OK;

	mlp__init(ret);
	for (uint32_t l = 0; !fault && l < n->nr_layers; l++)
		fault = mlp__add(ret, n->widths[l], n->widths[l + 1], n->activation[l], n->multiplier[l], n->shift[l],
				 n->weights[l], n->bias[l]);
	return fault ? fault : mlp__check(ret, NULL);
}

void random_model(uint64_t seed, uint32_t hidden1, uint32_t hidden2, uint32_t hidden3, struct model *ret)
{
	const uint32_t hidden[3] = { hidden1, hidden2, hidden3 };
	struct plain_net n = { .widths = { FEATURE_NR } };
	uint64_t rng = seed;

	for (int i = 0; i < 3 && hidden[i]; i++)
		n.widths[++n.nr_layers] = hidden[i];
	n.widths[++n.nr_layers] = 1;
	for (uint32_t l = 0; l < n.nr_layers; l++) {
		double deviation = sqrt(n.widths[l]) * 4000;

		random_weights(&n, l, 127, &rng);
		n.activation[l] = l + 1 < n.nr_layers ? MLP_RELU : MLP_LINEAR;
		ck_assert_int_eq(mlp__multiplier(64 / deviation, &n.multiplier[l], &n.shift[l]), 0);
	}
	memset(ret, 0, sizeof(*ret));
	ck_assert_int_eq(plain_net__build(&n, &ret->mlp), MLP_OK);
	model__make_golden(ret, seed);
	strcpy(ret->text, "made-by: tests\nseed: 1\n");
}

uint32_t cpu_features(void)
{
#if defined(__x86_64__)
	if (__builtin_cpu_supports("avx2"))
		return MLP_CPU_AVX2;
#endif
	return 0;
}
