/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Carries out a plan. Order of writes, each step complete before the next:
 *   frontends that go are unpublished (wildcard first: a port must not look unknown while its address is still ours) | wait, if any are added
 *   records of new frontends and pods, siblings, reverse entries | member and pick lines | a pool, then its flip, service by service
 *   frontends that change service | new frontends, then new wildcards | wait | lines, services, frontends that went are free again.
 * Pods that left are members no more from the flips on; they linger until tables__reap() finds no flow of theirs.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "agent/tables_apply.h"
#include "agent/tables_plan.h"

static struct ephash *vip_of(struct tables *t, const struct ep_key *key)
{
	return &t->vip[family_index(key->family)];
}

static void write_frontend_records(struct tables *t, const struct plan *p)
{
	for (uint32_t i = 0; i < p->nr_frontends; i++) {
		const struct plan_frontend *from = &p->frontends[i];
		struct pintle_frontend record = { .port_be = from->key.port_be,
						  .proto = from->key.proto,
						  .family = from->key.family };

		if (!from->is_new)
			continue;
		memcpy(record.addr_be, from->key.addr_be, sizeof(record.addr_be));
		record.service = (uint16_t)p->services[from->service].id;
		record.sum = ep_key__sum(&from->key);
		store_words(&t->maps.frontends[from->id], &record, sizeof(record));
	}
}

static bool lists(const uint16_t *ids, uint32_t nr, uint16_t id)
{
	for (uint32_t i = 0; i < nr; i++) {
		if (ids[i] == id)
			return true;
	}
	return false;
}

/* What it has, without frontends that went, then what is new. A frontend that leads here no more stays while there is room: flows that it
 * brought are still translated. */
static void merge_siblings(const struct plan *p, const struct pintle_sibling_set *now, const uint16_t *wanted,
			   uint32_t nr_wanted, struct pintle_sibling_set *ret_set)
{
	uint32_t room = PINTLE_MAX_SIBLINGS - nr_wanted; /* for those not wanted */
	uint32_t nr_now = now->nr > PINTLE_MAX_SIBLINGS ? PINTLE_MAX_SIBLINGS : now->nr;

	*ret_set = (struct pintle_sibling_set){ 0 };
	for (uint32_t i = 0; i < nr_now; i++) {
		uint16_t id = now->frontend[i];
		bool is_wanted = lists(wanted, nr_wanted, id);

		if (!idset__has(&p->keep_frontends, id) || (!is_wanted && !room) || lists(ret_set->frontend, ret_set->nr, id))
			continue;
		room -= !is_wanted;
		ret_set->frontend[ret_set->nr++] = id;
	}
	for (uint32_t i = 0; i < nr_wanted; i++) {
		if (!lists(ret_set->frontend, ret_set->nr, wanted[i]))
			ret_set->frontend[ret_set->nr++] = wanted[i];
	}
}

/* `only_drop`: frontends that go are taken out, nothing comes in. */
static void update_siblings(struct tables *t, const struct plan *p, bool only_drop)
{
	static const struct pintle_sibling_set none;

	for (uint32_t pod = idset__next_used(&t->pods, 0); pod != NO_ID; pod = idset__next_used(&t->pods, pod + 1)) {
		bool is_new = !(t->maps.pods[pod].flags & PINTLE_POD_IN_USE);
		const struct pintle_sibling_set *now = is_new ? &none : siblings_in_force(t, pod);
		uint32_t begin = p->first_sibling[pod], nr = only_drop ? 0 : p->first_sibling[pod + 1] - begin;
		struct pintle_sibling_set set;

		merge_siblings(p, now, p->siblings + begin, nr, &set);
		if (set.nr != now->nr || memcmp(set.frontend, now->frontend, set.nr * sizeof(set.frontend[0])))
			siblings__write(t, (uint16_t)pod, &set);
	}
}

static int add_pods(struct tables *t, const struct plan *p)
{
	struct ep_entry *entries = calloc((size_t)p->nr_new_pods + 1, sizeof(*entries));
	int ret = 0;

	if (!entries)
		return -ENOMEM;
	for (uint32_t i = 0; i < p->nr_new_pods; i++)
		pod_record__write(t, (uint16_t)p->new_pods[i].id, &p->new_pods[i].key);
	for (int family = 4; family <= 6 && !ret; family += 2) {
		size_t nr = 0;

		for (uint32_t i = 0; i < p->nr_new_pods; i++) {
			if (p->new_pods[i].key.family == family)
				entries[nr++] = (struct ep_entry){ .key = p->new_pods[i].key,
								   .id = (uint16_t)p->new_pods[i].id };
		}
		ret = ephash__add(&t->rev[family_index((uint8_t)family)], entries, nr, tables__wait_arg, t);
	}
	free(entries);
	return ret;
}

