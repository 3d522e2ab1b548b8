/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Loads every program of an object by itself and holds what the verifier had to do against a budget:
 *   verifier_budget OBJECT BUDGET.txt [COLUMN]
 * BUDGET.txt: lines "PROGRAM NUMBER NUMBER", '#' comments; COLUMN (default 1) picks the number, the most instructions that the verifier
 * may walk. A program without a line and a line without a program fail. The load-time constants are set to large values of the kind the
 * agent sets, because the verifier sees them. Nothing is attached or pinned. Prints TAP; needs root.
 */
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

#define MAX_PROGRAMS 32
#define LOG_BYTES (1u << 20)
#define LOG_TAIL_BYTES 3000u

struct budget {
	char name[64];
	unsigned long limit;
	bool is_used;
};

static struct budget budgets[MAX_PROGRAMS];
static unsigned int nr_budgets, nr_results, nr_failed;

/* Values of a large node: 2^20 flow buckets, 2^15 endpoint buckets. */
static const struct {
	const char *name;
	uint32_t value;
} constants[] = {
	{ "pt_bucket_mask", (1u << 20) - 1 }, { "pt_vip4_mask", (1u << 15) - 1 }, { "pt_vip6_mask", (1u << 15) - 1 },
	{ "pt_rev4_mask", (1u << 15) - 1 },   { "pt_rev6_mask", (1u << 15) - 1 }, { "pt_member_lines", 1u << 15 },
};

/* The arrays whose bounds the verifier knows from the map; as large as the constants say, so that the same code is walked. */
static const struct {
	const char *name;
	uint32_t entries;
} sizes[] = {
	{ "pt_flows", 1u << 20 },   { "pt_stamps", 1u << 22 },	{ "pt_vip4", 1u << 15 },      { "pt_vip6", 1u << 15 },
	{ "pt_rev4", 1u << 15 },    { "pt_rev6", 1u << 15 },	{ "pt_frontends", 1u << 14 }, { "pt_services", 1u << 14 },
	{ "pt_members", 1u << 17 }, { "pt_picks", 1u << 16 },	{ "pt_pods", 1u << 16 },      { "pt_siblings", 1u << 16 },
	{ "pt_loads", 1u << 16 },   { "pt_traffic", 1u << 16 }, { "pt_locals", 1u << 10 },
};

#define NR(array) (sizeof(array) / sizeof((array)[0]))

static void result(bool is_good, const char *name, const char *why)
{
	if (!is_good)
		nr_failed++;
	printf("%s %u - %s%s%s\n", is_good ? "ok" : "not ok", ++nr_results, name, *why ? ": " : "", why);
}

static int read_budgets(const char *path, int column)
{
	FILE *f = fopen(path, "r");
	char line[256];

	if (!f) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return -1;
	}
	while (fgets(line, sizeof(line), f)) {
		struct budget *b = &budgets[nr_budgets];
		unsigned long numbers[2];

		if (line[0] == '#' || line[0] == '\n')
			continue;
		if (nr_budgets == MAX_PROGRAMS || sscanf(line, "%63s %lu %lu", b->name, &numbers[0], &numbers[1]) != 3) {
			fprintf(stderr, "%s: not \"PROGRAM NUMBER NUMBER\", or too many: %s", path, line);
			fclose(f);
			return -1;
		}
		b->limit = numbers[column - 1];
		nr_budgets++;
	}
	fclose(f);
	return 0;
}

static struct bpf_map *find_rodata(struct bpf_object *obj)
{
	struct bpf_map *map;

	bpf_object__for_each_map (map, obj)
		if (bpf_map__is_internal(map) && strstr(bpf_map__name(map), ".rodata"))
			return map;
	return NULL;
}

/* Writes 32 bits at an offset of the section's initial content. */
static int patch_rodata(struct bpf_map *map, uint32_t offset, uint32_t value)
{
	size_t bytes = 0;
	const void *old = bpf_map__initial_value(map, &bytes);
	char *data;
	int ret;

	if (!old || offset + sizeof(value) > bytes)
		return -EINVAL;
	data = malloc(bytes);
	if (!data)
		return -ENOMEM;
	memcpy(data, old, bytes);
	memcpy(data + offset, &value, sizeof(value));
	ret = bpf_map__set_initial_value(map, data, bytes);
	free(data);
	return ret;
}

/* Sets a constant, found by its name in BTF. */
static int set_constant(struct bpf_object *obj, const char *name, uint32_t value)
{
	const struct btf *btf = bpf_object__btf(obj);
	int id = btf__find_by_name_kind(btf, ".rodata", BTF_KIND_DATASEC);
	const struct btf_type *section = id < 0 ? NULL : btf__type_by_id(btf, (__u32)id);
	const struct btf_var_secinfo *vars = section ? btf_var_secinfos(section) : NULL;
	struct bpf_map *map = find_rodata(obj);

	for (unsigned int i = 0; map && section && i < btf_vlen(section); i++) {
		const struct btf_type *var = btf__type_by_id(btf, vars[i].type);

		if (!strcmp(btf__name_by_offset(btf, var->name_off), name) && vars[i].size == sizeof(value))
			return patch_rodata(map, vars[i].offset, value);
	}
	fprintf(stderr, "constant %s is not a 32-bit word of .rodata\n", name);
	return -ENOENT;
}

