/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Logarithm and exponential that give the same bits on every x86-64, whatever libm is there: those of libm may differ in the last bit between
 * versions and, chosen at run time, between processors with and without FMA, and one bit is enough to make two simulations part. Only + - * / of
 * doubles, which IEEE 754 rounds in one way, in a fixed order; the build forbids contraction (-ffp-contract=off). sqrt() is exact by the standard
 * and may be used as it is. Within 3 units in the last place (tested against libm).
 */
#ifndef PINTLE_TRAIN_EXACT_H
#define PINTLE_TRAIN_EXACT_H

/* Natural logarithm and the one to base 2, x > 0 and finite; anything else gives -1e9 (so that no NaN spreads). */
double exact__log(double x);
double exact__log2(double x);
/* e^x, 2^x; 0 below, DBL_MAX above what a double holds; NaN gives 0. */
double exact__exp(double x);
double exact__exp2(double x);
/* x^y for x > 0, by exp and log: its error grows with |y log x|. */
double exact__pow(double x, double y);

#endif
