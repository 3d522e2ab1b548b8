/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The file source. inotify watches the file's directory and, behind symbolic links, the directory of the real file; any event there makes us look
 * at the file's identity (device, inode, size, times). What changed is read when it has been quiet for SETTLE_NS, at the latest
 * SETTLE_MAX_NS after the first sign. A look every POLL_NS covers file systems without inotify.
 */
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "agent/clock.h"
#include "agent/source.h"

#define SETTLE_NS 50000000ull
#define SETTLE_MAX_NS 1000000000ull
#define POLL_NS 5000000000ull
#define WATCH_EVENTS (IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE_SELF | IN_MOVE_SELF)

struct file_identity {
	bool exists;
	dev_t dev;
	ino_t ino;
	off_t bytes;
	struct timespec mtime, ctime;
};

struct source_file {
	struct source base;
	char *path;
	int epoll_fd, inotify_fd, timer_fd;
	int watches[2];		     /* of the directory that the path names, and of the real file's; -1 = none */
	struct file_identity loaded; /* what the last attempt to read saw */
	bool has_attempt;	     /* `loaded` is valid */
	bool is_forced;
	uint64_t dirty_ns; /* when the first sign of a change came; 0 = none */
	uint64_t quiet_ns; /* read when this is over */
};

static struct source_file *source_file__of(struct source *source)
{
	return (struct source_file *)source;
}

static struct file_identity source_file__look(const struct source_file *f)
{
	struct file_identity id = { 0 };
	struct stat st;

	if (stat(f->path, &st))
		return id;
	id = (struct file_identity){ .exists = true,
				     .dev = st.st_dev,
				     .ino = st.st_ino,
				     .bytes = st.st_size,
				     .mtime = st.st_mtim,
				     .ctime = st.st_ctim };
	return id;
}

static bool file_identity__equal(const struct file_identity *a, const struct file_identity *b)
{
	return a->exists == b->exists && a->dev == b->dev && a->ino == b->ino && a->bytes == b->bytes &&
	       a->mtime.tv_sec == b->mtime.tv_sec && a->mtime.tv_nsec == b->mtime.tv_nsec &&
	       a->ctime.tv_sec == b->ctime.tv_sec && a->ctime.tv_nsec == b->ctime.tv_nsec;
}

/* ---- watches ---- */

static void source_file__watch(struct source_file *f, int slot, char *path)
{
	int wd = inotify_add_watch(f->inotify_fd, dirname(path), WATCH_EVENTS | IN_ONLYDIR);

	/* A directory that cannot be watched (gone, no more watches) is covered by the timer. */
	if (f->watches[slot] >= 0 && f->watches[slot] != wd && f->watches[slot] != f->watches[!slot])
		(void)inotify_rm_watch(f->inotify_fd, f->watches[slot]);
	f->watches[slot] = wd;
}

static void source_file__watch_all(struct source_file *f)
{
	char named[PATH_MAX], real[PATH_MAX];

	if (strlen(f->path) < sizeof(named)) {
		strcpy(named, f->path);
		source_file__watch(f, 0, named);
	}
	if (realpath(f->path, real))
		source_file__watch(f, 1, real);
}

static void source_file__drain_inotify(struct source_file *f)
{
	char events[4096] __attribute__((aligned(__alignof__(struct inotify_event))));

	/* What happened does not matter: any event, and an overflow too, makes us look. */
	while (read(f->inotify_fd, events, sizeof(events)) > 0)
		;
}

/* ---- timer ---- */

static void source_file__arm(struct source_file *f, uint64_t in_ns)
{
	struct itimerspec when = { .it_value = { .tv_sec = (time_t)(in_ns / 1000000000),
						 .tv_nsec = (long)(in_ns % 1000000000) } };

	if (!in_ns)
		when.it_value.tv_nsec = 1;
	/* Fails only for a bad descriptor or time. */
	(void)timerfd_settime(f->timer_fd, 0, &when, NULL);
}

/* ---- source_ops ---- */

static void source_file__close(struct source *source)
{
	struct source_file *f = source_file__of(source);

	if (!f)
		return;
	if (f->inotify_fd >= 0)
		close(f->inotify_fd);
	if (f->timer_fd >= 0)
		close(f->timer_fd);
	if (f->epoll_fd >= 0)
		close(f->epoll_fd);
	free(f->path);
	free(f);
}

