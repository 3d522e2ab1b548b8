/* SPDX-License-Identifier: BSD-2-Clause */
/* The quantised net: every path gives the bits of plain 64-bit arithmetic, and what the real net gives within what rounding explains. */
#include <check.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "policy/mlp.h"
#include "tests/unit/mlp_fixture.h"

#define NR_NETS 1500

/* Row by row, in 64 bits, rounded by division: as the text of mlp.h says it, written for nothing but to be read. */
static void reference(const struct plain_net *n, const int8_t *in, int32_t *out)
{
	int64_t x[MLP_MAX_WIDTH] = { 0 }, y[MLP_MAX_WIDTH] = { 0 };

	for (uint32_t i = 0; i < n->widths[0]; i++)
		x[i] = in[i];
	for (uint32_t l = 0; l < n->nr_layers; l++) {
		for (uint32_t o = 0; o < n->widths[l + 1]; o++) {
			int64_t acc = n->bias[l][o];
			unsigned __int128 magnitude;

			for (uint32_t i = 0; i < n->widths[l]; i++)
				acc += n->weights[l][o * n->widths[l] + i] * x[i];
			magnitude = (unsigned __int128)(acc < 0 ? -acc : acc) * n->multiplier[l] * 2 +
				    ((unsigned __int128)1 << n->shift[l]);
			magnitude /= (unsigned __int128)2 << n->shift[l];
			y[o] = acc < 0 ? -(int64_t)magnitude : (int64_t)magnitude;
			if (l + 1 < n->nr_layers)
				y[o] = y[o] < 0 ? 0 : y[o] > 127 ? 127 : y[o];
		}
		memcpy(x, y, sizeof(x));
	}
	for (uint32_t o = 0; o < n->widths[n->nr_layers]; o++) {
		ck_assert(x[o] >= INT32_MIN && x[o] <= INT32_MAX);
		out[o] = (int32_t)x[o];
	}
}

static void compare(const struct plain_net *n, struct mlp *m, const int8_t *in)
{
	int32_t want[MLP_MAX_WIDTH] = { 0 }, got[MLP_MAX_WIDTH];
	size_t bytes = n->widths[n->nr_layers] * sizeof(*got);

	reference(n, in, want);
	m->path = MLP_SCALAR;
	mlp__forward(m, in, got);
	ck_assert_mem_eq(got, want, bytes);
	m->path = mlp__best_path(cpu_features());
	memset(got, 0x5a, sizeof(got));
	mlp__forward(m, in, got);
	ck_assert_mem_eq(got, want, bytes);
	ck_assert_int_eq(mlp__run(m, in), want[0]);
	ck_assert_int_eq(mlp__residual_q8(m, in), want[0] > 185 ? 185 : want[0] < -185 ? -185 : want[0]);
}

START_TEST(every_path_gives_the_same_bits)
	{
		struct plain_net n;
		struct mlp m;
		uint64_t rng = 1;
		int8_t in[MLP_MAX_WIDTH];
		uint32_t refused = 0;

		for (int i = 0; i < NR_NETS; i++) {
			plain_net__random(&n, &rng);
			if (plain_net__build(&n, &m) != MLP_OK) { /* only for a range beyond int32 */
				refused++;
				continue;
			}
			for (int k = 0; k < 8; k++) {
				random_input(&rng, k, in);
				compare(&n, &m, in);
			}
		}
		ck_assert_uint_lt(refused, NR_NETS / 4);
	}
END_TEST

/* This machine's best path is the one that was tested above. */
START_TEST(avx2_is_used_where_it_is)
	{
		ck_assert_int_eq(mlp__best_path(0), MLP_SCALAR);
#if defined(__x86_64__)
		ck_assert_int_eq(mlp__best_path(MLP_CPU_AVX2), MLP_AVX2);
		ck_assert_int_eq(mlp__best_path(cpu_features()), __builtin_cpu_supports("avx2") ? MLP_AVX2 : MLP_SCALAR);
#endif
	}
END_TEST

