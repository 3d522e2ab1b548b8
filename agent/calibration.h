/* SPDX-License-Identifier: BSD-2-Clause */
/* Inputs that tell how large the activations of a net become: made up, or of a recording of real requests. */
#ifndef PINTLE_AGENT_CALIBRATION_H
#define PINTLE_AGENT_CALIBRATION_H

#include <stdint.h>

#include "agent/err.h"
#include "policy/feature.h"

#define CALIBRATION_MADE 4096		   /* inputs that are made up */
#define CALIBRATION_MAX_ROWS 16384	   /* kept of a recording, evenly */
#define CALIBRATION_MAX_BYTES (256u << 20) /* of a recording */

struct calibration {
	int8_t (*inputs)[FEATURE_NR];
	uint32_t nr;
};

/* Normal around each feature's center with its scale as deviation, an eighth of them over the whole range; always the same. -ENOMEM. */
int calibration__make(struct calibration *ret, struct pintle_err *err);
/* The features of a recording (`pintle record`: one JSON object a line, raw values in Q8 under "features"). A last line without its end is left out;
 * any other that is no row is -EINVAL, named by its number. */
int calibration__read(const char *path, struct calibration *ret, struct pintle_err *err);
void calibration__free(struct calibration *c);

#endif
