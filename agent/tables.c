/* SPDX-License-Identifier: BSD-2-Clause */
/* Opening, closing and asking; see tables_plan.c and tables_apply.c for changing. */
#include "agent/tables.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/tables_int.h"

int tables__wait(struct tables *t)
{
	int ret = t->grace(t->grace_arg);

	if (ret)
		return ret;
	t->needs_grace = false;
	t->idle_half_busy = false;
	return 0;
}

int tables__wait_arg(void *t)
{
	return tables__wait(t);
}

static bool is_power_of_two(uint32_t n)
{
	return n && !(n & (n - 1));
}

static int check_meta(const struct pintle_meta *meta, struct pintle_err *err)
{
	if (!is_power_of_two(meta->nr_buckets) || !is_power_of_two(meta->nr_vip4_buckets) ||
	    !is_power_of_two(meta->nr_vip6_buckets) || !is_power_of_two(meta->nr_rev4_buckets) ||
	    !is_power_of_two(meta->nr_rev6_buckets))
		return pintle_err__set(err, -EINVAL, "maps: a hash table's size is not a power of two");
	if (!meta->max_frontends || meta->max_frontends > PINTLE_MAX_FRONTENDS || !meta->max_pods ||
	    meta->max_pods > PINTLE_MAX_PODS || !meta->member_lines || !meta->pick_lines)
		return pintle_err__set(err, -EINVAL, "maps: %u frontends, %u pods, %u member and %u pick lines cannot be",
				       meta->max_frontends, meta->max_pods, meta->member_lines, meta->pick_lines);
	if (!meta->hz || meta->fine_shift > 31 || meta->coarse_shift > 31)
		return pintle_err__set(err, -EINVAL, "maps: %u jiffies per second with shifts %u and %u cannot be", meta->hz,
				       meta->fine_shift, meta->coarse_shift);
	return 0;
}

static int allocate(struct tables *t)
{
	const struct pintle_meta *meta = t->maps.meta;

	if (idset__init(&t->frontends, meta->max_frontends) || idset__init(&t->services, t->max_services) ||
	    idset__init(&t->pods, meta->max_pods) || idset__init(&t->details, PINTLE_MAX_DETAIL) ||
	    lines__init(&t->members, meta->member_lines) || lines__init(&t->picks, meta->pick_lines))
		return -ENOMEM;
	t->shadow_services = calloc(t->max_services, sizeof(*t->shadow_services));
	t->shadow_pods = calloc(meta->max_pods, sizeof(*t->shadow_pods));
	t->by_name = calloc(t->max_services, sizeof(*t->by_name));
	t->staged.pods = calloc(meta->max_pods, sizeof(*t->staged.pods));
	t->unsettled.pods = calloc(meta->max_pods, sizeof(*t->unsettled.pods));
	t->place_of_pod = calloc((size_t)meta->max_pods + 1, sizeof(*t->place_of_pod));
	if (!t->shadow_services || !t->shadow_pods || !t->by_name || !t->staged.pods || !t->unsettled.pods || !t->place_of_pod)
		return -ENOMEM;
	for (uint32_t i = 0; i < meta->max_pods; i++)
		t->shadow_pods[i].service = NO_CFG;
	return 0;
}

int tables__open(const struct table_maps *maps, tables_grace_fn grace, void *grace_arg, struct tables **ret_tables,
		 struct pintle_err *err)
{
	const struct pintle_meta *meta = maps->meta;
	struct tables *t;
	int ret = check_meta(meta, err);

	if (ret)
		return ret;
	t = calloc(1, sizeof(*t));
	if (!t)
		return pintle_err__set(err, -ENOMEM, "tables: out of memory");
	t->maps = *maps;
	t->grace = grace;
	t->grace_arg = grace_arg;
	t->max_services = meta->max_frontends < PINTLE_MAX_SERVICES ? meta->max_frontends : PINTLE_MAX_SERVICES;
	ephash__init(&t->vip[0], maps->vip4, meta->nr_vip4_buckets, 4, meta->seed);
	ephash__init(&t->vip[1], maps->vip6, meta->nr_vip6_buckets, 6, meta->seed);
	ephash__init(&t->rev[0], maps->rev4, meta->nr_rev4_buckets, 4, meta->seed);
	ephash__init(&t->rev[1], maps->rev6, meta->nr_rev6_buckets, 6, meta->seed);
	ret = allocate(t);
	if (ret)
		pintle_err__set(err, ret, "tables: out of memory for %u pods", meta->max_pods);
	else
		ret = tables__adopt(t, err);
	if (ret) {
		tables__close(t);
		return ret;
	}
	*ret_tables = t;
	return 0;
}

