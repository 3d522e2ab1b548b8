/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Load-time constants (struct pintle_meta): the verifier folds them into the code. */
#ifndef PINTLE_CONFIG_BPF_H
#define PINTLE_CONFIG_BPF_H

#include <linux/types.h>

#include "pintle/hash.h"

const volatile __u32 pt_bucket_mask = 0; /* number of buckets - 1, a power of two less one, of each hash table */
const volatile __u32 pt_vip4_mask = 0;
const volatile __u32 pt_vip6_mask = 0;
const volatile __u32 pt_rev4_mask = 0;
const volatile __u32 pt_rev6_mask = 0;
const volatile __u32 pt_member_lines = 0; /* lines in one half of the members */
const volatile __u32 pt_fine_shift = 9;	  /* jiffies to units of the two clocks of the age byte */
const volatile __u32 pt_coarse_shift = 14;
const volatile __u32 pt_searches = 40; /* of heal.bpf.h, by CPU and tick of the kernel */
const volatile struct pintle_seed pt_seed = { 0, 1, 1, 0 };
/* BPF_F_IPV6 where bpf_l4_csum_replace() knows it (6.16: "bpf: Fix L4 csum update on IPv6 in CHECKSUM_COMPLETE"), else 0 */
const volatile __u64 pt_v6_csum_flag = 0;

/* A copy by volatile reads: through a plain pointer clang would fold the initial value above into the code. */
static inline __attribute__((always_inline)) struct pintle_seed table_seed(void)
{
	struct pintle_seed seed = { pt_seed.s0, pt_seed.m1, pt_seed.m2, pt_seed.s3 };

	return seed;
}

#endif
