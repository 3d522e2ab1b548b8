// SPDX-License-Identifier: BSD-2-Clause
/* UDP side: requests, probes, echo, and counting datagrams without an answer. */
#include <endian.h>
#include <errno.h>
#include <string.h>
#include <arpa/inet.h>
#include <sys/epoll.h>

#include "bench/pod/pod.h"

#define UDP_MAX_BYTES 65507u
#define UDP_BATCH 64 /* datagrams before other descriptors get a turn */

struct udp_listener {
	struct handler handler;
	enum mode mode;
};

static struct udp_listener listeners[POD_LISTENERS_MAX];
static size_t nr_listeners;

static void udp__send(int fd, const void *data, size_t bytes, const struct sockaddr_storage *peer, socklen_t peer_bytes)
{
	ssize_t sent = sendto(fd, data, bytes, MSG_DONTWAIT | MSG_NOSIGNAL, (const struct sockaddr *)peer, peer_bytes);

	/* a datagram that the socket does not take is lost, as datagrams are; the client counts it */
	if (sent > 0)
		pod.stats.tx_bytes += (uint64_t)sent;
}

void udp__answer(const struct origin *origin, const struct pod_response *response, uint32_t body_bytes)
{
	static uint8_t datagram[UDP_MAX_BYTES];
	struct pod_response head = *response;
	uint64_t id = be64toh(response->id_be);

	if (body_bytes > UDP_MAX_BYTES - sizeof(head))
		body_bytes = UDP_MAX_BYTES - (uint32_t)sizeof(head);
	head.body_bytes_be = htonl(body_bytes);
	memcpy(datagram, &head, sizeof(head));
	for (uint32_t i = 0; i < body_bytes; i++)
		datagram[sizeof(head) + i] = pod_body_byte(id, i);
	udp__send(origin->udp_fd, datagram, sizeof(head) + body_bytes, &origin->peer, origin->peer_bytes);
	pod.stats.answered++;
}

static void udp__request(const struct origin *origin, const uint8_t *data, size_t bytes)
{
	struct pod_request request;

	if (bytes < sizeof(request)) {
		pod.stats.bad++;
		return;
	}
	memcpy(&request, data, sizeof(request));
	if (ntohl(request.magic_be) != POD_MAGIC || !queue__submit(&request, origin))
		pod.stats.bad++;
}

static void udp__probe(const struct origin *origin, const uint8_t *data, size_t bytes)
{
	uint32_t in_flight = queue__in_flight();
	struct pod_probe_answer answer;
	struct pod_probe probe;

	if (bytes != sizeof(probe)) {
		pod.stats.bad++;
		return;
	}
	memcpy(&probe, data, sizeof(probe));
	if (ntohl(probe.magic_be) != POD_PROBE_MAGIC) {
		pod.stats.bad++;
		return;
	}
	pod.stats.probes++;
	answer = (struct pod_probe_answer){
		.magic_be = probe.magic_be,
		.id_be = probe.id_be,
		.in_flight_be = htonl(in_flight),
		.latency_us_be = htonl((uint32_t)(estimate__latency_ns(in_flight, now_ns()) / 1000)),
	};
	udp__send(origin->udp_fd, &answer, sizeof(answer), &origin->peer, origin->peer_bytes);
}

static void udp__ready(struct handler *handler, uint32_t events)
{
	static uint8_t datagram[65536];
	struct udp_listener *listener = (struct udp_listener *)handler; /* its first member */

	(void)events;
	for (int i = 0; i < UDP_BATCH; i++) {
		struct origin origin = { .udp_fd = handler->fd, .peer_bytes = sizeof(origin.peer) };
		ssize_t got = recvfrom(handler->fd, datagram, sizeof(datagram), MSG_DONTWAIT, (struct sockaddr *)&origin.peer,
				       &origin.peer_bytes);

		if (got < 0 && errno == EAGAIN)
			return;
		if (got < 0)
			continue; /* an ICMP error of an earlier answer */
		pod.stats.datagrams++;
		pod.stats.rx_bytes += (uint64_t)got;
		if (listener->mode == MODE_QUEUE)
			udp__request(&origin, datagram, (size_t)got);
		else if (listener->mode == MODE_PROBE)
			udp__probe(&origin, datagram, (size_t)got);
		else if (listener->mode == MODE_ECHO)
			udp__send(handler->fd, datagram, (size_t)got, &origin.peer, origin.peer_bytes);
	}
}

void udp__listen(enum mode mode, int fd)
{
	struct udp_listener *listener = &listeners[nr_listeners];
	int bytes = 4 << 20;

	if (nr_listeners++ == POD_LISTENERS_MAX)
		die("listeners", E2BIG);
	/* best effort: the kernel caps it, and the default works at lower rates */
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
	listener->handler = (struct handler){ .fd = fd, .ready = udp__ready };
	listener->mode = mode;
	if (handler__watch(&listener->handler, EPOLLIN))
		die("epoll of a UDP socket", errno);
}
