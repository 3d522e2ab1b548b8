// SPDX-License-Identifier: BSD-2-Clause
/* Nanoseconds per packet of BPF programs, side by side. docs/benchmarks.md says how and why. */
#include <dlfcn.h>
#include <fnmatch.h>
#include <getopt.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "builtin.h"
#include "cases.h"
#include "fail.h"
#include "report.h"

#define MAX_ROWS 24u
#define MAX_EXTRA 8u

struct options {
	bool is_quick, is_jsonl, lists, gates;
	double margin; /* of the gate, as a share */
	const char *json_path, *cases, *rows;
	char directory[PATH_MAX]; /* of the driver and baseline objects: that of the tool */
	char pintle_object[PATH_MAX];
	unsigned int rounds;
	uint32_t packets;
	int cpu, reply_cpu;
	struct target extra[MAX_EXTRA];
	unsigned int nr_extra;
};

static const char usage[] =
	"usage: packet [options]\n"
	"  --quick               the short list of cases, the rows that bars need, 9 rounds of 100k packets\n"
	"  --cases GLOB          only cases whose name matches, e.g. 'ack4-*'\n"
	"  --rows LIST           only these rows (blanks between), beside the null row and extra targets\n"
	"  --list                names of cases and their rows\n"
	"  --target NAME=OBJ:PROG:PLUGIN[:ARGS]  one more program in every case of its type; PLUGIN is a shared object, or\n"
	"                        `pintle` or `baseline` for the plugins of the tool\n"
	"  --object FILE         pintle's object (default: pintle.bpf.o above the tool's directory)\n"
	"  --rounds N            interleaved rounds (default 11)\n"
	"  --packets N           packets a round (default 300000)\n"
	"  --cpu N, --reply-cpu N  where packets run, where live replies run (default: last, first)\n"
	"  -o text|jsonl         what goes to standard output\n"
	"  --json FILE           JSON lines also to a file\n"
	"  --gate[=PERCENT]      exit 1 when a bar is missed by more than PERCENT (default 10), 4 when noise decides\n"
	"exit: 0 measured, 1 gate, 2 could not measure, 3 a program does not do what the model says, 4 too noisy for the gate\n";

static const struct bench_plugin *find_plugin(const char *name)
{
	const struct bench_plugin *plugin;
	char path[PATH_MAX];
	void *library;

	if (!strcmp(name, "pintle"))
		return &pintle_plugin;
	if (!strcmp(name, "baseline"))
		return &baseline_plugin;
	if (!realpath(name, path))
		fail(EXIT_FAILED, "plugin %s does not exist", name);
	library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!library)
		fail(EXIT_FAILED, "plugin %s: %s", name, dlerror());
	plugin = dlsym(library, "bench_plugin");
	if (!plugin)
		fail(EXIT_FAILED, "plugin %s: %s", name, dlerror());
	if (plugin->abi != BENCH_PLUGIN_ABI)
		fail(EXIT_FAILED, "plugin %s is of version %u, this tool of version %d", name, plugin->abi, BENCH_PLUGIN_ABI);
	return plugin;
}

/* NAME=OBJ:PROG:PLUGIN[:ARGS]; cuts the argument into pieces. */
static void add_target(struct options *o, char *text)
{
	struct target *target = &o->extra[o->nr_extra];
	char *object = strchr(text, '='), *program, *plugin, *args;

	if (o->nr_extra == MAX_EXTRA)
		fail(EXIT_FAILED, "more than %u targets", MAX_EXTRA);
	program = object ? strchr(object, ':') : NULL;
	plugin = program ? strchr(program + 1, ':') : NULL;
	if (!plugin)
		fail(EXIT_FAILED, "--target %s: NAME=OBJ:PROG:PLUGIN[:ARGS] is needed", text);
	*object++ = *program++ = *plugin++ = '\0';
	args = strchr(plugin, ':');
	if (args)
		*args++ = '\0';
	*target = (struct target){ text, object, program, find_plugin(plugin), args, true };
	o->nr_extra++;
}

static uint32_t number(const char *what, const char *text, uint32_t low, uint32_t high)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (*end || !*text || value < low || value > high)
		fail(EXIT_FAILED, "%s %s: a number from %u to %u is needed", what, text, low, high);
	return (uint32_t)value;
}

