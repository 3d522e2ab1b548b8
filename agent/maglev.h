/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pick tables: what `weighted`, `maglev` and sampling read. An entry is the index of a member. All are functions of their arguments alone:
 * the same members in the same order give the same table on every node (members are in the order of their name_hash).
 */
#ifndef PINTLE_AGENT_MAGLEV_H
#define PINTLE_AGENT_MAGLEV_H

#include <stdint.h>

struct pick_member {
	uint64_t name_hash; /* of address and port, the same on every node: pick_name_hash() */
	uint16_t weight;    /* >= 1 */
};

uint64_t pick_name_hash(const uint32_t addr_be[4], uint16_t port_be);

/* Size of a Maglev table: the smallest of a list of primes that is >= 100 * nr, 65521 at most. */
uint32_t maglev__size(uint32_t nr);
/* Fills picks[0..size). -ENOMEM. */
int maglev__fill(const struct pick_member *members, uint32_t nr, uint16_t *picks, uint32_t size);

/* Exact proportions when the weights' sum over their greatest common divisor fits, else 64 entries a member, 65536 at most. */
uint32_t weighted__size(const struct pick_member *members, uint32_t nr);
/* Largest remainder, every member at least once, then shuffled. -ENOMEM. */
int weighted__fill(const struct pick_member *members, uint32_t nr, uint16_t *picks, uint32_t size);

#endif
