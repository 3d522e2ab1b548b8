/* SPDX-License-Identifier: BSD-2-Clause */
/* Opening what is pinned: checked against pt_meta, then mapped. */
#include "agent/datapath_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "agent/datapath_kernel.h"

#define WRITER_NOTE "writer"

int dp__new(const char *pin_dir, bool create, bool is_writable, struct datapath **ret_dp, struct pintle_err *err)
{
	struct datapath *dp;
	int fd;

	fd = pins__open_dir(pin_dir, create, err);
	if (fd < 0)
		return fd;
	dp = calloc(1, sizeof(*dp));
	if (!dp) {
		close(fd);
		return pintle_err__set(err, -ENOMEM, "out of memory");
	}
	snprintf(dp->pin_dir, sizeof(dp->pin_dir), "%s", pin_dir);
	dp->dir_fd = fd;
	dp->writer_fd = -1;
	dp->grace_fd = -1;
	dp->is_writable = is_writable;
	for (int m = 0; m < DP_NR_MAPS; m++)
		dp->map_fds[m] = -1;
	for (int p = 0; p < DP_NR_PROGS; p++)
		dp->prog_fds[p] = -1;
	*ret_dp = dp;
	return 0;
}

static int torn(const struct datapath *dp, const char *name, struct pintle_err *err)
{
	return pintle_err__set(err, -EPROTO,
			       "%s/%s is missing: the pins are incomplete; start anew: pintle detach --now, then pintle attach",
			       dp->pin_dir, name);
}

/* Reads pt_meta whatever its size, so that another version can be named. */
static int read_meta(struct datapath *dp, struct pintle_meta *ret_meta, struct pintle_err *err)
{
	struct bpf_map_info info = { 0 };
	uint32_t info_bytes = sizeof(info), key = 0;
	int fd = dp->map_fds[DP_MAP_META], ret;
	size_t bytes;
	void *value;

	ret = bpf_obj_get_info_by_fd(fd, &info, &info_bytes);
	if (ret)
		return pintle_err__set(err, ret, "%s/pt_meta: %s", dp->pin_dir, strerror(-ret));
	if (info.type != BPF_MAP_TYPE_ARRAY || info.value_size < sizeof(uint32_t) || info.value_size > 64 * 1024)
		return pintle_err__set(err, -EPROTO, "%s/pt_meta is not pintle's; choose another --pin-dir", dp->pin_dir);
	bytes = info.value_size > sizeof(*ret_meta) ? info.value_size : sizeof(*ret_meta);
	value = calloc(1, bytes);
	if (!value)
		return pintle_err__set(err, -ENOMEM, "out of memory");
	ret = bpf_map_lookup_elem(fd, &key, value);
	if (!ret)
		memcpy(ret_meta, value, sizeof(*ret_meta));
	free(value);
	if (ret)
		return pintle_err__set(err, ret, "%s/pt_meta: cannot read: %s", dp->pin_dir, strerror(-ret));
	return dp_meta__check(dp->pin_dir, ret_meta, err);
}

static int map_memory(struct datapath *dp, enum dp_map map, const struct pintle_meta *meta, struct pintle_err *err)
{
	const struct dp_map_def *def = &dp_map_defs[map];
	int protection = PROT_READ | (dp->is_writable && map != DP_MAP_META ? PROT_WRITE : 0);
	size_t bytes = (size_t)dp_map__entries(map, meta) * def->value_bytes;
	void *mem;

	if (!def->is_mmapable)
		return 0;
	mem = mmap(NULL, bytes, protection, MAP_SHARED, dp->map_fds[map], 0);
	if (mem == MAP_FAILED)
		return pintle_err__set(err, -errno, "%s/%s: cannot map %zu bytes: %s", dp->pin_dir, def->name, bytes,
				       strerror(errno));
	dp->mem[map] = mem;
	dp->mem_bytes[map] = bytes;
	return 0;
}

static int open_map(struct datapath *dp, enum dp_map map, struct pintle_err *err)
{
	const char *name = dp_map_defs[map].name;
	int fd;

	/* The kernel shares the memory of a map with a writable descriptor only, even if it is mapped for reading. */
	fd = pins__get(dp->pin_dir, name, PIN_MAP, dp->is_writable || dp_map_defs[map].is_mmapable, err);
	if (fd == -ENOENT)
		return torn(dp, name, err);
	if (fd < 0)
		return fd;
	dp->map_fds[map] = fd;
	return 0;
}

static int open_progs(struct datapath *dp, struct pintle_err *err)
{
	int fd;

	for (int p = 0; p < DP_NR_PROGS; p++) {
		fd = pins__get(dp->pin_dir, dp_prog_pins[p], PIN_PROG, true, err);
		if (fd == -ENOENT)
			return torn(dp, dp_prog_pins[p], err);
		if (fd < 0)
			return fd;
		dp->prog_fds[p] = fd;
	}
	return 0;
}

