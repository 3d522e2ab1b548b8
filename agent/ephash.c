/* SPDX-License-Identifier: BSD-2-Clause */
/* Layout, look-up and single changes; see ephash_add.c for inserting. */
#include "agent/ephash.h"

#include <arpa/inet.h>
#include <string.h>

#include "agent/ephash_int.h"
#include "agent/tables_store.h"
#include "pintle/csum.h"

#define EP4_LOCAL ((uint64_t)PINTLE_EP_LOCAL << 56)
#define EP6_LOCAL ((uint64_t)PINTLE_EP_LOCAL << 24)

void ephash__init(struct ephash *h, void *buckets, uint32_t nr_buckets, uint8_t family, const __u64 seed[4])
{
	h->buckets = buckets;
	h->nr_buckets = nr_buckets;
	h->family = family;
	h->seed.s0 = seed[0];
	h->seed.m1 = seed[1] | 1;
	h->seed.m2 = seed[2] | 1;
	h->seed.s3 = seed[3];
}

void ep_key__make(struct ep_key *key, const struct ip_addr *addr, uint16_t port, uint8_t proto)
{
	memset(key, 0, sizeof(*key));
	key->family = addr->family;
	key->proto = proto;
	key->port_be = htons(port);
	memcpy(key->addr_be, addr->bytes, addr->family == 4 ? 4 : 16);
}

bool ep_key__equal(const struct ep_key *a, const struct ep_key *b)
{
	return a->family == b->family && a->proto == b->proto && a->port_be == b->port_be &&
	       !memcmp(a->addr_be, b->addr_be, sizeof(a->addr_be));
}

int ep_key__compare(const struct ep_key *a, const struct ep_key *b)
{
	int order;

	if (a->family != b->family)
		return a->family < b->family ? -1 : 1;
	order = memcmp(a->addr_be, b->addr_be, sizeof(a->addr_be));
	if (order)
		return order;
	if (a->port_be != b->port_be)
		return ntohs(a->port_be) < ntohs(b->port_be) ? -1 : 1;
	return (a->proto > b->proto) - (a->proto < b->proto);
}

static int key_words(const struct ep_key *key)
{
	return key->family == 4 ? 1 : 4;
}

uint16_t ep_key__addr_sum(const struct ep_key *key)
{
	return pintle_csum_addr(key->addr_be, key_words(key));
}

uint16_t ep_key__sum(const struct ep_key *key)
{
	return pintle_csum_fold((uint32_t)ep_key__addr_sum(key) + key->port_be);
}

uint16_t ep_key__inv_sum(const struct ep_key *key)
{
	uint32_t inverse[4];

	for (int i = 0; i < 4; i++)
		inverse[i] = ~key->addr_be[i];
	return pintle_csum_fold((uint32_t)pintle_csum_addr(inverse, key_words(key)) + (uint16_t)~key->port_be);
}

static struct pintle_ep4 *slot4(const struct ephash *h, uint32_t slot)
{
	return &((struct pintle_ep4_bucket *)h->buckets)[slot / 4].slot[slot % 4];
}

static struct pintle_ep6 *slot6(const struct ephash *h, uint32_t slot)
{
	return &((struct pintle_ep6_bucket *)h->buckets)[slot / 2].slot[slot % 2];
}

/* The word that publishes an entry. */
static void *slot_head(const struct ephash *h, uint32_t slot)
{
	return h->family == 4 ? (void *)slot4(h, slot) : (void *)&slot6(h, slot)->port_be;
}

static uint64_t head4(const struct ep_key *key, uint8_t flags)
{
	return key->addr_be[0] | (uint64_t)key->port_be << 32 | (uint64_t)key->proto << 48 | (uint64_t)flags << 56;
}

static uint64_t head6(const struct ep_entry *entry)
{
	return key_word6(&entry->key) | (uint64_t)(entry->flags | PINTLE_EP_VALID) << 24 | (uint64_t)entry->id << 32 |
	       (uint64_t)entry->service << 48;
}

uint64_t ephash__hash(const struct ephash *h, const struct ep_key *key)
{
	if (h->family == 4)
		return pintle_ep4_hash(key->addr_be[0], key->port_be, key->proto, &h->seed);
	return pintle_ep6_hash(key->addr_be, key->port_be, key->proto, &h->seed);
}

