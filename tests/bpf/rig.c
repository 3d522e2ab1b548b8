// SPDX-License-Identifier: BSD-2-Clause
/* Loading, sizes, memory. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>

#include "tests/bpf/rig.h"

static struct rig shared_rig, timeless_rig;

static const struct {
	const char *name;
	size_t value_bytes; /* of the mapping, by entry; 0 = not mapped */
	size_t member;	    /* offset in struct rig of the pointer */
} rig_maps[] = {
	{ "pt_flows", sizeof(struct pintle_bucket), offsetof(struct rig, flows) },
	{ "pt_stamps", sizeof(uint64_t), offsetof(struct rig, stamps) },
	{ "pt_vip4", sizeof(struct pintle_ep4_bucket), offsetof(struct rig, vip4) },
	{ "pt_vip6", sizeof(struct pintle_ep6_bucket), offsetof(struct rig, vip6) },
	{ "pt_rev4", sizeof(struct pintle_ep4_bucket), offsetof(struct rig, rev4) },
	{ "pt_rev6", sizeof(struct pintle_ep6_bucket), offsetof(struct rig, rev6) },
	{ "pt_frontends", sizeof(struct pintle_frontend), offsetof(struct rig, frontends) },
	{ "pt_services", sizeof(struct pintle_service), offsetof(struct rig, services) },
	{ "pt_members", sizeof(struct pintle_member_line), offsetof(struct rig, members) },
	{ "pt_picks", sizeof(struct pintle_pick_line), offsetof(struct rig, picks) },
	{ "pt_pods", sizeof(struct pintle_pod), offsetof(struct rig, pods) },
	{ "pt_siblings", sizeof(struct pintle_siblings), offsetof(struct rig, siblings) },
	{ "pt_loads", sizeof(struct pintle_load), offsetof(struct rig, loads) },
	{ "pt_activity", sizeof(struct pintle_activity), offsetof(struct rig, activity) },
	{ "pt_locals", sizeof(uint64_t), offsetof(struct rig, locals) },
	{ "pt_ctl", sizeof(struct pintle_ctl), offsetof(struct rig, ctl) },
	{ "pt_uplinks", sizeof(struct pintle_uplink), offsetof(struct rig, uplinks) },
};
#define RIG_NR_MAPS (sizeof(rig_maps) / sizeof(rig_maps[0]))

static uint32_t rig__entries(const struct rig *r, const char *name)
{
	const struct pintle_meta *m = &r->meta;
	const struct {
		const char *name;
		uint32_t entries;
	} sizes[] = {
		{ "pt_flows", m->nr_buckets },
		{ "pt_stamps", m->nr_buckets * PINTLE_BUCKET_SLOTS },
		{ "pt_vip4", m->nr_vip4_buckets },
		{ "pt_vip6", m->nr_vip6_buckets },
		{ "pt_rev4", m->nr_rev4_buckets },
		{ "pt_rev6", m->nr_rev6_buckets },
		{ "pt_frontends", m->max_frontends },
		{ "pt_services", m->max_frontends },
		{ "pt_members", 4 * m->member_lines },
		{ "pt_picks", m->pick_lines },
		{ "pt_pods", m->max_pods },
		{ "pt_siblings", m->max_pods },
		{ "pt_locals", PINTLE_MAX_LOCALS },
		{ "pt_loads", m->max_pods },
		{ "pt_traffic", m->max_pods },
		{ "pt_activity", 1 },
		{ "pt_ctl", 1 },
		{ "pt_uplinks", PINTLE_MAX_UPLINKS },
		{ "pt_meta", 1 },
	};
	size_t i;

	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		if (!strcmp(sizes[i].name, name))
			return sizes[i].entries;
	return 0;
}

