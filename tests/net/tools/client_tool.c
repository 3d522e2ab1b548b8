// SPDX-License-Identifier: BSD-2-Clause
/*
 * What a client does that shells cannot: `ttl ADDRESS PORT` sends a datagram with TTL 1 and expects to be told that its time was exceeded;
 * `reuse PORT ADDRESS PORT...` connects from one local port to each remote in turn, five times over, and resets each connection;
 * `spoof ADDRESS PORT` keeps eight connections to an echo server, sends an RST and then a SYN with wild sequence numbers in the name of each, as a
 * stranger would, and expects that all of them still answer (root).
 * IPv4. Exit status: 0 as expected, 1 otherwise, 2 wrong arguments.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
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

static bool echoes(int fd, char c)
{
	char back = 0;

	return send(fd, &c, 1, MSG_NOSIGNAL) == 1 && recv(fd, &back, 1, 0) == 1 && back == c;
}

static uint32_t sum_words(const void *data, size_t bytes)
{
	uint32_t sum = 0;
	uint16_t word;

	for (size_t i = 0; i < bytes; i += sizeof(word)) {
		memcpy(&word, (const char *)data + i, sizeof(word));
		sum += word;
	}
	return sum;
}

/* A segment without payload from `from`, with the kernel's IP header. */
static bool send_segment(int raw, const struct sockaddr_in *from, const struct sockaddr_in *to, bool is_syn, uint32_t seq)
{
	struct tcphdr tcp = { .source = from->sin_port, .dest = to->sin_port, .doff = 5, .window = htons(1000) };
	struct sockaddr_in ip = { .sin_family = AF_INET, .sin_addr = to->sin_addr };
	uint32_t sum;

	tcp.seq = seq;
	tcp.syn = is_syn;
	tcp.rst = !is_syn;
	sum = sum_words(&tcp, sizeof(tcp)) + sum_words(&from->sin_addr, 4) + sum_words(&to->sin_addr, 4) + htons(IPPROTO_TCP) +
	      htons(sizeof(tcp));
	sum = (sum & 0xffff) + (sum >> 16);
	tcp.check = (uint16_t) ~((sum & 0xffff) + (sum >> 16));
	return sendto(raw, &tcp, sizeof(tcp), 0, (const struct sockaddr *)&ip, sizeof(ip)) == sizeof(tcp);
}

#define SPOOFED 8

static int survive_spoofing(const struct sockaddr_in *remote)
{
	int fds[SPOOFED], raw = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_TCP), lost = 0;

	for (int i = 0; i < SPOOFED; i++) {
		fds[i] = open_socket(SOCK_STREAM);
		if (connect(fds[i], (const struct sockaddr *)remote, sizeof(*remote)) || !echoes(fds[i], 'a')) {
			perror("connect");
			return 1;
		}
	}
	for (int i = 0; i < SPOOFED; i++) {
		struct sockaddr_in own;
		socklen_t bytes = sizeof(own);

		if (getsockname(fds[i], (struct sockaddr *)&own, &bytes) ||
		    !send_segment(raw, &own, remote, false, 0x12345678) || !send_segment(raw, &own, remote, true, 0x9abcdef0)) {
			perror("raw socket");
			return 1;
		}
	}
	for (int i = 0; i < SPOOFED; i++) {
		lost += !echoes(fds[i], 'b');
		close(fds[i]);
	}
	printf("%d of %d connections lost\n", lost, SPOOFED);
	close(raw);
	return lost ? 1 : 0;
}

int main(int argc, char **argv)
{
	struct sockaddr_in addr = { 0 };

	if (argc == 4 && !strcmp(argv[1], "ttl") && parse_remote(&argv[2], &addr))
		return expect_ttl_exceeded(&addr);
	if (argc == 4 && !strcmp(argv[1], "spoof") && parse_remote(&argv[2], &addr))
		return survive_spoofing(&addr);
	if (argc >= 5 && argc % 2 == 1 && !strcmp(argv[1], "reuse") && parse_port(argv[2], &addr))
		return reuse_port(&addr, &argv[3], (argc - 3) / 2);
	fprintf(stderr, "usage: client_tool ttl ADDRESS PORT | client_tool reuse PORT ADDRESS PORT...\n");
	return 2;
}