static void set_maps(struct datapath *dp)
{
	dp->maps = (struct table_maps){
		.meta = dp->mem[DP_MAP_META],
		.ctl = dp->mem[DP_MAP_CTL],
		.uplinks = dp->mem[DP_MAP_UPLINKS],
		.flows = dp->mem[DP_MAP_FLOWS],
		.stamps = dp->mem[DP_MAP_STAMPS],
		.vip4 = dp->mem[DP_MAP_VIP4],
		.rev4 = dp->mem[DP_MAP_REV4],
		.vip6 = dp->mem[DP_MAP_VIP6],
		.rev6 = dp->mem[DP_MAP_REV6],
		.frontends = dp->mem[DP_MAP_FRONTENDS],
		.services = dp->mem[DP_MAP_SERVICES],
		.activity = dp->mem[DP_MAP_ACTIVITY],
		.members = dp->mem[DP_MAP_MEMBERS],
		.picks = dp->mem[DP_MAP_PICKS],
		.pods = dp->mem[DP_MAP_PODS],
		.siblings = dp->mem[DP_MAP_SIBLINGS],
		.locals = dp->mem[DP_MAP_LOCALS],
		.loads = dp->mem[DP_MAP_LOADS],
		.forget = datapath__forget_pod,
		.forget_arg = dp,
	};
}

int dp__open_pins(struct datapath *dp, struct pintle_err *err)
{
	struct pintle_meta meta;
	int fd, ret;

	fd = pins__get(dp->pin_dir, dp_map_defs[DP_MAP_META].name, PIN_MAP, true, err);
	if (fd == -ENOENT)
		return pintle_err__set(err, -ENOENT, "nothing is attached: %s holds no maps; run pintle attach DEVICE",
				       dp->pin_dir);
	if (fd < 0)
		return fd;
	dp->map_fds[DP_MAP_META] = fd;
	ret = read_meta(dp, &meta, err);
	for (int m = 0; !ret && m < DP_NR_MAPS; m++) {
		if (m != DP_MAP_META)
			ret = open_map(dp, (enum dp_map)m, err);
		if (!ret)
			ret = dp_map__check(dp->pin_dir, (enum dp_map)m, dp->map_fds[m], &meta, err);
		if (!ret)
			ret = map_memory(dp, (enum dp_map)m, &meta, err);
	}
	if (!ret)
		ret = open_progs(dp, err);
	if (ret) {
		dp__close_pins(dp);
		return ret;
	}
	set_maps(dp);
	return 0;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void dp__close_pins(struct datapath *dp)
{
	for (int m = 0; m < DP_NR_MAPS; m++) {
		if (dp->mem[m])
			munmap(dp->mem[m], dp->mem_bytes[m]);
		dp->mem[m] = NULL;
		close_fd(&dp->map_fds[m]);
	}
	for (int p = 0; p < DP_NR_PROGS; p++)
		close_fd(&dp->prog_fds[p]);
	dp->maps = (struct table_maps){ 0 };
}

int datapath__open(const char *pin_dir, bool writable, struct datapath **ret_dp, struct pintle_err *err)
{
	struct datapath *dp;
	int ret;

	ret = dp__new(pin_dir, false, writable, &dp, err);
	if (ret == -ENOENT)
		return pintle_err__set(err, ret, "nothing is attached: %s does not exist; run pintle attach DEVICE", pin_dir);
	if (ret)
		return ret;
	ret = dp__open_pins(dp, err);
	if (ret) {
		datapath__close(dp);
		return ret;
	}
	*ret_dp = dp;
	return 0;
}

void datapath__close(struct datapath *dp)
{
	if (!dp)
		return;
	dp__close_pins(dp);
	close_fd(&dp->grace_fd);
	close_fd(&dp->writer_fd);
	close_fd(&dp->dir_fd);
	free(dp);
}

int datapath__lock_writer(struct datapath *dp, struct pintle_err *err)
{
	char path[PINS_PATH_BYTES];
	int fd, ret;

	if (dp->writer_fd >= 0)
		return 0;
	ret = pins__note(dp->pin_dir, WRITER_NOTE, err);
	if (ret)
		return ret;
	snprintf(path, sizeof(path), "%s/" WRITER_NOTE, dp->pin_dir);
	fd = pins__open_dir(path, false, err);
	if (fd < 0)
		return fd;
	ret = pins__lock(fd, path, 0, err);
	if (ret) {
		close(fd);
		return pintle_err__prefix(err, ret, "another pintle keeps the tables");
	}
	dp->writer_fd = fd;
	return 0;
}

bool datapath__has_writer(const struct datapath *dp, char *out, size_t out_bytes)
{
	char path[PINS_PATH_BYTES];
	bool is_locked;
	int fd;

	snprintf(path, sizeof(path), "%s/" WRITER_NOTE, dp->pin_dir);
	fd = pins__open_dir(path, false, NULL);
	if (fd < 0)
		return false;
	is_locked = pins__is_locked(fd, out, out_bytes);
	close(fd);
	return is_locked;
}

bool datapath__is_removed(const struct datapath *dp)
{
	char path[PINS_PATH_BYTES];
	struct stat mine, now;

	/* A directory that stays because it is a mount point, or holds a stranger's pins, has lost its pt_meta. */
	snprintf(path, sizeof(path), "%s/%s", dp->pin_dir, dp_map_defs[DP_MAP_META].name);
	return fstat(dp->dir_fd, &mine) || stat(dp->pin_dir, &now) || mine.st_ino != now.st_ino || mine.st_dev != now.st_dev ||
	       access(path, F_OK);
}

const struct table_maps *datapath__maps(const struct datapath *dp)
{
	return &dp->maps;
}

int datapath__map_fd(const struct datapath *dp, const char *map_name)
{
	for (int m = 0; m < DP_NR_MAPS; m++)
		if (!strcmp(dp_map_defs[m].name, map_name))
			return dp->map_fds[m];
	return -ENOENT;
}

uint32_t datapath__hz(void)
{
	return dp_kernel__hz();
}

void datapath__set_verbose(bool verbose)
{
	dp_kernel__capture(verbose);
}
