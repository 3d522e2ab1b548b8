/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Expiry, run by the agent a range at a time (BPF_PROG_TYPE_SYSCALL): in the kernel, because a process that dies between freeing an entry
 * and counting it would leave a load that never comes down. It is the agent's heartbeat too (ladder.bpf.h).
 */
#ifndef PINTLE_SWEEP_BPF_H
#define PINTLE_SWEEP_BPF_H

#include "flow.bpf.h"

#define PT_SWEEP_MAX_BUCKETS 65536u

struct sweep_state {
	struct pintle_sweep *out;
	__u32 first;
	bool is_wipe;
	__u32 valid, closed, expired, given_up, half_open;
};

/* Entries of a bucket above which those that a client has reset go: new flows keep finding a free slot in their first bucket (free_slot()). */
#define PT_SWEEP_CROWDED (PINTLE_BUCKET_SLOTS / 2)

/* What a client's reset leaves is most often dead, but may be an idle connection whose client never sent it: it stays as long as one where there is
 * room, else for a tick of its clock in full. */
static __always_inline bool is_expired(const struct pintle_ctl *ctl, __u64 state, __u32 age, bool is_crowded)
{
	if (state & PINTLE_FS_UDP)
		return age > ctl->age_udp;
	if (PINTLE_FS_IS_ENDED(state))
		return age > ctl->age_closed;
	if (!(state & PINTLE_FS_EST))
		return age > (state & PINTLE_FS_RST_CLIENT ? ctl->age_closed : ctl->age_half_open);
	if (state & PINTLE_FS_RST_CLIENT && is_crowded && age > 1)
		return true;
	return !(state & PINTLE_FS_AWAITING) && age > ctl->age_tcp;
}

static __always_inline void sweep_slot(const struct pintle_ctl *ctl, struct sweep_state *s, struct pintle_slot *slot,
				       __u32 index, bool is_crowded)
{
	__u64 state = *(volatile __u64 *)&slot->state, before;
	__u32 age;

	if (!(state & PINTLE_FS_VALID))
		return;
	age = flow_age(state);
	if (s->is_wipe || is_expired(ctl, state, age, is_crowded)) {
		if (flow_free(slot, state))
			s->expired += 1;
		return;
	}
	if (state & PINTLE_FS_AWAITING && age > ctl->age_awaiting &&
	    flow_change(index, state, 0, PINTLE_FS_AWAITING, &before)) {
		count_aborted(flow_backend(before));
		s->given_up += 1;
	}
	s->valid += 1;
	if (PINTLE_FS_IS_CLOSED(state))
		s->closed += 1;
	else if (!(state & (PINTLE_FS_EST | PINTLE_FS_UDP)))
		s->half_open += 1;
}

static long sweep_bucket(__u32 i, struct sweep_state *s)
{
	__u32 bucket_index = s->first + i, zero = 0, used = 0;
	struct pintle_bucket *bucket = bpf_map_lookup_elem(&pt_flows, &bucket_index);
	struct pintle_ctl *ctl = bpf_map_lookup_elem(&pt_ctl, &zero);

	if (!bucket || !ctl)
		return 1;
	for (__u32 k = 0; k < PINTLE_BUCKET_SLOTS; k++)
		used += (*(volatile __u64 *)&bucket->slot[k].state >> PINTLE_FS_FLAGS_SHIFT) & 1; /* VALID */
	for (__u32 k = 0; k < PINTLE_BUCKET_SLOTS; k++)
		sweep_slot(ctl, s, &bucket->slot[k], bucket_index * PINTLE_BUCKET_SLOTS + k, used > PT_SWEEP_CROWDED);
	return 0;
}

static __always_inline int sweep(struct pintle_sweep *out)
{
	struct sweep_state s = { .first = out->first_bucket, .is_wipe = out->flags & PINTLE_SWEEP_WIPE };
	__u32 nr = out->nr_buckets, zero = 0, now = (__u32)bpf_jiffies64();
	struct pintle_ctl *ctl = bpf_map_lookup_elem(&pt_ctl, &zero);

	if (ctl && !s.is_wipe) /* that is the command line's */
		*(volatile __u32 *)&ctl->beat = now ? now : 1;

	if (nr > PT_SWEEP_MAX_BUCKETS)
		nr = PT_SWEEP_MAX_BUCKETS;
	bpf_loop(nr, sweep_bucket, &s, 0);
	out->valid += s.valid;
	out->closed += s.closed;
	out->expired += s.expired;
	out->given_up += s.given_up;
	out->half_open += s.half_open;
	return 0;
}

#endif
