// SPDX-License-Identifier: BSD-2-Clause
/* Calls agent/netinfo.h and agent/netns inside a test's namespace and prints what came back as key=value lines. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "agent/clock.h"
#include "agent/netinfo.h"

static int fail(const struct pintle_err *err)
{
	printf("error=%d message=%s\n", err->code, err->msg);
	return 1;
}

static void print_mac(const char *name, const uint8_t mac[6])
{
	printf("%s=%02x:%02x:%02x:%02x:%02x:%02x\n", name, mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
}

/* Processes notifications for at most `ms` or until `addr` has a path with MACs. */
static int wait_path(struct netinfo *ni, const struct ip_addr *addr, const char *device, int ms, struct net_path *path,
		     struct pintle_err *err)
{
	uint64_t end_ns = clock__monotonic_ns() + (uint64_t)ms * 1000000;

	for (;;) {
		struct pollfd poller = { .fd = netinfo__fd(ni), .events = POLLIN };
		bool changed;
		int ret = netinfo__path(ni, addr, device, path, err);

		if (ret < 0 || path->has_macs || path->is_local || path->has_gateway || clock__monotonic_ns() >= end_ns)
			return ret;
		poll(&poller, 1, 20);
		ret = netinfo__process(ni, &changed, err);
		if (ret < 0)
			return ret;
	}
}

static int print_path(struct netinfo *ni, const char *text, const char *device, int ms)
{
	struct pintle_err err = { 0 };
	struct net_link link;
	struct net_path path;
	struct ip_addr addr;

	if (ip_addr__parse(text, &addr) < 0)
		return 2;
	if (wait_path(ni, &addr, device, ms, &path, &err) < 0)
		return fail(&err);
	printf("local=%d gateway=%d veth=%d macs=%d mtu=%u\n", path.is_local, path.has_gateway, path.is_veth, path.has_macs,
	       path.mtu);
	if (netinfo__link_by_index(ni, path.oif, &link, &err) == 0)
		printf("oif=%s\n", link.name);
	if (netinfo__link_by_index(ni, path.ifindex, &link, &err) == 0)
		printf("dev=%s\n", link.name);
	print_mac("dmac", path.dmac);
	print_mac("smac", path.smac);
	return 0;
}

static int print_link(struct netinfo *ni, const char *name)
{
	struct pintle_err err = { 0 };
	struct net_counters counters;
	struct net_link link;

	if (netinfo__link_by_name(ni, name, &link, &err) < 0 || netinfo__counters(ni, link.ifindex, &counters, &err) < 0)
		return fail(&err);
	printf("name=%s kind=%s driver=%s mtu=%u up=%d master=%u peer=%u nsid=%d xdp=%u\n", link.name, link.kind, link.driver,
	       link.mtu, link.is_up, link.master, link.peer_ifindex, link.peer_nsid, link.xdp_prog_id);
	print_mac("mac", link.mac);
	printf("tx_packets=%llu rx_packets=%llu\n", (unsigned long long)counters.tx_packets,
	       (unsigned long long)counters.rx_packets);
	return 0;
}

static int watch(struct netinfo *ni, int ms)
{
	static const char *const kinds[] = { "all", "link", "addr", "neigh", "fdb", "route" };
	uint64_t end_ns = clock__monotonic_ns() + (uint64_t)ms * 1000000;
	struct net_change change;
	struct pintle_err err;
	char text[64];
	bool changed;

	printf("ready\n");
	fflush(stdout);
	while (clock__monotonic_ns() < end_ns) {
		struct pollfd poller = { .fd = netinfo__fd(ni), .events = POLLIN };

		poll(&poller, 1, 20);
		if (netinfo__process(ni, &changed, &err) < 0)
			return fail(&err);
		while (netinfo__next_change(ni, &change)) {
			ip_addr__format(&change.addr, text, sizeof(text));
			printf("%s ifindex=%u addr=%s/%u\n", kinds[change.kind], change.ifindex,
			       change.addr.family ? text : "-", change.prefix_len);
		}
	}
	return 0;
}

/* Lets the notification queue run over while the test changes things, then asks. */
static int overrun(struct netinfo *ni, const char *text)
{
	struct net_change change = { .kind = NET_CHANGE_LINK };
	struct pintle_err err;
	int bytes = 1;
	bool changed = false;

	if (setsockopt(netinfo__fd(ni), SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes)) < 0)
		return 2;
	printf("ready\n");
	fflush(stdout);
	if (getchar() == EOF)
		return 2;
	if (netinfo__process(ni, &changed, &err) < 0)
		return fail(&err);
	netinfo__next_change(ni, &change);
	printf("changed=%d all=%d\n", changed, change.kind == NET_CHANGE_ALL);
	return print_path(ni, text, "", 0);
}

static int gro(int argc, char **argv)
{
	const char *netns = argc > 4 ? argv[4] : NULL;
	struct pintle_err err;
	bool on = false;

	if (strcmp(argv[2], "get") == 0) {
		if (netns__get_gro(netns, argv[3], &on, &err) < 0)
			return fail(&err);
		printf("gro=%s\n", on ? "on" : "off");
		return 0;
	}
	return netns__set_gro(netns, argv[3], strcmp(argv[2], "on") == 0, &err) < 0 ? fail(&err) : 0;
}

int main(int argc, char **argv)
{
	struct pintle_err err;
	struct ip_addr addr;
	struct netinfo *ni;
	int ret = 2;

	if (argc >= 4 && strcmp(argv[1], "gro") == 0)
		return gro(argc, argv);
	if (argc < 3 || netinfo__open(&ni, &err) < 0)
		return 2;
	if (strcmp(argv[1], "path") == 0)
		ret = print_path(ni, argv[2], argc > 3 ? argv[3] : "", 3000);
	else if (strcmp(argv[1], "link") == 0)
		ret = print_link(ni, argv[2]);
	else if (strcmp(argv[1], "watch") == 0)
		ret = watch(ni, atoi(argv[2]));
	else if (strcmp(argv[1], "overrun") == 0)
		ret = overrun(ni, argv[2]);
	else if (strcmp(argv[1], "local") == 0 && ip_addr__parse(argv[2], &addr) == 0)
		ret = printf("local=%d\n", netinfo__is_local(ni, &addr)) < 0;
	netinfo__close(ni);
	return ret;
}
