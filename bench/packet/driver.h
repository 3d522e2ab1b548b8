/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the driver program and its user-space half share through one mapped array element. */
#ifndef BENCH_DRIVER_H
#define BENCH_DRIVER_H

#include <linux/types.h>

#define DRIVER_HEADER_WORDS 10u	  /* 80 bytes: Ethernet + IPv6 + TCP, rounded up */
#define DRIVER_HEADER_WORDS_V4 7u /* 56 bytes */
#define DRIVER_CAPTURE_BYTES 120u /* of each output packet that are kept for comparison */
#define DRIVER_CAPTURE_ENTRIES (1u << 16)

enum driver_pair {
	DRIVER_SINGLE = 0,
	DRIVER_PAIR, /* template 0, template 1 of the same flow, then the next flow */
};

/* A packet without its per-flow parts; those are added to the two partial checksums. */
struct driver_template {
	__u64 header[DRIVER_HEADER_WORDS];
	__u32 ip_sum;  /* ones-complement sum of the IPv4 header without client, frontend, pod and checksum */
	__u32 l4_sum;  /* the same of pseudo-header, transport header and payload */
	__u32 reverse; /* pod -> client */
	__u32 slot;    /* 0 or 1 in `targets` */
};

/* One entry of the order map: which flow comes next and, for reverse packets, which pod it belongs to. */
struct driver_order {
	__u32 flow;
	__u16 pod;
	__u16 pad;
};

struct driver_capture {
	__u32 bytes; /* of the packet; 0 = nothing was captured */
	__u32 flow;
	__u8 data[DRIVER_CAPTURE_BYTES];
};

struct driver_ctl {
	__u64 next;   /* packets made so far */
	__u64 home;   /* where packet data began at the first packet of this run; the harness clears it before every run */
	__u64 seen;   /* scratch of the same */
	__u64 first;  /* capture: value of `next` at the start of the run */
	__u64 limit;  /* capture: packets in this run; 0 = timed run, nothing is captured */
	__u64 missed; /* the tail call fell through */
	__u64 broken; /* the packet could not be restored */
	__u32 flow_base;
	__u32 flow_mask;     /* number of flows - 1 */
	__u32 frontend_mask; /* number of active frontends - 1 */
	__u32 order_mask;    /* entries of the order map - 1; 0 = permuted counter */
	__u32 packet_bytes;
	__u32 pair; /* enum driver_pair */
	__u32 is_v6;
	__u32 is_udp;
	struct driver_template template[2];
	__u64 fence __attribute__((aligned(64)));
};

#endif
