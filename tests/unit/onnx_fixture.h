/* SPDX-License-Identifier: BSD-2-Clause */
/* ONNX files for tests: the golden ones as messages that may be changed at will. */
#ifndef PINTLE_TESTS_UNIT_ONNX_FIXTURE_H
#define PINTLE_TESTS_UNIT_ONNX_FIXTURE_H

#include <stddef.h>

#include "agent/onnx.h"
#include "agent/onnx_tensor.h"

extern struct float_net net; /* what was parsed last; too large for the stack */

/* tests/golden/onnx/NAME SUFFIX, the caller's to free. */
char *read_golden(const char *name, const char *suffix, size_t *ret_bytes);
/* The messages of NAME.script.onnx, in memory that nobody frees. */
Onnx__Model *read_model(const char *name);
/* Packs and parses into `net`, which stays untouched when that fails. */
int parse_model(const Onnx__Model *m, struct pintle_err *err);

#endif
