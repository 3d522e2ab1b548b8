/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Classes of new flows and the fine histogram: one source for the programs, the agent and the tests.
 *
 * The class hangs on the flow's key alone, so that a reply's class is known without a word in the flow table: a product with a constant of its
 * own, of which the uppermost 8 bits depend on every bit of the key. Neither the bucket index (bits of the key itself) nor the order of
 * ties (select.bpf.h multiplies by another constant) shares them, so classes are equal samples of flows, buckets and starts.
 */
#ifndef PINTLE_CLASS_H
#define PINTLE_CLASS_H

#include "pintle/abi.h"
#include "pintle/score.h"

/* 0..255, uniform over keys; the product of two mixed words' halves as in MurmurHash3's finaliser (A. Appleby, 2011). */
PINTLE_INLINE __u32 pintle_class_bucket(__u64 key)
{
	return (__u32)(((key ^ key >> 33) * 0xc4ceb9fe1a85ec53ull) >> 56);
}

/* `holdout`, `canary`: buckets of 256, together at most 255. */
PINTLE_INLINE __u32 pintle_class_of(__u64 key, __u32 holdout, __u32 canary)
{
	__u32 bucket = pintle_class_bucket(key);

	if (bucket < holdout)
		return PINTLE_CLASS_HOLDOUT;
	return bucket < holdout + canary ? PINTLE_CLASS_CANARY : PINTLE_CLASS_PRODUCTION;
}

/* By load alone: the holdout, and production that fell back to it. */
PINTLE_INLINE __u32 pintle_class_is_plain(const struct pintle_pool *pool, __u32 flow_class)
{
	return flow_class == PINTLE_CLASS_HOLDOUT ||
	       (flow_class == PINTLE_CLASS_PRODUCTION && pool->class_flags & PINTLE_CLASS_PLAIN);
}

#define PINTLE_FINE_FIRST_OCTAVE 10u /* 1024 ns */

/* Bucket i counts [2^(10 + i / 8) * (1 + i % 8 / 8), ... of i + 1) ns: 8 of equal width an octave, 1 us to 2^42 ns (73 minutes). The first
 * and the last also hold what lies beyond. */
PINTLE_INLINE __u32 pintle_fine_bucket(__u64 ns)
{
	__s32 bucket = (pintle_log2_q8(ns) >> 5) - (__s32)(8 * PINTLE_FINE_FIRST_OCTAVE);

	if (bucket < 0)
		return 0;
	return bucket < (__s32)PINTLE_FINE_BUCKETS ? (__u32)bucket : PINTLE_FINE_BUCKETS - 1;
}

/* Where bucket i begins, in ns; i up to PINTLE_FINE_BUCKETS (the end of the last). */
PINTLE_INLINE __u64 pintle_fine_begin_ns(__u32 i)
{
	return (8ull + i % 8) << (PINTLE_FINE_FIRST_OCTAVE - 3 + i / 8);
}

#endif
