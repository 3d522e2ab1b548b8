/* SPDX-License-Identifier: BSD-2-Clause */
/* Errors: functions return 0 or -errno; the optional last argument carries the story. Nothing here allocates or prints. */
#ifndef PINTLE_AGENT_ERR_H
#define PINTLE_AGENT_ERR_H

#include <stdbool.h>

#define PINTLE_ERR_BYTES 512

struct pintle_err {
	int code;		    /* -errno */
	bool is_usage;		    /* what is wrong is how a word of the command line is written */
	char msg[PINTLE_ERR_BYTES]; /* what failed, on what, why; what to try next. No newline at the end */
};

/* Sets `err` (may be NULL) and returns `code` (negative), so that failing is one expression: return pintle_err__set(...). */
int pintle_err__set(struct pintle_err *err, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Says of the error just set that a word of the command line is malformed; returns `code`. */
int pintle_err__usage(struct pintle_err *err, int code);

/* Puts "prefix: " in front of what is there; keeps the code. Returns err->code (or `code` when err is NULL). */
int pintle_err__prefix(struct pintle_err *err, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#endif
