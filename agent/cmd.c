/* SPDX-License-Identifier: BSD-2-Clause */
#include "agent/cmd.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "agent/buf.h"

struct out *cmd__out(const struct cmd_args *args)
{
	struct out *out = out__open(stdout, (enum out_format)args->format);

	if (!out)
		fprintf(stderr, "pintle %s: out of memory\n", opt__verb_name(args->verb));
	return out;
}

int cmd__finish(const struct cmd_args *args, struct out *out)
{
	int error = out__close(out);

	if (!error)
		return CMD_OK;
	fprintf(stderr, "pintle %s: the output could not be written: %s\n", opt__verb_name(args->verb), strerror(-error));
	return CMD_FAILURE;
}

static void cmd__error_document(const struct cmd_args *args, const struct pintle_err *err)
{
	const char *name = strerrorname_np(-err->code);
	struct out *out = cmd__out(args);

	if (!out)
		return;
	out__record(out, NULL, NULL);
	out__record(out, "error", NULL);
	out__str(out, "code", NULL, name ? name : "EUNKNOWN");
	out__str(out, "message", NULL, err->msg);
	out__end(out);
	out__end(out);
	(void)cmd__finish(args, out);
}

int cmd__fail(const struct cmd_args *args, const struct pintle_err *err)
{
	struct buf clean = { 0 };

	/* The message may quote hostile text of a file. */
	buf__puts_clean(&clean, err->msg);
	fprintf(stderr, "pintle %s: %s\n", opt__verb_name(args->verb), buf__str(&clean));
	buf__free(&clean);
	if (args->format != OUT_TEXT)
		cmd__error_document(args, err);
	if (err->is_usage)
		return CMD_USAGE;
	return err->code == -EOPNOTSUPP ? CMD_UNSUPPORTED : CMD_FAILURE;
}
