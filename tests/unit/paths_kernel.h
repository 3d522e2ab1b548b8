/* SPDX-License-Identifier: BSD-2-Clause */
/* The kernel as agent/paths.c sees it (datapath, netinfo, netns): a small world in plain memory with its own clock. */
#ifndef PINTLE_TESTS_PATHS_KERNEL_H
#define PINTLE_TESTS_PATHS_KERNEL_H

#include "agent/netinfo.h"
#include "agent/paths.h"
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
	bool is_bridge; /* devices are ports of one bridge, 1: a pod whose port is unknown leads to the bridge */
	int gro_calls, path_calls, counter_calls, stats_calls, probe_calls, alarms, detached;
	struct net_change changes[4];
	int nr_changes;
};

extern struct paths_kernel world;

/* Pod 10.0.x.y is behind device 1 + 256 x + y, up to 1999; 10.200.0.0/16 has a next hop, 10.201.0.1 is this node. */
uint32_t device_of(const struct ip_addr *addr);

/* ---- the agent in that world ---- */

extern struct tables *tables;
extern struct paths *paths;
extern struct pintle_config *config; /* in force */
extern char said[256];		     /* of pods that went or came back, in order: "2- 2+ " by the last byte of the address */

void begin(uint32_t max_pods, bool is_xdp);
void open_paths(bool is_xdp); /* again, after paths__close() */
void end(void);
/* One service with pods 10.BYTE1.x.y, numbers first..first+nr-1. */
struct pintle_config *make_config(uint8_t byte1, uint32_t first, uint32_t nr, enum delivery delivery);
void apply(struct pintle_config *next);
void run_for(uint64_t ns); /* in ticks of 100 ms */
uint16_t id_of(const char *addr);
bool allowed(const char *addr); /* redirect to it */

#endif
