/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Loading. A fresh set of maps is complete before its first pin is made, and pt_meta is pinned last: a set without it was cut short
 * between two system calls, holds nothing, and is cleared away by the next load. An upgrade pins the new programs as next_prog_*,
 * replaces the program of every attachment, and renames: at each step traffic is served by the old or by the new program on the
 * same maps, and a process that is killed in between is repaired by the next load.
 */
#include "agent/datapath_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "agent/clock.h"
#include "agent/datapath_kernel.h"
#include "agent/version.h"
#include "pintle/hash.h"

#include "pintle.skel.h"
#include "pintle_ct.skel.h"

/* Searches through the pods' sockets that a CPU may make: at some microseconds each, a flood of packets without a flow costs it a few percent. */
#define SEARCHES_PER_S 10000u

static int make_meta(const struct table_sizes_in *sizes, struct pintle_meta *ret_meta, struct pintle_err *err)
{
	struct pintle_meta meta = { 0 };
	struct table_sizes_in in = *sizes;
	int ret;

	in.hz = dp_kernel__hz();
	if (!in.hz)
		return pintle_err__set(err, -EOPNOTSUPP,
				       "cannot tell the tick rate of this kernel from CLOCK_MONOTONIC_COARSE");
	ret = tables__sizes(&in, &meta, err);
	if (ret)
		return ret;
	meta.abi_version = PINTLE_ABI_VERSION;
	if (getrandom(meta.seed, sizeof(meta.seed), 0) != (ssize_t)sizeof(meta.seed))
		return pintle_err__set(err, -EIO, "no random numbers for the seed of the flow table: %s", strerror(errno));
	meta.seed[1] |= 1;
	meta.seed[2] |= 1;
	meta.created_ns = clock__realtime_ns();
	snprintf(meta.build, sizeof(meta.build), "%s", pintle__version());
	*ret_meta = meta;
	return 0;
}

static int size_maps(struct pintle_bpf *skel, const struct datapath *dp, const struct pintle_meta *meta, bool reuse,
		     struct pintle_err *err)
{
	for (int m = 0; m < DP_NR_MAPS; m++) {
		const char *name = dp_map_defs[m].name;
		struct bpf_map *map = bpf_object__find_map_by_name(skel->obj, name);
		int ret = -ENOENT;

		if (map && reuse)
			ret = bpf_map__reuse_fd(map, dp->map_fds[m]);
		else if (map)
			ret = bpf_map__set_max_entries(map, dp_map__entries((enum dp_map)m, meta));
		if (ret)
			return pintle_err__set(err, ret, "map %s: cannot %s: %s", name,
					       reuse ? "reuse what is pinned" : "set its size", strerror(-ret));
	}
	return 0;
}

static void set_knobs(struct pintle_bpf *skel, const struct pintle_meta *meta)
{
	struct pintle_bpf__rodata *knobs = skel->rodata;

	knobs->pt_bucket_mask = meta->nr_buckets - 1;
	knobs->pt_vip4_mask = meta->nr_vip4_buckets - 1;
	knobs->pt_vip6_mask = meta->nr_vip6_buckets - 1;
	knobs->pt_rev4_mask = meta->nr_rev4_buckets - 1;
	knobs->pt_rev6_mask = meta->nr_rev6_buckets - 1;
	knobs->pt_member_lines = meta->member_lines;
	knobs->pt_fine_shift = meta->fine_shift;
	knobs->pt_coarse_shift = meta->coarse_shift;
	knobs->pt_seed.s0 = meta->seed[0];
	knobs->pt_seed.m1 = meta->seed[1] | 1;
	knobs->pt_seed.m2 = meta->seed[2] | 1;
	knobs->pt_seed.s3 = meta->seed[3];
	knobs->pt_v6_csum_flag = dp_kernel__v6_csum_flag();
	knobs->pt_searches = SEARCHES_PER_S / meta->hz ? SEARCHES_PER_S / meta->hz : 1;
}

