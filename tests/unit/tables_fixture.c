/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/unit/tables_fixture.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pintle/csum.h"

static void *must(void *memory)
{
	if (!memory) {
		perror("tests: memory");
		abort();
	}
	return memory;
}

/* Gives `nr` elements at the end of the block so far; with no block yet only counts. */
static void *lay_out(struct arena *arena, size_t *at, size_t nr, size_t size)
{
	void *here = arena->block ? arena->block + *at : NULL;

	*at += (nr * size + 63) / 64 * 64;
	return here;
}

static size_t lay_out_all(struct arena *arena)
{
	const struct pintle_meta *meta = &arena->meta;
	struct table_maps *maps = &arena->maps;
	size_t at = 0;

	maps->meta = meta;
	maps->ctl = lay_out(arena, &at, 1, sizeof(*maps->ctl));
	maps->flows = lay_out(arena, &at, meta->nr_buckets, sizeof(*maps->flows));
	maps->stamps = lay_out(arena, &at, meta->nr_buckets * PINTLE_BUCKET_SLOTS, sizeof(*maps->stamps));
	maps->vip4 = lay_out(arena, &at, meta->nr_vip4_buckets, sizeof(*maps->vip4));
	maps->vip6 = lay_out(arena, &at, meta->nr_vip6_buckets, sizeof(*maps->vip6));
	maps->rev4 = lay_out(arena, &at, meta->nr_rev4_buckets, sizeof(*maps->rev4));
	maps->rev6 = lay_out(arena, &at, meta->nr_rev6_buckets, sizeof(*maps->rev6));
	maps->frontends = lay_out(arena, &at, meta->max_frontends, sizeof(*maps->frontends));
	maps->services = lay_out(arena, &at, meta->max_frontends, sizeof(*maps->services));
	maps->members = lay_out(arena, &at, 4 * (size_t)meta->member_lines, sizeof(*maps->members));
	maps->picks = lay_out(arena, &at, meta->pick_lines, sizeof(*maps->picks));
	maps->pods = lay_out(arena, &at, meta->max_pods, sizeof(*maps->pods));
	maps->siblings = lay_out(arena, &at, meta->max_pods, sizeof(*maps->siblings));
	maps->activity = lay_out(arena, &at, 1, sizeof(*maps->activity));
	maps->locals = lay_out(arena, &at, PINTLE_MAX_LOCALS, sizeof(*maps->locals));
	maps->loads = lay_out(arena, &at, meta->max_pods, sizeof(*maps->loads));
	return at;
}

void arena__init(struct arena *arena, uint32_t max_frontends, uint32_t max_pods, uint32_t pick_lines)
{
	const struct table_sizes_in in = { .max_flows = 64, .max_frontends = max_frontends, .max_pods = max_pods, .hz = 250 };
	struct pintle_err err;

	memset(arena, 0, sizeof(*arena));
	arena->meta.abi_version = PINTLE_ABI_VERSION;
	if (tables__sizes(&in, &arena->meta, &err)) {
		fprintf(stderr, "tests: %s\n", err.msg);
		abort();
	}
	if (pick_lines)
		arena->meta.pick_lines = pick_lines;
	for (int i = 0; i < 4; i++)
		arena->meta.seed[i] = 0x9e3779b97f4a7c15ull * (unsigned int)(i + 3);
	arena->bytes = lay_out_all(arena);
	arena->block = must(aligned_alloc(64, arena->bytes));
	memset(arena->block, 0, arena->bytes);
	lay_out_all(arena);
}

void arena__shrink(struct arena *arena)
{
	arena->bytes = lay_out_all(arena);
}

void arena__copy(struct arena *to, const struct arena *from)
{
	*to = *from;
	to->block = must(aligned_alloc(64, from->bytes));
	memcpy(to->block, from->block, from->bytes);
	lay_out_all(to);
}

void arena__destroy(struct arena *arena)
{
	free(arena->block);
	arena->block = NULL;
}

struct ip_addr addr_of(const char *text)
{
	struct ip_addr addr = { .family = strchr(text, ':') ? 6 : 4 };

