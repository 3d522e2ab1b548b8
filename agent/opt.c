/* SPDX-License-Identifier: BSD-2-Clause */
#include "agent/opt.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stddef.h>
#include <string.h>

#include "agent/cmd.h"
#include "agent/clock.h"
#include "agent/datapath.h"
#include "agent/nearest.h"
#include "agent/opt_table.h"

/* getopt_long() values: options by number above any letter. */
#define OPT_VALUE_BASE 256

const struct opt_verb opt_verbs[CMD_NR_VERBS] = {
#define PINTLE_VERB(id, name, words, min, max, fn, help, more) { name, words, min, max, help, more },
#include "agent/options.def"
};

const struct opt_option opt_options[CMD_NR_OPTIONS] = {
#define PINTLE_OPTION(id, verbs, field, type, name, letter, metavar, min, max, def, help) \
	{ verbs, offsetof(struct cmd_args, field), type, name, letter, metavar, min, max, def, help },
#include "agent/options.def"
};

_Static_assert(CMD_NR_VERBS < 64 && CMD_NR_OPTIONS < 64, "verbs and options are bits of a word");

int opt__u64(const char *text, uint64_t *ret_value)
{
	uint64_t value = 0;
	const char *c;

	if (!*text)
		return -EINVAL;
	for (c = text; *c; c++) {
		unsigned int digit = (unsigned int)(*c - '0');

		if (*c < '0' || *c > '9')
			return -EINVAL;
		if (value > (UINT64_MAX - digit) / 10)
			return -ERANGE;
		value = value * 10 + digit;
	}
	*ret_value = value;
	return 0;
}

int opt__duration(const char *text, uint64_t *ret_ns, struct pintle_err *err)
{
	static const struct {
		const char *name;
		uint64_t ns;
	} units[] = { { "ns", 1 },	   { "us", 1000 },	 { "ms", 1000000 },
		      { "s", 1000000000 }, { "m", 60000000000 }, { "h", 3600000000000 } };
	size_t digits = strspn(text, "0123456789"), i;
	char number[24];
	uint64_t value;

	if (!digits)
		return pintle_err__set(err, -EINVAL,
				       "\"%.64s\" is not a time; write a whole number and a unit, as in 250ms, 10s, 5m", text);
	if (!text[digits])
		return pintle_err__set(err, -EINVAL, "\"%.64s\" has no unit; write %.20sms or %.20ss", text, text, text);
	for (i = 0; i < sizeof(units) / sizeof(units[0]) && strcmp(text + digits, units[i].name) != 0; i++)
		;
	if (i == sizeof(units) / sizeof(units[0]))
		return pintle_err__set(err, -EINVAL,
				       "\"%.64s\" is not a time; whole numbers with a unit of ns, us, ms, s, m, h", text);
	if (digits >= sizeof(number))
		return pintle_err__set(err, -EINVAL, "\"%.64s\" is too long a time", text);
	memcpy(number, text, digits);
	number[digits] = '\0';
	if (opt__u64(number, &value) || value > UINT64_MAX / units[i].ns)
		return pintle_err__set(err, -EINVAL, "\"%.64s\" is too long a time", text);
	*ret_ns = value * units[i].ns;
	return 0;
}

/* ---- values ---- */

static int opt__set_u32(const struct opt_option *option, const char *text, uint32_t *ret, struct pintle_err *err)
{
	uint64_t value = 0;
	int error = opt__u64(text, &value);

	if (error == -EINVAL)
		return pintle_err__set(err, -EINVAL, "--%s: \"%.64s\" is not a whole number", option->name, text);
	if (error || value < option->min || value > option->max)
		return pintle_err__set(err, -EINVAL, "--%s: %.64s is out of range; %" PRIu64 " to %" PRIu64, option->name, text,
				       option->min, option->max);
	*ret = (uint32_t)value;
	return 0;
}

static int opt__set_duration(const struct opt_option *option, const char *text, uint64_t *ret, struct pintle_err *err)
{
	char min[32], max[32];
	uint64_t ns = 0;
	int error = opt__duration(text, &ns, err);

	if (error)
		return pintle_err__prefix(err, error, "--%s", option->name);
	if (ns < option->min || ns > option->max) {
		clock__format_duration(option->min, min, sizeof(min));
		clock__format_duration(option->max, max, sizeof(max));
		return pintle_err__set(err, -EINVAL, "--%s: %s is out of range; %s to %s", option->name, text, min, max);
	}
	*ret = ns;
	return 0;
}

