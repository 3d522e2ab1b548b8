/* SPDX-License-Identifier: BSD-2-Clause */
/* The command line: verbs and options of options.def parsed into struct cmd_args; help, completion and docs/cli.md from the same table. */
#ifndef PINTLE_AGENT_OPT_H
#define PINTLE_AGENT_OPT_H

#include <stdint.h>
#include <stdio.h>

#include "agent/err.h"

enum cmd_verb {
#define PINTLE_VERB(id, name, words, min, max, fn, help, more) CMD_##id,
#include "agent/options.def"
	CMD_NR_VERBS,
};

enum cmd_option {
#define PINTLE_OPTION(id, verbs, field, type, name, letter, metavar, min, max, def, help) OPTION_##id,
#include "agent/options.def"
	CMD_NR_OPTIONS,
};

enum opt_type {
	OPT_FLAG,     /* bool */
	OPT_COUNT,    /* uint32_t, one more each time */
	OPT_U32,      /* uint32_t, decimal; K, M (binary thousands are written out: 262144) */
	OPT_DURATION, /* uint64_t ns; 500us, 10ms, 60s, 5m, 2h */
	OPT_ENUM,     /* uint32_t, index into "a|b|c" of metavar */
	OPT_TEXT,     /* const char * */
	OPT_FILE,     /* const char *, completed as a path */
};

enum flows_by { FLOWS_BY_POD = 0, FLOWS_BY_FRONTEND, FLOWS_BY_CLIENT };

struct cmd_args;

/* Parses argv[1..]. argv may be permuted; *ret_args points into it. -EINVAL: usage error, the message says what is close; --help and
 * `help` set ret_args->help (verb is CMD_NR_VERBS for the general page). */
int opt__parse(int argc, char **argv, struct cmd_args *ret_args, struct pintle_err *err);

/* Help of one verb, or of all for CMD_NR_VERBS. */
void opt__help(FILE *file, enum cmd_verb verb);
/* Candidates for the last of `words` (the command line without "pintle"), one a line. */
void opt__complete(FILE *file, int nr_words, char *const *words);
/* docs/cli.md. */
void opt__markdown(FILE *file);
/* pintle(8), in the man macros of troff. */
void opt__man(FILE *file);
/* "pod drain". */
const char *opt__verb_name(enum cmd_verb verb);

/* "10s" -> ns. Units ns, us, ms, s, m, h; a number without unit, fractions, overflow and anything else are -EINVAL with the reason. */
int opt__duration(const char *text, uint64_t *ret_ns, struct pintle_err *err);
/* Decimal digits only. -EINVAL, -ERANGE. */
int opt__u64(const char *text, uint64_t *ret_value);

#endif
