/* SPDX-License-Identifier: BSD-2-Clause */
#include "agent/cmd_view.h"

static int show_list(const struct cmd_args *args, const struct view *view, struct out *out, struct pintle_err *err)
{
	(void)args;
	(void)err;
	view__service_list(view, out);
	return 0;
}

int cmd_service_list(const struct cmd_args *args)
{
	return cmd_view__run(args, show_list);
}

static int show_one(const struct cmd_args *args, const struct view *view, struct out *out, struct pintle_err *err)
{
	return view__service_show(view, args->words[0], out, err);
}

int cmd_service_show(const struct cmd_args *args)
{
	return cmd_view__run(args, show_one);
}
