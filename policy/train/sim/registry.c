// SPDX-License-Identifier: BSD-2-Clause
#include <string.h>

#include "policy/train/sim/rivals.h"

static const struct sim_balancer_ops *const all[] = {
	&sim_pintle,	      &rival_random,	   &rival_rr,	    &rival_wrr,	     &rival_wrr_qu, &rival_p2c,
	&rival_least,	      &rival_least_fresh,  &rival_peak,	    &rival_peak_all, &rival_c3,	    &rival_prequal,
	&rival_prequal_ideal, &rival_prequal_once, &rival_routenet, &oracle_eft,     &oracle_work,  &oracle_marginal,
};

const struct sim_balancer_ops *sim_policy__at(uint32_t index)
{
	return index < sizeof(all) / sizeof(all[0]) ? all[index] : NULL;
}

const struct sim_balancer_ops *sim_policy__find(const char *name)
{
	for (uint32_t i = 0; sim_policy__at(i); i++)
		if (!strcmp(sim_policy__at(i)->name, name))
			return sim_policy__at(i);
	return NULL;
}
