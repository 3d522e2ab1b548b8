/* SPDX-License-Identifier: BSD-2-Clause */
/* What a reader must know to compare numbers: CPU, kernel, mitigations, other load. */
#ifndef BENCH_MACHINE_H
#define BENCH_MACHINE_H

#include <cjson/cJSON.h>

void machine__print(void);
cJSON *machine__json(void); /* the caller's */

#endif