/* "a|b|c" -> index of text. */
static int opt__set_enum(const struct opt_option *option, const char *text, uint32_t *ret, struct pintle_err *err)
{
	const char *word = option->metavar;
	uint32_t i;

	for (i = 0; word; i++) {
		size_t bytes = strcspn(word, "|");

		if (strlen(text) == bytes && !strncmp(word, text, bytes)) {
			*ret = i;
			return 0;
		}
		word = word[bytes] ? word + bytes + 1 : NULL;
	}
	return pintle_err__set(err, -EINVAL, "--%s: \"%.64s\" is none of %s", option->name, text, option->metavar);
}

static int opt__set(struct cmd_args *args, const struct opt_option *option, const char *text, struct pintle_err *err)
{
	void *field = (char *)args + option->offset;

	switch (option->type) {
	case OPT_FLAG:
		*(bool *)field = true;
		return 0;
	case OPT_COUNT:
		++*(uint32_t *)field;
		return 0;
	case OPT_U32:
		return opt__set_u32(option, text, field, err);
	case OPT_DURATION:
		return opt__set_duration(option, text, field, err);
	case OPT_ENUM:
		return opt__set_enum(option, text, field, err);
	case OPT_TEXT:
	case OPT_FILE:
		if (!*text)
			return pintle_err__set(err, -EINVAL, "--%s: the value is empty", option->name);
		*(const char **)field = text;
		return 0;
	}
	return pintle_err__set(err, -EINVAL, "--%s: unknown type", option->name);
}

/* ---- getopt tables of a verb ---- */

struct opt_getopt {
	char letters[2 * CMD_NR_OPTIONS + 3];
	struct option longs[CMD_NR_OPTIONS + 1];
};

static void opt_getopt__init(struct opt_getopt *g, enum cmd_verb verb, const char *prefix)
{
	unsigned int i, n = 0;
	char *letter = stpcpy(g->letters, prefix);

	for (i = 0; i < CMD_NR_OPTIONS; i++) {
		const struct opt_option *o = &opt_options[i];

		if (!opt_option__applies(o, verb))
			continue;
		g->longs[n++] = (struct option){ .name = o->name,
						 .has_arg = opt_option__has_value(o) ? required_argument : no_argument,
						 .val = OPT_VALUE_BASE + (int)i };
		if (o->letter)
			*letter++ = o->letter;
		if (o->letter && opt_option__has_value(o))
			*letter++ = ':';
	}
	g->longs[n] = (struct option){ 0 };
	*letter = '\0';
}

static unsigned int opt__by_value(int value, enum cmd_verb verb)
{
	unsigned int i;

	if (value >= OPT_VALUE_BASE)
		return (unsigned int)(value - OPT_VALUE_BASE);
	for (i = 0; i < CMD_NR_OPTIONS; i++) {
		if (opt_options[i].letter == value && opt_option__applies(&opt_options[i], verb))
			return i;
	}
	return CMD_NR_OPTIONS;
}

/* Does another verb have it? "--now is an option of `pintle detach`" is the better answer than an edit distance. */
static const char *opt__owner(const char *name, size_t bytes)
{
	unsigned int i, v;

	for (i = 0; i < CMD_NR_OPTIONS; i++) {
		if (strlen(opt_options[i].name) != bytes || strncmp(opt_options[i].name, name, bytes) != 0)
			continue;
		for (v = 0; v < CMD_NR_VERBS; v++) {
			if (opt_option__applies(&opt_options[i], (enum cmd_verb)v))
				return opt__verb_name((enum cmd_verb)v);
		}
	}
	return NULL;
}

static int opt__unknown(const char *word, enum cmd_verb verb, struct pintle_err *err)
{
	const char *what = verb == CMD_NR_VERBS ? "" : opt__verb_name(verb), *owner;
	char name[64];
	struct nearest nearest;
	unsigned int i;

	if (strncmp(word, "--", 2) != 0)
		return pintle_err__set(err, -EINVAL, "unknown option %.64s; see `pintle %s%s--help`", word, what,
				       *what ? " " : "");
	snprintf(name, sizeof(name), "%.*s", (int)strcspn(word + 2, "="), word + 2);
	owner = opt__owner(name, strlen(name));
	if (owner && verb != CMD_NR_VERBS)
		return pintle_err__set(err, -EINVAL, "`pintle %s` has no option --%s; it belongs to `pintle %s`", what, name,
				       owner);
	if (owner)
		return pintle_err__set(err, -EINVAL, "--%s stands before the verb; write it after it: `pintle %s --%s`", name,
				       owner, name);
	nearest__init(&nearest, name);
	for (i = 0; i < CMD_NR_OPTIONS; i++) {
		if (opt_option__applies(&opt_options[i], verb))
			nearest__offer(&nearest, opt_options[i].name);
	}
	if (nearest.best)
		return pintle_err__set(err, -EINVAL, "unknown option --%s; did you mean --%s?", name, nearest.best);
	return pintle_err__set(err, -EINVAL, "unknown option --%s; see `pintle %s%s--help`", name, what, *what ? " " : "");
}

