/* SPDX-License-Identifier: BSD-2-Clause */
#include "agent/view.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/choose.h"
#include "agent/flowview.h"
#include "agent/nearest.h"
#include "agent/opt.h"

static void view__add_frontends(struct view *view)
{
	const struct table_maps *maps = view->src.maps;
	struct endpoint e;
	uint32_t id;

	for (id = 0; id < maps->meta->max_frontends; id++) {
		uint32_t service = maps->frontends[id].service;
		struct view_service *s;

		if (!flowview__frontend(maps, (uint16_t)id, &e) || service >= maps->meta->max_frontends)
			continue;
		s = &view->services[service];
		if (!s->nr_frontends++) {
			s->first_frontend = (uint16_t)id;
			s->family = e.addr.family;
		}
		if (!s->name)
			s->name = names__of_frontend(view->src.names, &e.addr, e.proto, e.port, &s->slo_ms);
	}
}

static void view__add_members(struct view *view)
{
	const struct table_maps *maps = view->src.maps;
	uint32_t service, i;

	for (service = 0; service < maps->meta->max_frontends; service++) {
		const struct pintle_pool *pool = choose__pool(maps, service);

		for (i = 0; pool && i < pool->nr_members; i++) {
			uint16_t pod = choose__member(maps, pool, i)->pod;

			if (pod >= maps->meta->max_pods)
				continue;
			view->pods[pod].wants_redirect |= (pool->flags & PINTLE_SVC_REDIRECT) != 0;
			if (!view->pods[pod].services++) {
				view->pods[pod].first_service = (uint16_t)service;
				view->pods[pod].first_member = (uint16_t)i;
			}
		}
	}
}

bool view__is_unreachable(const struct view *view, uint16_t pod)
{
	struct endpoint e;

	if (__atomic_load_n(&view->src.maps->pods[pod].flags, __ATOMIC_RELAXED) & PINTLE_POD_GONE)
		return true;
	return flowview__pod(view->src.maps, pod, &e) && delivery__is_unreachable(view->src.delivery, &e);
}

/* The service that sibling `index` of a pod belongs to; UINT32_MAX: none. */
static uint32_t sibling_service(const struct table_maps *maps, const struct pintle_sibling_set *set, uint32_t index)
{
	uint16_t id = set->frontend[index];

	if (id >= maps->meta->max_frontends || !maps->frontends[id].family ||
	    maps->frontends[id].service >= maps->meta->max_frontends)
		return UINT32_MAX;
	return maps->frontends[id].service;
}

static const struct pintle_sibling_set *siblings_of(const struct view *view, uint16_t pod, uint32_t *ret_nr)
{
	const struct pintle_siblings *siblings = &view->src.maps->siblings[pod];
	const struct pintle_sibling_set *set = &siblings->set[__atomic_load_n(&siblings->active, __ATOMIC_RELAXED) & 1];

	*ret_nr = set->nr < PINTLE_MAX_SIBLINGS ? set->nr : PINTLE_MAX_SIBLINGS;
	return set;
}

bool view__leads_to(const struct view *view, uint32_t service, uint16_t pod)
{
	uint32_t nr, i;
	const struct pintle_sibling_set *set = siblings_of(view, pod, &nr);

	for (i = 0; i < nr; i++) {
		if (sibling_service(view->src.maps, set, i) == service)
			return true;
	}
	return false;
}

static void view__count_unreachable(struct view *view)
{
	const struct table_maps *maps = view->src.maps;
	uint32_t id, nr, i, k;

	for (id = 0; id < maps->meta->max_pods; id++) {
		const struct pintle_sibling_set *set = siblings_of(view, (uint16_t)id, &nr);

		if (!(maps->pods[id].flags & PINTLE_POD_IN_USE) || !view__is_unreachable(view, (uint16_t)id))
			continue;
		for (i = 0; i < nr; i++) {
			uint32_t service = sibling_service(maps, set, i);

			for (k = 0; k < i && sibling_service(maps, set, k) != service; k++)
				;
			if (k == i && service != UINT32_MAX)
				view->services[service].unreachable++;
		}
	}
}

int view__open(const struct view_source *src, struct view *ret_view, struct pintle_err *err)
{
	struct view view = { .src = *src };

	view.services = calloc(src->maps->meta->max_frontends + 1u, sizeof(*view.services));
	view.pods = calloc(src->maps->meta->max_pods + 1u, sizeof(*view.pods));
	if (!view.services || !view.pods) {
		view__close(&view);
		return pintle_err__set(err, -ENOMEM, "out of memory");
	}
	view__add_frontends(&view);
	view__add_members(&view);
	view__count_unreachable(&view);
	*ret_view = view;
	return 0;
}

void view__close(struct view *view)
{
	free(view->services);
	free(view->pods);
}

void view__service_name(const struct view *view, uint32_t service, char *out, size_t out_bytes)
{
	const char *name = service < view->src.maps->meta->max_frontends ? view->services[service].name : NULL;

	if (name)
		snprintf(out, out_bytes, "%s", name);
	else
		snprintf(out, out_bytes, "service %u", service);
}

