/* SPDX-License-Identifier: BSD-2-Clause */
/* What a service's pool is made of. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/tables_plan.h"
#include "policy/ramp.h"

#define MAX_PICKS 65536u

int member_list__init(struct member_list *list, const struct pintle_config *config)
{
	size_t room = 1;

	*list = (struct member_list){ 0 };
	for (size_t i = 0; i < config->nr_services; i++) {
		if (config->services[i].nr_pods > room)
			room = config->services[i].nr_pods;
	}
	list->room = (uint32_t)room;
	list->members = calloc(room, sizeof(*list->members));
	list->pick_members = calloc(room, sizeof(*list->pick_members));
	list->picks = calloc(MAX_PICKS, sizeof(*list->picks));
	if (list->members && list->pick_members && list->picks)
		return 0;
	member_list__destroy(list);
	return -ENOMEM;
}

void member_list__destroy(struct member_list *list)
{
	free(list->members);
	free(list->pick_members);
	free(list->picks);
	*list = (struct member_list){ 0 };
}

/* By a hash of the address: an order that every node has, in which neighbours have nothing in common. A choice among many members looks at a
 * window of neighbours, and pods with addresses side by side are often of one kind. */
static int by_name_hash(const void *a, const void *b)
{
	const struct member_source *x = a, *y = b;
	int order;

	if (x->name_hash != y->name_hash)
		return x->name_hash < y->name_hash ? -1 : 1;
	order = memcmp(x->cfg->addr.bytes, y->cfg->addr.bytes, sizeof(x->cfg->addr.bytes));
	return order ? order : (int)x->cfg->port - (int)y->cfg->port;
}

static struct member_source make_source(const struct cfg_pod *cfg, uint32_t pod)
{
	struct ep_key key;

	ep_key__make(&key, &cfg->addr, cfg->port, 0);
	return (struct member_source){ .cfg = cfg, .name_hash = pick_name_hash(key.addr_be, key.port_be), .pod = pod };
}

static uint64_t digest_add(uint64_t digest, uint64_t word)
{
	digest = (digest ^ word) * 0x9e3779b97f4a7c15ull;
	return digest ^ digest >> 29;
}

static uint32_t count_picks(const struct member_list *list, uint8_t policy)
{
	uint32_t nr = list->nr_members;

	if (!nr)
		return 0;
	switch (policy) {
	case PINTLE_POLICY_MAGLEV:
		return maglev__size(nr);
	case PINTLE_POLICY_WEIGHTED:
		return weighted__size(list->pick_members, nr);
	default:
		return 0;
	}
}

static bool takes_new_flows(const struct plan *p, const struct cfg_pod *pod, uint32_t id)
{
	return pod->state == POD_ACTIVE && pod->weight && !idset__has(&p->shut, id);
}

void member_list__collect(struct member_list *list, const struct plan *p, const struct plan_service *s, uint64_t *ret_digest)
{
	const struct cfg_service *cfg = &p->config->services[s->cfg];
	const uint32_t *ids = &p->pod_ids[p->first_pod[s->cfg]];
	uint64_t digest = digest_add(0x70696e746c65ull, cfg->policy);

	list->nr_members = 0;
	list->flags = (uint8_t)((cfg->delivery == DELIVERY_REDIRECT ? PINTLE_SVC_REDIRECT : 0) |
				(cfg->load_open ? PINTLE_SVC_LOAD_OPEN : 0));
	for (size_t i = 0; i < cfg->nr_pods; i++) {
		if (cfg->pods[i].addr.family == s->family && takes_new_flows(p, &cfg->pods[i], ids[i]))
			list->members[list->nr_members++] = make_source(&cfg->pods[i], ids[i]);
	}
	qsort(list->members, list->nr_members, sizeof(*list->members), by_name_hash);
	digest = digest_add(digest, list->flags);
	for (uint32_t i = 0; i < list->nr_members; i++) {
		const struct cfg_pod *pod = list->members[i].cfg;

		list->pick_members[i] = (struct pick_member){ .name_hash = list->members[i].name_hash, .weight = pod->weight };
		digest = digest_add(digest,
				    list->members[i].pod | (uint64_t)pod->concurrency << 16 | (uint64_t)pod->weight << 32);
	}
	list->nr_picks = count_picks(list, cfg->policy);
	*ret_digest = digest ? digest : 1;
}

