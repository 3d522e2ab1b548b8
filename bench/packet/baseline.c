// SPDX-License-Identifier: BSD-2-Clause
/* Fills the maps of the baseline programs: every flow of the case is present, in maps sized like pintle's own table (two entries a flow). */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "baseline.h"
#include "builtin.h"
#include "fail.h"

#define BATCH 4096u
/* An LRU_HASH keeps free lists of 128 entries a CPU and evicts live ones when it is not much larger. */
#define MIN_ENTRIES 8192u

struct baseline {
	int flows_fd;
	bool is_v6;
	bool forgets; /* reset deletes the flows of the batch: the program finds them missing again */
};

struct key {
	union {
		struct base_key4 v4;
		struct base_key6 v6;
	};
};

static uint32_t pod_of_flow(const struct bench_env *env, uint32_t flow)
{
	return (flow & (env->active_services - 1)) * env->pods_per_service + (flow * 2654435761u >> 8) % env->pods_per_service;
}

static void addr6(uint32_t *words, uint32_t net, uint32_t number)
{
	words[0] = htonl(0xfd000000u | net);
	words[1] = words[2] = 0;
	words[3] = htonl(number);
}

static void make_key(const struct bench_env *env, uint32_t flow, struct key *ret)
{
	uint32_t vip = BENCH_VIP4(flow & (env->active_services - 1));

	memset(ret, 0, sizeof(*ret));
	if (env->family == 6) {
		addr6(ret->v6.saddr_be, BENCH_NET6_CLIENT, BENCH_CLIENT4(flow));
		addr6(ret->v6.daddr_be, BENCH_NET6_VIP, vip);
		ret->v6.sport_be = htons(BENCH_CLIENT_PORT(flow));
		ret->v6.dport_be = htons(BENCH_VIP_PORT);
		ret->v6.proto = env->proto;
	} else {
		ret->v4.saddr_be = htonl(BENCH_CLIENT4(flow));
		ret->v4.daddr_be = htonl(vip);
		ret->v4.sport_be = htons(BENCH_CLIENT_PORT(flow));
		ret->v4.dport_be = htons(BENCH_VIP_PORT);
		ret->v4.proto = env->proto;
	}
}

static void make_value(const struct bench_env *env, uint32_t pod, struct base_flow *ret)
{
	memset(ret, 0, sizeof(*ret));
	if (env->family == 6)
		addr6(ret->addr_be, BENCH_NET6_POD, BENCH_POD4(pod));
	else
		ret->addr_be[0] = htonl(BENCH_POD4(pod));
	ret->port_be = htons(BENCH_POD_PORT);
	ret->pod = (uint16_t)pod;
}

static uint32_t key_bytes(const struct bench_env *env)
{
	return env->family == 6 ? sizeof(struct base_key6) : sizeof(struct base_key4);
}

/* Adds or deletes flows [first, first + number). */
static int change_flows(struct bench_env *env, int fd, uint32_t first, uint32_t number, bool adds)
{
	struct base_flow *values = xcalloc(BATCH, sizeof(*values));
	uint8_t *keys = xcalloc(BATCH, sizeof(struct key));
	int err = 0;

	for (uint32_t done = 0; done < number && !err;) {
		uint32_t count = number - done < BATCH ? number - done : BATCH, kb = key_bytes(env);

		for (uint32_t i = 0; i < count; i++) {
			struct key key;

			make_key(env, first + done + i, &key);
			memcpy(keys + (size_t)i * kb, &key, kb);
			make_value(env, pod_of_flow(env, first + done + i), &values[i]);
		}
		err = adds ? bpf_map_update_batch(fd, keys, values, &count, NULL)
			   : bpf_map_delete_batch(fd, keys, &count, NULL);
		done += count;
		if (err == -ENOENT && !adds) {
			done += 1; /* the one that was missing */
			err = 0;
		}
	}
	free(values);
	free(keys);
	if (err)
		snprintf(env->why, sizeof(env->why), "%s flows: %s", adds ? "adding" : "deleting", strerror(-err));
	return err;
}

