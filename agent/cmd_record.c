// SPDX-License-Identifier: BSD-2-Clause
/* `pintle record FILE`: answered requests with what was known when their pod was chosen, for training. */
#include <errno.h>
#include <signal.h>

#include "agent/clock.h"
#include "agent/cmd_view.h"
#include "agent/loop.h"
#include "agent/recorder.h"

#define PERIOD_NS 100000000ull

struct record_run {
	struct recorder *recorder;
	struct loop *loop;
	struct datapath *dp;
	uint64_t end_ns;
	struct pintle_err err;
};

static void on_tick(void *arg, uint64_t now_ns)
{
	struct record_run *run = arg;

	if (recorder__tick(run->recorder, now_ns, PERIOD_NS, &run->err) || now_ns >= run->end_ns ||
	    datapath__is_removed(run->dp))
		loop__stop(run->loop);
}

static void on_signal(void *arg, int signo)
{
	struct record_run *run = arg;

	if (signo != SIGHUP)
		loop__stop(run->loop);
}

static int record(struct record_run *run, uint32_t seconds, struct pintle_err *err)
{
	int error = loop__open(&run->loop, err);

	run->end_ns = clock__monotonic_ns() + seconds * 1000000000ull;
	if (!error)
		error = loop__set_tick(run->loop, PERIOD_NS, on_tick, run, err);
	if (!error)
		error = loop__set_signals(run->loop, on_signal, run, err);
	if (!error)
		error = loop__run(run->loop, err);
	loop__close(run->loop);
	return error;
}

static int put_result(const struct cmd_args *args, const struct recorder_counts *counts)
{
	struct out *out = cmd__out(args);

	if (!out)
		return CMD_FAILURE;
	out__record(out, NULL, NULL);
	out__str(out, "file", NULL, args->words[0]);
	out__u64(out, "rows", NULL, counts->rows);
	out__bytes(out, "file_bytes", "bytes", counts->bytes);
	out__u64(out, "lost", NULL, counts->lost);
	out__u64(out, "unknown", NULL, counts->unknown);
	out__end(out);
	return cmd__finish(args, out);
}

int cmd_record(const struct cmd_args *args)
{
	const struct recorder_limits limits = { .max_bytes = (uint64_t)args->max_mib << 20, .per_second = args->per_second };
	struct recorder_counts counts = { 0 };
	struct record_run run = { 0 };
	struct pintle_err err = { 0 };
	struct cmd_view v;
	int error, code;

	if (cmd_view__open(args, true, &v, &err))
		return cmd__fail(args, &err);
	run.dp = v.dp;
	error = recorder__open(v.dp, &v.view, args->run_dir, args->pin_dir, args->words[0], &limits, &run.recorder, &err);
	if (!error) {
		error = record(&run, args->seconds, &err);
		counts = recorder__counts(run.recorder);
		if (recorder__close(run.recorder, error ? NULL : &err) && !error)
			error = err.code;
	}
	cmd_view__close(&v);
	if (error)
		return cmd__fail(args, &err);
	code = put_result(args, &counts);
	return run.err.code ? cmd__fail(args, &run.err) : code;
}
