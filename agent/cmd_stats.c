/* SPDX-License-Identifier: BSD-2-Clause */
#include "agent/cmd.h"
#include "agent/datapath.h"
#include "agent/view.h"
#include "pintle/verdict.h"

int cmd_stats(const struct cmd_args *args)
{
	uint64_t verdicts[PINTLE_V_MAX] = { 0 };
	struct pintle_err err = { 0 };
	struct datapath *dp;
	struct out *out;
	int error;

	if (datapath__open(args->pin_dir, false, &dp, &err))
		return cmd__fail(args, &err);
	error = datapath__verdicts(dp, verdicts, &err);
	datapath__close(dp);
	if (error)
		return cmd__fail(args, &err);
	out = cmd__out(args);
	if (!out)
		return CMD_FAILURE;
	view__stats(verdicts, args->all || args->format != OUT_TEXT, out);
	return cmd__finish(args, out);
}
