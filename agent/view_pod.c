/* SPDX-License-Identifier: BSD-2-Clause */
/* `pod list`. */
#include <errno.h>
#include <stdlib.h>

#include "agent/choose.h"
#include "agent/flowview.h"
#include "agent/view.h"

/* Words about a pod, from what the tables hold. */
static const char *pod_state(const struct view *view, uint16_t id)
{
	bool is_drained = view->src.maps->pods[id].flags & PINTLE_POD_DRAIN;

	if (view__is_unreachable(view, id))
		return "unreachable";
	if (view__takes_new_flows(view, id))
		return is_drained ? "to drain" : "active";
	return is_drained ? "drained" : "no new flows";
}

/* Does any service that it serves ask for redirect? A pod that serves none has no wish left to look at. */
static bool pod_wants_redirect(const struct view *view, uint16_t id)
{
	if (!view->pods[id].services)
		return view->src.maps->pods[id].flags & PINTLE_POD_REDIRECT;
	return view->pods[id].wants_redirect;
}

/* As the process that keeps the paths left it. */
static const char *pod_delivery_reason(const struct view *view, uint16_t id)
{
	bool wants = pod_wants_redirect(view, id);
	const char *reason;
	struct endpoint e;

	if ((wants && view__may_redirect(view, id)) || !flowview__pod(view->src.maps, id, &e))
		return NULL;
	reason = delivery__reason(view->src.delivery, &e);
	return reason || !wants ? reason : "reason unknown";
}

static void put_services(const struct view *view, uint16_t id, struct out *out)
{
	char name[300];

	if (!view->pods[id].services) {
		out__null(out, "service", NULL);
		out__u64(out, "services", OUT_HIDDEN, 0);
		return;
	}
	view__service_name(view, view->pods[id].first_service, name, sizeof(name));
	out__str(out, "service", NULL, name);
	out__u64(out, "services", OUT_HIDDEN, view->pods[id].services);
}

static void put_quantile(struct out *out, const char *key, const char *label, const struct pintle_pod_stats *stats, double q)
{
	uint64_t ns;

	if (stats && view__quantile_ns(stats->latency_hist, q, &ns))
		out__ns(out, key, label, ns);
	else
		out__null(out, key, label);
}

static void put_counters(const struct view *view, uint16_t id, struct out *out)
{
	const struct pintle_pod *pod = &view->src.maps->pods[id];
	struct pintle_pod_stats sums, *stats = NULL;
	struct pintle_traffic traffic;

	if (!view->src.traffic(view->src.arg, id, &traffic)) {
		out__u64(out, "packets", NULL, traffic.packets);
		out__bytes(out, "bytes", NULL, traffic.bytes);
		out__u64(out, "flows_total", OUT_HIDDEN, traffic.flows);
	} else {
		out__null(out, "packets", NULL);
		out__null(out, "bytes", NULL);
		out__null(out, "flows_total", OUT_HIDDEN);
	}
	if (pod->detail && !view->src.pod_stats(view->src.arg, pod->detail - 1u, &sums))
		stats = &sums;
	put_quantile(out, "latency_p50_ns", "p50", stats, 0.5);
	put_quantile(out, "latency_p99_ns", "p99", stats, 0.99);
	if (!stats)
		return;
	out__u64(out, "requests_total", OUT_HIDDEN, stats->first_bytes);
	out__u64(out, "aborted_total", OUT_HIDDEN, stats->aborted);
	out__u64(out, "resets_total", OUT_HIDDEN, stats->resets);
	out__u64(out, "refused_total", OUT_HIDDEN, stats->refused);
	out__u64(out, "redirected_packets", OUT_HIDDEN, stats->redirected);
	out__u64(out, "reverse_packets", OUT_HIDDEN, stats->rev_packets);
	out__u64(out, "reverse_bytes", OUT_HIDDEN, stats->rev_bytes);
	out__u64(out, "latency_count", OUT_HIDDEN, stats->latency_count);
	out__u64(out, "latency_sum_ns", OUT_HIDDEN, stats->latency_ns);
	out__u64(out, "handshake_count", OUT_HIDDEN, stats->handshake_count);
	out__u64(out, "handshake_sum_ns", OUT_HIDDEN, stats->handshake_ns);
}

