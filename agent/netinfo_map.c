// SPDX-License-Identifier: BSD-2-Clause
/* Linear probing at a load of at most 5/8; deletion shifts back what follows, so there are no tombstones. */
#include "agent/netinfo_map.h"

#include <stdlib.h>
#include <string.h>

#define NETMAP_MIN_CAPACITY 16u

void netmap__init(struct netmap *map, uint32_t key_bytes, uint32_t entry_bytes, uint32_t max, uint64_t seed)
{
	*map = (struct netmap){ .seed = seed, .max = max, .key_bytes = key_bytes, .entry_bytes = entry_bytes };
}

void netmap__clear(struct netmap *map)
{
	free(map->entries);
	free(map->full);
	map->entries = NULL;
	map->full = NULL;
	map->capacity = 0;
	map->used = 0;
}

static uint8_t *netmap__entry(const struct netmap *map, uint32_t slot)
{
	return map->entries + (size_t)slot * map->entry_bytes;
}

static uint32_t netmap__home(const struct netmap *map, const void *key)
{
	const uint8_t *bytes = key;
	uint64_t hash = map->seed;
	uint32_t left = map->key_bytes;

	while (left) {
		uint32_t take = left < 8 ? left : 8;
		uint64_t word = 0;

		memcpy(&word, bytes, take);
		hash = (hash ^ word) * 0x9e3779b97f4a7c15ull;
		hash ^= hash >> 29;
		bytes += take;
		left -= take;
	}
	hash *= 0xbf58476d1ce4e5b9ull;
	return (uint32_t)(hash >> 32) & (map->capacity - 1);
}

/* The slot that holds `key`, or the free one where it belongs. capacity > used, so it ends. */
static uint32_t netmap__slot(const struct netmap *map, const void *key)
{
	uint32_t slot = netmap__home(map, key);

	while (map->full[slot] && memcmp(netmap__entry(map, slot), key, map->key_bytes) != 0)
		slot = (slot + 1) & (map->capacity - 1);
	return slot;
}

void *netmap__get(const struct netmap *map, const void *key)
{
	uint32_t slot;

	if (!map->used)
		return NULL;
	slot = netmap__slot(map, key);
	return map->full[slot] ? netmap__entry(map, slot) : NULL;
}

static bool netmap__grow(struct netmap *map)
{
	struct netmap old = *map;
	uint32_t capacity = old.capacity ? old.capacity * 2 : NETMAP_MIN_CAPACITY;
	uint8_t *entries = calloc(capacity, old.entry_bytes);
	uint8_t *full = calloc(capacity, 1);

	if (!entries || !full) {
		free(entries);
		free(full);
		return false;
	}
	map->entries = entries;
	map->full = full;
	map->capacity = capacity;
	for (uint32_t i = 0; i < old.capacity; i++) {
		uint32_t slot;

		if (!old.full[i])
			continue;
		slot = netmap__slot(map, netmap__entry(&old, i));
		map->full[slot] = 1;
		memcpy(netmap__entry(map, slot), netmap__entry(&old, i), old.entry_bytes);
	}
	free(old.entries);
	free(old.full);
	return true;
}

void *netmap__put(struct netmap *map, const void *key, bool *ret_made)
{
	void *entry = netmap__get(map, key);
	uint32_t slot;

	*ret_made = false;
	if (entry)
		return entry;
	if (map->used >= map->max)
		return NULL;
	if ((uint64_t)(map->used + 1) * 8 > (uint64_t)map->capacity * 5 && !netmap__grow(map))
		return NULL;
	slot = netmap__slot(map, key);
	entry = netmap__entry(map, slot);
	memset(entry, 0, map->entry_bytes);
	memcpy(entry, key, map->key_bytes);
	map->full[slot] = 1;
	map->used++;
	*ret_made = true;
	return entry;
}

bool netmap__del(struct netmap *map, const void *key)
{
	uint32_t mask, hole, slot;

	if (!netmap__get(map, key))
		return false;
	mask = map->capacity - 1;
	hole = netmap__slot(map, key);
	for (slot = (hole + 1) & mask; map->full[slot]; slot = (slot + 1) & mask) {
		uint32_t home = netmap__home(map, netmap__entry(map, slot));

		if (((slot - home) & mask) < ((slot - hole) & mask))
			continue; /* its home lies behind the hole: it stays */
		memcpy(netmap__entry(map, hole), netmap__entry(map, slot), map->entry_bytes);
		hole = slot;
	}
	map->full[hole] = 0;
	map->used--;
	return true;
}

void *netmap__next(const struct netmap *map, uint32_t *pos)
{
	for (; *pos < map->capacity; (*pos)++) {
		if (map->full[*pos])
			return netmap__entry(map, (*pos)++);
	}
	return NULL;
}