/* The bounds that mlp.h states are reached, and nothing overflows (the sanitizers watch). */
START_TEST(the_largest_sums_fit)
	{
		for (int sign = -1; sign <= 1; sign += 2) {
			struct plain_net n = { .nr_layers = 2,
					       .widths = { 64, 64, 64 },
					       .activation = { MLP_RELU, MLP_LINEAR } };
			int8_t in[MLP_MAX_WIDTH];
			struct mlp m;

			for (uint32_t l = 0; l < 2; l++) {
				n.multiplier[l] = MLP_MULTIPLIER_MAX;
				n.shift[l] = 31;
				for (uint32_t i = 0; i < 64 * 64; i++)
					n.weights[l][i] = (int8_t)(sign * 127);
				for (uint32_t o = 0; o < 64; o++)
					n.bias[l][o] = o % 2 ? sign * MLP_BIAS_MAX : -sign * MLP_BIAS_MAX;
			}
			ck_assert_int_eq(plain_net__build(&n, &m), MLP_OK);
			for (int k = 0; k < 3; k++) {
				memset(in, k == 0 ? 127 : k == 1 ? -128 : -127, sizeof(in));
				compare(&n, &m, in);
			}
			/* an octave more and the largest output would not fit */
			n.shift[1] = 30;
			ck_assert_int_eq(plain_net__build(&n, &m), MLP_BAD_RANGE);
		}
	}
END_TEST

/*
 * The real net (mlp.h) in double, and the most that rounding can add up to: half a step in each activation, times the weights that carry it on.
 * A clamp brings values no further apart.
 */
static void real_net(const struct plain_net *n, const int8_t *in, double *ret_out, double *ret_bound)
{
	double x[MLP_MAX_WIDTH] = { 0 }, e[MLP_MAX_WIDTH] = { 0 }, y[MLP_MAX_WIDTH] = { 0 }, f[MLP_MAX_WIDTH] = { 0 };

	for (uint32_t i = 0; i < n->widths[0]; i++)
		x[i] = in[i] / 32.0;
	for (uint32_t l = 0; l < n->nr_layers; l++) {
		bool is_last = l + 1 == n->nr_layers;
		double scale = ldexp(n->multiplier[l], -(int)n->shift[l]) / (is_last ? 256 : 127);

		for (uint32_t o = 0; o < n->widths[l + 1]; o++) {
			y[o] = n->bias[l][o] * scale;
			f[o] = 0.5 / (is_last ? 256 : 127);
			for (uint32_t i = 0; i < n->widths[l]; i++) {
				double w = n->weights[l][o * n->widths[l] + i] * scale * (l ? 127 : 32);

				y[o] += w * x[i];
				f[o] += fabs(w) * e[i];
			}
			if (!is_last)
				y[o] = fmin(fmax(y[o], 0), 1);
		}
		memcpy(x, y, sizeof(x));
		memcpy(e, f, sizeof(e));
	}
	memcpy(ret_out, x, sizeof(x));
	memcpy(ret_bound, e, sizeof(e));
}

START_TEST(close_to_the_real_net)
	{
		struct plain_net n;
		struct mlp m;
		uint64_t rng = 7;
		double sum_error = 0, sum_bound = 0;
		uint32_t nr = 0;

		for (int i = 0; i < NR_NETS; i++) {
			int8_t in[MLP_MAX_WIDTH];
			double want[MLP_MAX_WIDTH], bound[MLP_MAX_WIDTH];
			int32_t got[MLP_MAX_WIDTH];

			plain_net__random_usual(&n, &rng);
			ck_assert_int_eq(plain_net__build(&n, &m), MLP_OK);
			random_input(&rng, 0, in);
			mlp__forward(&m, in, got);
			real_net(&n, in, want, bound);
			for (uint32_t o = 0; o < n.widths[n.nr_layers]; o++, nr++) {
				ck_assert_double_le(fabs(got[o] / 256.0 - want[o]), bound[o] + 1e-9);
				sum_error += fabs(got[o] / 256.0 - want[o]);
				sum_bound += bound[o];
			}
		}
		/* the bound says something, and most errors are far inside */
		ck_assert_double_lt(sum_bound / nr, 0.5);
		ck_assert_double_lt(sum_error / nr, 0.02);
	}
END_TEST

