/* SPDX-License-Identifier: BSD-2-Clause */
/* A string that grows. Running out of memory sticks: later calls do nothing and buf__error() says so. */
#ifndef PINTLE_AGENT_BUF_H
#define PINTLE_AGENT_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

struct buf {
	char *data; /* NUL-terminated when not NULL */
	size_t len;
	size_t capacity;
	bool failed;
};

void buf__append(struct buf *buf, const char *data, size_t bytes);
void buf__puts(struct buf *buf, const char *text);
void buf__printf(struct buf *buf, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void buf__vprintf(struct buf *buf, const char *fmt, va_list args) __attribute__((format(printf, 2, 0)));
const char *buf__str(const struct buf *buf); /* "" when empty; valid until the next change */
int buf__error(const struct buf *buf);	     /* 0 or -ENOMEM */
void buf__clear(struct buf *buf);	     /* keeps the memory */
void buf__free(struct buf *buf);

/* Bytes of the valid UTF-8 sequence at `text` (1..4), 0 when it is not valid. NUL is not. */
size_t utf8__sequence(const char *text);
/* Appends `text` with each byte that is not UTF-8, and each control character, replaced by '?': safe for a terminal and for JSON. */
void buf__puts_clean(struct buf *buf, const char *text);
/* Columns of a terminal that clean text takes: one per code point. */
size_t utf8__columns(const char *text);

#endif
