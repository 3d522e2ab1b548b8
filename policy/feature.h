/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Features of a pod for the learned correction: from signals (policy/signal.h) to the int8 input of the net (policy/mlp.h). The list, with
 * units and normalisation, is policy/feature.def. Integer arithmetic only; any signal is legal and gives a bounded result: times are read as
 * at most 2^38 ns (275 s), counts and concurrencies as at most 2^24 - 1, logs as at most 64 octaves either way. Pure; no allocation.
 */
#ifndef PINTLE_POLICY_FEATURE_H
#define PINTLE_POLICY_FEATURE_H

#include <stdint.h>

#include "policy/signal.h"

enum feature_id {
#define PINTLE_FEATURE(id, name, unit, center_q8, scale_q8, help) FEATURE_##id,
#include "policy/feature.def"
#undef PINTLE_FEATURE
	FEATURE_NR,
};

#define FEATURE_NAME_BYTES 16 /* with the NUL */
#define FEATURE_UNIT_BYTES 12
#define FEATURE_ONE 32 /* one scale above the center, as input of the net (Q2.5) */

struct feature_info {
	char name[FEATURE_NAME_BYTES];
	char unit[FEATURE_UNIT_BYTES];
	int32_t center_q8;
	int32_t scale_q8; /* > 0 */
	const char *help;
};

extern const struct feature_info feature_list[FEATURE_NR];

/* What all pods of a service share: made once a tick. `service` and its pods must live as long as this is used. */
struct feature_context {
	const struct service_signal *service;
	int32_t median_gain_q8;	 /* lower median over the pods that were ever sampled; 0 without any */
	int32_t mean_load_q8;	 /* log2 of the mean of 1 + load */
	int32_t mean_sent_q8;	 /* log2 of the mean of 1 + sent */
	int32_t service_load_q8; /* log2(1 + all load / all concurrency) */
	uint64_t window_ns;	 /* bounded, at least 1 */
};

void feature_context__init(struct feature_context *ret, const struct service_signal *service);
/* Raw values in Q8 of pod number `pod` < nr_pods. */
void feature_context__raw_q8(const struct feature_context *c, uint32_t pod, int32_t ret_raw_q8[FEATURE_NR]);
/* The same normalised: input of the net. */
void feature_context__vector(const struct feature_context *c, uint32_t pod, int8_t ret_input[FEATURE_NR]);

/* Normalises raw values: sat8(round half away from zero((raw - center) * 32 / scale)), -127..127. */
void feature__normalise(const int32_t raw_q8[FEATURE_NR], int8_t ret_input[FEATURE_NR]);

/* For one pod alone: makes the context too, which costs as much as some pods. */
void feature__raw_q8(const struct service_signal *service, uint32_t pod, int32_t ret_raw_q8[FEATURE_NR]);
void feature__vector(const struct service_signal *service, uint32_t pod, int8_t ret_input[FEATURE_NR]);

#endif
