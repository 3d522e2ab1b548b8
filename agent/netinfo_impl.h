/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside of struct netinfo, shared by the netinfo*.c files only. */
#ifndef PINTLE_AGENT_NETINFO_IMPL_H
#define PINTLE_AGENT_NETINFO_IMPL_H

#include <libmnl/libmnl.h>

#include "agent/netinfo.h"
#include "agent/netinfo_map.h"
#include "agent/netinfo_msg.h"

#define NETINFO_BUF_BYTES 65536u /* one read; the kernel fills at most 32 KiB of a dump */
#define NETINFO_MAX_CHANGES 1024u

struct link_key {
	uint32_t ifindex;
	uint32_t pad;
};
struct link_entry {
	struct link_key key;
	struct net_link link;
	bool is_noarp;
};

struct addr_key {
	struct ip_addr addr;
	uint8_t pad[3];
	uint32_t ifindex; /* 0: the count over all devices */
};
struct addr_entry {
	struct addr_key key;
	uint32_t nr;
	uint32_t pad;
};

struct neigh_key {
	uint32_t ifindex;
	struct ip_addr addr;
	uint8_t pad[3];
};
struct neigh_entry { /* only neighbours that the stack would send to */
	struct neigh_key key;
	uint8_t mac[6];
	uint8_t pad[2];
};

struct fdb_key {
	uint32_t bridge;
	uint8_t mac[6];
	uint16_t vlan;
};
struct fdb_entry {
	struct fdb_key key;
	uint32_t port;
};

struct netinfo {
	struct mnl_socket *events;
	struct mnl_socket *ask;
	unsigned int ask_port;
	uint32_t seq;
	int ioctl_fd;
	struct netmap links, addrs, neighs, fdb;
	struct net_change changes[NETINFO_MAX_CHANGES]; /* ring: nr_changes from first_change */
	uint32_t first_change, nr_changes;
	uint32_t links_epoch; /* counts changes of addresses and of what lies on what */
	bool all_changed;     /* the ring ran over, or notifications were lost */
	uint8_t buf[NETINFO_BUF_BYTES] __attribute__((aligned(8)));
	uint8_t event_buf[NETINFO_BUF_BYTES] __attribute__((aligned(8)));
};

int netinfo__open_ask(struct netinfo **ret_ni,
		      struct pintle_err *err); /* hears nothing and knows nothing: single questions only */

/* Sends a question (header and body made by the caller, sequence and flags by this) and feeds the answers to `answer` (may be NULL)
 * until the kernel's ACK or the end of the dump. Returns 0, the kernel's -errno, or -EINTR when a dump was inconsistent. */
int netinfo__ask(struct netinfo *ni, struct nlmsghdr *nlh, uint16_t flags, int (*answer)(const struct nlmsghdr *nlh, void *arg),
		 void *arg);

void netinfo__changed(struct netinfo *ni, const struct net_change *change);
/* Applies one notification or one entry of a dump to the cache; others are ignored. MNL_CB_OK always: a torn message is skipped. */
int netinfo__apply(const struct nlmsghdr *nlh, void *ni);
/* The link from the cache, or from the kernel when the cache has not heard of it yet. NULL: gone. */
const struct link_entry *netinfo__link(struct netinfo *ni, uint32_t ifindex);
const struct link_entry *netinfo__link_named(struct netinfo *ni, const char *name);

#endif