/* Options of argv[1..argc) up to the end, or up to the first word when `prefix` begins with '+'. *ret_next: index of the first word. */
static int opt__options(int argc, char **argv, const char *prefix, struct cmd_args *args, int *ret_next, struct pintle_err *err)
{
	struct opt_getopt g;
	int value;

	opt_getopt__init(&g, args->verb, prefix);
	optind = 0; /* glibc: start over */
	opterr = 0;
	while ((value = getopt_long(argc, argv, g.letters, g.longs, NULL)) != -1) {
		unsigned int i = value == '?' || value == ':' ? CMD_NR_OPTIONS : opt__by_value(value, args->verb);
		char letter[3] = { '-', (char)optopt, '\0' };
		int error;

		if (value == ':')
			return pintle_err__set(err, -EINVAL, "%s needs a value",
					       optopt >= OPT_VALUE_BASE || !optopt ? argv[optind - 1] : letter);
		if (value == '?' && optopt >= OPT_VALUE_BASE)
			return pintle_err__set(err, -EINVAL, "--%s takes no value", opt_options[optopt - OPT_VALUE_BASE].name);
		if (i == CMD_NR_OPTIONS)
			return opt__unknown(optopt ? letter : argv[optind - 1], args->verb, err);
		error = opt__set(args, &opt_options[i], optarg, err);
		if (error)
			return error;
		args->given |= 1ull << i;
	}
	*ret_next = optind;
	return 0;
}

/* ---- verbs ---- */

const char *opt__verb_name(enum cmd_verb verb)
{
	return verb < CMD_NR_VERBS ? opt_verbs[verb].name : "";
}

/* Verbs whose first word is `word`: *ret_verb is the one without a second word, or CMD_NR_VERBS. Returns their number. */
static unsigned int opt__first_word(const char *word, enum cmd_verb *ret_verb)
{
	unsigned int v, nr = 0;

	*ret_verb = CMD_NR_VERBS;
	for (v = 0; v < CMD_NR_VERBS; v++) {
		size_t bytes = strcspn(opt_verbs[v].name, " ");

		if (strlen(word) != bytes || strncmp(opt_verbs[v].name, word, bytes) != 0)
			continue;
		nr++;
		if (!opt_verbs[v].name[bytes])
			*ret_verb = (enum cmd_verb)v;
	}
	return nr;
}

static int opt__second_word(const char *first, const char *second, enum cmd_verb *ret_verb, struct pintle_err *err)
{
	size_t bytes = strlen(first);
	struct nearest nearest;
	char all[128] = "";
	unsigned int v;

	nearest__init(&nearest, second ? second : "");
	for (v = 0; v < CMD_NR_VERBS; v++) {
		const char *name = opt_verbs[v].name;

		if (strncmp(name, first, bytes) != 0 || name[bytes] != ' ')
			continue;
		if (second && !strcmp(name + bytes + 1, second)) {
			*ret_verb = (enum cmd_verb)v;
			return 0;
		}
		nearest__offer(&nearest, name + bytes + 1);
		snprintf(all + strlen(all), sizeof(all) - strlen(all), "%s%s", *all ? ", " : "", name + bytes + 1);
	}
	if (!second)
		return pintle_err__set(err, -EINVAL, "`pintle %s` needs one of: %s", first, all);
	if (nearest.best)
		return pintle_err__set(err, -EINVAL, "unknown verb \"%s %.64s\"; did you mean `pintle %s %s`?", first, second,
				       first, nearest.best);
	return pintle_err__set(err, -EINVAL, "unknown verb \"%s %.64s\"; it needs one of: %s", first, second, all);
}