	if (inet_pton(addr.family == 4 ? AF_INET : AF_INET6, text, addr.bytes) != 1)
		abort();
	return addr;
}

struct pintle_config *config_make__new(void)
{
	struct pintle_config *config = must(calloc(1, sizeof(*config)));

	config->tcp_idle_s = 7200;
	config->tcp_half_open_s = 30;
	config->udp_idle_s = 60;
	config->closed_s = 10;
	config->awaiting_s = 120;
	config->agent_absence_s = 300;
	config->rejects_per_s = 100;
	config->externality = 1;
	return config;
}

struct cfg_service *config_make__service(struct pintle_config *config, const char *name, uint8_t policy)
{
	struct cfg_service *service;

	config->services = must(reallocarray(config->services, config->nr_services + 1, sizeof(*config->services)));
	service = &config->services[config->nr_services++];
	*service = (struct cfg_service){ .name = must(strdup(name)), .policy = policy };
	return service;
}

void config_make__frontend(struct cfg_service *service, const char *addr, uint8_t proto, uint16_t port)
{
	service->frontends = must(reallocarray(service->frontends, service->nr_frontends + 1, sizeof(*service->frontends)));
	service->frontends[service->nr_frontends++] = (struct cfg_frontend){ .addr = addr_of(addr),
									     .proto = proto,
									     .port = port };
}

struct cfg_pod *config_make__pod(struct cfg_service *service, const char *addr, uint16_t port)
{
	struct cfg_pod *pod;

	service->pods = must(reallocarray(service->pods, service->nr_pods + 1, sizeof(*service->pods)));
	pod = &service->pods[service->nr_pods++];
	*pod = (struct cfg_pod){ .addr = addr_of(addr), .port = port, .concurrency = 1, .weight = 100 };
	return pod;
}

void config_make__free(struct pintle_config *config)
{
	if (!config)
		return;
	for (size_t i = 0; i < config->nr_services; i++) {
		free(config->services[i].name);
		free(config->services[i].frontends);
		free(config->services[i].pods);
	}
	free(config->services);
	free(config->name);
	free(config);
}

/* ---- the reader: nothing of agent/ below this line but the two structures ---- */

struct found {
	bool is_found;
	uint16_t id, service, inv_sum;
	uint8_t flags;
};

static struct pintle_seed seed_of(const struct pintle_meta *meta)
{
	return (struct pintle_seed){ meta->seed[0], meta->seed[1] | 1, meta->seed[2] | 1, meta->seed[3] };
}

static struct found find4(const struct pintle_ep4_bucket *buckets, uint32_t nr, const struct pintle_seed *seed,
			  uint32_t addr_be, uint16_t port_be, uint8_t proto)
{
	uint64_t hash = pintle_ep4_hash(addr_be, port_be, proto, seed);
	uint32_t at[2] = { pintle_bucket_first(hash, nr - 1), pintle_ep_second(hash, nr - 1) };

	for (int i = 0; i < 8; i++) {
		const struct pintle_ep4 *slot = &buckets[at[i / 4]].slot[i % 4];

		if (slot->flags & PINTLE_EP_VALID && slot->addr_be == addr_be && slot->port_be == port_be &&
		    slot->proto == proto)
			return (struct found){ true, slot->id, slot->service, slot->inv_sum, slot->flags };
	}
	return (struct found){ 0 };
}

static struct found find6(const struct pintle_ep6_bucket *buckets, uint32_t nr, const struct pintle_seed *seed,
			  const uint32_t *addr_be, uint16_t port_be, uint8_t proto)
{
	uint64_t hash = pintle_ep6_hash(addr_be, port_be, proto, seed);
	uint32_t at[2] = { pintle_bucket_first(hash, nr - 1), pintle_ep_second(hash, nr - 1) };

	for (int i = 0; i < 4; i++) {
		const struct pintle_ep6 *slot = &buckets[at[i / 2]].slot[i % 2];

		if (slot->flags & PINTLE_EP_VALID && !memcmp(slot->addr_be, addr_be, 16) && slot->port_be == port_be &&
		    slot->proto == proto)
			return (struct found){ true, slot->id, slot->service, slot->inv_sum, slot->flags };
	}
	return (struct found){ 0 };
}

