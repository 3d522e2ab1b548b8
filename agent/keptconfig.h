/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The text of the configuration in force, in the run directory (config-<hash of the pin directory>.yaml): an agent that starts beside tables that
 * are in use, and whose file is broken, absent or not named, goes on with it. A last line that is a comment says how long the text is and
 * its CRC-32C, so that a torn copy is known.
 */
#ifndef PINTLE_AGENT_KEPTCONFIG_H
#define PINTLE_AGENT_KEPTCONFIG_H

#include <stddef.h>

#include "agent/config.h"
#include "agent/err.h"

/* -ENAMETOOLONG. */
int keptconfig__path(const char *run_dir, const char *pin_dir, char *out, size_t out_bytes);
/*
 * Keeps config->text and frees it; without a text (it is kept already, or comes from the copy) does nothing. Makes the run directory. The copy appears at
 * once; an equal one is not written again. When it cannot be written, the text stays for another try and an older copy is removed: it
 * would bring back what is no longer in force. -errno.
 */
int keptconfig__write(const char *run_dir, const char *pin_dir, struct pintle_config *config, struct pintle_err *err);
/* By the same reader as a file of the user; the caller's, without a text. -ENOENT; -EFBIG; -EINVAL: torn or refused. */
int keptconfig__load(const char *run_dir, const char *pin_dir, struct pintle_config **ret_config, struct pintle_err *err);
/* Fine when it is not there. */
int keptconfig__remove(const char *run_dir, const char *pin_dir, struct pintle_err *err);

#endif
