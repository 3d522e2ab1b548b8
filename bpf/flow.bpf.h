/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The flow table: look-up, transitions, ages. An entry is found by its key in one of two buckets and serves both directions.
 *
 * Reading: key, state, key again. An inserter takes a slot by CAS to BUSY before it writes the key and publishes VALID after, so a
 * reader that sees its key on both sides of a VALID state saw one flow. Changing: compare-and-swap of the whole state; only its winner
 * touches the counters of the pod, so that load equals a recount of the table at rest.
 */
#ifndef PINTLE_FLOW_BPF_H
#define PINTLE_FLOW_BPF_H

#include "config.bpf.h"
#include "maps.bpf.h"
#include "telemetry.bpf.h"

#define PT_NO_SLOT 0xffffffffu
#define PT_CAS_TRIES 4

struct flow_ref {
	struct pintle_slot *slot;
	__u64 state;
	__u32 index; /* bucket * 4 + slot */
};

#define flow_backend(state) ((__u32)((state)&PINTLE_FS_BACKEND_MASK))

/* `family`: 0 or PINTLE_FS_V6. */
static __always_inline __u64 flow_key(__u64 family, const __u32 *client_be, __u16 port_be, __u16 frontend)
{
	const struct pintle_seed seed = table_seed();

	if (family)
		return pintle_flow_key6(client_be, port_be, frontend, &seed);
	return pintle_flow_key4(client_be[0], port_be, frontend, &seed);
}

static __always_inline __u32 age_now(__u64 state)
{
	__u64 jiffies = bpf_jiffies64();

	return (__u32)(jiffies >> (PINTLE_FS_IS_COARSE(state) ? pt_coarse_shift : pt_fine_shift)) & 0xff;
}

/* Units since the last packet, on the clock that the entry's state selects. Read the state before: then `now` is never behind. */
static __always_inline __u32 flow_age(__u64 state)
{
	__u32 then = (__u32)(state >> PINTLE_FS_AGE_SHIFT) & 0xff;
	__u32 age = (age_now(state) - then) & 0xff;

	return age == 0xff ? 0 : age; /* stored by another CPU a moment ahead */
}

static __always_inline __u64 with_age(__u64 state)
{
	return (state & ~PINTLE_FS_AGE_MASK) | (__u64)age_now(state) << PINTLE_FS_AGE_SHIFT;
}

/* Once a tick. When another CPU changes the entry meanwhile it has set the age too, perhaps by the other clock: then ours must not come on top. */
static __always_inline void flow_touch(struct pintle_slot *slot, __u64 state)
{
	__u64 aged = with_age(state);

	if (slot && aged != state)
		__sync_val_compare_and_swap(&slot->state, state, aged);
}

/* Has the clock of the entry moved since its last packet? */
static __always_inline bool flow_is_later(__u64 state)
{
	return flow_age(state) != 0;
}

/* RST_CLIENT, when a segment with these flags shows that the connection goes on. In the tick of the reset it may only have overtaken it: taken for
 * life, it would leave a dead flow counted as open for as long as the idle time-out. */
static __always_inline __u64 revived(__u64 state, __u32 tcp_flags)
{
	return !(tcp_flags & (PT_TCP_SYN | PT_TCP_RST)) && flow_is_later(state) ? state & PINTLE_FS_RST_CLIENT : 0;
}

static __always_inline bool slot_match(struct pintle_slot *slot, __u64 key, __u64 family, __u64 *ret_state)
{
	__u64 state;

	if (*(volatile __u64 *)&slot->key != key)
		return false;
	state = *(volatile __u64 *)&slot->state;
	if ((state & (PINTLE_FS_VALID | PINTLE_FS_V6)) != (PINTLE_FS_VALID | family))
		return false;
	/* the slot may have been given to another flow between the first look and the state: no test can stop a CPU there */
	if (*(volatile __u64 *)&slot->key != key)
		return false;
	*ret_state = state;
	return true;
}

