/* SPDX-License-Identifier: BSD-2-Clause */
/* One loaded driver program: says which packets come next, runs them through a target, hands back times and outputs. */
#ifndef BENCH_DRIVE_H
#define BENCH_DRIVE_H

#include <stdbool.h>
#include <stdint.h>

#include <bpf/libbpf.h>

#include "driver.h"
#include "model.h"

enum drive_type { DRIVE_XDP = 0, DRIVE_XDP_FRAGS, DRIVE_TC };

struct drive {
	struct bpf_object *obj;
	enum drive_type type;
	int fd;
	int targets_fd;
	struct driver_ctl *ctl;
	struct driver_order *order;
	struct driver_capture *capture;
	uint8_t frame[MODEL_MAX_BYTES]; /* what BPF_PROG_TEST_RUN starts with */
	uint32_t frame_bytes;
	uint32_t gso_segs; /* TC: the skb claims to be a GSO packet of so many segments */
};

/* A sequence of packets. `second` is used by pairs only. */
struct drive_plan {
	const struct model *model;
	enum model_packet first, second;
	bool is_pair;
	bool second_slot;   /* the second packet of a pair goes to the target in slot 1 */
	uint32_t flow_base; /* flows [flow_base, flow_base + nr_flows), nr_flows a power of two */
	uint32_t nr_flows;
	uint32_t order_entries; /* power of two > 1: `order` was filled by the caller; 0 = permuted counter */
};

void drive__open(const char *object, enum drive_type type, struct drive **ret_drive);
void drive__close(struct drive *d); /* NULL is fine */
void drive__plan(struct drive *d, const struct drive_plan *plan);
void drive__target(struct drive *d, int first_fd, int second_fd); /* second_fd -1: none */

/* Sends `packets` in one go; returns the nanoseconds they took. */
double drive__run(struct drive *d, uint32_t packets);
/* One packet: its return value, its bytes to `out` (MODEL_MAX_BYTES); returns their number. */
uint32_t drive__step(struct drive *d, uint32_t *ret_retval, uint8_t *out);
/* Sends `packets` (at most DRIVER_CAPTURE_ENTRIES) and leaves each output in d->capture[0..]. */
void drive__capture(struct drive *d, uint32_t packets);
/* Flow of the permuted counter at position `step`, as the driver computes it. */
uint32_t drive__flow(const struct drive_plan *plan, uint32_t step);

#endif
