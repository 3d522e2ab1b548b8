/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The maps of maps.h. The sizes here are of one entry: the loader sets the real ones from struct pintle_meta. */
#ifndef PINTLE_MAPS_BPF_H
#define PINTLE_MAPS_BPF_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "pintle/abi.h"
#include "pintle/verdict.h"

#define PT_MMAP_ARRAY(map, value_type)             \
	struct {                                   \
		__uint(type, BPF_MAP_TYPE_ARRAY);  \
		__uint(max_entries, 1);            \
		__uint(map_flags, BPF_F_MMAPABLE); \
		__type(key, __u32);                \
		__type(value, value_type);         \
	} map SEC(".maps")

#define PT_PERCPU_ARRAY(map, value_type, entries)        \
	struct {                                         \
		__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY); \
		__uint(max_entries, entries);            \
		__type(key, __u32);                      \
		__type(value, value_type);               \
	} map SEC(".maps")

PT_MMAP_ARRAY(pt_flows, struct pintle_bucket);
PT_MMAP_ARRAY(pt_stamps, __u64);
PT_MMAP_ARRAY(pt_vip4, struct pintle_ep4_bucket);
PT_MMAP_ARRAY(pt_vip6, struct pintle_ep6_bucket);
PT_MMAP_ARRAY(pt_rev4, struct pintle_ep4_bucket);
PT_MMAP_ARRAY(pt_rev6, struct pintle_ep6_bucket);
PT_MMAP_ARRAY(pt_frontends, struct pintle_frontend);
PT_MMAP_ARRAY(pt_services, struct pintle_service);
PT_MMAP_ARRAY(pt_members, struct pintle_member_line);
PT_MMAP_ARRAY(pt_picks, struct pintle_pick_line);
PT_MMAP_ARRAY(pt_pods, struct pintle_pod);
PT_MMAP_ARRAY(pt_siblings, struct pintle_siblings);
PT_MMAP_ARRAY(pt_locals, __u64);
PT_MMAP_ARRAY(pt_loads, struct pintle_load);
PT_MMAP_ARRAY(pt_ctl, struct pintle_ctl);
PT_MMAP_ARRAY(pt_uplinks, struct pintle_uplink);
PT_MMAP_ARRAY(pt_meta, struct pintle_meta);
PT_PERCPU_ARRAY(pt_traffic, struct pintle_traffic, 1);
PT_PERCPU_ARRAY(pt_pod_stats, struct pintle_pod_stats, PINTLE_MAX_DETAIL);
PT_PERCPU_ARRAY(pt_class_stats, struct pintle_class_stats, PINTLE_MAX_CLASSED *PINTLE_NR_CLASSES);
PT_MMAP_ARRAY(pt_activity, struct pintle_activity);
PT_PERCPU_ARRAY(pt_verdicts, __u64, PINTLE_V_MAX);

struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP);
	__uint(max_entries, PINTLE_MAX_DETAIL);
	__type(key, __u32);
	__type(value, __u32);
} pt_devmap SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 256 * 1024);
} pt_events SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 256 * 1024);
} pt_records SEC(".maps");

#endif