static void rig__make_meta(struct rig *r, uint32_t nr_buckets, uint64_t seed_base)
{
	struct rng rng = { seed_base };
	struct pintle_meta *m = &r->meta;

	memset(m, 0, sizeof(*m));
	m->abi_version = PINTLE_ABI_VERSION;
	m->nr_buckets = nr_buckets;
	m->max_frontends = MODEL_MAX_FRONTENDS;
	m->max_pods = MODEL_MAX_PODS;
	m->nr_vip4_buckets = 64;
	m->nr_vip6_buckets = 128;
	m->nr_rev4_buckets = 128;
	m->nr_rev6_buckets = 256;
	m->member_lines = MODEL_MAX_SERVICES * RIG_MEMBER_LINES_EACH;
	m->pick_lines = MODEL_MAX_SERVICES * RIG_PICK_LINES_EACH;
	m->seed[0] = rng__next(&rng);
	m->seed[1] = rng__next(&rng) | 1;
	m->seed[2] = rng__next(&rng) | 1;
	m->seed[3] = rng__next(&rng);
	r->seed = (struct pintle_seed){ m->seed[0], m->seed[1], m->seed[2], m->seed[3] };
	r->mask = nr_buckets - 1;
}

/* Sets a `const volatile` word of the object before it is loaded. -ENOENT when the object has no such variable. */
static int rig__set_rodata(struct rig *r, const char *name, const void *value, size_t bytes)
{
	const struct btf *btf = bpf_object__btf(r->obj);
	struct bpf_map *map = bpf_object__find_map_by_name(r->obj, ".rodata");
	const struct btf_type *section, *var;
	const struct btf_var_secinfo *info;
	char *data;
	size_t room;
	int id, i;

	id = btf__find_by_name_kind(btf, ".rodata", BTF_KIND_DATASEC);
	if (id < 0 || !map)
		return -ENOENT;
	data = (char *)(uintptr_t)bpf_map__initial_value(map, &room);
	section = btf__type_by_id(btf, (uint32_t)id);
	info = btf_var_secinfos(section);
	for (i = 0; i < btf_vlen(section); i++, info++) {
		var = btf__type_by_id(btf, info->type);
		if (strcmp(btf__name_by_offset(btf, var->name_off), name))
			continue;
		if (info->size != bytes || info->offset + bytes > room)
			return -EINVAL;
		memcpy(data + info->offset, value, bytes);
		return 0;
	}
	return -ENOENT;
}

static int rig__set_knobs(struct rig *r, uint32_t searches)
{
	const struct pintle_meta *m = &r->meta;
	const uint32_t words[] = { m->nr_buckets - 1,	   m->nr_vip4_buckets - 1, m->nr_vip6_buckets - 1,
				   m->nr_rev4_buckets - 1, m->nr_rev6_buckets - 1, m->member_lines,
				   m->fine_shift,	   m->coarse_shift };
	static const char *const names[] = { "pt_bucket_mask", "pt_vip4_mask",	  "pt_vip6_mask",  "pt_rev4_mask",
					     "pt_rev6_mask",   "pt_member_lines", "pt_fine_shift", "pt_coarse_shift" };
	uint64_t v6_flag = 1ull << 7;
	size_t i;
	int err;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		err = rig__set_rodata(r, names[i], &words[i], sizeof(words[i]));
		if (err) {
			fprintf(stderr, "object has no %s of 4 bytes\n", names[i]);
			return err;
		}
	}
	err = rig__set_rodata(r, "pt_searches", &searches, sizeof(searches));
	if (!err)
		err = rig__set_rodata(r, "pt_seed", &r->seed, sizeof(r->seed));
	if (err)
		return err;
	/* bpf_l4_csum_replace() refuses the flag where it does not know it; this matters on skbs with CHECKSUM_COMPLETE only */
	if (!getenv("PINTLE_TEST_NO_V6_FLAG"))
		rig__set_rodata(r, "pt_v6_csum_flag", &v6_flag, sizeof(v6_flag));
	return 0;
}

