/* SPDX-License-Identifier: BSD-2-Clause */
/* A set of small integers in use, given out in turn: an id that was freed comes back as late as possible. */
#ifndef PINTLE_AGENT_TABLES_IDS_H
#define PINTLE_AGENT_TABLES_IDS_H

#include <stdbool.h>
#include <stdint.h>

#define NO_ID 0xffffffffu

struct idset {
	uint64_t *words;
	uint32_t nr; /* ids 0..nr-1 */
	uint32_t used;
	uint32_t next; /* where the search begins */
};

int idset__init(struct idset *set, uint32_t nr); /* -ENOMEM */
void idset__destroy(struct idset *set);
void idset__clear(struct idset *set);		  /* none is used */
uint32_t idset__take(struct idset *set);	  /* NO_ID when all are used */
bool idset__mark(struct idset *set, uint32_t id); /* false when it was used or is out of range */
void idset__drop(struct idset *set, uint32_t id);
uint32_t idset__next_used(const struct idset *set, uint32_t from); /* NO_ID at the end */

static inline bool idset__has(const struct idset *set, uint32_t id)
{
	return id < set->nr && set->words[id / 64] >> (id % 64) & 1;
}

static inline uint32_t idset__free(const struct idset *set)
{
	return set->nr - set->used;
}

#endif
