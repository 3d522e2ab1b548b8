// SPDX-License-Identifier: BSD-2-Clause
/* Sockets: one that only hears notifications, one that only asks, so that an answer is never mixed with news. */
#include "agent/netinfo.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "agent/netinfo_impl.h"

#define NETINFO_MAX_LINKS 65536u
#define NETINFO_MAX_ADDRS 262144u
#define NETINFO_MAX_NEIGHS 1048576u
#define NETINFO_EVENT_BYTES (4 << 20) /* receive buffer: about 10000 notifications */
#define NETINFO_MAX_READS 256	      /* of one netinfo__process(): a flood leaves time for other work */
#define NETINFO_DUMP_TRIES 5	      /* a dump that changed while it was read is read again */
#define NETINFO_ANSWER_S 2

static int ask__run(struct netinfo *ni, uint32_t seq, int (*answer)(const struct nlmsghdr *, void *), void *arg)
{
	for (;;) {
		ssize_t bytes = mnl_socket_recvfrom(ni->ask, ni->buf, sizeof(ni->buf));
		const struct nlmsghdr *nlh = (const struct nlmsghdr *)ni->buf;
		int ret;

		if (bytes < 0 && errno == EINTR)
			continue;
		if (bytes < 0)
			return errno == EAGAIN ? -ETIMEDOUT : -errno;
		/* What is left of a question that timed out. A datagram holds answers to one question. */
		if ((size_t)bytes >= sizeof(*nlh) && nlh->nlmsg_seq != seq)
			continue;
		ret = mnl_cb_run(ni->buf, (size_t)bytes, seq, ni->ask_port, answer, arg);
		if (ret < 0)
			return errno ? -errno : -EPROTO;
		if (ret == MNL_CB_STOP)
			return 0;
	}
}

int netinfo__ask(struct netinfo *ni, struct nlmsghdr *nlh, uint16_t flags, int (*answer)(const struct nlmsghdr *, void *),
		 void *arg)
{
	uint32_t seq = ++ni->seq;

	nlh->nlmsg_seq = seq;
	nlh->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags | ((flags & NLM_F_DUMP) == NLM_F_DUMP ? 0 : NLM_F_ACK));
	if (mnl_socket_sendto(ni->ask, nlh, nlh->nlmsg_len) < 0)
		return -errno;
	return ask__run(ni, seq, answer, arg);
}

static int dump(struct netinfo *ni, uint16_t type, uint8_t family)
{
	int ret = 0;

	for (int i = 0; i < NETINFO_DUMP_TRIES; i++) {
		uint8_t buf[256] __attribute__((aligned(8)));
		struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);

		nlh->nlmsg_type = type;
		if (type == RTM_GETLINK) {
			struct ifinfomsg *ifi = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifi));

			ifi->ifi_family = family;
			mnl_attr_put_u32(nlh, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
		} else if (type == RTM_GETADDR) {
			((struct ifaddrmsg *)mnl_nlmsg_put_extra_header(nlh, sizeof(struct ifaddrmsg)))->ifa_family = family;
		} else {
			((struct ndmsg *)mnl_nlmsg_put_extra_header(nlh, sizeof(struct ndmsg)))->ndm_family = family;
		}
		ret = netinfo__ask(ni, nlh, NLM_F_DUMP, netinfo__apply, ni);
		if (ret != -EINTR)
			return ret;
	}
	return ret;
}

/* Fills the cache anew. An entry that a notification, still unread, will take away again is harmless: it does so when it is read. */
static int dump_all(struct netinfo *ni, struct pintle_err *err)
{
	static const struct {
		uint16_t type;
		uint8_t family;
		const char *what;
	} dumps[] = {
		{ RTM_GETLINK, AF_UNSPEC, "links" },
		{ RTM_GETADDR, AF_UNSPEC, "addresses" },
		{ RTM_GETNEIGH, AF_UNSPEC, "neighbours" },
		{ RTM_GETNEIGH, AF_BRIDGE, "bridge forwarding entries" },
	};

	netmap__clear(&ni->links);
	netmap__clear(&ni->addrs);
	netmap__clear(&ni->neighs);
	netmap__clear(&ni->fdb);
	netinfo__changed(ni, &(struct net_change){ .kind = NET_CHANGE_ALL });
	for (size_t i = 0; i < sizeof(dumps) / sizeof(dumps[0]); i++) {
		int ret = dump(ni, dumps[i].type, dumps[i].family);

		if (ret == -EOPNOTSUPP && dumps[i].family == AF_BRIDGE)
			continue; /* a kernel without bridges */
		if (ret < 0)
			return pintle_err__set(err, ret, "netlink: cannot list %s: %s", dumps[i].what, strerror(-ret));
	}
	return 0;
}

