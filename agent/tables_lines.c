/* SPDX-License-Identifier: BSD-2-Clause */
#include "agent/tables_lines.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int lines__init(struct lines *lines, uint32_t nr)
{
	lines->words = calloc(nr / 64 + 1, sizeof(*lines->words));
	if (!lines->words)
		return -ENOMEM;
	lines->nr = nr;
	lines->used = 0;
	lines->next = 0;
	return 0;
}

void lines__destroy(struct lines *lines)
{
	free(lines->words);
	lines->words = NULL;
}

void lines__clear(struct lines *lines)
{
	memset(lines->words, 0, (lines->nr / 64 + 1) * sizeof(*lines->words));
	lines->used = 0;
}

uint32_t lines__class(uint32_t length)
{
	uint32_t power;

	if (length <= 2)
		return length;
	power = 1u << (32 - __builtin_clz(length - 1)); /* >= length */
	return length <= power / 4 * 3 ? power / 4 * 3 : power;
}

static bool is_used(const struct lines *lines, uint32_t line)
{
	return lines->words[line / 64] >> (line % 64) & 1;
}

/* Next line in [from, to) whose state is `used`; `to` when there is none. */
static uint32_t next_line(const struct lines *lines, uint32_t from, uint32_t to, bool used)
{
	while (from < to) {
		uint64_t word = used ? lines->words[from / 64] : ~lines->words[from / 64];

		word &= ~0ull << (from % 64);
		if (word) {
			from = from / 64 * 64 + (uint32_t)__builtin_ctzll(word);
			return from < to ? from : to;
		}
		from = (from / 64 + 1) * 64;
	}
	return to;
}

static uint32_t find_run(const struct lines *lines, uint32_t from, uint32_t to, uint32_t length)
{
	while ((from = next_line(lines, from, to, false)) < to) {
		uint32_t end = next_line(lines, from, to, true);

		if (end - from >= length)
			return from;
		from = end;
	}
	return NO_LINE;
}

uint32_t lines__take(struct lines *lines, uint32_t length)
{
	uint32_t size = lines__class(length), line;

	if (!size)
		return 0;
	line = find_run(lines, lines->next, lines->nr, size);
	if (line == NO_LINE)
		line = find_run(lines, 0, lines->nr, size);
	if (line == NO_LINE || !lines__mark(lines, line, length))
		return NO_LINE;
	lines->next = line + size;
	return line;
}

bool lines__mark(struct lines *lines, uint32_t line, uint32_t length)
{
	uint32_t size = lines__class(length);

	if (line > lines->nr || size > lines->nr - line)
		return false;
	for (uint32_t i = line; i < line + size; i++) {
		if (is_used(lines, i))
			return false;
	}
	for (uint32_t i = line; i < line + size; i++)
		lines->words[i / 64] |= 1ull << (i % 64);
	lines->used += size;
	return true;
}

void lines__drop(struct lines *lines, uint32_t line, uint32_t length)
{
	uint32_t size = lines__class(length);

	for (uint32_t i = line; i < line + size; i++)
		lines->words[i / 64] &= ~(1ull << (i % 64));
	lines->used -= size;
}
