/* SPDX-License-Identifier: BSD-2-Clause */
/* The kernel as agent/paths.c sees it (datapath, netinfo, netns): a small world in plain memory with its own clock. */
#ifndef PINTLE_TESTS_PATHS_KERNEL_H
#define PINTLE_TESTS_PATHS_KERNEL_H

#include "agent/netinfo.h"
#include "tests/unit/tables_fixture.h"

#define MS 1000000ull
#define S 1000000000ull
#define MAX_IF 2048

struct paths_kernel {
	struct arena arena;
	uint64_t now_ns;
	uint64_t noise_per_s; /* other traffic on every device */
	bool napi[MAX_IF];    /* redirected frames arrive */
	bool exists[MAX_IF];
	bool attached[MAX_IF];
	uint64_t sent[MAX_IF]; /* frames that arrived, beside the noise */
	uint32_t devmap[PINTLE_MAX_DETAIL];
	uint64_t redirected[PINTLE_MAX_DETAIL];
	bool gro_works;
	bool no_macs;
	int gro_calls, path_calls, counter_calls, stats_calls, probe_calls, alarms, detached;
	struct net_change changes[4];
	int nr_changes;
};

extern struct paths_kernel world;

/* Pod 10.0.x.y is behind device 1 + 256 x + y, up to 1999; 10.200.0.0/16 has a next hop, 10.201.0.1 is this node. */
uint32_t device_of(const struct ip_addr *addr);

#endif