static struct found find_vip(const struct table_maps *maps, uint8_t family, const uint32_t *addr_be, uint16_t port_be,
			     uint8_t proto)
{
	struct pintle_seed seed = seed_of(maps->meta);

	if (family == 4)
		return find4(maps->vip4, maps->meta->nr_vip4_buckets, &seed, addr_be[0], port_be, proto);
	return find6(maps->vip6, maps->meta->nr_vip6_buckets, &seed, addr_be, port_be, proto);
}

int maps__see_pod(const struct table_maps *maps, uint8_t family, const uint32_t addr_be[4], uint16_t port_be)
{
	struct pintle_seed seed = seed_of(maps->meta);
	struct found found;

	if (family == 4)
		found = find4(maps->rev4, maps->meta->nr_rev4_buckets, &seed, addr_be[0], port_be, 0);
	else
		found = find6(maps->rev6, maps->meta->nr_rev6_buckets, &seed, addr_be, port_be, 0);
	return found.is_found ? found.id : -1;
}

bool maps__is_sibling(const struct table_maps *maps, uint32_t pod, uint16_t frontend)
{
	const struct pintle_sibling_set *set = &maps->siblings[pod].set[maps->siblings[pod].active & 1];

	for (int i = 0; i < set->nr && i < (int)PINTLE_MAX_SIBLINGS; i++) {
		if (set->frontend[i] == frontend)
			return true;
	}
	return false;
}

static uint64_t mix(uint64_t hash, uint64_t word)
{
	hash = (hash ^ word) * 0xff51afd7ed558ccdull;
	return hash ^ hash >> 32;
}

/* Order of members does not count. */
static uint64_t member_digest(const uint32_t *addr_be, uint16_t port_be, uint16_t concurrency)
{
	uint64_t hash = 1;

	for (int i = 0; i < 4; i++)
		hash = mix(hash, addr_be[i]);
	return mix(mix(hash, port_be), concurrency);
}

static uint64_t contents_digest(uint8_t policy, uint8_t flags, uint32_t nr, uint64_t members)
{
	return mix(mix(mix(mix(SEEN_SERVICE, policy), flags), nr), members);
}

uint64_t pool__digest(const struct table_maps *maps, const struct pintle_pool *pool, const char **ret_broken)
{
	uint64_t sum = 0;
	bool needs_picks = pool->policy == PINTLE_POLICY_MAGLEV || pool->policy == PINTLE_POLICY_WEIGHTED;

	*ret_broken = needs_picks && pool->nr_members && !pool->nr_picks ? "no picks" : NULL;
	for (uint32_t i = 0; i < pool->nr_members; i++) {
		const struct pintle_member *m = &maps->members[pool->members_line + i / 8].member[i % 8];
		const struct pintle_member *other =
			&maps->members[maps->meta->member_lines + pool->members_line + i / 8].member[i % 8];
		const struct pintle_pod *pod = &maps->pods[m->pod];
		uint16_t sum16;

		if (m->pod != other->pod || m->concurrency != other->concurrency)
			*ret_broken = "halves differ";
		sum16 = pintle_csum_addr(pod->addr_be, pod->family == 4 ? 1 : 4);
		if (!(pod->flags & PINTLE_POD_IN_USE) || pod->addr_sum != sum16 ||
		    pod->sum != pintle_csum_fold((uint32_t)sum16 + pod->port_be))
			*ret_broken = "pod record";
		else if (maps__see_pod(maps, pod->family, pod->addr_be, pod->port_be) != m->pod)
			*ret_broken = "reverse entry";
		sum += member_digest(pod->addr_be, pod->port_be, m->concurrency);
	}
	for (uint32_t i = 0; i < pool->nr_picks; i++) {
		if (maps->picks[pool->picks_line + i / 32].member[i % 32] >= pool->nr_members)
			*ret_broken = "pick";
	}
	return contents_digest(pool->policy, pool->flags, pool->nr_members, sum);
}

