/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Recordings of real requests (`pintle record`), as rows for training. One JSON object a line; the first says what the file is:
 *   {"recording": 1, "features": ["gain_rel", ...]}
 * and each other is a request that was answered:
 *   {"time_ns": since the recording began, "service": "web", "pod": "10.0.0.1:80", "class": "production", "load": 3, "latency_ns": 51000,
 *    "gain_q8": 3900, "delay_q8": 512, "features": {"gain_rel": -12, ...}}
 * `features` are the raw values in Q8 (policy/feature.def) that the agent computed last before the choice; gain_q8 the gain of then, delay_q8 the
 * log2 of how much longer it takes under that load. The target of a row is log2(latency in us) - gain_q8 - delay_q8, in Q8.
 */
#ifndef PINTLE_TRAIN_RECORDING_H
#define PINTLE_TRAIN_RECORDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy/feature.h"
#include "policy/train/dataset.h"

#define RECORDING_VERSION 1
#define RECORDING_LINE_BYTES 4096u		  /* a longer line is none of ours */
#define RECORDING_MAX_LATENCY_NS 3600000000000ull /* an hour */
#define RECORDING_TEXT_BYTES 256

struct recording_report {
	uint64_t rows;
	bool is_torn;		       /* the last line has no end: it was left out */
	uint64_t torn_line, torn_byte; /* where it begins; lines from 1, bytes from 0 */
};

/*
 * Adds the rows of a file's bytes to `d` (FEATURE_NR inputs). -EINVAL: a line is not what it should be, `text` says which, at what byte, and what is
 * wrong with it; rows before it are in `d`. -ENOMEM. A file that stops in the middle of a line is read up to there.
 */
int recording__read(const char *data, size_t bytes, struct dataset *d, struct recording_report *ret_report,
		    char text[RECORDING_TEXT_BYTES]);

#endif
