// SPDX-License-Identifier: BSD-2-Clause
#include "pintle_maps.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>

#include "agent/datapath_kernel.h"

#define EVENTS_BYTES (256u * 1024)

static const char *const map_names[] = {
#define MAP_NAME(id, name, type, key, value, flags, help) [PINTLE_MAP_##id] = name,
	PINTLE_MAPS(MAP_NAME)
#undef MAP_NAME
};

#define IS_MMAPABLE true
#define IS_NONE false
static const bool is_mmapable[] = {
#define MAP_FLAG(id, name, type, key, value, flags, help) [PINTLE_MAP_##id] = IS_##flags,
	PINTLE_MAPS(MAP_FLAG)
#undef MAP_FLAG
};

/* 0: as the object says. */
static uint32_t entries_of(enum pintle_map map, const struct pintle_meta *meta)
{
	const uint32_t entries[PINTLE_NR_MAPS] = {
		[PINTLE_MAP_FLOWS] = meta->nr_buckets,
		[PINTLE_MAP_STAMPS] = meta->nr_buckets * PINTLE_BUCKET_SLOTS,
		[PINTLE_MAP_VIP4] = meta->nr_vip4_buckets,
		[PINTLE_MAP_VIP6] = meta->nr_vip6_buckets,
		[PINTLE_MAP_REV4] = meta->nr_rev4_buckets,
		[PINTLE_MAP_REV6] = meta->nr_rev6_buckets,
		[PINTLE_MAP_FRONTENDS] = meta->max_frontends,
		[PINTLE_MAP_SERVICES] = meta->max_frontends,
		[PINTLE_MAP_MEMBERS] = 4 * meta->member_lines,
		[PINTLE_MAP_PICKS] = meta->pick_lines,
		[PINTLE_MAP_PODS] = meta->max_pods,
		[PINTLE_MAP_SIBLINGS] = meta->max_pods,
		[PINTLE_MAP_LOCALS] = PINTLE_MAX_LOCALS,
		[PINTLE_MAP_LOADS] = meta->max_pods,
		[PINTLE_MAP_TRAFFIC] = meta->max_pods,
		[PINTLE_MAP_UPLINKS] = PINTLE_MAX_UPLINKS,
		[PINTLE_MAP_EVENTS] = EVENTS_BYTES,
		[PINTLE_MAP_RECORDS] = EVENTS_BYTES,
	};

	return entries[map];
}

/* Where a constant lies in .rodata, by BTF; -ENOENT. */
static int constant_offset(const struct bpf_object *obj, const char *name, size_t bytes, size_t *ret_offset)
{
	const struct btf *btf = bpf_object__btf(obj);
	int id = btf__find_by_name_kind(btf, ".rodata", BTF_KIND_DATASEC);
	const struct btf_var_secinfo *info;
	const struct btf_type *section;

	if (id < 0)
		return id;
	section = btf__type_by_id(btf, (__u32)id);
	info = btf_var_secinfos(section);
	for (int i = 0; i < btf_vlen(section); i++) {
		const struct btf_type *var = btf__type_by_id(btf, info[i].type);

		if (strcmp(btf__name_by_offset(btf, var->name_off), name))
			continue;
		*ret_offset = info[i].offset;
		return info[i].size < bytes ? -EINVAL : 0;
	}
	return -ENOENT;
}

static struct bpf_map *constants_map(const struct bpf_object *obj)
{
	struct bpf_map *map;

	bpf_object__for_each_map (map, obj) {
		const char *section = strstr(bpf_map__name(map), ".rodata");

		if (section && !strcmp(section, ".rodata"))
			return map;
	}
	return NULL;
}

static int set_constant(struct bpf_object *obj, const char *name, const void *value, size_t bytes)
{
	struct bpf_map *map = constants_map(obj);
	size_t offset = 0, have = 0;
	const void *old = map ? bpf_map__initial_value(map, &have) : NULL;
	int ret = constant_offset(obj, name, bytes, &offset);
	char *memory;

	if (ret)
		return ret;
	if (!old || offset + bytes > have)
		return -EINVAL;
	memory = malloc(have);
	if (!memory)
		return -ENOMEM;
	memcpy(memory, old, have);
	memcpy(memory + offset, value, bytes);
	ret = bpf_map__set_initial_value(map, memory, have);
	free(memory);
	return ret;
}

