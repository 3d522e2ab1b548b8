/* SPDX-License-Identifier: BSD-2-Clause */
/* Telemetry to gains: reads the pods' statistics each tick, updates one gain a pod (policy/gain.h), writes what changed, sets how many flows are timed. */
#ifndef PINTLE_AGENT_LEARNER_H
#define PINTLE_AGENT_LEARNER_H

#include <stdint.h>

#include "agent/config.h"
#include "agent/datapath.h"
#include "agent/podstats.h"
#include "agent/tables.h"
#include "policy/feature.h"

struct learner;
struct mlp;

#define LEARNER_VARIANTS 2u /* production, canary: as the member lines */

/* A service whose gains get a residual. */
struct learner_service {
	const struct mlp *nets[LEARNER_VARIANTS]; /* NULL: no residual */
	const uint16_t *slots;			  /* detail slots of its pods; pods without one get none */
	uint32_t nr_slots;
	bool is_stale; /* the nets changed: residuals are made anew whatever the traffic; taken back by the tick */
};

/* How long from the first reading of telemetry to gains in force, of ticks that changed some. Bucket i: below 2^i us. */
#define LEARNER_DELAYS 24u
struct learner_delays {
	uint64_t count, sum_ns, max_ns;
	uint64_t below[LEARNER_DELAYS]; /* each its own */
};

/* Gains that the tables adopted are kept as a first sample. Pointers must outlive. */
int learner__open(struct datapath *dp, struct tables *tables, struct podstats *stats, struct learner **ret_learner,
		  struct pintle_err *err);
void learner__close(struct learner *l);
/* After every applied configuration: which pod has which statistics. `config` is kept until the next call. */
void learner__refresh(struct learner *l, const struct pintle_config *config);
/* Services with nets, kept until the next call; NULL and 0: none. Their pods are in one service each (the first that has them). */
void learner__set_services(struct learner *l, struct learner_service *services, uint32_t nr_services);
/* Another time constant of all gains, in mean latencies Q8. */
void learner__set_tau(struct learner *l, uint32_t tau_q8);
const struct learner_delays *learner__delays(const struct learner *l);
/* What a pod's residual is made of, as it is now. False: it has no statistics. */
struct learner_view {
	uint16_t pod;
	int16_t gain_q8;
	int32_t raw_q8[FEATURE_NR];
	int8_t input[FEATURE_NR];
	int32_t output_q8[LEARNER_VARIANTS], residual_q8[LEARNER_VARIANTS];
	uint32_t load, sent, answered, failed; /* requests; the last three of about the last second */
};
bool learner__explain(struct learner *l, const struct learner_service *service, uint32_t index, uint64_t now_ns,
		      struct learner_view *ret);
/* Reads the pods whose statistics changed (once a second all), moves their gains, makes the residuals of their services, and puts all of it in
 * force by one word. For every few milliseconds; costs next to nothing without traffic. */
int learner__tick(struct learner *l, uint64_t now_ns, struct pintle_err *err);

#endif
