/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Runs of cache lines in the member and pick maps. A run's length is rounded up to a size class (1, 2, 3, 4, 6, 8, 12, ...), so that runs of
 * services that come and go fit into each other's holes; the class follows from the length alone, so an agent that restarts finds the same
 * runs. The caller frees a run only when no program can read it any more.
 */
#ifndef PINTLE_AGENT_TABLES_LINES_H
#define PINTLE_AGENT_TABLES_LINES_H

#include <stdbool.h>
#include <stdint.h>

#define NO_LINE 0xffffffffu

struct lines {
	uint64_t *words; /* a bit per line in use */
	uint32_t nr, used;
	uint32_t next;
};

int lines__init(struct lines *lines, uint32_t nr); /* -ENOMEM */
void lines__destroy(struct lines *lines);
void lines__clear(struct lines *lines);				       /* none is used */
uint32_t lines__class(uint32_t length);				       /* lines that a run of `length` takes; 0 for 0 */
uint32_t lines__take(struct lines *lines, uint32_t length);	       /* first line, or NO_LINE; 0 for length 0 */
bool lines__mark(struct lines *lines, uint32_t line, uint32_t length); /* false when out of range or part of it is used */
void lines__drop(struct lines *lines, uint32_t line, uint32_t length);

#endif
