/* SPDX-License-Identifier: BSD-2-Clause */
/* json: indented by two blanks, one row or scalar a line. jsonl: no blanks, one record or row a line. */
#include "agent/out_backend.h"

static bool out_json__is_lines(const struct out *out)
{
	return out->format == OUT_JSONL;
}

/* Rows and lists stay on one line. */
static bool out_json__is_compact(const struct out *out)
{
	unsigned int i;

	if (out_json__is_lines(out))
		return true;
	for (i = 0; i < out->depth; i++) {
		if (out->frames[i].kind == OUT_ROW || out->frames[i].kind == OUT_LIST)
			return true;
	}
	return false;
}

static void out_json__newline(struct out *out, unsigned int depth)
{
	buf__printf(&out->pending, "\n%*s", (int)depth * 2, "");
}

/* A table that is the whole document: its object is implied by the file in jsonl, and is one level more in json. */
static bool out_json__table_is_document(const struct out *out)
{
	return out->depth && out->frames[0].kind == OUT_TABLE;
}

static unsigned int out_json__depth(const struct out *out)
{
	return out->depth + (out_json__table_is_document(out) ? 1 : 0);
}

static void out_json__key(struct out *out, const char *key)
{
	const struct out_frame *top = out__top(out);
	bool is_compact = out_json__is_compact(out);

	if (top && top->nr)
		buf__puts(&out->pending, is_compact && !out_json__is_lines(out) ? ", " : ",");
	if (top && !is_compact)
		out_json__newline(out, out_json__depth(out));
	if (key)
		buf__printf(&out->pending, "\"%s\":%s", key, out_json__is_lines(out) ? "" : " ");
}

static void out_json__begin(struct out *out, enum out_kind kind, const char *key, const char *label)
{
	(void)label;
	if (!out->depth) {
		if (kind == OUT_TABLE && !out_json__is_lines(out))
			buf__printf(&out->pending, "{\n  \"%s\": [", key);
		else if (kind == OUT_RECORD)
			buf__puts(&out->pending, "{");
		return;
	}
	/* A row of a document table in jsonl is a document of its own. */
	if (kind == OUT_ROW && out->depth == 1 && out_json__is_lines(out)) {
		buf__puts(&out->pending, "{");
		return;
	}
	out_json__key(out, out__top(out)->kind == OUT_TABLE || out__top(out)->kind == OUT_LIST ? NULL : key);
	buf__puts(&out->pending, kind == OUT_TABLE || kind == OUT_LIST ? "[" : "{");
}

static void out_json__value(struct out *out, const char *key, const char *label, const struct out_value *value)
{
	(void)label;
	out_json__key(out, out__top(out)->kind == OUT_LIST ? NULL : key);
	buf__puts(&out->pending, value->json);
}

static void out_json__end(struct out *out, enum out_kind kind)
{
	const struct out_frame *top = out__top(out);
	bool is_lines = out_json__is_lines(out);

	if (out->depth == 1 && kind == OUT_TABLE) {
		if (is_lines)
			return;
		if (top->nr)
			out_json__newline(out, 1);
		buf__puts(&out->pending, "]\n}\n");
		return;
	}
	if (top->nr && !out_json__is_compact(out))
		out_json__newline(out, out_json__depth(out) - 1);
	buf__puts(&out->pending, kind == OUT_TABLE || kind == OUT_LIST ? "]" : "}");
	if (out->depth == 1 || (out->depth == 2 && kind == OUT_ROW && is_lines))
		buf__puts(&out->pending, "\n");
	if (kind == OUT_ROW)
		out__drain(out);
}

static void out_json__note(struct out *out, const char *text)
{
	(void)out;
	(void)text;
}

static void out_json__finish(struct out *out)
{
	(void)out;
}

const struct out_ops out_json_ops = {
	.begin = out_json__begin,
	.value = out_json__value,
	.end = out_json__end,
	.note = out_json__note,
	.finish = out_json__finish,
};
