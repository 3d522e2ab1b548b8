// SPDX-License-Identifier: BSD-2-Clause
/*
 * What run.sh needs beside the shell:
 *	agent fill PINS COUNT VIP4 VIPS PORT	COUNT established TCP flows, made by running the pinned TC program on their first packets
 *	agent first ADDRESS PORT		a UDP request each 10 ms; prints CLOCK_REALTIME (ns) of the first answer
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define TRY_MS 10
#define MAX_TRIES 3000

struct frame {
	struct ethhdr eth;
	struct iphdr ip;
	struct tcphdr tcp;
} __attribute__((packed));

static uint16_t ip_checksum(const void *header)
{
	const uint8_t *bytes = header;
	uint32_t sum = 0;

	for (size_t i = 0; i < sizeof(struct iphdr); i += 2)
		sum += (uint32_t)bytes[i] << 8 | bytes[i + 1];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons((uint16_t)~sum);
}

/* The TCP checksum is translated, never looked at: it stays zero. */
static int send_one(int prog_fd, struct frame *f, uint32_t client, uint32_t vip, uint16_t port, int is_syn)
{
	uint8_t out[256];
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = f, .data_size_in = sizeof(*f), .data_out = out,
		    .data_size_out = sizeof(out));

	/* 16384 ports of each client address in 11.0.0.0/8 */
	f->ip.saddr = htonl(0x0b000001u + (client >> 14));
	f->ip.daddr = htonl(vip);
	f->ip.check = 0;
	f->ip.check = ip_checksum(&f->ip);
	f->tcp.source = htons((uint16_t)(1024 + (client & 16383)));
	f->tcp.dest = htons(port);
	f->tcp.syn = is_syn ? 1 : 0;
	f->tcp.ack = is_syn ? 0 : 1;
	return bpf_prog_test_run_opts(prog_fd, &opts);
}

static int fill(char **argv)
{
	struct frame f = { .eth = { .h_proto = htons(ETH_P_IP) },
			   .ip = { .version = 4, .ihl = 5, .ttl = 64, .protocol = IPPROTO_TCP, .tot_len = htons(40) },
			   .tcp = { .doff = 5, .window = htons(1024) } };
	uint32_t count = (uint32_t)strtoul(argv[1], NULL, 0), vips = (uint32_t)strtoul(argv[3], NULL, 0);
	uint16_t port = (uint16_t)atoi(argv[4]);
	struct in_addr first;
	char path[512];
	int fd;

	if (inet_pton(AF_INET, argv[2], &first) != 1 || !vips || !port)
		return 2;
	snprintf(path, sizeof(path), "%s/prog_tc", argv[0]);
	fd = bpf_obj_get(path);
	if (fd < 0) {
		fprintf(stderr, "agent fill: %s: %s\n", path, strerror(-fd));
		return 1;
	}
	for (uint32_t i = 0; i < count; i++) {
		int code = send_one(fd, &f, i, ntohl(first.s_addr) + i % vips, port, 1);

		if (!code)
			code = send_one(fd, &f, i, ntohl(first.s_addr) + i % vips, port, 0);
		if (code) {
			fprintf(stderr, "agent fill: running %s: %s\n", path, strerror(-code));
			return 1;
		}
	}
	close(fd);
	return 0;
}

static int first(char **argv)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[1])) };
	struct pollfd poller = { .fd = socket(AF_INET, SOCK_DGRAM, 0), .events = POLLIN };
	char buffer[64] = "first";

	if (poller.fd < 0 || inet_pton(AF_INET, argv[0], &to.sin_addr) != 1)
		return 2;
	for (int i = 0; i < MAX_TRIES; i++) {
		struct timespec now;

		/* "no route" before the attachment is no answer */
		(void)sendto(poller.fd, buffer, sizeof(buffer), 0, (struct sockaddr *)&to, sizeof(to));
		if (poll(&poller, 1, TRY_MS) <= 0 || recv(poller.fd, buffer, sizeof(buffer), MSG_DONTWAIT) < 0)
			continue;
		clock_gettime(CLOCK_REALTIME, &now);
		printf("%lld%09ld\n", (long long)now.tv_sec, now.tv_nsec);
		close(poller.fd);
		return 0;
	}
	fprintf(stderr, "agent first: no answer from %s\n", argv[0]);
	return 1;
}

int main(int argc, char **argv)
{
	if (argc == 7 && !strcmp(argv[1], "fill"))
		return fill(argv + 2);
	if (argc == 4 && !strcmp(argv[1], "first"))
		return first(argv + 2);
	fprintf(stderr, "usage: agent fill PINS COUNT VIP4 VIPS PORT | agent first ADDRESS PORT\n");
	return 2;
}
