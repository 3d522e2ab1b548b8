/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inserting. An entry whose two buckets are full waits while others make room: breadth-first search finds the shortest chain of moves that
 * ends at a free slot, and each round does the last move of every chain (a copy), waits, clears what was copied, waits, and tries again.
 * So a round costs two grace periods however many entries wait, and at the load that tables__sizes() allows nearly every chain is one move.
 */
#include "agent/ephash.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/ephash_int.h"

#define SEARCH_NODES 256u /* slots looked at for one entry: 4 moves deep or more */
#define MAX_ROUNDS 64

struct moved {
	uint32_t *slots; /* copied elsewhere, to be cleared */
	size_t nr, room;
};

static bool is_moved(const struct moved *moved, uint32_t slot)
{
	for (size_t i = 0; i < moved->nr; i++) {
		if (moved->slots[i] == slot)
			return true;
	}
	return false;
}

static uint32_t free_in_bucket(const struct ephash *h, uint32_t bucket, uint32_t *ret_used)
{
	uint32_t per = ephash__per_bucket(h), found = EPHASH_NO_SLOT, used = 0;

	for (uint32_t i = per; i-- > 0;) {
		if (ephash__is_free(h, bucket * per + i))
			found = bucket * per + i;
		else
			used++;
	}
	*ret_used = used;
	return found;
}

/* The emptier bucket takes it; the first one on a tie. */
static bool try_write(struct ephash *h, const struct ep_entry *entry)
{
	uint64_t hash = ephash__hash(h, &entry->key);
	uint32_t used[2];
	uint32_t first = free_in_bucket(h, pintle_bucket_first(hash, h->nr_buckets - 1), &used[0]);
	uint32_t second = free_in_bucket(h, pintle_ep_second(hash, h->nr_buckets - 1), &used[1]);
	uint32_t slot = used[0] <= used[1] ? first : second;

	if (slot == EPHASH_NO_SLOT)
		return false;
	ephash__write(h, slot, entry);
	return true;
}

static uint32_t other_bucket(const struct ephash *h, const struct ep_key *key, uint32_t bucket)
{
	uint64_t hash = ephash__hash(h, key);
	uint32_t first = pintle_bucket_first(hash, h->nr_buckets - 1);

	return first == bucket ? pintle_ep_second(hash, h->nr_buckets - 1) : first;
}

/* Finds the nearest occupied slot whose entry can go to a free one. */
static bool find_move(const struct ephash *h, const struct ep_key *key, const struct moved *moved, uint32_t *ret_from,
		      uint32_t *ret_to)
{
	uint32_t queue[SEARCH_NODES], head = 0, tail = 0;
	uint32_t per = ephash__per_bucket(h), used;
	uint64_t hash = ephash__hash(h, key);

	queue[tail++] = pintle_bucket_first(hash, h->nr_buckets - 1);
	queue[tail++] = pintle_ep_second(hash, h->nr_buckets - 1);
	for (; head < tail; head++) {
		for (uint32_t i = 0; i < per; i++) {
			uint32_t slot = queue[head] * per + i, to, bucket;
			struct ep_entry entry;

			if (is_moved(moved, slot) || !ephash__get(h, slot, &entry))
				continue;
			bucket = other_bucket(h, &entry.key, queue[head]);
			if (bucket == queue[head])
				continue;
			to = free_in_bucket(h, bucket, &used);
			if (to != EPHASH_NO_SLOT) {
				*ret_from = slot;
				*ret_to = to;
				return true;
			}
			if (tail < SEARCH_NODES)
				queue[tail++] = bucket;
		}
	}
	return false;
}

static int remember_moved(struct moved *moved, uint32_t slot)
{
	if (moved->nr == moved->room) {
		size_t room = moved->room ? 2 * moved->room : 64;
		uint32_t *slots = reallocarray(moved->slots, room, sizeof(*slots));

		if (!slots)
			return -ENOMEM;
		moved->slots = slots;
		moved->room = room;
	}
	moved->slots[moved->nr++] = slot;
	return 0;
}

static int clear_moved(struct ephash *h, struct moved *moved, int (*grace)(void *arg), void *arg)
{
	int ret = grace(arg);

	if (ret)
		return ret;
	for (size_t i = 0; i < moved->nr; i++)
		ephash__clear(h, moved->slots[i]);
	moved->nr = 0;
	return grace(arg);
}

/* Copies one entry out of the way of each that waits. -ENOSPC when there is nothing left to move. */
static int make_room(struct ephash *h, const struct ep_entry **waiting, size_t nr, struct moved *moved)
{
	for (size_t i = 0; i < nr; i++) {
		struct ep_entry entry;
		uint32_t from, to;
		int ret;

		if (!find_move(h, &waiting[i]->key, moved, &from, &to) || !ephash__get(h, from, &entry))
			continue;
		ret = remember_moved(moved, from);
		if (ret)
			return ret;
		ephash__write(h, to, &entry);
	}
	return moved->nr ? 0 : -ENOSPC;
}

static int add_waiting(struct ephash *h, const struct ep_entry **waiting, size_t nr, int (*grace)(void *arg), void *arg)
{
	struct moved moved = { 0 };
	int ret = 0;

	for (int round = 0; nr && !ret; round++) {
		size_t left = 0;

		ret = round < MAX_ROUNDS ? make_room(h, waiting, nr, &moved) : -ENOSPC;
		if (!ret)
			ret = clear_moved(h, &moved, grace, arg);
		for (size_t i = 0; !ret && i < nr; i++) {
			if (!try_write(h, waiting[i]))
				waiting[left++] = waiting[i];
		}
		nr = ret ? nr : left;
	}
	free(moved.slots);
	return ret;
}

int ephash__add(struct ephash *h, const struct ep_entry *entries, size_t nr, int (*grace)(void *arg), void *arg)
{
	const struct ep_entry **waiting = NULL;
	size_t nr_waiting = 0;
	int ret = 0;

	for (size_t i = 0; i < nr; i++) {
		if (try_write(h, &entries[i]))
			continue;
		if (!waiting)
			waiting = calloc(nr - i, sizeof(const struct ep_entry *));
		if (!waiting)
			return -ENOMEM;
		waiting[nr_waiting++] = &entries[i];
	}
	if (nr_waiting)
		ret = add_waiting(h, waiting, nr_waiting, grace, arg);
	free(waiting);
	return ret;
}
