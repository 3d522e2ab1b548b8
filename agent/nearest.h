/* SPDX-License-Identifier: BSD-2-Clause */
/* "Did you mean": the candidate with the smallest edit distance (insert, delete, replace, swap of neighbours). */
#ifndef PINTLE_AGENT_NEAREST_H
#define PINTLE_AGENT_NEAREST_H

#include <stddef.h>

struct nearest {
	const char *word;
	const char *
		best; /* NULL while nothing is near enough: more than a third of the word, and 1 edit up to 4 bytes, is too far */
	size_t distance;
};

void nearest__init(struct nearest *nearest, const char *word);
void nearest__offer(struct nearest *nearest, const char *candidate); /* must outlive `nearest` */
/* Words longer than 64 bytes are as far as they are long. */
size_t nearest__distance(const char *a, const char *b);

#endif
