// SPDX-License-Identifier: BSD-2-Clause
#include "fail.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void fail(int code, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	fflush(stdout);
	fputs("bench/packet: ", stderr);
	vfprintf(stderr, fmt, args);
	fputc('\n', stderr);
	va_end(args);
	exit(code);
}

void *xcalloc(unsigned long number, unsigned long bytes)
{
	void *memory = calloc(number, bytes);

	if (!memory)
		fail(EXIT_FAILED, "no memory for %lu x %lu bytes", number, bytes);
	return memory;
}
