/* SPDX-License-Identifier: BSD-2-Clause */
/* Telemetry to gains: reads the pods' statistics each tick, updates one gain a pod (policy/gain.h), writes what changed, sets how many flows are timed. */
#ifndef PINTLE_AGENT_LEARNER_H
#define PINTLE_AGENT_LEARNER_H

#include <stdint.h>

#include "agent/config.h"
#include "agent/datapath.h"
#include "agent/podstats.h"
#include "agent/tables.h"

struct learner;

/* Gains that the tables adopted are kept as a first sample. Pointers must outlive. */
int learner__open(struct datapath *dp, struct tables *tables, struct podstats *stats, struct learner **ret_learner,
		  struct pintle_err *err);
void learner__close(struct learner *l);
/* After every applied configuration: which pod has which statistics. `config` is kept until the next call. */
void learner__refresh(struct learner *l, const struct pintle_config *config);
int learner__tick(struct learner *l, uint64_t now_ns, struct pintle_err *err);

#endif
