/* SPDX-License-Identifier: BSD-2-Clause */
#include "agent/pins.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <linux/magic.h>

static const char *const kind_names[] = { [PIN_MAP] = "map", [PIN_PROG] = "program", [PIN_LINK] = "link" };

static int make_path(char out[PINS_PATH_BYTES], const char *dir, const char *prefix, const char *name, struct pintle_err *err)
{
	int n = snprintf(out, PINS_PATH_BYTES, "%s/%s%s", dir, prefix, name);

	if (n < 0 || n >= PINS_PATH_BYTES)
		return pintle_err__set(err, -ENAMETOOLONG, "%s/%s: the path is too long for a pin", dir, name);
	return 0;
}

/* The mount point to name in a hint: the parent of what was asked for. */
static void parent_of(const char *dir, char out[PINS_DIR_BYTES])
{
	char *slash;

	snprintf(out, PINS_DIR_BYTES, "%s", dir);
	slash = strrchr(out, '/');
	if (!slash)
		snprintf(out, PINS_DIR_BYTES, ".");
	else if (slash == out)
		out[1] = '\0';
	else
		*slash = '\0';
}

static int not_bpffs(const char *path, struct pintle_err *err)
{
	return pintle_err__set(err, -ENODEV, "%s is not on a BPF file system; mount one: mount -t bpf bpf %s", path, path);
}

static int make_dir(const char *dir, struct pintle_err *err)
{
	char parent[PINS_DIR_BYTES];
	struct statfs fs;

	parent_of(dir, parent);
	if (statfs(parent, &fs))
		return pintle_err__set(err, -errno, "%s: %s; mount a BPF file system there: mkdir -p %s && mount -t bpf bpf %s",
				       parent, strerror(errno), parent, parent);
	if ((unsigned long)fs.f_type != BPF_FS_MAGIC)
		return not_bpffs(parent, err);
	if (mkdir(dir, 0700) && errno != EEXIST)
		return pintle_err__set(err, -errno, "%s: cannot make the pin directory: %s", dir, strerror(errno));
	return 0;
}

int pins__open_dir(const char *dir, bool create, struct pintle_err *err)
{
	struct statfs fs;
	int fd, ret;

	if (strlen(dir) >= PINS_DIR_BYTES)
		return pintle_err__set(err, -ENAMETOOLONG, "pin directory: name longer than %d bytes", PINS_DIR_BYTES - 1);
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT && create) {
		ret = make_dir(dir, err);
		if (ret)
			return ret;
		fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	if (fd < 0)
		return pintle_err__set(err, -errno, "%s: %s", dir, strerror(errno));
	if (fstatfs(fd, &fs) || (unsigned long)fs.f_type != BPF_FS_MAGIC) {
		close(fd);
		return not_bpffs(dir, err);
	}
	return fd;
}

/* Who holds the flock, from /proc/locks: "7: FLOCK  ADVISORY  WRITE 812 00:27:30331 0 EOF". */
static void describe_holder(int dir_fd, char *out, size_t out_bytes)
{
	char line[160], path[64], comm[32] = "";
	unsigned int major_nr, minor_nr;
	unsigned long inode;
	struct stat st;
	FILE *f;
	int pid;

	snprintf(out, out_bytes, "another process");
	if (fstat(dir_fd, &st))
		return;
	f = fopen("/proc/locks", "re");
	if (!f)
		return;
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%*u: FLOCK %*s %*s %d %x:%x:%lu", &pid, &major_nr, &minor_nr, &inode) != 4)
			continue;
		if (inode != st.st_ino || major_nr != major(st.st_dev) || minor_nr != minor(st.st_dev) || pid <= 0)
			continue;
		snprintf(out, out_bytes, "process %d", pid);
		snprintf(path, sizeof(path), "/proc/%d/comm", pid);
		fclose(f);
		f = fopen(path, "re");
		if (f && fgets(comm, sizeof(comm), f)) {
			comm[strcspn(comm, "\n")] = '\0';
			snprintf(out, out_bytes, "process %d (%s)", pid, comm);
		}
		break;
	}
	if (f)
		fclose(f);
}

int pins__lock(int dir_fd, const char *dir, int wait_ms, struct pintle_err *err)
{
	const struct timespec pause = { .tv_nsec = 20 * 1000 * 1000 };
	struct stat mine, now;
	char holder[96];

	while (flock(dir_fd, LOCK_EX | LOCK_NB)) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return pintle_err__set(err, -errno, "%s: cannot lock: %s", dir, strerror(errno));
		if (wait_ms <= 0) {
			describe_holder(dir_fd, holder, sizeof(holder));
			return pintle_err__set(err, -EBUSY, "%s is locked by %s; wait until it has ended", dir, holder);
		}
		nanosleep(&pause, NULL);
		wait_ms -= 20;
	}
	/* The one who waited may hold a directory that the one before has removed. */
	if (fstat(dir_fd, &mine) || stat(dir, &now) || mine.st_ino != now.st_ino || mine.st_dev != now.st_dev) {
		flock(dir_fd, LOCK_UN);
		return pintle_err__set(err, -ESTALE, "%s was removed by another process (pintle detach); run pintle attach",
				       dir);
	}
	return 0;
}

