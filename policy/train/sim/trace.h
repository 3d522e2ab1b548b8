/* SPDX-License-Identifier: BSD-2-Clause */
/* Token counts of LLM requests, as work. */
#ifndef PINTLE_TRAIN_TRACE_H
#define PINTLE_TRAIN_TRACE_H

#include <stdint.h>

/* A request's work on an idle server: 0.1 ms a context token and 20 ms a generated one. */
#define TRACE_CONTEXT_NS 100000ull
#define TRACE_GENERATED_NS 20000000ull
#define TRACE_ROWS_MAX (1u << 20)

/*
 * Work of each request of the Azure LLM inference trace 2023 (conversation and code), ns, *ret_nr entries to be freed by the caller. `dir` NULL:
 * a synthetic stand-in of 16384 log-normal draws with the means and medians of the trace's two halves, always the same.
 * -ENOENT (a file is absent; ret_why says where to get it), -EBADMSG (a line is no row), -ENOMEM.
 */
int trace__work(const char *dir, uint64_t **ret_work_ns, uint32_t *ret_nr, char ret_why[160]);

#endif
