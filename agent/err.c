/* SPDX-License-Identifier: BSD-2-Clause */
#include "agent/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int pintle_err__set(struct pintle_err *err, int code, const char *fmt, ...)
{
	va_list args;

	if (!err)
		return code;
	err->code = code;
	err->is_usage = false;
	va_start(args, fmt);
	if (vsnprintf(err->msg, sizeof(err->msg), fmt, args) < 0)
		err->msg[0] = '\0';
	va_end(args);
	return code;
}

int pintle_err__usage(struct pintle_err *err, int code)
{
	if (err)
		err->is_usage = true;
	return code;
}

int pintle_err__prefix(struct pintle_err *err, int code, const char *fmt, ...)
{
	char old[PINTLE_ERR_BYTES];
	va_list args;
	size_t used;

	if (!err)
		return code;
	memcpy(old, err->msg, sizeof(old));
	old[sizeof(old) - 1] = '\0';
	va_start(args, fmt);
	if (vsnprintf(err->msg, sizeof(err->msg), fmt, args) < 0)
		err->msg[0] = '\0';
	va_end(args);
	used = strlen(err->msg);
	/* A message that does not fit any more loses its end, never the prefix. */
	if (used + 2 < sizeof(err->msg)) {
		memcpy(err->msg + used, ": ", 3);
		used += 2;
		memccpy(err->msg + used, old, '\0', sizeof(err->msg) - used);
		err->msg[sizeof(err->msg) - 1] = '\0';
	}
	return err->code;
}