void pins__unlock(int dir_fd)
{
	flock(dir_fd, LOCK_UN);
}

bool pins__is_locked(int dir_fd, char *holder, size_t holder_bytes)
{
	if (!flock(dir_fd, LOCK_SH | LOCK_NB)) {
		flock(dir_fd, LOCK_UN);
		return false;
	}
	describe_holder(dir_fd, holder, holder_bytes);
	return true;
}

/* What a BPF file descriptor is. An info query cannot tell: the kernel fills in whatever the descriptor happens to be. */
static bool is_kind(int fd, enum pin_kind kind)
{
	static const char *const targets[] = { [PIN_MAP] = "bpf-map", [PIN_PROG] = "bpf-prog", [PIN_LINK] = "bpf_link" };
	char path[64], target[64];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	n = readlink(path, target, sizeof(target) - 1);
	if (n < 0)
		return false;
	target[n] = '\0';
	/* "anon_inode:bpf-map"; links are "anon_inode:bpf_link" or "anon_inode:bpf-link" */
	return strstr(target, targets[kind]) || (kind == PIN_LINK && strstr(target, "bpf-link"));
}

int pins__get(const char *dir, const char *name, enum pin_kind kind, bool writable, struct pintle_err *err)
{
	LIBBPF_OPTS(bpf_obj_get_opts, opts, .file_flags = kind == PIN_MAP && !writable ? BPF_F_RDONLY : 0);
	char path[PINS_PATH_BYTES];
	int fd;

	fd = make_path(path, dir, "", name, err);
	if (fd)
		return fd;
	fd = bpf_obj_get_opts(path, &opts);
	if (fd == -ENOENT)
		return -ENOENT;
	if (fd == -EPERM)
		return pintle_err__set(err, -EPERM, "%s: not permitted; needs CAP_BPF (or root) and access to the directory",
				       path);
	if (fd < 0)
		return pintle_err__set(err, fd, "%s: cannot open the pinned %s: %s", path, kind_names[kind], strerror(-fd));
	if (!is_kind(fd, kind)) {
		close(fd);
		return pintle_err__set(err, -EPROTO, "%s is not a BPF %s; the pins are not pintle's or were tampered with",
				       path, kind_names[kind]);
	}
	return fd;
}

int pins__put(const char *dir, const char *name, int fd, struct pintle_err *err)
{
	char path[PINS_PATH_BYTES], fresh[PINS_PATH_BYTES];
	int ret;

	ret = make_path(path, dir, "", name, err);
	if (!ret)
		ret = make_path(fresh, dir, "new_", name, err);
	if (ret)
		return ret;
	unlink(fresh); /* of a process that was killed in between */
	ret = bpf_obj_pin(fd, fresh);
	if (ret)
		return pintle_err__set(err, ret, "%s: cannot pin: %s", path, strerror(-ret));
	if (rename(fresh, path)) {
		ret = -errno;
		unlink(fresh);
		return pintle_err__set(err, ret, "%s: cannot put the new pin in place: %s", path, strerror(-ret));
	}
	return 0;
}

int pins__remove(const char *dir, const char *name, struct pintle_err *err)
{
	char path[PINS_PATH_BYTES];
	int ret = make_path(path, dir, "", name, err);

	if (ret)
		return ret;
	if (remove(path) && errno != ENOENT)
		return pintle_err__set(err, -errno, "%s: cannot remove: %s", path, strerror(errno));
	return 0;
}

int pins__note(const char *dir, const char *name, struct pintle_err *err)
{
	char path[PINS_PATH_BYTES];
	int ret = make_path(path, dir, "", name, err);

	if (ret)
		return ret;
	if (mkdir(path, 0700) && errno != EEXIST)
		return pintle_err__set(err, -errno, "%s: cannot make: %s", path, strerror(errno));
	return 0;
}

bool pins__has(const char *dir, const char *name)
{
	char path[PINS_PATH_BYTES];

	return !make_path(path, dir, "", name, NULL) && !access(path, F_OK);
}

static int not_dots(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

int pins__each(const char *dir, int (*fn)(void *arg, const char *name), void *arg, struct pintle_err *err)
{
	struct dirent **names;
	int nr, ret = 0;

	nr = scandir(dir, &names, not_dots, alphasort);
	if (nr < 0)
		return pintle_err__set(err, -errno, "%s: cannot list: %s", dir, strerror(errno));
	for (int i = 0; i < nr; i++) {
		if (!ret)
			ret = fn(arg, names[i]->d_name);
		free(names[i]);
	}
	free(names);
	return ret;
}
