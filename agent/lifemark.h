/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Was the flow table lost? A file of the run directory (table-<hash of the pin directory>.json) says that under these pins there is a table, made since
 * this boot. `detach` removes it. So who has to make the maps anew although the file is there found the pins taken away by
 * something else: connections that were steered may still be alive in the pods, and their entries can be made again (bpf/heal.bpf.h).
 * After a first attach the file is not there: the connections of that moment are the stack's.
 */
#ifndef PINTLE_AGENT_LIFEMARK_H
#define PINTLE_AGENT_LIFEMARK_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/err.h"
#include "pintle/abi.h"

#define LIFEMARK_RECOVER_NS 120000000000ull /* how long a table counts as lost, unless the command line says otherwise */

/* Is the file there, and of this boot? A file that cannot be read or is torn says nothing: false. */
bool lifemark__is_there(const char *run_dir, const char *pin_dir);
int lifemark__write(const char *run_dir, const char *pin_dir, struct pintle_err *err);
/* Fine when it is not there. */
int lifemark__remove(const char *run_dir, const char *pin_dir, struct pintle_err *err);

/* The table counts as lost from now on: entries that are missing are made again, and replies guessed. now_ns: CLOCK_MONOTONIC. 0 ns ends it. */
void lifemark__declare_lost(struct pintle_ctl *ctl, uint64_t now_ns, uint64_t for_ns);
/* After a load, before anything is attached: if the maps were made anew in place of a table that is missing, it is lost. */
bool lifemark__after_load(const char *run_dir, const char *pin_dir, bool made_maps, struct pintle_ctl *ctl, uint64_t now_ns);
/* Time that is left of it; 0 = it does not. */
uint64_t lifemark__lost_ns(const struct pintle_ctl *ctl, uint64_t now_ns);

#endif
