/* SPDX-License-Identifier: BSD-2-Clause */
/* Sizes, constants and shared memory of pintle's object when the benchmark loads it by itself. */
#ifndef BENCH_PINTLE_MAPS_H
#define BENCH_PINTLE_MAPS_H

#include <stddef.h>

#include <bpf/libbpf.h>

#include "agent/tables.h"
#include "pintle/maps.h"

enum pintle_map {
#define PINTLE_MAP_ID(id, name, type, key, value, flags, help) PINTLE_MAP_##id,
	PINTLE_MAPS(PINTLE_MAP_ID)
#undef PINTLE_MAP_ID
		PINTLE_NR_MAPS,
};

struct pintle_memory {
	void *at[PINTLE_NR_MAPS]; /* NULL: not mapped */
	size_t bytes[PINTLE_NR_MAPS];
	struct table_maps tables;
};

/* Before loading: sizes and constants of `meta`. 0 or -errno with the story in err. */
int pintle_maps__prepare(struct bpf_object *obj, const struct pintle_meta *meta, struct pintle_err *err);
/* After loading: maps what is mappable and stores meta. */
int pintle_maps__open(struct bpf_object *obj, const struct pintle_meta *meta, struct pintle_memory *ret,
		      struct pintle_err *err);
void pintle_maps__close(struct pintle_memory *memory);

#endif
