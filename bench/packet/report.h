/* SPDX-License-Identifier: BSD-2-Clause */
/* Results: kept, printed as a table or as JSON lines, compared with the bars. */
#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H

#include <stdbool.h>

#include "cases.h"
#include "row.h"

#define REPORT_NULL_ROW "null"

struct report;

/* json_path NULL: none. Prints the machine. */
struct report *report__open(bool is_jsonl, const char *json_path, unsigned int rounds);
/* Rows of one case, the null row first. */
void report__case(struct report *r, const struct bench_case *bc, const struct row *rows, unsigned int nr_rows);
/* Prints the bars whose rows were measured; exit code for a gate that allows `margin` (0.1 = 10 %). */
int report__bars(struct report *r, double margin);
void report__close(struct report *r);

#endif
