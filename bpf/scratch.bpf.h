/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A new flow on its way into the table, and a reply in search of its flow. They lie in a per-CPU map, not on the stack: the functions nest, and together they have
 * 512 bytes. Programs run with bottom halves disabled, so nothing else of ours runs on this CPU meanwhile.
 */
#ifndef PINTLE_SCRATCH_BPF_H
#define PINTLE_SCRATCH_BPF_H

#include "maps.bpf.h"
#include "pkt.bpf.h"

struct new_flow {
	__u64 key;
	__u64 family; /* 0 or PINTLE_FS_V6 */
	__u64 reuse_state;
	__u64 old_state; /* what the slot held */
	__u64 flags;	 /* PINTLE_FS_* without VALID */
	__u64 stamp;
	__u64 state; /* result: the entry in force */
	__u32 index; /* and its slot */
	__u32 reuse; /* slot of a closed entry of the same key, or PT_NO_SLOT */
	__u32 pod;   /* the choice */
	__u32 saddr_be[4];
	__u16 sport_be;
	__u16 frontend;
	__u16 service;
	__u8 proto;
	__u8 may_redirect; /* the packet itself allows it: no VLAN tag */
	__u8 rung;	   /* enum pintle_rung */
	__u8 pad[4];
	__u32 class_index; /* in pt_class_stats; beyond it: not counted */
};

/* Whom a reply is for, and the flow that was found. */
struct reply {
	__u32 client_be[4];
	__u16 client_port_be;
	__u16 pod;
	__u8 proto;
	__u8 is_v6;
	__u8 is_found;
	__u8 is_refuted; /* the entry says that this connection did not come through a frontend */
	__u64 state;	 /* result: the flow's entry */
	__u32 index;	 /* its slot */
	__u32 frontend;
};

/* A search through the sockets of pods (heal.bpf.h). */
struct heal_walk {
	struct bpf_sock_tuple tuple; /* client -> the pod at hand */
	__u32 frontend;
	__u32 is_v6;
	__u32 pod;   /* whose socket it is, or PT_NO_POD */
	__u32 state; /* of that socket, BPF_TCP_* */
	__u32 nr_live;
	__u32 nr_blind; /* pods that cannot be looked into */
	__u32 pad;
};

struct scratch {
	struct new_flow flow;
	struct reply reply;
	struct heal_walk walk;
	__u64 search_jiffies; /* see heal.bpf.h: the tick, and what was spent of it */
	__u32 searches;
	__u32 pad;
};

PT_PERCPU_ARRAY(pt_scratch, struct scratch, 1);

static __always_inline struct new_flow *scratch_flow(void)
{
	__u32 zero = 0;
	struct scratch *s = bpf_map_lookup_elem(&pt_scratch, &zero);

	return s ? &s->flow : NULL;
}

static __always_inline struct reply *scratch_reply(void)
{
	__u32 zero = 0;
	struct scratch *s = bpf_map_lookup_elem(&pt_scratch, &zero);

	return s ? &s->reply : NULL;
}

static __always_inline struct heal_walk *scratch_walk(void)
{
	__u32 zero = 0;
	struct scratch *s = bpf_map_lookup_elem(&pt_scratch, &zero);

	return s ? &s->walk : NULL;
}

#endif
