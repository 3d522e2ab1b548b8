/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Putting a new flow into the table: a free slot of the first bucket, then of the second, then a closed entry, one past its time-out, or
 * by age a half-open, UDP or idle TCP flow; never a young one.
 */
#ifndef PINTLE_INSERT_BPF_H
#define PINTLE_INSERT_BPF_H

#include "event.bpf.h"
#include "flow.bpf.h"
#include "scratch.bpf.h"

/* Order in which entries give way; lower goes first. 0 = does not. */
enum pt_evict_rank {
	PT_KEEP = 0,
	PT_EVICT_EXPIRED,
	PT_EVICT_CLOSED,
	PT_EVICT_RESET, /* by the client only */
	PT_EVICT_HALF_OPEN,
	PT_EVICT_UDP,
	PT_EVICT_TCP,
};

static __always_inline enum pt_evict_rank evict_rank(const struct pintle_ctl *ctl, __u64 state, __u32 age)
{
	if (!(state & PINTLE_FS_VALID))
		return PT_KEEP; /* BUSY: another CPU is at it */
	if (state & PINTLE_FS_UDP) {
		if (age > ctl->age_udp)
			return PT_EVICT_EXPIRED;
		return age > ctl->evict_udp ? PT_EVICT_UDP : PT_KEEP;
	}
	if (PINTLE_FS_IS_ENDED(state))
		return age > ctl->age_closed ? PT_EVICT_EXPIRED : PT_EVICT_CLOSED;
	if (state & PINTLE_FS_RST_CLIENT)
		return PT_EVICT_RESET;
	if (!(state & PINTLE_FS_EST)) {
		if (age > ctl->age_half_open)
			return PT_EVICT_EXPIRED;
		return age > ctl->evict_half_open ? PT_EVICT_HALF_OPEN : PT_KEEP;
	}
	if (state & PINTLE_FS_AWAITING) /* on the fine clock */
		return age > ctl->age_awaiting ? PT_EVICT_EXPIRED : PT_KEEP;
	if (age > ctl->age_tcp)
		return PT_EVICT_EXPIRED;
	return age > ctl->evict_tcp ? PT_EVICT_TCP : PT_KEEP;
}

/* Used slots of a bucket, and a free one with its state. */
struct bucket_room {
	__u32 used;
	__u32 index; /* of the free slot; PT_NO_SLOT: full */
	struct pintle_slot *slot;
	__u64 state;
};

static __always_inline void bucket_room(__u32 bucket_index, struct bucket_room *room)
{
	struct pintle_bucket *bucket = bpf_map_lookup_elem(&pt_flows, &bucket_index);

	room->used = PINTLE_BUCKET_SLOTS;
	room->index = PT_NO_SLOT;
	room->slot = NULL;
	room->state = 0;
	if (!bucket)
		return;
#pragma clang loop unroll(full)
	for (__u32 i = 0; i < PINTLE_BUCKET_SLOTS; i++) {
		__u64 state = *(volatile __u64 *)&bucket->slot[i].state;

		if (state & (PINTLE_FS_VALID | PINTLE_FS_BUSY))
			continue;
		room->used -= 1;
		room->index = bucket_index * PINTLE_BUCKET_SLOTS + i;
		room->slot = &bucket->slot[i];
		room->state = state;
	}
}

/* The first bucket while it has two free slots, else the emptier of both: 99.97 % of a million flows find a place in two million slots ("first
 * unless full" places 99.6 %), and nine of ten lie in their first bucket, which is one cold line on the established path. */
static __always_inline void free_slot(__u64 key, struct bucket_room *room)
{
	struct bucket_room second;

	bucket_room(pintle_bucket_first(key, pt_bucket_mask), room);
	if (room->used <= PINTLE_BUCKET_SLOTS / 2)
		return;
	bucket_room(pintle_bucket_second(key, pt_bucket_mask), &second);
	if (second.used < room->used)
		*room = second;
}

/* The entry of both buckets that gives way first, oldest first within a rank, and its state in scratch; PT_NO_SLOT when all are young. */
__global_fn __u32 find_victim(__u64 key)
{
	__u32 zero = 0, best_slot = PT_NO_SLOT, best = 0xffffffff;
	struct pintle_ctl *ctl = bpf_map_lookup_elem(&pt_ctl, &zero);
	struct new_flow *f = scratch_flow();

	if (!ctl || !f)
		return PT_NO_SLOT;
	for (__u32 i = 0; i < 2 * PINTLE_BUCKET_SLOTS; i++) {
		__u32 bucket_index = i < PINTLE_BUCKET_SLOTS ? pintle_bucket_first(key, pt_bucket_mask)
							     : pintle_bucket_second(key, pt_bucket_mask);
		__u32 index = bucket_index * PINTLE_BUCKET_SLOTS + (i & (PINTLE_BUCKET_SLOTS - 1));
		struct pintle_slot *slot = slot_at(index);
		__u64 state;
		__u32 age, rank;

		if (!slot)
			continue;
		state = *(volatile __u64 *)&slot->state;
		age = flow_age(state);
		rank = evict_rank(ctl, state, age);
		if (rank != PT_KEEP && (rank << 8 | (255 - age)) < best) {
			best = rank << 8 | (255 - age);
			best_slot = index;
			f->old_state = state;
		}
	}
	return best_slot;
}

/* Frees the entry of this key at `index`, whatever touches its age or flags meanwhile. */
static __always_inline void free_key(__u32 index, __u64 key, __u64 family)
{
	struct pintle_slot *slot = slot_at(index);

	for (int i = 0; i < PT_CAS_TRIES && slot; i++) {
		__u64 state;

		if (!slot_match(slot, key, family, &state) || flow_free(slot, state))
			return;
	}
}

