/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Random sequences of configurations. After every single store a reader looks up every frontend and must find the old or the new service in
 * full; readers that began before a store and end after it, with no grace period between, must find it too; a flow's pod keeps its id, its
 * reverse entry and its frontend for as long as the flow table names it. At random stores the agent "dies": a copy of the maps as they are at
 * that instant is adopted and applied to, and must end in the same state. At the end everything is free again.
 */
#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "agent/tables_int.h"
#include "tests/unit/tables_fixture.h"

#define NR_VIPS 3
#define NR_PORTS 2
#define NR_READERS 8
#define NR_FLOWS 12

static const char *const vips[2][NR_VIPS] = { { "10.96.0.1", "10.96.0.2", "10.96.0.3" }, { "fd00::1", "fd00::2", "fd00::3" } };
static const uint8_t protos[2] = { IPPROTO_TCP, IPPROTO_UDP };

/* A frontend that may exist, and one port that never does. */
struct place {
	struct ip_addr addr;
	uint16_t port;
	uint8_t proto;
};

/* A program run that has got as far as the pool. */
struct reader {
	const struct pintle_pool *pool;
	uint64_t digest;
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

static struct world world;

static void fill_places(struct world *w)
{
	for (int f = 0; f < 2; f++) {
		for (int v = 0; v < NR_VIPS; v++) {
			for (int p = 0; p < 2 * NR_PORTS; p++)
				w->places[w->nr_places++] = (struct place){ addr_of(vips[f][v]), (uint16_t)(80 + p / 2),
									    protos[p % 2] };
			w->places[w->nr_places++] = (struct place){ addr_of(vips[f][v]), 9, IPPROTO_TCP };
		}
	}
}

static struct pintle_config *random_config(struct world *w)
{
	struct pintle_config *config = config_make__new();
	uint32_t nr = random_below(&w->random, 6), owner[sizeof(w->places) / sizeof(w->places[0])];

