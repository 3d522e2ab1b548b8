/* SPDX-License-Identifier: BSD-2-Clause */
/* The packets as plain C, checksums summed over all bytes: independent of the driver's templates and of what is measured. */
#ifndef BENCH_MODEL_H
#define BENCH_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "driver.h"
#include "plugin.h"

#define MODEL_MAX_BYTES 3456u /* what BPF_PROG_TEST_RUN takes in one page beside its room */

enum model_packet { MODEL_SYN = 0, MODEL_ACK, MODEL_DATA, MODEL_RST, MODEL_REPLY };

struct model {
	int family;
	uint8_t proto;
	uint32_t frame_bytes;
	uint32_t active_services;
};

/* Writes the frame of a flow as its sender made it. `pod` matters for MODEL_REPLY only. `out` holds model->frame_bytes. */
void model__packet(const struct model *m, enum model_packet kind, uint32_t flow, uint32_t pod, uint8_t *out);
/* The same after translation between frontend and pod. */
void model__expected(const struct model *m, enum model_packet kind, uint32_t flow, uint32_t pod, const struct bench_expect *e,
		     uint8_t *out);
/* What the driver program needs to make such packets. */
void model__template(const struct model *m, enum model_packet kind, struct driver_template *ret);
uint32_t model__min_bytes(const struct model *m, enum model_packet kind);

#endif
