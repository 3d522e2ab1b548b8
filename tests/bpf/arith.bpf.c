// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The arithmetic of include/pintle/score.h as the kernel runs it. */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "arith.h"
#include "pintle/score.h"

__s16 arith_psi_q8[PINTLE_PSI_ENTRIES];

SEC("syscall")
int arith(struct arith *a)
{
	struct pintle_member member = a->member;

	a->score_q8 = pintle_score_q8(&member, a->load, arith_psi_q8);
	a->psi_q8 = pintle_psi_log2_q8(arith_psi_q8, a->load < 0 ? 0 : (__u32)a->load);
	a->log2_q8 = pintle_log2_q8(a->x);
	a->reckoned = pintle_reckon(a->own, a->offset_q8, a->share_q8);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
