/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The endpoint tables (frontends and reverse, IPv4 and IPv6): a bucket cuckoo hash with two candidate buckets (Pagh & Rodler, "Cuckoo
 * hashing", 2004; buckets: Dietzfelbinger & Weidling, 2007) in memory that programs read while it changes.
 *
 * An entry is published by one 64-bit store of its head (IPv4: address, port, protocol, flags; IPv6: port, protocol, flags, id, service),
 * after the rest of it, and removed by storing zero there. Two rules keep readers whole:
 *   - a slot that was cleared is written again only after a grace period (the caller's, between a call that clears and one that adds);
 *   - an entry that has to move is copied first and cleared at the old place only after a grace period, so a reader that looked at the
 *     new place before the copy still finds it at the old one.
 */
#ifndef PINTLE_AGENT_EPHASH_H
#define PINTLE_AGENT_EPHASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/config.h"
#include "agent/err.h"
#include "pintle/abi.h"
#include "pintle/hash.h"

struct ephash {
	void *buckets; /* struct pintle_ep4_bucket or pintle_ep6_bucket */
	uint32_t nr_buckets;
	uint8_t family; /* 4 or 6 */
	struct pintle_seed seed;
};

struct ep_key {
	uint8_t family;
	uint8_t proto;	     /* 0 in the reverse tables and in wildcards */
	uint16_t port_be;    /* 0 in wildcards */
	uint32_t addr_be[4]; /* IPv4 in [0], the rest zero */
};

struct ep_entry {
	struct ep_key key;
	uint8_t flags; /* PINTLE_EP_*; VALID is implied */
	uint16_t id;
	uint16_t service;
};

#define EPHASH_NO_SLOT 0xffffffffu

void ephash__init(struct ephash *h, void *buckets, uint32_t nr_buckets, uint8_t family, const __u64 seed[4]);
void ep_key__make(struct ep_key *key, const struct ip_addr *addr, uint16_t port, uint8_t proto);
bool ep_key__equal(const struct ep_key *a, const struct ep_key *b);
int ep_key__compare(const struct ep_key *a, const struct ep_key *b); /* any total order: family, address, port, protocol */
/* Ones-complement sums, folded (csum.h): of address and port; of the address alone; of their complements. */
uint16_t ep_key__sum(const struct ep_key *key);
uint16_t ep_key__addr_sum(const struct ep_key *key);
uint16_t ep_key__inv_sum(const struct ep_key *key);

static inline uint32_t ephash__per_bucket(const struct ephash *h)
{
	return h->family == 4 ? 4 : 2;
}

static inline uint32_t ephash__nr_slots(const struct ephash *h)
{
	return h->nr_buckets * ephash__per_bucket(h);
}

/* Slot of the entry as a program would find it (first bucket first), or EPHASH_NO_SLOT. */
uint32_t ephash__find(const struct ephash *h, const struct ep_key *key);
/* Reads a slot; false when it is free. */
bool ephash__get(const struct ephash *h, uint32_t slot, struct ep_entry *ret_entry);
/* Is the slot in one of the two buckets of its entry's key? */
bool ephash__is_home(const struct ephash *h, uint32_t slot);
void ephash__clear(struct ephash *h, uint32_t slot);
/* Changes id's service and the LOCAL flag in place; one store each. */
void ephash__set_service(struct ephash *h, uint32_t slot, uint16_t service);
void ephash__set_local(struct ephash *h, uint32_t slot, bool is_local);

/* Adds entries that are not there yet, in order where none has to wait for a move. Waits grace periods only when entries must move (several
 * move in one wait). -ENOSPC: some found no place; those that did stay. -ENOMEM; or what grace() returned. */
int ephash__add(struct ephash *h, const struct ep_entry *entries, size_t nr, int (*grace)(void *arg), void *arg);

#endif
