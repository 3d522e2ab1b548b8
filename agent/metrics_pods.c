/* SPDX-License-Identifier: BSD-2-Clause */
#include "agent/metrics_pods.h"

#include <errno.h>
#include <stdlib.h>

#include "agent/endpoint.h"
#include "agent/flowview.h"

struct metrics_pod {
	uint16_t id;
	bool has_traffic, has_stats;
	struct pintle_traffic traffic;
	struct pintle_pod_stats stats;
	char name[ENDPOINT_BYTES];
	char service[300];
};

static void read_pod(const struct view *view, uint16_t id, const struct endpoint *e, struct metrics_pod *ret_pod)
{
	uint16_t detail = view->src.maps->pods[id].detail;

	ret_pod->id = id;
	endpoint__format(e, ret_pod->name);
	if (view->pods[id].services)
		view__service_name(view, view->pods[id].first_service, ret_pod->service, sizeof(ret_pod->service));
	ret_pod->has_traffic = !view->src.traffic(view->src.arg, id, &ret_pod->traffic);
	ret_pod->has_stats = detail && !view->src.pod_stats(view->src.arg, detail - 1u, &ret_pod->stats);
}

int metrics_pods__read(struct metrics_pods *ret_pods, const struct view *view, uint32_t max)
{
	const struct table_maps *maps = view->src.maps;
	uint32_t room = max < maps->meta->max_pods ? max : maps->meta->max_pods;
	struct endpoint e;

	*ret_pods = (struct metrics_pods){ .view = view, .list = calloc(room + 1u, sizeof(*ret_pods->list)) };
	if (!ret_pods->list)
		return -ENOMEM;
	for (uint32_t id = 0; id < maps->meta->max_pods; id++) {
		if (!(maps->pods[id].flags & PINTLE_POD_IN_USE) || !flowview__pod(maps, (uint16_t)id, &e))
			continue;
		if (ret_pods->nr < room)
			read_pod(view, (uint16_t)id, &e, &ret_pods->list[ret_pods->nr++]);
		else
			ret_pods->left_out++;
	}
	return 0;
}

void metrics_pods__free(struct metrics_pods *pods)
{
	free(pods->list);
}

/* What the tables say of it now. */
static void put_state(struct metrics_text *t, const struct view *view, const struct metrics_pod *pod, const char *const *labels)
{
	const struct pintle_load *load = &view->src.maps->loads[pod->id];
	const struct pintle_member *m;

	switch (t->metric) {
	case PINTLE_M_POD_UP:
		metrics_text__u64(t, labels, !view__is_unreachable(view, pod->id));
		break;
	case PINTLE_M_POD_NEW_FLOWS:
		metrics_text__u64(t, labels, view__takes_new_flows(view, pod->id));
		break;
	case PINTLE_M_POD_AWAITING:
		metrics_text__i64(t, labels, __atomic_load_n(&load->awaiting, __ATOMIC_RELAXED));
		break;
	case PINTLE_M_POD_OPEN:
		metrics_text__i64(t, labels, __atomic_load_n(&load->open, __ATOMIC_RELAXED));
		break;
	default:
		m = view__membership(view, pod->id);
		if (m && m->gain_q8)
			metrics_text__seconds(t, labels, view__gain_ns(m->gain_q8));
		break;
	}
}

static void put_two(struct metrics_text *t, const char **labels, const char *first, uint64_t first_value, const char *second,
		    uint64_t second_value)
{
	labels[2] = first;
	metrics_text__u64(t, labels, first_value);
	labels[2] = second;
	metrics_text__u64(t, labels, second_value);
}

/* labels[2] is for a third label. */
static void put_counters(struct metrics_text *t, const struct metrics_pod *pod, const char **labels)
{
	const struct pintle_pod_stats *stats = &pod->stats;

	switch (t->metric) {
	case PINTLE_M_POD_REDIRECTED:
		metrics_text__u64(t, labels, stats->redirected);
		break;
	case PINTLE_M_POD_REQUESTS:
		put_two(t, labels, "answered", stats->first_bytes, "aborted", stats->aborted);
		break;
	case PINTLE_M_POD_FAILURES:
		put_two(t, labels, "reset", stats->resets, "refused", stats->refused);
		break;
	case PINTLE_M_POD_LATENCY:
		metrics_text__histogram(t, labels, stats->latency_hist, stats->latency_ns);
		break;
	case PINTLE_M_POD_HANDSHAKE:
		metrics_text__histogram(t, labels, stats->handshake_hist, stats->handshake_ns);
		break;
	default:
		break;
	}
}

static void put_traffic(struct metrics_text *t, const struct metrics_pod *pod, const char **labels)
{
	bool is_bytes = t->metric == PINTLE_M_POD_BYTES;

	if (t->metric == PINTLE_M_POD_FLOWS) {
		if (pod->has_traffic)
			metrics_text__u64(t, labels, pod->traffic.flows);
		return;
	}
	labels[2] = "forward";
	if (pod->has_traffic)
		metrics_text__u64(t, labels, is_bytes ? pod->traffic.bytes : pod->traffic.packets);
	labels[2] = "reverse";
	if (pod->has_stats)
		metrics_text__u64(t, labels, is_bytes ? pod->stats.rev_bytes : pod->stats.rev_packets);
}

void metrics_pods__put(const struct metrics_pods *pods, struct metrics_text *t)
{
	metrics_text__family(t, PINTLE_M_PODS_LEFT_OUT);
	metrics_text__u64(t, NULL, pods->left_out);
	for (enum pintle_metric metric = PINTLE_M_PODS_LEFT_OUT + 1; metric < PINTLE_M_MAX; metric++) {
		metrics_text__family(t, metric);
		for (uint32_t i = 0; i < pods->nr; i++) {
			const struct metrics_pod *pod = &pods->list[i];
			const char *labels[3] = { pod->name, pod->service, NULL };

			if (metric <= PINTLE_M_POD_GAIN)
				put_state(t, pods->view, pod, labels);
			else if (metric <= PINTLE_M_POD_BYTES)
				put_traffic(t, pod, labels);
			else if (pod->has_stats)
				put_counters(t, pod, labels);
		}
	}
}
