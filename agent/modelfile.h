/* SPDX-License-Identifier: BSD-2-Clause */
/* Model files (policy/model.h) on disk, and the one that is part of the program. */
#ifndef PINTLE_AGENT_MODELFILE_H
#define PINTLE_AGENT_MODELFILE_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/err.h"
#include "policy/model.h"

/* Reads and proves a model, for the fastest path of this CPU. *ret is whole or untouched. -EINVAL: not a model that this build can run, the
 * message names the file, the field and what to try; or as wholefile__read. */
int modelfile__read(const char *path, struct model *ret, struct pintle_err *err);
/* Writes it, or leaves what was there: see wholefile__replace. -EINVAL when no build would read it. */
int modelfile__write(const char *path, const struct model *m, struct pintle_err *err);

/* The default model, policy/models/default.ptm when the program was built. -ENOENT: built without. */
int modelfile__embedded(struct model *ret, struct pintle_err *err);

/* MLP_CPU_* of this machine. */
uint32_t modelfile__cpu_features(void);

#endif
