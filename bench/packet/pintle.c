// SPDX-License-Identifier: BSD-2-Clause
/*
 * Plugin of pintle's own programs: the agent's code fills the tables, flows are made by sending packets through the program, and where each
 * flow went is read back from the flow table. Arguments, separated by commas: policy=NAME, sample=SHIFT, redirect, concurrency=N.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "agent/config.h"
#include "agent/datapath_kernel.h"
#include "builtin.h"
#include "fail.h"
#include "pintle/hash.h"
#include "pintle/verdict.h"
#include "pintle_config.h"
#include "pintle_maps.h"

#define TC_NEXT ((uint32_t)-1)
#define MAX_UNPLACED_SHARE 0.02 /* beyond this the run is not about established flows any more */

struct pintle_run {
	struct pintle_meta meta;
	struct pintle_memory memory;
	struct pintle_config *config;
	struct tables *tables;
	struct pintle_seed seed;
	int verdicts_fd;
	int nr_cpus;
	uint16_t *frontends;	     /* frontend id by active service */
	struct pintle_bucket *flows; /* after priming */
	struct pintle_load *loads;
	uint64_t last[PINTLE_V_MAX];
	double unplaced; /* share of flows that found no slot */
};

static int failed(struct bench_env *env, const struct pintle_err *err)
{
	snprintf(env->why, sizeof(env->why), "%s", err->msg);
	return err->code ? err->code : -EINVAL;
}

static bool is_reverse_row(const struct bench_env *env)
{
	return env->kind == BENCH_REPLY;
}

static void expect(struct bench_env *env)
{
	static const uint8_t dmac[6] = { 2, 0, 0, 0, 1, 1 }, smac[6] = { 2, 0, 0, 0, 1, 2 };
	struct bench_expect forward = { .rewrite = BENCH_DNAT, .retval = env->is_tc ? TC_NEXT : XDP_PASS };
	struct bench_expect reverse = { .rewrite = BENCH_SNAT, .retval = TC_NEXT };
	bool is_redirect = pintle_config__has(env->args, "redirect");

	if (is_redirect) {
		forward.retval = env->is_tc ? TC_ACT_REDIRECT : XDP_REDIRECT;
		forward.decrements_ttl = forward.sets_macs = reverse.decrements_ttl = true;
		memcpy(forward.dmac, dmac, 6);
		memcpy(forward.smac, smac, 6);
		reverse.retval = TC_ACT_REDIRECT;
	}
	env->expect = is_reverse_row(env) ? reverse : forward;
	env->expect_reverse = reverse;
	env->reverse_program = is_redirect ? "pt_rev_veth" : "pt_rev_up";
	env->prime_program = env->is_tc ? "pt_tc" : "pt_xdp";
}

static int make_meta(const struct bench_env *env, struct pintle_meta *ret, struct pintle_err *err)
{
	uint32_t frontends = env->nr_services < 256 ? 256 : env->nr_services;
	uint32_t pods = env->nr_services * env->pods_per_service;
	const struct table_sizes_in in = {
		.max_flows = env->capacity,
		.max_frontends = frontends,
		.max_pods = pods < 1024 ? 1024 : pods,
		.hz = dp_kernel__hz(),
	};
	int code = tables__sizes(&in, ret, err);

	if (code)
		return code;
	ret->abi_version = PINTLE_ABI_VERSION;
	if (getrandom(ret->seed, sizeof(ret->seed), 0) != (ssize_t)sizeof(ret->seed))
		return pintle_err__set(err, -EIO, "no random numbers for the seed");
	ret->seed[1] |= 1;
	ret->seed[2] |= 1;
	return 0;
}

