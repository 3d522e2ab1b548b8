// SPDX-License-Identifier: BSD-2-Clause
#include "agent/sweeper.h"

#include <string.h>

void sweeper__init(struct sweeper *s, const struct datapath *dp)
{
	memset(s, 0, sizeof(*s));
	s->dp = dp;
	s->nr_buckets = datapath__maps(dp)->meta->nr_buckets;
}

static void finish_round(struct sweeper *s)
{
	s->done = s->round;
	memset(&s->round, 0, sizeof(s->round));
	s->next_bucket = 0;
	s->rounds++;
}

/* Buckets that are due after `elapsed_ns`; at least one, so that a small table is walked too. */
static uint32_t buckets_due(const struct sweeper *s, uint64_t elapsed_ns)
{
	uint64_t due;

	if (elapsed_ns > SWEEPER_ROUND_NS)
		elapsed_ns = SWEEPER_ROUND_NS;
	due = (uint64_t)s->nr_buckets * elapsed_ns / SWEEPER_ROUND_NS + 1;
	return due > s->nr_buckets ? s->nr_buckets : (uint32_t)due;
}

int sweeper__tick(struct sweeper *s, uint64_t now_ns, struct pintle_err *err)
{
	uint32_t due;

	if (!s->last_ns || now_ns < s->last_ns) {
		s->last_ns = now_ns;
		return 0;
	}
	due = buckets_due(s, now_ns - s->last_ns);
	s->last_ns = now_ns;
	while (due) {
		uint32_t left = s->nr_buckets - s->next_bucket;
		uint32_t slice = due < left ? due : left;
		int code;

		if (slice > SWEEPER_SLICE_BUCKETS)
			slice = SWEEPER_SLICE_BUCKETS;
		s->round.first_bucket = s->next_bucket;
		s->round.nr_buckets = slice;
		code = datapath__sweep(s->dp, &s->round, err);
		if (code < 0)
			return code;
		due -= slice;
		s->next_bucket += slice;
		if (s->next_bucket >= s->nr_buckets)
			finish_round(s);
	}
	return 0;
}
