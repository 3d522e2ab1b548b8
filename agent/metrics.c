/* SPDX-License-Identifier: BSD-2-Clause */
#include "agent/metrics.h"

#include <errno.h>
#include <stdlib.h>

#include "agent/choose.h"
#include "agent/metrics_pods.h"
#include "pintle/verdict.h"

static void put_agent(struct metrics_text *t, const struct view *view)
{
	const struct pintle_ctl *ctl = view->src.maps->ctl;
	uint64_t beat_ns = __atomic_load_n(&ctl->heartbeat_ns, __ATOMIC_RELAXED);
	char abi[16];
	const char *labels[] = { view->src.maps->meta->build, abi };

	snprintf(abi, sizeof(abi), "%u", view->src.maps->meta->abi_version);
	metrics_text__family(t, PINTLE_M_BUILD_INFO);
	metrics_text__u64(t, labels, 1);
	metrics_text__family(t, PINTLE_M_AGENT_UP);
	metrics_text__u64(t, NULL, view__agent_alive(view));
	metrics_text__family(t, PINTLE_M_AGENT_HEARTBEAT_AGE);
	if (beat_ns)
		metrics_text__seconds(t, NULL, view->src.mono_ns > beat_ns ? view->src.mono_ns - beat_ns : 0);
	metrics_text__family(t, PINTLE_M_RUNG);
	metrics_text__u64(t, NULL, view__ladder(view).rung);
	metrics_text__family(t, PINTLE_M_CONFIGURATIONS);
	metrics_text__u64(t, NULL, __atomic_load_n(&ctl->generation, __ATOMIC_RELAXED));
	metrics_text__family(t, PINTLE_M_DRAINING);
	metrics_text__u64(t, NULL, !!(__atomic_load_n(&ctl->flags, __ATOMIC_RELAXED) & PINTLE_CTL_DRAINING));
}

static void put_packets(struct metrics_text *t, const uint64_t *verdicts)
{
	metrics_text__family(t, PINTLE_M_PACKETS);
	for (uint32_t v = 1; v < PINTLE_V_MAX; v++) {
		const char *labels[2];

		labels[1] = view__verdict(v, &labels[0]);
		metrics_text__u64(t, labels, verdicts[v]);
	}
}

static void put_labelled(struct metrics_text *t, const char *label, uint64_t value)
{
	metrics_text__u64(t, &label, value);
}

static void put_tables(struct metrics_text *t, const struct view *view)
{
	const struct pintle_meta *meta = view->src.maps->meta;
	struct view_counts counts = view__counts(view);

	metrics_text__family(t, PINTLE_M_FLOWS);
	put_labelled(t, "half_open", counts.half_open);
	put_labelled(t, "open", counts.flows - counts.half_open - counts.closed);
	put_labelled(t, "closed", counts.closed);
	metrics_text__family(t, PINTLE_M_FLOW_SLOTS);
	metrics_text__u64(t, NULL, (uint64_t)meta->nr_buckets * PINTLE_BUCKET_SLOTS);
	metrics_text__family(t, PINTLE_M_OBJECTS);
	put_labelled(t, "services", counts.services);
	put_labelled(t, "frontends", counts.frontends);
	put_labelled(t, "pods", counts.pods);
	metrics_text__family(t, PINTLE_M_OBJECTS_MAX);
	put_labelled(t, "frontends", meta->max_frontends);
	put_labelled(t, "pods", meta->max_pods);
	metrics_text__family(t, PINTLE_M_ALARMS);
	if (view->src.delivery)
		metrics_text__u64(t, NULL, view->src.delivery->nr_alarms);
}

static void put_service_value(struct metrics_text *t, const struct view *view, uint32_t id, const char *const *labels)
{
	const struct view_service *service = &view->services[id];
	double share;

	switch (t->metric) {
	case PINTLE_M_SERVICE_PODS:
		metrics_text__u64(t, labels, view__service_sums(view, id).pods);
		break;
	case PINTLE_M_SERVICE_UNREACHABLE:
		metrics_text__u64(t, labels, service->unreachable);
		break;
	case PINTLE_M_SERVICE_AWAITING:
		metrics_text__i64(t, labels, view__service_sums(view, id).awaiting);
		break;
	case PINTLE_M_SERVICE_OPEN:
		metrics_text__i64(t, labels, view__service_sums(view, id).open);
		break;
	case PINTLE_M_SERVICE_SLO:
		if (service->slo_ms)
			metrics_text__seconds(t, labels, service->slo_ms * 1000000ull);
		break;
	default:
		if (view__slo_share(view, id, &share))
			metrics_text__double(t, labels, share);
		break;
	}
}

static void put_services(struct metrics_text *t, const struct view *view)
{
	for (enum pintle_metric metric = PINTLE_M_SERVICE_PODS; metric <= PINTLE_M_SERVICE_SLO_RATIO; metric++) {
		metrics_text__family(t, metric);
		for (uint32_t id = 0; id < view->src.maps->meta->max_frontends; id++) {
			char name[300];
			const char *labels[] = { name, view->services[id].family == 6 ? "ipv6" : "ipv4" };

			if (!view->services[id].family || !choose__pool(view->src.maps, id))
				continue;
			view__service_name(view, id, name, sizeof(name));
			put_service_value(t, view, id, labels);
		}
	}
}

int metrics__write(const struct metrics_source *source, enum metrics_format format, FILE *file, struct pintle_err *err)
{
	struct metrics_text t = { .file = file, .format = format };
	struct metrics_pods pods;
	struct metrics_classes *classes;
	int ret = metrics_pods__read(&pods, source->view, source->max_pods);

	if (ret)
		return pintle_err__set(err, ret, "metrics: out of memory for %u pods", source->max_pods);
	ret = metrics_policies__read(&source->policies, source->view, &classes, err);
	if (ret) {
		metrics_pods__free(&pods);
		return ret;
	}
	put_agent(&t, source->view);
	put_packets(&t, source->verdicts);
	put_tables(&t, source->view);
	put_services(&t, source->view);
	metrics_policies__put(&source->policies, classes, &t);
	free(classes);
	metrics_pods__put(&pods, &t);
	metrics_text__end(&t);
	metrics_pods__free(&pods);
	return 0;
}