	for (uint32_t i = 0; i < w->nr_places; i++)
		owner[i] = w->places[i].port == 9 ? 99 : random_below(&w->random, 8);
	for (uint32_t s = 0; s < nr; s++) {
		char name[2] = { (char)('a' + (s + random_below(&w->random, 2) * 6)), '\0' };
		struct cfg_service *service = config_make__service(config, name,
								   (uint8_t)random_below(&w->random, PINTLE_POLICY_MAX));

		service->delivery = (uint8_t)random_below(&w->random, 2);
		service->load_open = random_below(&w->random, 2);
		for (uint32_t i = 0; i < w->nr_places; i++) {
			static const char *const names[2][NR_VIPS] = { { "10.96.0.1", "10.96.0.2", "10.96.0.3" },
								       { "fd00::1", "fd00::2", "fd00::3" } };
			uint32_t per_vip = 2 * NR_PORTS + 1;

			if (owner[i] == s)
				config_make__frontend(service, names[i / per_vip / NR_VIPS][i / per_vip % NR_VIPS],
						      w->places[i].proto, w->places[i].port);
		}
		for (uint32_t i = 0; i < 12; i++) {
			static const char *const pods[12] = { "10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4",
							      "10.0.0.5", "10.0.0.6", "fd01::1",  "fd01::2",
							      "fd01::3",  "fd01::4",  "fd01::5",  "fd01::6" };
			struct cfg_pod *pod;

			if (random_below(&w->random, 2))
				continue;
			pod = config_make__pod(service, pods[i], 8080);
			pod->concurrency = (uint16_t)(1 + random_below(&w->random, 2));
			pod->weight = (uint16_t)random_below(&w->random, 4);
			pod->state = (uint8_t)(random_below(&w->random, 6) ? POD_ACTIVE : 1 + random_below(&w->random, 2));
		}
	}
	return config;
}

static bool is_local(void *arg, const struct ip_addr *addr)
{
	(void)arg;
	return addr->bytes[addr->family == 4 ? 3 : 15] == 2;
}

static uint64_t as_seen(const struct place *place, uint64_t digest)
{
	return digest == SEEN_UNKNOWN_PORT && is_local(NULL, &place->addr) ? SEEN_LOCAL_PORT : digest;
}

static bool is_allowed(const struct world *w, const struct place *place, uint64_t digest)
{
	const struct cfg_service *service;

	return digest == as_seen(place, config__expect(w->old, &place->addr, place->port, place->proto, &service)) ||
	       digest == as_seen(place, config__expect(w->new, &place->addr, place->port, place->proto, &service));
}

static const char *check_flow(const struct world *w, const struct flow *flow)
{
	const struct pintle_pod *pod = &w->arena.maps.pods[flow->pod];
	const struct cfg_service *before, *after;

	if (!flow->is_open)
		return NULL;
	if (!(pod->flags & PINTLE_POD_IN_USE) || memcmp(pod->addr_be, flow->record.addr_be, 16) ||
	    pod->port_be != flow->record.port_be)
		return "a flow's pod has another identity";
	if (maps__see_pod(&w->arena.maps, pod->family, pod->addr_be, pod->port_be) != flow->pod)
		return "a flow's pod has no reverse entry";
	config__expect(w->old, &flow->place.addr, flow->place.port, flow->place.proto, &before);
	config__expect(w->new, &flow->place.addr, flow->place.port, flow->place.proto, &after);
	if (before && after && !flow->is_orphan && !maps__is_sibling(&w->arena.maps, flow->pod, flow->frontend))
		return "a flow's frontend is no sibling of its pod";
	return NULL;
}

static void note(struct world *w, const char *what)
{
	if (!w->broken)
		w->broken = what;
}

static void check_everything(struct world *w)
{
	for (uint32_t i = 0; i < w->nr_places; i++) {
		const struct place *place = &w->places[i];
		struct seen seen = maps__see(&w->arena.maps, &place->addr, place->port, place->proto);

		if (seen.broken)
			note(w, seen.broken);
		else if (!is_allowed(w, place, seen.digest))
			note(w, "neither the old nor the new service");
		if (seen.kind == SEEN_SERVICE && !random_below(&w->random, 40))
			w->readers[random_below(&w->random, NR_READERS)] = (struct reader){ seen.pool, seen.digest };
	}
	for (int i = 0; i < NR_READERS; i++) {
		const char *broken = NULL;

		if (w->readers[i].pool && pool__digest(&w->arena.maps, w->readers[i].pool, &broken) != w->readers[i].digest)
			note(w, "a pool changed under a reader");
		if (broken)
			note(w, broken);
	}
	for (int i = 0; i < NR_FLOWS; i++) {
		const char *broken = check_flow(w, &w->flows[i]);

		if (broken)
			note(w, broken);
	}
}

static void on_store(void *arg)
{
	struct world *w = arg;

	w->stores++;
	if (w->stores == w->stores_at_death)
		arena__copy(&w->dead, &w->arena);
	check_everything(w);
}

static int grace(void *arg)
{
	struct world *w = arg;

	w->graces++;
	memset(w->readers, 0, sizeof(w->readers));
	return 0;
}

static void end_flow(struct world *w, struct flow *flow)
{
	if (flow->is_open)
		w->arena.maps.flows[flow->slot / 4].slot[flow->slot % 4].state = 0;
	flow->is_open = false;
}

/* New flows to members that are in force now. */
static void begin_flows(struct world *w)
{
	for (uint32_t i = 0; i < NR_FLOWS; i++) {
		struct flow *flow = &w->flows[i];
		const struct place *place = &w->places[random_below(&w->random, w->nr_places)];
		struct seen seen = maps__see(&w->arena.maps, &place->addr, place->port, place->proto);
		uint32_t member;

		if (!random_below(&w->random, 3))
			end_flow(w, flow);
		if (flow->is_open || seen.kind != SEEN_SERVICE || !seen.pool->nr_members)
			continue;
		member = random_below(&w->random, seen.pool->nr_members);
		*flow = (struct flow){ .is_open = true, .slot = i, .frontend = seen.frontend, .place = *place };
		flow->pod = w->arena.maps.members[seen.pool->members_line + member / 8].member[member % 8].pod;
		flow->record = w->arena.maps.pods[flow->pod];
		w->arena.maps.flows[i / 4].slot[i % 4].state = flow->pod | PINTLE_FS_VALID;
	}
}

/* A frontend that went may come back under the same id while old flows remain: those belong to the past. */
static void forget_orphans(struct world *w)
{
	for (uint32_t i = 0; i < NR_FLOWS; i++) {
		const struct cfg_service *service;

		config__expect(w->new, &w->flows[i].place.addr, w->flows[i].place.port, w->flows[i].place.proto, &service);
		if (!service)
			w->flows[i].is_orphan = true;
	}
}

static void check_end_state(struct world *w, const struct pintle_config *config)
{
	for (uint32_t i = 0; i < w->nr_places; i++) {
		const struct place *place = &w->places[i];
		const struct cfg_service *service;
		struct seen seen = maps__see(&w->arena.maps, &place->addr, place->port, place->proto);

		ck_assert_ptr_null(seen.broken);
		ck_assert_uint_eq(seen.digest,
				  as_seen(place, config__expect(config, &place->addr, place->port, place->proto, &service)));
		if (service && w->tables->config == config)
			ck_assert_str_eq(tables__service_name(w->tables, seen.service), service->name);
	}
}

static void apply(struct world *w, struct pintle_config *config)
{
	struct tables_applied applied;
	struct pintle_err err = { .msg = "" };
	int ret;

	w->new = config;
	tables_store_hook = on_store;
	tables_store_hook_arg = w;
	ret = tables__apply(w->tables, config, is_local, NULL, &applied, &err);
	tables_store_hook = NULL;
	w->stores_at_death = 0;
	ck_assert_msg(!ret, "%s", err.msg);
	ck_assert_msg(!w->broken, "after a store: %s", w->broken);
	check_end_state(w, config);
}

static void reap(struct world *w)
{
	struct pintle_err err = { .msg = "" };
	int ret;

	tables_store_hook = on_store;
	tables_store_hook_arg = w;
	ret = tables__reap(w->tables, &err);
	tables_store_hook = NULL;
	ck_assert_msg(ret >= 0, "%s", err.msg);
	ck_assert_msg(!w->broken, "reaping: %s", w->broken);
}

/* The shadow, and nothing but the shadow, says what is used; everything can be given back. */
static void check_nothing_is_lost(struct world *w)
{
	struct pintle_config *empty = config_make__new();

	for (int i = 0; i < NR_FLOWS; i++)
		end_flow(w, &w->flows[i]);
	apply(w, empty);
	reap(w);
	ck_assert_uint_eq(tables__lingering(w->tables), 0);
	ck_assert_uint_eq(w->tables->pods.used, 0);
	ck_assert_uint_eq(w->tables->frontends.used, 0);
	ck_assert_uint_eq(w->tables->services.used, 0);
	ck_assert_uint_eq(w->tables->details.used, 0);
	ck_assert_uint_eq(w->tables->members.used, 0);
	ck_assert_uint_eq(w->tables->picks.used, 0);
	for (uint32_t i = 0; i < w->arena.meta.max_pods; i++)
		ck_assert_uint_eq(w->arena.maps.pods[i].flags, 0);
	for (int f = 0; f < 2; f++) {
		struct ep_entry entry;

		for (uint32_t slot = 0; slot < ephash__nr_slots(&w->tables->vip[f]); slot++)
			ck_assert(!ephash__get(&w->tables->vip[f], slot, &entry));
		for (uint32_t slot = 0; slot < ephash__nr_slots(&w->tables->rev[f]); slot++)
			ck_assert(!ephash__get(&w->tables->rev[f], slot, &entry));
	}
	config_make__free(w->old);
	w->old = empty;
}

static void begin_world(struct world *w, uint64_t seed)
{
	struct pintle_err err;

	memset(w, 0, sizeof(*w));
	w->random = seed;
	fill_places(w);
	arena__init(&w->arena, 24, 24, 256);
	w->old = config_make__new();
	ck_assert_int_eq(tables__open(&w->arena.maps, grace, w, &w->tables, &err), 0);
}

static void end_world(struct world *w)
{
	tables__close(w->tables);
	config_make__free(w->old);
	arena__destroy(&w->arena);
}

/* The agent that died left `w->dead`: another one takes over and applies. Old and new as for the one that died. */
static void resurrect(struct world *w, struct pintle_config *config)
{
	static struct world other;
	struct pintle_config *next;
	struct pintle_err err = { .msg = "" };

	memcpy(&other, w, sizeof(other));
	other.arena = w->dead;
	other.arena.maps.meta = &other.arena.meta;
	other.dead.block = NULL;
	other.stores_at_death = 0;
	other.broken = NULL;
	memset(other.readers, 0, sizeof(other.readers));
	other.new = config;
	tables_store_hook = on_store;
	tables_store_hook_arg = &other;
	ck_assert_msg(!tables__open(&other.arena.maps, grace, &other, &other.tables, &err), "%s", err.msg);
	ck_assert_msg(!other.broken, "while adopting: %s", other.broken);
	apply(&other, config);
	/* the configurations belong to the first world: go on from an own one */
	other.old = config;
	for (int i = 0; i < NR_FLOWS; i++)
		end_flow(&other, &other.flows[i]);
	next = random_config(&other);
	apply(&other, next);
	other.old = next;
	check_nothing_is_lost(&other);
	tables__close(other.tables);
	config_make__free(other.old);
	arena__destroy(&other.arena);
	w->dead.block = NULL;
}

START_TEST(random_sequences_stay_whole)
	{
		struct world *w = &world;
		uint64_t last = 40;

		begin_world(w, (uint64_t)_i * 977 + 1);
		for (int step = 0; step < 12; step++) {
			struct pintle_config *config = random_config(w);

			w->stores_at_death = w->stores + 1 + random_below(&w->random, (uint32_t)last);
			last = w->stores;
			apply(w, config);
			last = w->stores - last + 1;
			if (w->dead.block)
				resurrect(w, config);
			config_make__free(w->old);
			w->old = config;
			forget_orphans(w);
			begin_flows(w);
			w->new = config;
			if (!random_below(&w->random, 3))
				reap(w);
		}
		check_nothing_is_lost(w);
		end_world(w);
	}
END_TEST

/* One change, death at every one of its stores. */
START_TEST(death_at_every_store_is_repaired)
	{
		struct world *w = &world;
		struct arena before;
		struct pintle_config *first, *second;
		uint64_t total;

		begin_world(w, (uint64_t)_i + 4711);
		first = random_config(w);
		apply(w, first);
		config_make__free(w->old);
		w->old = first;
		begin_flows(w);
		second = random_config(w);
		arena__copy(&before, &w->arena);
		total = w->stores;
		apply(w, second);
		total = w->stores - total;
		for (uint64_t k = 1; k <= total; k++) {
			struct pintle_err err;

			tables__close(w->tables);
			memcpy(w->arena.block, before.block, before.bytes);
			w->new = second;
			ck_assert_int_eq(tables__open(&w->arena.maps, grace, w, &w->tables, &err), 0);
			w->stores_at_death = w->stores + k;
			apply(w, second);
			if (w->dead.block)
				resurrect(w, second);
		}
		config_make__free(w->old);
		w->old = second;
		check_nothing_is_lost(w);
		arena__destroy(&before);
		end_world(w);
	}
END_TEST

int main(void)
{
	Suite *suite = suite_create("tables_random");
	TCase *random = tcase_create("random"), *death = tcase_create("death");
	SRunner *runner;
	int failed;

	tcase_set_timeout(random, 120);
	tcase_set_timeout(death, 120);
	tcase_add_loop_test(random, random_sequences_stay_whole, 0, 24);
	tcase_add_loop_test(death, death_at_every_store_is_repaired, 0, 2);
	suite_add_tcase(suite, random);
	suite_add_tcase(suite, death);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