static int subscribe(struct netinfo *ni)
{
	static const int groups[] = { RTNLGRP_LINK,	  RTNLGRP_NEIGH,      RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR,
				      RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE, RTNLGRP_IPV4_RULE,   RTNLGRP_IPV6_RULE };
	int fd = mnl_socket_get_fd(ni->events), bytes = NETINFO_EVENT_BYTES;

	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) < 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes)); /* a small one only means an earlier re-dump */
	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
		int group = groups[i];

		if (mnl_socket_setsockopt(ni->events, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) < 0)
			return -errno;
	}
	return 0;
}

static int open_sockets(struct netinfo *ni)
{
	struct timeval answer = { .tv_sec = NETINFO_ANSWER_S };

	ni->events = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK);
	ni->ask = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	ni->ioctl_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (!ni->events || !ni->ask || ni->ioctl_fd < 0)
		return -errno;
	if (mnl_socket_bind(ni->events, 0, MNL_SOCKET_AUTOPID) < 0 || mnl_socket_bind(ni->ask, 0, MNL_SOCKET_AUTOPID) < 0)
		return -errno;
	if (setsockopt(mnl_socket_get_fd(ni->ask), SOL_SOCKET, SO_RCVTIMEO, &answer, sizeof(answer)) < 0)
		return -errno;
	ni->ask_port = mnl_socket_get_portid(ni->ask);
	return 0;
}

/* Without the cache and the notifications: enough for single questions. */
int netinfo__open_ask(struct netinfo **ret_ni, struct pintle_err *err)
{
	struct netinfo *ni = calloc(1, sizeof(*ni));
	uint64_t seed = 0;
	int ret;

	if (!ni)
		return pintle_err__set(err, -ENOMEM, "no memory for the network cache");
	ni->ioctl_fd = -1;
	if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed)) {
		free(ni);
		return pintle_err__set(err, -EIO, "no random numbers from the kernel");
	}
	netmap__init(&ni->links, sizeof(struct link_key), sizeof(struct link_entry), NETINFO_MAX_LINKS, seed);
	netmap__init(&ni->addrs, sizeof(struct addr_key), sizeof(struct addr_entry), NETINFO_MAX_ADDRS, seed);
	netmap__init(&ni->neighs, sizeof(struct neigh_key), sizeof(struct neigh_entry), NETINFO_MAX_NEIGHS, seed);
	netmap__init(&ni->fdb, sizeof(struct fdb_key), sizeof(struct fdb_entry), NETINFO_MAX_NEIGHS, seed);
	ret = open_sockets(ni);
	if (ret < 0) {
		netinfo__close(ni);
		return pintle_err__set(err, ret, "netlink: cannot open a socket: %s", strerror(-ret));
	}
	*ret_ni = ni;
	return 0;
}

int netinfo__open(struct netinfo **ret_ni, struct pintle_err *err)
{
	struct netinfo *ni;
	int ret = netinfo__open_ask(&ni, err);

	if (ret < 0)
		return ret;
	ret = subscribe(ni);
	if (ret < 0)
		pintle_err__set(err, ret, "netlink: cannot subscribe to notifications: %s", strerror(-ret));
	else
		ret = dump_all(ni, err);
	if (ret < 0) {
		netinfo__close(ni);
		return ret;
	}
	ni->all_changed = false; /* the first look is the caller's own */
	*ret_ni = ni;
	return 0;
}

void netinfo__close(struct netinfo *ni)
{
	if (!ni)
		return;
	if (ni->events)
		mnl_socket_close(ni->events);
	if (ni->ask)
		mnl_socket_close(ni->ask);
	if (ni->ioctl_fd >= 0)
		close(ni->ioctl_fd);
	netmap__clear(&ni->links);
	netmap__clear(&ni->addrs);
	netmap__clear(&ni->neighs);
	netmap__clear(&ni->fdb);
	free(ni);
}

int netinfo__fd(const struct netinfo *ni)
{
	return mnl_socket_get_fd(ni->events);
}

int netinfo__process(struct netinfo *ni, bool *ret_changed, struct pintle_err *err)
{
	int ret = 0;

	for (int i = 0; i < NETINFO_MAX_READS; i++) {
		ssize_t bytes = mnl_socket_recvfrom(ni->events, ni->event_buf, sizeof(ni->event_buf));

		if (bytes < 0 && errno == EINTR)
			continue;
		if (bytes < 0 && errno == EAGAIN)
			break;
		if (bytes < 0 && (errno == ENOBUFS || errno == ENOSPC))
			ret = dump_all(ni, err); /* lost some, or one was larger than the buffer */
		else if (bytes < 0)
			ret = pintle_err__set(err, -errno, "netlink: cannot read notifications: %s", strerror(errno));
		else
			mnl_cb_run(ni->event_buf, (size_t)bytes, 0, 0, netinfo__apply, ni); /* torn messages are skipped */
		if (ret < 0)
			return ret;
	}
	*ret_changed = ni->all_changed || ni->nr_changes;
	return 0;
}
