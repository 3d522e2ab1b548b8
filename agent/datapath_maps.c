/* SPDX-License-Identifier: BSD-2-Clause */
/* What each map must look like. */
#include "agent/datapath_priv.h"

#include <errno.h>
#include <string.h>

#include <bpf/bpf.h>

#include "pintle/maps.h"
#include "pintle/verdict.h"

#define EVENTS_BYTES (256u * 1024)
#define RECORDS_BYTES (256u * 1024) /* of 40 B with their headers: 6553, 65000 a second at ten looks a second */
/* Verdicts are append only: room for those of later versions, so that an upgrade keeps the map. */
#define VERDICT_ENTRIES 128u
_Static_assert(PINTLE_V_MAX <= VERDICT_ENTRIES, "the verdict map has no room left: that is a new ABI version");

/* `void` stands for "none" in maps.h. */
#define BYTES_OF(type) ((uint32_t) _Generic((type *)0, void * : 0, default : sizeof(type)))
#define IS_MMAPABLE true
#define IS_NONE false

const struct dp_map_def dp_map_defs[DP_NR_MAPS] = {
#define MAP_DEF(id, map_name, map_type, key, value, flags, map_help) \
	[DP_MAP_##id] = {                                            \
		.name = map_name,                                    \
		.help = map_help,                                    \
		.type = BPF_MAP_TYPE_##map_type,                     \
		.key_bytes = BYTES_OF(key),                          \
		.value_bytes = BYTES_OF(value),                      \
		.is_mmapable = IS_##flags,                           \
	},
	PINTLE_MAPS(MAP_DEF)
};

const char *const dp_prog_pins[DP_NR_PROGS] = {
	[DP_PROG_XDP] = "prog_xdp",	      [DP_PROG_TC] = "prog_tc",	      [DP_PROG_REV_UP] = "prog_rev_up",
	[DP_PROG_REV_VETH] = "prog_rev_veth", [DP_PROG_SWEEP] = "prog_sweep", [DP_PROG_PROBE] = "prog_probe",
};

const struct dp_kind_def dp_kinds[DP_NR_KINDS] = {
	[DP_KIND_XDP] = { "xdp", DP_PROG_XDP, TC_INGRESS },
	[DP_KIND_TCIN] = { "tcin", DP_PROG_TC, TC_INGRESS },
	[DP_KIND_TCEG] = { "tceg", DP_PROG_REV_UP, TC_EGRESS },
	[DP_KIND_REV] = { "rev", DP_PROG_REV_VETH, TC_INGRESS },
};

uint32_t dp_map__entries(enum dp_map map, const struct pintle_meta *meta)
{
	const uint32_t entries[DP_NR_MAPS] = {
		[DP_MAP_FLOWS] = meta->nr_buckets,
		[DP_MAP_STAMPS] = meta->nr_buckets * PINTLE_BUCKET_SLOTS,
		[DP_MAP_VIP4] = meta->nr_vip4_buckets,
		[DP_MAP_VIP6] = meta->nr_vip6_buckets,
		[DP_MAP_REV4] = meta->nr_rev4_buckets,
		[DP_MAP_REV6] = meta->nr_rev6_buckets,
		[DP_MAP_FRONTENDS] = meta->max_frontends,
		[DP_MAP_SERVICES] = meta->max_frontends,
		[DP_MAP_MEMBERS] = 4 * meta->member_lines,
		[DP_MAP_PICKS] = meta->pick_lines,
		[DP_MAP_PODS] = meta->max_pods,
		[DP_MAP_SIBLINGS] = meta->max_pods,
		[DP_MAP_LOCALS] = PINTLE_MAX_LOCALS,
		[DP_MAP_LOADS] = meta->max_pods,
		[DP_MAP_TRAFFIC] = meta->max_pods,
		[DP_MAP_POD_STATS] = PINTLE_MAX_DETAIL,
		[DP_MAP_CLASS_STATS] = PINTLE_MAX_CLASSED * PINTLE_NR_CLASSES,
		[DP_MAP_ACTIVITY] = 1,
		[DP_MAP_VERDICTS] = VERDICT_ENTRIES,
		[DP_MAP_CTL] = 1,
		[DP_MAP_UPLINKS] = PINTLE_MAX_UPLINKS,
		[DP_MAP_META] = 1,
		[DP_MAP_DEVMAP] = PINTLE_MAX_DETAIL,
		[DP_MAP_EVENTS] = EVENTS_BYTES,
		[DP_MAP_RECORDS] = RECORDS_BYTES,
	};

	return entries[map];
}

