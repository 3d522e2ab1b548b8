/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Recording of answered requests to a file, for training (`pintle record`; the format is that of policy/train/recording.h): asks the programs for
 * records (ctl.record_budget), joins them with the features at their choice, and writes whole lines until a bound of bytes is reached.
 */
#ifndef PINTLE_AGENT_RECORDER_H
#define PINTLE_AGENT_RECORDER_H

#include <stdint.h>

#include "agent/datapath.h"
#include "agent/view.h"

struct recorder;

struct recorder_limits {
	uint64_t max_bytes;  /* of the file */
	uint32_t per_second; /* records asked for, at most */
};

struct recorder_counts {
	uint64_t rows, bytes;
	uint64_t lost;	  /* by a full ring */
	uint64_t unknown; /* answered, but chosen before the recording knew the pod */
};

/* Makes `path` (an existing file is not touched: -EEXIST) and writes its first line. One recording at a time (-EBUSY): whoever holds the lock in
 * run_dir. `view` gives names and must outlive the recorder, as must `dp`, which must be writable. */
int recorder__open(struct datapath *dp, const struct view *view, const char *run_dir, const char *pin_dir, const char *path,
		   const struct recorder_limits *limits, struct recorder **ret_recorder, struct pintle_err *err);
/* Asks for no more; the file is whole as it is. 0, or -errno when what was written did not reach it. */
int recorder__close(struct recorder *r, struct pintle_err *err);
/* Features of now, records since the last call, budget for the next `period_ns`. -ENOSPC: the bound is reached, what was written stays. */
int recorder__tick(struct recorder *r, uint64_t now_ns, uint64_t period_ns, struct pintle_err *err);
struct recorder_counts recorder__counts(const struct recorder *r);

#endif
