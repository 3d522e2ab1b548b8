/* SPDX-License-Identifier: BSD-2-Clause */
/* Signals that come while the agent starts: the first thing that it opens is a netlink socket, and they come right there. */
#include <check.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "agent/cmd.h"
#include "agent/loop.h"

static int nr_opened;

/* Stands for the library's: an agent that is not ready for signals dies of these. */
struct mnl_socket *mnl_socket_open2(int bus, int flags)
{
	(void)bus, (void)flags;
	nr_opened++;
	raise(SIGHUP);
	raise(SIGTERM);
	raise(SIGINT);
	errno = EMFILE;
	return NULL;
}

struct mnl_socket *mnl_socket_open(int bus)
{
	return mnl_socket_open2(bus, 0);
}

START_TEST(start_up_is_not_interrupted)
	{
		struct cmd_args args = { .verb = CMD_AGENT, .pin_dir = "/nonexistent/pins", .run_dir = "/nonexistent/run" };

		ck_assert_ptr_nonnull(freopen("/dev/null", "w", stderr));
		ck_assert_int_eq(cmd_agent(&args), CMD_FAILURE); /* of the socket, not of a signal */
		ck_assert_int_ge(nr_opened, 1);
	}
END_TEST

static int seen[64];

static void on_signal(void *arg, int signo)
{
	seen[signo]++;
	if (seen[SIGHUP] && seen[SIGTERM])
		loop__stop(arg);
}

/* What came before the loop is delivered by it. */
START_TEST(early_signals_are_kept)
	{
		struct pintle_err err = { 0 };
		struct loop *loop;

		ck_assert_int_eq(loop__block_signals(&err), 0);
		raise(SIGHUP);
		raise(SIGTERM);
		ck_assert_int_eq(loop__open(&loop, &err), 0);
		ck_assert_int_eq(loop__set_signals(loop, on_signal, loop, &err), 0);
		ck_assert_int_eq(loop__run(loop, &err), 0);
		ck_assert_int_eq(seen[SIGHUP], 1);
		ck_assert_int_eq(seen[SIGTERM], 1);
		loop__close(loop);
	}
END_TEST

int main(void)
{
	Suite *suite = suite_create("signals");
	TCase *tc = tcase_create("signals");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tc, start_up_is_not_interrupted);
	tcase_add_test(tc, early_signals_are_kept);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
