/* SPDX-License-Identifier: BSD-2-Clause */
/* Hash map of fixed-size entries that begin with their key, in one block of memory. Seeded: neighbours choose their own addresses. */
#ifndef PINTLE_AGENT_NETINFO_MAP_H
#define PINTLE_AGENT_NETINFO_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct netmap {
	uint8_t *entries; /* capacity * entry_bytes; NULL while empty */
	uint8_t *full;	  /* capacity flags */
	uint64_t seed;
	uint32_t capacity; /* power of two, or 0 */
	uint32_t used;
	uint32_t max;	      /* entries it may hold */
	uint32_t key_bytes;   /* compared as memory: padding inside must be zero */
	uint32_t entry_bytes; /* multiple of 8 keeps entries aligned */
};

void netmap__init(struct netmap *map, uint32_t key_bytes, uint32_t entry_bytes, uint32_t max, uint64_t seed);
void netmap__clear(struct netmap *map); /* frees all memory; the map stays usable */

/* Pointers are valid until the next put, del or clear. */
void *netmap__get(const struct netmap *map, const void *key);
/* The entry of `key`, made (zero but for its key) when absent. NULL: full, or no memory. */
void *netmap__put(struct netmap *map, const void *key, bool *ret_made);
bool netmap__del(struct netmap *map, const void *key); /* false: was not there */
/* Next entry at or after position *pos (begin with 0), NULL at the end. No changes in between. */
void *netmap__next(const struct netmap *map, uint32_t *pos);

#endif
