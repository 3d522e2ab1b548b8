/* SPDX-License-Identifier: BSD-2-Clause */
/* Maps in one block of memory, configurations made by hand, and a reader of the maps written from abi.h alone, as the programs read them. */
#ifndef PINTLE_TESTS_TABLES_FIXTURE_H
#define PINTLE_TESTS_TABLES_FIXTURE_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/tables.h"
#include "pintle/hash.h"

struct arena {
	uint8_t *block;
	size_t bytes;
	struct pintle_meta meta;
	struct table_maps maps;
};

/* Sizes by tables__sizes(), with fewer pick lines if `pick_lines` is not 0. Aborts the test on failure. */
void arena__init(struct arena *arena, uint32_t max_frontends, uint32_t max_pods, uint32_t pick_lines);
/* After a change of arena->meta to smaller sizes, before anything is written. */
void arena__shrink(struct arena *arena);
void arena__copy(struct arena *to, const struct arena *from); /* another block with the same contents */
void arena__destroy(struct arena *arena);

/* A configuration that grows by calls; freed by config_make__free(). Defaults of config.h. */
struct pintle_config *config_make__new(void);
struct cfg_service *config_make__service(struct pintle_config *config, const char *name, uint8_t policy);
void config_make__frontend(struct cfg_service *service, const char *addr, uint8_t proto, uint16_t port);
struct cfg_pod *config_make__pod(struct cfg_service *service, const char *addr, uint16_t port);
void config_make__free(struct pintle_config *config);
struct ip_addr addr_of(const char *text);

enum seen_kind { SEEN_OTHER = 0, SEEN_UNKNOWN_PORT, SEEN_LOCAL_PORT, SEEN_SERVICE };

/* What a packet to (addr, port, proto) finds. */
struct seen {
	enum seen_kind kind;
	uint16_t frontend, service;
	const struct pintle_pool *pool;
	uint64_t digest;    /* of kind and the service's contents: policy, flags, members by address, port and concurrency */
	const char *broken; /* what does not hold together; NULL = all well */
};
struct seen maps__see(const struct table_maps *maps, const struct ip_addr *addr, uint16_t port, uint8_t proto);
/* Contents behind a pool, as maps__see() digests them. */
uint64_t pool__digest(const struct table_maps *maps, const struct pintle_pool *pool, const char **ret_broken);
/* The digest that a configuration should lead to, and that of a service of it for one family. */
uint64_t config__expect(const struct pintle_config *config, const struct ip_addr *addr, uint16_t port, uint8_t proto,
			const struct cfg_service **ret_service);
uint64_t service__expect(const struct cfg_service *service, uint8_t family);
/* Pod id by the reverse table, -1 when there is none. */
int maps__see_pod(const struct table_maps *maps, uint8_t family, const uint32_t addr_be[4], uint16_t port_be);
bool maps__is_sibling(const struct table_maps *maps, uint32_t pod, uint16_t frontend);

/* Deterministic random numbers. */
uint32_t random_below(uint64_t *state, uint32_t n);

#endif
