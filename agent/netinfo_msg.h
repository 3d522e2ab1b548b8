/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rtnetlink messages as plain structures. Pure: no socket, no state, no trust in a length (RFC 3549 framing; attribute meanings: uapi
 * linux/if_link.h, neighbour.h, rtnetlink.h). Each function returns 0, or -EBADMSG when the message is torn or of another type. Attributes of a
 * wrong size count as absent.
 */
#ifndef PINTLE_AGENT_NETINFO_MSG_H
#define PINTLE_AGENT_NETINFO_MSG_H

#include <libmnl/libmnl.h>
#include <stdbool.h>
#include <stdint.h>

#include "agent/config.h"
#include "agent/netinfo.h"

/* RTM_NEWLINK, RTM_DELLINK. */
struct msg_link {
	uint8_t family; /* AF_BRIDGE: about a bridge's port, not about the device */
	bool is_noarp;
	struct net_link link; /* all but driver */
};
int netmsg__link(const struct nlmsghdr *nlh, struct msg_link *ret);

/* RTM_NEWADDR, RTM_DELADDR. */
struct msg_addr {
	uint32_t ifindex;
	struct ip_addr addr;
};
int netmsg__addr(const struct nlmsghdr *nlh, struct msg_addr *ret);

/* RTM_NEWNEIGH, RTM_DELNEIGH. */
struct msg_neigh {
	uint8_t family;	  /* AF_INET, AF_INET6, AF_BRIDGE */
	uint16_t state;	  /* NUD_* */
	uint32_t ifindex; /* AF_BRIDGE: the port */
	uint32_t master;  /* AF_BRIDGE: the bridge, 0 = an entry of the device itself */
	uint16_t vlan;
	bool has_mac;
	uint8_t mac[6];
	struct ip_addr addr; /* not for AF_BRIDGE */
};
int netmsg__neigh(const struct nlmsghdr *nlh, struct msg_neigh *ret);

/* RTM_NEWROUTE, RTM_DELROUTE: answers and notifications. */
struct msg_route {
	uint8_t type; /* RTN_* */
	uint8_t prefix_len;
	bool is_cloned;
	bool has_gateway;
	uint32_t oif;
	struct ip_addr dst; /* zero of the family for a default route */
};
int netmsg__route(const struct nlmsghdr *nlh, struct msg_route *ret);

/* RTM_NEWSTATS with IFLA_STATS_LINK_64. */
int netmsg__stats(const struct nlmsghdr *nlh, uint32_t *ret_ifindex, struct net_counters *ret);

/* RTM_NEWNSID: the id, -1 when the namespace has none. */
int netmsg__nsid(const struct nlmsghdr *nlh, int32_t *ret_nsid);

#endif
