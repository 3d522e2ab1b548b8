// SPDX-License-Identifier: BSD-2-Clause
/* Records and what they come to. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/load/load.h"

static const char *const status_names[STATUS_MAX] = {
	[STATUS_OK] = "ok",	      [STATUS_TIMEOUT] = "timeout", [STATUS_REFUSED] = "refused",
	[STATUS_RESET] = "reset",     [STATUS_CLOSED] = "closed",   [STATUS_UNREACHABLE] = "unreachable",
	[STATUS_NO_PORT] = "no_port", [STATUS_BAD] = "bad",	    [STATUS_ERROR] = "error",
};

const char *status_name(enum status status)
{
	return status_names[status];
}

enum status status_of_errno(int err)
{
	switch (err) {
	case ECONNREFUSED:
		return STATUS_REFUSED;
	case ECONNRESET:
	case EPIPE:
		return STATUS_RESET;
	case ETIMEDOUT:
		return STATUS_TIMEOUT;
	case EHOSTUNREACH:
	case ENETUNREACH:
	case EACCES:
		return STATUS_UNREACHABLE;
	case EADDRNOTAVAIL:
	case EMFILE:
	case ENFILE:
	case EAGAIN:
		return STATUS_NO_PORT;
	default:
		return STATUS_ERROR;
	}
}

void json__add_ms(cJSON *json, const char *name, double ns)
{
	/* microseconds are what a user-space clock is good for here */
	if (isfinite(ns))
		cJSON_AddNumberToObject(json, name, round(ns / 1e3) / 1e3);
	else
		cJSON_AddNullToObject(json, name);
}

void json__print_line(cJSON *json, FILE *out)
{
	char *text = cJSON_PrintUnformatted(json);

	if (!text)
		fatal("out of memory", 0);
	if (fprintf(out, "%s\n", text) < 0)
		fatal("writing results", errno);
	cJSON_free(text);
	cJSON_Delete(json);
}

static int compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double percentile(const double *sorted, size_t nr, double percent)
{
	size_t rank = (size_t)ceil(percent / 100 * (double)nr);

	return sorted[rank ? rank - 1 : 0];
}

static void summary__add_latency(cJSON *json, double *latency_ns, size_t nr)
{
	double sum = 0;

	for (size_t i = 0; i < nr; i++)
		sum += latency_ns[i];
	qsort(latency_ns, nr, sizeof(*latency_ns), compare_doubles);
	json__add_ms(json, "mean_ms", sum / (double)nr);
	json__add_ms(json, "p50_ms", percentile(latency_ns, nr, 50));
	json__add_ms(json, "p95_ms", percentile(latency_ns, nr, 95));
	json__add_ms(json, "p99_ms", percentile(latency_ns, nr, 99));
	json__add_ms(json, "max_ms", latency_ns[nr - 1]);
}

static void summary__add_pods(cJSON *json, const struct record *records, size_t nr)
{
	cJSON *pods = cJSON_AddObjectToObject(json, "requests_by_pod");
	char name[16];

	for (size_t i = 0; i < nr; i++) {
		cJSON *count;

		if (records[i].status != STATUS_OK)
			continue;
		snprintf(name, sizeof(name), "%u", records[i].pod);
		count = cJSON_GetObjectItem(pods, name);
		if (count)
			cJSON_SetNumberValue(count, count->valuedouble + 1);
		else
			cJSON_AddNumberToObject(pods, name, 1);
	}
}

cJSON *summary__of(const struct record *records, size_t nr)
{
	cJSON *json = cJSON_CreateObject(), *failed;
	double *latency_ns = xcalloc(nr, sizeof(*latency_ns)), lag_ns = 0;
	size_t count[STATUS_MAX] = { 0 };

	for (size_t i = 0; i < nr; i++) {
		const struct record *r = &records[i];

		count[r->status]++;
		latency_ns[i] = r->status == STATUS_OK ? (double)(r->end_ns - r->scheduled_ns) : INFINITY;
		if (!r->sequence && r->started_ns != NEVER && (double)(r->started_ns - r->scheduled_ns) > lag_ns)
			lag_ns = (double)(r->started_ns - r->scheduled_ns);
	}
	cJSON_AddNumberToObject(json, "requests", (double)nr);
	cJSON_AddNumberToObject(json, "ok", (double)count[STATUS_OK]);
	failed = cJSON_AddObjectToObject(json, "failed");
	for (int status = STATUS_OK + 1; status < STATUS_MAX; status++)
		if (count[status])
			cJSON_AddNumberToObject(failed, status_names[status], (double)count[status]);
	if (nr)
		summary__add_latency(json, latency_ns, nr);
	json__add_ms(json, "start_lag_max_ms", lag_ns);
	summary__add_pods(json, records, nr);
	free(latency_ns);
	return json;
}

