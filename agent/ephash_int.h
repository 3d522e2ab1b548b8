/* SPDX-License-Identifier: BSD-2-Clause */
/* Between ephash.c and ephash_add.c. */
#ifndef PINTLE_AGENT_EPHASH_INT_H
#define PINTLE_AGENT_EPHASH_INT_H

#include "agent/ephash.h"

uint64_t ephash__hash(const struct ephash *h, const struct ep_key *key);
bool ephash__is_free(const struct ephash *h, uint32_t slot);
void ephash__write(struct ephash *h, uint32_t slot, const struct ep_entry *entry);

/* Port and protocol as they lie in the first 4 bytes of an IPv6 head; the flags above are zero. */
static inline uint32_t key_word6(const struct ep_key *key)
{
	return key->port_be | (uint32_t)key->proto << 16;
}

#endif
