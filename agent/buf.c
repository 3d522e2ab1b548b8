/* SPDX-License-Identifier: BSD-2-Clause */
#include "agent/buf.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool buf__reserve(struct buf *buf, size_t more)
{
	size_t wanted = buf->capacity ? buf->capacity : 64;
	char *data;

	if (buf->failed || more > SIZE_MAX / 4 - buf->len) {
		buf->failed = true;
		return false;
	}
	if (buf->data && buf->len + more < buf->capacity)
		return true;
	while (wanted <= buf->len + more)
		wanted *= 2;
	data = realloc(buf->data, wanted);
	if (!data) {
		buf->failed = true;
		return false;
	}
	buf->data = data;
	buf->capacity = wanted;
	return true;
}

void buf__append(struct buf *buf, const char *data, size_t bytes)
{
	if (!buf__reserve(buf, bytes))
		return;
	if (bytes)
		memcpy(buf->data + buf->len, data, bytes);
	buf->len += bytes;
	buf->data[buf->len] = '\0';
}

void buf__puts(struct buf *buf, const char *text)
{
	buf__append(buf, text, strlen(text));
}

void buf__vprintf(struct buf *buf, const char *fmt, va_list args)
{
	va_list again;
	int bytes;

	va_copy(again, args);
	bytes = vsnprintf(NULL, 0, fmt, args);
	if (bytes < 0)
		buf->failed = true;
	else if (buf__reserve(buf, (size_t)bytes))
		buf->len += (size_t)vsnprintf(buf->data + buf->len, (size_t)bytes + 1, fmt, again);
	va_end(again);
}

void buf__printf(struct buf *buf, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	buf__vprintf(buf, fmt, args);
	va_end(args);
}

const char *buf__str(const struct buf *buf)
{
	return buf->data ? buf->data : "";
}

int buf__error(const struct buf *buf)
{
	return buf->failed ? -ENOMEM : 0;
}

void buf__clear(struct buf *buf)
{
	buf->len = 0;
	if (buf->data)
		buf->data[0] = '\0';
}

void buf__free(struct buf *buf)
{
	free(buf->data);
	*buf = (struct buf){ 0 };
}

/* RFC 3629: shortest form only, no surrogates, nothing above U+10FFFF. */
static bool utf8__is_valid(uint32_t point, size_t length)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };

	return point >= least[length] && point <= 0x10ffff && !(point >= 0xd800 && point <= 0xdfff);
}

size_t utf8__sequence(const char *text)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t length, i;
	uint32_t point;

	if (s[0] < 0x80)
		return s[0] ? 1 : 0;
	if (s[0] < 0xc2 || s[0] > 0xf4)
		return 0;
	length = s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
	point = s[0] & (0x7fu >> length);
	for (i = 1; i < length; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		point = point << 6 | (s[i] & 0x3f);
	}
	return utf8__is_valid(point, length) ? length : 0;
}

void buf__puts_clean(struct buf *buf, const char *text)
{
	while (*text) {
		size_t length = utf8__sequence(text);
		unsigned char first = (unsigned char)*text;
		bool is_control = first < 0x20 || first == 0x7f ||
				  (length == 2 && first == 0xc2 && (unsigned char)text[1] < 0xa0);

		if (!length || is_control)
			buf__append(buf, "?", 1);
		else
			buf__append(buf, text, length);
		text += length ? length : 1;
	}
}

size_t utf8__columns(const char *text)
{
	size_t columns = 0;

	for (; *text; text++)
		columns += ((unsigned char)*text & 0xc0) != 0x80;
	return columns;
}
