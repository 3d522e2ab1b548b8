// SPDX-License-Identifier: BSD-2-Clause
/* Compares the records of two runs of `load` over the same arrivals: statistics with intervals, as one line of JSON. */
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "bench/route/bootstrap.h"

static const char usage[] =
	"Usage: route --base RECORDS --row RECORDS [OPTION]...\n"
	"  --from-ms MS      leave out requests that were scheduled earlier (0)\n"
	"  --block N         successive requests that are drawn together (1)\n"
	"  --resamples N     (2000)\n"
	"  --seed N          (1)\n"
	"Prints statistics of both and their differences, row - base, with 95 % intervals: [value, low, high] in ms.\n";

static const char *const statistic_names[STATISTIC_MAX] = { "mean_ms", "p50_ms", "p95_ms", "p99_ms" };

struct latencies {
	double *ms;
	double *ids;
	size_t nr;
};

static void fail(const char *what, const char *why) __attribute__((noreturn));
static void fail(const char *what, const char *why)
{
	fprintf(stderr, "route: %s: %s\n", what, why);
	exit(1);
}

/* Room for the next power of two. */
static double *grown(double *list, size_t nr)
{
	double *more;

	if (nr & (nr - 1))
		return list;
	more = realloc(list, (nr ? 2 * nr : 1) * sizeof(*more));
	if (!more)
		fail("records", strerror(ENOMEM));
	return more;
}

static void latencies__add(struct latencies *l, double id, double ms)
{
	l->ms = grown(l->ms, l->nr);
	l->ids = grown(l->ids, l->nr);
	l->ms[l->nr] = ms;
	l->ids[l->nr++] = id;
}

static void latencies__read(struct latencies *l, const char *path, double from_ms)
{
	FILE *file = fopen(path, "re");
	char *line = NULL;
	size_t room = 0;

	if (!file)
		fail(path, strerror(errno));
	while (getline(&line, &room, file) > 0) {
		cJSON *json = cJSON_Parse(line);
		const cJSON *id = cJSON_GetObjectItem(json, "id"), *at = cJSON_GetObjectItem(json, "scheduled_ms");
		const cJSON *latency = cJSON_GetObjectItem(json, "latency_ms");

		if (!cJSON_IsNumber(id) || !cJSON_IsNumber(at))
			fail(path, "a line is not a record of load");
		if (!cJSON_IsNumber(latency))
			fail(path, "a request failed: there is nothing to compare");
		if (at->valuedouble >= from_ms)
			latencies__add(l, id->valuedouble, latency->valuedouble);
		cJSON_Delete(json);
	}
	free(line);
	if (ferror(file))
		fail(path, strerror(errno));
	fclose(file);
}

static void add_intervals(cJSON *json, const char *name, const struct interval intervals[STATISTIC_MAX])
{
	cJSON *object = cJSON_AddObjectToObject(json, name);

	for (int s = 0; s < STATISTIC_MAX; s++) {
		const double ms[] = { round(intervals[s].value * 1e3) / 1e3, round(intervals[s].low * 1e3) / 1e3,
				      round(intervals[s].high * 1e3) / 1e3 };

		cJSON_AddItemToObject(object, statistic_names[s], cJSON_CreateDoubleArray(ms, 3));
	}
}

static int print_comparison(const struct bootstrap *how, size_t nr, const struct comparison *comparison)
{
	cJSON *json = cJSON_CreateObject();
	char *text;

	cJSON_AddNumberToObject(json, "requests", (double)nr);
	cJSON_AddNumberToObject(json, "block", (double)how->block);
	cJSON_AddNumberToObject(json, "resamples", how->resamples);
	add_intervals(json, "base", comparison->base);
	add_intervals(json, "row", comparison->row);
	add_intervals(json, "difference", comparison->difference);
	text = cJSON_PrintUnformatted(json);
	cJSON_Delete(json);
	if (!text || puts(text) < 0 || fflush(stdout))
		return 1;
	cJSON_free(text);
	return 0;
}

static double number(const char *text, double least, double most)
{
	char *end;
	double value = strtod(text, &end);

	if (end == text || *end || !(value >= least && value <= most)) {
		fprintf(stderr, "route: bad or out of range number '%s'\n", text);
		exit(2);
	}
	return value;
}

static const struct option options[] = {
	{ "base", required_argument, NULL, 'b' },
	{ "row", required_argument, NULL, 'r' },
	{ "from-ms", required_argument, NULL, 'f' },
	{ "block", required_argument, NULL, 'n' },
	{ "resamples", required_argument, NULL, 'k' },
	{ "seed", required_argument, NULL, 's' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

int main(int argc, char **argv)
{
	struct bootstrap how = { .block = 1, .resamples = 2000, .seed = 1 };
	struct latencies base = { 0 }, row = { 0 };
	const char *base_path = NULL, *row_path = NULL;
	struct comparison comparison;
	double from_ms = 0;
	int option, err;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 'b':
			base_path = optarg;
			break;
		case 'r':
			row_path = optarg;
			break;
		case 'f':
			from_ms = number(optarg, 0, 1e12);
			break;
		case 'n':
			how.block = (size_t)number(optarg, 1, 1e9);
			break;
		case 'k':
			how.resamples = (unsigned int)number(optarg, 1, 1e6);
			break;
		case 's':
			how.seed = (uint64_t)number(optarg, 0, 1e15);
			break;
		default:
			fputs(usage, option == 'h' ? stdout : stderr);
			return option == 'h' ? 0 : 2;
		}
	}
	if (!base_path || !row_path || optind != argc) {
		fputs(usage, stderr);
		return 2;
	}
	latencies__read(&base, base_path, from_ms);
	latencies__read(&row, row_path, from_ms);
	if (base.nr != row.nr || (base.nr && memcmp(base.ids, row.ids, base.nr * sizeof(*base.ids))))
		fail(row_path, "not the requests of --base");
	err = bootstrap__compare(&how, base.ms, row.ms, base.nr, &comparison);
	if (err)
		fail("comparison", err == -EINVAL ? "no requests, or more in a block than there are" : strerror(-err));
	err = print_comparison(&how, base.nr, &comparison);
	free(base.ms);
	free(base.ids);
	free(row.ms);
	free(row.ids);
	return err;
}