static int pintle_pre_load(struct bpf_object *obj, struct bench_env *env)
{
	struct pintle_run *run = xcalloc(1, sizeof(*run));
	struct pintle_err err = { 0 };

	env->priv = run;
	if (is_reverse_row(env) != (strstr(env->program, "rev") != NULL))
		return -ENOTSUP;
	expect(env);
	if (make_meta(env, &run->meta, &err) || pintle_maps__prepare(obj, &run->meta, &err))
		return failed(env, &err);
	run->seed = (struct pintle_seed){ run->meta.seed[0], run->meta.seed[1], run->meta.seed[2], run->meta.seed[3] };
	return 0;
}

/* No traffic flows while tables are filled. */
static int no_grace(void *arg)
{
	(void)arg;
	return 0;
}

static bool nothing_is_local(void *arg, const struct ip_addr *addr)
{
	(void)arg;
	(void)addr;
	return false;
}

static int set_paths(struct bpf_object *obj, struct bench_env *env, struct pintle_err *err)
{
	struct pintle_run *run = env->priv;
	uint32_t lo = if_nametoindex("lo"), slot = 0;
	int fd = bpf_object__find_map_fd_by_name(obj, "pt_devmap");

	if (bpf_map_update_elem(fd, &slot, &lo, BPF_ANY))
		return pintle_err__set(err, -errno, "devmap: %s", strerror(errno));
	run->memory.tables.ctl->uplink_ifindex = lo;
	for (uint32_t p = 0; p < env->nr_services * env->pods_per_service; p++) {
		struct ip_addr addr;
		uint16_t pod;

		pintle_config__pod_addr(env->family, p, &addr);
		if (tables__pod_by_addr(run->tables, &addr, BENCH_POD_PORT, &pod))
			return pintle_err__set(err, -ENOENT, "pod %u is not in the tables", p);
		tables__set_path(run->tables, pod, lo, slot, env->expect.dmac, env->expect.smac);
		tables__set_redirect(run->tables, pod, true);
	}
	return 0;
}

/* Test runs come in by lo; in the table it has the address that the frames are for. */
static void set_uplink(struct pintle_run *run)
{
	uint32_t lo = if_nametoindex("lo");
	struct pintle_uplink *uplink = &run->memory.tables.uplinks[lo % PINTLE_MAX_UPLINKS];

	uplink->mac[0] = 0x010000000002ull; /* model.c: 02:00:00:00:00:01 */
	uplink->nr_macs = 1;
	uplink->ifindex = lo;
}

static int set_services(struct bench_env *env, struct pintle_err *err)
{
	struct pintle_run *run = env->priv;
	int sample = pintle_config__number(env->args, "sample", -1);

	run->frontends = xcalloc(env->active_services, sizeof(*run->frontends));
	for (uint32_t s = 0; s < env->nr_services; s++) {
		const struct cfg_service *svc = &run->config->services[s];
		const struct cfg_frontend *fe = &svc->frontends[0];
		uint16_t service, frontend;

		if (table_maps__find_frontend(&run->memory.tables, &fe->addr, fe->proto, fe->port, &frontend, &service))
			return pintle_err__set(err, -ENOENT, "frontend of service %s is not in the tables", svc->name);
		if (s < env->active_services)
			run->frontends[s] = frontend;
		if (sample >= 0)
			tables__set_sampling(run->tables, service, (uint8_t)sample);
	}
	return 0;
}

static int pintle_post_load(struct bpf_object *obj, struct bench_env *env)
{
	struct pintle_run *run = env->priv;
	struct pintle_err err = { 0 };
	struct tables_applied applied;
	int code;

	run->verdicts_fd = bpf_object__find_map_fd_by_name(obj, "pt_verdicts");
	run->nr_cpus = libbpf_num_possible_cpus();
	code = pintle_maps__open(obj, &run->meta, &run->memory, &err);
	if (!code)
		code = pintle_config__make(env, &run->config, &err);
	if (!code)
		code = tables__open(&run->memory.tables, no_grace, NULL, &run->tables, &err);
	if (!code)
		code = tables__apply(run->tables, run->config, nothing_is_local, NULL, &applied, &err);
	if (!code)
		code = set_services(env, &err);
	if (!code)
		set_uplink(run);
	if (!code && pintle_config__has(env->args, "redirect"))
		code = set_paths(obj, env, &err);
	return code ? failed(env, &err) : 0;
}