static int set_constants(struct bpf_object *obj, const struct pintle_meta *meta, struct pintle_err *err)
{
	const uint32_t masks[] = { meta->nr_buckets - 1, meta->nr_vip4_buckets - 1, meta->nr_vip6_buckets - 1,
				   meta->nr_rev4_buckets - 1, meta->nr_rev6_buckets - 1 };
	const uint64_t seed[4] = { meta->seed[0], meta->seed[1] | 1, meta->seed[2] | 1, meta->seed[3] };
	const uint64_t v6_flag = dp_kernel__v6_csum_flag();
	const struct {
		const char *name;
		const void *value;
		size_t bytes;
	} constants[] = {
		{ "pt_bucket_mask", &masks[0], 4 },	   { "pt_vip4_mask", &masks[1], 4 },
		{ "pt_vip6_mask", &masks[2], 4 },	   { "pt_rev4_mask", &masks[3], 4 },
		{ "pt_rev6_mask", &masks[4], 4 },	   { "pt_member_lines", &meta->member_lines, 4 },
		{ "pt_fine_shift", &meta->fine_shift, 4 }, { "pt_coarse_shift", &meta->coarse_shift, 4 },
		{ "pt_seed", seed, sizeof(seed) },	   { "pt_v6_csum_flag", &v6_flag, 8 },
	};

	for (size_t i = 0; i < sizeof(constants) / sizeof(constants[0]); i++) {
		int ret = set_constant(obj, constants[i].name, constants[i].value, constants[i].bytes);

		if (ret)
			return pintle_err__set(err, ret, "constant %s: %s", constants[i].name, strerror(-ret));
	}
	return 0;
}

int pintle_maps__prepare(struct bpf_object *obj, const struct pintle_meta *meta, struct pintle_err *err)
{
	for (enum pintle_map m = 0; m < PINTLE_NR_MAPS; m++) {
		struct bpf_map *map = bpf_object__find_map_by_name(obj, map_names[m]);
		uint32_t entries = entries_of(m, meta);

		if (!map)
			return pintle_err__set(err, -ENOENT, "the object has no map %s", map_names[m]);
		if (entries && bpf_map__set_max_entries(map, entries))
			return pintle_err__set(err, -EINVAL, "map %s cannot have %u entries", map_names[m], entries);
	}
	return set_constants(obj, meta, err);
}

static void name_tables(struct pintle_memory *memory)
{
	void **at = memory->at;

	memory->tables = (struct table_maps){
		.meta = at[PINTLE_MAP_META],
		.ctl = at[PINTLE_MAP_CTL],
		.flows = at[PINTLE_MAP_FLOWS],
		.stamps = at[PINTLE_MAP_STAMPS],
		.vip4 = at[PINTLE_MAP_VIP4],
		.rev4 = at[PINTLE_MAP_REV4],
		.vip6 = at[PINTLE_MAP_VIP6],
		.rev6 = at[PINTLE_MAP_REV6],
		.frontends = at[PINTLE_MAP_FRONTENDS],
		.services = at[PINTLE_MAP_SERVICES],
		.members = at[PINTLE_MAP_MEMBERS],
		.picks = at[PINTLE_MAP_PICKS],
		.pods = at[PINTLE_MAP_PODS],
		.siblings = at[PINTLE_MAP_SIBLINGS],
		.locals = at[PINTLE_MAP_LOCALS],
		.loads = at[PINTLE_MAP_LOADS],
		.uplinks = at[PINTLE_MAP_UPLINKS],
	};
}

int pintle_maps__open(struct bpf_object *obj, const struct pintle_meta *meta, struct pintle_memory *ret, struct pintle_err *err)
{
	memset(ret, 0, sizeof(*ret));
	for (enum pintle_map m = 0; m < PINTLE_NR_MAPS; m++) {
		const struct bpf_map *map = bpf_object__find_map_by_name(obj, map_names[m]);
		size_t bytes = ((size_t)bpf_map__value_size(map) + 7) / 8 * 8 * bpf_map__max_entries(map);
		void *memory;

		if (!is_mmapable[m])
			continue;
		memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(map), 0);
		if (memory == MAP_FAILED) {
			int code = -errno;

			pintle_maps__close(ret);
			return pintle_err__set(err, code, "mapping map %s: %s", map_names[m], strerror(-code));
		}
		ret->at[m] = memory;
		ret->bytes[m] = bytes;
	}
	memcpy(ret->at[PINTLE_MAP_META], meta, sizeof(*meta));
	name_tables(ret);
	return 0;
}

void pintle_maps__close(struct pintle_memory *memory)
{
	for (enum pintle_map m = 0; m < PINTLE_NR_MAPS; m++)
		if (memory->at[m])
			munmap(memory->at[m], memory->bytes[m]);
	memset(memory, 0, sizeof(*memory));
}
