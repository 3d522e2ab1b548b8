/* SPDX-License-Identifier: BSD-2-Clause */
/* Entries of the flow table, read back into what people call them. */
#ifndef PINTLE_AGENT_FLOWVIEW_H
#define PINTLE_AGENT_FLOWVIEW_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/endpoint.h"
#include "agent/tables.h"
#include "pintle/hash.h"

/* pintle_mix() undone: flowview__unmix(pintle_mix(x)) == x for every x and every seed with m1 and m2 odd. */
uint64_t flowview__unmix(uint64_t key, const struct pintle_seed *seed);
struct pintle_seed flowview__seed(const struct pintle_meta *meta);

/* jiffies_64 of the running kernel at mono_ns (CLOCK_MONOTONIC), give or take a tick. */
uint64_t flowview__jiffies(const struct pintle_meta *meta, uint64_t mono_ns);

struct flow_entry {
	uint32_t bucket, slot;
	uint64_t key, state;
	bool has_client;	/* IPv4: the key is the tuple. IPv6 keys are a hash */
	struct endpoint client; /* proto 0 */
	bool has_frontend;	/* IPv6: known when only one frontend leads to the pod */
	uint16_t frontend;
	uint16_t pod;
	uint64_t age_ns; /* since the last packet, to the unit of the entry's clock */
	uint64_t age_unit_ns;
};

/* Reads a slot as the programs do; false when it holds no flow. mono_ns: CLOCK_MONOTONIC, the clock that jiffies follow. */
bool flowview__read(const struct table_maps *maps, uint32_t bucket, uint32_t slot, uint64_t mono_ns, struct flow_entry *ret);
/* The entry with this key, first bucket first. `family` 4 or 6. */
bool flowview__find(const struct table_maps *maps, uint64_t key, uint8_t family, uint64_t mono_ns, struct flow_entry *ret);
/* "syn", "established", "fin-client", "fin-pod", "closed"; "udp", "udp-answered". */
const char *flowview__state_name(uint64_t state);
/* The frontend's VIP:PORT/PROTO; false for an id that is not in use. */
bool flowview__frontend(const struct table_maps *maps, uint16_t id, struct endpoint *ret);
bool flowview__pod(const struct table_maps *maps, uint16_t id, struct endpoint *ret);

#endif
