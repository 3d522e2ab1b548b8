/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Prequal's choice of a pod, as its paper has it: B. Wydrowski, R. Kleinberg, S. M. Rumble, A. Archer, "Load is not what you should balance:
 * Introducing Prequal", NSDI 2024 (arXiv 2312.10172), section 4; the defaults are those of its section 5. Probes are sent at each request and
 * their answers are used by later requests. An answer leaves the pool when it is older than a second, when it was used as often as it may be,
 * when there are too many, and one at each request: in turn the oldest and the worst. Pure: time and random bits are arguments, no I/O.
 */
#ifndef BENCH_LOAD_PREQUAL_H
#define BENCH_LOAD_PREQUAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PREQUAL_POOL 16u
#define PREQUAL_PROBES 3u /* a request */
#define PREQUAL_AGE_NS 1000000000ull
#define PREQUAL_Q_RIF \
	0.8408964152537145  /* 2^-0.25: hot is a pod whose requests in flight are above this quantile of what was seen */
#define PREQUAL_REMOVED 1.0 /* a request */
#define PREQUAL_DELTA 1.0   /* equation (1): how many more answers come than leave */
#define PREQUAL_SEEN 128u   /* answers whose requests in flight make the quantile; the paper says "recent" */

struct prequal_answer {
	uint32_t pod; /* index */
	uint32_t in_flight;
	uint64_t latency_ns;
	uint64_t at_ns;
	uint32_t uses;
};

struct prequal {
	uint32_t nr_pods;
	struct prequal_answer pool[PREQUAL_POOL]; /* the oldest first */
	uint32_t nr;
	uint32_t seen[PREQUAL_SEEN], nr_seen, next_seen;
	double reuse;	 /* how often an answer may be used; the fraction is drawn */
	bool worst_next; /* what the next request removes */
	uint64_t blind;	 /* choices at random, for want of answers */
	uint64_t choices;
};

void prequal__init(struct prequal *p, uint32_t nr_pods);
/* The pods to probe now, PREQUAL_PROBES different ones or all; returns how many. `bits`: random. */
uint32_t prequal__targets(const struct prequal *p, uint64_t bits, uint32_t ret_pods[PREQUAL_PROBES]);
void prequal__answer(struct prequal *p, uint32_t pod, uint32_t in_flight, uint64_t latency_ns, uint64_t now);
/* The pod for a request now. Counts it: as a use, as one more in flight at that pod, and as the request that removes an answer. */
uint32_t prequal__choose(struct prequal *p, uint64_t now, uint64_t bits);

#endif
