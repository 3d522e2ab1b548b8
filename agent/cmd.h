/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a verb gets and gives. One file a verb: cmd_X.c exports `int cmd_X(const struct cmd_args *args)`, which returns an exit code.
 * Verbs and options are declared once, in options.def.
 */
#ifndef PINTLE_AGENT_CMD_H
#define PINTLE_AGENT_CMD_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/err.h"
#include "agent/opt.h"
#include "agent/out.h"

enum cmd_exit {
	CMD_OK = 0,
	CMD_FAILURE = 1,     /* it was tried and did not work */
	CMD_USAGE = 2,	     /* the command line is wrong; nothing was done */
	CMD_UNSUPPORTED = 3, /* this kernel, device or set of capabilities cannot do it */
};

#define CMD_RUN_DIR "/run/pintle"

/* Strings point into argv or are constants. Options that a verb does not have hold their default. */
struct cmd_args {
	enum cmd_verb verb;
	uint64_t given; /* bit per enum cmd_option: stood on the command line */
	bool help;

	/* global */
	const char *pin_dir;
	const char *run_dir; /* what the agent keeps: rundir.h */
	uint32_t format;     /* enum out_format */
	uint32_t verbose;    /* number of -v */

	/* attach, agent */
	const char *config_file; /* NULL = none; check has it too */
	uint32_t hook;		 /* enum datapath_hook */
	uint32_t max_flows;	 /* struct table_sizes_in */
	uint32_t max_frontends;
	uint32_t max_pods;
	uint64_t tick_ns; /* agent: period of its loop */

	/* detach */
	bool now;
	uint64_t timeout_ns;

	/* record */
	uint32_t seconds;
	uint32_t per_second;
	uint32_t max_mib;

	/* flows recover */
	uint64_t recover_ns;
	bool wipe;

	/* views */
	bool follow;
	bool all;
	bool openmetrics;	  /* metrics */
	uint32_t max_series_pods; /* metrics */
	uint32_t limit;
	uint32_t by; /* enum flows_by */
	const char *service;
	const char *pod;
	const char *client;

	/* model import */
	const char *calibrate; /* NULL = none */

	/* positional words: devices (the keyword `dev` taken out), names, addresses */
	char **words;
	int nr_words;
};

static inline bool cmd_args__given(const struct cmd_args *args, enum cmd_option option)
{
	return args->given >> option & 1;
}

#define PINTLE_VERB(id, name, words, min, max, fn, help, more) int fn(const struct cmd_args *args);
#include "agent/options.def"

/* `check -c FILE`: reads the file, prints what it holds or what is wrong with it. Called by cmd_check. */
int cmd_check_config(const struct cmd_args *args);

/* Sizes that stand on the command line and differ from those of maps that were there before (`meta`): true, and which, with both numbers. The
 * maps keep their size; CMD_SIZES_FIX says what to do. */
struct pintle_meta;
bool cmd__sizes_kept(const struct cmd_args *args, const struct pintle_meta *meta, char *out, size_t out_bytes);
#define CMD_SIZES_BYTES 256
#define CMD_SIZES_FIX "sizes are given once, when the maps are made: pintle detach (it drains), then attach with the new sizes"

/* Prints "pintle VERB: message" on stderr, once, and returns the exit code: CMD_USAGE when err->is_usage, CMD_UNSUPPORTED for
 * -EOPNOTSUPP, else CMD_FAILURE. With json/jsonl output, stdout gets {"error": {"code": "ENOENT", "message": ...}} so that a reader always
 * finds a document. */
int cmd__fail(const struct cmd_args *args, const struct pintle_err *err);

/* The writer that -o asks for, on stdout. NULL only without memory (already reported). cmd__finish closes it, and returns CMD_FAILURE with a
 * message when the output could not be written. */
struct out *cmd__out(const struct cmd_args *args);
int cmd__finish(const struct cmd_args *args, struct out *out);

#endif
