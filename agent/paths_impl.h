/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside of struct paths, shared by the paths*.c files only. */
#ifndef PINTLE_AGENT_PATHS_IMPL_H
#define PINTLE_AGENT_PATHS_IMPL_H

#include <stddef.h>

#include "agent/paths.h"
#include "agent/presence.h"

#define PATHS_MAX PINTLE_MAX_DETAIL /* followed pods, devices, and slots of the devmap */
#define PATHS_NONE UINT32_MAX

#define MS_NS 1000000ull
#define SECOND_NS 1000000000ull

enum path_why {
	WHY_NONE = 0, /* as asked for */
	WHY_ENFORCED,
	WHY_HOST_NETWORK,
	WHY_REMOTE,
	WHY_NO_ROUTE,
	WHY_NO_DEVICE,
	WHY_NO_MAC,
	WHY_NO_DETAIL,
	WHY_NO_SLOT,
	WHY_MTU,
	WHY_DEVICE, /* see the device's own reason */
};

enum device_state {
	DEVICE_NEW = 0,	 /* to be set up at due_ns */
	DEVICE_BASELINE, /* its other traffic is being counted */
	DEVICE_PROBED,	 /* frames were sent; waiting for the counter until due_ns */
	DEVICE_OK,
	DEVICE_FAILED, /* tried again at due_ns */
};

struct path_device {
	bool in_use;
	enum device_state state;
	uint32_t ifindex;
	uint32_t nr_pods;
	char name[16];
	char *netns; /* of the pod that brought it; NULL = found by the peer */
	bool is_veth;
	uint64_t due_ns;
	uint64_t backoff_ns;
	uint64_t ok_since_ns;
	uint64_t base_tx; /* counter when the state began */
	uint64_t base_ns;
	uint64_t noise;	  /* packets of others while the baseline was taken */
	uint32_t probes;  /* frames sent */
	uint64_t sent;	  /* redirected packets since tx_seen was read */
	uint64_t tx_seen; /* counter at the last comparison */
	char gro[160];	  /* why GRO could not be turned on */
	char reason[320];
	struct paths_alarm alarm; /* text NULL: none; in force until the self-test succeeds */
	char alarm_text[320];
};

struct path_pod {
	bool in_use;
	bool seen;  /* by the refresh under way */
	bool wants; /* redirect */
	bool dirty; /* something that it depends on has changed */
	uint16_t pod;
	uint16_t port;
	struct ip_addr addr;
	char device[16]; /* configured; "" = any */
	char *netns;
	uint32_t dev; /* index of its device, or PATHS_NONE */
	uint32_t oif;
	bool has_macs;
	uint8_t dmac[6];
	uint8_t smac[6];
	uint64_t retry_ns; /* 0 = nothing to try again */
	uint64_t backoff_ns;
	uint64_t redirected; /* its count at the last comparison */
	enum path_why why;
};

struct paths {
	struct datapath *dp;
	struct tables *tables;
	struct netinfo *ni;
	const struct table_maps *maps;
	struct paths_callbacks callbacks;
	struct presence *presence;
	bool hook_is_xdp;
	uint32_t uplink_mtu; /* 0 = unknown, not compared */
	uint64_t compared_ns;
	uint32_t nr_pods;		       /* records in use end before this */
	struct path_pod pods[PATHS_MAX];       /* a pod has one statistics slot at most, so these suffice */
	struct path_device devices[PATHS_MAX]; /* the index is the slot in the devmap */
	uint8_t *why;			       /* enum path_why by pod id, for pods without a record */
	uint16_t *record;		       /* by pod id: index + 1 */
};

/* paths_device.c */
/* The device's index, made when it is new and `slot` (or any, PATHS_NONE) is free. PATHS_NONE: none free, or gone. */
uint32_t paths__device_get(struct paths *paths, uint32_t ifindex, uint32_t slot, const char *netns, uint64_t now_ns);
void paths__device_put(struct paths *paths, uint32_t dev); /* one pod less; with the last one it is forgotten and detached */
void paths__device_restart(struct path_device *device, uint64_t now_ns);
void paths__devices_tick(struct paths *paths, uint64_t now_ns);
void paths__compare(struct paths *paths, uint64_t now_ns);
void paths__allow(struct paths *paths, uint32_t dev, bool allowed); /* for all of its pods that want it and have MACs */
uint64_t paths__redirected(const struct paths *paths, const struct path_pod *pod);

#endif
