/* SPDX-License-Identifier: BSD-2-Clause */
/* The pod server: listeners, connections and one FIFO queue of requests, on one epoll loop. */
#ifndef BENCH_POD_POD_H
#define BENCH_POD_POD_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "bench/pod/protocol.h"
#include "bench/pod/speed.h"

/* queue: requests wait for service; echo: bytes come back; stream: numbered bytes without end; count: the number of bytes up to
 * the client's FIN comes back; silent: bytes are read, nothing comes back; probe: says how busy the queue is */
enum mode { MODE_QUEUE = 0, MODE_ECHO, MODE_STREAM, MODE_COUNT, MODE_SILENT, MODE_PROBE };

#define POD_LISTENERS_MAX 32u /* of TCP, and of UDP */

/* What epoll points at. */
struct handler {
	int fd;
	void (*ready)(struct handler *handler, uint32_t events);
};

struct job; /* a request from its arrival to its answer */
struct conn;

struct origin {		   /* where the answer goes */
	struct conn *conn; /* NULL: UDP, or the connection is gone */
	int udp_fd;	   /* -1: TCP */
	struct sockaddr_storage peer;
	socklen_t peer_bytes;
};

struct pod_stats {
	uint64_t connections;
	uint64_t requests;
	uint64_t answered;
	uint64_t abandoned; /* served, but the client was gone */
	uint64_t bad;	    /* not a request */
	uint64_t refused;   /* no file descriptor was left */
	uint64_t rx_bytes;
	uint64_t tx_bytes;
	uint64_t datagrams;
	uint64_t probes;
	uint32_t queue_max;
};

struct pod {
	int epoll_fd;
	uint32_t id;
	bool timed; /* requests need pod_work_ns(); else none */
	struct pod_model model;
	struct speed speed;
	uint64_t start_ns; /* CLOCK_MONOTONIC of the time 0 of `speed` */
	uint32_t concurrency;
	uint32_t stream_chunk_bytes;
	uint32_t stream_interval_ms; /* 0: as fast as the socket takes */
	int spare_fd;		     /* given up to accept and close when descriptors run out */
	struct pod_stats stats;
};
extern struct pod pod;

uint64_t now_ns(void);		     /* CLOCK_MONOTONIC */
void die(const char *what, int err); /* prints and exits 1; for start-up only */
int handler__watch(struct handler *handler, uint32_t events);
void handler__change(struct handler *handler, uint32_t events);

/* queue.c */
void queue__init(void);
void queue__turn(void); /* after each turn of the loop: answers what is due, starts what waits */
/* Takes a request in; it is answered by queue__turn() at the earliest. NULL: no memory, nothing was queued. */
struct job *queue__submit(const struct pod_request *request, const struct origin *origin);
void queue__abandon(struct job *job); /* its connection is gone; the service time is spent nevertheless */
uint32_t queue__in_flight(void);

/* estimate.c: how long requests have taken of late, by how many were there when they came */
void estimate__add(uint32_t in_flight, uint64_t latency_ns, uint64_t now);
/* The median of the last ones at that many in flight, or at the nearest number that has any, of the last second if there are such. 0: none yet. */
uint64_t estimate__latency_ns(uint32_t in_flight, uint64_t now);

/* conn.c */
void conn__listen(enum mode mode, int fd);
void conn__streams_init(void);
void conn__reap(void); /* after each turn of the loop */
void conn__answer(struct conn *conn, const struct pod_response *response, uint32_t body_bytes);

/* udp.c */
void udp__listen(enum mode mode, int fd);
void udp__answer(const struct origin *origin, const struct pod_response *response, uint32_t body_bytes);

#endif
