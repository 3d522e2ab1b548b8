/* SPDX-License-Identifier: BSD-2-Clause */
#include "agent/metrics_text.h"

#include <inttypes.h>
#include <string.h>

#define FIRST_END_NS 60000ull
#define LAST_END_NS 40000000000ull

static const struct {
	enum pintle_metric_type type;
	const char *name, *unit, *labels, *help;
} metrics[PINTLE_M_MAX] = {
#define PINTLE_METRIC(id, type, name, unit, labels, help) { PINTLE_METRIC_##type, name, unit, labels, help },
#include "pintle/metrics.def"
#undef PINTLE_METRIC
};

static const char *type_name(enum pintle_metric_type type)
{
	switch (type) {
	case PINTLE_METRIC_COUNTER:
		return "counter";
	case PINTLE_METRIC_HISTOGRAM:
		return "histogram";
	default:
		return "gauge";
	}
}

/* `quote`: in a label's value; help texts keep theirs. */
static void put_escaped(FILE *file, const char *text, int quote)
{
	for (; *text; text++) {
		if (*text == '\n')
			fputs("\\n", file);
		else if (*text == '\\' || (quote && *text == '"'))
			fprintf(file, "\\%c", *text);
		else
			fputc(*text, file);
	}
}

void metrics_text__family(struct metrics_text *t, enum pintle_metric metric)
{
	const char *suffix = t->format == METRICS_PROMETHEUS && metrics[metric].type == PINTLE_METRIC_COUNTER ? "_total" : "";

	t->metric = metric;
	fprintf(t->file, "# HELP %s%s ", metrics[metric].name, suffix);
	put_escaped(t->file, metrics[metric].help, t->format == METRICS_OPENMETRICS);
	fprintf(t->file, "\n# TYPE %s%s %s\n", metrics[metric].name, suffix, type_name(metrics[metric].type));
	if (t->format == METRICS_OPENMETRICS && metrics[metric].unit[0])
		fprintf(t->file, "# UNIT %s %s\n", metrics[metric].name, metrics[metric].unit);
}

/* Name, labels and the blank before the value; `le` NULL: none. */
static void put_series(const struct metrics_text *t, const char *suffix, const char *const *labels, const char *le)
{
	const char *name = metrics[t->metric].labels, *separator = "{";

	fprintf(t->file, "%s%s", metrics[t->metric].name, suffix);
	while (*name) {
		size_t length = strcspn(name, ",");

		fprintf(t->file, "%s%.*s=\"", separator, (int)length, name);
		put_escaped(t->file, *labels++, 1);
		fputc('"', t->file);
		separator = ",";
		name += length + (name[length] == ',');
	}
	if (le)
		fprintf(t->file, "%sle=\"%s\"", separator, le);
	fputs(le || metrics[t->metric].labels[0] ? "} " : " ", t->file);
}

static const char *value_suffix(const struct metrics_text *t)
{
	return metrics[t->metric].type == PINTLE_METRIC_COUNTER ? "_total" : "";
}

void metrics_text__u64(const struct metrics_text *t, const char *const *labels, uint64_t value)
{
	put_series(t, value_suffix(t), labels, NULL);
	fprintf(t->file, "%" PRIu64 "\n", value);
}

void metrics_text__i64(const struct metrics_text *t, const char *const *labels, int64_t value)
{
	put_series(t, value_suffix(t), labels, NULL);
	fprintf(t->file, "%" PRId64 "\n", value);
}

void metrics_text__double(const struct metrics_text *t, const char *const *labels, double value)
{
	put_series(t, value_suffix(t), labels, NULL);
	fprintf(t->file, "%.9g\n", value);
}

static void put_seconds(FILE *file, uint64_t ns)
{
	fprintf(file, "%" PRIu64 ".%09" PRIu64 "\n", ns / 1000000000, ns % 1000000000);
}

void metrics_text__seconds(const struct metrics_text *t, const char *const *labels, uint64_t ns)
{
	put_series(t, value_suffix(t), labels, NULL);
	put_seconds(t->file, ns);
}

void metrics_text__octaves(const struct metrics_text *t, const char *const *labels, const uint64_t *count, unsigned int nr,
			   uint64_t first_end_ns, uint64_t sum_ns)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < nr; i++) {
		uint64_t end_ns = first_end_ns << i;
		char le[32];

		sum += count[i];
		if (end_ns < FIRST_END_NS || end_ns > LAST_END_NS || i + 1 == nr)
			continue;
		snprintf(le, sizeof(le), "%.9g", (double)end_ns / 1e9);
		put_series(t, "_bucket", labels, le);
		fprintf(t->file, "%" PRIu64 "\n", sum);
	}
	put_series(t, "_bucket", labels, "+Inf");
	fprintf(t->file, "%" PRIu64 "\n", sum);
	put_series(t, "_sum", labels, NULL);
	put_seconds(t->file, sum_ns);
	put_series(t, "_count", labels, NULL);
	fprintf(t->file, "%" PRIu64 "\n", sum);
}

void metrics_text__histogram(const struct metrics_text *t, const char *const *labels, const uint32_t hist[PINTLE_HIST_BUCKETS],
			     uint64_t sum_ns)
{
	uint64_t count[PINTLE_HIST_BUCKETS];

	for (unsigned int i = 0; i < PINTLE_HIST_BUCKETS; i++)
		count[i] = hist[i];
	metrics_text__octaves(t, labels, count, PINTLE_HIST_BUCKETS, 2000, sum_ns);
}

void metrics_text__end(const struct metrics_text *t)
{
	if (t->format == METRICS_OPENMETRICS)
		fputs("# EOF\n", t->file);
}
