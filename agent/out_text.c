/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Text for people. Pairs of a record are held back until the record ends or a container begins in it, and rows of a table until there are
 * TEXT_ROWS of them, so that columns can be aligned; later rows use the same widths.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/out_backend.h"

#define TEXT_ROWS 512
#define TEXT_COLUMNS 32
#define TEXT_GAP 2

/* Strings one after the other in one buffer. */
struct strings {
	struct buf data;
	size_t *offsets;
	size_t nr, capacity;
};

struct text_column {
	size_t width;
	bool is_number;
};

struct text {
	struct strings labels, values; /* pairs of the open record */
	struct strings header, cells;  /* of the open table; cells by row */
	struct text_column columns[TEXT_COLUMNS];
	size_t nr_columns;     /* of the first row */
	size_t column;	       /* next in the open row */
	bool has_header;       /* printed: widths are fixed */
	unsigned int indent;   /* of the open table */
	struct buf list;       /* of the open list */
	struct buf list_label; /* of the open list, or of the table or record begun last */
};

static void strings__add(struct strings *strings, const char *text)
{
	if (strings->nr == strings->capacity) {
		size_t capacity = strings->capacity ? strings->capacity * 2 : 64;
		size_t *offsets = realloc(strings->offsets, capacity * sizeof(*offsets));

		if (!offsets) {
			strings->data.failed = true;
			return;
		}
		strings->offsets = offsets;
		strings->capacity = capacity;
	}
	strings->offsets[strings->nr] = strings->data.len;
	buf__append(&strings->data, text, strlen(text) + 1);
	if (!buf__error(&strings->data))
		strings->nr++;
}

static const char *strings__get(const struct strings *strings, size_t i)
{
	return i < strings->nr ? strings->data.data + strings->offsets[i] : "";
}

static void strings__clear(struct strings *strings)
{
	strings->nr = 0;
	buf__clear(&strings->data);
}

static void strings__free(struct strings *strings)
{
	free(strings->offsets);
	buf__free(&strings->data);
}

static struct text *out_text__state(struct out *out)
{
	if (!out->priv)
		out->priv = calloc(1, sizeof(struct text));
	if (!out->priv)
		out->error = out->error ? out->error : -ENOMEM;
	return out->priv;
}

static void out_text__pad(struct out *out, size_t columns)
{
	buf__printf(&out->pending, "%*s", (int)columns, "");
}

static unsigned int out_text__indent(const struct out *out)
{
	return out->depth ? (out->depth - 1) * 2 : 0;
}

static void out_text__pairs(struct out *out, struct text *text)
{
	size_t width = 0, i;

	for (i = 0; i < text->labels.nr; i++) {
		size_t columns = utf8__columns(strings__get(&text->labels, i));

		width = columns > width ? columns : width;
	}
	for (i = 0; i < text->labels.nr; i++) {
		const char *label = strings__get(&text->labels, i);

		out_text__pad(out, out_text__indent(out));
		buf__puts(&out->pending, label);
		out_text__pad(out, width - utf8__columns(label) + TEXT_GAP);
		buf__printf(&out->pending, "%s\n", strings__get(&text->values, i));
	}
	strings__clear(&text->labels);
	strings__clear(&text->values);
	out__drain(out);
}

static void out_text__cell(struct out *out, const struct text *text, size_t column, const char *cell)
{
	const struct text_column *c = &text->columns[column];
	size_t columns = utf8__columns(cell);
	size_t pad = c->width > columns ? c->width - columns : 0;

	if (column)
		out_text__pad(out, TEXT_GAP);
	if (c->is_number)
		out_text__pad(out, pad);
	buf__puts(&out->pending, cell);
	if (!c->is_number && column + 1 < text->nr_columns)
		out_text__pad(out, pad);
}

static void out_text__line(struct out *out, const struct text *text, const struct strings *cells, size_t first)
{
	size_t i;

	out_text__pad(out, text->indent);
	for (i = 0; i < text->nr_columns; i++)
		out_text__cell(out, text, i, strings__get(cells, first + i));
	buf__puts(&out->pending, "\n");
}

/* Prints the rows held back, the header before the first ones. */
static void out_text__rows(struct out *out, struct text *text)
{
	size_t i;

	if (!text->nr_columns || !text->cells.nr)
		return;
	if (!text->has_header) {
		out_text__line(out, text, &text->header, 0);
		text->has_header = true;
	}
	for (i = 0; i + text->nr_columns <= text->cells.nr; i += text->nr_columns)
		out_text__line(out, text, &text->cells, i);
	strings__clear(&text->cells);
	out__drain(out);
}

static void out_text__title(struct out *out, const char *label, const char *rest)
{
	out_text__pad(out, out_text__indent(out));
	buf__printf(&out->pending, "%s:%s\n", label, rest);
}

/* The label, or the key with blanks for underscores. */
static void out_text__spaced(struct buf *buf, const char *key, const char *label)
{
	char *c;

	buf__clear(buf);
	buf__puts(buf, label ? label : "");
	for (c = buf->data; c && label == key && *c; c++)
		*c = *c == '_' ? ' ' : *c;
}

static void out_text__begin_table(struct out *out, struct text *text)
{
	strings__clear(&text->header);
	strings__clear(&text->cells);
	text->nr_columns = 0;
	text->has_header = false;
	text->indent = out->depth * 2;
}

static bool out_text__is_hidden(const struct out_frame *parent, const char *label)
{
	return (parent && (parent->is_hidden || parent->kind == OUT_LIST)) || (label && !*label);
}

