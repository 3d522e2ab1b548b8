/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The pin directory: a directory on a bpffs that holds maps, programs and links by name, plus empty directories as notes that outlive
 * the process. Pins are replaced atomically (pinned under another name, then renamed). The directory itself carries the lock, by
 * flock(2), so that whoever sees the same pins sees the same lock: other mount namespaces and containers too.
 */
#ifndef PINTLE_AGENT_PINS_H
#define PINTLE_AGENT_PINS_H

#include <stdbool.h>
#include <stddef.h>

#include "agent/err.h"

#define PINS_DIR_BYTES 192  /* longest directory name, NUL included */
#define PINS_PATH_BYTES 256 /* longest path of a pin, NUL included */

enum pin_kind { PIN_MAP = 0, PIN_PROG, PIN_LINK };

/* Opens the directory (making it, if `create`). Returns a file descriptor or -errno: -ENOENT not there, -ENODEV not on a bpffs,
 * -ENAMETOOLONG, -EACCES/-EPERM. The message says what to run. */
int pins__open_dir(const char *dir, bool create, struct pintle_err *err);

/* Takes the lock, waiting `wait_ms` for another process. -EBUSY names it; -ESTALE: the directory was removed while it was open. */
int pins__lock(int dir_fd, const char *dir, int wait_ms, struct pintle_err *err);
void pins__unlock(int dir_fd);
/* Does another process hold the lock? `holder` says who, if /proc can tell. */
bool pins__is_locked(int dir_fd, char *holder, size_t holder_bytes);

/* Opens a pin. Returns a file descriptor or -errno: -ENOENT (no message: often no error), -EPROTO it is something else than `kind`.
 * A map that is not `writable` cannot be written through this descriptor. */
int pins__get(const char *dir, const char *name, enum pin_kind kind, bool writable, struct pintle_err *err);
/* Pins `fd`, in place of a pin of that name if there is one. */
int pins__put(const char *dir, const char *name, int fd, struct pintle_err *err);
/* Removes a pin or a note; absent is fine. */
int pins__remove(const char *dir, const char *name, struct pintle_err *err);
/* A note: an empty directory. */
int pins__note(const char *dir, const char *name, struct pintle_err *err);
bool pins__has(const char *dir, const char *name);

/* Calls `fn` for every name in the directory, in the order of a snapshot taken before: `fn` may add and remove. Stops at the first
 * value other than 0 and returns it. */
int pins__each(const char *dir, int (*fn)(void *arg, const char *name), void *arg, struct pintle_err *err);

#endif
