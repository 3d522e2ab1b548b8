/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Internet checksum arithmetic (RFC 1071; incremental update RFC 1624 equation 3: HC' = ~(~HC + ~m + m')). */
#ifndef PINTLE_CSUM_H
#define PINTLE_CSUM_H

#include <linux/types.h>

#ifndef PINTLE_INLINE
#define PINTLE_INLINE static inline __attribute__((always_inline))
#endif

/* Folds a 32-bit ones-complement sum to 16 bits. */
PINTLE_INLINE __u16 pintle_csum_fold(__u32 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (__u16)sum;
}

/* Ones-complement sum of an IPv4 (1 word) or IPv6 (4 words) address, folded; words as they lie in memory. */
PINTLE_INLINE __u16 pintle_csum_addr(const __u32 *addr_be, int words)
{
	__u64 sum = addr_be[0];

	if (words == 4)
		sum += (__u64)addr_be[1] + addr_be[2] + addr_be[3];
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffffffff) + (sum >> 32);
	return pintle_csum_fold((__u32)sum);
}

/* Replaces in checksum field `check` something of sum m by something of sum m': `inv` = ~m (folded), `to` = m' (folded). */
PINTLE_INLINE __u16 pintle_csum_update(__u16 check, __u16 inv, __u16 to)
{
	return (__u16)~pintle_csum_fold((__u32)(__u16)~check + inv + to);
}

#endif