static int opt__unknown_verb(const char *word, struct pintle_err *err)
{
	char first[CMD_NR_VERBS][24];
	struct nearest nearest;
	unsigned int v;

	nearest__init(&nearest, word);
	for (v = 0; v < CMD_NR_VERBS; v++) {
		snprintf(first[v], sizeof(first[v]), "%.*s", (int)strcspn(opt_verbs[v].name, " "), opt_verbs[v].name);
		nearest__offer(&nearest, first[v]);
	}
	if (nearest.best)
		return pintle_err__set(err, -EINVAL, "unknown verb \"%.64s\"; did you mean `pintle %s`?", word, nearest.best);
	return pintle_err__set(err, -EINVAL, "unknown verb \"%.64s\"; see `pintle help`", word);
}

/* The verb at words[0] (and words[1]). *ret_used: how many words it took. */
static int opt__verb(int nr_words, char **words, enum cmd_verb *ret_verb, int *ret_used, struct pintle_err *err)
{
	enum cmd_verb verb;
	unsigned int nr = opt__first_word(words[0], &verb);
	int error;

	if (!nr)
		return opt__unknown_verb(words[0], err);
	if (verb != CMD_NR_VERBS) {
		*ret_verb = verb;
		*ret_used = 1;
		return 0;
	}
	error = opt__second_word(words[0], nr_words > 1 && words[1][0] != '-' ? words[1] : NULL, ret_verb, err);
	*ret_used = 2;
	return error;
}

/* `help`, `help VERB`, `help VERB SUB`. */
static int opt__parse_help(int nr_words, char **words, struct cmd_args *args, struct pintle_err *err)
{
	enum cmd_verb verb;
	int used;

	args->help = true;
	if (!nr_words || (opt__first_word(words[0], &verb) && verb == CMD_NR_VERBS && nr_words == 1))
		return 0;
	return opt__verb(nr_words, words, &args->verb, &used, err);
}

static void opt__defaults(struct cmd_args *args)
{
	unsigned int i;

	*args = (struct cmd_args){ .verb = CMD_NR_VERBS };
	for (i = 0; i < CMD_NR_OPTIONS; i++) {
		/* The defaults of options.def are valid: checked by tests/unit/check_opt.c. */
		if (opt_options[i].def)
			(void)opt__set(args, &opt_options[i], opt_options[i].def, NULL);
	}
}

/* "dev eth0" is eth0; a device called dev is "dev dev". */
static void opt__take_dev(struct cmd_args *args)
{
	int i, n = 0;

	if (strncmp(opt_verbs[args->verb].words, "[dev]", 5) != 0)
		return;
	for (i = 0; i < args->nr_words; i++) {
		if (!strcmp(args->words[i], "dev") && i + 1 < args->nr_words)
			i++;
		args->words[n++] = args->words[i];
	}
	args->nr_words = n;
}

static int opt__check_words(struct cmd_args *args, struct pintle_err *err)
{
	const struct opt_verb *v = &opt_verbs[args->verb];

	if (args->nr_words < v->min_words)
		return pintle_err__set(err, -EINVAL, "`pintle %s` needs %s; see `pintle %s --help`", v->name, v->words,
				       v->name);
	if (args->nr_words > v->max_words && !v->max_words)
		return pintle_err__set(err, -EINVAL, "`pintle %s` takes no words: \"%.64s\"", v->name, args->words[0]);
	if (args->nr_words > v->max_words)
		return pintle_err__set(err, -EINVAL, "`pintle %s` takes at most %d words (%s): \"%.64s\" is too many", v->name,
				       v->max_words, v->words, args->words[v->max_words]);
	return 0;
}

int opt__parse(int argc, char **argv, struct cmd_args *ret_args, struct pintle_err *err)
{
	int next, used, error;

	opt__defaults(ret_args);
	error = opt__options(argc, argv, "+:", ret_args, &next, err);
	if (error)
		return error;
	if (next >= argc)
		return ret_args->help ? 0 : pintle_err__set(err, -EINVAL, "a verb is missing; see `pintle help`");
	if (!strcmp(argv[next], "help"))
		return opt__parse_help(argc - next - 1, argv + next + 1, ret_args, err);
	error = opt__verb(argc - next, argv + next, &ret_args->verb, &used, err);
	if (error)
		return error;
	/* getopt skips its first word: the last one of the verb. */
	argc -= next + used - 1;
	argv += next + used - 1;
	error = opt__options(argc, argv, ":", ret_args, &next, err);
	if (error || ret_args->help)
		return error;
	ret_args->words = argv + next;
	ret_args->nr_words = argc - next;
	opt__take_dev(ret_args);
	return opt__check_words(ret_args, err);
}
