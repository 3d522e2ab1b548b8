/* SPDX-License-Identifier: BSD-2-Clause */
/* Pod records, their siblings and paths, and the end of pods that left. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/tables_int.h"

struct ep_key pod_record__key(const struct tables *t, uint16_t pod)
{
	const struct pintle_pod *record = &t->maps.pods[pod];
	struct ep_key key = { .family = record->family, .port_be = record->port_be };

	memcpy(key.addr_be, record->addr_be, sizeof(key.addr_be));
	return key;
}

/* The flags that make the record one in use are written last; no member names the pod yet. */
void pod_record__write(struct tables *t, uint16_t pod, const struct ep_key *key)
{
	struct pintle_pod *record = &t->maps.pods[pod];
	struct pintle_pod fresh = { .port_be = key->port_be, .family = key->family };
	uint32_t detail = idset__take(&t->details);

	memcpy(fresh.addr_be, key->addr_be, sizeof(fresh.addr_be));
	fresh.sum = ep_key__sum(key);
	fresh.addr_sum = ep_key__addr_sum(key);
	fresh.detail = detail == NO_ID ? 0 : (uint16_t)(detail + 1);
	fresh.nr_frontends = siblings_in_force(t, pod)->nr;
	store_words(record, &fresh, sizeof(fresh));
	store64(&t->maps.loads[pod], 0);
	store8(&record->flags, PINTLE_POD_IN_USE);
}

int pod_record__forget(struct tables *t, uint16_t pod, struct pintle_err *err)
{
	uint16_t detail = t->maps.pods[pod].detail;
	bool has_detail = detail && detail <= PINTLE_MAX_DETAIL;

	if (!t->maps.forget)
		return 0;
	return t->maps.forget(t->maps.forget_arg, pod, has_detail ? detail - 1u : TABLES_NO_DETAIL, err);
}

/* The counts go first: a record in use without an entry tells who adopts it that they may be left (tables_adopt.c). */
int pod_record__clear(struct tables *t, uint16_t pod, struct pintle_err *err)
{
	static const struct pintle_pod none;
	struct pintle_pod *record = &t->maps.pods[pod];
	int ret = pod_record__forget(t, pod, err);

	if (ret)
		return ret;
	if (record->detail)
		idset__drop(&t->details, record->detail - 1u);
	store8(&record->flags, 0);
	store_words(record, &none, sizeof(none));
	store64(&t->maps.loads[pod], 0);
	siblings__write(t, pod, &(struct pintle_sibling_set){ 0 });
	gains__drop_pod(t, pod);
	t->shadow_pods[pod] = (struct shadow_pod){ .service = NO_CFG };
	idset__drop(&t->pods, pod);
	t->locals_changed = true;
	return 0;
}

/* The caller waited since the last flip of this pod's siblings. */
void siblings__write(struct tables *t, uint16_t pod, const struct pintle_sibling_set *set)
{
	struct pintle_siblings *siblings = &t->maps.siblings[pod];
	uint32_t idle = ~load32(&siblings->active) & 1;
	uint32_t *nr_frontends = &t->maps.pods[pod].nr_frontends;

	for (uint32_t i = 0; i < set->nr; i++)
		store16(&siblings->set[idle].frontend[i], set->frontend[i]);
	for (uint32_t i = set->nr; i < PINTLE_MAX_SIBLINGS; i++) {
		if (siblings->set[idle].frontend[i])
			store16(&siblings->set[idle].frontend[i], 0);
	}
	store16(&siblings->set[idle].nr, set->nr);
	if (set->nr > load32(nr_frontends))
		store32(nr_frontends, set->nr);
	store32(&siblings->active, idle);
	if (set->nr < load32(nr_frontends))
		store32(nr_frontends, set->nr);
	t->needs_grace = true;
}

/* Pods that a flow names. */
static void scan_flows(const struct tables *t, struct idset *seen)
{
	for (uint32_t b = 0; b < t->maps.meta->nr_buckets; b++) {
		for (uint32_t i = 0; i < PINTLE_BUCKET_SLOTS; i++) {
			uint64_t state = load64(&t->maps.flows[b].slot[i].state);

			if (state & (PINTLE_FS_VALID | PINTLE_FS_BUSY))
				idset__mark(seen, (uint32_t)(state & PINTLE_FS_BACKEND_MASK));
		}
	}
}

static bool may_go(const struct tables *t, const struct idset *seen, uint32_t pod)
{
	return (t->shadow_pods[pod].flags & SP_LINGERS) && !idset__has(seen, pod);
}

