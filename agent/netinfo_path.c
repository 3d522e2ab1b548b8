// SPDX-License-Identifier: BSD-2-Clause
/* From an address to the device and MACs that lead there. */
#include <errno.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

#include "agent/netinfo_impl.h"

#define ADDR_TEXT_BYTES 48

static uint8_t addr_family(const struct ip_addr *addr)
{
	return addr->family == 4 ? AF_INET : AF_INET6;
}

static uint16_t addr_bytes(const struct ip_addr *addr)
{
	return addr->family == 4 ? 4 : 16;
}

static int answer_route(const struct nlmsghdr *nlh, void *arg)
{
	struct msg_route *route = arg, msg;

	if (netmsg__route(nlh, &msg) == 0)
		*route = msg;
	return MNL_CB_OK;
}

static int ask_route(struct netinfo *ni, const struct ip_addr *addr, struct msg_route *ret)
{
	uint8_t buf[128] __attribute__((aligned(8)));
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct rtmsg *rtm;
	int err;

	nlh->nlmsg_type = RTM_GETROUTE;
	rtm = mnl_nlmsg_put_extra_header(nlh, sizeof(*rtm));
	rtm->rtm_family = addr_family(addr);
	rtm->rtm_dst_len = addr->family == 4 ? 32 : 128;
	mnl_attr_put(nlh, RTA_DST, addr_bytes(addr), addr->bytes);
	memset(ret, 0, sizeof(*ret));
	err = netinfo__ask(ni, nlh, 0, answer_route, ret);
	if (err < 0)
		return err;
	switch (ret->type) {
	case RTN_UNICAST:
	case RTN_LOCAL:
		return ret->oif ? 0 : -ENETUNREACH;
	default: /* unreachable, blackhole, prohibit, broadcast, multicast: IPv6 answers with the type instead of an error */
		return -ENETUNREACH;
	}
}

/* Asks the kernel to resolve (`mac` NULL) or to confirm a neighbour now. The outcome comes as a notification; a device that cannot ask
 * refuses, which changes nothing here. */
static void probe_neigh(struct netinfo *ni, uint32_t oif, const struct ip_addr *addr, const uint8_t *mac)
{
	uint8_t buf[128] __attribute__((aligned(8)));
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct ndmsg *ndm;

	nlh->nlmsg_type = RTM_NEWNEIGH;
	ndm = mnl_nlmsg_put_extra_header(nlh, sizeof(*ndm));
	ndm->ndm_family = addr_family(addr);
	ndm->ndm_ifindex = (int)oif;
	mnl_attr_put(nlh, NDA_DST, addr_bytes(addr), addr->bytes);
	if (mac) {
		ndm->ndm_state = NUD_PROBE;
		mnl_attr_put(nlh, NDA_LLADDR, 6, mac);
	} else {
		ndm->ndm_state = NUD_NONE;
		ndm->ndm_flags = NTF_USE;
	}
	netinfo__ask(ni, nlh, mac ? NLM_F_REPLACE : NLM_F_CREATE | NLM_F_REPLACE, NULL, NULL);
}

/* A bridge with VLAN filtering learns in its ports' default VLAN, 1 unless changed; others in none. */
static const struct fdb_entry *find_port(const struct netinfo *ni, uint32_t bridge, const uint8_t mac[6])
{
	struct fdb_key key = { .bridge = bridge };
	const struct fdb_entry *entry;

	memcpy(key.mac, mac, sizeof(key.mac));
	entry = netmap__get(&ni->fdb, &key);
	if (!entry) {
		key.vlan = 1;
		entry = netmap__get(&ni->fdb, &key);
	}
	return entry;
}

static void resolve_macs(struct netinfo *ni, const struct ip_addr *addr, const struct link_entry *out_link,
			 struct net_path *path)
{
	struct neigh_key key = { .ifindex = path->oif, .addr = *addr };
	const struct neigh_entry *neigh;
	const struct fdb_entry *port;

	if (out_link->is_noarp || !out_link->link.is_up)
		return;
	neigh = netmap__get(&ni->neighs, &key);
	if (!neigh) {
		probe_neigh(ni, path->oif, addr, NULL);
		return;
	}
	if (strcmp(out_link->link.kind, "bridge") == 0 && path->ifindex == path->oif) {
		port = find_port(ni, path->oif, neigh->mac);
		if (!port) {
			probe_neigh(ni, path->oif, addr, neigh->mac);
			return;
		}
		path->ifindex = port->port;
	}
	memcpy(path->dmac, neigh->mac, sizeof(path->dmac));
	memcpy(path->smac, out_link->link.mac, sizeof(path->smac));
	path->has_macs = true;
}

static int no_route(const struct ip_addr *addr, int code, struct pintle_err *err)
{
	char text[ADDR_TEXT_BYTES];

	ip_addr__format(addr, text, sizeof(text));
	if (code == -ENETUNREACH || code == -EHOSTUNREACH || code == -EACCES || code == -EINVAL)
		return pintle_err__set(err, -EHOSTUNREACH, "no route to pod %s (%s): is it on this node? see `ip route get %s`",
				       text, strerror(-code), text);
	return pintle_err__set(err, code, "cannot ask the kernel for the route to pod %s: %s", text, strerror(-code));
}

/* `device` as configured: a bridge's port sends with the bridge's address and neighbours. */
static int path_of_device(struct netinfo *ni, const char *device, struct net_path *path, struct pintle_err *err)
{
	const struct link_entry *entry = netinfo__link_named(ni, device), *master;

	if (!entry)
		return pintle_err__set(err, -ENODEV, "device %s does not exist", device);
	path->oif = path->ifindex = entry->link.ifindex;
	if (!entry->link.master)
		return 0;
	master = netinfo__link(ni, entry->link.master);
	if (master && strcmp(master->link.kind, "bridge") == 0)
		path->oif = master->link.ifindex;
	return 0;
}

int netinfo__path(struct netinfo *ni, const struct ip_addr *addr, const char *device, struct net_path *ret_path,
		  struct pintle_err *err)
{
	struct net_path path = { .is_local = netinfo__is_local(ni, addr) };
	struct link_entry out_link;
	const struct link_entry *entry;
	struct msg_route route;
	int ret;

	if (device && device[0] && !path.is_local) {
		ret = path_of_device(ni, device, &path, err);
		if (ret < 0)
			return ret;
	} else {
		ret = ask_route(ni, addr, &route);
		if (ret < 0)
			return no_route(addr, ret, err);
		path.oif = path.ifindex = route.oif;
		path.has_gateway = route.has_gateway;
		path.is_local |= route.type == RTN_LOCAL;
	}
	entry = netinfo__link(ni, path.oif);
	if (!entry)
		return pintle_err__set(err, -ENODEV, "the device of the route (index %u) has gone", path.oif);
	out_link = *entry;
	path.mtu = out_link.link.mtu;
	path.is_noarp = out_link.is_noarp;
	if (!path.is_local && !path.has_gateway)
		resolve_macs(ni, addr, &out_link, &path);
	entry = netinfo__link(ni, path.ifindex);
	if (!entry)
		return pintle_err__set(err, -ENODEV, "the pod's device (index %u) has gone", path.ifindex);
	path.is_veth = strcmp(entry->link.kind, "veth") == 0;
	*ret_path = path;
	return 0;
}
