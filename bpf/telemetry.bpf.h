/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Counters: verdicts, traffic, loads, per-pod statistics. Everything but the two first happens on transitions of a flow only. */
#ifndef PINTLE_TELEMETRY_BPF_H
#define PINTLE_TELEMETRY_BPF_H

#include "maps.bpf.h"
#include "pintle/class.h"
#include "pintle/score.h"
#include "pkt.bpf.h"
#include "record.bpf.h"

static __always_inline void count_verdict(enum pintle_verdict verdict)
{
	__u32 key = verdict;
	__u64 *count = bpf_map_lookup_elem(&pt_verdicts, &key);

	if (count)
		*count += 1;
}

static __always_inline void count_traffic(__u32 pod, __u32 bytes)
{
	struct pintle_traffic *traffic = bpf_map_lookup_elem(&pt_traffic, &pod);

	if (traffic) {
		traffic->packets += 1;
		traffic->bytes += bytes;
	}
}

/* Both halves of the load change in one atomic add; a borrow out of `awaiting` cannot happen as long as it is not below zero. */
static __always_inline void load_add(__u32 pod, __s32 awaiting, __s32 open)
{
	__u64 *load = bpf_map_lookup_elem(&pt_loads, &pod);

	if (load && (awaiting || open))
		__sync_fetch_and_add(load, (__u64)((__s64)open << 32) + (__u64)(__s64)awaiting);
}

/* Detailed statistics of a pod, NULL where it has none. */
static __always_inline struct pintle_pod_stats *pod_stats(__u32 pod_id)
{
	struct pintle_pod *pod = bpf_map_lookup_elem(&pt_pods, &pod_id);
	__u32 slot;

	if (!pod || !pod->detail)
		return NULL;
	slot = pod->detail - 1u;
	return bpf_map_lookup_elem(&pt_pod_stats, &slot);
}

/* After its statistics changed, so that the agent reads those only that did. Looked at first: the line stays shared while nothing is to say. */
static __always_inline void mark_active(__u32 pod_id)
{
	struct pintle_pod *pod = bpf_map_lookup_elem(&pt_pods, &pod_id);
	__u32 zero = 0;
	struct pintle_activity *activity = bpf_map_lookup_elem(&pt_activity, &zero);
	volatile __u8 *mark;

	if (!pod || !pod->detail || !activity)
		return;
	mark = &activity->pod[(pod->detail - 1u) & (PINTLE_MAX_DETAIL - 1)];
	if (!*mark)
		*mark = 1;
}

/* Bucket i counts [2^i, 2^(i+1)) us. */
static __always_inline void hist_add(__u32 *hist, __u64 us)
{
	__u32 bucket = (__u32)pintle_log2_q8(us) >> 8;

	if (bucket >= PINTLE_HIST_BUCKETS)
		bucket = PINTLE_HIST_BUCKETS - 1;
	hist[bucket & (PINTLE_HIST_BUCKETS - 1)] += 1;
}

/* Time since the stamp of this slot; 0 when there is none or it lies in the future. `now_ns` 0: read the clock. */
static __always_inline __u64 stamp_elapsed_ns(__u32 slot_index, __u64 now_ns, __u32 *ret_load)
{
	__u64 *stamp = bpf_map_lookup_elem(&pt_stamps, &slot_index);
	__u64 word, since;

	if (!stamp)
		return 0;
	word = *stamp;
	since = word & PINTLE_STAMP_NS_MASK;
	*ret_load = (__u32)(word >> PINTLE_STAMP_LOAD_SHIFT);
	now_ns &= PINTLE_STAMP_NS_MASK;
	/* a departure time from another clock, or ahead of this one, is no use (no test run can give an skb a departure time) */
	if (now_ns <= since || now_ns - since > (1ull << 40))
		now_ns = bpf_ktime_get_ns() & PINTLE_STAMP_NS_MASK;
	return now_ns > since ? now_ns - since : 0;
}