/* Slope and offset in multiplier and bias: y = clamp(0.2 z + 0.5, 0, 1) to the nearest 1/127. */
START_TEST(hard_sigmoid)
	{
		const double input_scale = 1 / 32.0, weight_scale = 0.05, slope = 0.2, offset = 0.5;
		static const int8_t weights[2] = { 100, -37 }, identity[1] = { 127 };
		static const int32_t zero[1] = { 0 };
		int32_t bias[1] = { (int32_t)lround((0.3 + offset / slope) / (input_scale * weight_scale)) };
		uint32_t multiplier, shift;
		struct mlp m;

		mlp__init(&m);
		ck_assert_int_eq(mlp__multiplier(input_scale * weight_scale * slope * 127, &multiplier, &shift), 0);
		ck_assert_int_eq(mlp__add(&m, 2, 1, MLP_HARD_SIGMOID, multiplier, shift, weights, bias), MLP_OK);
		/* the last layer gives 127 times what the activation is: whole steps */
		ck_assert_int_eq(mlp__add(&m, 1, 1, MLP_LINEAR, 1u << 30, 30, identity, zero), MLP_OK);
		ck_assert_int_eq(mlp__check(&m, NULL), MLP_OK);
		for (int a = -127; a <= 127; a++) {
			int8_t in[2] = { (int8_t)a, (int8_t)(a * 7 % 128) };
			double z = (100 * in[0] - 37 * in[1]) * input_scale * weight_scale + 0.3;
			double y = fmin(fmax(slope * z + offset, 0), 1);

			ck_assert_double_le(fabs(mlp__run(&m, in) / 127.0 / 127.0 - y), 0.5 / 127 + 1e-3);
		}
	}
END_TEST

START_TEST(multipliers)
	{
		static const double ends[] = { 0x1p-32, 0.5, 1, 1.0 - 0x1p-33, 3, 0x1p14, 0x1.fffffep14 };
		uint32_t multiplier, shift;
		uint64_t rng = 3;

		for (int i = 0; i < 10000; i++) {
			double m = i < 7 ? ends[i] : exp2(random_double(&rng) * 46 - 32);

			ck_assert_int_eq(mlp__multiplier(m, &multiplier, &shift), 0);
			ck_assert(multiplier >= MLP_MULTIPLIER_MIN && multiplier <= MLP_MULTIPLIER_MAX);
			ck_assert(shift >= MLP_SHIFT_MIN && shift <= MLP_SHIFT_MAX);
			ck_assert_double_le(fabs(ldexp(multiplier, -(int)shift) / m - 1), 0x1p-31);
		}
		ck_assert_int_eq(mlp__multiplier(0, &multiplier, &shift), -1);
		ck_assert_int_eq(mlp__multiplier(-1, &multiplier, &shift), -1);
		ck_assert_int_eq(mlp__multiplier(0x1p15, &multiplier, &shift), -1);
		ck_assert_int_eq(mlp__multiplier(0x1.ffffffffffp14, &multiplier, &shift), -1);
		ck_assert_int_eq(mlp__multiplier(NAN, &multiplier, &shift), -1);
		ck_assert_int_eq(mlp__multiplier(INFINITY, &multiplier, &shift), -1);
	}
END_TEST

START_TEST(rounding_is_half_away_from_zero)
	{
		/* 2^30 / 2^31 = 1/2 */
		ck_assert_int_eq(mlp__requantise(1, 1u << 30, 31), 1);
		ck_assert_int_eq(mlp__requantise(-1, 1u << 30, 31), -1);
		ck_assert_int_eq(mlp__requantise(3, 1u << 30, 31), 2);
		ck_assert_int_eq(mlp__requantise(-3, 1u << 30, 31), -2);
		/* 1/4: less than a half is nothing */
		ck_assert_int_eq(mlp__requantise(1, 1u << 30, 32), 0);
		ck_assert_int_eq(mlp__requantise(-1, 1u << 30, 32), 0);
		ck_assert_int_eq(mlp__requantise(0, MLP_MULTIPLIER_MAX, 16), 0);
	}
END_TEST

