/* SPDX-License-Identifier: BSD-2-Clause */
/* Small files that are read whole, and replaced whole. */
#ifndef PINTLE_AGENT_WHOLEFILE_H
#define PINTLE_AGENT_WHOLEFILE_H

#include <stddef.h>

#include "agent/err.h"

/*
 * Reads a regular file (symbolic links are followed: ConfigMaps are made of them) of at most `max_bytes`; *ret_data is the caller's to free and has
 * a NUL behind *ret_bytes bytes. Never hangs on a FIFO or a device. -EFBIG; -EINVAL: not a regular file; -EAGAIN: it changed while it was read.
 */
int wholefile__read(const char *path, size_t max_bytes, char **ret_data, size_t *ret_bytes, struct pintle_err *err);

/*
 * `path` holds these bytes, mode 0644 less the umask, or what it held before: written beside, synced, renamed. Refuses (-EEXIST) a `path` that is there and is no
 * regular file: a symbolic link is neither followed nor replaced.
 */
int wholefile__replace(const char *path, const void *data, size_t bytes, struct pintle_err *err);

#endif
