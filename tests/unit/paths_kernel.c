// SPDX-License-Identifier: BSD-2-Clause
/* Takes the place of the library's functions; linked into check_paths alone. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

	(void)ni;
	world.path_calls++;
	if (device && device[0] && !world.exists[ifindex])
		return pintle_err__set(err, -ENODEV, "no device");
	if (world.is_bridge && !world.exists[ifindex]) {
		*ret = (struct net_path){ .oif = 1, .ifindex = 1 };
		return 0;
	}
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
	if (world.is_bridge && ifindex == 1)
		strcpy(ret->kind, "bridge");
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

/* ---- the agent in that world ---- */

struct tables *tables;
struct paths *paths;
struct pintle_config *config;

static int no_grace(void *arg)
{
	(void)arg;
	return 0;
}

static bool vip_is_local(void *arg, const struct ip_addr *addr)
{
	(void)arg, (void)addr;
	return false;
}

static void on_alarm(void *arg, const struct paths_alarm *alarm)
{
	(void)arg;
	ck_assert_ptr_nonnull(strstr(alarm->text, "vanish"));
	world.alarms++;
}

char said[256]; /* of pods that went or came back, in order */

static void on_reach(void *arg, uint16_t pod, const char *why)
{
	size_t used = strlen(said);

	(void)arg;
	snprintf(said + used, sizeof(said) - used, "%u%s ", world.arena.maps.pods[pod].addr_be[0] >> 24, why ? "-" : "+");
}

void open_paths(bool is_xdp)
{
	const struct paths_callbacks callbacks = { .alarm = on_alarm, .reach = on_reach };
	struct pintle_err err;

	ck_assert_int_eq(paths__open(NULL, tables, NULL, is_xdp, &callbacks, &paths, &err), 0);
}

void begin(uint32_t max_pods, bool is_xdp)
{
	struct pintle_err err;

	memset(&world, 0, sizeof(world));
	world.now_ns = 100 * S;
	world.gro_works = true;
	said[0] = '\0';
	memset(world.exists, true, sizeof(world.exists));
	arena__init(&world.arena, 64, max_pods, 0);
	ck_assert_int_eq(tables__open(&world.arena.maps, no_grace, NULL, &tables, &err), 0);
	open_paths(is_xdp);
}

void end(void)
{
	paths__close(paths);
	tables__close(tables);
	config_make__free(config);
	config = NULL;
	arena__destroy(&world.arena);
}

struct pintle_config *make_config(uint8_t byte1, uint32_t first, uint32_t nr, enum delivery delivery)
{
	struct pintle_config *made = config_make__new();
	struct cfg_service *service = config_make__service(made, "web", PINTLE_POLICY_LEASTCONN);

	service->delivery = (uint8_t)delivery;
	config_make__frontend(service, "192.0.2.1", 6, 80);
	for (uint32_t i = first; i < first + nr; i++) {
		char text[32];

		snprintf(text, sizeof(text), "10.%u.%u.%u", byte1, i / 256, i % 256);
		config_make__pod(service, text, 80);
	}
	return made;
}

void apply(struct pintle_config *next)
{
	struct tables_applied applied;
	struct pintle_err err;

	ck_assert_msg(tables__apply(tables, next, vip_is_local, NULL, &applied, &err) == 0, "%s", err.msg);
	if (config != next)
		config_make__free(config);
	config = next;
	ck_assert_int_eq(paths__refresh(paths, config, world.now_ns, &err), 0);
}

void run_for(uint64_t ns)
{
	for (uint64_t until_ns = world.now_ns + ns; world.now_ns < until_ns; world.now_ns += 100 * MS)
		paths__tick(paths, world.now_ns);
}

uint16_t id_of(const char *addr)
{
	struct ip_addr parsed = addr_of(addr);
	uint16_t id = 0;

	ck_assert_int_eq(tables__pod_by_addr(tables, &parsed, 80, &id), 0);
	return id;
}

bool allowed(const char *addr)
{
	return world.arena.maps.pods[id_of(addr)].flags & PINTLE_POD_REDIRECT;
}
