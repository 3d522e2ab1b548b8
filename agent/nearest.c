/* SPDX-License-Identifier: BSD-2-Clause */
#include "agent/nearest.h"

#include <stdint.h>
#include <string.h>

#define NEAREST_MAX_BYTES 64

static size_t nearest__min(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Optimal string alignment distance; three rows of the matrix are kept. */
size_t nearest__distance(const char *a, const char *b)
{
	size_t rows[3][NEAREST_MAX_BYTES + 1];
	size_t *before = rows[0], *last = rows[1], *row = rows[2];
	size_t na = strlen(a), nb = strlen(b), i, j;

	if (na > NEAREST_MAX_BYTES || nb > NEAREST_MAX_BYTES)
		return na > nb ? na : nb;
	for (j = 0; j <= nb; j++)
		last[j] = j;
	for (i = 1; i <= na; i++) {
		size_t *oldest = before;

		row[0] = i;
		for (j = 1; j <= nb; j++) {
			size_t cost = last[j - 1] + (a[i - 1] != b[j - 1]);

			cost = nearest__min(cost, nearest__min(last[j], row[j - 1]) + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				cost = nearest__min(cost, before[j - 2] + 1);
			row[j] = cost;
		}
		before = last;
		last = row;
		row = oldest;
	}
	return last[nb];
}

void nearest__init(struct nearest *nearest, const char *word)
{
	*nearest = (struct nearest){ .word = word, .distance = SIZE_MAX };
}

void nearest__offer(struct nearest *nearest, const char *candidate)
{
	size_t bytes = strlen(nearest->word);
	size_t limit = bytes <= 4 ? 1 : (bytes + 2) / 3;
	size_t distance = nearest__distance(nearest->word, candidate);

	/* The beginning of a candidate is always near: "dr" is meant to be "drain". */
	if (*nearest->word && !strncmp(candidate, nearest->word, bytes))
		distance = nearest__min(distance, 1);
	if (distance <= limit && distance < nearest->distance) {
		nearest->best = candidate;
		nearest->distance = distance;
	}
}
