/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Turns configurations into map contents: hashes frontends and pods, gives ids, lays out members and pick tables, and writes only
 * what changed, in an order in which no packet sees half a service:
 *   new pods, reverse entries, siblings -> member and pick lines (both halves) -> the service's idle pool -> flip `active`
 *   -> new frontends;  then, after a grace period (no program that saw the old words still runs), the other way round: frontends that
 *   went, lines that went, pods that went. A pod id is given again only when no flow of the table names it.
 * Works on plain memory (struct table_maps), so it runs in tests without a kernel.
 */
#ifndef PINTLE_AGENT_TABLES_H
#define PINTLE_AGENT_TABLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/config.h"
#include "agent/err.h"
#include "pintle/abi.h"

/* The shared memory of the pinned maps (mmap of each MMAPABLE map, sizes from meta), or a test's own memory. */
struct table_maps {
	const struct pintle_meta *meta;
	struct pintle_ctl *ctl;
	struct pintle_uplink *uplinks; /* PINTLE_MAX_UPLINKS; see ownmacs.h */
	struct pintle_bucket *flows;   /* meta->nr_buckets */
	uint64_t *stamps;	       /* nr_buckets * PINTLE_BUCKET_SLOTS */
	struct pintle_ep4_bucket *vip4, *rev4;
	struct pintle_ep6_bucket *vip6, *rev6;
	struct pintle_frontend *frontends;  /* meta->max_frontends */
	struct pintle_service *services;    /* PINTLE_MAX_SERVICES limited to meta->max_frontends */
	struct pintle_member_line *members; /* 4 * meta->member_lines: halves 0 and 1 of production, then of the canary */
	struct pintle_pick_line *picks;	    /* meta->pick_lines */
	struct pintle_pod *pods;	    /* meta->max_pods */
	struct pintle_siblings *siblings;
	uint64_t *locals; /* PINTLE_MAX_LOCALS pod ids or PINTLE_NO_LOCAL */
	struct pintle_load *loads;
	struct pintle_activity *activity;
	/* Makes zero what is counted by pod id, and by detail slot (TABLES_NO_DETAIL: the pod has none): per-CPU maps are no shared memory.
	 * Called once for each pod that is removed, when no program can find it any more and before its id is free. 0, or -errno with
	 * *err set: the pod stays and is removed by a later reap. NULL: nothing is counted. */
	int (*forget)(void *arg, uint16_t pod, uint32_t detail, struct pintle_err *err);
	void *forget_arg;
};
#define TABLES_NO_DETAIL UINT32_MAX

/* Waits until every program run that began before has ended. In the agent: membarrier(MEMBARRIER_CMD_GLOBAL), which waits for an RCU grace period. */
typedef int (*tables_grace_fn)(void *arg);

/* Sizes of maps for wanted capacities; the one place where they are computed. */
struct table_sizes_in {
	uint32_t max_flows;	/* expected concurrent flows */
	uint32_t max_frontends; /* 1..PINTLE_MAX_FRONTENDS */
	uint32_t max_pods;	/* 1..PINTLE_MAX_PODS */
	uint32_t hz;		/* jiffies per second of the running kernel, as the loader found it; 24..10000 */
};
/* Fills the size words of *ret_meta, the two shifts and hz; leaves version, seed, time and build alone.
 * Flow buckets: power of two, >= 2 slots per flow. -ERANGE with the limit in the message. */
int tables__sizes(const struct table_sizes_in *in, struct pintle_meta *ret_meta, struct pintle_err *err);

struct tables; /* shadow of what was written, ids, allocators */

/* `maps` is copied; memory must outlive. Adopts what the maps hold (an agent that restarts): frontends, services, pods keep their ids,
 * and repairs what a writer that died half way left behind. One writer at a time: the caller holds the lock of the pins.
 * -EINVAL when the size words of meta make no sense, -ENOMEM, or what grace() returned. */
int tables__open(const struct table_maps *maps, tables_grace_fn grace, void *grace_arg, struct tables **ret_tables,
		 struct pintle_err *err);
void tables__close(struct tables *t); /* leaves the maps as they are */

struct tables_applied {
	uint32_t services, frontends, pods; /* now in force */
	uint32_t changed_services, added_pods, removed_pods;
	uint32_t lingering_pods; /* removed, id kept until their flows have ended */
	double seconds;
};
/* All or nothing as far as limits go (checked before the first write): -ENOSPC names the limit and the option that raises it, and the old
 * configuration stays in force. `is_local` says whether a VIP is an address of the node (wildcard entry gets PINTLE_EP_LOCAL).
 * After success `config` is lent: it must live, unchanged, until the next apply that succeeds (then the caller frees the one before) or
 * tables__close(). After failure the one before is still the one in use. Giving the same config again is fine (pod flags changed).
 * Of a pod's two families only the one of its address counts; a service without a frontend of a family has no pods of that family. */
int tables__apply(struct tables *t, const struct pintle_config *config, bool (*is_local)(void *arg, const struct ip_addr *),
		  void *arg, struct tables_applied *ret_applied, struct pintle_err *err);

/* Pods that left the configuration and keep their id, reverse entry and siblings while the flow table still names them. */
uint32_t tables__lingering(const struct tables *t);
/* Scans the flow table once (nothing when no pod lingers) and removes the lingering pods that no flow names; for every few seconds. Waits a
 * grace period when something was removed. Returns the number removed or -errno. */
int tables__reap(struct tables *t, struct pintle_err *err);

