// SPDX-License-Identifier: BSD-2-Clause
#include "agent/loop.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "agent/clock.h"

#define LOOP_MAX_FDS 16
#define LOOP_BATCH 16

struct loop_source {
	int fd;
	loop_fd_fn fn;
	void *arg;
};

struct loop {
	int epoll_fd, timer_fd, signal_fd;
	bool is_stopped;
	bool has_old_mask;
	sigset_t old_mask;
	loop_tick_fn tick;
	void *tick_arg;
	loop_signal_fn signal;
	void *signal_arg;
	int nr_sources;
	struct loop_source sources[LOOP_MAX_FDS];
};

int loop__open(struct loop **ret_loop, struct pintle_err *err)
{
	struct loop *loop = calloc(1, sizeof(*loop));

	if (!loop)
		return pintle_err__set(err, -ENOMEM, "event loop: out of memory");
	loop->timer_fd = -1;
	loop->signal_fd = -1;
	loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (loop->epoll_fd < 0) {
		int code = -errno;

		free(loop);
		return pintle_err__set(err, code, "event loop: epoll_create1: %s", strerror(-code));
	}
	*ret_loop = loop;
	return 0;
}

void loop__close(struct loop *loop)
{
	if (!loop)
		return;
	if (loop->has_old_mask)
		sigprocmask(SIG_SETMASK, &loop->old_mask, NULL);
	if (loop->timer_fd >= 0)
		close(loop->timer_fd);
	if (loop->signal_fd >= 0)
		close(loop->signal_fd);
	close(loop->epoll_fd);
	free(loop);
}

int loop__add_fd(struct loop *loop, int fd, loop_fd_fn fn, void *arg, struct pintle_err *err)
{
	struct loop_source *source = &loop->sources[loop->nr_sources];
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = source };

	if (loop->nr_sources == LOOP_MAX_FDS)
		return pintle_err__set(err, -ENOSPC, "event loop: more than %d descriptors", LOOP_MAX_FDS);
	*source = (struct loop_source){ fd, fn, arg };
	if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
		return pintle_err__set(err, -errno, "event loop: descriptor %d: %s", fd, strerror(errno));
	loop->nr_sources++;
	return 0;
}

static void on_timer(void *arg)
{
	struct loop *loop = arg;
	uint64_t expirations;

	if (read(loop->timer_fd, &expirations, sizeof(expirations)) == (ssize_t)sizeof(expirations))
		loop->tick(loop->tick_arg, clock__monotonic_ns());
}

int loop__set_tick(struct loop *loop, uint64_t period_ns, loop_tick_fn fn, void *arg, struct pintle_err *err)
{
	struct timespec period = { .tv_sec = (time_t)(period_ns / 1000000000), .tv_nsec = (long)(period_ns % 1000000000) };
	struct itimerspec spec = { .it_interval = period, .it_value = { .tv_nsec = 1 } };

	loop->tick = fn;
	loop->tick_arg = arg;
	loop->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (loop->timer_fd < 0 || timerfd_settime(loop->timer_fd, 0, &spec, NULL) < 0)
		return pintle_err__set(err, -errno, "event loop: timer: %s", strerror(errno));
	return loop__add_fd(loop, loop->timer_fd, on_timer, loop, err);
}

static void on_signal(void *arg)
{
	struct loop *loop = arg;
	struct signalfd_siginfo info;

	while (read(loop->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
		loop->signal(loop->signal_arg, (int)info.ssi_signo);
}

static sigset_t loop__signals(void)
{
	sigset_t mask;

	sigemptyset(&mask);
	sigaddset(&mask, SIGTERM);
	sigaddset(&mask, SIGINT);
	sigaddset(&mask, SIGHUP);
	return mask;
}

int loop__block_signals(struct pintle_err *err)
{
	sigset_t mask = loop__signals();

	if (sigprocmask(SIG_BLOCK, &mask, NULL) < 0)
		return pintle_err__set(err, -errno, "event loop: signal mask: %s", strerror(errno));
	return 0;
}

int loop__set_signals(struct loop *loop, loop_signal_fn fn, void *arg, struct pintle_err *err)
{
	sigset_t mask = loop__signals();

	loop->signal = fn;
	loop->signal_arg = arg;
	if (sigprocmask(SIG_BLOCK, &mask, &loop->old_mask) < 0)
		return pintle_err__set(err, -errno, "event loop: signal mask: %s", strerror(errno));
	loop->has_old_mask = true;
	loop->signal_fd = signalfd(-1, &mask, SFD_NONBLOCK | SFD_CLOEXEC);
	if (loop->signal_fd < 0)
		return pintle_err__set(err, -errno, "event loop: signalfd: %s", strerror(errno));
	return loop__add_fd(loop, loop->signal_fd, on_signal, loop, err);
}

int loop__run(struct loop *loop, struct pintle_err *err)
{
	struct epoll_event events[LOOP_BATCH];

	while (!loop->is_stopped) {
		int nr = epoll_wait(loop->epoll_fd, events, LOOP_BATCH, -1);

		if (nr < 0 && errno != EINTR)
			return pintle_err__set(err, -errno, "event loop: epoll_wait: %s", strerror(errno));
		for (int i = 0; i < nr && !loop->is_stopped; i++) {
			struct loop_source *source = events[i].data.ptr;

			source->fn(source->arg);
		}
	}
	return 0;
}

void loop__stop(struct loop *loop)
{
	loop->is_stopped = true;
}
