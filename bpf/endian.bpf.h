/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Typed byte order helpers, so that sparse sees a host-order value compared with a network-order one. The only place that swaps. */
#ifndef PINTLE_ENDIAN_BPF_H
#define PINTLE_ENDIAN_BPF_H

#include <linux/types.h>

#ifdef __CHECKER__
#define PINTLE_FORCE __attribute__((force))
#else
#define PINTLE_FORCE
#endif

#define pintle_const_htons(x) ((PINTLE_FORCE __be16)(__u16)((((x)&0xffu) << 8) | (((x) >> 8) & 0xffu)))

static inline __attribute__((always_inline)) __be16 pintle_htons(__u16 x)
{
	return (PINTLE_FORCE __be16)__builtin_bswap16(x);
}

static inline __attribute__((always_inline)) __u16 pintle_ntohs(__be16 x)
{
	return __builtin_bswap16((PINTLE_FORCE __u16)x);
}

/* Bits of a big-endian word as they lie in memory, for hashing and ones-complement sums, which do not care. */
static inline __attribute__((always_inline)) __u16 pintle_raw16(__be16 x)
{
	return (PINTLE_FORCE __u16)x;
}

static inline __attribute__((always_inline)) __u32 pintle_raw32(__be32 x)
{
	return (PINTLE_FORCE __u32)x;
}

#endif