/* The slot of a flow, or NULL. */
static const struct pintle_slot *find_slot(const struct bench_env *env, uint32_t flow)
{
	const struct pintle_run *run = env->priv;
	uint16_t frontend = run->frontends[flow & (env->active_services - 1)], port_be = htons(BENCH_CLIENT_PORT(flow));
	uint32_t client_be = htonl(BENCH_CLIENT4(flow));
	const uint32_t addr6_be[4] = { htonl(0xfd000000u | BENCH_NET6_CLIENT), 0, 0, client_be };
	uint64_t key, want = env->family == 6 ? PINTLE_FS_V6 : 0;
	uint32_t mask = run->meta.nr_buckets - 1, buckets[2];

	if (env->family == 6)
		key = pintle_flow_key6(addr6_be, port_be, frontend, &run->seed);
	else
		key = pintle_flow_key4(client_be, port_be, frontend, &run->seed);
	buckets[0] = pintle_bucket_first(key, mask);
	buckets[1] = pintle_bucket_second(key, mask);
	for (unsigned int i = 0; i < 2 * PINTLE_BUCKET_SLOTS; i++) {
		const struct pintle_slot *slot = &run->memory.tables.flows[buckets[i / 4]].slot[i % 4];

		if (slot->key == key && slot->state & PINTLE_FS_VALID && (slot->state & PINTLE_FS_V6) == want)
			return slot;
	}
	return NULL;
}

static int pintle_pod_of(struct bench_env *env, uint32_t flow)
{
	const struct pintle_run *run = env->priv;
	const struct pintle_slot *slot = find_slot(env, flow);
	const struct pintle_pod *pod;

	if (!slot)
		return BENCH_NO_POD;
	pod = &run->memory.tables.pods[slot->state & PINTLE_FS_BACKEND_MASK];
	return (int)(ntohl(pod->addr_be[env->family == 6 ? 3 : 0]) - BENCH_POD4(0));
}

static int pintle_primed(struct bench_env *env, struct bench_placed *ret)
{
	struct pintle_run *run = env->priv;
	bool is_new = env->kind == BENCH_NEW || env->kind == BENCH_NEW_CLOSE;
	uint32_t first = is_new ? 0 : env->first_flow, number = is_new ? env->first_flow : env->nr_flows;
	struct pintle_memory *m = &run->memory;

	ret->flows = number;
	ret->placed = 0;
	for (uint32_t i = 0; i < number; i++)
		ret->placed += find_slot(env, first + i) != NULL;
	run->unplaced = number ? 1 - (double)ret->placed / number : 0;
	if (run->unplaced > MAX_UNPLACED_SHARE) {
		snprintf(env->why, sizeof(env->why), "only %llu of %u flows are in the table", (unsigned long long)ret->placed,
			 number);
		return -ENOSPC;
	}
	if (env->kind != BENCH_NEW)
		return 0;
	run->flows = aligned_alloc(64, m->bytes[PINTLE_MAP_FLOWS]);
	run->loads = xcalloc(1, m->bytes[PINTLE_MAP_LOADS]);
	if (!run->flows)
		fail(EXIT_FAILED, "no memory for a copy of the flow table");
	memcpy(run->flows, m->tables.flows, m->bytes[PINTLE_MAP_FLOWS]);
	memcpy(run->loads, m->tables.loads, m->bytes[PINTLE_MAP_LOADS]);
	return 0;
}

static int pintle_reset(struct bench_env *env)
{
	struct pintle_run *run = env->priv;
	struct pintle_memory *m = &run->memory;

	if (!run->flows)
		return 0;
	memcpy(m->tables.flows, run->flows, m->bytes[PINTLE_MAP_FLOWS]);
	memcpy(m->tables.loads, run->loads, m->bytes[PINTLE_MAP_LOADS]);
	return 0;
}

