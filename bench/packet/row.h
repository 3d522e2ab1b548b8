/* SPDX-License-Identifier: BSD-2-Clause */
/* A case is a kind of traffic; a row is one program under that traffic: loaded, filled, checked against the model, then timed. */
#ifndef BENCH_ROW_H
#define BENCH_ROW_H

#include <stdbool.h>
#include <stdint.h>

#include "drive.h"
#include "plugin.h"

#define ROW_MAX_ROUNDS 101

enum replies {
	REPLIES_NONE = 0,
	REPLIES_BETWEEN, /* an untimed run of replies before every timed round, on the same CPU */
	REPLIES_LIVE,	 /* a thread sends replies of the same flows on another CPU all the time */
};

struct bench_case {
	const char *name;
	bool is_tc;
	int family;
	uint8_t proto;
	enum bench_kind kind;
	uint32_t capacity; /* flows the tables are sized for */
	uint32_t nr_flows; /* in the timed packets: power of two, at most capacity */
	double zipf;	   /* exponent of the flows' popularity; 0 = all alike */
	uint32_t nr_services, pods_per_service, active_services;
	uint32_t frame_bytes;
	uint32_t gso_segs;
	enum replies replies;
	uint32_t packets; /* a round */
};

struct target {
	const char *name;
	const char *object;
	const char *program;
	const struct bench_plugin *plugin;
	const char *args;
	bool is_extra; /* by --target: takes part in every case of its program's type */
};

/* Where drivers come from, and on which CPUs they run. */
struct bench_rig {
	const char *driver_object;
	struct drive *drives[3]; /* by enum drive_type, opened when first used */
	struct drive *reply_drive;
	int cpu, reply_cpu;
};

struct row {
	const struct target *target;
	const struct bench_case *bc;
	struct bench_rig *rig;
	struct bpf_object *obj;
	struct bench_env env;
	struct model model;
	struct drive_plan plan;
	enum drive_type type;
	int fd, prime_fd, reverse_fd;
	uint64_t next, reply_next;  /* positions in the sequences of packets */
	struct driver_order *order; /* where a computed order is not enough: flows in turn, with their pods */
	uint32_t order_entries;	    /* power of two > 1 */
	struct bench_placed placed;
	uint64_t checked; /* packets compared byte by byte */
	uint64_t unplaced_seen;
	double ns[ROW_MAX_ROUNDS]; /* per packet, driver included */
};

/* False when the object has no such program or it is of the other type (XDP, TC): then there is no row. */
bool row__open(struct row *row, struct bench_rig *rig, const struct target *target, const struct bench_case *bc);
void row__check(struct row *row);
void row__round(struct row *row, unsigned int round);
void row__close(struct row *row);

struct drive *rig__drive(struct bench_rig *rig, enum drive_type type);
struct drive *rig__reply_drive(struct bench_rig *rig);
void rig__pin(int cpu);

/* row_traffic.c: packets of a row. */
void row__use(struct row *row, struct drive *d);   /* plan, order, position */
void row__leave(struct row *row, struct drive *d); /* keeps the position */
void row__prime(struct row *row);		   /* one first packet of each flow, then what an established flow has seen */
void row__send_replies(struct row *row, uint32_t packets);
void row__verify(struct row *row, uint64_t packets, uint64_t replies, bool priming);
void row__reset(struct row *row);
int row__pod_of(struct row *row, uint32_t flow);

struct live_replies;
struct live_replies *live__start(struct row *row); /* NULL unless the case asks for it */
uint64_t live__stop(struct live_replies *live);	   /* replies sent */

#endif
