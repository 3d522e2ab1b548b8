/* SPDX-License-Identifier: BSD-2-Clause */
/* Walks the flow table a slice at a time, so that the whole of it is seen once in SWEEPER_ROUND_NS and no slice delays the loop. */
#ifndef PINTLE_AGENT_SWEEPER_H
#define PINTLE_AGENT_SWEEPER_H

#include <stdint.h>

#include "agent/datapath.h"

#define SWEEPER_ROUND_NS 4000000000ull /* two units of the fine age clock */
#define SWEEPER_SLICE_BUCKETS 8192u    /* about 0.5 ms */

struct sweeper {
	const struct datapath *dp;
	uint32_t nr_buckets;
	uint32_t next_bucket;
	uint64_t last_ns;
	struct pintle_sweep round; /* counts of the round under way */
	struct pintle_sweep done;  /* of the last whole round */
	uint64_t rounds;
};

void sweeper__init(struct sweeper *s, const struct datapath *dp);
/* Sweeps what is due since the last call. */
int sweeper__tick(struct sweeper *s, uint64_t now_ns, struct pintle_err *err);

#endif
