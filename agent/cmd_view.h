/* SPDX-License-Identifier: BSD-2-Clause */
/* What the viewing verbs share: the pinned maps and the names, opened for one look. */
#ifndef PINTLE_AGENT_CMD_VIEW_H
#define PINTLE_AGENT_CMD_VIEW_H

#include "agent/cmd.h"
#include "agent/datapath.h"
#include "agent/view.h"

struct cmd_view {
	struct datapath *dp;
	struct names *names;
	struct delivery_report *delivery;
	struct view view;
};

int cmd_view__open(const struct cmd_args *args, bool writable, struct cmd_view *ret, struct pintle_err *err);
void cmd_view__close(struct cmd_view *v);
/* Opens, has `show` write the document, closes; the verb's exit code. */
int cmd_view__run(const struct cmd_args *args,
		  int (*show)(const struct cmd_args *args, const struct view *view, struct out *out, struct pintle_err *err));

#endif