/* log2 of how much longer a request takes that finds `load` others at a pod that serves `concurrency` at once, Q8.8: the externality is not
 * in it. */
static __always_inline __s32 expected_delay_q8(const struct pintle_ctl *ctl, __u32 pod_id, __u32 load)
{
	struct pintle_pod *pod = bpf_map_lookup_elem(&pt_pods, &pod_id);
	__u32 concurrency = pod && pod->concurrency ? pod->concurrency : 1;

	if (load + 1 <= concurrency)
		return 0;
	return pintle_psi_log2_q8(ctl->latency_q8, load) - pintle_log2_q8(concurrency);
}

/* The awaited first byte came. Returns how long that took in ns, 0 if that is not known. */
__global_fn __u64 record_first_byte(__u32 pod_id, __u32 slot_index, __u64 now_ns, __u32 is_stamped)
{
	struct pintle_pod_stats *stats = pod_stats(pod_id);
	__u64 elapsed_ns = 0, elapsed_us;
	struct pintle_ctl *ctl;
	__u32 load = 0, zero = 0;

	if (is_stamped)
		elapsed_ns = stamp_elapsed_ns(slot_index, now_ns, &load);
	if (!stats)
		return elapsed_ns;
	stats->first_bytes += 1;
	ctl = bpf_map_lookup_elem(&pt_ctl, &zero);
	if (elapsed_ns && ctl) {
		elapsed_us = elapsed_ns / 1000;
		stats->latency_count += 1;
		stats->latency_ns += elapsed_ns;
		hist_add(stats->latency_hist, elapsed_us);
		stats->gain_q8 += pintle_log2_q8(elapsed_us) - expected_delay_q8(ctl, pod_id, load);
		record_request(ctl, slot_index, pod_id, load, elapsed_ns);
	}
	mark_active(pod_id);
	return elapsed_ns;
}

__global_fn int record_handshake(__u32 pod_id, __u32 slot_index, __u64 now_ns)
{
	struct pintle_pod_stats *stats = pod_stats(pod_id);
	__u64 elapsed_ns;
	__u32 load;

	if (!stats)
		return 0;
	elapsed_ns = stamp_elapsed_ns(slot_index, now_ns, &load);
	if (!elapsed_ns)
		return 0;
	stats->handshake_count += 1;
	stats->handshake_ns += elapsed_ns;
	hist_add(stats->handshake_hist, elapsed_ns / 1000);
	return 0;
}

/* Where a class is counted: beyond the map where the service's flows are not told apart (slot 0). */
static __always_inline __u32 class_index(const struct pintle_pool *pool, __u32 flow_class)
{
	return (pool->class_slot - 1u) * PINTLE_NR_CLASSES + flow_class;
}

static __always_inline void count_class_flow(__u32 index)
{
	struct pintle_class_stats *stats = bpf_map_lookup_elem(&pt_class_stats, &index);

	if (stats)
		stats->flows += 1;
}

/* A request of a service's flow ended: answered after elapsed_ns (0: not timed), or failed. */
__global_fn int record_class(__u32 service, __u64 key, __u64 elapsed_ns, __u32 is_failed)
{
	struct pintle_service *svc = bpf_map_lookup_elem(&pt_services, &service);
	struct pintle_class_stats *stats;
	struct pintle_pool *pool;
	__u32 index;

	if (!svc)
		return 0;
	pool = &svc->pool[svc->active & 1];
	index = class_index(pool, pintle_class_of(key, pool->holdout, pool->canary));
	stats = bpf_map_lookup_elem(&pt_class_stats, &index);
	if (!stats)
		return 0;
	if (is_failed)
		stats->failed += 1;
	if (!elapsed_ns)
		return 0;
	stats->count += 1;
	stats->latency_ns += elapsed_ns;
	stats->log2_q8 += (__u32)pintle_log2_q8(elapsed_ns);
	stats->hist[pintle_fine_bucket(elapsed_ns) & (PINTLE_FINE_BUCKETS - 1)] += 1;
	return 0;
}

#endif
