/* SPDX-License-Identifier: BSD-2-Clause */
/* Tables on maps in plain memory that count stores and grace periods, and the configuration that most tests of tables begin with. */
#ifndef PINTLE_TESTS_TABLES_RIG_H
#define PINTLE_TESTS_TABLES_RIG_H

#include "agent/tables_int.h"
#include "tests/unit/tables_fixture.h"

struct tables_rig {
	struct arena arena;
	struct tables *t;
	struct pintle_err err;
	struct tables_applied applied; /* by the last apply */
	uint32_t stores, graces;       /* since it began */
};

extern struct tables_rig rig;

int rig__grace(void *arg);     /* a tables_grace_fn that counts */
void rig__on_store(void *arg); /* a tables_store_hook that counts; set by rig__begin() */
void rig__begin(uint32_t max_frontends, uint32_t max_pods, uint32_t pick_lines); /* as arena__init() */
void rig__end(void);
void rig__reopen(void); /* another agent on the same maps */
int rig__try(const struct pintle_config *config);
void rig__apply(const struct pintle_config *config); /* must succeed */

/* Two services, both families; they share 10.0.0.3. */
struct pintle_config *rig__two_services(void);
uint16_t rig__pod_at(const char *addr); /* its id, port 8080 */
/* The member of a pod in a service, in a half; NULL if it is none. */
const struct pintle_member *rig__member_of(const char *service, int family, uint32_t half, uint16_t pod);
int16_t rig__gain_in_force(const char *service, uint16_t pod); /* IPv4 */

#endif
