// SPDX-License-Identifier: BSD-2-Clause
#include "report.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fail.h"
#include "machine.h"

#define MAX_RESULTS 512u
/* The null row's 90th percentile this far above its minimum: other work on the machine decides more than the program. */
#define NOISY_SHARE 0.35

struct result {
	const char *case_name;
	char row[48];
	double median_ns, min_ns, p90_ns; /* driver included */
	double net_ns, net_min_ns;	  /* less the null row's median, minimum */
	double placed_percent;		  /* negative: unknown */
	bool is_noisy;
};

struct report {
	bool is_jsonl;
	FILE *json;
	unsigned int rounds;
	struct result results[MAX_RESULTS];
	unsigned int nr_results;
	bool is_noisy;
};

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double percentile(const double *sorted, unsigned int number, double share)
{
	return sorted[(unsigned int)(share * (number - 1) + 0.5)];
}

/* Takes the object. */
static void emit(struct report *r, cJSON *object)
{
	char *text = cJSON_PrintUnformatted(object);

	if (!text)
		fail(EXIT_FAILED, "no memory for a line of JSON");
	if (r->is_jsonl)
		puts(text);
	if (r->json)
		fprintf(r->json, "%s\n", text);
	free(text);
	cJSON_Delete(object);
}

struct report *report__open(bool is_jsonl, const char *json_path, unsigned int rounds)
{
	struct report *r = xcalloc(1, sizeof(*r));
	cJSON *machine = machine__json();

	r->is_jsonl = is_jsonl;
	r->rounds = rounds;
	r->json = json_path ? fopen(json_path, "w") : NULL;
	if (json_path && !r->json)
		fail(EXIT_FAILED, "cannot write %s", json_path);
	if (!is_jsonl)
		machine__print();
	emit(r, machine);
	return r;
}

static void print_result(const struct report *r, const struct result *res, const struct result *reference)
{
	char ratio[16] = "";

	if (r->is_jsonl)
		return;
	if (reference && reference != res && reference->net_ns > 0)
		snprintf(ratio, sizeof(ratio), "%.2f", res->net_ns / reference->net_ns);
	printf("  %-26s %8.1f %8.1f %8.1f %8.1f %8.1f  %s", res->row, res->median_ns, res->min_ns, res->p90_ns, res->net_ns,
	       res->net_min_ns, ratio);
	if (res->placed_percent >= 0 && res->placed_percent < 100)
		printf("  placed %.3f %%", res->placed_percent);
	putchar('\n');
}

static void emit_result(struct report *r, const struct bench_case *bc, const struct row *row, const struct result *res,
			const struct result *reference)
{
	cJSON *o = cJSON_CreateObject();

	cJSON_AddStringToObject(o, "type", "row");
	cJSON_AddStringToObject(o, "case", bc->name);
	cJSON_AddStringToObject(o, "row", res->row);
	cJSON_AddNumberToObject(o, "flows", bc->nr_flows);
	cJSON_AddNumberToObject(o, "capacity", bc->capacity);
	cJSON_AddNumberToObject(o, "services", bc->nr_services);
	cJSON_AddNumberToObject(o, "pods", bc->nr_services * bc->pods_per_service);
	cJSON_AddNumberToObject(o, "rounds", r->rounds);
	cJSON_AddNumberToObject(o, "packets_per_round", bc->packets);
	cJSON_AddNumberToObject(o, "median_ns", res->median_ns);
	cJSON_AddNumberToObject(o, "min_ns", res->min_ns);
	cJSON_AddNumberToObject(o, "p90_ns", res->p90_ns);
	cJSON_AddNumberToObject(o, "net_ns", res->net_ns);
	cJSON_AddNumberToObject(o, "net_min_ns", res->net_min_ns);
	if (reference && reference->net_ns > 0)
		cJSON_AddNumberToObject(o, "ratio_to_reference", res->net_ns / reference->net_ns);
	if (res->placed_percent >= 0)
		cJSON_AddNumberToObject(o, "placed_percent", res->placed_percent);
	cJSON_AddNumberToObject(o, "checked_packets", (double)row->checked);
	cJSON_AddBoolToObject(o, "noisy", res->is_noisy);
	emit(r, o);
}

static struct result *add_result(struct report *r, const struct bench_case *bc, const struct row *row)
{
	struct result *res = &r->results[r->nr_results];
	double sorted[ROW_MAX_ROUNDS];

	if (r->nr_results == MAX_RESULTS)
		fail(EXIT_FAILED, "more than %u results", MAX_RESULTS);
	r->nr_results++;
	memcpy(sorted, row->ns, sizeof(sorted));
	qsort(sorted, r->rounds, sizeof(*sorted), by_value);
	res->case_name = bc->name;
	snprintf(res->row, sizeof(res->row), "%s", row->target->name);
	res->median_ns = percentile(sorted, r->rounds, 0.5);
	res->min_ns = sorted[0];
	res->p90_ns = percentile(sorted, r->rounds, 0.9);
	res->placed_percent = row->placed.flows ? 100.0 * (double)row->placed.placed / (double)row->placed.flows : -1;
	return res;
}

static bool is_reference(const struct result *res)
{
	return !strcmp(res->row, "lru_dnat") || !strcmp(res->row, "lru_update");
}