static void find_objects(struct options *o)
{
	ssize_t bytes = readlink("/proc/self/exe", o->directory, sizeof(o->directory) - 1);

	if (bytes <= 0)
		fail(EXIT_FAILED, "/proc/self/exe cannot be read");
	o->directory[bytes] = '\0';
	dirname(o->directory);
	if (snprintf(o->pintle_object, sizeof(o->pintle_object), "%.4000s/../pintle.bpf.o", o->directory) < 0)
		fail(EXIT_FAILED, "path too long");
}

static const struct option long_options[] = {
	{ "quick", no_argument, NULL, 'q' },	    { "cases", required_argument, NULL, 'c' },
	{ "rows", required_argument, NULL, 'R' },   { "list", no_argument, NULL, 'l' },
	{ "target", required_argument, NULL, 't' }, { "object", required_argument, NULL, 'O' },
	{ "rounds", required_argument, NULL, 'r' }, { "packets", required_argument, NULL, 'n' },
	{ "cpu", required_argument, NULL, 'C' },    { "reply-cpu", required_argument, NULL, 'P' },
	{ "json", required_argument, NULL, 'j' },   { "gate", optional_argument, NULL, 'g' },
	{ "help", no_argument, NULL, 'h' },	    { NULL, 0, NULL, 0 },
};

static void set_option(struct options *o, int option, char *text)
{
	switch (option) {
	case 'q':
		o->is_quick = true;
		break;
	case 'c':
		o->cases = text;
		break;
	case 'R':
		o->rows = text;
		break;
	case 'l':
		o->lists = true;
		break;
	case 't':
		add_target(o, text);
		break;
	case 'O':
		snprintf(o->pintle_object, sizeof(o->pintle_object), "%s", text);
		break;
	case 'r':
		o->rounds = number("--rounds", text, 3, ROW_MAX_ROUNDS);
		break;
	case 'n':
		o->packets = number("--packets", text, 1024, 1u << 24) & ~1023u;
		break;
	case 'j':
		o->json_path = text;
		break;
	default:
		fputs(usage, option == 'h' ? stdout : stderr);
		exit(option == 'h' ? EXIT_OK : EXIT_FAILED);
	}
}

static bool names_jsonl(const char *format)
{
	if (strcmp(format, "text") && strcmp(format, "jsonl"))
		fail(EXIT_FAILED, "-o %s: text or jsonl", format);
	return !strcmp(format, "jsonl");
}

/* What was not given; depends on what was. */
static void set_defaults(struct options *o)
{
	if (!o->rounds)
		o->rounds = o->is_quick ? 9 : 11;
	if (o->is_quick && !o->rows && !o->cases)
		o->rows = "lru_dnat lru_update pintle pintle:redirect"; /* what the bars are made of */
	if (!o->packets)
		o->packets = o->is_quick ? 100 * 1024 : 300 * 1024;
}

static void parse_options(struct options *o, int argc, char **argv)
{
	int option, cpus = (int)sysconf(_SC_NPROCESSORS_ONLN);
	static char none[] = "";
	char *text; /* of the option */

	*o = (struct options){ .cpu = cpus - 1, .margin = 0.1 };
	find_objects(o);
	while ((option = getopt_long(argc, argv, "o:h", long_options, NULL)) != -1) {
		text = optarg ? optarg : none;
		if (option == 'C') {
			o->cpu = (int)number("--cpu", text, 0, (uint32_t)cpus - 1);
		} else if (option == 'P') {
			o->reply_cpu = (int)number("--reply-cpu", text, 0, (uint32_t)cpus - 1);
		} else if (option == 'g') {
			o->gates = true;
			o->margin = optarg ? number("--gate", text, 0, 1000) / 100.0 : o->margin;
		} else if (option == 'o') {
			o->is_jsonl = names_jsonl(text);
		} else {
			set_option(o, option, text);
		}
	}
	if (optind < argc)
		fail(EXIT_FAILED, "%s is not an option; --help", argv[optind]);
	set_defaults(o);
}

