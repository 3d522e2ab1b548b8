/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The maps, declared once. PINTLE_MAP(id, name, BPF type, key type, value type, flags, help): `name` is the kernel's map name and
 * the name of its pin; 15 characters at most. Entries are set by the loader from struct pintle_meta (agent/datapath.c).
 * ARRAY and PERCPU_ARRAY maps have __u32 keys (an enum key makes the kernel refuse the BTF). MMAPABLE maps are read and written by
 * the agent through shared memory. A private per-CPU map of the programs (pt_scratch) is neither pinned nor ABI.
 */
#ifndef PINTLE_MAPS_H
#define PINTLE_MAPS_H

#define PINTLE_MAPS(M)                                                                                                         \
	M(FLOWS, "pt_flows", ARRAY, __u32, struct pintle_bucket, MMAPABLE, "flow table, by bucket")                            \
	M(STAMPS, "pt_stamps", ARRAY, __u32, __u64, MMAPABLE, "request start of sampled flows, by bucket * 4 + slot")          \
	M(VIP4, "pt_vip4", ARRAY, __u32, struct pintle_ep4_bucket, MMAPABLE, "IPv4 frontends, by hash")                        \
	M(VIP6, "pt_vip6", ARRAY, __u32, struct pintle_ep6_bucket, MMAPABLE, "IPv6 frontends, by hash")                        \
	M(REV4, "pt_rev4", ARRAY, __u32, struct pintle_ep4_bucket, MMAPABLE, "IPv4 pods, by hash")                             \
	M(REV6, "pt_rev6", ARRAY, __u32, struct pintle_ep6_bucket, MMAPABLE, "IPv6 pods, by hash")                             \
	M(FRONTENDS, "pt_frontends", ARRAY, __u32, struct pintle_frontend, MMAPABLE, "frontends, by frontend id")              \
	M(SERVICES, "pt_services", ARRAY, __u32, struct pintle_service, MMAPABLE, "services, by service id")                   \
	M(MEMBERS, "pt_members", ARRAY, __u32, struct pintle_member_line, MMAPABLE, "member lines: 2 variants of 2 halves")    \
	M(PICKS, "pt_picks", ARRAY, __u32, struct pintle_pick_line, MMAPABLE, "Maglev and weighted tables")                    \
	M(PODS, "pt_pods", ARRAY, __u32, struct pintle_pod, MMAPABLE, "pods, by pod id")                                       \
	M(SIBLINGS, "pt_siblings", ARRAY, __u32, struct pintle_siblings, MMAPABLE, "frontends of each pod, by pod id")         \
	M(LOCALS, "pt_locals", ARRAY, __u32, __u64, MMAPABLE, "the pods of this node, ctl.nr_locals of them")                  \
	M(LOADS, "pt_loads", ARRAY, __u32, struct pintle_load, MMAPABLE, "requests in flight and open flows, by pod id")       \
	M(TRAFFIC, "pt_traffic", PERCPU_ARRAY, __u32, struct pintle_traffic, NONE, "packets and bytes to each pod, by pod id") \
	M(POD_STATS, "pt_pod_stats", PERCPU_ARRAY, __u32, struct pintle_pod_stats, NONE,                                       \
	  "histograms and sums, by detail slot")                                                                               \
	M(CLASS_STATS, "pt_class_stats", PERCPU_ARRAY, __u32, struct pintle_class_stats, NONE,                                 \
	  "latency by class of flows, by class slot * 3 + class")                                                              \
	M(ACTIVITY, "pt_activity", ARRAY, __u32, struct pintle_activity, MMAPABLE, "pods whose statistics changed")            \
	M(VERDICTS, "pt_verdicts", PERCPU_ARRAY, __u32, __u64, NONE, "packets, by enum pintle_verdict")                        \
	M(CTL, "pt_ctl", ARRAY, __u32, struct pintle_ctl, MMAPABLE, "what the agent tells the programs")                       \
	M(UPLINKS, "pt_uplinks", ARRAY, __u32, struct pintle_uplink, MMAPABLE, "addresses of the devices attached to")         \
	M(META, "pt_meta", ARRAY, __u32, struct pintle_meta, MMAPABLE, "version, sizes and seeds of these maps")               \
	M(DEVMAP, "pt_devmap", DEVMAP, __u32, __u32, NONE, "devices of pods with redirect delivery")                           \
	M(EVENTS, "pt_events", RINGBUF, void, void, NONE, "struct pintle_event, rate limited")                                 \
	M(RECORDS, "pt_records", RINGBUF, void, void, NONE, "struct pintle_record, while somebody asks for them")

#endif