void report__case(struct report *r, const struct bench_case *bc, const struct row *rows, unsigned int nr_rows)
{
	const struct result *base = &r->results[r->nr_results], *reference = NULL; /* the null row comes first */
	unsigned int first = r->nr_results;
	bool is_noisy;

	if (!nr_rows)
		return;
	for (unsigned int i = 0; i < nr_rows; i++) {
		struct result *res = add_result(r, bc, &rows[i]);

		res->net_ns = res->median_ns - base->median_ns;
		res->net_min_ns = res->min_ns - base->min_ns;
		if (is_reference(res))
			reference = res;
	}
	is_noisy = (base->p90_ns - base->min_ns) / base->min_ns > NOISY_SHARE;
	r->is_noisy = r->is_noisy || is_noisy;
	if (!r->is_jsonl) {
		printf("\n%s: %u flows, table for %u, %u pods, %u packets a round, %u rounds; null row %.1f ns, spread %.0f %%%s\n",
		       bc->name, bc->nr_flows, bc->capacity, bc->nr_services * bc->pods_per_service, bc->packets, r->rounds,
		       base->median_ns, 100 * (base->p90_ns - base->min_ns) / base->min_ns, is_noisy ? " (noisy)" : "");
		printf("  %-26s %8s %8s %8s %8s %8s  %s\n", "row", "median", "min", "p90", "net", "net min",
		       reference ? reference->row : "");
	}
	for (unsigned int i = 0; i < nr_rows; i++) {
		r->results[first + i].is_noisy = is_noisy;
		print_result(r, &r->results[first + i], reference);
		emit_result(r, bc, &rows[i], &r->results[first + i], reference);
	}
	fflush(stdout);
}

static const struct result *find(const struct report *r, const char *case_name, const char *row)
{
	for (unsigned int i = 0; i < r->nr_results; i++)
		if (!strcmp(r->results[i].case_name, case_name) && !strcmp(r->results[i].row, row))
			return &r->results[i];
	return NULL;
}

/* False: rows are missing. *ret_min is the same from the minima, a second opinion that other work disturbs less. */
static bool evaluate(const struct report *r, const struct bar_def *bar, double *ret, double *ret_min, bool *ret_noisy)
{
	const struct result *row = find(r, bar->case_name, bar->row);
	const struct result *base = bar->base_row ? find(r, bar->base_case ? bar->base_case : bar->case_name, bar->base_row)
						  : NULL;
	const struct result *minus = bar->minus_case ? find(r, bar->minus_case, bar->row) : NULL;
	bool needs_base = bar->kind == BAR_RATIO || bar->kind == BAR_MINUS || bar->kind == BAR_NEW_ONE;

	if (!row || (needs_base && !base) || (bar->kind == BAR_NEW_ONE && !minus))
		return false;
	*ret_noisy = row->is_noisy || (base && base->is_noisy);
	switch (bar->kind) {
	case BAR_RATIO:
		*ret = row->net_ns / base->net_ns;
		*ret_min = row->net_min_ns / base->net_min_ns;
		break;
	case BAR_MINUS:
		*ret = row->net_ns - base->net_ns;
		*ret_min = row->net_min_ns - base->net_min_ns;
		break;
	case BAR_NEW_ONE:
		*ret = (2 * row->net_ns - minus->net_ns) / base->net_ns;
		*ret_min = (2 * row->net_min_ns - minus->net_min_ns) / base->net_min_ns;
		break;
	case BAR_PLACED:
		*ret = *ret_min = row->placed_percent;
		break;
	default:
		*ret = row->net_ns;
		*ret_min = row->net_min_ns;
	}
	return true;
}

static const char *judge(const struct bar_def *bar, double value)
{
	if (bar->kind == BAR_PLACED)
		return value >= bar->limit ? "reached" : "MISSED";
	if (bar->stretch > 0 && value <= bar->stretch)
		return "stretch";
	return value <= bar->limit ? "reached" : "MISSED";
}

int report__bars(struct report *r, double margin)
{
	int code = EXIT_OK;
	bool has_title = false;

	for (size_t i = 0; i < nr_bar_defs; i++) {
		const struct bar_def *bar = &bar_defs[i];
		double value, value_min, allowed = bar->kind == BAR_PLACED ? bar->limit : bar->limit * (1 + margin);
		bool is_noisy, fails;
		cJSON *o;

		if (!evaluate(r, bar, &value, &value_min, &is_noisy))
			continue;
		fails = bar->kind == BAR_PLACED ? value < allowed : value > allowed;
		if (fails && code != EXIT_GATE)
			code = is_noisy ? EXIT_NOISY : EXIT_GATE;
		if (!r->is_jsonl && !has_title)
			printf("\n%-38s %9s %9s %9s %9s  %s\n", "bar", "value", "by min", "limit", "stretch", "verdict");
		has_title = true;
		if (!r->is_jsonl)
			printf("%-38s %9.2f %9.2f %9.2f %9.2f  %s%s\n", bar->what, value, value_min, bar->limit, bar->stretch,
			       judge(bar, value), is_noisy ? " (noisy)" : "");
		o = cJSON_CreateObject();
		cJSON_AddStringToObject(o, "type", "bar");
		cJSON_AddStringToObject(o, "bar", bar->what);
		cJSON_AddNumberToObject(o, "value", value);
		cJSON_AddNumberToObject(o, "value_by_min", value_min);
		cJSON_AddNumberToObject(o, "limit", bar->limit);
		cJSON_AddStringToObject(o, "verdict", judge(bar, value));
		cJSON_AddBoolToObject(o, "noisy", is_noisy);
		emit(r, o);
	}
	return code;
}

void report__close(struct report *r)
{
	if (r->json && fclose(r->json))
		fail(EXIT_FAILED, "the JSON file could not be written in full");
	free(r);
}
