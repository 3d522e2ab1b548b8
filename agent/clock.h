/* SPDX-License-Identifier: BSD-2-Clause */
/* Clocks and their text. */
#ifndef PINTLE_AGENT_CLOCK_H
#define PINTLE_AGENT_CLOCK_H

#include <stddef.h>
#include <stdint.h>

uint64_t clock__monotonic_ns(void); /* CLOCK_MONOTONIC, as bpf_ktime_get_ns() */
uint64_t clock__realtime_ns(void);

#define CLOCK_TEXT_BYTES 32
/* "2026-01-31T12:00:00.000Z". */
void clock__format(uint64_t realtime_ns, char out[CLOCK_TEXT_BYTES]);
/* "1.50 ms", "2 h 3 m": at most 3 figures. */
void clock__format_duration(uint64_t ns, char *out, size_t out_bytes);

#endif
