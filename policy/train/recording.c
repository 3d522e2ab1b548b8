// SPDX-License-Identifier: BSD-2-Clause
#include "policy/train/recording.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "policy/fixed.h"

#define Q8_MAX (64 * 256)	       /* 64 octaves: more is no logarithm of anything here */
#define MAX_TIME_NS 9007199254740992.0 /* a double counts whole up to here: 104 days */

struct reader {
	const char *line_at; /* not terminated */
	uint64_t line, byte;
	char *text;
};

__attribute__((format(printf, 2, 3))) static int fail(const struct reader *r, const char *fmt, ...)
{
	int n = snprintf(r->text, RECORDING_TEXT_BYTES, "line %" PRIu64 " (byte %" PRIu64 "): ", r->line, r->byte);
	va_list args;

	va_start(args, fmt);
	vsnprintf(r->text + n, RECORDING_TEXT_BYTES - (size_t)n, fmt, args);
	va_end(args);
	return -EINVAL;
}

/* A whole number in [low, high]. */
static int read_number(const struct reader *r, const cJSON *object, const char *key, double low, double high, double *ret)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);

	if (!cJSON_IsNumber(item))
		return fail(r, "%s is missing or no number", key);
	if (!(item->valuedouble >= low && item->valuedouble <= high) || item->valuedouble != floor(item->valuedouble))
		return fail(r, "%s is %g, but must be a whole number from %.0f to %.0f", key, item->valuedouble, low, high);
	*ret = item->valuedouble;
	return 0;
}

static int check_header(const struct reader *r, const cJSON *object)
{
	const cJSON *names = cJSON_GetObjectItemCaseSensitive(object, "features"), *name;
	double version = 0;
	int i = 0, error;

	error = read_number(r, object, "recording", 0, 1e9, &version);
	if (error)
		return error;
	if (version != RECORDING_VERSION)
		return fail(r, "recording of version %.0f, this build reads %d: record again", version, RECORDING_VERSION);
	if (cJSON_GetArraySize(names) != FEATURE_NR)
		return fail(r, "%d features, this build has %d: record again", cJSON_GetArraySize(names), FEATURE_NR);
	cJSON_ArrayForEach (name, names) {
		if (!cJSON_IsString(name) || strcmp(name->valuestring, feature_list[i].name) != 0)
			return fail(r, "feature %d is not %s, as it is in this build: record again", i, feature_list[i].name);
		i++;
	}
	return 0;
}

static int read_features(const struct reader *r, const cJSON *object, int8_t inputs[FEATURE_NR])
{
	const cJSON *features = cJSON_GetObjectItemCaseSensitive(object, "features");
	int32_t raw_q8[FEATURE_NR];

	if (!cJSON_IsObject(features))
		return fail(r, "features is missing or no object");
	for (int i = 0; i < FEATURE_NR; i++) {
		double value = 0;
		int error = read_number(r, features, feature_list[i].name, INT32_MIN, INT32_MAX, &value);

		if (error)
			return error;
		raw_q8[i] = (int32_t)value;
	}
	feature__normalise(raw_q8, inputs);
	return 0;
}

static int read_row(const struct reader *r, const cJSON *object, struct dataset *d)
{
	double time_ns = 0, latency_ns = 0, gain_q8 = 0, delay_q8 = 0;
	int8_t inputs[FEATURE_NR];
	int error;

	error = read_number(r, object, "time_ns", 0, MAX_TIME_NS, &time_ns);
	if (!error)
		error = read_number(r, object, "latency_ns", 1, (double)RECORDING_MAX_LATENCY_NS, &latency_ns);
	if (!error)
		error = read_number(r, object, "gain_q8", -Q8_MAX, Q8_MAX, &gain_q8);
	if (!error)
		error = read_number(r, object, "delay_q8", -Q8_MAX, Q8_MAX, &delay_q8);
	if (!error)
		error = read_features(r, object, inputs);
	if (error)
		return error;
	if (dataset__add(d, inputs, fixed__log2_q8((uint64_t)latency_ns / 1000) - (int32_t)gain_q8 - (int32_t)delay_q8,
			 (uint64_t)time_ns))
		return -ENOMEM;
	return 0;
}

static int read_line(const struct reader *r, size_t bytes, struct dataset *d, struct recording_report *report)
{
	const char *end = NULL;
	cJSON *object;
	int error;

	if (bytes > RECORDING_LINE_BYTES)
		return fail(r, "%zu bytes without an end of line: this is no recording", bytes);
	object = cJSON_ParseWithLengthOpts(r->line_at, bytes, &end, false);
	if (!cJSON_IsObject(object) || end != r->line_at + bytes)
		error = fail(r, "not one JSON object");
	else if (r->line == 1)
		error = check_header(r, object);
	else
		error = read_row(r, object, d);
	cJSON_Delete(object);
	if (!error && r->line > 1)
		report->rows++;
	return error;
}

int recording__read(const char *data, size_t bytes, struct dataset *d, struct recording_report *ret_report,
		    char text[RECORDING_TEXT_BYTES])
{
	struct reader r = { .text = text };
	size_t at = 0;
	int error = 0;

	*ret_report = (struct recording_report){ 0 };
	if (d->nr_inputs != FEATURE_NR) {
		snprintf(text, RECORDING_TEXT_BYTES, "the data set has %u inputs, not %d", d->nr_inputs, FEATURE_NR);
		return -EINVAL;
	}
	while (!error && at < bytes) {
		const char *end = memchr(data + at, '\n', bytes - at);

		r.line++;
		r.byte = at;
		r.line_at = data + at;
		if (!end) {
			ret_report->is_torn = true;
			ret_report->torn_line = r.line;
			ret_report->torn_byte = at;
			break;
		}
		error = read_line(&r, (size_t)(end - r.line_at), d, ret_report);
		at = (size_t)(end - data) + 1;
	}
	if (!error && r.line < 2 && (!r.line || ret_report->is_torn)) {
		r.line = 1;
		r.byte = 0;
		return fail(&r, "the first line, which says what the file is, is missing or torn");
	}
	return error;
}