static int source_file__open_fds(struct source_file *f, struct pintle_err *err)
{
	struct epoll_event event = { .events = EPOLLIN };

	f->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	f->inotify_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	f->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (f->epoll_fd < 0 || f->timer_fd < 0)
		return pintle_err__set(err, -errno, "%s: cannot be watched: %s", f->path, strerror(errno));
	if (epoll_ctl(f->epoll_fd, EPOLL_CTL_ADD, f->timer_fd, &event))
		return pintle_err__set(err, -errno, "%s: cannot be watched: epoll: %s", f->path, strerror(errno));
	/* Without inotify (no instances left) the timer alone finds changes. */
	if (f->inotify_fd >= 0 && epoll_ctl(f->epoll_fd, EPOLL_CTL_ADD, f->inotify_fd, &event))
		return pintle_err__set(err, -errno, "%s: cannot be watched: epoll: %s", f->path, strerror(errno));
	return 0;
}

static int source_file__open(const char *spec, struct source **ret_source, struct pintle_err *err)
{
	struct source_file *f = calloc(1, sizeof(*f));
	int error;

	if (!f)
		return pintle_err__set(err, -ENOMEM, "%s: out of memory", spec);
	*f = (struct source_file){
		.base = { &source_file_ops }, .epoll_fd = -1, .inotify_fd = -1, .timer_fd = -1, .watches = { -1, -1 }
	};
	f->path = strdup(spec);
	error = f->path ? source_file__open_fds(f, err) : pintle_err__set(err, -ENOMEM, "%s: out of memory", spec);
	if (error) {
		source_file__close(&f->base);
		return error;
	}
	f->is_forced = true;
	source_file__arm(f, 0);
	*ret_source = &f->base;
	return 0;
}

static int source_file__fd(const struct source *source)
{
	return ((const struct source_file *)source)->epoll_fd;
}

static void source_file__reload(struct source *source)
{
	struct source_file *f = source_file__of(source);

	f->is_forced = true;
	source_file__arm(f, 0);
}

/* Is it time to read? Otherwise the timer is set for when it is. */
static bool source_file__is_due(struct source_file *f, const struct file_identity *now)
{
	uint64_t now_ns = clock__monotonic_ns(), limit_ns;

	if (f->is_forced)
		return true;
	if (f->has_attempt && file_identity__equal(now, &f->loaded)) {
		f->dirty_ns = 0;
		source_file__arm(f, POLL_NS);
		return false;
	}
	if (!f->dirty_ns) {
		f->dirty_ns = now_ns;
		f->quiet_ns = now_ns + SETTLE_NS;
	}
	limit_ns = f->dirty_ns + SETTLE_MAX_NS;
	if (f->quiet_ns < limit_ns && f->quiet_ns > now_ns) {
		source_file__arm(f, f->quiet_ns - now_ns);
		return false;
	}
	if (f->quiet_ns >= limit_ns && limit_ns > now_ns) {
		source_file__arm(f, limit_ns - now_ns);
		return false;
	}
	return true;
}

static int source_file__process(struct source *source, struct pintle_config **ret_config, struct pintle_err *err)
{
	struct source_file *f = source_file__of(source);
	struct file_identity now;
	uint64_t expirations;
	ssize_t n;
	int error;

	*ret_config = NULL;
	n = read(f->timer_fd, &expirations, sizeof(expirations));
	if (n < 0)
		f->quiet_ns = clock__monotonic_ns() + SETTLE_NS; /* not the timer: inotify */
	if (f->inotify_fd >= 0) {
		source_file__drain_inotify(f);
		/* Before the look, so that no change falls between. */
		source_file__watch_all(f);
	}
	now = source_file__look(f);
	if (!source_file__is_due(f, &now))
		return 0;
	error = config__load_file(f->path, CONFIG_MAX_BYTES, ret_config, err);
	if (error == -EAGAIN && clock__monotonic_ns() < f->dirty_ns + SETTLE_MAX_NS) {
		/* Somebody is writing it right now. */
		source_file__arm(f, SETTLE_NS);
		return 0;
	}
	f->loaded = now;
	f->has_attempt = error != -EAGAIN;
	f->is_forced = false;
	f->dirty_ns = 0;
	source_file__arm(f, POLL_NS);
	return error;
}

const struct source_ops source_file_ops = {
	.kind = "file",
	.open = source_file__open,
	.fd = source_file__fd,
	.process = source_file__process,
	.reload = source_file__reload,
	.close = source_file__close,
};
