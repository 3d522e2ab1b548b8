// SPDX-License-Identifier: BSD-2-Clause
#include "policy/train/exact.h"

#include <float.h>
#include <stdint.h>
#include <string.h>

/* ln 2 in two parts: the first has its low 21 bits clear, so that k * LN2_HIGH is exact for every exponent k. */
#define LN2_HIGH 0x1.62e42feep-1
#define LN2_LOW 0x1.a39ef35793c76p-33
#define LOG2_E 0x1.71547652b82fep+0
#define SQRT_HALF 0x1.6a09e667f3bcdp-1
#define NO_LOG -1e9

static double from_bits(uint64_t bits)
{
	double x;

	memcpy(&x, &bits, sizeof(x));
	return x;
}

static uint64_t to_bits(double x)
{
	uint64_t bits;

	memcpy(&bits, &x, sizeof(bits));
	return bits;
}

/* x = m * 2^e with m in [sqrt(1/2), sqrt(2)). */
static double split(double x, int *ret_e)
{
	int e = -1022;
	double m;

	if (x < DBL_MIN) { /* subnormal */
		x *= 0x1p54;
		e -= 54;
	}
	e += (int)(to_bits(x) >> 52);
	m = from_bits((to_bits(x) & 0xfffffffffffffull) | 0x3fe0000000000000ull); /* [1/2, 1) */
	if (m < SQRT_HALF) {
		m *= 2;
		e--;
	}
	*ret_e = e;
	return m;
}

/* log m = 2 atanh(s), s = (m - 1) / (m + 1), |s| <= 0.172: the series of atanh to s^23 is within 1e-18. */
static double log_mantissa(double m)
{
	double s = (m - 1) / (m + 1), z = s * s, sum = 0;

	for (int n = 23; n >= 3; n -= 2)
		sum = (sum + 1.0 / n) * z;
	return 2 * s + 2 * s * sum;
}

double exact__log(double x)
{
	double m;
	int e;

	if (!(x > 0) || x > DBL_MAX)
		return NO_LOG;
	m = split(x, &e);
	return e * LN2_HIGH + (e * LN2_LOW + log_mantissa(m));
}

double exact__log2(double x)
{
	double m;
	int e;

	if (!(x > 0) || x > DBL_MAX)
		return NO_LOG;
	m = split(x, &e);
	return e + log_mantissa(m) * LOG2_E;
}

/* e^r for |r| <= ln 2 / 2 by its series to r^14, then times 2^k. */
static double exp_scaled(double r, int k)
{
	double sum = 1;

	for (int n = 14; n >= 1; n--)
		sum = 1 + sum * r / n;
	if (k < -1000)
		return sum * from_bits((uint64_t)(k + 1023 + 200) << 52) * 0x1p-200;
	if (k > 1000)
		return sum * from_bits((uint64_t)(k + 1023 - 100) << 52) * 0x1p100;
	return sum * from_bits((uint64_t)(k + 1023) << 52);
}

static int nearest(double x)
{
	return (int)(x < 0 ? x - 0.5 : x + 0.5);
}

double exact__exp(double x)
{
	int k;

	if (!(x > -745))
		return 0;
	if (x > 709.7)
		return DBL_MAX;
	k = nearest(x * LOG2_E);
	return exp_scaled((x - k * LN2_HIGH) - k * LN2_LOW, k);
}

double exact__exp2(double x)
{
	int k;

	if (!(x > -1074))
		return 0;
	if (x >= 1024)
		return DBL_MAX;
	k = nearest(x);
	if (k > 1023)
		k = 1023;
	return exp_scaled((x - k) * (LN2_HIGH + LN2_LOW), k);
}

double exact__pow(double x, double y)
{
	return exact__exp(y * exact__log(x));
}
