// SPDX-License-Identifier: BSD-2-Clause
/* The raw sockets of reject.h: the header is ours, so that the source can be a VIP that is no address of this node. */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/reject.h"

#ifndef IPV6_HDRINCL
#define IPV6_HDRINCL 36
#endif

struct rejector {
	int fd4, fd6;
};

static int open_raw(int family)
{
	int fd = socket(family, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_RAW);
	int on = 1;

	if (fd >= 0 && family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_HDRINCL, &on, sizeof(on)) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

int rejector__open(struct rejector **ret_rejector, struct pintle_err *err)
{
	struct rejector *r = calloc(1, sizeof(*r));

	if (!r)
		return pintle_err__set(err, -ENOMEM, "rejects: out of memory");
	r->fd4 = open_raw(AF_INET);
	if (r->fd4 < 0) {
		int code = -errno;

		free(r);
		return pintle_err__set(err, code, "rejects: raw socket: %s; it needs CAP_NET_RAW", strerror(-code));
	}
	r->fd6 = open_raw(AF_INET6);
	*ret_rejector = r;
	return 0;
}

void rejector__close(struct rejector *r)
{
	if (!r)
		return;
	close(r->fd4);
	if (r->fd6 >= 0)
		close(r->fd6);
	free(r);
}

int rejector__send(struct rejector *r, const struct pintle_event *event)
{
	uint8_t packet[REJECT_MAX_BYTES];
	struct sockaddr_in6 to6 = { .sin6_family = AF_INET6 };
	struct sockaddr_in to4 = { .sin_family = AF_INET };
	struct ip_addr to;
	size_t bytes;
	ssize_t sent;
	int err = reject__build(event, packet, &bytes, &to);

	if (err)
		return err;
	if (to.family == 4) {
		memcpy(&to4.sin_addr, to.bytes, 4);
		sent = sendto(r->fd4, packet, bytes, MSG_NOSIGNAL, (const struct sockaddr *)&to4, sizeof(to4));
	} else {
		if (r->fd6 < 0)
			return -EAFNOSUPPORT;
		memcpy(&to6.sin6_addr, to.bytes, 16);
		sent = sendto(r->fd6, packet, bytes, MSG_NOSIGNAL, (const struct sockaddr *)&to6, sizeof(to6));
	}
	return sent < 0 ? -errno : 0;
}
