// SPDX-License-Identifier: BSD-2-Clause
#include "agent/ownmacs.h"

#include <stdbool.h>
#include <string.h>

#include "agent/tables_store.h"

static struct pintle_uplink *find(struct pintle_uplink *table, uint32_t ifindex)
{
	for (uint32_t i = 0; i < PINTLE_MAX_UPLINKS; i++)
		if (load32(&table[i].ifindex) == ifindex)
			return &table[i];
	return NULL;
}

/* The entry of a device, or a free one: where the program looks first, if it can be. */
static struct pintle_uplink *place(struct pintle_uplink *table, uint32_t ifindex)
{
	struct pintle_uplink *home = &table[ifindex % PINTLE_MAX_UPLINKS], *entry = find(table, ifindex);

	if (entry)
		return entry;
	return load32(&home->ifindex) ? find(table, 0) : home;
}

static bool is_same(const struct pintle_uplink *entry, const struct pintle_uplink *want)
{
	if (load32(&entry->ifindex) != want->ifindex || load32(&entry->nr_macs) != want->nr_macs)
		return false;
	return want->nr_macs > PINTLE_UPLINK_MACS || !memcmp(entry->mac, want->mac, want->nr_macs * sizeof(want->mac[0]));
}

static void store_entry(struct pintle_uplink *entry, const struct pintle_uplink *want)
{
	if (is_same(entry, want))
		return;
	store32(&entry->nr_macs, PINTLE_UPLINK_ANY_MAC);
	for (uint32_t i = 0; i < PINTLE_UPLINK_MACS; i++)
		store64(&entry->mac[i], want->mac[i]);
	store32(&entry->nr_macs, want->nr_macs);
	store32(&entry->ifindex, want->ifindex);
}

/* False when they are too many. A device that went has none. */
static bool ask(struct netinfo *ni, uint32_t ifindex, struct pintle_uplink *ret)
{
	uint8_t macs[PINTLE_UPLINK_MACS][6];
	int nr = netinfo__own_macs(ni, ifindex, macs, PINTLE_UPLINK_MACS);

	*ret = (struct pintle_uplink){ .ifindex = ifindex, .nr_macs = PINTLE_UPLINK_ANY_MAC };
	if (nr > (int)PINTLE_UPLINK_MACS)
		return false;
	for (int i = 0; i < nr; i++)
		memcpy(&ret->mac[i], macs[i], sizeof(macs[i]));
	if (nr > 0)
		ret->nr_macs = (uint32_t)nr;
	return true;
}

static bool is_listed(const uint32_t *ifindex, uint32_t nr, uint32_t wanted)
{
	for (uint32_t i = 0; i < nr; i++)
		if (ifindex[i] == wanted)
			return true;
	return false;
}

int ownmacs__write(struct pintle_uplink *table, struct netinfo *ni, const uint32_t *ifindex, uint32_t nr)
{
	int nr_too_many = 0;

	for (uint32_t i = 0; i < PINTLE_MAX_UPLINKS; i++)
		if (table[i].ifindex && !is_listed(ifindex, nr, table[i].ifindex))
			store32(&table[i].ifindex, 0);
	for (uint32_t i = 0; i < nr; i++) {
		struct pintle_uplink *entry = place(table, ifindex[i]), want;

		nr_too_many += !ask(ni, ifindex[i], &want);
		if (entry) /* or the program takes every frame */
			store_entry(entry, &want);
	}
	return nr_too_many;
}
