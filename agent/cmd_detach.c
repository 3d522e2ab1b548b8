/* SPDX-License-Identifier: BSD-2-Clause */
/* `pintle detach`: new flows pass to the stack, established ones finish or meet the deadline, then everything of ours goes. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "agent/clock.h"
#include "agent/cmd.h"
#include "agent/datapath.h"
#include "agent/keptconfig.h"
#include "agent/lifemark.h"

#define SWEEP_BUCKETS 65536u
#define LOOK_NS 200000000ull
#define REPORT_NS 1000000000ull

static volatile sig_atomic_t interrupted;

static void on_signal(int signal)
{
	(void)signal;
	interrupted = 1;
}

struct detach {
	const struct cmd_args *args;
	struct datapath *dp;
	uint32_t flows; /* alive at the last look */
	uint64_t waited_ns;
	bool removed;
};

/* Entries that somebody may still use; those that have timed out are expired on the way. */
static int count_flows(const struct datapath *dp, uint32_t *ret_flows, struct pintle_err *err)
{
	uint32_t nr_buckets = datapath__maps(dp)->meta->nr_buckets, flows = 0;
	int ret;

	for (uint32_t first = 0; first < nr_buckets; first += SWEEP_BUCKETS) {
		struct pintle_sweep sweep = {
			.first_bucket = first,
			.nr_buckets = nr_buckets - first < SWEEP_BUCKETS ? nr_buckets - first : SWEEP_BUCKETS,
		};

		ret = datapath__sweep(dp, &sweep, err);
		if (ret)
			return ret;
		flows += sweep.valid - sweep.closed;
	}
	*ret_flows = flows;
	return 0;
}

static int why_stopped(const struct detach *detach, struct pintle_err *err)
{
	if (interrupted)
		return pintle_err__set(
			err, -EINTR,
			"interrupted with %u flows left: the programs stay attached and new flows pass untouched; go on: pintle "
			"detach; undo: pintle attach DEVICE",
			detach->flows);
	return pintle_err__set(err, -ECANCELED, "called off by pintle attach with %u flows left", detach->flows);
}

static int drain(struct detach *detach, struct pintle_err *err)
{
	const struct timespec pause = { .tv_nsec = (long)LOOK_NS };
	struct pintle_ctl *ctl = datapath__maps(detach->dp)->ctl;
	uint64_t begin = clock__monotonic_ns(), next_report = begin + REPORT_NS;
	int ret;

	__atomic_or_fetch(&ctl->flags, PINTLE_CTL_DRAINING, __ATOMIC_RELAXED);
	ret = datapath__grace(detach->dp); /* a program that had not seen the flag yet may have made one more flow */
	if (ret)
		return pintle_err__set(err, ret, "cannot wait for the programs: %s", strerror(-ret));
	for (;;) {
		ret = count_flows(detach->dp, &detach->flows, err);
		if (ret)
			return ret;
		detach->waited_ns = clock__monotonic_ns() - begin;
		if (!detach->flows || detach->waited_ns >= detach->args->timeout_ns)
			return 0;
		if (begin + detach->waited_ns >= next_report) {
			next_report += REPORT_NS;
			fprintf(stderr, "draining: %u flows, %llu s left\n", detach->flows,
				(unsigned long long)((detach->args->timeout_ns - detach->waited_ns + 500000000) / 1000000000));
		}
		nanosleep(&pause, NULL);
		if (interrupted || !(__atomic_load_n(&ctl->flags, __ATOMIC_RELAXED) & PINTLE_CTL_DRAINING))
			return why_stopped(detach, err);
	}
}

static int run(struct detach *detach, struct pintle_err *err)
{
	const struct cmd_args *args = detach->args;
	int ret;

	ret = datapath__open(args->pin_dir, true, &detach->dp, err);
	/* Maps of another version and torn sets cannot be drained; --now removes by name. */
	if (!ret && !args->now)
		ret = drain(detach, err);
	else if (!ret)
		count_flows(detach->dp, &detach->flows, NULL); /* only for the report */
	else if (ret == -ENOENT || args->now)
		ret = 0;
	if (ret)
		return ret;
	ret = datapath__remove(args->pin_dir, err);
	detach->removed = !ret;
	if (!ret || ret == -ENOENT) /* from here on there is no table that could be missed */
		ret = lifemark__remove(args->run_dir, args->pin_dir, err);
	if (!ret)
		ret = keptconfig__remove(args->run_dir, args->pin_dir, err);
	return ret;
}

static int report(const struct detach *detach)
{
	struct out *out = cmd__out(detach->args);

	if (!out)
		return CMD_FAILURE;
	out__record(out, NULL, NULL);
	out__str(out, "pin_dir", "pins", detach->args->pin_dir);
	out__bool(out, "removed", NULL, detach->removed);
	out__ns(out, "waited_ns", "waited", detach->waited_ns);
	out__u64(out, "flows_cut", "flows cut off", detach->flows);
	out__end(out);
	if (!detach->removed)
		out__note(out, "nothing was attached");
	return cmd__finish(detach->args, out);
}

int cmd_detach(const struct cmd_args *args)
{
	struct sigaction action = { .sa_handler = on_signal };
	struct detach detach = { .args = args };
	struct pintle_err err = { 0 };
	int ret, code;

	datapath__set_verbose(args->verbose >= 2);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	ret = run(&detach, &err);
	code = ret ? cmd__fail(args, &err) : report(&detach);
	datapath__close(detach.dp);
	return code;
}
