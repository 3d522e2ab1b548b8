/* SPDX-License-Identifier: BSD-2-Clause */
/* Files under the run directory. Several sets of pins can share it: each has names of its own. */
#ifndef PINTLE_AGENT_RUNDIR_H
#define PINTLE_AGENT_RUNDIR_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "agent/err.h"

/* RUN_DIR/STEM-<hash of pin_dir>SUFFIX; however pin_dir is spelled (relative, by a link, with further slashes), while it or its parent exists.
 * -ENAMETOOLONG. */
int rundir__path(const char *run_dir, const char *stem, const char *pin_dir, const char *suffix, char *out, size_t out_bytes);
/* Makes the directory (not its parents), mode 0755. */
int rundir__make(const char *run_dir, struct pintle_err *err);
/* RUN_DIR/STEM-<hash>.json, made by `put` (0 or -errno), appears at once: written beside and renamed. Makes the directory. */
int rundir__replace(const char *run_dir, const char *stem, const char *pin_dir, int (*put)(FILE *file, const void *arg),
		    const void *arg, struct pintle_err *err);
/* All of it, the caller's to free. -ENOENT, and as wholefile__read() with at most 64 MiB: never hangs on a FIFO. */
int rundir__slurp(const char *run_dir, const char *stem, const char *pin_dir, char **ret_text, size_t *ret_bytes,
		  struct pintle_err *err);
/*
 * Holds RUN_DIR/STEM-<hash>.lock against other holders, in other processes too, until the descriptor is closed (the caller's). Makes the directory. Waits at most
 * wait_ns; -EBUSY then, with a message that names the file.
 */
int rundir__lock(const char *run_dir, const char *stem, const char *pin_dir, uint64_t wait_ns, int *ret_fd,
		 struct pintle_err *err);

#endif