/* Reads without a struct tables, for commands beside a running agent. -ENOENT. */
int table_maps__find_pod(const struct table_maps *maps, const struct ip_addr *addr, uint16_t port, uint16_t *ret_pod);
int table_maps__find_frontend(const struct table_maps *maps, const struct ip_addr *addr, uint8_t proto, uint16_t port,
			      uint16_t *ret_frontend, uint16_t *ret_service);

/* ids and reverse look-ups for telemetry and the CLI; pointers are valid until the next apply. */
struct pod_ref {
	uint16_t pod;		   /* id */
	const struct cfg_pod *cfg; /* NULL for a pod that left the configuration but still has flows */
	const char *service;	   /* first service that uses it */
};
/* Id of services[service].pods[pod] of the configuration in force, without a search. -ENOENT: no frontend of its family. */
int tables__configured_pod(const struct tables *t, size_t service, size_t pod, uint16_t *ret_pod);
int tables__pod_by_addr(const struct tables *t, const struct ip_addr *addr, uint16_t port, uint16_t *ret_pod);
int tables__pod_ref(const struct tables *t, uint16_t pod, struct pod_ref *ret);
/* Next pod id in use at or after `from`, or -ENOENT. Lingering pods included. */
int tables__next_pod(const struct tables *t, uint32_t from, uint16_t *ret_pod);
const char *tables__service_name(const struct tables *t, uint16_t service); /* NULL if unused; both families share a name */
int tables__service_ids(const struct tables *t, const char *name, int family, uint16_t *ret_service);

/* Gains: stage for a pod (log2 Q8.8, all its memberships), then commit: writes the idle half, flips ctl->gains_half, waits a grace period
 * lazily (before the next commit), and brings the other half up to date. Unchanged gains cost nothing. */
void tables__stage_gain(struct tables *t, uint16_t pod, int16_t gain_q8);
int tables__commit_gains(struct tables *t, struct pintle_err *err);
int16_t tables__gain(const struct tables *t, uint16_t pod); /* 0: nothing learned yet; without residuals */
/* False: the gain is 0, or the median that the pod began with. */
bool tables__knows_gain(const struct tables *t, uint16_t pod);
/* Stages a gain for a pod of which none is known, which thereby stays unknown. */
void tables__stage_default(struct tables *t, uint16_t pod, int16_t gain_q8);
/* Stages the slow start and the exploration of a pod: both zero until staged. An apply that lays out a service of it anew ends the exploration; a pod
 * with another concurrency in each of its services is not explored. */
struct table_trial {
	int16_t penalty_q8; /* policy/ramp.h; 0 = none */
	bool is_explored;   /* policy/explore.h: the pod is to get the next request */
	int16_t lowest_q8;  /* gain of the others, without residuals */
};
void tables__stage_trial(struct tables *t, uint16_t pod, const struct table_trial *trial);
/* Stages what models add to the gain of a pod, for production and for the canary; zero until staged. */
void tables__stage_residuals(struct tables *t, uint16_t pod, int16_t production_q8, int16_t canary_q8);

/* Path words of a pod: each is one atomic store; generations advance when MACs change. macs may be NULL (unknown). */
void tables__set_path(struct tables *t, uint16_t pod, uint32_t ifindex, uint32_t devmap, const uint8_t dmac[6],
		      const uint8_t smac[6]);
/* Id of the pod's network namespace in the node's; -1 = unknown. */
void tables__set_netns(struct tables *t, uint16_t pod, int32_t nsid);
void tables__set_redirect(struct tables *t, uint16_t pod, bool allowed);
/* PINTLE_POD_GONE: from the next tables__apply() on it is no member, or one again. */
void tables__set_gone(struct tables *t, uint16_t pod, bool is_gone);
/* PINTLE_POD_REMOTE: the programs need not look for its sockets here. */
void tables__set_remote(struct tables *t, uint16_t pod, bool is_remote);

/* Have pods come or gone, or namespaces changed, since the list of the pods of this node was written? */
bool tables__locals_changed(const struct tables *t);
/* Writes that list. 0 or -ENOMEM. */
int tables__write_locals(struct tables *t);

#define TABLES_SAMPLE_SHIFT 3 /* of a new service: 1 of 8 new flows is timed until the agent knows how many there are */
/* Another weight of the delay caused to others than the configuration's, until the next apply. */
void tables__set_externality(struct tables *t, double externality);
/* Which share of new flows is timed, per service. */
void tables__set_sampling(struct tables *t, uint16_t service, uint8_t sample_shift);

/* Which new flows of a service with policy `score` are of which class (class.h), and where they are counted. */
struct table_classes {
	uint8_t holdout, canary; /* hash buckets of 256, together at most 255 */
	bool is_plain;		 /* production by load alone */
	uint16_t slot;		 /* class slot + 1; 0 = not counted */
};
/* One store. A service keeps its classes over applies while its policy is `score`; ignored for other policies and ids not in use. */
void tables__set_classes(struct tables *t, uint16_t service, const struct table_classes *classes);
/* So long after the last commit no program still chooses by the half that was left (a choice takes about a microsecond): the next one need not wait.
 * One that was held up for longer, on a stopped virtual CPU, meets gains of two commits, each of them whole. */
#define TABLES_GAINS_SETTLE_NS 2000000ull
void tables__gains_settled(struct tables *t);
/* The classes in force; all zero for an id not in use. */
struct table_classes tables__classes(const struct tables *t, uint16_t service);

#endif