static int load_failed(int ret, struct pintle_err *err)
{
	const char *why = dp_kernel__captured();

	if (ret == -EPERM)
		return pintle_err__set(
			err, ret,
			"the kernel does not permit loading programs (%s); a security module or lockdown forbids "
			"bpf(2), or capabilities are missing",
			why);
	if (ret == -ENOMEM)
		return pintle_err__set(err, ret, "not enough memory for the maps (%s); ask for less: --flows, --max-pods", why);
	return pintle_err__set(err, ret, "cannot load the programs: %s (%s); -vv shows what the verifier says", strerror(-ret),
			       why);
}

/* The object that asks conntrack is built from the same source, so both have one skeleton: only the bytes differ. */
static struct pintle_bpf *open_object(bool asks_conntrack)
{
	struct pintle_bpf *skel = calloc(1, sizeof(*skel));

	_Static_assert(sizeof(struct pintle_bpf) == sizeof(struct pintle_ct_bpf), "the objects differ in maps or programs");
	_Static_assert(sizeof(struct pintle_bpf__rodata) == sizeof(struct pintle_ct_bpf__rodata),
		       "the objects differ in constants");
	if (!skel || pintle_bpf__create_skeleton(skel)) {
		free(skel);
		errno = ENOMEM;
		return NULL;
	}
	if (asks_conntrack)
		skel->skeleton->data = (void *)(uintptr_t)pintle_ct_bpf__elf_bytes(&skel->skeleton->data_sz);
	if (bpf_object__open_skeleton(skel->skeleton, NULL)) {
		pintle_bpf__destroy(skel);
		return NULL;
	}
	return skel;
}

static int load_object(const struct datapath *dp, const struct pintle_meta *meta, bool reuse, bool asks_conntrack,
		       struct pintle_bpf **ret_skel, struct pintle_err *err)
{
	struct pintle_bpf *skel = open_object(asks_conntrack);
	int ret;

	if (!skel)
		return load_failed(-errno, err);
	ret = size_maps(skel, dp, meta, reuse, err);
	if (!ret) {
		set_knobs(skel, meta);
		ret = pintle_bpf__load(skel);
		if (ret)
			load_failed(ret, err);
	}
	if (ret) {
		pintle_bpf__destroy(skel);
		return ret;
	}
	*ret_skel = skel;
	return 0;
}

static int skel_prog_fd(const struct pintle_bpf *skel, enum dp_prog prog)
{
	const struct bpf_program *progs[DP_NR_PROGS] = {
		[DP_PROG_XDP] = skel->progs.pt_xdp,	  [DP_PROG_TC] = skel->progs.pt_tc,
		[DP_PROG_REV_UP] = skel->progs.pt_rev_up, [DP_PROG_REV_VETH] = skel->progs.pt_rev_veth,
		[DP_PROG_SWEEP] = skel->progs.pt_sweep,	  [DP_PROG_PROBE] = skel->progs.pt_probe,
	};

	return bpf_program__fd(progs[prog]);
}

static int pin_progs(const char *pin_dir, const struct pintle_bpf *skel, const char *prefix, struct pintle_err *err)
{
	char name[32];
	int ret = 0;

	for (int p = 0; !ret && p < DP_NR_PROGS; p++) {
		snprintf(name, sizeof(name), "%s%s", prefix, dp_prog_pins[p]);
		ret = pins__put(pin_dir, name, skel_prog_fd(skel, (enum dp_prog)p), err);
	}
	return ret;
}