/* A second entry of the key in another slot, found by rescanning: the lower slot wins. Returns the winner's index. */
__global_fn __u32 settle_duplicate(__u64 key, __u64 family, __u32 mine)
{
	for (__u32 i = 0; i < 2 * PINTLE_BUCKET_SLOTS; i++) {
		__u32 bucket_index = i < PINTLE_BUCKET_SLOTS ? pintle_bucket_first(key, pt_bucket_mask)
							     : pintle_bucket_second(key, pt_bucket_mask);
		__u32 index = bucket_index * PINTLE_BUCKET_SLOTS + (i & (PINTLE_BUCKET_SLOTS - 1));
		struct pintle_slot *slot = slot_at(index);
		__u64 state;

		if (index == mine || !slot || !slot_match(slot, key, family, &state))
			continue;
		free_key(index > mine ? index : mine, key, family);
		if (index < mine)
			return index;
	}
	return mine;
}

/* Marks a slot BUSY: PT_NO_SLOT when there is none, PT_LOST_SLOT when another CPU was faster. f->old_state is what was there. */
#define PT_LOST_SLOT (PT_NO_SLOT - 1)

static __always_inline __u32 take_slot(struct new_flow *f, struct pintle_slot **ret_slot)
{
	struct bucket_room room = {};

	if (f->reuse != PT_NO_SLOT) {
		room.index = f->reuse;
		room.slot = slot_at(room.index);
		room.state = f->reuse_state;
	} else {
		free_slot(f->key, &room);
		if (!room.slot) {
			room.index = find_victim(f->key);
			if (room.index == PT_NO_SLOT)
				return PT_NO_SLOT;
			room.slot = slot_at(room.index);
			room.state = f->old_state;
		}
	}
	f->old_state = room.state;
	if (!room.slot || !state_cas(room.slot, room.state, (room.state & PINTLE_FS_GEN_MASK) | PINTLE_FS_BUSY))
		return PT_LOST_SLOT;
	*ret_slot = room.slot;
	return room.index;
}

/* What an entry that gave way leaves behind. */
static __always_inline void account_evicted(__u64 key, __u64 old)
{
	if (!(old & PINTLE_FS_VALID))
		return;
	load_step(old, 0);
	if (old & PINTLE_FS_AWAITING)
		count_aborted(flow_backend(old));
	if (!PINTLE_FS_IS_CLOSED(old))
		event_evicted(key, old);
}

/* Writes the entry into the slot that was taken. Returns its state. Counters first: a VALID entry is a counted one. */
static __always_inline __u64 publish(struct new_flow *f, struct pintle_slot *slot, __u32 index)
{
	__u64 state = f->pod | ((f->old_state + (1ull << PINTLE_FS_GEN_SHIFT)) & PINTLE_FS_GEN_MASK) | f->flags | f->family |
		      PINTLE_FS_VALID;

	account_evicted(slot->key, f->old_state);
	state = with_age(state);
	load_step(0, state);
	if (f->flags & PINTLE_FS_STAMPED) {
		__u64 *stamp = bpf_map_lookup_elem(&pt_stamps, &index);

		if (stamp)
			*stamp = f->stamp;
	}
	*(volatile __u64 *)&slot->key = f->key;
	__sync_lock_test_and_set(&slot->state,
				 state); /* a full barrier: both of two racing inserters see each other, or one does */
	return state;
}

static __always_inline bool bucket_repeats(__u32 bucket_index, __u64 key, const struct pintle_slot *mine)
{
	struct pintle_bucket *bucket = bpf_map_lookup_elem(&pt_flows, &bucket_index);

	if (!bucket)
		return false;
#pragma clang loop unroll(full)
	for (__u32 i = 0; i < PINTLE_BUCKET_SLOTS; i++)
		if (&bucket->slot[i] != mine && *(volatile __u64 *)&bucket->slot[i].key == key)
			return true;
	return false;
}

/* Does any other slot hold this key, or held it last? Rare enough to look closer then. */
static __always_inline bool may_be_twice(__u64 key, const struct pintle_slot *mine)
{
	return bucket_repeats(pintle_bucket_first(key, pt_bucket_mask), key, mine) ||
	       bucket_repeats(pintle_bucket_second(key, pt_bucket_mask), key, mine);
}

/* Inserts and counts the flow in scratch; f->state and f->index are of the entry that is now in force, which another CPU may have made.
 * Returns CONTINUE, DROP_TABLE_FULL or DROP_RACE. */
__global_fn int flow_insert(void)
{
	struct new_flow *f = scratch_flow();
	struct pintle_slot *slot = NULL;
	__u32 index, winner;

	if (!f)
		return PINTLE_V_DROP_RACE;
	index = take_slot(f, &slot);
	if (index == PT_LOST_SLOT && f->reuse == PT_NO_SLOT)
		index = take_slot(f, &slot);
	if (index == PT_NO_SLOT)
		return PINTLE_V_DROP_TABLE_FULL;
	if (!slot)
		return PINTLE_V_DROP_RACE;
	f->state = publish(f, slot, index);
	f->index = index;
	if (!may_be_twice(f->key, slot))
		return PINTLE_V_CONTINUE;
	winner = settle_duplicate(f->key, f->family, index);
	if (winner == index)
		return PINTLE_V_CONTINUE;
	slot = slot_at(winner);
	if (!slot)
		return PINTLE_V_DROP_RACE;
	f->state = *(volatile __u64 *)&slot->state;
	f->index = winner;
	return f->state & PINTLE_FS_VALID ? PINTLE_V_CONTINUE : PINTLE_V_DROP_RACE;
}

#endif
