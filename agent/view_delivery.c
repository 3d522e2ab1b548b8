/* SPDX-License-Identifier: BSD-2-Clause */
/* Delivery in `status`: where packets bypass what the host's stack would do, where they do not although they should, and alarms. */
#include <stdlib.h>

#include "agent/choose.h"
#include "agent/view.h"

#define TEXT_ROWS 20u

/* Members of the pool whose packets can be redirected now. */
static uint32_t count_redirected(const struct view *view, const struct pintle_pool *pool)
{
	uint32_t nr = 0;

	for (uint32_t i = 0; i < pool->nr_members; i++) {
		uint16_t pod = choose__member(view->src.maps, pool, i)->pod;

		nr += pod < view->src.maps->meta->max_pods && view__may_redirect(view, pod);
	}
	return nr;
}

static void put_services(const struct view *view, struct out *out)
{
	uint32_t rows = 0, left_out = 0;
	char name[300];

	out__table(out, "redirect_services", "delivery by redirect");
	for (uint32_t i = 0; i < view->src.maps->meta->max_frontends; i++) {
		const struct pintle_pool *pool = view->services[i].family ? choose__pool(view->src.maps, i) : NULL;
		uint32_t redirected;

		if (!pool || !(pool->flags & PINTLE_SVC_REDIRECT))
			continue;
		if (out__format(out) == OUT_TEXT && rows == TEXT_ROWS) {
			left_out++;
			continue;
		}
		rows++;
		redirected = count_redirected(view, pool);
		view__service_name(view, i, name, sizeof(name));
		out__row(out);
		out__str(out, "service", NULL, name);
		out__u64(out, "family", NULL, view->services[i].family);
		out__u64(out, "pods", NULL, pool->nr_members);
		out__u64(out, "pods_redirected", "redirected", redirected);
		out__str(out, "bypassed", NULL, redirected ? "host netfilter, policy of the pods' veth" : NULL);
		out__end(out);
	}
	out__end(out);
	if (left_out)
		out__note(out, "%u more: pintle service list", left_out);
}

/* Pods that nothing gets to, or those that are not delivered to by redirect. */
static void put_reasons(const struct delivery_report *delivery, bool is_unreachable, struct out *out)
{
	char text[ENDPOINT_BYTES];

	if (is_unreachable)
		out__table(out, "unreachable", "unreachable pods");
	else
		out__table(out, "delivery_reasons", "not delivered by redirect");
	for (uint32_t i = 0; i < delivery->nr_reasons; i++) {
		const struct delivery_reason *reason = &delivery->reasons[i];

		if (!reason->nr_pods || reason->is_unreachable != is_unreachable)
			continue;
		endpoint__format(&reason->example, text);
		out__row(out);
		out__u64(out, "pods", NULL, reason->nr_pods);
		out__str(out, "example", NULL, text);
		out__str(out, "reason", is_unreachable ? "unreachable because" : "not redirected because", reason->text);
		out__end(out);
	}
	out__end(out);
}

static void put_alarms(const struct delivery_report *delivery, struct out *out)
{
	out__table(out, "alarms", NULL);
	for (uint32_t i = 0; i < delivery->nr_alarms; i++) {
		const struct delivery_alarm *alarm = &delivery->alarms[i];

		out__row(out);
		out__str(out, "device", NULL, alarm->device);
		out__u64(out, "ifindex", OUT_HIDDEN, alarm->ifindex);
		out__u64(out, "redirected_packets", "redirected", alarm->redirected);
		out__u64(out, "arrived_packets", "arrived", alarm->arrived);
		out__str(out, "text", "alarm", alarm->text);
		out__end(out);
	}
	out__end(out);
}

static void put_unknown(struct out *out, const char *key, const char *label)
{
	if (out__format(out) == OUT_TEXT)
		out__str(out, key, label, "unknown");
	else
		out__null(out, key, label);
}

void view__delivery(const struct view *view, struct out *out)
{
	put_services(view, out);
	if (!view->src.delivery) {
		put_unknown(out, "unreachable", "unreachable pods");
		put_unknown(out, "delivery_reasons", "not delivered by redirect");
		put_unknown(out, "alarms", NULL);
		return;
	}
	put_reasons(view->src.delivery, true, out);
	put_reasons(view->src.delivery, false, out);
	put_alarms(view->src.delivery, out);
}
