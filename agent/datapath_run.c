/* SPDX-License-Identifier: BSD-2-Clause */
/* Running the programs that the agent drives, and reading what the others count. */
#include "agent/datapath_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "pintle/verdict.h"

#define PROBE_ETHERTYPE 0x88B5 /* IEEE 802 local experimental */
#define PROBE_BYTES 60	       /* shortest Ethernet frame without its checksum */

int datapath__sweep(const struct datapath *dp, struct pintle_sweep *sweep, struct pintle_err *err)
{
	/* The kernel copies the context back over what was passed in and refuses a ctx_out (bpf_prog_test_run_syscall()). */
	LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = sweep, .ctx_size_in = sizeof(*sweep));
	int ret;

	ret = bpf_prog_test_run_opts(dp->prog_fds[DP_PROG_SWEEP], &opts);
	if (ret)
		return pintle_err__set(err, ret, "cannot run the sweep over buckets %u+%u: %s", sweep->first_bucket,
				       sweep->nr_buckets, strerror(-ret));
	return 0;
}

int datapath__probe_redirect(const struct datapath *dp, uint32_t devmap, const uint8_t dmac[6], const uint8_t smac[6],
			     unsigned int nr, struct pintle_err *err)
{
	uint8_t frame[PROBE_BYTES] = { [12] = PROBE_ETHERTYPE >> 8, [13] = PROBE_ETHERTYPE & 0xff };
	struct xdp_md ctx = { .data_end = PROBE_BYTES };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = sizeof(frame), .ctx_in = &ctx,
		    .ctx_size_in = sizeof(ctx), .repeat = (int)nr, .flags = BPF_F_TEST_XDP_LIVE_FRAMES);
	int ret;

	if (!nr)
		return 0;
	memcpy(frame, dmac, 6);
	memcpy(frame + 6, smac, 6);
	memcpy(frame + 14, &devmap, sizeof(devmap));
	ret = bpf_prog_test_run_opts(dp->prog_fds[DP_PROG_PROBE], &opts);
	if (ret)
		return pintle_err__set(err, ret, "cannot send probe frames to devmap slot %u: %s", devmap, strerror(-ret));
	return 0;
}

int datapath__devmap_set(const struct datapath *dp, uint32_t slot, uint32_t ifindex, struct pintle_err *err)
{
	int fd = dp->map_fds[DP_MAP_DEVMAP], ret;

	ret = ifindex ? bpf_map_update_elem(fd, &slot, &ifindex, BPF_ANY) : bpf_map_delete_elem(fd, &slot);
	if (ret)
		return pintle_err__set(err, ret, "pt_devmap: cannot set slot %u to device %u: %s", slot, ifindex,
				       strerror(-ret));
	return 0;
}

/* All CPUs' values of one key; freed by the caller. */
static int lookup_cpus(const struct datapath *dp, enum dp_map map, uint32_t key, void **ret_values, int *ret_cpus,
		       struct pintle_err *err)
{
	int cpus = libbpf_num_possible_cpus(), ret;
	void *values;

	if (cpus < 0)
		return pintle_err__set(err, cpus, "cannot count the CPUs: %s", strerror(-cpus));
	values = calloc((size_t)cpus, dp_map_defs[map].value_bytes);
	if (!values)
		return pintle_err__set(err, -ENOMEM, "out of memory");
	ret = bpf_map_lookup_elem(dp->map_fds[map], &key, values);
	if (ret) {
		free(values);
		return pintle_err__set(err, ret, "%s: cannot read entry %u: %s", dp_map_defs[map].name, key, strerror(-ret));
	}
	*ret_values = values;
	*ret_cpus = cpus;
	return 0;
}

int datapath__verdicts(const struct datapath *dp, uint64_t *counts, struct pintle_err *err)
{
	uint64_t sums[PINTLE_V_MAX] = { 0 }, *values;
	int cpus, ret;

	for (uint32_t v = 0; v < PINTLE_V_MAX; v++) {
		ret = lookup_cpus(dp, DP_MAP_VERDICTS, v, (void **)&values, &cpus, err);
		if (ret)
			return ret;
		for (int cpu = 0; cpu < cpus; cpu++)
			sums[v] += values[cpu];
		free(values);
	}
	memcpy(counts, sums, sizeof(sums));
	return 0;
}

int datapath__traffic(const struct datapath *dp, uint32_t pod, struct pintle_traffic *ret_traffic, struct pintle_err *err)
{
	struct pintle_traffic sum = { 0 }, *values;
	int cpus, ret;

	ret = lookup_cpus(dp, DP_MAP_TRAFFIC, pod, (void **)&values, &cpus, err);
	if (ret)
		return ret;
	for (int cpu = 0; cpu < cpus; cpu++) {
		sum.packets += values[cpu].packets;
		sum.bytes += values[cpu].bytes;
		sum.flows += values[cpu].flows;
	}
	free(values);
	*ret_traffic = sum;
	return 0;
}