static int rig__map_memory(struct rig *r)
{
	size_t i;

	for (i = 0; i < RIG_NR_MAPS; i++) {
		int fd = bpf_object__find_map_fd_by_name(r->obj, rig_maps[i].name);
		size_t bytes = rig_maps[i].value_bytes * rig__entries(r, rig_maps[i].name);
		void *at = mmap(NULL, (bytes + 4095) & ~4095ul, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

		if (at == MAP_FAILED) {
			fprintf(stderr, "mmap of %s (%zu bytes): %s\n", rig_maps[i].name, bytes, strerror(errno));
			return -errno;
		}
		memcpy((char *)r + rig_maps[i].member, &at, sizeof(at));
	}
	return 0;
}

static int rig__on_event(void *arg, void *data, size_t bytes)
{
	const struct pintle_event *event = data;
	struct rig *r = arg;

	if (bytes != sizeof(*event) || event->type >= PINTLE_EVENT_MAX)
		return -EINVAL;
	r->nr_events[event->type]++;
	r->last_event = *event;
	return 0;
}

void rig__drain_events(struct rig *r)
{
	int n = ring_buffer__consume(r->events);

	ck_assert_msg(n >= 0, "an event is not a struct pintle_event: %d", n);
}

static int rig__find(struct rig *r)
{
	static const char *const progs[MODEL_NR_PROGS] = { "pt_xdp", "pt_tc", "pt_rev_up", "pt_rev_veth" };
	int i;

	for (i = 0; i < MODEL_NR_PROGS; i++) {
		struct bpf_program *prog = bpf_object__find_program_by_name(r->obj, progs[i]);

		if (!prog)
			return -ENOENT;
		r->prog_fd[i] = bpf_program__fd(prog);
	}
	r->sweep_fd = bpf_program__fd(bpf_object__find_program_by_name(r->obj, "pt_sweep"));
	r->verdicts_fd = bpf_object__find_map_fd_by_name(r->obj, "pt_verdicts");
	r->traffic_fd = bpf_object__find_map_fd_by_name(r->obj, "pt_traffic");
	r->stats_fd = bpf_object__find_map_fd_by_name(r->obj, "pt_pod_stats");
	r->classes_fd = bpf_object__find_map_fd_by_name(r->obj, "pt_class_stats");
	r->devmap_fd = bpf_object__find_map_fd_by_name(r->obj, "pt_devmap");
	r->events = ring_buffer__new(bpf_object__find_map_fd_by_name(r->obj, "pt_events"), rig__on_event, r, NULL);
	r->nr_cpus = libbpf_num_possible_cpus();
	return r->events && r->nr_cpus > 0 && r->nr_cpus <= RIG_MAX_CPUS ? 0 : -EINVAL;
}

static int rig__load(struct rig *r, uint32_t nr_buckets, uint64_t seed_base, uint32_t fine_shift, uint32_t coarse_shift,
		     uint32_t searches)
{
	const char *path = getenv("PINTLE_BPF_OBJ");
	struct bpf_map *map;
	int err;

	memset(r, 0, sizeof(*r));
	rig__make_meta(r, nr_buckets, seed_base);
	r->meta.fine_shift = fine_shift;
	r->meta.coarse_shift = coarse_shift;
	if (!path)
		path = ".output/pintle.bpf.o";
	r->obj = bpf_object__open_file(path, NULL);
	if (!r->obj) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return -errno;
	}
	bpf_object__for_each_map (map, r->obj) {
		uint32_t entries = rig__entries(r, bpf_map__name(map));

		if (entries)
			bpf_map__set_max_entries(map, entries);
	}
	err = rig__set_knobs(r, searches);
	if (!err)
		err = bpf_object__load(r->obj);
	if (!err)
		err = rig__find(r);
	if (!err)
		err = rig__map_memory(r);
	if (err) {
		fprintf(stderr, "%s: cannot be loaded: %s (run as root)\n", path, strerror(-err));
		return err;
	}
	return 0;
}

#define ANY_SEARCHES (1u << 30) /* a rate would make results depend on time */

int rig__open_clocked(struct rig *r, uint32_t nr_buckets, uint64_t seed_base, uint32_t fine_shift, uint32_t coarse_shift)
{
	return rig__load(r, nr_buckets, seed_base, fine_shift, coarse_shift, ANY_SEARCHES);
}

int rig__open(struct rig *r, uint32_t nr_buckets, uint64_t seed_base)
{
	return rig__open_clocked(r, nr_buckets, seed_base, 9, 14);
}

