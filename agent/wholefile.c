/* SPDX-License-Identifier: BSD-2-Clause */
#include "agent/wholefile.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TRIES 16 /* names for the file beside */

static int read_all(int fd, const char *path, char *data, size_t bytes, struct pintle_err *err)
{
	size_t done = 0;

	while (done < bytes) {
		ssize_t n = read(fd, data + done, bytes - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return pintle_err__set(err, -errno, "%s: cannot be read: %s", path, strerror(errno));
		if (!n)
			return pintle_err__set(err, -EAGAIN, "%s: became shorter while it was read; replace it by rename",
					       path);
		done += (size_t)n;
	}
	return 0;
}

/* The same file, not written to since `before`. */
static bool is_unchanged(int fd, const struct stat *before)
{
	struct stat now;

	return !fstat(fd, &now) && now.st_size == before->st_size && now.st_mtim.tv_sec == before->st_mtim.tv_sec &&
	       now.st_mtim.tv_nsec == before->st_mtim.tv_nsec;
}

static int read_fd(int fd, const char *path, size_t max_bytes, char **ret_data, size_t *ret_bytes, struct pintle_err *err)
{
	struct stat st;
	size_t bytes;
	char *data;
	int error;

	if (fstat(fd, &st))
		return pintle_err__set(err, -errno, "%s: cannot be examined: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return pintle_err__set(err, -EINVAL, "%s: is not a regular file", path);
	if (st.st_size > (off_t)max_bytes)
		return pintle_err__set(err, -EFBIG, "%s: has %lld bytes; at most %zu are read", path, (long long)st.st_size,
				       max_bytes);
	bytes = (size_t)st.st_size;
	data = malloc(bytes + 1);
	if (!data)
		return pintle_err__set(err, -ENOMEM, "%s: out of memory for %zu bytes", path, bytes);
	error = read_all(fd, path, data, bytes, err);
	if (!error && !is_unchanged(fd, &st))
		error = pintle_err__set(err, -EAGAIN, "%s: changed while it was read; replace it by rename", path);
	if (error) {
		free(data);
		return error;
	}
	data[bytes] = '\0';
	*ret_data = data;
	*ret_bytes = bytes;
	return 0;
}

int wholefile__read(const char *path, size_t max_bytes, char **ret_data, size_t *ret_bytes, struct pintle_err *err)
{
	/* Non-blocking, so that a FIFO does not hang before it is refused. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	int error;

	if (fd < 0)
		return pintle_err__set(err, -errno, "%s: cannot be opened: %s", path, strerror(errno));
	error = read_fd(fd, path, max_bytes, ret_data, ret_bytes, err);
	close(fd);
	return error;
}

static int write_all(int fd, const char *data, size_t bytes)
{
	while (bytes) {
		ssize_t n = write(fd, data, bytes);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		data += n;
		bytes -= (size_t)n;
	}
	return fsync(fd) ? -errno : 0;
}

/* A new file in the directory of `path`, its name in `fresh`: the descriptor or -errno. */
static int open_beside(const char *path, char fresh[PATH_MAX])
{
	int fd = -EEXIST;

	for (int i = 0; i < TRIES && fd == -EEXIST; i++) {
		int n = snprintf(fresh, PATH_MAX, "%s.%d.%d.new", path, (int)getpid(), i);

		if (n < 0 || n >= PATH_MAX)
			return -ENAMETOOLONG;
		fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
		fd = fd < 0 ? -errno : fd;
	}
	return fd;
}

/* Makes the rename last. A file system that cannot sync a directory has said all it can. */
static void sync_directory(const char *path)
{
	const char *slash = strrchr(path, '/');
	char dir[PATH_MAX];
	int fd;

	snprintf(dir, sizeof(dir), "%.*s", slash ? (int)(slash - path) + 1 : 1, slash ? path : ".");
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return;
	(void)fsync(fd);
	close(fd);
}

int wholefile__replace(const char *path, const void *data, size_t bytes, struct pintle_err *err)
{
	char fresh[PATH_MAX];
	struct stat st;
	int fd, error;

	if (!lstat(path, &st) && !S_ISREG(st.st_mode))
		return pintle_err__set(err, -EEXIST, "%s: is there and is no regular file%s; name another", path,
				       S_ISLNK(st.st_mode) ? " but a symbolic link" : "");
	fd = open_beside(path, fresh);
	if (fd < 0)
		return pintle_err__set(err, fd, "%s: cannot be written: %s", path, strerror(-fd));
	error = write_all(fd, data, bytes);
	if (close(fd) && !error)
		error = -errno;
	if (!error && rename(fresh, path))
		error = -errno;
	if (error) {
		(void)unlink(fresh);
		return pintle_err__set(err, error, "%s: cannot be written: %s", path, strerror(-error));
	}
	sync_directory(path);
	return 0;
}
