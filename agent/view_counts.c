/* SPDX-License-Identifier: BSD-2-Clause */
/* Sums over the tables that several documents show. */
#include "agent/choose.h"
#include "agent/view.h"

static void count_flows(const struct table_maps *maps, struct view_counts *counts)
{
	for (uint32_t b = 0; b < maps->meta->nr_buckets; b++) {
		for (uint32_t s = 0; s < PINTLE_BUCKET_SLOTS; s++) {
			uint64_t state = __atomic_load_n(&maps->flows[b].slot[s].state, __ATOMIC_RELAXED);

			if (!(state & PINTLE_FS_VALID))
				continue;
			counts->flows++;
			if (PINTLE_FS_IS_CLOSED(state))
				counts->closed++;
			else if (!(state & (PINTLE_FS_EST | PINTLE_FS_UDP)))
				counts->half_open++;
			counts->redirect_flows += !!(state & PINTLE_FS_REDIRECT);
		}
	}
}

struct view_counts view__counts(const struct view *view)
{
	const struct table_maps *maps = view->src.maps;
	struct view_counts counts = { 0 };

	count_flows(maps, &counts);
	for (uint32_t i = 0; i < maps->meta->max_frontends; i++) {
		counts.frontends += maps->frontends[i].family != 0;
		counts.services += maps->services[i].in_use != 0;
	}
	for (uint32_t i = 0; i < maps->meta->max_pods; i++) {
		const struct pintle_pod *pod = &maps->pods[i];

		if (!(pod->flags & PINTLE_POD_IN_USE))
			continue;
		counts.pods++;
		counts.pods_drained += !!(pod->flags & PINTLE_POD_DRAIN);
		counts.pods_redirect += !!(pod->flags & PINTLE_POD_REDIRECT);
	}
	return counts;
}

struct view_sums view__service_sums(const struct view *view, uint32_t service)
{
	const struct table_maps *maps = view->src.maps;
	const struct pintle_pool *pool = choose__pool(maps, service);
	struct view_sums sums = { 0 };

	for (uint32_t i = 0; pool && i < pool->nr_members; i++) {
		uint16_t pod = choose__member(maps, pool, i)->pod;

		sums.pods++;
		if (pod >= maps->meta->max_pods)
			continue;
		sums.awaiting += __atomic_load_n(&maps->loads[pod].awaiting, __ATOMIC_RELAXED);
		sums.open += __atomic_load_n(&maps->loads[pod].open, __ATOMIC_RELAXED);
	}
	return sums;
}

bool view__share_within(const uint64_t hist[PINTLE_HIST_BUCKETS], uint64_t ns, double *ret_share)
{
	double us = (double)ns / 1000, within = 0, total = 0;

	for (unsigned int i = 0; i < PINTLE_HIST_BUCKETS; i++) {
		double low_us = i ? (double)(1ull << i) : 0, high_us = (double)(2ull << i);

		total += (double)hist[i];
		if (us >= high_us)
			within += (double)hist[i];
		else if (us > low_us)
			within += (double)hist[i] * (us - low_us) / (high_us - low_us);
	}
	if (total <= 0)
		return false;
	*ret_share = within / total;
	return true;
}

bool view__slo_share(const struct view *view, uint32_t service, double *ret_share)
{
	const struct table_maps *maps = view->src.maps;
	const struct pintle_pool *pool = choose__pool(maps, service);
	uint64_t hist[PINTLE_HIST_BUCKETS] = { 0 };

	if (!view->services[service].slo_ms)
		return false;
	for (uint32_t i = 0; pool && i < pool->nr_members; i++) {
		uint16_t pod = choose__member(maps, pool, i)->pod;
		struct pintle_pod_stats stats;

		if (pod >= maps->meta->max_pods || !maps->pods[pod].detail ||
		    view->src.pod_stats(view->src.arg, maps->pods[pod].detail - 1u, &stats))
			continue;
		for (unsigned int b = 0; b < PINTLE_HIST_BUCKETS; b++)
			hist[b] += stats.latency_hist[b];
	}
	return view__share_within(hist, view->services[service].slo_ms * 1000000ull, ret_share);
}
