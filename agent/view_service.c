/* SPDX-License-Identifier: BSD-2-Clause */
/* `service list` and `service show`. */
#include <errno.h>
#include <stdlib.h>

#include "agent/choose.h"
#include "agent/flowview.h"
#include "agent/view.h"
#include "pintle/score.h"

static void put_frontends(const struct view *view, uint32_t service, struct out *out)
{
	const struct table_maps *maps = view->src.maps;
	char text[ENDPOINT_BYTES];
	struct endpoint e;
	uint32_t id = view->services[service].first_frontend, left = view->services[service].nr_frontends;

	out__list(out, "frontends", NULL);
	for (; left && id < maps->meta->max_frontends; id++) {
		if (maps->frontends[id].service != service || !flowview__frontend(maps, (uint16_t)id, &e))
			continue;
		endpoint__format(&e, text);
		out__str(out, NULL, NULL, text);
		left--;
	}
	out__end(out);
}

static void put_pool(const struct view *view, uint32_t service, const struct pintle_pool *pool, struct out *out)
{
	struct view_sums sums = view__service_sums(view, service);
	double share;

	out__u64(out, "id", NULL, service);
	out__u64(out, "family", OUT_HIDDEN, view->services[service].family);
	put_frontends(view, service, out);
	out__str(out, "policy", NULL, policy_name(pool->policy));
	out__str(out, "delivery", NULL, pool->flags & PINTLE_SVC_REDIRECT ? "redirect" : "pass");
	out__str(out, "load", NULL, pool->flags & PINTLE_SVC_LOAD_OPEN ? "open" : "awaiting");
	out__u64(out, "pods", NULL, sums.pods);
	out__u64(out, "unreachable", NULL, view->services[service].unreachable);
	out__i64(out, "awaiting", NULL, sums.awaiting);
	out__i64(out, "open_flows", "open", sums.open);
	if (view->services[service].slo_ms)
		out__ns(out, "slo_ns", "slo", view->services[service].slo_ms * 1000000ull);
	else
		out__null(out, "slo_ns", "slo");
	if (view__slo_share(view, service, &share))
		out__double(out, "within_slo_percent", "within %", 100 * share, 2);
	else
		out__null(out, "within_slo_percent", "within %");
}

void view__service_list(const struct view *view, struct out *out)
{
	char name[300];
	uint32_t i;

	out__table(out, "services", NULL);
	for (i = 0; i < view->src.maps->meta->max_frontends; i++) {
		const struct pintle_pool *pool = view->services[i].family ? choose__pool(view->src.maps, i) : NULL;

		if (!pool)
			continue;
		out__row(out);
		view__service_name(view, i, name, sizeof(name));
		out__str(out, "name", NULL, name);
		put_pool(view, i, pool, out);
		out__end(out);
	}
	out__end(out);
	if (!view->src.names)
		out__note(out, "service names are not known here: no names file in the run directory");
}

static void put_member(const struct view *view, const struct pintle_pool *pool, uint32_t index, struct out *out)
{
	const struct table_maps *maps = view->src.maps;
	const struct pintle_member *m = choose__member(maps, pool, index);
	int32_t load = choose__load(maps, pool, m->pod);
	struct pintle_load none = { 0 }, *loads = m->pod < maps->meta->max_pods ? &maps->loads[m->pod] : &none;
	char text[ENDPOINT_BYTES] = "?";
	struct endpoint e;

	if (flowview__pod(maps, m->pod, &e))
		endpoint__format(&e, text);
	out__row(out);
	out__str(out, "pod", NULL, text);
	out__i64(out, "awaiting", NULL, __atomic_load_n(&loads->awaiting, __ATOMIC_RELAXED));
	out__i64(out, "open_flows", "open", __atomic_load_n(&loads->open, __ATOMIC_RELAXED));
	out__u64(out, "concurrency", NULL, m->concurrency);
	view__put_gain(m->gain_q8, out);
	if (pool->policy == PINTLE_POLICY_SCORE)
		out__double(out, "score", NULL, pintle_score_q8(m, load, maps->ctl->psi_q8) / 256.0, 2);
	else
		out__null(out, "score", NULL);
	out__end(out);
}

/* Members or not: one whose device is gone is none. */
static void put_unreachable(const struct view *view, uint32_t service, struct out *out)
{
	const struct table_maps *maps = view->src.maps;
	char text[ENDPOINT_BYTES];
	struct endpoint e;
	uint32_t id;

	if (out__format(out) == OUT_TEXT && !view->services[service].unreachable)
		return;
	out__table(out, "unreachable_pods", NULL);
	for (id = 0; view->services[service].unreachable && id < maps->meta->max_pods; id++) {
		if (!flowview__pod(maps, (uint16_t)id, &e) || !view__leads_to(view, service, (uint16_t)id) ||
		    !view__is_unreachable(view, (uint16_t)id))
			continue;
		endpoint__format(&e, text);
		out__row(out);
		out__str(out, "pod", "unreachable", text);
		out__bool(out, "takes_new_flows", "new flows", view__takes_new_flows(view, (uint16_t)id));
		out__str(out, "reason", NULL, delivery__reason(view->src.delivery, &e));
		out__end(out);
	}
	out__end(out);
}

static void put_service(const struct view *view, uint32_t service, const char *name, struct out *out)
{
	const struct pintle_pool *pool = choose__pool(view->src.maps, service);
	uint32_t i;

	out__record(out, view->services[service].family == 6 ? "ipv6" : "ipv4",
		    view->services[service].family == 6 ? "IPv6" : "IPv4");
	out__str(out, "name", NULL, name);
	put_pool(view, service, pool, out);
	out__u64(out, "generation", NULL, pool->generation);
	out__fmt(out, "timed_flows", "timed flows", "1 of %u", 1u << (pool->sample_shift & 31));
	if (pool->nr_picks)
		out__u64(out, "picks", NULL, pool->nr_picks);
	out__table(out, "members", NULL);
	for (i = 0; i < pool->nr_members; i++)
		put_member(view, pool, i, out);
	out__end(out);
	put_unreachable(view, service, out);
	out__end(out);
}

int view__service_show(const struct view *view, const char *text, struct out *out, struct pintle_err *err)
{
	uint32_t nr = view->src.maps->meta->max_frontends, i;
	bool *wanted = calloc(nr + 1u, sizeof(*wanted));
	char name[300];
	int error;

	if (!wanted)
		return pintle_err__set(err, -ENOMEM, "out of memory");
	error = view__find_service(view, text, wanted, err);
	if (!error) {
		out__record(out, NULL, NULL);
		for (i = 0; i < nr; i++) {
			if (!wanted[i] || !choose__pool(view->src.maps, i))
				continue;
			view__service_name(view, i, name, sizeof(name));
			put_service(view, i, name, out);
		}
		out__end(out);
	}
	free(wanted);
	return error;
}
