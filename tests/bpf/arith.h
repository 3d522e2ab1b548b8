/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* One question to arith.bpf.c, and its answers. */
#ifndef PINTLE_TESTS_ARITH_H
#define PINTLE_TESTS_ARITH_H

#include "pintle/abi.h"

struct arith {
	struct pintle_member member;
	__s32 load;
	__u32 own;
	__s32 offset_q8;
	__u32 share_q8;
	__u64 x;
	/* answers */
	__s32 score_q8, psi_q8, log2_q8;
	__u32 reckoned;
};

#endif
