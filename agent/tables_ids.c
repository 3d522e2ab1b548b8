/* SPDX-License-Identifier: BSD-2-Clause */
#include "agent/tables_ids.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int idset__init(struct idset *set, uint32_t nr)
{
	set->words = calloc(nr / 64 + 1, sizeof(*set->words));
	if (!set->words)
		return -ENOMEM;
	set->nr = nr;
	set->used = 0;
	set->next = 0;
	return 0;
}

void idset__destroy(struct idset *set)
{
	free(set->words);
	set->words = NULL;
}

void idset__clear(struct idset *set)
{
	memset(set->words, 0, (set->nr / 64 + 1) * sizeof(*set->words));
	set->used = 0;
}

/* First id in [from, to) whose bit is `wanted`. */
static uint32_t find(const struct idset *set, uint32_t from, uint32_t to, bool wanted)
{
	while (from < to) {
		uint64_t word = set->words[from / 64];

		if (!wanted)
			word = ~word;
		word &= ~0ull << (from % 64);
		if (word) {
			uint32_t id = from / 64 * 64 + (uint32_t)__builtin_ctzll(word);

			return id < to ? id : NO_ID;
		}
		from = (from / 64 + 1) * 64;
	}
	return NO_ID;
}

uint32_t idset__take(struct idset *set)
{
	uint32_t id = find(set, set->next, set->nr, false);

	if (id == NO_ID)
		id = find(set, 0, set->next, false);
	if (id == NO_ID || !idset__mark(set, id))
		return NO_ID;
	set->next = id + 1;
	return id;
}

bool idset__mark(struct idset *set, uint32_t id)
{
	if (id >= set->nr || idset__has(set, id))
		return false;
	set->words[id / 64] |= 1ull << (id % 64);
	set->used++;
	return true;
}

void idset__drop(struct idset *set, uint32_t id)
{
	if (!idset__has(set, id))
		return;
	set->words[id / 64] &= ~(1ull << (id % 64));
	set->used--;
}

uint32_t idset__next_used(const struct idset *set, uint32_t from)
{
	return find(set, from, set->nr, true);
}