/* The target of a named row; its strings live as long as the tool. */
static bool make_target(const struct options *o, const char *name, const struct bench_case *bc, struct target *ret)
{
	static char baseline[PATH_MAX + 32];
	const char *program = row_program(name, bc), *args = strchr(name, ':');

	if (!program)
		return false;
	snprintf(baseline, sizeof(baseline), "%s/baseline.bpf.o", o->directory);
	*ret = (struct target){ .name = name, .program = program, .args = args ? args + 1 : NULL };
	ret->object = row_is_pintle(name) ? o->pintle_object : baseline;
	ret->plugin = row_is_pintle(name) ? &pintle_plugin : &baseline_plugin;
	if (!strcmp(name, "lru_insert"))
		ret->args = "forget";
	return true;
}

static bool is_listed(const char *list, const char *name)
{
	size_t bytes = strlen(name);

	for (const char *at = list; at && (at = strstr(at, name)); at += bytes)
		if ((at == list || at[-1] == ' ') && (!at[bytes] || at[bytes] == ' '))
			return true;
	return false;
}

/* Null row first, then the case's own rows, then the extra targets. Returns their number; `names` holds the cut list. */
static unsigned int make_targets(const struct options *o, const struct case_def *def, char *names, struct target *targets)
{
	unsigned int nr = 0;
	char *rest = names;

	make_target(o, "empty", &def->bc, &targets[nr]);
	targets[nr++].name = REPORT_NULL_ROW;
	for (char *name = strtok_r(names, " ", &rest); name; name = strtok_r(NULL, " ", &rest)) {
		if (o->rows && !is_listed(o->rows, name))
			continue;
		if (make_target(o, name, &def->bc, &targets[nr]))
			nr++;
	}
	for (unsigned int i = 0; i < o->nr_extra; i++)
		targets[nr++] = o->extra[i];
	return nr;
}

static void run_case(const struct options *o, struct bench_rig *rig, const struct case_def *def, struct report *report)
{
	struct bench_case bc = def->bc;
	struct target targets[MAX_ROWS];
	struct row *rows = xcalloc(MAX_ROWS, sizeof(*rows));
	unsigned int nr_rows = 0, nr_targets;
	char names[256];

	bc.packets = bc.kind == BENCH_NEW && o->packets > 128 * 1024 ? 128 * 1024 : o->packets;
	snprintf(names, sizeof(names), "%s", def->rows);
	nr_targets = make_targets(o, def, names, targets);
	for (unsigned int i = 0; i < nr_targets; i++) {
		if (!row__open(&rows[nr_rows], rig, &targets[i], &bc))
			continue;
		row__check(&rows[nr_rows]);
		nr_rows++;
	}
	for (unsigned int round = 0; round < o->rounds; round++)
		for (unsigned int i = 0; i < nr_rows; i++)
			row__round(&rows[(i + round) % nr_rows], round);
	report__case(report, &bc, rows, nr_rows);
	for (unsigned int i = 0; i < nr_rows; i++)
		row__close(&rows[i]);
	free(rows);
}

static bool is_chosen(const struct options *o, const struct case_def *def)
{
	if (o->cases)
		return !fnmatch(o->cases, def->bc.name, 0);
	return !o->is_quick || def->is_quick;
}

static int quiet(enum libbpf_print_level level, const char *format, va_list args)
{
	return level == LIBBPF_WARN ? vfprintf(stderr, format, args) : 0;
}

int main(int argc, char **argv)
{
	struct options o;
	struct bench_rig rig = { 0 };
	char driver[PATH_MAX + 32];
	struct report *report;
	int code;

	parse_options(&o, argc, argv);
	for (size_t i = 0; o.lists && i < nr_case_defs; i++)
		printf("%-16s %s\n", case_defs[i].bc.name, case_defs[i].rows);
	if (o.lists)
		return EXIT_OK;
	libbpf_set_print(quiet);
	snprintf(driver, sizeof(driver), "%s/driver.bpf.o", o.directory);
	rig.driver_object = driver;
	rig.cpu = o.cpu;
	rig.reply_cpu = o.reply_cpu;
	rig__pin(rig.cpu);
	report = report__open(o.is_jsonl, o.json_path, o.rounds);
	for (size_t i = 0; i < nr_case_defs; i++)
		if (is_chosen(&o, &case_defs[i]))
			run_case(&o, &rig, &case_defs[i], report);
	code = report__bars(report, o.margin);
	report__close(report);
	for (int i = 0; i < 3; i++)
		drive__close(rig.drives[i]);
	drive__close(rig.reply_drive);
	return o.gates ? code : EXIT_OK;
}
