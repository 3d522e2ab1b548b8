/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the generator, the sink and their user-space half share. */
#ifndef BENCH_FORWARD_H
#define BENCH_FORWARD_H

#include <linux/types.h>

#define FORWARD_FRAME_BYTES 60u
#define FORWARD_PAYLOAD_BYTES 18u
#define FORWARD_CLIENT4 0x64400000u /* 100.64.0.0/10, host order: 1024 ports of each of 4M clients */

struct forward_ctl {
	__u64 next; /* frames made so far */
	__u64 first_flow;
	__u64 flow_mask; /* frame n belongs to flow first_flow + (n & flow_mask) */
	__u32 target_be; /* address and port that frames are sent to */
	__u16 target_port_be;
	__u8 dmac[6];
	__u8 smac[6];
	__u8 checks; /* the sink verifies checksums */
	__u8 pad;
	__u32 sink_net_be; /* what arrives must be for this /24, or exactly what was sent where the path does not translate */
	__u16 sink_port_be;
	__u16 pad1;
};

/* Per CPU. */
struct forward_count {
	__u64 arrived;
	__u64 bad_sum; /* wrong IP or UDP checksum, or TTL not as expected */
	__u64 foreign; /* anything else that came in */
};

#endif