int rig__open_slow(struct rig *r, uint32_t nr_buckets, uint64_t seed_base, uint32_t searches)
{
	return rig__load(r, nr_buckets, seed_base, 9, 14, searches);
}

void rig__close(struct rig *r)
{
	size_t i;

	for (i = 0; i < RIG_NR_MAPS; i++) {
		void *at;

		memcpy(&at, (char *)r + rig_maps[i].member, sizeof(at));
		if (at)
			munmap(at, (rig_maps[i].value_bytes * rig__entries(r, rig_maps[i].name) + 4095) & ~4095ul);
	}
	model__free(&r->model);
	ring_buffer__free(r->events);
	bpf_object__close(r->obj);
	memset(r, 0, sizeof(*r));
}

int rig__open_shared(void)
{
	int err = rig__open(&shared_rig, 4096, 0x70696e746c65ull);

	return err ? err : rig__open_clocked(&timeless_rig, 4096, 0x70696e746c65ull, RIG_TIMELESS_SHIFT, RIG_TIMELESS_SHIFT);
}

struct rig *rig__timeless(void)
{
	rig__reset(&timeless_rig);
	return &timeless_rig;
}

struct rig *rig__shared(void)
{
	rig__reset(&shared_rig);
	return &shared_rig;
}

static void rig__clear_percpu(struct rig *r, int fd, size_t value_bytes, uint32_t entries)
{
	void *zero = calloc((size_t)r->nr_cpus, value_bytes);
	uint32_t i;

	ck_assert_ptr_nonnull(zero);
	for (i = 0; i < entries; i++)
		ck_assert_int_eq(bpf_map_update_elem(fd, &i, zero, BPF_ANY), 0);
	free(zero);
}

/* Test runs come in by lo. */
static void rig__set_uplink(struct rig *r)
{
	struct pintle_uplink *lo = &r->uplinks[1 % PINTLE_MAX_UPLINKS];

	lo->ifindex = 1;
	lo->nr_macs = 2;
	memcpy(&lo->mac[0], pkt_macs[PKT_MAC_OWN], 6);
	memcpy(&lo->mac[1], pkt_macs[PKT_MAC_SECOND], 6);
	memcpy(r->model.own_macs[0], pkt_macs[PKT_MAC_OWN], 6);
	memcpy(r->model.own_macs[1], pkt_macs[PKT_MAC_SECOND], 6);
	r->model.nr_own_macs = 2;
}

void rig__reset(struct rig *r)
{
	size_t i;

	for (i = 0; i < RIG_NR_MAPS; i++) {
		void *at;

		memcpy(&at, (char *)r + rig_maps[i].member, sizeof(at));
		memset(at, 0, rig_maps[i].value_bytes * rig__entries(r, rig_maps[i].name));
	}
	rig__clear_percpu(r, r->verdicts_fd, sizeof(uint64_t), PINTLE_V_MAX);
	rig__clear_percpu(r, r->traffic_fd, sizeof(struct pintle_traffic), MODEL_MAX_PODS);
	rig__clear_percpu(r, r->stats_fd, sizeof(struct pintle_pod_stats), MODEL_MAX_PODS);
	rig__clear_percpu(r, r->classes_fd, sizeof(struct pintle_class_stats),
			  2 * PINTLE_NR_CLASSES); /* those that tests use */
	rig__drain_events(r);
	memset(r->nr_events, 0, sizeof(r->nr_events));
	model__free(&r->model);
	model__init(&r->model);
	rig__set_uplink(r);
	r->ctl->age_half_open = 15;
	r->ctl->age_closed = 5;
	r->ctl->age_udp = 30;
	r->ctl->age_tcp = 113;
	r->ctl->age_awaiting = 60;
	r->ctl->evict_udp = 10;
	r->ctl->evict_half_open = 3;
	r->ctl->evict_tcp = 10;
	r->ctl->reject_budget = 1000000000;
	r->ctl->uplink_ifindex = 1;
	r->model.has_uplink = true;
	r->model.reject_budget = 1000000000;
	rig__set_psi(r, 1.0);
}
