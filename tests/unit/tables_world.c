/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/unit/tables_world.h"

#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

static const char *const vips[2][NR_VIPS] = { { "10.96.0.1", "10.96.0.2", "10.96.0.3" }, { "fd00::1", "fd00::2", "fd00::3" } };
static const uint8_t protos[2] = { IPPROTO_TCP, IPPROTO_UDP };

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

struct pintle_config *world__config(struct world *w)
{
	struct pintle_config *config = config_make__new();
	uint32_t nr = random_below(&w->random, 6), owner[sizeof(w->places) / sizeof(w->places[0])] = { 0 };

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

static uint16_t id_in(const struct reader *reader)
{
	return reader->family == 4 ? ((const struct pintle_ep4 *)reader->slot)->id : 0; /* part of an IPv6 entry's head */
}

static uint16_t inv_sum_in(const struct reader *reader)
{
	return reader->family == 4 ? ((const struct pintle_ep4 *)reader->slot)->inv_sum
				   : ((const struct pintle_ep6 *)reader->slot)->inv_sum;
}

static void begin_reader(struct world *w, const struct place *place, const struct seen *seen)
{
	struct reader *reader = &w->readers[random_below(&w->random, NR_READERS)];
	struct ep_key key;
	struct ephash *h = &w->tables->vip[family_index(place->addr.family)];
	uint32_t slot;

	ep_key__make(&key, &place->addr, place->port, place->proto);
	slot = ephash__find(h, &key);
	reader->pool = seen->pool;
	reader->digest = seen->digest;
	reader->frontend = &w->arena.maps.frontends[seen->frontend];
	reader->record = *reader->frontend;
	reader->family = place->addr.family;
	reader->slot = reader->family == 4 ? (const void *)&w->arena.maps.vip4[slot / 4].slot[slot % 4]
					   : (const void *)&w->arena.maps.vip6[slot / 2].slot[slot % 2];
	reader->id = id_in(reader);
	reader->inv_sum = inv_sum_in(reader);
}

/* The service of a frontend may change, nothing else. */
static const char *check_reader(const struct world *w, const struct reader *reader)
{
	const char *broken = NULL;

	if (!reader->pool)
		return NULL;
	if (pool__digest(&w->arena.maps, reader->pool, &broken) != reader->digest)
		return "a pool changed under a reader";
	if (memcmp(reader->frontend->addr_be, reader->record.addr_be, 16) ||
	    reader->frontend->port_be != reader->record.port_be || reader->frontend->sum != reader->record.sum)
		return "a frontend's record changed under a reader";
	if (reader->id != id_in(reader) || reader->inv_sum != inv_sum_in(reader))
		return "an entry's slot was written again under a reader";
	return broken;
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
		if (seen.kind == SEEN_SERVICE && w->tables && !random_below(&w->random, 20))
			begin_reader(w, place, &seen);
	}
	for (int i = 0; i < NR_READERS; i++) {
		const char *broken = check_reader(w, &w->readers[i]);

		if (broken)
			note(w, broken);
	}
	for (int i = 0; i < NR_FLOWS; i++) {
		const char *broken = check_flow(w, &w->flows[i]);

		if (broken)
			note(w, broken);
	}
}

void world__on_store(void *arg)
{
	struct world *w = arg;

	w->stores++;
	if (w->stores == w->stores_at_death)
		arena__copy(&w->dead, &w->arena);
	check_everything(w);
}

int world__grace(void *arg)
{
	struct world *w = arg;

	w->graces++;
	memset(w->readers, 0, sizeof(w->readers));
	if (w->new)
		check_everything(w); /* readers that begin now */
	return 0;
}

static void end_flow(struct world *w, struct flow *flow)
{
	if (flow->is_open)
		w->arena.maps.flows[flow->slot / 4].slot[flow->slot % 4].state = 0;
	flow->is_open = false;
}

void world__end_flows(struct world *w)
{
	for (int i = 0; i < NR_FLOWS; i++)
		end_flow(w, &w->flows[i]);
}

/* New flows to members that are in force now. */
void world__begin_flows(struct world *w)
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
void world__forget_orphans(struct world *w)
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

void world__apply(struct world *w, struct pintle_config *config)
{
	struct tables_applied applied;
	struct pintle_err err = { .msg = "" };
	int ret;

	w->new = config;
	check_everything(w);
	tables_store_hook = world__on_store;
	tables_store_hook_arg = w;
	ret = tables__apply(w->tables, config, is_local, NULL, &applied, &err);
	tables_store_hook = NULL;
	w->stores_at_death = 0;
	ck_assert_msg(!ret, "%s", err.msg);
	ck_assert_msg(!w->broken, "after a store: %s", w->broken);
	check_end_state(w, config);
}

void world__reap(struct world *w)
{
	struct pintle_err err = { .msg = "" };
	int ret;

	tables_store_hook = world__on_store;
	tables_store_hook_arg = w;
	ret = tables__reap(w->tables, &err);
	tables_store_hook = NULL;
	ck_assert_msg(ret >= 0, "%s", err.msg);
	ck_assert_msg(!w->broken, "reaping: %s", w->broken);
}

/* The shadow, and nothing but the shadow, says what is used; everything can be given back. */
void world__check_nothing_is_lost(struct world *w)
{
	struct pintle_config *empty = config_make__new();

	world__end_flows(w);
	world__apply(w, empty);
	world__reap(w);
	ck_assert_uint_eq(tables__lingering(w->tables), 0);
	ck_assert_uint_eq(w->tables->pods.used, 0);
	ck_assert_uint_eq(w->tables->frontends.used, 0);
	ck_assert_uint_eq(w->tables->services.used, 0);
	ck_assert_uint_eq(w->tables->details.used, 0);
	ck_assert_uint_eq(w->tables->members.used, 0);
	ck_assert_uint_eq(w->tables->picks.used, 0);
	for (uint32_t i = 0; i < w->arena.meta.max_pods; i++)
		ck_assert_uint_eq(w->arena.maps.pods[i].flags, 0);
	for (uint32_t i = 0; i < w->arena.meta.max_frontends; i++)
		ck_assert_uint_eq(w->arena.maps.frontends[i].family, 0);
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

void world__begin(struct world *w, uint64_t seed)
{
	struct pintle_err err;

	memset(w, 0, sizeof(*w));
	w->random = seed;
	fill_places(w);
	arena__init(&w->arena, 24, 24, 256);
	/* small enough that entries meet, move and follow each other in a slot */
	w->arena.meta.nr_vip4_buckets = 8;
	w->arena.meta.nr_vip6_buckets = 16;
	w->arena.meta.nr_rev4_buckets = 4;
	w->arena.meta.nr_rev6_buckets = 8;
	arena__shrink(&w->arena);
	w->old = config_make__new();
	ck_assert_int_eq(tables__open(&w->arena.maps, world__grace, w, &w->tables, &err), 0);
}

void world__end(struct world *w)
{
	tables__close(w->tables);
	config_make__free(w->old);
	arena__destroy(&w->arena);
}
