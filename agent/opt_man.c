/* SPDX-License-Identifier: BSD-2-Clause */
/* The manual page, from options.def. */
#include <string.h>

#include "agent/cmd.h"
#include "agent/opt_table.h"
#include "agent/version.h"

/* A hyphen that is typed, a backslash, and what would be a request at the beginning of a line. `bold`: in the bold font. */
static void man__text(FILE *file, const char *text, bool bold)
{
	if (bold)
		fputs("\\fB", file);
	if (*text == '.' || *text == '\'')
		fputs("\\&", file);
	for (; *text; text++) {
		if (*text == '-')
			fputs("\\-", file);
		else if (*text == '\\')
			fputs("\\e", file);
		else if (*text == '\n')
			fputs("\n.br\n", file);
		else
			fputc(*text, file);
	}
	if (bold)
		fputs("\\fR", file);
}

static void man__options(FILE *file, enum cmd_verb verb, bool is_global)
{
	for (unsigned int i = 0; i < CMD_NR_OPTIONS; i++) {
		const struct opt_option *o = &opt_options[i];
		char name[64], range[128];

		if (!opt_option__applies(o, verb) || (o->verbs == ~0ull) != is_global)
			continue;
		fputs(".TP\n", file);
		if (o->letter) {
			snprintf(name, sizeof(name), "-%c", o->letter);
			man__text(file, name, true);
			fputs(", ", file);
		}
		snprintf(name, sizeof(name), "--%s", o->name);
		man__text(file, name, true);
		if (o->metavar) {
			fputc(' ', file);
			man__text(file, o->metavar, false);
		}
		fputc('\n', file);
		opt_option__range(o, range, sizeof(range));
		man__text(file, o->help, false);
		man__text(file, range, false);
		fputc('\n', file);
	}
}

static void man__verb(FILE *file, enum cmd_verb verb)
{
	const struct opt_verb *v = &opt_verbs[verb];

	fputs(".SS ", file);
	man__text(file, v->name, false);
	fputs("\n.B pintle ", file);
	man__text(file, v->name, false);
	fputs("\n[OPTION...] ", file);
	man__text(file, v->words, false);
	fputs("\n.PP\n", file);
	man__text(file, v->help, false);
	fputs(".\n", file);
	if (*v->more) {
		fputs(".PP\n", file);
		man__text(file, v->more, false);
		fputc('\n', file);
	}
	man__options(file, verb, false);
}

void opt__man(FILE *file)
{
	fputs(".TH PINTLE 8 \"\" \"pintle ", file);
	man__text(file, pintle__version(), false);
	fputs("\" \"System Administration\"\n"
	      ".SH NAME\npintle \\- steer packets to pods with XDP and TC programs\n"
	      ".SH SYNOPSIS\n.B pintle\n[OPTION...] VERB [OPTION...] [WORD...]\n"
	      ".SH DESCRIPTION\n"
	      "Results go to standard output, in the format of \\fB\\-o\\fR; errors go to standard error, once, with what to try next.\n"
	      ".SH OPTIONS\n",
	      file);
	man__options(file, CMD_NR_VERBS, true);
	fputs(".SH VERBS\n", file);
	for (unsigned int i = 0; i < CMD_NR_VERBS; i++)
		man__verb(file, (enum cmd_verb)i);
	fputs(".SH EXIT STATUS\n", file);
	for (unsigned int i = 0; i < OPT_NR_EXITS; i++)
		fprintf(file, ".TP\n.B %d\n%s\n", opt_exits[i].code, opt_exits[i].text);
	fputs(".SH SEE ALSO\nconfiguration.md, operations.md, metrics.md and verdicts.md in the directory of the documentation; "
	      ".BR bpftool (8),\n.BR tc (8)\n",
	      file);
}
