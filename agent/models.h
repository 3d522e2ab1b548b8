/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The models that the agent knows: those that the configuration names, followed as their files change, and those that were in production
 * before. A file that cannot be used replaces nothing. Each model that was taken is kept as a copy in the run directory, so that it is there
 * to be fallen back to when its file has become another.
 */
#ifndef PINTLE_AGENT_MODELS_H
#define PINTLE_AGENT_MODELS_H

#include "agent/config.h"
#include "agent/modelfile.h"

#define MODELS_ROOM 12u
#define MODELS_NAME_BYTES 64

enum models_role { MODELS_PRODUCTION = 0, MODELS_CANDIDATE, MODELS_NR_ROLES };

struct models;

int models__open(const char *run_dir, const char *pin_dir, struct models **ret_models, struct pintle_err *err);
void models__close(struct models *m);
/* Looks at the files again. True when a role has another model than before (also: none any more). Refusals are logged, once for each state of
 * a file. */
bool models__follow(struct models *m, const struct cfg_learning *learning);
/* CRC of the model that a role's file held when it could last be used; 0 = none. */
uint32_t models__wanted(const struct models *m, enum models_role role);
/* False: a file is named that could never be used yet, so nobody knows what is wanted. */
bool models__is_known(const struct models *m, enum models_role role);
/* The model of a CRC: known, or read from its copy; NULL when it is nowhere any more. Lives until it is forgotten by models__keep(). */
const struct model *models__get(struct models *m, uint32_t crc32c);
/* What people call it: the file's name, "gains" for 0, the CRC for one that was read from its copy. */
const char *models__name(const struct models *m, uint32_t crc32c);
/* The CRC of a known model of that name; 0: none. */
uint32_t models__by_name(const struct models *m, const char *name);
/* Forgets models that neither a role nor `is_used` wants, when room is short. */
void models__keep(struct models *m, bool (*is_used)(void *arg, uint32_t crc32c), void *arg);

#endif