int member_list__fill_picks(struct member_list *list, uint8_t policy)
{
	if (!list->nr_picks)
		return 0;
	switch (policy) {
	case PINTLE_POLICY_MAGLEV:
		return maglev__fill(list->pick_members, list->nr_members, list->picks, list->nr_picks);
	case PINTLE_POLICY_WEIGHTED:
		return weighted__fill(list->pick_members, list->nr_members, list->picks, list->nr_picks);
	default:
		return 0;
	}
}

bool member_list__is_in_force(const struct member_list *list, const struct tables *t, const struct pintle_pool *pool,
			      uint8_t policy)
{
	if (pool->nr_members != list->nr_members || pool->nr_picks != list->nr_picks || pool->policy != policy ||
	    pool->flags != list->flags)
		return false;
	for (uint32_t i = 0; i < list->nr_members; i++) {
		const struct pintle_member *member = member_at(t, 0, 0, pool->members_line, i);

		if (member->pod != list->members[i].pod || member->concurrency != list->members[i].cfg->concurrency)
			return false;
	}
	/* lines follow each other without gaps */
	return !list->nr_picks || !memcmp(&t->maps.picks[pool->picks_line], list->picks, list->nr_picks * sizeof(*list->picks));
}

void member_list__default_gains(const struct member_list *list, struct tables *t)
{
	int16_t *known = (int16_t *)list->picks; /* not filled yet */
	uint32_t nr_known = 0;
	int16_t median;

	for (uint32_t i = 0; i < list->nr_members; i++) {
		const struct shadow_pod *pod = &t->shadow_pods[list->members[i].pod];

		if (pod->flags & SP_KNOWN)
			known[nr_known++] = pod->gain_q8;
	}
	if (nr_known == list->nr_members)
		return;
	median = ramp__median_q8(known, nr_known);
	for (uint32_t i = 0; i < list->nr_members; i++) {
		struct shadow_pod *pod = &t->shadow_pods[list->members[i].pod];

		if (!(pod->flags & (SP_KNOWN | SP_DEFAULTED))) {
			pod->gain_q8 = median;
			pod->flags |= SP_DEFAULTED;
		}
	}
}

static void write_variant(const struct member_list *list, struct tables *t, uint32_t variant, uint32_t line)
{
	uint32_t nr = lines_of_members(list->nr_members) * PINTLE_MEMBERS_PER_LINE;

	for (uint32_t i = 0; i < nr; i++) {
		struct pintle_member member = { 0 };
		uint64_t word;

		if (i < list->nr_members) {
			uint32_t pod = list->members[i].pod;

			member = member__make(&t->shadow_pods[pod], variant, (uint16_t)pod, list->members[i].cfg->concurrency);
		}
		memcpy(&word, &member, sizeof(word));
		store64(member_at(t, variant, 0, line, i), word);
		store64(member_at(t, variant, 1, line, i), word);
	}
}

void member_list__write(const struct member_list *list, struct tables *t, uint32_t members_line, uint32_t picks_line)
{
	for (uint32_t i = 0; i < list->nr_members; i++)
		gains__end_exploration(t, (uint16_t)list->members[i].pod);
	for (uint32_t variant = 0; variant < NR_VARIANTS; variant++)
		write_variant(list, t, variant, members_line);
	for (uint32_t at = 0; at < list->nr_picks; at += PINTLE_PICKS_PER_LINE) {
		struct pintle_pick_line line = { 0 };
		uint32_t nr = list->nr_picks - at < PINTLE_PICKS_PER_LINE ? list->nr_picks - at : PINTLE_PICKS_PER_LINE;

		memcpy(line.member, list->picks + at, nr * sizeof(*list->picks));
		store_words(&t->maps.picks[picks_line + at / PINTLE_PICKS_PER_LINE], &line, sizeof(line));
	}
}
