/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Rare events for the agent; a full ring loses them, never a packet. */
#ifndef PINTLE_EVENT_BPF_H
#define PINTLE_EVENT_BPF_H

#include "maps.bpf.h"
#include "pkt.bpf.h"

#define PT_NO_FRONTEND 0xffffu

static __always_inline struct pintle_event *event_begin(__u32 type)
{
	struct pintle_event *event = bpf_ringbuf_reserve(&pt_events, sizeof(*event), 0);

	if (!event)
		return NULL;
	__builtin_memset(event, 0, sizeof(*event));
	event->type = type;
	event->frontend = PT_NO_FRONTEND;
	event->time_ns = bpf_ktime_get_ns();
	return event;
}

/* A live flow gave way. No wake-up: the agent looks at its next tick. */
__global_fn int event_evicted(__u64 key, __u64 state)
{
	struct pintle_event *event = event_begin(PINTLE_EVENT_EVICTED);

	if (!event)
		return 0;
	event->key = key;
	event->state = state;
	event->pod = (__u16)(state & PINTLE_FS_BACKEND_MASK);
	bpf_ringbuf_submit(event, BPF_RB_NO_WAKEUP);
	return 0;
}

__global_fn int event_table_full(__u64 key, __u32 frontend)
{
	struct pintle_event *event = event_begin(PINTLE_EVENT_TABLE_FULL);

	if (!event)
		return 0;
	event->verdict = PINTLE_V_DROP_TABLE_FULL;
	event->key = key;
	event->frontend = (__u16)frontend;
	bpf_ringbuf_submit(event, BPF_RB_NO_WAKEUP);
	return 0;
}

/* Takes one unit of the budget that the agent's tick refills; false without an agent or over the rate. */
static __always_inline bool reject_allowed(void)
{
	__u32 zero = 0;
	struct pintle_ctl *ctl = bpf_map_lookup_elem(&pt_ctl, &zero);

	if (!ctl || *(volatile __s32 *)&ctl->reject_budget <= 0)
		return false;
	__sync_fetch_and_add(&ctl->reject_budget, -1);
	return true;
}

/* Hands the packet's head to the agent, which answers it. Returns the verdict. */
static __always_inline enum pintle_verdict reject_event(void *ctx, bool is_tc, __u32 ifindex, __u32 frame_bytes,
							__u32 l3_offset, __u32 frontend, enum pintle_verdict verdict)
{
	struct pintle_event *event;
	__u32 bytes = frame_bytes;
	long err;

	if (!reject_allowed())
		return PINTLE_V_DROP_REJECT_RATE;
	event = event_begin(PINTLE_EVENT_REJECT);
	if (!event)
		return PINTLE_V_DROP_REJECT_RATE;
	event->verdict = verdict;
	event->ifindex = ifindex;
	event->frontend = (__u16)frontend;
	event->packet_bytes = (__u16)(frame_bytes > 0xffff ? 0xffff : frame_bytes);
	event->l3_offset = (__u16)l3_offset;
	if (bytes > PINTLE_EVENT_PACKET_BYTES)
		bytes = PINTLE_EVENT_PACKET_BYTES;
	event->copied_bytes = (__u16)bytes;
	/* 1..128 by mask, which every verifier understands; 6.1 learns no lower bound from a comparison here */
	bytes -= 1;
	PT_OPAQUE(bytes);
	bytes = (bytes & (PINTLE_EVENT_PACKET_BYTES - 1)) + 1;
	if (is_tc)
		err = bpf_skb_load_bytes(ctx, 0, event->packet, bytes);
	else
		err = bpf_xdp_load_bytes(ctx, 0, event->packet, bytes);
	if (err) {
		bpf_ringbuf_discard(event, 0);
		return PINTLE_V_DROP_REJECT_RATE;
	}
	bpf_ringbuf_submit(event, 0);
	return verdict;
}

__global_fn int reject_xdp(struct xdp_md *ctx, __u32 frame_bytes, __u32 l3_offset, __u32 frontend, __u32 verdict)
{
	return reject_event(ctx, false, ctx->ingress_ifindex, frame_bytes, l3_offset, frontend, verdict);
}

__global_fn int reject_tc(struct __sk_buff *skb, __u32 frame_bytes, __u32 l3_offset, __u32 frontend, __u32 verdict)
{
	return reject_event(skb, true, skb->ifindex, frame_bytes, l3_offset, frontend, verdict);
}

static __always_inline enum pintle_verdict reject(void *ctx, bool is_tc, const struct pkt *p, __u32 frontend,
						  enum pintle_verdict verdict)
{
	if (p->proto == IPPROTO_TCP && p->tcp_flags & PT_TCP_RST)
		return verdict; /* a reset is never answered (RFC 9293 section 3.5.2) */
	if (is_tc)
		return (enum pintle_verdict)reject_tc(ctx, p->frame_bytes, p->l3_offset, frontend, verdict);
	return (enum pintle_verdict)reject_xdp(ctx, p->frame_bytes, p->l3_offset, frontend, verdict);
}

#endif