void tables__close(struct tables *t)
{
	if (!t)
		return;
	idset__destroy(&t->frontends);
	idset__destroy(&t->services);
	idset__destroy(&t->pods);
	idset__destroy(&t->details);
	lines__destroy(&t->members);
	lines__destroy(&t->picks);
	free(t->shadow_services);
	free(t->shadow_pods);
	free(t->by_name);
	free(t->staged.pods);
	free(t->unsettled.pods);
	free(t->place_of_pod);
	free(t->places);
	tables__forget_ids(t);
	free(t);
}

void tables__forget_ids(struct tables *t)
{
	free(t->cfg_first_pod);
	free(t->cfg_pod_ids);
	t->cfg_first_pod = t->cfg_pod_ids = NULL;
}

int tables__configured_pod(const struct tables *t, size_t service, size_t pod, uint16_t *ret_pod)
{
	uint32_t id;

	if (!t->cfg_pod_ids || service >= t->config->nr_services || pod >= t->config->services[service].nr_pods)
		return -ENOENT;
	id = t->cfg_pod_ids[t->cfg_first_pod[service] + pod];
	if (id == NO_ID)
		return -ENOENT;
	*ret_pod = (uint16_t)id;
	return 0;
}

static int find_endpoint(const struct ephash *h, const struct ep_key *key, struct ep_entry *ret_entry)
{
	uint32_t slot = ephash__find(h, key);

	return slot != EPHASH_NO_SLOT && ephash__get(h, slot, ret_entry) ? 0 : -ENOENT;
}

static void init_ephash(const struct table_maps *maps, bool is_rev, uint8_t family, struct ephash *h)
{
	const struct pintle_meta *meta = maps->meta;

	if (family == 4)
		ephash__init(h, is_rev ? maps->rev4 : maps->vip4, is_rev ? meta->nr_rev4_buckets : meta->nr_vip4_buckets, 4,
			     meta->seed);
	else
		ephash__init(h, is_rev ? maps->rev6 : maps->vip6, is_rev ? meta->nr_rev6_buckets : meta->nr_vip6_buckets, 6,
			     meta->seed);
}

int table_maps__find_pod(const struct table_maps *maps, const struct ip_addr *addr, uint16_t port, uint16_t *ret_pod)
{
	struct ephash h;
	struct ep_entry entry;
	struct ep_key key;

	init_ephash(maps, true, addr->family, &h);
	ep_key__make(&key, addr, port, 0);
	if (find_endpoint(&h, &key, &entry) || entry.id >= maps->meta->max_pods)
		return -ENOENT;
	*ret_pod = entry.id;
	return 0;
}

int table_maps__find_frontend(const struct table_maps *maps, const struct ip_addr *addr, uint8_t proto, uint16_t port,
			      uint16_t *ret_frontend, uint16_t *ret_service)
{
	struct ephash h;
	struct ep_entry entry;
	struct ep_key key;

	init_ephash(maps, false, addr->family, &h);
	ep_key__make(&key, addr, port, proto);
	if (!port || find_endpoint(&h, &key, &entry) || entry.id >= maps->meta->max_frontends)
		return -ENOENT;
	*ret_frontend = entry.id;
	*ret_service = entry.service;
	return 0;
}

int tables__pod_by_addr(const struct tables *t, const struct ip_addr *addr, uint16_t port, uint16_t *ret_pod)
{
	return table_maps__find_pod(&t->maps, addr, port, ret_pod);
}

int tables__pod_ref(const struct tables *t, uint16_t pod, struct pod_ref *ret)
{
	const struct shadow_pod *shadow;

	if (!idset__has(&t->pods, pod))
		return -ENOENT;
	shadow = &t->shadow_pods[pod];
	ret->pod = pod;
	ret->cfg = NULL;
	ret->service = NULL;
	if (t->config && shadow->service != NO_CFG) {
		ret->cfg = &t->config->services[shadow->service].pods[shadow->index];
		ret->service = t->config->services[shadow->service].name;
	}
	return 0;
}

int tables__next_pod(const struct tables *t, uint32_t from, uint16_t *ret_pod)
{
	uint32_t pod = from < t->pods.nr ? idset__next_used(&t->pods, from) : NO_ID;

	if (pod == NO_ID)
		return -ENOENT;
	*ret_pod = (uint16_t)pod;
	return 0;
}

const char *tables__service_name(const struct tables *t, uint16_t service)
{
	if (!idset__has(&t->services, service) || !t->shadow_services[service].cfg)
		return NULL;
	return t->shadow_services[service].cfg->name;
}

int tables__service_ids(const struct tables *t, const char *name, int family, uint16_t *ret_service)
{
	uint32_t low = 0, high = t->nr_by_name;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		const struct shadow_service *s = &t->shadow_services[t->by_name[middle]];
		int order = strcmp(s->cfg->name, name);

		if (!order)
			order = (int)s->family - family;
		if (!order) {
			*ret_service = t->by_name[middle];
			return 0;
		}
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return -ENOENT;
}

uint32_t tables__lingering(const struct tables *t)
{
	return t->lingering;
}
