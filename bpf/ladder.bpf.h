/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the programs do on their own while the agent is away. Its sweep leaves the time in ctl.beat, on the clock that costs nothing to read. For
 * a clock unit (2 s) nothing changes; then what was learned is old, and what needs it goes by load alone; after ctl.absence nobody knows any more which
 * pods there are, and new flows are the stack's. Established flows go on all the while.
 *
 * Ages of entries stay good for eviction: nobody sweeps, so they wrap, but a wrapped age is only ever less than the true one.
 */
#ifndef PINTLE_LADDER_BPF_H
#define PINTLE_LADDER_BPF_H

#include "config.bpf.h"
#include "maps.bpf.h"
#include "pintle/ladder.h"
#include "pkt.bpf.h"

/* Out of line, for the stack's sake. */
__global_fn int agent_rung(void)
{
	__u32 zero = 0, beat, silent;
	struct pintle_ctl *ctl = bpf_map_lookup_elem(&pt_ctl, &zero);

	if (!ctl)
		return PINTLE_RUNG_AGENT;
	beat = *(volatile __u32 *)&ctl->beat;
	return (int)pintle_rung(beat, *(volatile __u16 *)&ctl->absence, (__u32)bpf_jiffies64(), pt_fine_shift, &silent);
}

#endif
