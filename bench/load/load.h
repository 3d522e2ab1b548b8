/* SPDX-License-Identifier: BSD-2-Clause */
/* The load generator and its replay: shared pieces. Times are nanoseconds from the start of the run unless said otherwise. */
#ifndef BENCH_LOAD_LOAD_H
#define BENCH_LOAD_LOAD_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>

#include <cjson/cJSON.h>

#include "bench/pod/protocol.h"
#include "bench/pod/speed.h"

#define NS_PER_S 1000000000ull
#define NS_PER_MS 1000000ull

/* ---- arrivals.c ---- */

struct arrival {
	uint64_t at_ns;
	uint64_t id;
};

struct arrivals {
	struct arrival *list; /* by at_ns */
	size_t nr;
};

/* Poisson process of `rate` per second for `seconds`; ids from `first_id` on. Ends the program without memory. */
void arrivals__poisson(struct arrivals *arrivals, double rate, double seconds, uint64_t seed, uint64_t first_id);
/* `bursts` times `size` requests at the same moment, `gap_s` apart. */
void arrivals__bursts(struct arrivals *arrivals, unsigned int bursts, unsigned int size, double gap_s, uint64_t first_id);
void arrivals__read(struct arrivals *arrivals, const char *path); /* ends the program with a message on a bad file */
void arrivals__write(const struct arrivals *arrivals, FILE *out);

/* ---- summary.c ---- */

enum status {
	STATUS_OK = 0,
	STATUS_TIMEOUT, /* no answer in time; UDP: lost */
	STATUS_REFUSED, /* RST to the SYN, or ICMP port unreachable */
	STATUS_RESET,
	STATUS_CLOSED,	    /* FIN before the whole answer */
	STATUS_UNREACHABLE, /* ICMP, or no route */
	STATUS_NO_PORT,	    /* the generator ran out of ports or descriptors */
	STATUS_BAD,	    /* wrong bytes, or another request's answer */
	STATUS_ERROR,	    /* anything else */
	STATUS_MAX,
};
enum status status_of_errno(int err);
const char *status_name(enum status status);

#define NEVER UINT64_MAX

struct record {
	uint64_t id;
	uint64_t scheduled_ns;
	uint64_t started_ns; /* NEVER: not reached, for this and the next three */
	uint64_t connected_ns;
	uint64_t first_byte_ns;
	uint64_t end_ns;
	uint32_t sequence;	      /* request of its connection, from 0 */
	uint32_t pod;		      /* as the server says */
	uint32_t service_us, wait_us; /* the same */
	uint16_t port;
	enum status status;
};

/* Percentiles are exact (nearest rank). A failed request counts as one that never ended: it stands above every latency. */
cJSON *summary__of(const struct record *records, size_t nr);
void records__write(const struct record *records, size_t nr, const char *path); /* JSON lines */
/* Pod of every arrival from a records file of `run`; ends the program when one is missing. */
uint32_t *records__read_pods(const char *path, const struct arrivals *arrivals);
void json__print_line(cJSON *json, FILE *out);		     /* frees it */
void json__add_ms(cJSON *json, const char *name, double ns); /* null when not finite */

/* ---- main.c ---- */

struct options {
	struct sockaddr_storage target, source;
	socklen_t target_bytes, source_bytes;
	struct sockaddr_storage *pods_at; /* instead of a target: pods that Prequal chooses among */
	size_t nr_pods_at;
	uint16_t probe_port;
	const char *arrivals_path, *records_path, *speeds_path, *policy;
	double rate, seconds, timeout_s, gap_s, externality, scale;
	uint64_t seed, first_id, start_ns;
	unsigned int bursts, burst_size, keepalive, interval_ms, body_bytes, connections, ties, first_pod, drawn_pods;
	uint64_t bytes, unit_ms;
	bool udp, reset, shared_draws;
	struct replay_pod *pods;
	size_t nr_pods;
};

/* ---- the verbs: 0, or 1 when the run could not be made; failed requests are results, not errors ---- */

int run__main(const struct options *options);	 /* run.c */
int replay__main(const struct options *options); /* replay.c */
int udp__main(const struct options *options);	 /* udp.c */
int stream__main(const struct options *options); /* stream.c */
int send__main(const struct options *options);

struct replay_pod {
	uint32_t id;
	uint64_t base_ns;
	uint32_t concurrency;
};

/* ---- prober.c: Prequal on the wire ---- */

struct prober;

/* Sockets to the probe ports, watched by `epoll_fd`: an event whose pointer prober__owns() is for prober__read(). */
struct prober *prober__open(const struct options *options, int epoll_fd);
void prober__close(struct prober *prober);
bool prober__owns(const struct prober *prober, const void *ptr);
void prober__read(struct prober *prober, void *ptr);
/* The pod for a request now, as an index of options.pods_at; sends the probes that go with it. */
size_t prober__choose(struct prober *prober, uint64_t request);
void prober__report(const struct prober *prober, cJSON *json);

/* ---- net.c ---- */

uint64_t now_ns(void); /* CLOCK_MONOTONIC */
void fatal(const char *what, int err) __attribute__((noreturn));
void *xcalloc(size_t nr, size_t bytes);
void raise_file_limit(void);
/* Non-blocking socket to the target, bound to the source if there is one. -errno when it cannot be. TCP may still be connecting. */
int connect_socket(const struct options *options, const struct sockaddr_storage *target, int type);
uint16_t local_port(int fd);
int timer__open(void);
void timer__set(int fd, uint64_t at_ns); /* absolute CLOCK_MONOTONIC */

#endif
