/* SPDX-License-Identifier: BSD-2-Clause */
/* Ticks by the monotonic clock, signals, descriptors, the end. */
#include <check.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "agent/loop.h"

#define MS 1000000ull

struct run {
	struct loop *loop;
	uint64_t ticks, last_ns;
	uint64_t stop_at; /* ticks */
	int signals[8], nr_signals;
	uint64_t reads;
	int fd;
};

static uint64_t monotonic_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void on_tick(void *arg, uint64_t now_ns)
{
	struct run *r = arg;

	ck_assert_uint_ge(now_ns, r->last_ns);
	ck_assert_uint_le(now_ns, monotonic_ns()); /* it is that clock */
	ck_assert_uint_ge(now_ns + 5000 * MS, monotonic_ns());
	r->last_ns = now_ns;
	if (++r->ticks == r->stop_at)
		loop__stop(r->loop);
}

static void on_signal(void *arg, int signo)
{
	struct run *r = arg;

	ck_assert_int_lt(r->nr_signals, 8);
	r->signals[r->nr_signals++] = signo;
	if (signo == SIGTERM)
		loop__stop(r->loop);
}

static void on_fd(void *arg)
{
	struct run *r = arg;
	char byte;

	ck_assert_int_eq(read(r->fd, &byte, 1), 1);
	r->reads++;
	if (byte == 'q')
		loop__stop(r->loop);
}

static struct run begin(void)
{
	struct run r = { .fd = -1 };
	struct pintle_err err;

	ck_assert_int_eq(loop__open(&r.loop, &err), 0);
	return r;
}

START_TEST(ticks_come_at_their_period)
	{
		struct run r = begin();
		uint64_t began = monotonic_ns();
		struct pintle_err err;

		r.stop_at = 20;
		ck_assert_int_eq(loop__set_tick(r.loop, 5 * MS, on_tick, &r, &err), 0);
		ck_assert_int_eq(loop__run(r.loop, &err), 0);
		ck_assert_uint_eq(r.ticks, 20);
		/* ticks that were missed are not made up for, so only the least time is certain; the first comes at once */
		ck_assert_uint_ge(monotonic_ns() - began, 19 * 5 * MS - 5 * MS);
		loop__close(r.loop);
	}
END_TEST

START_TEST(a_first_tick_does_not_wait_for_a_long_period)
	{
		struct run r = begin();
		uint64_t began = monotonic_ns();
		struct pintle_err err;

		r.stop_at = 1;
		ck_assert_int_eq(loop__set_tick(r.loop, 10000 * MS, on_tick, &r, &err), 0);
		ck_assert_int_eq(loop__run(r.loop, &err), 0);
		ck_assert_uint_lt(monotonic_ns() - began, 5000 * MS);
		loop__close(r.loop);
	}
END_TEST

START_TEST(signals_are_read_and_given_back)
	{
		struct run r = begin();
		struct pintle_err err;
		sigset_t mask;

		ck_assert_int_eq(loop__set_signals(r.loop, on_signal, &r, &err), 0);
		raise(SIGHUP);
		raise(SIGTERM);
		ck_assert_int_eq(loop__run(r.loop, &err), 0);
		ck_assert_int_eq(r.nr_signals, 2);
		ck_assert_int_eq(r.signals[0], SIGHUP);
		ck_assert_int_eq(r.signals[1], SIGTERM);
		loop__close(r.loop);
		ck_assert_int_eq(sigprocmask(SIG_BLOCK, NULL, &mask), 0);
		ck_assert_int_eq(sigismember(&mask, SIGTERM), 0);
		ck_assert_int_eq(sigismember(&mask, SIGHUP), 0);
	}
END_TEST

START_TEST(descriptors_are_served_until_the_end)
	{
		struct run r = begin();
		struct pintle_err err;
		int fds[2];

		ck_assert_int_eq(pipe(fds), 0);
		r.fd = fds[0];
		ck_assert_int_eq(write(fds[1], "aaqa", 4), 4);
		ck_assert_int_eq(loop__add_fd(r.loop, r.fd, on_fd, &r, &err), 0);
		ck_assert_int_eq(loop__run(r.loop, &err), 0);
		ck_assert_uint_eq(r.reads, 3); /* nothing after the stop */
		loop__close(r.loop);
		close(fds[0]);
		close(fds[1]);
	}
END_TEST

START_TEST(bad_and_too_many_descriptors_are_errors)
	{
		struct run r = begin();
		struct pintle_err err;
		int fds[2], code = 0, nr = 0;

		ck_assert_int_eq(loop__add_fd(r.loop, 1 << 20, on_fd, &r, &err), -EBADF);
		ck_assert_int_eq(pipe(fds), 0);
		for (; !code && nr < 100; nr++) {
			r.fd = dup(fds[0]);
			code = loop__add_fd(r.loop, r.fd, on_fd, &r, &err);
		}
		ck_assert_int_eq(code, -ENOSPC);
		ck_assert_int_gt(nr, 8);
		loop__close(r.loop);
		loop__close(NULL);
	}
END_TEST

int main(void)
{
	Suite *suite = suite_create("loop");
	TCase *tcase = tcase_create("loop");
	SRunner *runner;
	int failed;

	tcase_add_test(tcase, ticks_come_at_their_period);
	tcase_add_test(tcase, a_first_tick_does_not_wait_for_a_long_period);
	tcase_add_test(tcase, signals_are_read_and_given_back);
	tcase_add_test(tcase, descriptors_are_served_until_the_end);
	tcase_add_test(tcase, bad_and_too_many_descriptors_are_errors);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
