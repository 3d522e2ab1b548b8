/* SPDX-License-Identifier: BSD-2-Clause */
#include "agent/cmd_view.h"

static int show_list(const struct cmd_args *args, const struct view *view, struct out *out, struct pintle_err *err)
{
	struct view_flow_filter filter = {
		.service = args->service, .pod = args->pod, .client = args->client, .limit = args->limit
	};

	return view__flows_list(view, &filter, out, err);
}

int cmd_flows_list(const struct cmd_args *args)
{
	return cmd_view__run(args, show_list);
}

static int show_top(const struct cmd_args *args, const struct view *view, struct out *out, struct pintle_err *err)
{
	return view__flows_top(view, args->by, args->limit, out, err);
}

int cmd_flows_top(const struct cmd_args *args)
{
	return cmd_view__run(args, show_top);
}

static int show_explain(const struct cmd_args *args, const struct view *view, struct out *out, struct pintle_err *err)
{
	return view__flows_explain(view, args->words[0], args->words[1], out, err);
}

int cmd_flows_explain(const struct cmd_args *args)
{
	return cmd_view__run(args, show_explain);
}