static int pin_fresh(const char *pin_dir, const struct pintle_bpf *skel, const struct pintle_meta *meta, struct pintle_err *err)
{
	uint32_t key = 0;
	int meta_fd = bpf_map__fd(skel->maps.pt_meta), ret;

	ret = bpf_map_update_elem(meta_fd, &key, meta, BPF_ANY);
	if (ret)
		return pintle_err__set(err, ret, "pt_meta: cannot write: %s", strerror(-ret));
	for (int m = 0; !ret && m < DP_NR_MAPS; m++)
		if (m != DP_MAP_META)
			ret = pins__put(pin_dir, dp_map_defs[m].name,
					bpf_map__fd(bpf_object__find_map_by_name(skel->obj, dp_map_defs[m].name)), err);
	if (!ret)
		ret = pin_progs(pin_dir, skel, "", err);
	if (!ret)
		ret = pins__put(pin_dir, dp_map_defs[DP_MAP_META].name, meta_fd, err);
	return ret;
}

/* Gives every attachment the program of `fds`. Attachments whose device went are removed. Returns how many were done in *ret_done, also on
 * failure. */
static int swap_attachments(const char *pin_dir, struct dp_attachment *list, size_t nr, const int fds[DP_NR_PROGS],
			    size_t *ret_done, struct pintle_err *err)
{
	uint32_t prog_id;
	int ret = 0;

	for (*ret_done = 0; *ret_done < nr; (*ret_done)++) {
		const struct dp_attachment *att = &list[*ret_done];

		ret = dp_attachment__prog(pin_dir, att, &prog_id, err);
		if (!ret && prog_id)
			ret = dp_attachment__update(pin_dir, att, fds[dp_kinds[att->kind].prog], err);
		else if (!ret)
			ret = -ENOLINK;
		if (ret == -ENOLINK)
			ret = dp_attachment__remove(pin_dir, att, err);
		if (ret)
			return ret;
	}
	return 0;
}

static int upgrade(struct datapath *dp, const struct pintle_bpf *skel, struct pintle_err *err)
{
	struct dp_attachment *list;
	int fds[DP_NR_PROGS], ret;
	char name[32];
	size_t nr, done, undone;

	for (int p = 0; p < DP_NR_PROGS; p++)
		fds[p] = skel_prog_fd(skel, (enum dp_prog)p);
	ret = dp_attachment__list(dp->pin_dir, &list, &nr, err);
	if (ret)
		return ret;
	ret = pin_progs(dp->pin_dir, skel, "next_", err);
	if (!ret) {
		ret = swap_attachments(dp->pin_dir, list, nr, fds, &done, err);
		if (ret) /* all or nothing, as far as the kernel lets us */
			swap_attachments(dp->pin_dir, list, done, dp->prog_fds, &undone, NULL);
	}
	free(list);
	if (!ret)
		ret = pin_progs(dp->pin_dir, skel, "", err);
	for (int p = 0; p < DP_NR_PROGS; p++) {
		snprintf(name, sizeof(name), "next_%s", dp_prog_pins[p]);
		pins__remove(dp->pin_dir, name, NULL);
	}
	return ret;
}

/* Pins without pt_meta: nothing, or what a load that was cut short has left. */
static int clear_torn(const char *pin_dir, struct pintle_err *err)
{
	struct dp_attachment *list;
	size_t nr;
	int ret;

	ret = dp_attachment__list(pin_dir, &list, &nr, err);
	if (ret)
		return ret;
	free(list);
	if (nr)
		return pintle_err__set(
			err, -EPROTO,
			"%s/pt_meta is missing, but programs are attached; start anew: pintle detach --now, then "
			"pintle attach",
			pin_dir);
	return dp__remove_pins(pin_dir, err);
}

struct netns_search {
	char name[32]; /* note of this network namespace */
	bool is_other;
};

static int look_for_netns(void *arg, const char *name)
{
	struct netns_search *search = arg;

	search->is_other |= !strncmp(name, "netns_", 6) && strcmp(name, search->name);
	return 0;
}

