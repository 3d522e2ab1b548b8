/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fixed point. QN: the value times 2^N. Rounding is half away from zero, everywhere; results saturate at the type's ends instead of wrapping;
 * a right shift of a negative number is spelt fixed__shr_round. Pure, no division by zero (x / 0 counts as x / 1).
 * The few helpers that the programs need too are in include/pintle/score.h.
 */
#ifndef PINTLE_POLICY_FIXED_H
#define PINTLE_POLICY_FIXED_H

#include <stdint.h>

#define FIXED_ONE_Q16 65536

/* Saturating casts. */
static inline int8_t fixed__sat8(int64_t x)
{
	return (int8_t)(x > INT8_MAX ? INT8_MAX : x < -INT8_MAX ? -INT8_MAX : x); /* symmetric: -128 is no activation */
}

static inline int16_t fixed__sat16(int64_t x)
{
	return (int16_t)(x > INT16_MAX ? INT16_MAX : x < INT16_MIN ? INT16_MIN : x);
}

static inline int32_t fixed__sat32(int64_t x)
{
	return (int32_t)(x > INT32_MAX ? INT32_MAX : x < INT32_MIN ? INT32_MIN : x);
}

static inline uint32_t fixed__satu32(uint64_t x)
{
	return x > UINT32_MAX ? UINT32_MAX : (uint32_t)x;
}

/* x / 2^n, n in 0..62. */
static inline int64_t fixed__shr_round(int64_t x, unsigned int n)
{
	uint64_t magnitude = x < 0 ? 0 - (uint64_t)x : (uint64_t)x;

	if (n)
		magnitude = (magnitude >> n) + (magnitude >> (n - 1) & 1);
	return x < 0 ? (int64_t)(0 - magnitude) : (int64_t)magnitude;
}

/* a / b. */
static inline int64_t fixed__div_round(int64_t a, int64_t b)
{
	uint64_t n = a < 0 ? 0 - (uint64_t)a : (uint64_t)a, d = b < 0 ? 0 - (uint64_t)b : (uint64_t)(b ? b : 1);
	uint64_t q = n / d + (n % d >= d - n % d);

	if (q > INT64_MAX)
		q = INT64_MAX;
	return (a < 0) != (b < 0) ? -(int64_t)q : (int64_t)q;
}

/* a * b / 2^16: a Q16 factor applied to any Q. */
static inline int32_t fixed__mul_q16(int32_t a, int32_t b)
{
	return fixed__sat32(fixed__shr_round((int64_t)a * b, 16));
}

/* a * 2^16 / b for a <= b: a fraction in Q16, 0..65536; more than that counts as one. */
uint32_t fixed__fraction_q16(uint64_t a, uint64_t b);
/* The same in Q30. */
uint64_t fixed__fraction_q30(uint64_t a, uint64_t b);
/* 2^-x for x >= 0 in Q30: Q30, relative error < 2^-15. */
uint64_t fixed__exp2_neg_q30(uint64_t x_q30);
/* 1 - e^-(dt / tau) in Q30, relative error < 2^-12 also where it is small; 2^30 for tau = 0. */
uint64_t fixed__one_minus_exp_q30(uint64_t dt, uint64_t tau);
/* 2^-x for x >= 0 in Q16: Q16 in 0..65536, within 1.5 of the real value. */
uint32_t fixed__exp2_neg_q16(uint64_t x_q16);
/* log2(x) in Q8, rounded, within 0.52 of the real value (pintle_log2_q8 is within 23); x = 0 gives 0. */
int32_t fixed__log2_q8(uint64_t x);
/* 2^(x/256), rounded to an integer, relative error < 2^-15; 0 below 2^-1, saturates at UINT64_MAX. */
uint64_t fixed__exp2_q8(int32_t x_q8);

#endif
