/* SPDX-License-Identifier: BSD-2-Clause */
#include "agent/eventtail.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include "agent/eventlog.h"
#include "agent/rundir.h"

struct eventtail {
	char path[PATH_MAX], old_path[PATH_MAX];
	FILE *file;    /* NULL = not there yet */
	bool is_old;   /* it is the rotated one: the current one follows */
	bool is_stale; /* it was rotated away: nothing is added any more, but its end may not be read yet */
	char *line;
	size_t line_capacity;
};

static int eventtail__fail(const char *path, struct pintle_err *err)
{
	int error = -errno;

	return pintle_err__set(err, error, "%s: cannot be read: %s", path, strerror(-error));
}

/* Number of whole lines; the file is left at its beginning. */
static uint64_t eventtail__count(FILE *file)
{
	uint64_t lines = 0;
	int c;

	while ((c = getc_unlocked(file)) != EOF)
		lines += c == '\n';
	rewind(file);
	return lines;
}

static void eventtail__skip(FILE *file, uint64_t lines)
{
	int c;

	while (lines && (c = getc_unlocked(file)) != EOF)
		lines -= c == '\n';
}

/* Of `total` lines, leaves the last `last` to read; 0 = all. */
static void eventtail__leave(FILE *file, uint64_t total, uint32_t last)
{
	if (last && total > last)
		eventtail__skip(file, total - last);
}

/* NULL with errno set; EINVAL: not a regular file, which might never end, or begin. */
static FILE *eventtail__fopen(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY), error = EINVAL;
	FILE *file = NULL;
	struct stat st;

	if (fd < 0)
		return NULL;
	if (!fstat(fd, &st) && S_ISREG(st.st_mode)) {
		file = fdopen(fd, "r");
		error = errno;
	}
	if (!file) {
		close(fd);
		errno = error;
	}
	return file;
}

/* Opens the file in which the last lines begin, at the first of them. */
static int eventtail__seek(struct eventtail *tail, uint32_t last, struct pintle_err *err)
{
	FILE *old = eventtail__fopen(tail->old_path), *current = eventtail__fopen(tail->path);
	uint64_t in_current, in_old;

	if (!current && errno != ENOENT) {
		int error = eventtail__fail(tail->path, err);

		if (old)
			fclose(old);
		return error;
	}
	in_current = current ? eventtail__count(current) : 0;
	in_old = old ? eventtail__count(old) : 0;
	tail->is_old = old && !(last && in_current >= last);
	if (tail->is_old) {
		tail->file = old;
		eventtail__leave(old, in_old + in_current, last);
		if (current)
			fclose(current);
		return 0;
	}
	tail->file = current;
	if (current)
		eventtail__leave(current, in_current, last);
	if (old)
		fclose(old);
	return 0;
}

int eventtail__open(const char *run_dir, const char *pin_dir, uint32_t last, bool may_wait, struct eventtail **ret_tail,
		    struct pintle_err *err)
{
	struct eventtail *tail = calloc(1, sizeof(*tail));
	int error;

	if (!tail)
		return pintle_err__set(err, -ENOMEM, "event log: out of memory");
	if (eventlog__path(run_dir, pin_dir, tail->path, sizeof(tail->path)) ||
	    rundir__path(run_dir, "events", pin_dir, ".jsonl.1", tail->old_path, sizeof(tail->old_path)))
		error = pintle_err__set(err, -ENAMETOOLONG, "%s: the path is too long", run_dir);
	else
		error = eventtail__seek(tail, last, err);
	if (!error && !tail->file && !may_wait)
		error = pintle_err__set(err, -ENOENT, "no events in %s: `pintle agent` records them there (--run-dir)",
					run_dir);
	if (error) {
		eventtail__close(tail);
		return error;
	}
	*ret_tail = tail;
	return 0;
}

void eventtail__close(struct eventtail *tail)
{
	if (!tail)
		return;
	if (tail->file)
		fclose(tail->file);
	free(tail->line);
	free(tail);
}

/* At the end of the open file: is there another one to go on with? */
static int eventtail__advance(struct eventtail *tail, struct pintle_err *err)
{
	struct stat open_st, named_st;
	FILE *next;

	if (tail->file && !tail->is_old && !tail->is_stale) {
		if (stat(tail->path, &named_st) || fstat(fileno(tail->file), &open_st))
			return 0; /* between two names of a rotation; look again later */
		if (named_st.st_dev == open_st.st_dev && named_st.st_ino == open_st.st_ino) {
			/* Shorter than where we are: emptied by its writer. */
			if (named_st.st_size < ftello(tail->file))
				rewind(tail->file);
			return 0;
		}
		tail->is_stale = true;
		return 1;
	}
	next = eventtail__fopen(tail->path);
	if (!next)
		return errno == ENOENT ? 0 : eventtail__fail(tail->path, err);
	if (tail->file)
		fclose(tail->file);
	tail->file = next;
	tail->is_old = false;
	tail->is_stale = false;
	return 1;
}

int eventtail__next(struct eventtail *tail, const char **ret_line, struct pintle_err *err)
{
	for (;;) {
		off_t start = tail->file ? ftello(tail->file) : 0;
		ssize_t bytes = tail->file ? getline(&tail->line, &tail->line_capacity, tail->file) : -1;
		int more;

		if (bytes > 0 && tail->line[bytes - 1] == '\n') {
			tail->line[bytes - 1] = '\0';
			*ret_line = tail->line;
			return 1;
		}
		if (tail->file && ferror(tail->file))
			return eventtail__fail(tail->path, err);
		if (tail->file) {
			clearerr(tail->file);
			if (fseeko(tail->file, start, SEEK_SET)) /* the line is not whole yet */
				return eventtail__fail(tail->path, err);
		}
		more = eventtail__advance(tail, err);
		if (more <= 0)
			return more;
	}
}