static __always_inline bool bucket_find(__u32 bucket_index, __u64 key, __u64 family, struct flow_ref *ref)
{
	struct pintle_bucket *bucket = bpf_map_lookup_elem(&pt_flows, &bucket_index);

	if (!bucket)
		return false;
#pragma clang loop unroll(full)
	for (__u32 i = 0; i < PINTLE_BUCKET_SLOTS; i++) {
		if (!slot_match(&bucket->slot[i], key, family, &ref->state))
			continue;
		ref->slot = &bucket->slot[i];
		ref->index = bucket_index * PINTLE_BUCKET_SLOTS + i;
		return true;
	}
	return false;
}

/* `family`: 0 or PINTLE_FS_V6. */
static __always_inline bool flow_find(__u64 key, __u64 family, struct flow_ref *ref)
{
	if (bucket_find(pintle_bucket_first(key, pt_bucket_mask), key, family, ref))
		return true;
	return bucket_find(pintle_bucket_second(key, pt_bucket_mask), key, family, ref);
}

/* The slot of an index, NULL outside the table. */
static __always_inline struct pintle_slot *slot_at(__u32 index)
{
	__u32 bucket_index = index / PINTLE_BUCKET_SLOTS;
	struct pintle_bucket *bucket = bpf_map_lookup_elem(&pt_flows, &bucket_index);

	if (!bucket)
		return NULL;
	PT_OPAQUE(bucket); /* or clang adds before it tests */
	return &bucket->slot[index % PINTLE_BUCKET_SLOTS];
}

static __always_inline bool state_cas(struct pintle_slot *slot, __u64 from, __u64 to)
{
	return __sync_val_compare_and_swap(&slot->state, from, to) == from;
}

/* Counters of the step from one state of an entry to the next; a free entry is 0. */
static __always_inline void load_step(__u64 from, __u64 to)
{
	__s32 awaiting = (to & PINTLE_FS_AWAITING ? 1 : 0) - (from & PINTLE_FS_AWAITING ? 1 : 0);
	__s32 open = (to & PINTLE_FS_VALID && !PINTLE_FS_IS_CLOSED(to) ? 1 : 0) -
		     (from & PINTLE_FS_VALID && !PINTLE_FS_IS_CLOSED(from) ? 1 : 0);

	load_add(flow_backend(from & PINTLE_FS_VALID ? from : to), awaiting, open);
}

static __always_inline void count_aborted(__u32 pod_id)
{
	struct pintle_pod_stats *stats = pod_stats(pod_id);

	if (!stats)
		return;
	stats->aborted += 1;
	mark_active(pod_id);
}

/* Frees an entry that was seen in `state`. False when it changed meanwhile. */
static __always_inline bool flow_free(struct pintle_slot *slot, __u64 state)
{
	if (!state_cas(slot, state, state & PINTLE_FS_GEN_MASK))
		return false;
	load_step(state, 0);
	if (state & PINTLE_FS_AWAITING)
		count_aborted(flow_backend(state));
	return true;
}

/* Sets and clears flags of the entry at `index` whatever else changes meanwhile, and steps the counters. Returns the state before the
 * winning step in *ret_before; false when the entry is gone (another flow's generation) or the slot is too contended. */
__global_fn int flow_change(__u32 index, __u64 seen, __u64 set, __u64 clear, __u64 *ret_before)
{
	struct pintle_slot *slot = slot_at(index);
	__u64 from = seen;

	if (!slot || !ret_before)
		return 0;
	for (int i = 0; i < PT_CAS_TRIES; i++) {
		__u64 to, got;

		if (!(from & PINTLE_FS_VALID) || (from ^ seen) & PINTLE_FS_GEN_MASK)
			return 0;
		to = with_age((from | set) & ~clear);
		got = __sync_val_compare_and_swap(&slot->state, from, to);
		if (got == from) {
			load_step(from, to);
			*ret_before = from;
			return 1;
		}
		from = got;
	}
	return 0;
}

#endif