static void out_text__begin(struct out *out, enum out_kind kind, const char *key, const char *label)
{
	struct text *text = out_text__state(out);
	const struct out_frame *top = out__top(out);

	if (!text || out_text__is_hidden(top, label))
		return;
	if (kind == OUT_LIST) {
		buf__clear(&text->list);
		out_text__spaced(&text->list_label, key, label);
	} else if (kind == OUT_ROW) {
		text->column = 0;
	} else if (!top || top->kind == OUT_RECORD) {
		out_text__pairs(out, text);
		out_text__spaced(&text->list_label, key, label);
		if (top && kind == OUT_RECORD)
			out_text__title(out, buf__str(&text->list_label), "");
		if (!top && out->nr_documents)
			buf__puts(&out->pending, "\n");
		if (kind == OUT_TABLE)
			out_text__begin_table(out, text);
	}
}

static bool out_text__in_row(const struct out *out)
{
	unsigned int i;

	for (i = 0; i < out->depth; i++) {
		if (out->frames[i].kind == OUT_ROW)
			return true;
	}
	return false;
}

static void out_text__header(struct text *text, const char *label, bool is_number)
{
	char upper[64];
	size_t i;

	for (i = 0; label[i] && i < sizeof(upper) - 1; i++) {
		char c = label[i];

		upper[i] = c == '_' ? ' ' : c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
	}
	upper[i] = '\0';
	strings__add(&text->header, upper);
	text->columns[text->nr_columns++] = (struct text_column){ .width = utf8__columns(upper), .is_number = is_number };
}

static void out_text__add(struct out *out, struct text *text, const char *key, const char *label, const char *value,
			  bool is_number)
{
	char spaced[64];
	size_t i;

	if (!out_text__in_row(out)) {
		for (i = 0; label[i] && i < sizeof(spaced) - 1; i++)
			spaced[i] = label == key && label[i] == '_' ? ' ' : label[i];
		spaced[i] = '\0';
		strings__add(&text->labels, spaced);
		strings__add(&text->values, value);
		return;
	}
	/* The first row names the columns: while it is open, there are as many cells as columns. */
	if (!text->has_header && text->cells.nr == text->nr_columns && text->column == text->nr_columns &&
	    text->nr_columns < TEXT_COLUMNS)
		out_text__header(text, label, is_number);
	if (text->column >= text->nr_columns)
		return;
	if (!text->has_header) {
		struct text_column *c = &text->columns[text->column];
		size_t columns = utf8__columns(value);

		c->width = columns > c->width ? columns : c->width;
		c->is_number |= is_number;
	}
	strings__add(&text->cells, value);
	text->column++;
}

static void out_text__value(struct out *out, const char *key, const char *label, const struct out_value *value)
{
	struct text *text = out_text__state(out);
	const struct out_frame *top = out__top(out);

	if (!text || top->is_hidden || (label && !*label))
		return;
	if (top->kind == OUT_LIST)
		buf__printf(&text->list, "%s%s", top->nr ? ", " : "", value->text);
	else
		out_text__add(out, text, key, label, value->text, value->is_number);
}

static void out_text__end_table(struct out *out, struct text *text, const struct out_frame *table)
{
	if (table->nr) {
		out_text__rows(out, text);
		return;
	}
	out->depth--; /* the title stands at the level of the table's parent */
	out_text__title(out, buf__str(&text->list_label), " none");
	out->depth++;
}

static void out_text__end(struct out *out, enum out_kind kind)
{
	struct text *text = out_text__state(out);
	const struct out_frame *top = out__top(out);

	if (!text || top->is_hidden)
		return;
	switch (kind) {
	case OUT_RECORD:
		if (!out_text__in_row(out))
			out_text__pairs(out, text);
		break;
	case OUT_TABLE:
		if (!out_text__in_row(out))
			out_text__end_table(out, text, top);
		break;
	case OUT_ROW:
		while (text->column < text->nr_columns) {
			strings__add(&text->cells, "");
			text->column++;
		}
		if (text->has_header || text->cells.nr >= TEXT_ROWS * text->nr_columns)
			out_text__rows(out, text);
		break;
	case OUT_LIST:
		out_text__add(out, text, NULL, buf__str(&text->list_label), text->list.len ? buf__str(&text->list) : "-",
			      false);
		break;
	}
}

static void out_text__flush(struct out *out)
{
	if (out->priv)
		out_text__rows(out, out->priv);
}

static void out_text__note(struct out *out, const char *note)
{
	struct text *text = out_text__state(out);

	if (!text)
		return;
	if (out->depth)
		out_text__pairs(out, text);
	out_text__pad(out, out_text__indent(out));
	buf__printf(&out->pending, "%s\n", note);
	out__drain(out);
}

static void out_text__finish(struct out *out)
{
	struct text *text = out->priv;

	if (!text)
		return;
	if (text->labels.data.failed || text->values.data.failed || text->header.data.failed || text->cells.data.failed ||
	    text->list.failed || text->list_label.failed)
		out->pending.failed = true;
	strings__free(&text->labels);
	strings__free(&text->values);
	strings__free(&text->header);
	strings__free(&text->cells);
	buf__free(&text->list);
	buf__free(&text->list_label);
	free(text);
	out->priv = NULL;
}

const struct out_ops out_text_ops = {
	.begin = out_text__begin,
	.value = out_text__value,
	.end = out_text__end,
	.note = out_text__note,
	.flush = out_text__flush,
	.finish = out_text__finish,
};
