/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Keys and buckets of the flow table and of the endpoint tables: one source for the programs, the agent, the tests.
 * All arithmetic is modulo 2^64. `seed` points at pintle_meta.seed: [0] any, [1] and [2] odd, [3] any; secret and per table, so
 * that colliding flows cannot be made in advance.
 */
#ifndef PINTLE_HASH_H
#define PINTLE_HASH_H

#include <linux/types.h>

#ifndef PINTLE_INLINE
#define PINTLE_INLINE static inline __attribute__((always_inline))
#endif

struct pintle_seed {
	__u64 s0, m1, m2, s3;
};

/* Bijection on 64 bits: xor, odd multiplications and xor-shifts are all invertible. */
PINTLE_INLINE __u64 pintle_mix(__u64 x, const struct pintle_seed *seed)
{
	x = (x ^ seed->s0) * seed->m1;
	x ^= x >> 32;
	x *= seed->m2;
	x ^= x >> 29;
	x = (x ^ seed->s3) * seed->m1;
	return x ^ (x >> 32);
}

/* IPv4 flow key: exact, because (saddr 32 | sport 16 | frontend 16) fills the word. Byte order of the parts does not matter. */
PINTLE_INLINE __u64 pintle_flow_key4(__u32 saddr_be, __u16 sport_be, __u16 frontend, const struct pintle_seed *seed)
{
	return pintle_mix((__u64)saddr_be << 32 | (__u64)sport_be << 16 | frontend, seed);
}

/* IPv6 flow key: 64-bit keyed hash of (saddr, sport, frontend). */
PINTLE_INLINE __u64 pintle_flow_key6(const __u32 saddr_be[4], __u16 sport_be, __u16 frontend, const struct pintle_seed *seed)
{
	__u64 a = (__u64)saddr_be[0] << 32 | saddr_be[1];
	__u64 b = (__u64)saddr_be[2] << 32 | saddr_be[3];

	a = (a ^ seed->s3) * seed->m2;
	a ^= a >> 31;
	b = (b ^ seed->s0) * seed->m1;
	b ^= b >> 29;
	a = (a + (b << 23 | b >> 41)) ^ ((__u64)sport_be << 16 | frontend);
	return pintle_mix(a, seed);
}

/* The two candidate buckets of a key; `mask` = number of buckets - 1. They may be equal. */
PINTLE_INLINE __u32 pintle_bucket_first(__u64 key, __u32 mask)
{
	return (__u32)(key >> 32) & mask;
}

/* Near the first: within the same 64 buckets, one page of 4 KiB, so that the second look costs no second TLB miss. Two choices among 64 neighbours
 * balance as well as among all while the neighbourhood (256 slots) is not crowded itself, which a keyed hash sees to. */
PINTLE_INLINE __u32 pintle_bucket_second(__u64 key, __u32 mask)
{
	return (pintle_bucket_first(key, mask) & ~63u) | ((__u32)key & 63u & mask);
}

/* Second candidate in an endpoint table. */
PINTLE_INLINE __u32 pintle_ep_second(__u64 hash, __u32 mask)
{
	return (__u32)hash & mask;
}

/* Endpoint tables: hash of (addr, port, proto). Who fills them is trusted and look-ups cost the same whatever is asked, so few
 * multiplications are enough: of each product, only the upper half depends on every bit. */
PINTLE_INLINE __u64 pintle_ep4_hash(__u32 addr_be, __u16 port_be, __u8 proto, const struct pintle_seed *seed)
{
	__u64 x = (addr_be * seed->m2) ^ ((((__u64)port_be << 8 | proto) + (seed->s0 >> 40)) * seed->m1);

	return x ^ (x >> 48);
}

PINTLE_INLINE __u64 pintle_ep6_hash(const __u32 addr_be[4], __u16 port_be, __u8 proto, const struct pintle_seed *seed)
{
	__u64 a = ((__u64)addr_be[0] << 32 | addr_be[1]) ^ seed->s0;
	__u64 b = ((__u64)addr_be[2] << 32 | addr_be[3]) ^ ((__u64)port_be << 16 | proto) ^ seed->s3;
	__u64 x = a * seed->m1 ^ b * seed->m2;

	x = (x ^ (x >> 32)) * seed->m1;
	return x ^ (x >> 48);
}

#endif
