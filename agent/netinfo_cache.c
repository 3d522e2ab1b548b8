// SPDX-License-Identifier: BSD-2-Clause
/* The cache: what a notification or a dumped entry does to it, and which changes it reports. */
#include <errno.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

#include "agent/netinfo_impl.h"

#define NUD_HAS_MAC (NUD_PERMANENT | NUD_NOARP | NUD_REACHABLE | NUD_PROBE | NUD_STALE | NUD_DELAY)

void netinfo__changed(struct netinfo *ni, const struct net_change *change)
{
	if (ni->all_changed)
		return;
	if (change->kind == NET_CHANGE_ALL || ni->nr_changes == NETINFO_MAX_CHANGES) {
		ni->all_changed = true;
		ni->nr_changes = 0;
		return;
	}
	ni->changes[(ni->first_change + ni->nr_changes++) % NETINFO_MAX_CHANGES] = *change;
}

bool netinfo__next_change(struct netinfo *ni, struct net_change *ret_change)
{
	if (ni->all_changed) {
		ni->all_changed = false;
		*ret_change = (struct net_change){ .kind = NET_CHANGE_ALL };
		return true;
	}
	if (!ni->nr_changes)
		return false;
	*ret_change = ni->changes[ni->first_change];
	ni->first_change = (ni->first_change + 1) % NETINFO_MAX_CHANGES;
	ni->nr_changes--;
	return true;
}

/* What a path is made of (its name too: a configuration may name it); counters, carrier and XDP programs are not. */
static bool link_entry__same_path(const struct link_entry *a, const struct link_entry *b)
{
	return a->link.is_up == b->link.is_up && a->link.mtu == b->link.mtu && a->link.master == b->link.master &&
	       a->link.peer_nsid == b->link.peer_nsid && a->is_noarp == b->is_noarp &&
	       memcmp(a->link.mac, b->link.mac, sizeof(a->link.mac)) == 0 && strcmp(a->link.kind, b->link.kind) == 0 &&
	       strcmp(a->link.name, b->link.name) == 0;
}

static bool link_entry__same_stack(const struct link_entry *a, const struct link_entry *b)
{
	return a->link.master == b->link.master && a->link.lower == b->link.lower &&
	       memcmp(a->link.mac, b->link.mac, sizeof(a->link.mac)) == 0;
}

static void apply_link(struct netinfo *ni, const struct nlmsghdr *nlh)
{
	struct net_change change = { .kind = NET_CHANGE_LINK };
	struct link_entry *entry, old;
	struct msg_link msg;
	bool made;

	/* AF_BRIDGE: a port joined, changed or left; the device's own message tells its master. */
	if (netmsg__link(nlh, &msg) < 0 || msg.family == AF_BRIDGE)
		return;
	change.ifindex = msg.link.ifindex;
	if (nlh->nlmsg_type == RTM_DELLINK) {
		ni->links_epoch++;
		if (netmap__del(&ni->links, &(struct link_key){ .ifindex = msg.link.ifindex }))
			netinfo__changed(ni, &change);
		return;
	}
	entry = netmap__put(&ni->links, &(struct link_key){ .ifindex = msg.link.ifindex }, &made);
	if (!entry)
		return;
	old = *entry;
	entry->link = msg.link;
	entry->is_noarp = msg.is_noarp;
	if (made || !link_entry__same_stack(&old, entry))
		ni->links_epoch++;
	if (made || !link_entry__same_path(&old, entry))
		netinfo__changed(ni, &change);
}

/* Counts devices per address, so that the same address on two devices survives the loss of one. */
static void apply_addr(struct netinfo *ni, const struct nlmsghdr *nlh)
{
	struct addr_key on_device = { .ifindex = 0 }, anywhere = { .ifindex = 0 };
	struct addr_entry *entry;
	struct msg_addr msg;
	bool made;

	if (netmsg__addr(nlh, &msg) < 0 || msg.ifindex == 0)
		return;
	on_device.addr = anywhere.addr = msg.addr;
	on_device.ifindex = msg.ifindex;
	if (nlh->nlmsg_type == RTM_NEWADDR) {
		if (!netmap__put(&ni->addrs, &on_device, &made) || !made)
			return;
		entry = netmap__put(&ni->addrs, &anywhere, &made);
		if (!entry || entry->nr++ != 0)
			return;
	} else {
		if (!netmap__del(&ni->addrs, &on_device))
			return;
		entry = netmap__get(&ni->addrs, &anywhere);
		if (!entry || --entry->nr != 0)
			return;
		netmap__del(&ni->addrs, &anywhere);
	}
	netinfo__changed(ni, &(struct net_change){ .kind = NET_CHANGE_ADDR, .ifindex = msg.ifindex, .addr = msg.addr });
}

