/* SPDX-License-Identifier: BSD-2-Clause */
/* Any bytes as a netlink datagram: what the readers accept keeps its promises. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "agent/netinfo_msg.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void check_link(const struct nlmsghdr *nlh)
{
	struct msg_link msg;

	if (netmsg__link(nlh, &msg) < 0)
		return;
	if (!msg.link.ifindex || !memchr(msg.link.name, 0, sizeof(msg.link.name)) ||
	    !memchr(msg.link.kind, 0, sizeof(msg.link.kind)))
		abort();
	if (msg.link.peer_ifindex && strcmp(msg.link.kind, "veth") != 0)
		abort();
}

static void check_rest(const struct nlmsghdr *nlh)
{
	struct net_counters counters;
	struct msg_neigh neigh;
	struct msg_route route;
	struct msg_addr addr;
	uint32_t ifindex;
	int32_t nsid;

	if (netmsg__addr(nlh, &addr) == 0 && addr.addr.family != 4 && addr.addr.family != 6)
		abort();
	if (netmsg__neigh(nlh, &neigh) == 0 && !neigh.ifindex)
		abort();
	if (netmsg__route(nlh, &route) == 0 && route.prefix_len > (route.dst.family == 4 ? 32 : 128))
		abort();
	netmsg__stats(nlh, &ifindex, &counters);
	netmsg__nsid(nlh, &nsid);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct nlmsghdr *copy, *nlh;
	int left = (int)bytes;

	if (bytes < NLMSG_HDRLEN || bytes > 65536)
		return 0;
	copy = malloc(bytes); /* of exactly that size, and aligned as a buffer is */
	if (!copy)
		return 0;
	memcpy(copy, data, bytes);
	/* mnl_nlmsg_ok() takes a length of 2^31 and more for a negative one; the kernel, which frames the datagrams, sends none. */
	for (nlh = copy; mnl_nlmsg_ok(nlh, left) && nlh->nlmsg_len <= bytes; nlh = mnl_nlmsg_next(nlh, &left)) {
		check_link(nlh);
		check_rest(nlh);
	}
	free(copy);
	return 0;
}
