// SPDX-License-Identifier: BSD-2-Clause
/*
 * AVX2: 8 outputs at a time. A step takes a pair of inputs, broadcast, times 8 pairs of weights (pmaddwd: exact in int32), so that no sum runs
 * across lanes. Same arithmetic as the scalar path, hence the same bits; built for any x86-64, run only where mlp__best_path said so.
 */
#include "policy/mlp_paths.h"

#if MLP_HAS_AVX2
#include <immintrin.h>
#include <string.h>

#define AVX2 __attribute__((target("avx2")))

/* Sums of the 8 outputs of `block`. */
AVX2 static inline __m256i sums(const struct mlp_layer *l, uint32_t block, const int16_t *x)
{
	uint32_t pairs = (l->nr_in + 1u) / 2;
	const int8_t *w = &l->weights[(size_t)block * pairs * 16];
	__m256i acc = _mm256_loadu_si256((const __m256i *)(const void *)&l->bias[(size_t)block * 8]);

	for (uint32_t k = 0; k < pairs; k++) {
		__m256i weights = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(const void *)&w[(size_t)k * 16]));
		int32_t pair;

		memcpy(&pair, &x[(size_t)k * 2], sizeof(pair));
		acc = _mm256_add_epi32(acc, _mm256_madd_epi16(weights, _mm256_set1_epi32(pair)));
	}
	return acc;
}

/* mlp__requantise of 8 magnitudes: 64-bit products of the even lanes and of the odd ones; results are below 2^31. */
AVX2 static inline __m256i requantise(__m256i magnitude, __m256i multiplier, __m256i half, __m128i shift)
{
	__m256i even = _mm256_mul_epu32(magnitude, multiplier);
	__m256i odd = _mm256_mul_epu32(_mm256_srli_epi64(magnitude, 32), multiplier);

	even = _mm256_srl_epi64(_mm256_add_epi64(even, half), shift);
	odd = _mm256_srl_epi64(_mm256_add_epi64(odd, half), shift);
	return _mm256_or_si256(even, _mm256_slli_epi64(odd, 32));
}

AVX2 static inline void hidden(const struct mlp_layer *l, const int16_t *x, int16_t *y)
{
	__m256i multiplier = _mm256_set1_epi64x(l->multiplier), half = _mm256_set1_epi64x(1ll << (l->shift - 1));
	__m256i one = _mm256_set1_epi32(MLP_ACTIVATION_ONE);
	__m128i shift = _mm_cvtsi32_si128(l->shift);

	for (uint32_t o = 0; o < l->nr_out; o += 8) {
		__m256i acc = _mm256_max_epi32(sums(l, o / 8, x), _mm256_setzero_si256());
		__m256i v = _mm256_min_epi32(requantise(acc, multiplier, half, shift), one);

		_mm_store_si128((__m128i *)(void *)&y[o],
				_mm_packs_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1)));
	}
}

AVX2 void mlp_avx2__forward(const struct mlp *m, const int8_t *in, int32_t ret_out[MLP_MAX_WIDTH])
{
	struct mlp_activations a[2];
	const struct mlp_layer *last = &m->layers[m->nr_layers - 1];
	uint32_t nr_in = m->layers[0].nr_in, i;
	__m256i multiplier = _mm256_set1_epi64x(last->multiplier), half = _mm256_set1_epi64x(1ll << (last->shift - 1));
	__m128i shift = _mm_cvtsi32_si128(last->shift);
	/* cppcheck-suppress uninitvar ; addresses only */
	int16_t *x = a[0].x, *y = a[1].x, *swap;

	for (i = 0; i < nr_in; i++)
		x[i] = in[i];
	if (nr_in & 1) /* its weight is zero, but it is read */
		x[nr_in] = 0;
	for (const struct mlp_layer *l = m->layers; l < last; l++) {
		hidden(l, x, y);
		swap = x;
		x = y;
		y = swap;
	}
	for (i = 0; i < last->nr_out; i += 8) {
		__m256i acc = sums(last, i / 8, x);
		__m256i v = requantise(_mm256_abs_epi32(acc), multiplier, half, shift);

		_mm256_storeu_si256((__m256i *)(void *)&ret_out[i], _mm256_sign_epi32(v, acc));
	}
}
#endif
