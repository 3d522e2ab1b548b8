// SPDX-License-Identifier: BSD-2-Clause
/* Numbered datagrams at a constant rate, echoed by the server: what was lost, for how long, in which order the rest came. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "bench/load/load.h"

#define TICK_NS NS_PER_MS
#define DRAIN_NS NS_PER_S /* how long answers are waited for after the last datagram */

struct datagram {
	uint64_t sequence; /* host order: it comes back to who sent it */
	uint64_t sent_ns;
};

static struct udp_run {
	const struct options *options;
	uint64_t start_ns, sent, unsent, received, duplicates, reordered, foreign;
	uint64_t total;	   /* to send */
	uint8_t *seen;	   /* by sequence: 0 not sent, 1 under way, 2 back */
	uint64_t *highest; /* sequence received, by flow */
	uint64_t last_ns, longest_silence_ns, rtt_max_ns;
	double rtt_sum_ns;
	int *fds;
} udp;

static void udp__receive(int fd)
{
	static uint8_t buffer[65536];
	struct datagram head;

	for (;;) {
		ssize_t got = recv(fd, buffer, sizeof(buffer), MSG_DONTWAIT);
		uint64_t now = now_ns(), *highest;

		if (got < 0 && errno == EAGAIN)
			return;
		if (got < 0)
			continue; /* ICMP error of an earlier datagram, which counts as lost */
		memcpy(&head, buffer, sizeof(head));
		if ((size_t)got != udp.options->body_bytes || head.sequence >= udp.total || !udp.seen[head.sequence]) {
			udp.foreign++;
			continue;
		}
		if (udp.seen[head.sequence] == 2) {
			udp.duplicates++;
			continue;
		}
		udp.seen[head.sequence] = 2;
		udp.received++;
		highest = &udp.highest[head.sequence % udp.options->connections];
		if (head.sequence < *highest)
			udp.reordered++;
		else
			*highest = head.sequence;
		if (udp.last_ns && now - udp.last_ns > udp.longest_silence_ns)
			udp.longest_silence_ns = now - udp.last_ns;
		udp.last_ns = now;
		udp.rtt_sum_ns += (double)(now - head.sent_ns);
		if (now - head.sent_ns > udp.rtt_max_ns)
			udp.rtt_max_ns = now - head.sent_ns;
	}
}

static void udp__send_due(uint64_t now)
{
	static uint8_t buffer[65536];
	uint64_t due = (uint64_t)((double)(now - udp.start_ns) * udp.options->rate / 1e9);

	for (; udp.sent + udp.unsent < due && udp.sent + udp.unsent < udp.total;) {
		struct datagram head = { .sequence = udp.sent + udp.unsent, .sent_ns = now_ns() };
		int fd = udp.fds[head.sequence % udp.options->connections];

		memcpy(buffer, &head, sizeof(head));
		/* a pending ICMP error is reported by the send that follows it: clear it and try once more */
		if (send(fd, buffer, udp.options->body_bytes, MSG_DONTWAIT) < 0 &&
		    send(fd, buffer, udp.options->body_bytes, MSG_DONTWAIT) < 0) {
			udp.unsent++;
			continue;
		}
		udp.seen[head.sequence] = 1;
		udp.sent++;
	}
}

static uint64_t longest_loss(void)
{
	uint64_t run = 0, longest = 0;

	for (uint64_t i = 0; i < udp.total; i++) {
		run = udp.seen[i] == 1 ? run + 1 : 0;
		if (run > longest)
			longest = run;
	}
	return longest;
}

static void udp__print(void)
{
	cJSON *json = cJSON_CreateObject();

	cJSON_AddNumberToObject(json, "sent", (double)udp.sent);
	cJSON_AddNumberToObject(json, "unsent", (double)udp.unsent);
	cJSON_AddNumberToObject(json, "received", (double)udp.received);
	cJSON_AddNumberToObject(json, "lost", (double)(udp.sent - udp.received));
	cJSON_AddNumberToObject(json, "longest_loss", (double)longest_loss());
	cJSON_AddNumberToObject(json, "duplicates", (double)udp.duplicates);
	cJSON_AddNumberToObject(json, "reordered", (double)udp.reordered);
	cJSON_AddNumberToObject(json, "foreign", (double)udp.foreign);
	json__add_ms(json, "longest_gap_ms", (double)udp.longest_silence_ns);
	json__add_ms(json, "rtt_mean_ms", udp.received ? udp.rtt_sum_ns / (double)udp.received : NAN);
	json__add_ms(json, "rtt_max_ms", udp.received ? (double)udp.rtt_max_ns : NAN);
	json__print_line(json, stdout);
}

static void udp__open(int epoll_fd)
{
	int bytes = 4 << 20;

	udp.highest = xcalloc(udp.options->connections, sizeof(*udp.highest));
	udp.fds = xcalloc(udp.options->connections, sizeof(*udp.fds));
	for (unsigned int i = 0; i < udp.options->connections; i++) {
		struct epoll_event event = { .events = EPOLLIN };

		udp.fds[i] = connect_socket(udp.options, &udp.options->target, SOCK_DGRAM);
		if (udp.fds[i] < 0)
			fatal("UDP socket", -udp.fds[i]);
		/* best effort: the kernel caps it */
		(void)setsockopt(udp.fds[i], SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
		event.data.fd = udp.fds[i];
		if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, udp.fds[i], &event))
			fatal("epoll_ctl", errno);
	}
}

int udp__main(const struct options *options)
{
	struct epoll_event events[64];
	int epoll_fd = epoll_create1(EPOLL_CLOEXEC), timer = timer__open();
	struct epoll_event tick = { .events = EPOLLIN, .data.fd = timer };
	uint64_t end_ns = 0;

	udp.options = options;
	udp.total = (uint64_t)(options->rate * options->seconds);
	udp.seen = xcalloc(udp.total, 1);
	if (epoll_fd < 0 || epoll_ctl(epoll_fd, EPOLL_CTL_ADD, timer, &tick))
		fatal("epoll", errno);
	raise_file_limit();
	udp__open(epoll_fd);
	udp.start_ns = now_ns();
	timer__set(timer, udp.start_ns + TICK_NS);
	while (!end_ns || (now_ns() < end_ns && udp.received < udp.sent)) {
		int ready = epoll_wait(epoll_fd, events, 64, -1);

		if (ready < 0 && errno != EINTR)
			fatal("epoll_wait", errno);
		for (int i = 0; i < ready; i++)
			if (events[i].data.fd != timer)
				udp__receive(events[i].data.fd);
			else
				timer__set(timer, now_ns() + TICK_NS);
		udp__send_due(now_ns());
		if (!end_ns && udp.sent + udp.unsent == udp.total)
			end_ns = now_ns() + DRAIN_NS;
	}
	udp__print();
	for (unsigned int i = 0; i < options->connections; i++)
		close(udp.fds[i]);
	free(udp.highest);
	free(udp.fds);
	free(udp.seen);
	close(timer);
	close(epoll_fd);
	return 0;
}
