/* SPDX-License-Identifier: BSD-2-Clause */
#include "agent/cmd_view.h"

#include <errno.h>

#include "agent/clock.h"

static int cmd_view__traffic(void *arg, uint32_t pod, struct pintle_traffic *ret)
{
	return datapath__traffic(arg, pod, ret, NULL);
}

static int cmd_view__pod_stats(void *arg, uint32_t detail_slot, struct pintle_pod_stats *ret)
{
	return datapath__pod_stats(arg, detail_slot, ret, NULL);
}

int cmd_view__open(const struct cmd_args *args, bool writable, struct cmd_view *ret, struct pintle_err *err)
{
	struct cmd_view v = { 0 };
	struct pintle_err names_err = { 0 };
	struct view_source source;
	int error = datapath__open(args->pin_dir, writable, &v.dp, err);

	if (error)
		return error;
	/* Without names, ids and addresses are shown; only a file that is there and unreadable is worth a word. */
	error = names__load(args->run_dir, args->pin_dir, &v.names, &names_err);
	if (error && error != -ENOENT)
		fprintf(stderr, "pintle %s: service names are not shown: %s\n", opt__verb_name(args->verb), names_err.msg);
	(void)delivery__load(args->run_dir, args->pin_dir, &v.delivery, NULL); /* without it: "unknown" */
	source = (struct view_source){
		.maps = datapath__maps(v.dp),
		.names = v.names,
		.delivery = v.delivery,
		.mono_ns = clock__monotonic_ns(),
		.traffic = cmd_view__traffic,
		.pod_stats = cmd_view__pod_stats,
		.arg = v.dp,
	};
	error = view__open(&source, &v.view, err);
	if (error) {
		delivery__free(v.delivery);
		names__free(v.names);
		datapath__close(v.dp);
		return error;
	}
	*ret = v;
	return 0;
}

void cmd_view__close(struct cmd_view *v)
{
	view__close(&v->view);
	delivery__free(v->delivery);
	names__free(v->names);
	datapath__close(v->dp);
}

int cmd_view__run(const struct cmd_args *args,
		  int (*show)(const struct cmd_args *args, const struct view *view, struct out *out, struct pintle_err *err))
{
	struct pintle_err err = { 0 };
	struct cmd_view v;
	struct out *out;
	int error, code;

	if (cmd_view__open(args, false, &v, &err))
		return cmd__fail(args, &err);
	out = cmd__out(args);
	if (!out) {
		cmd_view__close(&v);
		return CMD_FAILURE;
	}
	error = show(args, &v.view, out, &err);
	code = cmd__finish(args, out);
	cmd_view__close(&v);
	return error ? cmd__fail(args, &err) : code;
}
