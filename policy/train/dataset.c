// SPDX-License-Identifier: BSD-2-Clause
#include "policy/train/dataset.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_ROOM 4096u

void dataset__init(struct dataset *d, uint32_t nr_inputs)
{
	*d = (struct dataset){ .nr_inputs = nr_inputs };
}

void dataset__free(struct dataset *d)
{
	free(d->inputs);
	free(d->targets);
	free(d->times);
	dataset__init(d, d->nr_inputs);
}

static int grow(void **at, size_t room, size_t bytes)
{
	void *more = reallocarray(*at, room, bytes);

	if (!more)
		return -ENOMEM;
	*at = more;
	return 0;
}

int dataset__add(struct dataset *d, const int8_t *inputs, int32_t target_q8, uint64_t time_ns)
{
	if (d->nr == d->room) {
		size_t room = d->room ? 2 * d->room : FIRST_ROOM;

		if (grow((void **)&d->inputs, room, d->nr_inputs) || grow((void **)&d->targets, room, sizeof(*d->targets)) ||
		    grow((void **)&d->times, room, sizeof(*d->times)))
			return -ENOMEM;
		d->room = room;
	}
	memcpy(d->inputs + d->nr * d->nr_inputs, inputs, d->nr_inputs);
	d->targets[d->nr] = target_q8;
	d->times[d->nr] = time_ns;
	d->nr++;
	return 0;
}

int dataset__split(const struct dataset *d, uint32_t percent, struct dataset *ret_train, struct dataset *ret_held)
{
	uint64_t first = UINT64_MAX, last = 0, span, held_from, train_to;

	dataset__init(ret_train, d->nr_inputs);
	dataset__init(ret_held, d->nr_inputs);
	for (size_t i = 0; i < d->nr; i++) {
		first = d->times[i] < first ? d->times[i] : first;
		last = d->times[i] > last ? d->times[i] : last;
	}
	span = d->nr ? last - first : 0;
	held_from = last - span / 100 * percent;
	train_to = held_from - span / 100;
	for (size_t i = 0; i < d->nr; i++) {
		struct dataset *to = d->times[i] >= held_from ? ret_held : d->times[i] < train_to ? ret_train : NULL;

		if (to && dataset__add(to, d->inputs + i * d->nr_inputs, d->targets[i], d->times[i]))
			return -ENOMEM;
	}
	return ret_train->nr && ret_held->nr ? 0 : -ERANGE;
}
