/* SPDX-License-Identifier: BSD-2-Clause */
/* The rows of options.def in memory: shared by the parser, the help pages and completion. */
#ifndef PINTLE_AGENT_OPT_TABLE_H
#define PINTLE_AGENT_OPT_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/opt.h"

struct opt_verb {
	const char *name; /* one word or two: "pod drain" */
	const char *words;
	int min_words, max_words;
	const char *help;
	const char *more;
};

struct opt_option {
	uint64_t verbs; /* mask of 1 << enum cmd_verb */
	size_t offset;	/* in struct cmd_args */
	enum opt_type type;
	const char *name;
	char letter;
	const char *metavar;
	uint64_t min, max;
	const char *def;
	const char *help;
};

struct opt_exit {
	int code; /* enum cmd_exit */
	const char *text;
};

#define OPT_NR_EXITS 4
extern const struct opt_exit opt_exits[OPT_NR_EXITS];
extern const struct opt_verb opt_verbs[CMD_NR_VERBS];
extern const struct opt_option opt_options[CMD_NR_OPTIONS];

static inline bool opt_option__applies(const struct opt_option *option, enum cmd_verb verb)
{
	return verb == CMD_NR_VERBS ? option->verbs == ~0ull : (option->verbs >> verb & 1) != 0;
}

/* " (1 to 16384, default 1024)" as far as it applies, else "". */
void opt_option__range(const struct opt_option *option, char *out, size_t out_bytes);

static inline bool opt_option__has_value(const struct opt_option *option)
{
	return option->type != OPT_FLAG && option->type != OPT_COUNT;
}

#endif