static void put_delivery(const struct view *view, uint16_t id, struct out *out)
{
	const struct pintle_pod *pod = &view->src.maps->pods[id];
	const char *reason = pod_delivery_reason(view, id);
	bool is_redirect = pod_wants_redirect(view, id) && view__may_redirect(view, id);

	out__str(out, "delivery", OUT_HIDDEN, is_redirect ? "redirect" : "pass");
	out__str(out, "delivery_reason", OUT_HIDDEN, reason);
	if (out__format(out) == OUT_TEXT)
		out__fmt(out, "delivery_text", "delivery", "%s%s%s%s", is_redirect ? "redirect" : "pass", reason ? " (" : "",
			 reason ? reason : "", reason ? ")" : "");
	out__u64(out, "ifindex", OUT_HIDDEN, pod->ifindex);
}

static void put_pod(const struct view *view, uint16_t id, struct out *out)
{
	const struct pintle_load *load = &view->src.maps->loads[id];
	const struct pintle_member *m;
	char text[ENDPOINT_BYTES] = "?";
	struct endpoint e;

	if (flowview__pod(view->src.maps, id, &e))
		endpoint__format(&e, text);
	out__row(out);
	out__str(out, "pod", NULL, text);
	out__u64(out, "id", OUT_HIDDEN, id);
	put_services(view, id, out);
	out__str(out, "state", NULL, pod_state(view, id));
	out__bool(out, "takes_new_flows", OUT_HIDDEN, view__takes_new_flows(view, id));
	out__i64(out, "awaiting", NULL, __atomic_load_n(&load->awaiting, __ATOMIC_RELAXED));
	out__i64(out, "open_flows", "open", __atomic_load_n(&load->open, __ATOMIC_RELAXED));
	m = view__membership(view, id);
	if (m)
		view__put_gain(m->gain_q8, out);
	else
		out__null(out, "gain_ns", "gain");
	put_counters(view, id, out);
	put_delivery(view, id, out);
	out__end(out);
}

/* Pods that are members of the wanted services. */
static void mark_pods(const struct view *view, const bool *services, bool *pods)
{
	const struct table_maps *maps = view->src.maps;
	uint32_t service, i;

	for (service = 0; service < maps->meta->max_frontends; service++) {
		const struct pintle_pool *pool = services[service] ? choose__pool(maps, service) : NULL;

		for (i = 0; pool && i < pool->nr_members; i++) {
			uint16_t pod = choose__member(maps, pool, i)->pod;

			if (pod < maps->meta->max_pods)
				pods[pod] = true;
		}
	}
}

int view__pod_list(const struct view *view, const char *service, struct out *out, struct pintle_err *err)
{
	const struct table_maps *maps = view->src.maps;
	bool *services = calloc(maps->meta->max_frontends + 1u, sizeof(*services));
	bool *pods = calloc(maps->meta->max_pods + 1u, sizeof(*pods));
	int error = services && pods ? 0 : pintle_err__set(err, -ENOMEM, "out of memory");
	uint32_t id;

	if (!error && service)
		error = view__find_service(view, service, services, err);
	if (!error && service)
		mark_pods(view, services, pods);
	if (!error) {
		out__table(out, "pods", NULL);
		for (id = 0; id < maps->meta->max_pods; id++) {
			if (maps->pods[id].flags & PINTLE_POD_IN_USE && (!service || pods[id]))
				put_pod(view, (uint16_t)id, out);
		}
		out__end(out);
	}
	free(services);
	free(pods);
	return error;
}
