// SPDX-License-Identifier: BSD-2-Clause
/* Clock, timers and sockets. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "bench/load/load.h"

uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

void fatal(const char *what, int err)
{
	fprintf(stderr, "load: %s%s%s\n", what, err ? ": " : "", err ? strerror(err) : "");
	exit(1);
}

void *xcalloc(size_t nr, size_t bytes)
{
	void *memory = calloc(nr ? nr : 1, bytes);

	if (!memory)
		fatal("out of memory", 0);
	return memory;
}

void raise_file_limit(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files))
		return;
	files.rlim_cur = files.rlim_max;
	/* the default limit still serves; running out is reported as no_port */
	(void)setrlimit(RLIMIT_NOFILE, &files);
}

int connect_socket(const struct options *options, const struct sockaddr_storage *target, int type)
{
	socklen_t bytes = target->ss_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
	int fd = socket(target->ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1, err;

	if (fd < 0)
		return -errno;
	if (type == SOCK_STREAM)
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)); /* costs only speed */
	if (options->source_bytes && (setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one)) ||
				      bind(fd, (const struct sockaddr *)&options->source, options->source_bytes)))
		goto fail;
	if (connect(fd, (const struct sockaddr *)target, bytes) && errno != EINPROGRESS)
		goto fail;
	return fd;
fail:
	err = errno;
	close(fd);
	return -err;
}

uint16_t local_port(int fd)
{
	struct sockaddr_in6 local = { 0 }; /* sockaddr_in has its port at the same place */
	socklen_t bytes = sizeof(local);

	return getsockname(fd, (struct sockaddr *)&local, &bytes) ? 0 : ntohs(local.sin6_port);
}

int timer__open(void)
{
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);

	if (fd < 0)
		fatal("timerfd_create", errno);
	return fd;
}

void timer__set(int fd, uint64_t at_ns)
{
	struct itimerspec when = { 0 };

	when.it_value.tv_sec = (time_t)(at_ns / NS_PER_S);
	when.it_value.tv_nsec = (long)(at_ns % NS_PER_S);
	if (timerfd_settime(fd, TFD_TIMER_ABSTIME, &when, NULL))
		fatal("timerfd_settime", errno);
}
