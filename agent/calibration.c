/* SPDX-License-Identifier: BSD-2-Clause */
#include "agent/calibration.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "agent/wholefile.h"

#define LINE_MAX_BYTES 4096u

/* splitmix64 (Steele, Lea, Flood, OOPSLA 2014). */
static uint64_t next(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

/* Sum of 12 uniform ones less 6, with integers: deviation 1, nearly normal, the same on every machine. */
static int8_t normal(uint64_t *state)
{
	int64_t sum = 0, x;

	for (int i = 0; i < 12; i++)
		sum += (int64_t)(next(state) >> 48);
	x = (sum - 6 * 65536) * FEATURE_ONE / 65536;
	return (int8_t)(x > 127 ? 127 : x < -127 ? -127 : x);
}

int calibration__make(struct calibration *ret, struct pintle_err *err)
{
	int8_t(*inputs)[FEATURE_NR] = malloc(CALIBRATION_MADE * sizeof(*inputs));
	uint64_t state = 1;

	if (!inputs)
		return pintle_err__set(err, -ENOMEM, "out of memory");
	for (uint32_t i = 0; i < CALIBRATION_MADE; i++) {
		for (int k = 0; k < FEATURE_NR; k++)
			inputs[i][k] = i % 8 ? normal(&state) : (int8_t)((int64_t)(next(&state) % 255) - 127);
	}
	*ret = (struct calibration){ .inputs = inputs, .nr = CALIBRATION_MADE };
	return 0;
}

void calibration__free(struct calibration *c)
{
	free(c->inputs);
	*c = (struct calibration){ 0 };
}

/* The feature values of a line. NULL, or what is wrong. */
static const char *read_row(const char *line, size_t bytes, int8_t ret_input[FEATURE_NR])
{
	int32_t raw_q8[FEATURE_NR];
	const char *wrong = NULL;
	const cJSON *features;
	cJSON *row;

	if (bytes > LINE_MAX_BYTES)
		return "is longer than 4096 bytes";
	row = cJSON_ParseWithLength(line, bytes);
	features = cJSON_GetObjectItemCaseSensitive(row, "features");
	if (!cJSON_IsObject(features))
		wrong = "is no JSON object with \"features\"";
	for (int i = 0; !wrong && i < FEATURE_NR; i++) {
		const cJSON *value = cJSON_GetObjectItemCaseSensitive(features, feature_list[i].name);

		if (!cJSON_IsNumber(value) || !(fabs(value->valuedouble) <= INT32_MAX))
			wrong = "lacks a feature of this version, or it is no number";
		else
			raw_q8[i] = (int32_t)value->valuedouble;
	}
	cJSON_Delete(row);
	if (!wrong)
		feature__normalise(raw_q8, ret_input);
	return wrong;
}

/* Is this the first line of a recording of version 1? */
static bool is_header(const char *line, size_t bytes)
{
	cJSON *header = bytes <= LINE_MAX_BYTES ? cJSON_ParseWithLength(line, bytes) : NULL;
	const cJSON *version = cJSON_GetObjectItemCaseSensitive(header, "recording");
	bool is = cJSON_IsNumber(version) && version->valuedouble == 1;

	cJSON_Delete(header);
	return is;
}

static uint32_t count_lines(const char *text, size_t bytes)
{
	uint32_t n = 0;

	for (const char *p = text; (p = memchr(p, '\n', bytes - (size_t)(p - text))); p++)
		n++;
	return n;
}

/* Keeps every `stride`th row. */
static int read_rows(const char *path, const char *text, size_t bytes, uint32_t stride, struct calibration *c,
		     struct pintle_err *err)
{
	const char *line = text, *end;

	for (uint32_t number = 1; (end = memchr(line, '\n', bytes - (size_t)(line - text))); number++, line = end + 1) {
		size_t length = (size_t)(end - line);
		const char *wrong;

		if (number == 1) {
			if (!is_header(line, length))
				return pintle_err__set(
					err, -EINVAL,
					"%s: is no recording: the first line does not say {\"recording\": 1, ...}; "
					"`pintle record` makes one",
					path);
			continue;
		}
		if ((number - 2) % stride)
			continue;
		wrong = read_row(line, length, c->inputs[c->nr]);
		if (wrong)
			return pintle_err__set(err, -EINVAL, "%s: line %u %s; record again with this version", path, number,
					       wrong);
		c->nr++;
	}
	return c->nr ? 0 : pintle_err__set(err, -EINVAL, "%s: has no requests; record for longer", path);
}

int calibration__read(const char *path, struct calibration *ret, struct pintle_err *err)
{
	struct calibration c = { 0 };
	uint32_t lines, stride;
	size_t bytes;
	char *text;
	int error = wholefile__read(path, CALIBRATION_MAX_BYTES, &text, &bytes, err);

	if (error)
		return error;
	lines = count_lines(text, bytes);
	stride = lines / CALIBRATION_MAX_ROWS + 1;
	c.inputs = malloc(((size_t)lines / stride + 1) * sizeof(*c.inputs));
	error = c.inputs ? read_rows(path, text, bytes, stride, &c, err)
			 : pintle_err__set(err, -ENOMEM, "%s: out of memory", path);
	free(text);
	if (error)
		calibration__free(&c);
	else
		*ret = c;
	return error;
}
