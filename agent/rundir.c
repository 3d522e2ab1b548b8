/* SPDX-License-Identifier: BSD-2-Clause */
#include "agent/rundir.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "agent/clock.h"
#include "agent/wholefile.h"

#define LOCK_LOOK_NS 10000000l
#define RUNDIR_MAX_BYTES (64u << 20)

/* FNV-1a, 64 bits. */
static uint64_t rundir__hash(const char *text, size_t bytes)
{
	uint64_t hash = 0xcbf29ce484222325ull;
	size_t i;

	for (i = 0; i < bytes; i++)
		hash = (hash ^ (unsigned char)text[i]) * 0x100000001b3ull;
	return hash;
}

/* However the directory is spelled, there or not yet: its real path, or the real path of its parent and its name; as it is without a parent. */
static int rundir__canonical(const char *dir, char out[PATH_MAX])
{
	char copy[PATH_MAX], real[PATH_MAX];
	size_t bytes = strlen(dir);
	char *slash;
	int n;

	if (realpath(dir, out))
		return 0;
	while (bytes > 1 && dir[bytes - 1] == '/')
		bytes--;
	if (bytes >= sizeof(copy))
		return -ENAMETOOLONG;
	memcpy(copy, dir, bytes);
	copy[bytes] = '\0';
	slash = strrchr(copy, '/');
	if (slash)
		*slash = '\0';
	if (realpath(!slash ? "." : *copy ? copy : "/", real))
		n = snprintf(out, PATH_MAX, "%s/%s", strcmp(real, "/") ? real : "", slash ? slash + 1 : copy);
	else
		n = snprintf(out, PATH_MAX, "%.*s", (int)bytes, dir);
	return n < 0 || n >= PATH_MAX ? -ENAMETOOLONG : 0;
}

int rundir__path(const char *run_dir, const char *stem, const char *pin_dir, const char *suffix, char *out, size_t out_bytes)
{
	char canonical[PATH_MAX];
	int n = rundir__canonical(pin_dir, canonical);

	if (n)
		return n;
	n = snprintf(out, out_bytes, "%s/%s-%016" PRIx64 "%s", run_dir, stem, rundir__hash(canonical, strlen(canonical)),
		     suffix);
	return n < 0 || (size_t)n >= out_bytes ? -ENAMETOOLONG : 0;
}

int rundir__make(const char *run_dir, struct pintle_err *err)
{
	if (!mkdir(run_dir, 0755) || errno == EEXIST)
		return 0;
	return pintle_err__set(err, -errno, "%s: cannot be made: %s; choose another with --run-dir", run_dir, strerror(errno));
}

/* Whatever stands there, left by one that died or put there to be waited for (a FIFO) or followed (a link), is not what is written to. */
static FILE *rundir__make_fresh(const char *fresh)
{
	FILE *file;
	int fd;

	(void)unlink(fresh);
	fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666);
	file = fd < 0 ? NULL : fdopen(fd, "w");
	if (fd >= 0 && !file)
		close(fd);
	return file;
}

int rundir__replace(const char *run_dir, const char *stem, const char *pin_dir, int (*put)(FILE *file, const void *arg),
		    const void *arg, struct pintle_err *err)
{
	char path[PATH_MAX], fresh[PATH_MAX];
	FILE *file;
	int error = rundir__make(run_dir, err);

	if (error)
		return error;
	if (rundir__path(run_dir, stem, pin_dir, ".json", path, sizeof(path)) ||
	    rundir__path(run_dir, stem, pin_dir, ".new", fresh, sizeof(fresh)))
		return pintle_err__set(err, -ENAMETOOLONG, "%s: the path is too long", run_dir);
	file = rundir__make_fresh(fresh);
	if (!file)
		return pintle_err__set(err, -errno, "%s: cannot be written: %s", fresh, strerror(errno));
	error = put(file, arg);
	if (fclose(file) && !error)
		error = -errno;
	if (!error && rename(fresh, path))
		error = -errno;
	if (!error)
		return 0;
	(void)unlink(fresh);
	return pintle_err__set(err, error, "%s: cannot be written: %s", path, strerror(-error));
}

int rundir__slurp(const char *run_dir, const char *stem, const char *pin_dir, char **ret_text, size_t *ret_bytes,
		  struct pintle_err *err)
{
	char path[PATH_MAX];

	if (rundir__path(run_dir, stem, pin_dir, ".json", path, sizeof(path)))
		return pintle_err__set(err, -ENAMETOOLONG, "%s: the path is too long", run_dir);
	return wholefile__read(path, RUNDIR_MAX_BYTES, ret_text, ret_bytes, err);
}

int rundir__lock(const char *run_dir, const char *stem, const char *pin_dir, uint64_t wait_ns, int *ret_fd,
		 struct pintle_err *err)
{
	struct timespec pause = { .tv_nsec = LOCK_LOOK_NS };
	uint64_t end_ns = clock__monotonic_ns() + wait_ns;
	char path[PATH_MAX];
	int fd, error = rundir__make(run_dir, err);

	if (error)
		return error;
	if (rundir__path(run_dir, stem, pin_dir, ".lock", path, sizeof(path)))
		return pintle_err__set(err, -ENAMETOOLONG, "%s: the path is too long", run_dir);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
	if (fd < 0)
		return pintle_err__set(err, -errno, "%s: cannot be opened: %s; choose another directory with --run-dir", path,
				       strerror(errno));
	while (flock(fd, LOCK_EX | LOCK_NB)) {
		error = errno;
		if (error != EINTR && (error != EWOULDBLOCK || clock__monotonic_ns() >= end_ns)) {
			close(fd);
			return error != EWOULDBLOCK
				       ? pintle_err__set(err, -error, "%s: cannot be locked: %s", path, strerror(error))
				       : pintle_err__set(err, -EBUSY, "another command holds %s; try again when it has ended",
							 path);
		}
		(void)nanosleep(&pause, NULL);
	}
	*ret_fd = fd;
	return 0;
}
