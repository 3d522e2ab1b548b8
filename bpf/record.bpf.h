/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Timed requests for `pintle record`. Without a reader one word is read; a reader that dies leaves a budget that runs out. */
#ifndef PINTLE_RECORD_BPF_H
#define PINTLE_RECORD_BPF_H

#include "scratch.bpf.h"

/* The first byte of the reply in scratch, whose flow is in `slot_index`, came `latency_ns` after its choice, at a pod that had `load` requests then.
 * No wake-up: the reader looks every now and then. */
static __always_inline void record_request(struct pintle_ctl *ctl, __u32 slot_index, __u32 pod_id, __u32 load, __u64 latency_ns)
{
	__u32 bucket_index = slot_index / PINTLE_BUCKET_SLOTS;
	struct pintle_record *record;
	struct pintle_bucket *bucket;
	struct reply *r;

	if (*(volatile __s32 *)&ctl->record_budget <= 0)
		return;
	__sync_fetch_and_add(&ctl->record_budget, -1);
	r = scratch_reply();
	bucket = bpf_map_lookup_elem(&pt_flows, &bucket_index);
	if (!r || !bucket)
		return;
	record = bpf_ringbuf_reserve(&pt_records, sizeof(*record), 0);
	if (!record) {
		__sync_fetch_and_add(&ctl->records_lost, 1);
		return;
	}
	record->time_ns = bpf_ktime_get_ns();
	record->latency_ns = latency_ns;
	record->key = bucket->slot[slot_index % PINTLE_BUCKET_SLOTS].key;
	record->pod = (__u16)pod_id;
	record->frontend = (__u16)r->frontend;
	record->load = (__u8)load;
	__builtin_memset(record->pad, 0, sizeof(record->pad));
	bpf_ringbuf_submit(record, BPF_RB_NO_WAKEUP);
}

#endif
