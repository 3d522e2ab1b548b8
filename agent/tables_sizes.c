/* SPDX-License-Identifier: BSD-2-Clause */
/* How big the maps are for wanted capacities, and how long a unit of the two age clocks is. */
#include <errno.h>

#include "agent/tables.h"

#define MAX_FLOWS (1u << 26)
#define MIN_EP_BUCKETS 256u /* a tiny table would be too easy to overfill on one bucket */
#define FINE_SECONDS 2u	    /* a unit of the fine clock is at least this long */
#define COARSE_OCTAVES 5u   /* coarse = 32 fine */

/* Smallest power of two >= n. */
static uint32_t power_of_two(uint32_t n)
{
	return n <= 1 ? 1 : 1u << (32 - __builtin_clz(n - 1));
}

/* Buckets at most half full with `entries` entries. */
static uint32_t ep_buckets(uint32_t entries, uint32_t per_bucket)
{
	uint32_t buckets = power_of_two((2 * entries + per_bucket - 1) / per_bucket);

	return buckets < MIN_EP_BUCKETS ? MIN_EP_BUCKETS : buckets;
}

static int check_range(const struct table_sizes_in *in, struct pintle_err *err)
{
	if (in->max_flows < 1 || in->max_flows > MAX_FLOWS)
		return pintle_err__set(err, -ERANGE, "flows %u: from 1 to %u are possible", in->max_flows, MAX_FLOWS);
	if (in->max_frontends < 1 || in->max_frontends > PINTLE_MAX_FRONTENDS)
		return pintle_err__set(err, -ERANGE, "max-frontends %u: from 1 to %u are possible", in->max_frontends,
				       PINTLE_MAX_FRONTENDS);
	if (in->max_pods < 1 || in->max_pods > PINTLE_MAX_PODS)
		return pintle_err__set(err, -ERANGE, "max-pods %u: from 1 to %u are possible", in->max_pods, PINTLE_MAX_PODS);
	if (in->hz < 24 || in->hz > 10000)
		return pintle_err__set(err, -ERANGE, "%u jiffies per second: from 24 to 10000 are possible", in->hz);
	return 0;
}

int tables__sizes(const struct table_sizes_in *in, struct pintle_meta *ret_meta, struct pintle_err *err)
{
	int ret = check_range(in, err);

	if (ret)
		return ret;
	ret_meta->nr_buckets = power_of_two((2 * in->max_flows + PINTLE_BUCKET_SLOTS - 1) / PINTLE_BUCKET_SLOTS);
	ret_meta->max_frontends = in->max_frontends;
	ret_meta->max_pods = in->max_pods;
	/* a frontend may bring a wildcard entry of its address */
	ret_meta->nr_vip4_buckets = ep_buckets(2 * in->max_frontends, 4);
	ret_meta->nr_vip6_buckets = ep_buckets(2 * in->max_frontends, 2);
	ret_meta->nr_rev4_buckets = ep_buckets(in->max_pods, 4);
	ret_meta->nr_rev6_buckets = ep_buckets(in->max_pods, 2);
	/* every service one broken line, every pod in one service, size classes: half as much again; all of it twice, for a full reload */
	ret_meta->member_lines = 2 * (in->max_frontends + in->max_pods / PINTLE_MEMBERS_PER_LINE * 3 / 2 + 16);
	/* 100 picks a member, rounded up to primes and size classes, are at most 4.7 lines a member; twice, for a full reload */
	ret_meta->pick_lines = 10 * in->max_pods + 2 * 2048;
	ret_meta->hz = in->hz;
	ret_meta->fine_shift = (uint32_t)__builtin_ctz(power_of_two(FINE_SECONDS * in->hz));
	ret_meta->coarse_shift = ret_meta->fine_shift + COARSE_OCTAVES;
	return 0;
}
