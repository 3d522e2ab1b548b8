/* SPDX-License-Identifier: BSD-2-Clause */
/* Repeatable random numbers for tests: SplitMix64 (Steele, Lea, Flood 2014). The seed is printed by whoever uses it. */
#ifndef PINTLE_TESTS_RNG_H
#define PINTLE_TESTS_RNG_H

#include <stdint.h>

struct rng {
	uint64_t state;
};

static inline uint64_t rng__next(struct rng *r)
{
	uint64_t z = (r->state += 0x9e3779b97f4a7c15ull);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

/* 0 <= result < n, n >= 1; the bias of the multiplication is below 2^-32 */
static inline uint32_t rng__below(struct rng *r, uint32_t n)
{
	return (uint32_t)(((rng__next(r) >> 32) * n) >> 32);
}

/* true once in n on average */
static inline int rng__one_in(struct rng *r, uint32_t n)
{
	return rng__below(r, n) == 0;
}

#endif