int datapath__pod_stats(const struct datapath *dp, uint32_t detail_slot, struct pintle_pod_stats *ret_stats,
			struct pintle_err *err)
{
	/* 64-bit words up to the histograms, 32-bit words to `pad`. */
	enum { WORDS = offsetof(struct pintle_pod_stats, latency_hist) / sizeof(uint64_t) };
	enum {
		HALVES = (offsetof(struct pintle_pod_stats, pad) - offsetof(struct pintle_pod_stats, latency_hist)) /
			 sizeof(uint32_t)
	};
	struct pintle_pod_stats sum = { 0 }, *values;
	int cpus, ret;

	ret = lookup_cpus(dp, DP_MAP_POD_STATS, detail_slot, (void **)&values, &cpus, err);
	if (ret)
		return ret;
	for (int cpu = 0; cpu < cpus; cpu++) {
		const uint64_t *words = (const uint64_t *)&values[cpu];
		const uint32_t *halves = (const uint32_t *)(words + WORDS);

		for (size_t i = 0; i < WORDS; i++)
			((uint64_t *)&sum)[i] += words[i];
		for (size_t i = 0; i < HALVES; i++)
			((uint32_t *)((uint64_t *)&sum + WORDS))[i] += halves[i];
	}
	free(values);
	*ret_stats = sum;
	return 0;
}

static int zero_cpus(const struct datapath *dp, enum dp_map map, uint32_t key, struct pintle_err *err)
{
	int cpus = libbpf_num_possible_cpus(), ret;
	void *zeroes;

	if (cpus < 0)
		return pintle_err__set(err, cpus, "cannot count the CPUs: %s", strerror(-cpus));
	zeroes = calloc((size_t)cpus, dp_map_defs[map].value_bytes);
	if (!zeroes)
		return pintle_err__set(err, -ENOMEM, "out of memory");
	ret = bpf_map_update_elem(dp->map_fds[map], &key, zeroes, BPF_EXIST);
	free(zeroes);
	if (ret)
		return pintle_err__set(err, ret, "%s: cannot clear entry %u: %s", dp_map_defs[map].name, key, strerror(-ret));
	return 0;
}

int datapath__forget_pod(void *arg, uint16_t pod, uint32_t detail_slot, struct pintle_err *err)
{
	const struct datapath *dp = arg;
	int ret = zero_cpus(dp, DP_MAP_TRAFFIC, pod, err);

	if (!ret && detail_slot != TABLES_NO_DETAIL)
		ret = zero_cpus(dp, DP_MAP_POD_STATS, detail_slot, err);
	return ret;
}

/* The kernel's account of a map's memory is in its fdinfo only. */
static uint64_t memory_of(int fd)
{
	unsigned long long bytes = 0;
	char path[64], line[128];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	f = fopen(path, "re");
	if (!f)
		return 0;
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "memlock: %llu", &bytes) == 1)
			break;
	fclose(f);
	return bytes;
}

int datapath__map_info(const struct datapath *dp, unsigned int nr, struct datapath_map_info *ret_info, struct pintle_err *err)
{
	const struct dp_map_def *def;

	if (nr >= DP_NR_MAPS)
		return pintle_err__set(err, -ENOENT, "there are %d maps", DP_NR_MAPS);
	def = &dp_map_defs[nr];
	*ret_info = (struct datapath_map_info){
		.name = def->name,
		.help = def->help,
		.entries = dp_map__entries((enum dp_map)nr, dp->maps.meta),
		.key_bytes = def->key_bytes,
		.value_bytes = def->value_bytes,
		.memory_bytes = memory_of(dp->map_fds[nr]),
	};
	return 0;
}

int datapath__links(const struct datapath *dp, struct datapath_link *links, int max, struct pintle_err *err)
{
	struct dp_attachment *list;
	uint32_t prog_id;
	size_t nr;
	int ret;

	ret = dp_attachment__list(dp->pin_dir, &list, &nr, err);
	if (ret)
		return ret;
	for (size_t i = 0; !ret && i < nr && i < (size_t)max; i++) {
		ret = dp_attachment__prog(dp->pin_dir, &list[i], &prog_id, err);
		if (ret == -ENOENT) { /* went in the meantime */
			ret = 0;
			prog_id = 0;
		}
		links[i] = (struct datapath_link){
			.ifindex = list[i].ifindex,
			.prog_id = prog_id,
			.is_tcx = !list[i].is_filter && list[i].kind != DP_KIND_XDP,
			.is_alive = prog_id != 0,
		};
		snprintf(links[i].kind, sizeof(links[i].kind), "%s", dp_kinds[list[i].kind].name);
	}
	free(list);
	return ret ? ret : (int)nr;
}
