/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Names and objectives of the services that are in force, for the command line: the maps hold numbers only. The writer of the tables (attach -c, the agent)
 * leaves them under the run directory, replaced by rename; without the file, views show addresses and ids.
 */
#ifndef PINTLE_AGENT_NAMES_H
#define PINTLE_AGENT_NAMES_H

#include "agent/config.h"
#include "agent/err.h"

/* RUN_DIR/names-<hash of pin_dir>.json: by service its name, latency objective and frontends. */
int names__write(const char *run_dir, const char *pin_dir, const struct pintle_config *config, struct pintle_err *err);

struct names;
/* -ENOENT when there is no file; -EINVAL when it is torn. */
int names__load(const char *run_dir, const char *pin_dir, struct names **ret_names, struct pintle_err *err);
void names__free(struct names *names);
/* NULL when unknown. *ret_slo_ms (may be NULL): the service's latency objective, 0 = none or unknown. */
const char *names__of_frontend(const struct names *names, const struct ip_addr *vip, uint8_t proto, uint16_t port,
			       uint32_t *ret_slo_ms);

#endif
