/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Keys and values of the baseline programs' maps. */
#ifndef BENCH_BASELINE_H
#define BENCH_BASELINE_H

#include <linux/types.h>

struct base_key4 {
	__u32 saddr_be, daddr_be;
	__u16 sport_be, dport_be;
	__u8 proto, pad[3];
};

struct base_key6 {
	__u32 saddr_be[4], daddr_be[4];
	__u16 sport_be, dport_be;
	__u8 proto, pad[3];
};

/* What a stock balancer keeps per flow. */
struct base_flow {
	__u32 addr_be[4]; /* IPv4 in [0] */
	__u16 port_be;
	__u16 pod;
	__u32 flags;
};

struct base_vip {
	__u32 first_pod, nr_pods;
};

struct base_count {
	__u64 packets, bytes;
};

#define BASE_MAX_PODS 65536u

#endif
