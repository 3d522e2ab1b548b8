// SPDX-License-Identifier: BSD-2-Clause
#include "policy/fixed.h"

#define STEPS 64u

/* log2(1 + i / 64) in Q16. Linear between: the error is at most (1/64)^2 / (8 ln 2) = 4.4e-5 octaves. */
static const uint32_t log2_q16[STEPS + 1] = {
	0,     1466,  2909,  4331,  5732,  7112,  8473,	 9814,	11136, 12440, 13727, 14996, 16248, 17484, 18704, 19909, 21098,
	22272, 23433, 24579, 25711, 26830, 27936, 29029, 30109, 31178, 32234, 33279, 34312, 35334, 36346, 37346, 38336, 39316,
	40286, 41246, 42196, 43137, 44068, 44990, 45904, 46809, 47705, 48593, 49472, 50344, 51207, 52063, 52911, 53751, 54584,
	55410, 56229, 57040, 57845, 58643, 59434, 60219, 60997, 61769, 62534, 63294, 64047, 64794, 65536,
};

/* 2^-(i / 64) in Q30. Linear between: relative error at most (ln 2 / 64)^2 / 8 = 1.5e-5. */
static const uint32_t exp2_neg_q30[STEPS + 1] = {
	1073741824, 1062175491, 1050733751, 1039415261, 1028218693, 1017142735, 1006186087, 995347464, 984625594, 974019220,
	963527098,  953147997,	942880699,  932724001,	922676710,  912737649,	902905651,  893179563, 883558244, 874040567,
	864625413,  855311680,	846098274,  836984114,	827968132,  819049271,	810226483,  801498734, 792865000, 784324269,
	775875538,  767517817,	759250125,  751071493,	742980960,  734977579,	727060411,  719228525, 711481005, 703816941,
	696235434,  688735596,	681316545,  673977412,	666717336,  659535466,	652430958,  645402981, 638450708, 631573326,
	624770026,  618040012,	611382493,  604796689,	598281827,  591837143,	585461881,  579155293, 572916640, 566745190,
	560640218,  554601009,	548626854,  542717053,	536870912,
};

uint32_t fixed__fraction_q16(uint64_t a, uint64_t b)
{
	if (a >= b)
		return b ? FIXED_ONE_Q16 : 0;
	while (b >> 47) { /* keeps a << 16 inside 64 bits; the fraction changes by less than 2^-30 */
		a >>= 1;
		b >>= 1;
	}
	return (uint32_t)(((a << 16) + b / 2) / b);
}

uint64_t fixed__fraction_q30(uint64_t a, uint64_t b)
{
	if (a >= b)
		return b ? 1ull << 30 : 0;
	while (b >> 33) {
		a >>= 1;
		b >>= 1;
	}
	return ((a << 30) + b / 2) / b;
}

/* 2^-fraction in Q30 of a fraction in Q16. */
static uint64_t exp2_neg_fraction_q30(uint32_t fraction_q16)
{
	uint32_t i = fraction_q16 >> 10, within = fraction_q16 & 1023;
	uint64_t from = exp2_neg_q30[i], to = exp2_neg_q30[i + 1];

	return from - (((from - to) * within + 512) >> 10);
}

uint64_t fixed__exp2_neg_q30(uint64_t x_q30)
{
	uint64_t octaves = x_q30 >> 30;
	uint32_t i = (uint32_t)(x_q30 >> 24) & (STEPS - 1), within = (uint32_t)x_q30 & ((1u << 24) - 1);
	uint64_t from = exp2_neg_q30[i], to = exp2_neg_q30[i + 1];

	return octaves > 30 ? 0 : (from - (((from - to) * within + (1u << 23)) >> 24)) >> octaves;
}

uint64_t fixed__one_minus_exp_q30(uint64_t dt, uint64_t tau)
{
	const uint64_t one = 1ull << 30, log2_e_q30 = 1549082005;
	uint64_t u;

	if (!tau || dt / tau >= 32)
		return one;
	u = dt / tau * one + fixed__fraction_q30(dt % tau, tau);
	if (u < one / 16) /* u - u^2 / 2 + u^3 / 6 */
		return u - (u * u >> 31) + (u * u >> 30) * u / (6 * one);
	return one - fixed__exp2_neg_q30(((u >> 8) * log2_e_q30) >> 22);
}

uint32_t fixed__exp2_neg_q16(uint64_t x_q16)
{
	uint64_t octaves = x_q16 >> 16;
	unsigned int shift = 14 + (unsigned int)(octaves > 40 ? 40 : octaves);

	return (uint32_t)fixed__shr_round((int64_t)exp2_neg_fraction_q30((uint32_t)(x_q16 & 65535)), shift);
}

int32_t fixed__log2_q8(uint64_t x)
{
	unsigned int e;
	uint64_t mantissa; /* Q22 below the leading one */
	uint32_t i, q16;

	if (!x)
		return 0;
	e = 63u - (unsigned int)__builtin_clzll(x);
	mantissa = e >= 22 ? x >> (e - 22) : x << (22 - e);
	mantissa &= (1u << 22) - 1;
	i = (uint32_t)(mantissa >> 16);
	q16 = log2_q16[i] + (uint32_t)(((log2_q16[i + 1] - log2_q16[i]) * (mantissa & 65535) + 32768) >> 16);
	return (int32_t)(e * 256 + ((q16 + 128) >> 8));
}

uint64_t fixed__exp2_q8(int32_t x_q8)
{
	int32_t up;
	uint64_t q30;

	if (x_q8 < -256)
		return 0;
	if (x_q8 >= 64 * 256)
		return UINT64_MAX;
	/* 2^x = 2^up * 2^-(up - x), up = x rounded up */
	up = (x_q8 + 256 + 255) / 256 - 1;
	q30 = exp2_neg_fraction_q30((uint32_t)(up * 256 - x_q8) << 8);
	if (up > 30)
		return q30 << (up - 30);
	return (uint64_t)fixed__shr_round((int64_t)q30, (unsigned int)(30 - up));
}
