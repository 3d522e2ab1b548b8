// SPDX-License-Identifier: BSD-2-Clause
#include "agent/podstats.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define BATCH_SLOTS 64u

struct podstats {
	int fd;
	uint32_t nr_cpus;
	struct pintle_pod_stats *values; /* BATCH_SLOTS * nr_cpus */
	uint32_t nr_read;		 /* slots below it may have advanced by the last reading */
	struct podstats_delta now[PINTLE_MAX_DETAIL], before[PINTLE_MAX_DETAIL];
};

void podstats__close(struct podstats *s)
{
	if (!s)
		return;
	free(s->values);
	free(s);
}

static void add_cpu(struct podstats_delta *sum, const struct pintle_pod_stats *cpu)
{
	sum->first_bytes += cpu->first_bytes;
	sum->aborted += cpu->aborted;
	sum->resets += cpu->resets;
	sum->refused += cpu->refused;
	sum->latency_count += cpu->latency_count;
	sum->latency_ns += cpu->latency_ns;
	sum->gain_q8 += cpu->gain_q8;
}

static void take(struct podstats *s, uint32_t slot, const struct pintle_pod_stats *cpus)
{
	struct podstats_delta sum = { 0 };

	for (uint32_t cpu = 0; cpu < s->nr_cpus; cpu++)
		add_cpu(&sum, &cpus[cpu]);
	s->before[slot] = s->now[slot];
	s->now[slot] = sum;
}

/* Slots [first, first + count), at most BATCH_SLOTS. */
static int read_run(struct podstats *s, uint32_t first, uint32_t count, struct pintle_err *err)
{
	uint32_t keys[BATCH_SLOTS], in = first - 1, out;
	LIBBPF_OPTS(bpf_map_batch_opts, opts);
	int code = bpf_map_lookup_batch(s->fd, first ? &in : NULL, &out, keys, s->values, &count, &opts);

	if (code < 0 && code != -ENOENT)
		return pintle_err__set(err, code, "pod statistics: reading map pt_pod_stats: %s", strerror(-code));
	for (uint32_t i = 0; i < count && keys[i] < PINTLE_MAX_DETAIL; i++)
		take(s, keys[i], s->values + (size_t)i * s->nr_cpus);
	return 0;
}

/* Slots that are not read did not advance. */
static void settle(struct podstats *s)
{
	for (uint32_t slot = 0; slot < s->nr_read; slot++)
		s->before[slot] = s->now[slot];
	s->nr_read = 0;
}

int podstats__read_some(struct podstats *s, const uint8_t *wanted, uint32_t nr_slots, struct pintle_err *err)
{
	uint32_t first = 0, end;

	settle(s);
	if (nr_slots > PINTLE_MAX_DETAIL)
		nr_slots = PINTLE_MAX_DETAIL;
	while (first < nr_slots) {
		int code;

		if (!wanted[first]) {
			first++;
			continue;
		}
		for (end = first + 1; end < nr_slots && end - first < BATCH_SLOTS && wanted[end]; end++)
			;
		s->nr_read = end;
		code = read_run(s, first, end - first, err);
		if (code)
			return code;
		first = end;
	}
	return 0;
}

int podstats__read(struct podstats *s, uint32_t nr_slots, struct pintle_err *err)
{
	uint8_t all[PINTLE_MAX_DETAIL];

	memset(all, 1, sizeof(all));
	return podstats__read_some(s, all, nr_slots, err);
}

/* Every count only grows while a slot belongs to one pod; gain_q8 is a signed sum and may fall. */
static bool went_back(const struct podstats_delta *now, const struct podstats_delta *before)
{
	return now->first_bytes < before->first_bytes || now->aborted < before->aborted || now->resets < before->resets ||
	       now->refused < before->refused || now->latency_count < before->latency_count ||
	       now->latency_ns < before->latency_ns;
}

struct podstats_delta podstats__delta(const struct podstats *s, uint32_t slot)
{
	struct podstats_delta d = { 0 };
	const struct podstats_delta *now, *before;

	if (slot >= PINTLE_MAX_DETAIL)
		return d;
	now = &s->now[slot];
	before = &s->before[slot];
	if (went_back(now, before))
		return d;
	d.first_bytes = now->first_bytes - before->first_bytes;
	d.aborted = now->aborted - before->aborted;
	d.resets = now->resets - before->resets;
	d.refused = now->refused - before->refused;
	d.latency_count = now->latency_count - before->latency_count;
	d.latency_ns = now->latency_ns - before->latency_ns;
	d.gain_q8 = now->gain_q8 - before->gain_q8;
	return d;
}

void podstats__restart(struct podstats *s, uint32_t slot)
{
	if (slot >= PINTLE_MAX_DETAIL)
		return;
	s->now[slot] = (struct podstats_delta){ 0 };
	s->before[slot] = (struct podstats_delta){ 0 };
}

int podstats__open(const struct datapath *dp, struct podstats **ret_stats, struct pintle_err *err)
{
	struct podstats *s = calloc(1, sizeof(*s));
	int cpus = libbpf_num_possible_cpus(), code;

	if (s && cpus > 0)
		s->values = calloc((size_t)BATCH_SLOTS * (size_t)cpus, sizeof(*s->values));
	if (!s || cpus <= 0 || !s->values) {
		podstats__close(s);
		return pintle_err__set(err, cpus < 0 ? cpus : -ENOMEM, "pod statistics: %s",
				       cpus < 0 ? "number of CPUs unknown" : "out of memory");
	}
	s->nr_cpus = (uint32_t)cpus;
	s->fd = datapath__map_fd(dp, "pt_pod_stats");
	if (s->fd < 0) {
		code = s->fd;
		podstats__close(s);
		return pintle_err__set(err, code, "pod statistics: map pt_pod_stats is not open");
	}
	code = podstats__read(s, PINTLE_MAX_DETAIL, err); /* what was before is no advance */
	if (code) {
		podstats__close(s);
		return code;
	}
	memcpy(s->before, s->now, sizeof(s->before));
	*ret_stats = s;
	return 0;
}
