/* SPDX-License-Identifier: BSD-2-Clause */
/* What really goes on in the simulated pods: for oracles, and for rivals whose servers answer questions (Prequal's probes, C3's feedback). */
#ifndef PINTLE_TRAIN_TRUTH_H
#define PINTLE_TRAIN_TRUTH_H

#include "policy/train/sim/pod.h"
#include "policy/train/sim/sim.h"

/* The pod itself, read only; its virtual time is behind the clock (see pod.h). */
const struct sim_pod *sim_truth__pod(const struct sim *sim, uint32_t pod);
/* What the pod itself would say a request takes that finds so many in flight: from its last answers (recent.h), of the last second; 0 = none. */
uint64_t sim_truth__recent_latency_ns(const struct sim *sim, uint32_t pod, uint32_t in_flight);
/* Mean service time of the pod's answers as a server would state it: exponentially weighted (0.9 of the old, C3 section 4) time between its
 * answers while busy, times its slots. 0 = none yet. */
double sim_truth__service_ns(const struct sim *sim, uint32_t pod);

#endif