static bool is_power_of_two(uint32_t value)
{
	return value && !(value & (value - 1));
}

int dp_meta__check(const char *pin_dir, const struct pintle_meta *meta, struct pintle_err *err)
{
	const struct {
		const char *what;
		bool is_good;
	} words[] = {
		{ "nr_buckets", is_power_of_two(meta->nr_buckets) && meta->nr_buckets <= 1u << 27 },
		{ "max_frontends", meta->max_frontends && meta->max_frontends <= PINTLE_MAX_FRONTENDS },
		{ "max_pods", meta->max_pods && meta->max_pods <= PINTLE_MAX_PODS },
		{ "nr_vip4_buckets", is_power_of_two(meta->nr_vip4_buckets) },
		{ "nr_vip6_buckets", is_power_of_two(meta->nr_vip6_buckets) },
		{ "nr_rev4_buckets", is_power_of_two(meta->nr_rev4_buckets) },
		{ "nr_rev6_buckets", is_power_of_two(meta->nr_rev6_buckets) },
		{ "member_lines", meta->member_lines && meta->member_lines <= 1u << 26 },
		{ "pick_lines", meta->pick_lines && meta->pick_lines <= 1u << 26 },
		{ "fine_shift", meta->fine_shift < 32 },
		{ "coarse_shift", meta->coarse_shift < 32 && meta->coarse_shift >= meta->fine_shift },
		{ "seed[1]", meta->seed[1] & 1 },
		{ "seed[2]", meta->seed[2] & 1 },
	};

	if (meta->abi_version != PINTLE_ABI_VERSION)
		return pintle_err__set(
			err, -EPROTO,
			"%s holds maps of ABI version %u, this pintle has version %u; use the pintle that made them, or "
			"start anew: pintle detach --now, then pintle attach",
			pin_dir, meta->abi_version, PINTLE_ABI_VERSION);
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (!words[i].is_good)
			return pintle_err__set(
				err, -EPROTO,
				"%s/pt_meta: %s is impossible; the pins were tampered with: pintle detach --now, then attach",
				pin_dir, words[i].what);
	return 0;
}

int dp_map__check(const char *pin_dir, enum dp_map map, int fd, const struct pintle_meta *meta, struct pintle_err *err)
{
	const struct dp_map_def *def = &dp_map_defs[map];
	uint32_t entries = dp_map__entries(map, meta);
	struct bpf_map_info info = { 0 };
	uint32_t info_bytes = sizeof(info);
	int ret;

	ret = bpf_obj_get_info_by_fd(fd, &info, &info_bytes);
	if (ret)
		return pintle_err__set(err, ret, "%s/%s: cannot ask for its size: %s", pin_dir, def->name, strerror(-ret));
	if (info.type != def->type || info.key_size != def->key_bytes || info.value_size != def->value_bytes ||
	    info.max_entries != entries || !!(info.map_flags & BPF_F_MMAPABLE) != def->is_mmapable)
		return pintle_err__set(
			err, -EPROTO,
			"%s/%s is a map of type %u with %u entries of %u + %u bytes, but type %u with %u of %u + %u was "
			"expected; start anew: pintle detach --now, then pintle attach",
			pin_dir, def->name, info.type, info.max_entries, info.key_size, info.value_size, def->type, entries,
			def->key_bytes, def->value_bytes);
	return 0;
}
