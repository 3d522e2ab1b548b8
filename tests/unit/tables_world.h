/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A small world around tables: places that may be frontends, configurations made at random, flows, and readers of the maps that look after every
 * store. What they find wrong is kept in `broken`.
 */
#ifndef PINTLE_TESTS_TABLES_WORLD_H
#define PINTLE_TESTS_TABLES_WORLD_H

#include "agent/tables_int.h"
#include "tests/unit/tables_fixture.h"

#define NR_VIPS 3
#define NR_PORTS 2
#define NR_READERS 8
#define NR_FLOWS 12

/* A frontend that may exist, and one port that never does. */
struct place {
	struct ip_addr addr;
	uint16_t port;
	uint8_t proto;
};

/* A program run that has got as far as the pool, the slot of a frontend's entry and, on the way back, the frontend's record. */
struct reader {
	const struct pintle_pool *pool;
	uint64_t digest;
	const struct pintle_frontend *frontend;
	struct pintle_frontend record;
	const void *slot; /* of the entry that was matched; what comes after its key is still to be read */
	uint16_t id, inv_sum;
	uint8_t family;
};

struct flow {
	bool is_open, is_orphan;
	uint32_t slot; /* in the flow table */
	uint16_t pod, frontend;
	struct pintle_pod record; /* as it was when the flow began */
	struct place place;
};

struct world {
	struct arena arena;
	struct tables *tables;
	struct pintle_config *old, *new;
	struct place places[2 * NR_VIPS * (NR_PORTS * 2 + 1)];
	uint32_t nr_places;
	struct reader readers[NR_READERS];
	struct flow flows[NR_FLOWS];
	uint64_t random;
	uint64_t stores, stores_at_death;
	struct arena dead; /* the maps at the instant of death; block NULL = still alive */
	uint32_t graces;
	const char *broken;
};

void world__begin(struct world *w, uint64_t seed); /* empty maps, an agent that has opened them */
void world__end(struct world *w);
struct pintle_config *world__config(struct world *w); /* at random; the caller's */
/* From w->old to `config` under watch; fails the test when a reader saw something wrong or the end state is. */
void world__apply(struct world *w, struct pintle_config *config);
void world__reap(struct world *w);
void world__begin_flows(struct world *w); /* ends some, begins some to members in force */
void world__end_flows(struct world *w);
void world__forget_orphans(struct world *w); /* flows whose frontend is not in w->new */
/* Takes everything away, and looks that ids, lines, records and entries are free. Frees w->old. */
void world__check_nothing_is_lost(struct world *w);
int world__grace(void *w);     /* a tables_grace_fn */
void world__on_store(void *w); /* a tables_store_hook */

#endif
