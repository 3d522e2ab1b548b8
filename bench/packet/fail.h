/* SPDX-License-Identifier: BSD-2-Clause */
/* The tool keeps nothing outside its own process (no pins, no devices), so an error prints once and ends it. */
#ifndef BENCH_FAIL_H
#define BENCH_FAIL_H

enum exit_code {
	EXIT_OK = 0,
	EXIT_GATE = 1,	 /* --gate: a bar was missed by more than the margin */
	EXIT_FAILED = 2, /* could not measure: load, attach, usage */
	EXIT_WRONG = 3,	 /* a program did not do what the model says */
	EXIT_NOISY = 4,	 /* --gate: the machine is too noisy to decide */
};

__attribute__((noreturn, format(printf, 2, 3))) void fail(int code, const char *fmt, ...);
void *xcalloc(unsigned long number, unsigned long bytes);

#endif
