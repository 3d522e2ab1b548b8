/* SPDX-License-Identifier: BSD-2-Clause */
/* `flows recover`: the table counts as lost for a while; with --wipe it is emptied first, which is what a drill wants. */
#include <errno.h>
#include <string.h>

#include "agent/clock.h"
#include "agent/cmd.h"
#include "agent/datapath.h"
#include "agent/lifemark.h"

#define SWEEP_BUCKETS 65536u

/* In the kernel, so that loads come down with the entries. */
static int wipe(const struct datapath *dp, uint64_t *ret_wiped, struct pintle_err *err)
{
	uint32_t nr_buckets = datapath__maps(dp)->meta->nr_buckets;
	uint64_t wiped = 0;
	int ret;

	for (uint32_t first = 0; first < nr_buckets; first += SWEEP_BUCKETS) {
		struct pintle_sweep sweep = {
			.first_bucket = first,
			.nr_buckets = nr_buckets - first < SWEEP_BUCKETS ? nr_buckets - first : SWEEP_BUCKETS,
			.flags = PINTLE_SWEEP_WIPE,
		};

		ret = datapath__sweep(dp, &sweep, err);
		if (ret)
			return ret;
		wiped += sweep.expired;
	}
	*ret_wiped = wiped;
	return 0;
}

static int report(const struct cmd_args *args, const struct pintle_ctl *ctl, uint64_t wiped)
{
	struct out *out = cmd__out(args);

	if (!out)
		return CMD_FAILURE;
	out__record(out, NULL, NULL);
	out__ns(out, "recovering_ns", "recovering for", lifemark__lost_ns(ctl, clock__monotonic_ns()));
	out__u64(out, "wiped", "entries wiped", wiped);
	out__bool(out, "asks_conntrack", "asks conntrack",
		  __atomic_load_n(&ctl->flags, __ATOMIC_RELAXED) & PINTLE_CTL_CONNTRACK);
	out__end(out);
	return cmd__finish(args, out);
}

int cmd_flows_recover(const struct cmd_args *args)
{
	struct pintle_err err = { 0 };
	struct datapath *dp = NULL;
	struct pintle_ctl *ctl;
	uint64_t wiped = 0;
	int ret, code;

	datapath__set_verbose(args->verbose >= 2);
	ret = datapath__open(args->pin_dir, true, &dp, &err);
	if (ret)
		return cmd__fail(args, &err);
	ctl = datapath__maps(dp)->ctl;
	/* declared first: a packet that misses its entry must not reach the stack, which would take the connection for its own */
	lifemark__declare_lost(ctl, clock__monotonic_ns(), args->recover_ns);
	ret = args->wipe ? wipe(dp, &wiped, &err) : 0;
	code = ret ? cmd__fail(args, &err) : report(args, ctl, wiped);
	datapath__close(dp);
	return code;
}