static double known(uint64_t ns)
{
	return ns == NEVER ? NAN : (double)ns;
}

void records__write(const struct record *records, size_t nr, const char *path)
{
	FILE *out = fopen(path, "we");

	if (!out)
		fatal(path, errno);
	for (size_t i = 0; i < nr; i++) {
		const struct record *r = &records[i];
		cJSON *json = cJSON_CreateObject();

		cJSON_AddNumberToObject(json, "id", (double)r->id);
		cJSON_AddNumberToObject(json, "sequence", r->sequence);
		cJSON_AddStringToObject(json, "status", status_names[r->status]);
		json__add_ms(json, "latency_ms", r->status == STATUS_OK ? (double)(r->end_ns - r->scheduled_ns) : NAN);
		json__add_ms(json, "scheduled_ms", (double)r->scheduled_ns);
		json__add_ms(json, "started_ms", known(r->started_ns));
		json__add_ms(json, "connected_ms", known(r->connected_ns));
		json__add_ms(json, "first_byte_ms", known(r->first_byte_ns));
		json__add_ms(json, "end_ms", known(r->end_ns));
		cJSON_AddNumberToObject(json, "pod", r->pod);
		cJSON_AddNumberToObject(json, "service_us", r->service_us);
		cJSON_AddNumberToObject(json, "wait_us", r->wait_us);
		cJSON_AddNumberToObject(json, "port", r->port);
		json__print_line(json, out);
	}
	if (fclose(out))
		fatal(path, errno);
}

struct id_pod {
	uint64_t id;
	uint32_t pod;
};

static int compare_ids(const void *a, const void *b)
{
	uint64_t x = ((const struct id_pod *)a)->id, y = ((const struct id_pod *)b)->id;

	return (x > y) - (x < y);
}

/* One line of a records file; false when it is not one. */
static bool record__read_pod(const char *line, struct id_pod *entry)
{
	cJSON *json = cJSON_Parse(line);
	const cJSON *id = cJSON_GetObjectItem(json, "id"), *pod = cJSON_GetObjectItem(json, "pod");
	bool good = cJSON_IsNumber(id) && cJSON_IsNumber(pod) && id->valuedouble >= 0 && id->valuedouble < 0x1p53 &&
		    pod->valuedouble >= 0 && pod->valuedouble <= UINT32_MAX;

	if (good) {
		entry->id = (uint64_t)id->valuedouble;
		entry->pod = (uint32_t)pod->valuedouble;
	}
	cJSON_Delete(json);
	return good;
}

uint32_t *records__read_pods(const char *path, const struct arrivals *arrivals)
{
	struct id_pod *entries = xcalloc(arrivals->nr, sizeof(*entries));
	uint32_t *pods = xcalloc(arrivals->nr, sizeof(*pods));
	FILE *file = fopen(path, "re");
	char *line = NULL;
	size_t room = 0, nr = 0;

	if (!file)
		fatal(path, errno);
	while (getline(&line, &room, file) > 0) {
		if (nr == arrivals->nr || !record__read_pod(line, &entries[nr++])) {
			fprintf(stderr, "load: %s:%zu: not a record of these arrivals\n", path, nr);
			exit(1);
		}
	}
	free(line);
	fclose(file);
	qsort(entries, nr, sizeof(*entries), compare_ids);
	for (size_t i = 0; i < arrivals->nr; i++) {
		struct id_pod key = { .id = arrivals->list[i].id };
		const struct id_pod *found = bsearch(&key, entries, nr, sizeof(*entries), compare_ids);

		if (!found)
			fatal("an arrival has no record", 0);
		pods[i] = found->pod;
	}
	free(entries);
	return pods;
}