static struct bpf_object *open_object(const char *path, char *log)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts, .kernel_log_buf = log, .kernel_log_size = LOG_BYTES);
	struct bpf_object *obj = bpf_object__open_file(path, &opts);

	if (!obj) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return NULL;
	}
	for (size_t i = 0; i < NR(constants); i++) {
		if (set_constant(obj, constants[i].name, constants[i].value)) {
			bpf_object__close(obj);
			return NULL;
		}
	}
	for (size_t i = 0; i < NR(sizes); i++) {
		struct bpf_map *map = bpf_object__find_map_by_name(obj, sizes[i].name);

		if (!map || bpf_map__set_max_entries(map, sizes[i].entries)) {
			fprintf(stderr, "map %s: absent, or cannot be sized\n", sizes[i].name);
			bpf_object__close(obj);
			return NULL;
		}
	}
	return obj;
}

static struct budget *find_budget(const char *name)
{
	for (unsigned int i = 0; i < nr_budgets; i++)
		if (!strcmp(budgets[i].name, name))
			return &budgets[i];
	return NULL;
}

static void print_log_tail(const char *log)
{
	size_t length = strnlen(log, LOG_BYTES);
	const char *tail = length > LOG_TAIL_BYTES ? log + length - LOG_TAIL_BYTES : log;
	char *copy = strdup(tail), *save = NULL;

	for (char *line = copy ? strtok_r(copy, "\n", &save) : NULL; line; line = strtok_r(NULL, "\n", &save))
		printf("# %s\n", line);
	free(copy);
}

static void judge(const char *name, int fd)
{
	struct budget *b = find_budget(name);
	struct bpf_prog_info info = { 0 };
	__u32 bytes = sizeof(info);
	char why[160] = "";

	if (!b) {
		result(false, name, "has no line in the budget");
		return;
	}
	b->is_used = true;
	if (bpf_obj_get_info_by_fd(fd, &info, &bytes)) {
		snprintf(why, sizeof(why), "no information: %s", strerror(errno));
		result(false, name, why);
		return;
	}
	printf("# figure: %s: %u instructions verified of %lu, %u after translation, %u B of machine code\n", name,
	       info.verified_insns, b->limit, info.xlated_prog_len / 8, info.jited_prog_len);
	if (!info.verified_insns)
		snprintf(why, sizeof(why), "the kernel does not say how many instructions it verified");
	else if (info.verified_insns > b->limit)
		snprintf(why, sizeof(why), "%u instructions verified, the budget is %lu", info.verified_insns, b->limit);
	result(!*why, name, why);
}

/* Loads one program of a freshly opened object, without the others. */
static void load_one(const char *path, const char *name, char *log)
{
	struct bpf_object *obj = open_object(path, log);
	struct bpf_program *prog;
	char why[160];
	int ret;

	if (!obj) {
		result(false, name, "the object does not open");
		return;
	}
	bpf_object__for_each_program (prog, obj)
		bpf_program__set_autoload(prog, !strcmp(bpf_program__name(prog), name));
	log[0] = '\0';
	ret = bpf_object__load(obj);
	if (ret) {
		struct budget *b = find_budget(name);

		if (b)
			b->is_used = true;
		print_log_tail(log);
		snprintf(why, sizeof(why), "does not load: %s", strerror(-ret));
		result(false, name, why);
	} else {
		judge(name, bpf_program__fd(bpf_object__find_program_by_name(obj, name)));
	}
	bpf_object__close(obj);
}

/* Names first: the object is opened anew for every program. */
static unsigned int list_programs(const char *path, char *log, char (*names)[64])
{
	struct bpf_object *obj = open_object(path, log);
	struct bpf_program *prog;
	unsigned int nr = 0;

	if (!obj)
		return 0;
	bpf_object__for_each_program (prog, obj)
		if (nr < MAX_PROGRAMS)
			snprintf(names[nr++], 64, "%s", bpf_program__name(prog));
	bpf_object__close(obj);
	return nr;
}

static int quiet(enum libbpf_print_level level, const char *fmt, va_list args)
{
	return level == LIBBPF_WARN && getenv("VERBOSE") ? vfprintf(stderr, fmt, args) : 0;
}

int main(int argc, char **argv)
{
	int column = argc == 4 ? atoi(argv[3]) : 1;
	static char names[MAX_PROGRAMS][64], log[LOG_BYTES];
	unsigned int nr;

	if (argc < 3 || argc > 4 || column < 1 || column > 2) {
		fprintf(stderr, "usage: verifier_budget OBJECT BUDGET.txt [1|2]\n");
		return 2;
	}
	if (geteuid()) {
		printf("loading programs needs root\n");
		return 77;
	}
	libbpf_set_print(quiet);
	if (read_budgets(argv[2], column))
		return 1;
	nr = list_programs(argv[1], log, names);
	for (unsigned int i = 0; i < nr; i++)
		load_one(argv[1], names[i], log);
	for (unsigned int i = 0; i < nr_budgets; i++)
		if (!budgets[i].is_used && nr)
			result(false, budgets[i].name, "has a budget but was not loaded");
	printf("1..%u\n", nr_results);
	return nr_failed || !nr_results;
}