static void flip_pool(struct tables *t, const struct plan *p, struct plan_service *s, const struct member_list *list)
{
	struct pintle_service *service = &t->maps.services[s->id];
	uint32_t idle = ~load32(&service->active) & 1;
	const struct pintle_pool *old = pool_in_force(t, s->id);
	struct pintle_pool pool = {
		.members_line = s->members_line,
		.picks_line = s->picks_line,
		.nr_picks = s->nr_picks,
		.nr_members = (uint16_t)s->nr_members,
		.policy = p->config->services[s->cfg].policy,
		.flags = list->flags,
		.sample_shift = s->is_new ? TABLES_SAMPLE_SHIFT : old->sample_shift,
		.generation = (uint16_t)(old->generation + 1),
	};

	if (!s->is_new && pool.policy == PINTLE_POLICY_SCORE && old->policy == PINTLE_POLICY_SCORE) {
		pool.holdout = old->holdout;
		pool.canary = old->canary;
		pool.class_flags = old->class_flags;
		pool.class_slot = old->class_slot;
	}
	store_words(&service->pool[idle], &pool, sizeof(pool));
	store32(&service->active, idle);
	t->needs_grace = true;
	if (!service->in_use)
		store64(&service->in_use, 1);
}

static int write_pools(struct tables *t, struct plan *p)
{
	struct member_list list;
	int ret = member_list__init(&list, p->config);

	for (uint32_t i = 0; i < p->nr_services && !ret; i++) {
		struct plan_service *s = &p->services[i];

		if (!s->is_changed)
			continue;
		member_list__collect(&list, p, s, &s->digest);
		member_list__default_gains(&list, t);
		ret = member_list__fill_picks(&list, p->config->services[s->cfg].policy);
		if (ret)
			break;
		member_list__write(&list, t, s->members_line, s->picks_line);
		flip_pool(t, p, s, &list);
	}
	member_list__destroy(&list);
	return ret;
}

static int by_entry_family(struct tables *t, const struct ep_entry *entries, size_t nr)
{
	size_t nr4 = 0;
	int ret;

	while (nr4 < nr && entries[nr4].key.family == 4)
		nr4++;
	ret = ephash__add(&t->vip[0], entries, nr4, tables__wait_arg, t);
	return ret ? ret : ephash__add(&t->vip[1], entries + nr4, nr - nr4, tables__wait_arg, t);
}

static void move_frontend(struct tables *t, const struct plan_frontend *frontend, uint16_t service)
{
	struct ephash *h = vip_of(t, &frontend->key);
	uint32_t slot = ephash__find(h, &frontend->key);
	struct ep_entry entry;

	if (slot != EPHASH_NO_SLOT && ephash__get(h, slot, &entry) && entry.service != service) {
		ephash__set_service(h, slot, service);
		t->needs_grace = true;
	}
	if (t->maps.frontends[frontend->id].service != service)
		store16(&t->maps.frontends[frontend->id].service, service);
}

/* Frontends are sorted by family and address; so are the entries made here. */
static int add_frontends(struct tables *t, const struct plan *p, struct ep_entry *entries)
{
	size_t nr = 0;

	for (uint32_t i = 0; i < p->nr_frontends; i++) {
		const struct plan_frontend *frontend = &p->frontends[i];
		uint16_t service = (uint16_t)p->services[frontend->service].id;

		if (frontend->is_new)
			entries[nr++] = (struct ep_entry){ .key = frontend->key,
							   .id = (uint16_t)frontend->id,
							   .service = service };
		else
			move_frontend(t, frontend, service);
	}
	return by_entry_family(t, entries, nr);
}

static bool is_first_of_address(const struct plan *p, uint32_t i)
{
	return !i || p->frontends[i].key.family != p->frontends[i - 1].key.family ||
	       memcmp(p->frontends[i].key.addr_be, p->frontends[i - 1].key.addr_be, sizeof(p->frontends[i].key.addr_be));
}

static struct ep_key wildcard_of(const struct ep_key *key)
{
	struct ep_key wildcard = *key;

	wildcard.port_be = 0;
	wildcard.proto = 0;
	return wildcard;
}

static int add_wildcards(struct tables *t, const struct plan *p, const struct local_addresses *local, struct ep_entry *entries)
{
	size_t nr = 0;

	for (uint32_t i = 0; i < p->nr_frontends; i++) {
		struct ep_entry wanted = { .key = wildcard_of(&p->frontends[i].key),
					   .id = WILDCARD_ID,
					   .service = WILDCARD_SERVICE },
				now;
		struct ip_addr addr = { .family = wanted.key.family };
		uint32_t slot;

		if (!is_first_of_address(p, i))
			continue;
		memcpy(addr.bytes, wanted.key.addr_be, sizeof(addr.bytes));
		if (local->is_local && local->is_local(local->arg, &addr))
			wanted.flags = PINTLE_EP_LOCAL;
		slot = ephash__find(vip_of(t, &wanted.key), &wanted.key);
		if (slot == EPHASH_NO_SLOT)
			entries[nr++] = wanted;
		else if (ephash__get(vip_of(t, &wanted.key), slot, &now) && (now.flags & PINTLE_EP_LOCAL) != wanted.flags)
			ephash__set_local(vip_of(t, &wanted.key), slot, wanted.flags);
	}
	return by_entry_family(t, entries, nr);
}