/* Reverse entries first; ids and records when nobody can have found them any more. */
static int remove_unseen(struct tables *t, const struct idset *seen, struct pintle_err *err)
{
	int ret, removed = 0;

	for (uint32_t pod = idset__next_used(&t->pods, 0); pod != NO_ID; pod = idset__next_used(&t->pods, pod + 1)) {
		struct ephash *h;
		struct ep_key key;
		uint32_t slot;

		if (!may_go(t, seen, pod))
			continue;
		key = pod_record__key(t, (uint16_t)pod);
		h = &t->rev[family_index(key.family)];
		slot = ephash__find(h, &key);
		if (slot != EPHASH_NO_SLOT)
			ephash__clear(h, slot);
		removed++;
	}
	if (!removed)
		return 0;
	t->needs_grace = true;
	ret = tables__wait(t);
	if (ret)
		return pintle_err__set(err, ret, "waiting for programs to finish: %s", strerror(-ret));
	for (uint32_t pod = idset__next_used(&t->pods, 0); pod != NO_ID; pod = idset__next_used(&t->pods, pod + 1)) {
		if (!may_go(t, seen, pod))
			continue;
		ret = pod_record__clear(t, (uint16_t)pod, err);
		if (ret)
			return ret;
		t->lingering--;
	}
	return removed;
}

int tables__reap(struct tables *t, struct pintle_err *err)
{
	struct idset seen;
	int ret = 0;

	if (!t->lingering)
		return 0;
	/* a program that chose a pod before it left may still be writing the flow: only after a wait is the scan complete */
	if (t->needs_grace)
		ret = tables__wait(t);
	if (!ret)
		ret = idset__init(&seen, t->maps.meta->max_pods);
	if (ret)
		return pintle_err__set(err, ret, "removing pods that left: %s", strerror(-ret));
	scan_flows(t, &seen);
	ret = remove_unseen(t, &seen, err);
	idset__destroy(&seen);
	return ret;
}

static uint64_t mac_word(const uint8_t mac[6], uint16_t generation)
{
	uint64_t word = 0;

	memcpy(&word, mac, 6);
	return word | (uint64_t)generation << 48;
}

static bool has_path_macs(const struct pintle_pod *record, const uint8_t dmac[6], const uint8_t smac[6])
{
	uint64_t low = (1ull << 48) - 1;

	return record->dmac_gen && record->dmac_gen >> 48 == record->smac_gen >> 48 &&
	       (record->dmac_gen & low) == mac_word(dmac, 0) && (record->smac_gen & low) == mac_word(smac, 0);
}

/* Another device under valid MACs would be a wrong path: those are made unusable (generations differ) while the words change. The generation
 * lives on in the source's word while MACs are unknown. */
static void write_path(struct pintle_pod *record, uint32_t ifindex, uint32_t devmap, const uint8_t *dmac, const uint8_t *smac)
{
	static const uint8_t none[6];
	uint16_t generation = (uint16_t)((record->smac_gen >> 48) + 1);

	if (!generation)
		generation = 1;
	store64(&record->dmac_gen, dmac ? mac_word(dmac, generation) : 0);
	if (record->ifindex != ifindex)
		store32(&record->ifindex, ifindex);
	if (record->devmap != devmap)
		store32(&record->devmap, devmap);
	store64(&record->smac_gen, mac_word(dmac ? smac : none, generation));
}

void tables__set_path(struct tables *t, uint16_t pod, uint32_t ifindex, uint32_t devmap, const uint8_t dmac[6],
		      const uint8_t smac[6])
{
	struct pintle_pod *record;
	bool has_macs = dmac && smac, is_same;

	if (!idset__has(&t->pods, pod))
		return;
	record = &t->maps.pods[pod];
	is_same = has_macs ? has_path_macs(record, dmac, smac) : !record->dmac_gen;
	if (is_same && record->ifindex == ifindex && record->devmap == devmap)
		return;
	write_path(record, ifindex, devmap, has_macs ? dmac : NULL, smac);
}

void tables__set_netns(struct tables *t, uint16_t pod, int32_t nsid)
{
	uint32_t netns = nsid < 0 ? 0 : (uint32_t)nsid + 1;

	if (idset__has(&t->pods, pod) && t->maps.pods[pod].netns != netns)
		store32(&t->maps.pods[pod].netns, netns);
}

static void set_flag(struct tables *t, uint16_t pod, uint8_t flag, bool is_set)
{
	uint8_t *flags;

	if (!idset__has(&t->pods, pod))
		return;
	flags = &t->maps.pods[pod].flags;
	if (!!(*flags & flag) == is_set)
		return;
	store_bits8(flags, is_set ? flag : 0, is_set ? 0 : flag);
}

void tables__set_redirect(struct tables *t, uint16_t pod, bool allowed)
{
	set_flag(t, pod, PINTLE_POD_REDIRECT, allowed);
}

void tables__set_gone(struct tables *t, uint16_t pod, bool is_gone)
{
	set_flag(t, pod, PINTLE_POD_GONE, is_gone);
}

void tables__set_remote(struct tables *t, uint16_t pod, bool is_remote)
{
	if (!idset__has(&t->pods, pod) || !!(t->maps.pods[pod].flags & PINTLE_POD_REMOTE) == is_remote)
		return;
	set_flag(t, pod, PINTLE_POD_REMOTE, is_remote);
	t->locals_changed = true;
}

void tables__set_sampling(struct tables *t, uint16_t service, uint8_t sample_shift)
{
	struct pintle_pool *pool;

	if (!idset__has(&t->services, service))
		return;
	pool = pool_in_force(t, service);
	if (pool->sample_shift != sample_shift)
		store8(&pool->sample_shift, sample_shift);
}
