// SPDX-License-Identifier: BSD-2-Clause
/*
 * What a client does that shells cannot: `ttl ADDRESS PORT` sends a datagram with TTL 1 and expects to be told that its time was exceeded;
 * `reuse PORT ADDRESS PORT...` connects from one local port to each remote in turn, five times over, and resets each connection.
 * IPv4. Exit status: 0 as expected, 1 otherwise, 2 wrong arguments.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define ROUNDS 5
#define WAIT_S 5

static bool parse_port(const char *text, struct sockaddr_in *ret)
{
	char *end;
	unsigned long port = strtoul(text, &end, 10);

	if (!*text || *end || port == 0 || port > UINT16_MAX)
		return false;
	ret->sin_family = AF_INET;
	ret->sin_port = htons((uint16_t)port);
	return true;
}

static bool parse_remote(char *const args[2], struct sockaddr_in *ret)
{
	return inet_pton(AF_INET, args[0], &ret->sin_addr) == 1 && parse_port(args[1], ret);
}

static int open_socket(int type)
{
	const struct timeval wait = { .tv_sec = WAIT_S };
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)) ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait))) {
		perror("socket");
		exit(1);
	}
	return fd;
}

static int expect_ttl_exceeded(const struct sockaddr_in *remote)
{
	const int ttl = 1, on = 1;
	int fd = open_socket(SOCK_DGRAM), ret = 1;
	char answer[100];

	if (setsockopt(fd, IPPROTO_IP, IP_TTL, &ttl, sizeof(ttl)) || setsockopt(fd, IPPROTO_IP, IP_RECVERR, &on, sizeof(on)) ||
	    connect(fd, (const struct sockaddr *)remote, sizeof(*remote)) || send(fd, "x", 1, 0) != 1)
		perror("send");
	else if (recv(fd, answer, sizeof(answer), 0) >= 0)
		fprintf(stderr, "answered in spite of TTL 1\n");
	else if (errno != EHOSTUNREACH) /* what ICMP time exceeded means to a socket that its quote names */
		perror("recv: not told of the time exceeded");
	else
		ret = 0;
	close(fd);
	return ret;
}

/* A connection from `local` to `remote`, ended by a reset so that the port is free at once. */
static bool connect_once(const struct sockaddr_in *local, const struct sockaddr_in *remote)
{
	const struct linger reset = { .l_onoff = 1 };
	const int on = 1;
	int fd = open_socket(SOCK_STREAM);
	bool done;

	done = !setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) &&
	       !setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)) &&
	       !bind(fd, (const struct sockaddr *)local, sizeof(*local)) &&
	       !connect(fd, (const struct sockaddr *)remote, sizeof(*remote));
	if (!done)
		fprintf(stderr, "to port %u: %s\n", ntohs(remote->sin_port), strerror(errno));
	close(fd);
	return done;
}

static int reuse_port(const struct sockaddr_in *local, char **remotes, int nr)
{
	for (int i = 0; i < ROUNDS * nr; i++) {
		struct sockaddr_in remote = { 0 };

		if (!parse_remote(&remotes[i % nr * 2], &remote))
			return 2;
		if (!connect_once(local, &remote))
			return 1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct sockaddr_in addr = { 0 };

	if (argc == 4 && !strcmp(argv[1], "ttl") && parse_remote(&argv[2], &addr))
		return expect_ttl_exceeded(&addr);
	if (argc >= 5 && argc % 2 == 1 && !strcmp(argv[1], "reuse") && parse_port(argv[2], &addr))
		return reuse_port(&addr, &argv[3], (argc - 3) / 2);
	fprintf(stderr, "usage: client_tool ttl ADDRESS PORT | client_tool reuse PORT ADDRESS PORT...\n");
	return 2;
}
