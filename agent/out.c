/* SPDX-License-Identifier: BSD-2-Clause */
#include "agent/out.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>

#include "agent/clock.h"
#include "agent/out_backend.h"

struct out *out__open(FILE *file, enum out_format format)
{
	struct out *out = calloc(1, sizeof(*out));

	if (!out)
		return NULL;
	out->file = file;
	out->format = format;
	out->ops = format == OUT_TEXT ? &out_text_ops : &out_json_ops;
	return out;
}

static void out__set_error(struct out *out, int error)
{
	if (!out->error)
		out->error = error;
}

void out__drain(struct out *out)
{
	if (buf__error(&out->pending))
		out__set_error(out, -ENOMEM);
	errno = EIO;
	if (out->pending.len && fwrite(out->pending.data, 1, out->pending.len, out->file) != out->pending.len)
		out__set_error(out, -errno);
	buf__clear(&out->pending);
}

void out__flush(struct out *out)
{
	if (out->ops->flush)
		out->ops->flush(out);
	out__drain(out);
	errno = EIO;
	if (fflush(out->file))
		out__set_error(out, -errno);
}

int out__close(struct out *out)
{
	int error;

	if (out->depth)
		out__set_error(out, -EPROTO);
	out->ops->finish(out);
	out__flush(out);
	error = out->error;
	buf__free(&out->pending);
	free(out);
	return error;
}

enum out_format out__format(const struct out *out)
{
	return out->format;
}

static void out__begin(struct out *out, enum out_kind kind, const char *key, const char *label)
{
	const struct out_frame *parent = out__top(out);
	bool fits = kind == OUT_ROW ? parent && parent->kind == OUT_TABLE : !parent || parent->kind != OUT_TABLE;

	if (!fits || out->depth == OUT_MAX_DEPTH) {
		out__set_error(out, -EPROTO);
		return;
	}
	out->ops->begin(out, kind, key, label ? label : key);
	if (parent)
		out->frames[out->depth - 1].nr++;
	out->frames[out->depth++] = (struct out_frame){
		.kind = kind,
		/* A column cannot hold a table. */
		.is_hidden = (label && !*label) ||
			     (parent && (parent->is_hidden || (parent->kind == OUT_ROW && kind == OUT_TABLE))),
	};
}

void out__record(struct out *out, const char *key, const char *label)
{
	out__begin(out, OUT_RECORD, key, label);
}

void out__table(struct out *out, const char *key, const char *label)
{
	out__begin(out, OUT_TABLE, key, label);
}

void out__row(struct out *out)
{
	out__begin(out, OUT_ROW, NULL, NULL);
}

void out__list(struct out *out, const char *key, const char *label)
{
	out__begin(out, OUT_LIST, key, label);
}

void out__end(struct out *out)
{
	if (!out->depth) {
		out__set_error(out, -EPROTO);
		return;
	}
	out->ops->end(out, out__top(out)->kind);
	out->depth--;
	if (!out->depth) {
		out->nr_documents++;
		out__drain(out);
	}
}

static void out__value(struct out *out, const char *key, const char *label, const char *json, const char *text, bool is_number)
{
	struct out_value value = { .json = json, .text = text, .is_number = is_number };
	struct out_frame *top = out__top(out);

	if (!top || top->kind == OUT_TABLE || (top->kind != OUT_LIST && !key)) {
		out__set_error(out, -EPROTO);
		return;
	}
	out->ops->value(out, key, label ? label : key, &value);
	top->nr++;
}

void out__null(struct out *out, const char *key, const char *label)
{
	out__value(out, key, label, "null", "-", false);
}

void out__str(struct out *out, const char *key, const char *label, const char *value)
{
	struct buf clean = { 0 };
	cJSON *node;
	char *json;

	if (!value) {
		out__null(out, key, label);
		return;
	}
	buf__puts_clean(&clean, value);
	node = cJSON_CreateStringReference(buf__str(&clean));
	json = node ? cJSON_PrintUnformatted(node) : NULL;
	if (json && !buf__error(&clean))
		out__value(out, key, label, json, buf__str(&clean), false);
	else
		out__set_error(out, -ENOMEM);
	cJSON_free(json);
	cJSON_Delete(node);
	buf__free(&clean);
}

void out__fmt(struct out *out, const char *key, const char *label, const char *fmt, ...)
{
	struct buf text = { 0 };
	va_list args;

	va_start(args, fmt);
	buf__vprintf(&text, fmt, args);
	va_end(args);
	if (buf__error(&text))
		out__set_error(out, -ENOMEM);
	else
		out__str(out, key, label, buf__str(&text));
	buf__free(&text);
}

void out__u64(struct out *out, const char *key, const char *label, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, value);
	out__value(out, key, label, text, text, true);
}

void out__i64(struct out *out, const char *key, const char *label, int64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRId64, value);
	out__value(out, key, label, text, text, true);
}

void out__double(struct out *out, const char *key, const char *label, double value, int decimals)
{
	char text[400]; /* the longest double has 309 digits before the point */

	if (!isfinite(value)) {
		out__null(out, key, label);
		return;
	}
	snprintf(text, sizeof(text), "%.*f", decimals > 9 ? 9 : decimals, value);
	out__value(out, key, label, text, text, true);
}

void out__bool(struct out *out, const char *key, const char *label, bool value)
{
	out__value(out, key, label, value ? "true" : "false", value ? "yes" : "no", false);
}

void out__bytes(struct out *out, const char *key, const char *label, uint64_t bytes)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	double scaled = (double)bytes;
	char json[24], text[32];
	unsigned int unit = 0;

	while (scaled >= 1024 && unit < 6) {
		scaled /= 1024;
		unit++;
	}
	snprintf(json, sizeof(json), "%" PRIu64, bytes);
	snprintf(text, sizeof(text), "%.*f %s", unit && scaled < 100 ? 1 : 0, scaled, units[unit]);
	out__value(out, key, label, json, text, true);
}

void out__ns(struct out *out, const char *key, const char *label, uint64_t ns)
{
	char json[24], text[40];

	snprintf(json, sizeof(json), "%" PRIu64, ns);
	clock__format_duration(ns, text, sizeof(text));
	out__value(out, key, label, json, text, true);
}

void out__note(struct out *out, const char *fmt, ...)
{
	struct buf text = { 0 }, clean = { 0 };
	va_list args;

	va_start(args, fmt);
	buf__vprintf(&text, fmt, args);
	va_end(args);
	buf__puts_clean(&clean, buf__str(&text));
	if (buf__error(&text) || buf__error(&clean))
		out__set_error(out, -ENOMEM);
	else
		out->ops->note(out, buf__str(&clean));
	buf__free(&text);
	buf__free(&clean);
}