bool view__agent_alive(const struct view *view)
{
	uint64_t beat_ns = __atomic_load_n(&view->src.maps->ctl->heartbeat_ns, __ATOMIC_RELAXED);

	return beat_ns && (beat_ns >= view->src.mono_ns || view->src.mono_ns - beat_ns < VIEW_AGENT_ALIVE_NS);
}

/* ---- finding ---- */

static bool view__mark_name(const struct view *view, const char *text, bool *wanted)
{
	uint32_t nr = view->src.maps->meta->max_frontends, i;
	bool found = false;

	for (i = 0; i < nr; i++) {
		if (view->services[i].name && !strcmp(view->services[i].name, text))
			found = wanted[i] = true;
	}
	return found;
}

int view__find_service(const struct view *view, const char *text, bool *wanted, struct pintle_err *err)
{
	uint32_t nr = view->src.maps->meta->max_frontends, i;
	struct endpoint e;
	struct nearest nearest;
	uint16_t frontend, service;
	uint64_t id;

	if (view__mark_name(view, text, wanted))
		return 0;
	if (!opt__u64(text, &id) && id < nr && view->services[id].family) {
		wanted[id] = true;
		return 0;
	}
	if (!endpoint__parse(text, true, &e, NULL) &&
	    !table_maps__find_frontend(view->src.maps, &e.addr, e.proto, e.port, &frontend, &service) && service < nr) {
		wanted[service] = true;
		return 0;
	}
	nearest__init(&nearest, text);
	for (i = 0; i < nr; i++) {
		if (view->services[i].name)
			nearest__offer(&nearest, view->services[i].name);
	}
	if (nearest.best)
		return pintle_err__set(err, -ENOENT, "no service \"%.128s\"; did you mean \"%s\"?", text, nearest.best);
	return pintle_err__set(err, -ENOENT, "no service \"%.128s\"; `pintle service list` shows those in force%s", text,
			       view->src.names ? "" : " (names are not known here: give an id or VIP:PORT/PROTO)");
}

int view__find_pod(const struct view *view, const char *text, uint16_t *ret_pod, struct pintle_err *err)
{
	struct endpoint e;
	int error = endpoint__parse(text, false, &e, err);

	if (error)
		return error;
	if (table_maps__find_pod(view->src.maps, &e.addr, e.port, ret_pod))
		return pintle_err__set(err, -ENOENT, "no pod %s; `pintle pod list` shows those in force", text);
	return 0;
}

bool view__takes_new_flows(const struct view *view, uint16_t pod)
{
	return view->pods[pod].services != 0;
}

bool view__may_redirect(const struct view *view, uint16_t id)
{
	const struct pintle_pod *pod = &view->src.maps->pods[id];
	uint64_t dmac_gen = __atomic_load_n(&pod->dmac_gen, __ATOMIC_RELAXED),
		 smac_gen = __atomic_load_n(&pod->smac_gen, __ATOMIC_RELAXED);

	return (__atomic_load_n(&pod->flags, __ATOMIC_RELAXED) & PINTLE_POD_REDIRECT) && pod->ifindex && dmac_gen && smac_gen &&
	       dmac_gen >> 48 == smac_gen >> 48;
}

const struct pintle_member *view__membership(const struct view *view, uint16_t pod)
{
	const struct pintle_pool *pool;
	const struct pintle_member *m;

	if (!view->pods[pod].services)
		return NULL;
	pool = choose__pool(view->src.maps, view->pods[pod].first_service);
	if (!pool || view->pods[pod].first_member >= pool->nr_members)
		return NULL;
	m = choose__member(view->src.maps, pool, view->pods[pod].first_member);
	return m->pod == pod ? m : NULL; /* another: a configuration came meanwhile */
}

uint64_t view__gain_ns(int16_t gain_q8)
{
	return (uint64_t)(exp2(gain_q8 / 256.0) * 1000);
}

void view__put_gain(int16_t gain_q8, struct out *out)
{
	if (gain_q8)
		out__ns(out, "gain_ns", "gain", view__gain_ns(gain_q8));
	else
		out__null(out, "gain_ns", "gain");
}

bool view__quantile_ns(const uint32_t hist[PINTLE_HIST_BUCKETS], double q, uint64_t *ret_ns)
{
	uint64_t total = 0, seen = 0;
	double rank;
	unsigned int i;

	for (i = 0; i < PINTLE_HIST_BUCKETS; i++)
		total += hist[i];
	if (!total)
		return false;
	rank = q * (double)total;
	for (i = 0; i < PINTLE_HIST_BUCKETS; i++) {
		double low_us = i ? (double)(1ull << i) : 0, high_us = (double)(2ull << i);

		if (hist[i] && (double)(seen + hist[i]) >= rank) {
			*ret_ns = (uint64_t)((low_us + (high_us - low_us) * (rank - (double)seen) / hist[i]) * 1000);
			return true;
		}
		seen += hist[i];
	}
	*ret_ns = (uint64_t)((double)(2ull << (PINTLE_HIST_BUCKETS - 1)) * 1000);
	return true;
}
