// SPDX-License-Identifier: BSD-2-Clause
/* Requests in order of time, and the agenda. */
#include <errno.h>
#include <stdlib.h>

#include "policy/train/sim/engine.h"

#define FIRST_SIZE 64u

int sim_ring__push(struct sim_ring *r, struct sim_timed t)
{
	if (r->nr == r->size) {
		uint32_t size = r->size ? 2 * r->size : FIRST_SIZE;
		struct sim_timed *more = malloc(size * sizeof(*more));

		if (!more)
			return -ENOMEM;
		for (uint32_t i = 0; i < r->nr; i++)
			more[i] = r->entries[(r->head + i) & (r->size - 1)];
		free(r->entries);
		r->entries = more;
		r->head = 0;
		r->size = size;
	}
	r->entries[(r->head + r->nr++) & (r->size - 1)] = t;
	return 0;
}

struct sim_timed sim_ring__pop(struct sim_ring *r)
{
	struct sim_timed t = r->entries[r->head];

	r->head = (r->head + 1) & (r->size - 1);
	r->nr--;
	return t;
}

static bool before(struct sim_timed a, struct sim_timed b)
{
	return a.at_ns != b.at_ns ? a.at_ns < b.at_ns : a.job < b.job;
}

int sim_heap__push(struct sim_heap *h, struct sim_timed t)
{
	uint32_t i = h->nr;

	if (h->nr == h->size) {
		uint32_t size = h->size ? 2 * h->size : FIRST_SIZE;
		struct sim_timed *more = realloc(h->entries, size * sizeof(*more));

		if (!more)
			return -ENOMEM;
		h->entries = more;
		h->size = size;
	}
	h->nr++;
	for (; i && before(t, h->entries[(i - 1) / 2]); i = (i - 1) / 2)
		h->entries[i] = h->entries[(i - 1) / 2];
	h->entries[i] = t;
	return 0;
}

struct sim_timed sim_heap__pop(struct sim_heap *h)
{
	struct sim_timed top = h->entries[0], last = h->entries[--h->nr];
	uint32_t i = 0, child;

	while ((child = 2 * i + 1) < h->nr) {
		if (child + 1 < h->nr && before(h->entries[child + 1], h->entries[child]))
			child++;
		if (!before(h->entries[child], last))
			break;
		h->entries[i] = h->entries[child];
		i = child;
	}
	h->entries[i] = last;
	return top;
}

void sim_agenda__init(struct sim_agenda *a, uint32_t nr_sources)
{
	for (a->nr_leaves = 2; a->nr_leaves < nr_sources;)
		a->nr_leaves *= 2;
	for (uint32_t i = 0; i < SIM_LEAVES; i++)
		a->at_ns[i] = SIM_NEVER;
	for (uint32_t i = 0; i < a->nr_leaves; i++)
		sim_agenda__set(a, i, SIM_NEVER);
}
