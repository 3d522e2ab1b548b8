// SPDX-License-Identifier: BSD-2-Clause
/* Takes the place of the library's functions; linked into check_paths alone. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "agent/paths.h"
#include "tests/unit/paths_kernel.h"

struct paths_kernel world;

const struct table_maps *datapath__maps(const struct datapath *dp)
{
	(void)dp;
	return &world.arena.maps;
}

int datapath__attach_pod(struct datapath *dp, uint32_t ifindex, struct pintle_err *err)
{
	(void)dp;
	if (!world.exists[ifindex])
		return pintle_err__set(err, -ENODEV, "gone");
	world.attached[ifindex] = true;
	return 0;
}

int datapath__detach_pod(struct datapath *dp, uint32_t ifindex, struct pintle_err *err)
{
	(void)dp, (void)err;
	world.detached += world.attached[ifindex];
	world.attached[ifindex] = false;
	return 0;
}

int datapath__links(const struct datapath *dp, struct datapath_link *links, int max, struct pintle_err *err)
{
	int nr = 0;

	(void)dp, (void)err;
	for (uint32_t i = 0; i < MAX_IF && nr < max; i++) {
		if (world.attached[i])
			links[nr++] = (struct datapath_link){ .ifindex = i, .kind = "rev" };
	}
	return nr;
}

int datapath__devmap_set(const struct datapath *dp, uint32_t slot, uint32_t ifindex, struct pintle_err *err)
{
	(void)dp, (void)err;
	ck_assert_uint_lt(slot, PINTLE_MAX_DETAIL);
	world.devmap[slot] = ifindex;
	return 0;
}

int datapath__probe_redirect(const struct datapath *dp, uint32_t devmap, const uint8_t dmac[6], const uint8_t smac[6],
			     unsigned int nr, struct pintle_err *err)
{
	uint32_t ifindex = world.devmap[devmap];

	(void)dp, (void)dmac, (void)smac, (void)err;
	world.probe_calls++;
	ck_assert_uint_ne(ifindex, 0);
	ck_assert(world.attached[ifindex]); /* the reverse program comes first */
	if (world.napi[ifindex])
		world.sent[ifindex] += nr;
	return 0;
}

int datapath__pod_stats(const struct datapath *dp, uint32_t slot, struct pintle_pod_stats *ret, struct pintle_err *err)
{
	(void)dp, (void)err;
	world.stats_calls++;
	*ret = (struct pintle_pod_stats){ .redirected = world.redirected[slot] };
	return 0;
}

uint32_t device_of(const struct ip_addr *addr)
{
	return 1u + (addr->bytes[2] * 256u + addr->bytes[3]) % 2000u;
}

bool netinfo__is_local(const struct netinfo *ni, const struct ip_addr *addr)
{
	(void)ni;
	return addr->bytes[1] == 201;
}

int netinfo__path(struct netinfo *ni, const struct ip_addr *addr, const char *device, struct net_path *ret,
		  struct pintle_err *err)
{
	uint32_t ifindex = device_of(addr);

	(void)ni, (void)device;
	world.path_calls++;
	if (!world.exists[ifindex])
		return pintle_err__set(err, -EHOSTUNREACH, "no route");
	*ret = (struct net_path){ .oif = ifindex,
				  .ifindex = ifindex,
				  .is_local = netinfo__is_local(ni, addr),
				  .has_gateway = addr->bytes[1] == 200,
				  .is_veth = true,
				  .has_macs = !world.no_macs,
				  .dmac = { 2, 1 },
				  .smac = { 2, 2 } };
	return 0;
}

int netinfo__link_by_index(struct netinfo *ni, uint32_t ifindex, struct net_link *ret, struct pintle_err *err)
{
	(void)ni;
	if (!world.exists[ifindex])
		return pintle_err__set(err, -ENODEV, "gone");
	*ret = (struct net_link){ .ifindex = ifindex, .kind = "veth" };
	snprintf(ret->name, sizeof(ret->name), "veth%u", ifindex);
	return 0;
}

int netinfo__counters(struct netinfo *ni, uint32_t ifindex, struct net_counters *ret, struct pintle_err *err)
{
	(void)ni;
	world.counter_calls++;
	if (!world.exists[ifindex])
		return pintle_err__set(err, -ENODEV, "gone");
	*ret = (struct net_counters){ .tx_packets = world.sent[ifindex] + world.now_ns * world.noise_per_s / S };
	return 0;
}

bool netinfo__next_change(struct netinfo *ni, struct net_change *ret)
{
	(void)ni;
	if (!world.nr_changes)
		return false;
	*ret = world.changes[--world.nr_changes];
	return true;
}

int netns__set_gro(const char *netns, const char *device, bool on, struct pintle_err *err)
{
	uint32_t ifindex = (uint32_t)atoi(device + 4);

	(void)netns;
	ck_assert(on);
	world.gro_calls++;
	if (!world.gro_works)
		return pintle_err__set(err, -ENOENT, "namespace not found");
	world.napi[ifindex] = true;
	return 0;
}
