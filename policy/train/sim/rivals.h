/* SPDX-License-Identifier: BSD-2-Clause */
/* Every policy of the simulator, and the scenarios it is compared on. */
#ifndef PINTLE_TRAIN_RIVALS_H
#define PINTLE_TRAIN_RIVALS_H

#include "policy/train/sim/sim.h"

extern const struct sim_balancer_ops rival_random, rival_rr, rival_wrr, rival_wrr_qu, rival_p2c, rival_least, rival_least_fresh;
extern const struct sim_balancer_ops rival_peak, rival_peak_all, rival_c3, rival_routenet;
extern const struct sim_balancer_ops rival_prequal, rival_prequal_ideal, rival_prequal_once;
extern const struct sim_balancer_ops oracle_eft, oracle_work, oracle_marginal;
extern const struct sim_balancer_ops sim_pintle;

/* Requests a second that a pod can serve in the mean, all slots busy. */
double scenario__pod_capacity(const struct sim_scenario *s, uint32_t pod);

#endif
