/* SPDX-License-Identifier: BSD-2-Clause */
#include "agent/classstats.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct classstats {
	int fd;
	uint32_t nr_cpus;
	struct pintle_class_stats *values; /* nr_cpus */
};

void classstats__close(struct classstats *s)
{
	if (!s)
		return;
	free(s->values);
	free(s);
}

int classstats__open(const struct datapath *dp, struct classstats **ret_stats, struct pintle_err *err)
{
	struct classstats *s = calloc(1, sizeof(*s));
	int cpus = libbpf_num_possible_cpus();

	if (s && cpus > 0)
		s->values = calloc((size_t)cpus, sizeof(*s->values));
	if (!s || cpus <= 0 || !s->values) {
		classstats__close(s);
		return pintle_err__set(err, cpus < 0 ? cpus : -ENOMEM, "class statistics: %s",
				       cpus < 0 ? "number of CPUs unknown" : "out of memory");
	}
	s->nr_cpus = (uint32_t)cpus;
	s->fd = datapath__map_fd(dp, "pt_class_stats");
	if (s->fd < 0) {
		cpus = s->fd;
		classstats__close(s);
		return pintle_err__set(err, cpus, "class statistics: map pt_class_stats is not open");
	}
	*ret_stats = s;
	return 0;
}

static void add_cpu(struct guard_counts *sum, const struct pintle_class_stats *cpu)
{
	sum->flows += cpu->flows;
	sum->failed += cpu->failed;
	sum->count += cpu->count;
	sum->latency_ns += cpu->latency_ns;
	sum->log2_q8 += cpu->log2_q8;
	for (uint32_t i = 0; i < PINTLE_FINE_BUCKETS; i++)
		sum->hist[i] += cpu->hist[i];
}

int classstats__read(struct classstats *s, uint32_t slot, struct guard_counts ret_counts[PINTLE_NR_CLASSES],
		     struct pintle_err *err)
{
	for (uint32_t c = 0; c < PINTLE_NR_CLASSES; c++) {
		uint32_t key = slot * PINTLE_NR_CLASSES + c;
		struct guard_counts sum = { 0 };
		int code = bpf_map_lookup_elem(s->fd, &key, s->values);

		if (code)
			return pintle_err__set(err, code, "class statistics: reading map pt_class_stats: %s", strerror(-code));
		for (uint32_t cpu = 0; cpu < s->nr_cpus; cpu++)
			add_cpu(&sum, &s->values[cpu]);
		ret_counts[c] = sum;
	}
	return 0;
}
