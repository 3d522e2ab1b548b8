/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the node's stack knows: links, addresses, routes, neighbours, bridge FDB, by netlink (libmnl). Answers come from the kernel
 * when asked (routes) or from a cache kept fresh by notifications (links, addresses, neighbours, FDB).
 */
#ifndef PINTLE_AGENT_NETINFO_H
#define PINTLE_AGENT_NETINFO_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/config.h"

struct netinfo;

/* One socket for notifications, one for questions, in the current network namespace. */
int netinfo__open(struct netinfo **ret_ni, struct pintle_err *err);
void netinfo__close(struct netinfo *ni);
int netinfo__fd(const struct netinfo *ni); /* readable when there is something to process */
/* Reads what has come. *ret_changed: something that net_path depends on may have changed. An overrun (ENOBUFS) re-dumps everything. */
int netinfo__process(struct netinfo *ni, bool *ret_changed, struct pintle_err *err);

/* What changed, so that a caller with many pods looks again only at those concerned. */
enum net_change_kind {
	NET_CHANGE_ALL = 0, /* too much to list, or notifications were lost: look at everything */
	NET_CHANGE_LINK,    /* ifindex: came, went, up, down, MAC, kind or master */
	NET_CHANGE_ADDR,    /* addr: became or ceased to be an address of this node */
	NET_CHANGE_NEIGH,   /* addr on ifindex: MAC known, unknown or another one */
	NET_CHANGE_FDB,	    /* mac on the bridge ifindex: port known, unknown or another one */
	NET_CHANGE_ROUTE,   /* addr/prefix_len: a route came or went */
};
struct net_change {
	enum net_change_kind kind;
	uint32_t ifindex;
	struct ip_addr addr;
	uint8_t prefix_len;
	uint8_t mac[6];
};
/* Takes the oldest change that netinfo__process() found. false: no more. */
bool netinfo__next_change(struct netinfo *ni, struct net_change *ret_change);

struct net_path {
	uint32_t oif;	  /* device of the route */
	uint32_t ifindex; /* device that leads to the pod: oif, or the bridge's port by FDB when oif is a bridge */
	bool is_local;	  /* the address is one of this node (hostNetwork pods: refused by the caller) */
	bool has_gateway; /* the route has a next hop: not a pod of this node */
	bool is_veth;	  /* ifindex is a veth */
	bool is_noarp;	  /* oif needs no MACs: none will be found */
	bool has_macs;	  /* dmac and smac are valid (neighbour known and FDB resolved) */
	uint8_t dmac[6];  /* the pod's */
	uint8_t smac[6];  /* of oif */
	uint32_t mtu;
};

/* Route, neighbour and FDB look-up for an address. An unresolved neighbour is probed (the kernel is asked to resolve it), so that a later
 * call finds it. -ENETUNREACH/-EHOSTUNREACH when no route leads there. `device` ("" = any) overrides the route's device. */
int netinfo__path(struct netinfo *ni, const struct ip_addr *addr, const char *device, struct net_path *ret_path,
		  struct pintle_err *err);
bool netinfo__is_local(const struct netinfo *ni, const struct ip_addr *addr); /* an address of this node, any device */

struct net_link {
	uint32_t ifindex;
	char name[16];
	char driver[32]; /* by ethtool; "" unknown */
	char kind[16];	 /* rtnl kind: veth, bridge, vlan, bond, ...; "" = none */
	uint32_t mtu;
	uint8_t mac[6];
	bool is_up;	       /* administratively up */
	uint32_t peer_ifindex; /* IFLA_LINK of a veth, in peer_nsid; 0 none */
	int32_t peer_nsid;     /* -1 = same namespace or unknown */
	uint32_t master;       /* bridge it is a port of, 0 none */
	uint32_t lower;	       /* of a VLAN device, macvlan or macvtap: the device of this namespace below it, 0 none */
	uint32_t xdp_prog_id;  /* attached XDP program, 0 none */
};

int netinfo__link_by_name(struct netinfo *ni, const char *name, struct net_link *ret_link, struct pintle_err *err);
int netinfo__link_by_index(struct netinfo *ni, uint32_t ifindex, struct net_link *ret_link, struct pintle_err *err);

/*
 * The Ethernet addresses by which frames on a device are for this node: its own, and those of the devices of this namespace above it, which the
 * kernel gives frames to (master: bridge, bond; VLAN devices; macvlans, as VRRP daemons make them for 00:00:5e:00:01:xx). macs[0] is the
 * device's own; each once. Returns their number, more than max when they do not fit, or -ENODEV.
 */
int netinfo__own_macs(struct netinfo *ni, uint32_t ifindex, uint8_t (*macs)[6], int max);
/* Changes when what netinfo__own_macs() says may have changed. */
uint32_t netinfo__own_macs_epoch(const struct netinfo *ni);

/* rtnl_link_stats64 of a device: what the redirect reconciliation compares with. */
struct net_counters {
	uint64_t rx_packets, rx_bytes, rx_dropped, tx_packets, tx_bytes, tx_dropped;
};
int netinfo__counters(struct netinfo *ni, uint32_t ifindex, struct net_counters *ret, struct pintle_err *err);

/* GRO on the pod's side of a veth. `device` is the host-side veth; its peer is looked for in `netns` (a name under /run/netns or a path), or with
 * NULL in the namespace that the kernel's peer id leads to, searched under /run/netns and /proc. A short-lived child process enters the
 * namespace, so that the caller's never changes. -ENODEV: no such device, -EOPNOTSUPP: not a veth, -ENOENT: namespace not found, -ETIMEDOUT. */
int netns__get_gro(const char *netns, const char *device, bool *ret_on, struct pintle_err *err);
int netns__set_gro(const char *netns, const char *device, bool on, struct pintle_err *err);

#endif
