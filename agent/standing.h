/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where one service stands: which model is in production, what it would fall back to, which ones it has refused. Models are named by the CRC-32C
 * of their files; 0 is "gains alone". A ladder: models, the latest on top; below them gains alone; below that plain least-in-flight.
 * Pure: no I/O.
 */
#ifndef PINTLE_AGENT_STANDING_H
#define PINTLE_AGENT_STANDING_H

#include <stdbool.h>
#include <stdint.h>

#define STANDING_DEPTH 4u    /* models that can be fallen back to; an older one is forgotten */
#define STANDING_REFUSED 16u /* models that were dropped; the oldest is forgotten */

enum standing_pin { STANDING_FREE = 0, STANDING_PIN_PLAIN, STANDING_PIN_GAINS, STANDING_PIN_MODEL };

struct standing {
	uint32_t models[STANDING_DEPTH]; /* the last is in production */
	uint32_t nr_models;
	bool is_plain;
	uint32_t refused[STANDING_REFUSED];
	uint32_t nr_refused;
	uint8_t pin; /* enum standing_pin */
	uint32_t pinned;
};

/* The model in force (0: none), and whether production is plain. A pin comes before the ladder. */
uint32_t standing__production(const struct standing *s, bool *ret_is_plain);
bool standing__has_refused(const struct standing *s, uint32_t model);
/* A candidate that may be tried: not refused, not in production, nothing pinned; else 0. */
uint32_t standing__candidate(const struct standing *s, uint32_t wanted);
/* `model` is in production from now on; what was stays below it. 0 is ignored. */
void standing__promote(struct standing *s, uint32_t model);
void standing__refuse(struct standing *s, uint32_t model);
/* Production goes one rung down and is refused. False: there is none. */
bool standing__step_down(struct standing *s);
/* The operator's word: `model` with STANDING_PIN_MODEL only. STANDING_FREE leaves it to the guard again, which also leads out of plain, where there
 * is nothing left that the guard could go back to: the models that are left, without any gains alone. What was refused stays refused. */
void standing__pin(struct standing *s, enum standing_pin how, uint32_t model);
/* The configuration names another model for production: it goes on top, refused before or not. 0: gains alone. */
void standing__configure(struct standing *s, uint32_t model);

#endif