static const char *check_frontend(const struct table_maps *maps, const struct seen *seen, const uint32_t *addr_be,
				  uint16_t port_be, uint8_t proto, uint8_t family)
{
	const struct pintle_frontend *record = &maps->frontends[seen->frontend];
	uint32_t half = maps->ctl->gains_half & 1;

	if (memcmp(record->addr_be, addr_be, 16) || record->port_be != port_be || record->proto != proto ||
	    record->family != family)
		return "frontend record";
	for (uint32_t i = 0; i < seen->pool->nr_members; i++) {
		uint32_t line = half * maps->meta->member_lines + seen->pool->members_line + i / 8;

		if (!maps__is_sibling(maps, maps->members[line].member[i % 8].pod, seen->frontend))
			return "siblings";
	}
	return NULL;
}

struct seen maps__see(const struct table_maps *maps, const struct ip_addr *addr, uint16_t port, uint8_t proto)
{
	uint32_t addr_be[4] = { 0 }, inverse[4];
	struct seen seen = { 0 };
	struct found found;
	uint16_t inv_sum;

	memcpy(addr_be, addr->bytes, 16);
	found = find_vip(maps, addr->family, addr_be, htons(port), proto);
	if (!found.is_found) {
		found = find_vip(maps, addr->family, addr_be, 0, 0);
		seen.kind = !found.is_found ? SEEN_OTHER : found.flags & PINTLE_EP_LOCAL ? SEEN_LOCAL_PORT : SEEN_UNKNOWN_PORT;
		seen.digest = seen.kind;
		return seen;
	}
	for (int i = 0; i < 4; i++)
		inverse[i] = ~addr_be[i];
	inv_sum = pintle_csum_fold((uint32_t)pintle_csum_addr(inverse, addr->family == 4 ? 1 : 4) + (uint16_t)~htons(port));
	seen.kind = SEEN_SERVICE;
	seen.frontend = found.id;
	seen.service = found.service;
	seen.pool = &maps->services[found.service].pool[maps->services[found.service].active & 1];
	seen.digest = pool__digest(maps, seen.pool, &seen.broken);
	if (!seen.broken)
		seen.broken = check_frontend(maps, &seen, addr_be, htons(port), proto, addr->family);
	if (!seen.broken && (found.inv_sum != inv_sum || !maps->services[found.service].in_use))
		seen.broken = "frontend entry";
	return seen;
}

uint64_t service__expect(const struct cfg_service *service, uint8_t family)
{
	uint8_t flags = (uint8_t)((service->delivery ? PINTLE_SVC_REDIRECT : 0) |
				  (service->load_open ? PINTLE_SVC_LOAD_OPEN : 0));
	uint64_t sum = 0;
	uint32_t nr = 0;

	for (size_t i = 0; i < service->nr_pods; i++) {
		const struct cfg_pod *pod = &service->pods[i];
		uint32_t addr_be[4];

		if (pod->addr.family != family || pod->state != POD_ACTIVE || !pod->weight)
			continue;
		memcpy(addr_be, pod->addr.bytes, 16);
		sum += member_digest(addr_be, htons(pod->port), pod->concurrency);
		nr++;
	}
	return contents_digest(service->policy, flags, nr, sum);
}

uint64_t config__expect(const struct pintle_config *config, const struct ip_addr *addr, uint16_t port, uint8_t proto,
			const struct cfg_service **ret_service)
{
	enum seen_kind kind = SEEN_OTHER;

	*ret_service = NULL;
	for (size_t i = 0; i < config->nr_services; i++) {
		for (size_t k = 0; k < config->services[i].nr_frontends; k++) {
			const struct cfg_frontend *f = &config->services[i].frontends[k];

			if (f->addr.family != addr->family || memcmp(f->addr.bytes, addr->bytes, 16))
				continue;
			kind = SEEN_UNKNOWN_PORT;
			if (f->port != port || f->proto != proto)
				continue;
			*ret_service = &config->services[i];
			return service__expect(*ret_service, addr->family);
		}
	}
	return kind;
}

uint32_t random_below(uint64_t *state, uint32_t n)
{
	*state = *state * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(((*state >> 33) * n) >> 31);
}