/* How much each verdict grew since the last call. */
static int read_verdicts(struct pintle_run *run, uint64_t grown[PINTLE_V_MAX])
{
	uint64_t *values = xcalloc((size_t)run->nr_cpus, sizeof(*values));
	int err = 0;

	for (uint32_t v = 1; v < PINTLE_V_MAX && !err; v++) {
		uint64_t sum = 0;

		err = bpf_map_lookup_elem(run->verdicts_fd, &v, values);
		for (int cpu = 0; cpu < run->nr_cpus; cpu++)
			sum += values[cpu];
		grown[v] = sum - run->last[v];
		run->last[v] = sum;
	}
	free(values);
	return err;
}

static const struct {
	enum pintle_direction direction;
	const char *label;
} verdicts[] = {
#define PINTLE_VERDICT(name, dir, action, text, help) [PINTLE_V_##name] = { PINTLE_DIR_##dir, text },
#include "pintle/verdict.def"
#undef PINTLE_VERDICT
};

/* All packets of a direction must have the one verdict; only flows that found no slot may differ. */
static int check_direction(struct bench_env *env, const uint64_t *grown, enum pintle_direction direction,
			   enum pintle_verdict want, uint64_t packets)
{
	const struct pintle_run *run = env->priv;
	uint64_t sum = 0, allowed = run->unplaced > 0 ? (uint64_t)(2 * run->unplaced * (double)packets) + 64 : 0;
	uint32_t other = 0;

	if (env->kind == BENCH_NEW)
		allowed = packets / 20;
	for (uint32_t v = 1; v < PINTLE_V_MAX; v++) {
		if (verdicts[v].direction != direction)
			continue;
		sum += grown[v];
		if (v != want && grown[v] && (!other || grown[v] > grown[other]))
			other = v;
	}
	if (sum == packets && grown[want] + allowed >= packets)
		return 0;
	snprintf(env->why, sizeof(env->why), "%llu verdicts, %llu of them %s (%llu wanted), %llu %s", (unsigned long long)sum,
		 (unsigned long long)grown[want], verdicts[want].label, (unsigned long long)packets,
		 (unsigned long long)(other ? grown[other] : 0), other ? verdicts[other].label : "others");
	return -EBADMSG;
}

static int pintle_verify(struct bench_env *env, const struct bench_ran *ran)
{
	struct pintle_run *run = env->priv;
	bool is_redirect = pintle_config__has(env->args, "redirect"), is_reverse = is_reverse_row(env) && !ran->priming;
	uint64_t grown[PINTLE_V_MAX] = { 0 };
	int err = read_verdicts(run, grown);

	if (err)
		return err;
	if (ran->priming) /* counted from the table by primed() */
		return 0;
	err = check_direction(env, grown, PINTLE_DIR_FWD, is_redirect ? PINTLE_V_STEER_REDIRECT : PINTLE_V_STEER_PASS,
			      is_reverse ? 0 : ran->packets);
	if (err)
		return err;
	return check_direction(env, grown, PINTLE_DIR_REV, is_redirect ? PINTLE_V_REV_REDIRECT : PINTLE_V_REV_STEER,
			       ran->replies + (is_reverse ? ran->packets : 0));
}

static void pintle_close(struct bench_env *env)
{
	struct pintle_run *run = env->priv;

	if (!run)
		return;
	tables__close(run->tables);
	pintle_maps__close(&run->memory);
	pintle_config__free(run->config);
	free(run->frontends);
	free(run->flows);
	free(run->loads);
	free(run);
	env->priv = NULL;
}

const struct bench_plugin pintle_plugin = {
	.abi = BENCH_PLUGIN_ABI,
	.pre_load = pintle_pre_load,
	.post_load = pintle_post_load,
	.primed = pintle_primed,
	.reset = pintle_reset,
	.pod_of = pintle_pod_of,
	.verify = pintle_verify,
	.close = pintle_close,
};
