/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One tree of calls, three formats.
 *
 * A document is one record or one table. json: the record as an object, the table as {"key": [rows]}. jsonl: the record on one line, or a
 * line for each row. text: records as aligned "label  value" lines, tables as aligned columns.
 * Every member has a `key` (JSON; units in the name: _ns, _bytes) and a `label` (text; NULL = the key with blanks for underscores,
 * OUT_HIDDEN = not in text). Rows of a table have the same members in the same order. Errors stick and come out of out__close().
 */
#ifndef PINTLE_AGENT_OUT_H
#define PINTLE_AGENT_OUT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum out_format { OUT_TEXT = 0, OUT_JSON, OUT_JSONL };

#define OUT_HIDDEN ""

struct out;

struct out *out__open(FILE *file, enum out_format format); /* NULL: no memory */
/* Flushes; 0 or -errno of the first failed write, -EPROTO when containers were left open. The file stays open. */
int out__close(struct out *out);
enum out_format out__format(const struct out *out);

void out__record(struct out *out, const char *key, const char *label); /* key and label NULL in a document or a list */
void out__table(struct out *out, const char *key, const char *label);  /* its children are rows */
void out__row(struct out *out);
void out__list(struct out *out, const char *key, const char *label); /* of plain values (key NULL); "a, b" in text */
void out__end(struct out *out);					     /* closes the innermost of the four */

void out__str(struct out *out, const char *key, const char *label, const char *value); /* NULL value: null, "-" */
void out__fmt(struct out *out, const char *key, const char *label, const char *fmt, ...) __attribute__((format(printf, 4, 5)));
void out__u64(struct out *out, const char *key, const char *label, uint64_t value);
void out__i64(struct out *out, const char *key, const char *label, int64_t value);
void out__double(struct out *out, const char *key, const char *label, double value, int decimals); /* NaN, inf: null, "-" */
void out__bool(struct out *out, const char *key, const char *label, bool value);		   /* yes, no */
void out__null(struct out *out, const char *key, const char *label);
/* JSON: the number; text: 1.5 MiB; 12.3 ms. */
void out__bytes(struct out *out, const char *key, const char *label, uint64_t bytes);
void out__ns(struct out *out, const char *key, const char *label, uint64_t ns);

/* A line of text for people: nothing in JSON. Between members of the document's record or after a table. */
void out__note(struct out *out, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Writes out what is complete (a followed stream). */
void out__flush(struct out *out);

#endif