/* Links are known by device number, which means something in one network namespace only: the first load notes which. */
static int check_netns(const char *pin_dir, struct pintle_err *err)
{
	struct netns_search search = { .is_other = false };
	struct stat st;
	int ret;

	if (stat("/proc/self/ns/net", &st))
		return pintle_err__set(err, -errno, "/proc/self/ns/net: %s", strerror(errno));
	snprintf(search.name, sizeof(search.name), "netns_%lu", (unsigned long)st.st_ino);
	ret = pins__each(pin_dir, look_for_netns, &search, err);
	if (ret)
		return ret;
	if (search.is_other)
		return pintle_err__set(
			err, -EXDEV,
			"%s belongs to a pintle in another network namespace; choose another --pin-dir, or remove "
			"what is there: pintle detach",
			pin_dir);
	return pins__note(pin_dir, search.name, err);
}

static int load_locked(struct datapath *dp, const struct table_sizes_in *sizes, struct pintle_err *err)
{
	bool reuse = pins__has(dp->pin_dir, dp_map_defs[DP_MAP_META].name);
	bool asks_conntrack = dp_kernel__has_conntrack();
	struct pintle_bpf *skel = NULL;
	struct pintle_meta meta;
	int ret;

	ret = reuse ? dp__open_pins(dp, err) : clear_torn(dp->pin_dir, err);
	if (!ret)
		ret = check_netns(dp->pin_dir, err);
	if (ret)
		return ret;
	if (reuse)
		meta = *dp->maps.meta;
	else
		ret = make_meta(sizes, &meta, err);
	if (!ret)
		ret = load_object(dp, &meta, reuse, asks_conntrack, &skel, err);
	if (ret)
		return ret;
	if (reuse)
		ret = upgrade(dp, skel, err);
	else
		ret = pin_fresh(dp->pin_dir, skel, &meta, err);
	pintle_bpf__destroy(skel);
	dp__close_pins(dp);
	if (!ret)
		ret = dp__open_pins(dp, err);
	if (ret)
		return ret;
	if (asks_conntrack)
		__atomic_or_fetch(&dp->maps.ctl->flags, PINTLE_CTL_CONNTRACK, __ATOMIC_RELAXED);
	else
		__atomic_and_fetch(&dp->maps.ctl->flags, ~PINTLE_CTL_CONNTRACK, __ATOMIC_RELAXED);
	return 0;
}

/* clear_torn() may have removed the directory, and another process may have done so while we waited: then once more. */
static int open_locked(const char *pin_dir, struct datapath **ret_dp, struct pintle_err *err)
{
	int ret;

	for (int attempt = 0; attempt < 3; attempt++) {
		ret = dp__new(pin_dir, true, true, ret_dp, err);
		if (ret)
			return ret;
		ret = pins__lock((*ret_dp)->dir_fd, pin_dir, DP_LOCK_WAIT_MS, err);
		if (!ret)
			return 0;
		datapath__close(*ret_dp);
		if (ret != -ESTALE)
			return ret;
	}
	return ret;
}

int datapath__load(const char *pin_dir, const struct table_sizes_in *sizes, struct datapath **ret_dp, struct pintle_err *err)
{
	struct datapath *dp;
	bool had_maps, had_dir;
	int ret;

	ret = dp_kernel__check(err);
	had_dir = !access(pin_dir, F_OK);
	if (!ret)
		ret = open_locked(pin_dir, &dp, err);
	if (ret)
		return ret;
	had_maps = pins__has(pin_dir, dp_map_defs[DP_MAP_META].name);
	ret = load_locked(dp, sizes, err);
	if (ret && !had_maps)
		dp__remove_pins(pin_dir, NULL);
	if (ret && !had_dir)
		rmdir(pin_dir);
	pins__unlock(dp->dir_fd);
	if (ret) {
		datapath__close(dp);
		return ret;
	}
	dp->made_maps = !had_maps;
	*ret_dp = dp;
	return 0;
}

bool datapath__made_maps(const struct datapath *dp)
{
	return dp->made_maps;
}
