/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Writer of the text formats in which metrics are exposed: Prometheus' text format, version 0.0.4, and OpenMetrics 1.0 (which wants UNIT and
 * EOF lines, and the names of counters without _total in TYPE and HELP). Names, types and labels come from metrics.def; the caller gives values.
 * Families come in any order, each once; errors stick to the file.
 */
#ifndef PINTLE_AGENT_METRICS_TEXT_H
#define PINTLE_AGENT_METRICS_TEXT_H

#include <stdint.h>
#include <stdio.h>

#include "pintle/abi.h"
#include "pintle/metrics.h"

enum metrics_format { METRICS_PROMETHEUS = 0, METRICS_OPENMETRICS };

struct metrics_text {
	FILE *file;
	enum metrics_format format;
	enum pintle_metric metric; /* the family that samples belong to */
};

void metrics_text__family(struct metrics_text *t, enum pintle_metric metric);
/* labels: as many values as metrics.def names for the family, in that order; any bytes. */
void metrics_text__u64(const struct metrics_text *t, const char *const *labels, uint64_t value);
void metrics_text__i64(const struct metrics_text *t, const char *const *labels, int64_t value);
void metrics_text__double(const struct metrics_text *t, const char *const *labels, double value);
void metrics_text__seconds(const struct metrics_text *t, const char *const *labels, uint64_t ns);
/* A log2 histogram of abi.h; buckets end at 64 us, 128 us, ... 33.6 s, infinity. */
void metrics_text__histogram(const struct metrics_text *t, const char *const *labels, const uint32_t hist[PINTLE_HIST_BUCKETS],
			     uint64_t sum_ns);
/* Buckets an octave wide: count[i] (of nr, each its own, together below 2^64) ends at first_end_ns << i, the last has no end. Those that end from 60 us
 * to 40 s are shown, and infinity. */
void metrics_text__octaves(const struct metrics_text *t, const char *const *labels, const uint64_t *count, unsigned int nr,
			   uint64_t first_end_ns, uint64_t sum_ns);
void metrics_text__end(const struct metrics_text *t);

#endif
