/* SPDX-License-Identifier: BSD-2-Clause */
/* Random numbers of the offline tools: xoshiro256** (Blackman and Vigna 2021, "Scrambled linear pseudorandom number generators", section 5.1), its
 * state filled by SplitMix64 (Steele, Lea and Flood 2014) from one seed. The same sequence everywhere. Not for secrets. */
#ifndef PINTLE_TRAIN_RNG_H
#define PINTLE_TRAIN_RNG_H

#include <stdint.h>

struct rng {
	uint64_t s[4];
};

static inline uint64_t rng__mix(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

static inline void rng__init(struct rng *r, uint64_t seed)
{
	for (int i = 0; i < 4; i++)
		r->s[i] = rng__mix(&seed);
}

static inline uint64_t rng__next(struct rng *r)
{
	uint64_t *s = r->s, m = s[1] * 5, result = (m << 7 | m >> 57) * 9, t = s[1] << 17;

	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = s[3] << 45 | s[3] >> 19;
	return result;
}

/* Uniform in [0, 1), 53 bits. */
static inline double rng__uniform(struct rng *r)
{
	return (double)(rng__next(r) >> 11) * 0x1p-53;
}

/* Uniform in [0, n), n >= 1; its bias is below n / 2^64. */
static inline uint64_t rng__below(struct rng *r, uint64_t n)
{
	return (uint64_t)((unsigned __int128)rng__next(r) * n >> 64);
}

#endif