static const char *flow_map(const struct bench_env *env)
{
	if (!strcmp(env->program, "base_hash"))
		return "flows_hash";
	return env->family == 6 ? "flows_lru6" : "flows_lru";
}

static bool uses_flows(const struct bench_env *env)
{
	return strstr(env->program, "hash") || strstr(env->program, "lru") || !strcmp(env->program, "base_stock");
}

static int baseline_pre_load(struct bpf_object *obj, struct bench_env *env)
{
	uint32_t entries = env->capacity * 2 < MIN_ENTRIES ? MIN_ENTRIES : env->capacity * 2;
	bool rewrites = strstr(env->program, "dnat") || !strcmp(env->program, "base_stock");

	if (env->kind == BENCH_REPLY && uses_flows(env))
		return -ENOTSUP; /* its entries are those of clients */
	if (uses_flows(env))
		bpf_map__set_max_entries(bpf_object__find_map_by_name(obj, flow_map(env)), entries);
	env->expect.rewrite = rewrites ? BENCH_DNAT : BENCH_SAME;
	env->expect.retval = env->is_tc ? TC_ACT_OK : XDP_PASS;
	return 0;
}

static int fill_services(struct bpf_object *obj, struct bench_env *env)
{
	int vips = bpf_object__find_map_fd_by_name(obj, "vips"), pods = bpf_object__find_map_fd_by_name(obj, "pods"), err = 0;

	for (uint32_t s = 0; s < env->nr_services && !err; s++) {
		uint64_t key = (uint64_t)htonl(BENCH_VIP4(s)) << 32 | (uint32_t)htons(BENCH_VIP_PORT) << 16 | env->proto;
		struct base_vip value = { .first_pod = s * env->pods_per_service, .nr_pods = env->pods_per_service };

		err = bpf_map_update_elem(vips, &key, &value, BPF_ANY);
	}
	for (uint32_t p = 0; p < env->nr_services * env->pods_per_service && !err; p++) {
		struct base_flow value;

		make_value(env, p, &value);
		err = bpf_map_update_elem(pods, &p, &value, BPF_ANY);
	}
	if (err)
		snprintf(env->why, sizeof(env->why), "adding services: %s", strerror(-err));
	return err;
}

static int baseline_post_load(struct bpf_object *obj, struct bench_env *env)
{
	struct baseline *b = xcalloc(1, sizeof(*b));
	int err = 0;

	env->priv = b;
	b->is_v6 = env->family == 6;
	b->forgets = env->kind == BENCH_NEW && (!strcmp(env->program, "base_stock") || strstr(env->args, "forget"));
	if (!strcmp(env->program, "base_stock"))
		err = fill_services(obj, env);
	if (!uses_flows(env) || err)
		return err;
	b->flows_fd = bpf_object__find_map_fd_by_name(obj, flow_map(env));
	return change_flows(env, b->flows_fd, 0, env->first_flow + (b->forgets ? 0 : env->nr_flows), true);
}

static int baseline_reset(struct bench_env *env)
{
	const struct baseline *b = env->priv;

	return b->forgets ? change_flows(env, b->flows_fd, env->first_flow, env->nr_flows, false) : 0;
}

/* The stock balancer chose by itself: asked from its map. */
static int baseline_pod_of(struct bench_env *env, uint32_t flow)
{
	const struct baseline *b = env->priv;
	struct base_flow value;
	struct key key;

	if (!b->forgets)
		return (int)pod_of_flow(env, flow);
	make_key(env, flow, &key);
	return bpf_map_lookup_elem(b->flows_fd, &key, &value) ? BENCH_NO_POD : value.pod;
}

static void baseline_close(struct bench_env *env)
{
	free(env->priv);
	env->priv = NULL;
}

const struct bench_plugin baseline_plugin = {
	.abi = BENCH_PLUGIN_ABI,
	.pre_load = baseline_pre_load,
	.post_load = baseline_post_load,
	.reset = baseline_reset,
	.pod_of = baseline_pod_of,
	.close = baseline_close,
};
