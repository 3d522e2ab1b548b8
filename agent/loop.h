/* SPDX-License-Identifier: BSD-2-Clause */
/* The agent's one thread: epoll over file descriptors, one timer, signals. Callbacks never block. */
#ifndef PINTLE_AGENT_LOOP_H
#define PINTLE_AGENT_LOOP_H

#include <stdint.h>

#include "agent/err.h"

struct loop;

typedef void (*loop_fd_fn)(void *arg);
typedef void (*loop_tick_fn)(void *arg, uint64_t now_ns); /* CLOCK_MONOTONIC */
typedef void (*loop_signal_fn)(void *arg, int signo);

int loop__open(struct loop **ret_loop, struct pintle_err *err);
void loop__close(struct loop *loop); /* NULL is fine; gives the signals back */

/* `fn(arg)` when fd is readable. The fd stays the caller's and must stay open while the loop runs. At most 16. */
int loop__add_fd(struct loop *loop, int fd, loop_fd_fn fn, void *arg, struct pintle_err *err);
/* `fn(arg, now)` every period; ticks that were missed are skipped, not made up for. */
int loop__set_tick(struct loop *loop, uint64_t period_ns, loop_tick_fn fn, void *arg, struct pintle_err *err);
/* Blocks SIGTERM, SIGINT and SIGHUP: what comes before loop__set_signals() waits for the loop and ends nothing half opened. */
int loop__block_signals(struct pintle_err *err);
/* They are blocked and delivered here. */
int loop__set_signals(struct loop *loop, loop_signal_fn fn, void *arg, struct pintle_err *err);

/* Until loop__stop(). 0 or -errno of epoll_wait. */
int loop__run(struct loop *loop, struct pintle_err *err);
void loop__stop(struct loop *loop); /* from a callback */

#endif
