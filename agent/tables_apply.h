/* SPDX-License-Identifier: BSD-2-Clause */
/* Between tables_apply.c, which writes the maps, and tables_commit.c, which keeps the shadow. */
#ifndef PINTLE_AGENT_TABLES_APPLY_H
#define PINTLE_AGENT_TABLES_APPLY_H

#include "agent/tables_plan.h"

struct local_addresses {
	bool (*is_local)(void *arg, const struct ip_addr *addr); /* NULL: none is */
	void *arg;
};

/* Every write of an apply but the words of ctl. After an error the maps are as a writer that died leaves them: tables__adopt(). */
int plan__carry_out(struct tables *t, struct plan *p, const struct local_addresses *local);

/* tables_ctl.c: time-outs and psi tables, where they differ */
void ctl__write(struct tables *t, const struct pintle_config *config);

#endif