/* Slots of frontends and wildcards that the plan wants. */
static int mark_wanted(struct tables *t, const struct plan *p, struct idset wanted[2])
{
	if (idset__init(&wanted[0], ephash__nr_slots(&t->vip[0])))
		return -ENOMEM;
	if (idset__init(&wanted[1], ephash__nr_slots(&t->vip[1]))) {
		idset__destroy(&wanted[0]);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < p->nr_frontends; i++) {
		const struct ep_key *key = &p->frontends[i].key;
		struct ep_key wildcard = wildcard_of(key);

		idset__mark(&wanted[family_index(key->family)], ephash__find(vip_of(t, key), key));
		if (is_first_of_address(p, i))
			idset__mark(&wanted[family_index(key->family)], ephash__find(vip_of(t, key), &wildcard));
	}
	return 0;
}

static void unpublish(struct tables *t, const struct idset wanted[2], bool wildcards)
{
	for (int f = 0; f < 2; f++) {
		for (uint32_t slot = 0; slot < wanted[f].nr; slot++) {
			struct ep_entry entry;

			if (idset__has(&wanted[f], slot) || !ephash__get(&t->vip[f], slot, &entry))
				continue;
			if ((entry.key.proto == 0) != wildcards)
				continue;
			ephash__clear(&t->vip[f], slot);
			t->needs_grace = true;
		}
	}
}

static int remove_frontends(struct tables *t, const struct plan *p)
{
	struct idset wanted[2];
	int ret = mark_wanted(t, p, wanted);

	if (ret)
		return ret;
	unpublish(t, wanted, true);
	unpublish(t, wanted, false);
	idset__destroy(&wanted[0]);
	idset__destroy(&wanted[1]);
	return 0;
}

/* Nobody can find them any more: not by address, not as a sibling. */
static void free_frontends(struct tables *t, const struct plan *p)
{
	for (uint32_t id = idset__next_used(&t->frontends, 0); id != NO_ID; id = idset__next_used(&t->frontends, id + 1)) {
		if (!idset__has(&p->keep_frontends, id))
			frontends__drop(t, id);
	}
}

/* Before anything is added: a slot or an id of a frontend that goes is used again only after a wait. */
static int take_frontends(struct tables *t, struct plan *p)
{
	bool is_short = plan__is_short_of_ids(t, p);
	int ret = 0;

	if (is_short)
		update_siblings(t, p, true);
	if (is_short || (t->needs_grace && p->nr_new_frontends))
		ret = tables__wait(t);
	if (ret)
		return ret;
	if (is_short) {
		free_frontends(t, p);
		ret = frontends__free_more(t, p);
		if (ret)
			return ret;
	}
	return plan__take_frontends(t, p);
}

static int add_all(struct tables *t, struct plan *p, const struct local_addresses *local)
{
	struct ep_entry *entries = calloc((size_t)p->nr_frontends + 1, sizeof(*entries));
	int ret = entries ? 0 : -ENOMEM;

	if (!ret) {
		write_frontend_records(t, p);
		/* a new pod's siblings before its record: the record's flags say that it is new */
		update_siblings(t, p, false);
		ret = add_pods(t, p);
	}
	if (!ret)
		ret = write_pools(t, p);
	if (!ret)
		ret = add_frontends(t, p, entries);
	if (!ret)
		ret = add_wildcards(t, p, local, entries);
	free(entries);
	return ret;
}

static void free_services(struct tables *t, const struct plan *p)
{
	for (uint32_t i = 0; i < p->nr_services; i++) {
		const struct plan_service *s = &p->services[i];

		if (!s->is_changed || s->is_new)
			continue;
		lines__drop(&t->members, s->old.members_line, lines_of_members(s->old.nr_members));
		lines__drop(&t->picks, s->old.picks_line, lines_of_picks(s->old.nr_picks));
	}
	for (uint32_t id = idset__next_used(&t->services, 0); id != NO_ID; id = idset__next_used(&t->services, id + 1)) {
		const struct pintle_pool *pool = pool_in_force(t, id);

		if (idset__has(&p->keep_services, id))
			continue;
		store64(&t->maps.services[id].in_use, 0);
		lines__drop(&t->members, pool->members_line, lines_of_members(pool->nr_members));
		lines__drop(&t->picks, pool->picks_line, lines_of_picks(pool->nr_picks));
		t->shadow_services[id] = (struct shadow_service){ 0 };
		idset__drop(&t->services, id);
	}
}

int plan__carry_out(struct tables *t, struct plan *p, const struct local_addresses *local)
{
	int ret = t->needs_grace ? tables__wait(t) : 0;

	if (!ret)
		ret = remove_frontends(t, p);
	if (!ret)
		ret = take_frontends(t, p);
	if (!ret)
		ret = add_all(t, p, local);
	if (!ret && t->needs_grace)
		ret = tables__wait(t);
	if (ret)
		return ret;
	free_services(t, p);
	free_frontends(t, p);
	return 0;
}
