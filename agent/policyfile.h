/* SPDX-License-Identifier: BSD-2-Clause */
/* The files about policies that the agent and the command line leave each other in the run directory, read. JSON that others wrote: every key may be
 * absent or of another kind. */
#ifndef PINTLE_AGENT_POLICYFILE_H
#define PINTLE_AGENT_POLICYFILE_H

#include <cjson/cJSON.h>
#include <stdint.h>

#include "agent/err.h"

/* RUN_DIR/STEM-<hash>.json; the caller's to cJSON_Delete(). -ENOENT: none; -EINVAL: torn. */
int policyfile__read(const char *run_dir, const char *stem, const char *pin_dir, cJSON **ret_json, struct pintle_err *err);
/* The same for STEWARD_STATE; also -EINVAL when it is of another version. */
int policyfile__read_state(const char *run_dir, const char *pin_dir, cJSON **ret_json, struct pintle_err *err);

const cJSON *policyfile__get(const cJSON *object, const char *key); /* NULL: absent */
const char *policyfile__text(const cJSON *object, const char *key); /* NULL: no string */
double policyfile__number(const cJSON *object, const char *key);    /* NAN: no number */
uint64_t policyfile__count(const cJSON *object, const char *key);   /* 0: no number, negative, or beyond 64 bits */

#endif
