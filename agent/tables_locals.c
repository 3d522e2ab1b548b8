/* SPDX-License-Identifier: BSD-2-Clause */
/* The list of the pods whose sockets the programs may ask for. */
#include "agent/tables_int.h"

static bool is_wanted(const struct tables *t, uint32_t pod)
{
	return idset__has(&t->pods, pod) && !(t->maps.pods[pod].flags & PINTLE_POD_REMOTE);
}

/* A pod keeps its place while it is in the list: a program that reads meanwhile meets it once. */
static uint32_t drop_unwanted(struct tables *t, struct idset *listed)
{
	uint32_t nr = load32(&t->maps.ctl->nr_locals), end = 0;

	if (nr > PINTLE_MAX_LOCALS)
		nr = PINTLE_MAX_LOCALS;
	for (uint32_t i = 0; i < nr; i++) {
		uint32_t pod = (uint32_t)load64(&t->maps.locals[i]);

		if (pod < t->maps.meta->max_pods && is_wanted(t, pod) && !idset__has(listed, pod)) {
			idset__mark(listed, pod);
			end = i + 1;
		} else if (pod != PINTLE_NO_LOCAL) {
			store64(&t->maps.locals[i], PINTLE_NO_LOCAL);
		}
	}
	return end;
}

int tables__write_locals(struct tables *t)
{
	uint32_t end, next = 0;
	struct idset listed;
	int ret = idset__init(&listed, t->maps.meta->max_pods);

	if (ret)
		return ret;
	end = drop_unwanted(t, &listed);
	for (uint32_t pod = idset__next_used(&t->pods, 0); pod != NO_ID; pod = idset__next_used(&t->pods, pod + 1)) {
		if (!is_wanted(t, pod) || idset__has(&listed, pod))
			continue;
		while (next < end && load64(&t->maps.locals[next]) != PINTLE_NO_LOCAL)
			next++;
		if (next == PINTLE_MAX_LOCALS) { /* the programs are told that it is not complete */
			end = PINTLE_MAX_LOCALS + 1;
			break;
		}
		store64(&t->maps.locals[next++], pod);
		if (next > end)
			end = next;
	}
	if (load32(&t->maps.ctl->nr_locals) != end)
		store32(&t->maps.ctl->nr_locals, end);
	idset__destroy(&listed);
	t->locals_changed = false;
	return 0;
}

bool tables__locals_changed(const struct tables *t)
{
	return t->locals_changed;
}
