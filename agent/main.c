/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdio.h>
#include <string.h>

#include "agent/cmd.h"

static int (*const main_verbs[CMD_NR_VERBS])(const struct cmd_args *args) = {
#define PINTLE_VERB(id, name, words, min, max, fn, help, more) [CMD_##id] = fn,
#include "agent/options.def"
};

/* Called by the shell's completion; not in the help: `pintle complete WORD...`, `pintle complete --markdown|--man`. */
static int main__complete(int argc, char **argv)
{
	if (argc == 1 && !strcmp(argv[0], "--markdown"))
		opt__markdown(stdout);
	else if (argc == 1 && !strcmp(argv[0], "--man"))
		opt__man(stdout);
	else
		opt__complete(stdout, argc, argv);
	return fflush(stdout) ? CMD_FAILURE : CMD_OK;
}

int main(int argc, char **argv)
{
	struct pintle_err err = { 0 };
	struct cmd_args args;

	if (argc > 1 && !strcmp(argv[1], "complete"))
		return main__complete(argc - 2, argv + 2);
	if (opt__parse(argc, argv, &args, &err)) {
		fprintf(stderr, "pintle: %s\n", err.msg);
		return CMD_USAGE;
	}
	if (args.help) {
		opt__help(stdout, args.verb);
		return fflush(stdout) ? CMD_FAILURE : CMD_OK;
	}
	return main_verbs[args.verb](&args);
}
