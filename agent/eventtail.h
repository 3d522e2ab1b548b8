/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads the event log: its last lines, then those that come, over rotations. */
#ifndef PINTLE_AGENT_EVENTTAIL_H
#define PINTLE_AGENT_EVENTTAIL_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/err.h"

struct eventtail;

/* Begins `last` lines before the end (0 = at the beginning), the rotated file included. -ENOENT: nothing was ever recorded here, unless
 * `may_wait`: then it may appear later. */
int eventtail__open(const char *run_dir, const char *pin_dir, uint32_t last, bool may_wait, struct eventtail **ret_tail,
		    struct pintle_err *err);
void eventtail__close(struct eventtail *tail);
/* 1 with *ret_line (valid until the next call), 0 when there is none now, or -errno. Lines without end are not given out. */
int eventtail__next(struct eventtail *tail, const char **ret_line, struct pintle_err *err);

#endif