START_TEST(unsound_nets_are_refused)
	{
		static const int8_t w[64 * 64] = { 1 }, bad_w[4] = { 0, 0, 0, -128 };
		static const int32_t b[64] = { 5 }, bad_b[2][1] = { { MLP_BIAS_MAX + 1 }, { INT32_MIN } };
		struct mlp m, before;
		uint32_t layer = 99;

		mlp__init(&m);
		ck_assert_int_eq(mlp__check(&m, &layer), MLP_BAD_LAYERS);
		ck_assert_int_eq(mlp__add(&m, 0, 1, MLP_RELU, 1u << 30, 31, w, b), MLP_BAD_WIDTH);
		ck_assert_int_eq(mlp__add(&m, 65, 1, MLP_RELU, 1u << 30, 31, w, b), MLP_BAD_WIDTH);
		ck_assert_int_eq(mlp__add(&m, 1, 0, MLP_RELU, 1u << 30, 31, w, b), MLP_BAD_WIDTH);
		ck_assert_int_eq(mlp__add(&m, 1, 65, MLP_RELU, 1u << 30, 31, w, b), MLP_BAD_WIDTH);
		ck_assert_int_eq(mlp__add(&m, 4, 1, (enum mlp_activation)3, 1u << 30, 31, w, b), MLP_BAD_ACTIVATION);
		ck_assert_int_eq(mlp__add(&m, 4, 1, MLP_RELU, (1u << 30) - 1, 31, w, b), MLP_BAD_MULTIPLIER);
		ck_assert_int_eq(mlp__add(&m, 4, 1, MLP_RELU, 1u << 31, 31, w, b), MLP_BAD_MULTIPLIER);
		ck_assert_int_eq(mlp__add(&m, 4, 1, MLP_RELU, 1u << 30, 15, w, b), MLP_BAD_SHIFT);
		ck_assert_int_eq(mlp__add(&m, 4, 1, MLP_RELU, 1u << 30, 63, w, b), MLP_BAD_SHIFT);
		ck_assert_int_eq(mlp__add(&m, 4, 1, MLP_RELU, 1u << 30, 31, bad_w, b), MLP_BAD_WEIGHT);
		ck_assert_int_eq(mlp__add(&m, 4, 1, MLP_RELU, 1u << 30, 31, w, bad_b[0]), MLP_BAD_BIAS);
		ck_assert_int_eq(mlp__add(&m, 4, 1, MLP_RELU, 1u << 30, 31, w, bad_b[1]), MLP_BAD_BIAS);
		mlp__init(&before);
		ck_assert_mem_eq(&m, &before, sizeof(m));

		ck_assert_int_eq(mlp__add(&m, 4, 3, MLP_RELU, 1u << 30, 31, w, b), MLP_OK);
		ck_assert_int_eq(mlp__check(&m, &layer), MLP_BAD_ACTIVATION); /* the last is not linear */
		ck_assert_uint_eq(layer, 0);
		ck_assert_int_eq(mlp__add(&m, 2, 1, MLP_LINEAR, 1u << 30, 31, w, b), MLP_OK);
		ck_assert_int_eq(mlp__check(&m, &layer), MLP_BAD_CHAIN);
		ck_assert_uint_eq(layer, 1);
		mlp__init(&m);
		for (int i = 0; i < 4; i++)
			ck_assert_int_eq(mlp__add(&m, 1, 1, MLP_LINEAR, 1u << 30, 31, w, b), MLP_OK);
		ck_assert_int_eq(mlp__check(&m, &layer), MLP_BAD_ACTIVATION); /* a hidden one is */
		before = m;
		ck_assert_int_eq(mlp__add(&m, 1, 1, MLP_LINEAR, 1u << 30, 31, w, b), MLP_BAD_LAYERS);
		ck_assert_mem_eq(&m, &before, sizeof(m));
	}
END_TEST

int main(void)
{
	Suite *suite = suite_create("mlp");
	TCase *tcase = tcase_create("mlp");
	SRunner *runner;
	int failed;

	tcase_add_test(tcase, every_path_gives_the_same_bits);
	tcase_add_test(tcase, avx2_is_used_where_it_is);
	tcase_add_test(tcase, the_largest_sums_fit);
	tcase_add_test(tcase, close_to_the_real_net);
	tcase_add_test(tcase, hard_sigmoid);
	tcase_add_test(tcase, multipliers);
	tcase_add_test(tcase, rounding_is_half_away_from_zero);
	tcase_add_test(tcase, unsound_nets_are_refused);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
