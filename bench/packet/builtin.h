/* SPDX-License-Identifier: BSD-2-Clause */
/* Plugins that are part of the tool; --target names them "baseline" and "pintle" in place of a shared object. */
#ifndef BENCH_BUILTIN_H
#define BENCH_BUILTIN_H

#include "plugin.h"

extern const struct bench_plugin baseline_plugin;
extern const struct bench_plugin pintle_plugin;

#endif