bool ephash__is_free(const struct ephash *h, uint32_t slot)
{
	return !(load64(slot_head(h, slot)) &
		 (h->family == 4 ? (uint64_t)PINTLE_EP_VALID << 56 : (uint64_t)PINTLE_EP_VALID << 24));
}

static bool slot_matches(const struct ephash *h, uint32_t slot, const struct ep_key *key)
{
	uint64_t head = load64(slot_head(h, slot));

	if (h->family == 4)
		return (head & ~EP4_LOCAL) == head4(key, PINTLE_EP_VALID);
	return (uint32_t)(head & ~EP6_LOCAL) == (key_word6(key) | (uint32_t)PINTLE_EP_VALID << 24) &&
	       !memcmp(slot6(h, slot)->addr_be, key->addr_be, sizeof(key->addr_be));
}

uint32_t ephash__find(const struct ephash *h, const struct ep_key *key)
{
	uint64_t hash = ephash__hash(h, key);
	uint32_t per = ephash__per_bucket(h), mask = h->nr_buckets - 1;
	uint32_t first[2] = { pintle_bucket_first(hash, mask) * per, pintle_ep_second(hash, mask) * per };

	for (int b = 0; b < 2; b++) {
		for (uint32_t i = 0; i < per; i++) {
			if (slot_matches(h, first[b] + i, key))
				return first[b] + i;
		}
	}
	return EPHASH_NO_SLOT;
}

bool ephash__get(const struct ephash *h, uint32_t slot, struct ep_entry *ret_entry)
{
	struct ep_entry entry = { .key = { .family = h->family } };
	uint64_t head = load64(slot_head(h, slot));

	if (ephash__is_free(h, slot))
		return false;
	if (h->family == 4) {
		entry.key.addr_be[0] = (uint32_t)head;
		head >>= 32;
		entry.id = slot4(h, slot)->id;
		entry.service = slot4(h, slot)->service;
	} else {
		memcpy(entry.key.addr_be, slot6(h, slot)->addr_be, sizeof(entry.key.addr_be));
		entry.id = (uint16_t)(head >> 32);
		entry.service = (uint16_t)(head >> 48);
	}
	entry.key.port_be = (uint16_t)head;
	entry.key.proto = (uint8_t)(head >> 16);
	entry.flags = (uint8_t)(head >> 24);
	*ret_entry = entry;
	return true;
}

bool ephash__is_home(const struct ephash *h, uint32_t slot)
{
	struct ep_entry entry;
	uint32_t bucket = slot / ephash__per_bucket(h);
	uint64_t hash;

	if (!ephash__get(h, slot, &entry))
		return true;
	hash = ephash__hash(h, &entry.key);
	return bucket == pintle_bucket_first(hash, h->nr_buckets - 1) || bucket == pintle_ep_second(hash, h->nr_buckets - 1);
}

void ephash__write(struct ephash *h, uint32_t slot, const struct ep_entry *entry)
{
	uint64_t inv_sum = ep_key__inv_sum(&entry->key);

	if (h->family == 4) {
		store64(&slot4(h, slot)->id, entry->id | (uint64_t)entry->service << 16 | inv_sum << 32);
		store64(slot4(h, slot), head4(&entry->key, entry->flags | PINTLE_EP_VALID));
		return;
	}
	store_words(slot6(h, slot)->addr_be, entry->key.addr_be, sizeof(entry->key.addr_be));
	store64(&slot6(h, slot)->inv_sum, inv_sum);
	store64(slot_head(h, slot), head6(entry));
}

void ephash__clear(struct ephash *h, uint32_t slot)
{
	store64(slot_head(h, slot), 0);
}

void ephash__set_service(struct ephash *h, uint32_t slot, uint16_t service)
{
	store16(h->family == 4 ? &slot4(h, slot)->service : &slot6(h, slot)->service, service);
}

void ephash__set_local(struct ephash *h, uint32_t slot, bool is_local)
{
	store8(h->family == 4 ? &slot4(h, slot)->flags : &slot6(h, slot)->flags,
	       (uint8_t)(PINTLE_EP_VALID | (is_local ? PINTLE_EP_LOCAL : 0)));
}
