/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How fast a pod works over time: a step function, drawn once, kept in a file ("AT_NS POD SPEED" a line), the same for every policy and for
 * the replay. Speed 1 does a nanosecond of work in a nanosecond. Times are nanoseconds from the start of the run. Before its first step, and
 * without any, a pod has speed 1; after its last one it keeps that.
 */
#ifndef BENCH_POD_SPEED_H
#define BENCH_POD_SPEED_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define SPEED_LEAST 0.001
#define SPEED_MOST 1000.0
#define SPEED_DRAWN_MEAN (9.45 / 11) /* of what speed__draw() makes: mean dwells by how often each is visited */

struct speed_step {
	uint64_t at_ns;
	double speed;
};

struct speed {
	struct speed_step *steps; /* at_ns rises */
	size_t nr;
};

/*
 * An antagonist beside the pod: full speed for 4 units of time in the mean, then 0.6 for 2 or 0.25 for 1 (one as likely as the other), then full
 * speed again; times are exponential. The steps up to `end_ns`, by (seed, pod) alone. 0, or -ENOMEM with what there was freed.
 */
int speed__draw(struct speed *speed, uint64_t seed, uint32_t pod, uint64_t unit_ns, uint64_t end_ns);
/* The steps of one pod out of a file of several. 0, -errno, or -EINVAL with the number of the bad line in *ret_line. */
int speed__read(struct speed *speed, FILE *file, uint32_t pod, unsigned long *ret_line);
void speed__write(const struct speed *speed, uint32_t pod, FILE *out);
void speed__free(struct speed *speed);

double speed__at(const struct speed *speed, uint64_t now_ns);
/* When work that begins at `start_ns` is done. */
uint64_t speed__end_ns(const struct speed *speed, uint64_t start_ns, uint64_t work_ns);

#endif