static void apply_fdb(struct netinfo *ni, const struct nlmsghdr *nlh, const struct msg_neigh *msg)
{
	struct net_change change = { .kind = NET_CHANGE_FDB, .ifindex = msg->master };
	struct fdb_key key = { .bridge = msg->master, .vlan = msg->vlan };
	struct fdb_entry *entry;
	bool made;

	/* Entries of a device itself (its address filter, a tunnel's peers) and the bridge's own addresses lead to no port. */
	if (!msg->master || (msg->state & NUD_PERMANENT))
		return;
	memcpy(key.mac, msg->mac, sizeof(key.mac));
	memcpy(change.mac, msg->mac, sizeof(change.mac));
	if (nlh->nlmsg_type == RTM_DELNEIGH) {
		if (netmap__del(&ni->fdb, &key))
			netinfo__changed(ni, &change);
		return;
	}
	entry = netmap__put(&ni->fdb, &key, &made);
	if (!entry || entry->port == msg->ifindex)
		return;
	entry->port = msg->ifindex;
	netinfo__changed(ni, &change);
}

static void apply_neigh(struct netinfo *ni, const struct nlmsghdr *nlh)
{
	struct net_change change = { .kind = NET_CHANGE_NEIGH };
	struct neigh_key key = { .ifindex = 0 };
	struct neigh_entry *entry;
	struct msg_neigh msg;
	bool made;

	if (netmsg__neigh(nlh, &msg) < 0)
		return;
	if (msg.family == AF_BRIDGE) {
		apply_fdb(ni, nlh, &msg);
		return;
	}
	key.ifindex = change.ifindex = msg.ifindex;
	key.addr = change.addr = msg.addr;
	/* Only usable entries are kept: a scan of absent addresses fills the kernel's table, not this one. */
	if (nlh->nlmsg_type == RTM_DELNEIGH || !msg.has_mac || !(msg.state & NUD_HAS_MAC)) {
		if (netmap__del(&ni->neighs, &key))
			netinfo__changed(ni, &change);
		return;
	}
	entry = netmap__put(&ni->neighs, &key, &made);
	if (!entry || (!made && memcmp(entry->mac, msg.mac, sizeof(entry->mac)) == 0))
		return;
	memcpy(entry->mac, msg.mac, sizeof(entry->mac));
	netinfo__changed(ni, &change);
}

static void apply_route(struct netinfo *ni, const struct nlmsghdr *nlh)
{
	struct msg_route msg;

	if (netmsg__route(nlh, &msg) < 0 || msg.is_cloned || msg.type == RTN_MULTICAST || msg.type == RTN_BROADCAST)
		return;
	netinfo__changed(ni,
			 &(struct net_change){
				 .kind = NET_CHANGE_ROUTE, .ifindex = msg.oif, .addr = msg.dst, .prefix_len = msg.prefix_len });
}

int netinfo__apply(const struct nlmsghdr *nlh, void *arg)
{
	struct netinfo *ni = arg;

	switch (nlh->nlmsg_type) {
	case RTM_NEWLINK:
	case RTM_DELLINK:
		apply_link(ni, nlh);
		break;
	case RTM_NEWADDR:
	case RTM_DELADDR:
		apply_addr(ni, nlh);
		break;
	case RTM_NEWNEIGH:
	case RTM_DELNEIGH:
		apply_neigh(ni, nlh);
		break;
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
		apply_route(ni, nlh);
		break;
	case RTM_NEWRULE:
	case RTM_DELRULE:
		netinfo__changed(ni, &(struct net_change){ .kind = NET_CHANGE_ALL });
		break;
	default:
		break;
	}
	return MNL_CB_OK;
}

bool netinfo__is_local(const struct netinfo *ni, const struct ip_addr *addr)
{
	static const uint8_t loopback6[16] = { [15] = 1 };
	struct addr_key key = { .addr = *addr };

	if (addr->family == 4 && addr->bytes[0] == 127)
		return true;
	if (addr->family == 6 && memcmp(addr->bytes, loopback6, sizeof(loopback6)) == 0)
		return true;
	return netmap__get(&ni->addrs, &key) != NULL;
}
