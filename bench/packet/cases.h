/* SPDX-License-Identifier: BSD-2-Clause */
/* The table of cases, their rows, and the bars that are derived from them. */
#ifndef BENCH_CASES_H
#define BENCH_CASES_H

#include <stdbool.h>
#include <stddef.h>

#include "row.h"

struct case_def {
	struct bench_case bc;
	bool is_quick;	  /* also part of --quick */
	const char *rows; /* names separated by blanks; "name:args" gives arguments to the plugin */
};

extern const struct case_def case_defs[];
extern const size_t nr_case_defs;

/* Program of a named row under a case, or NULL if there is none. */
const char *row_program(const char *name, const struct bench_case *bc);
bool row_is_pintle(const char *name);

/* A bar: what is computed from measured rows, and its limit. */
enum bar_kind {
	BAR_RATIO = 0, /* net of row / net of base */
	BAR_NET,       /* net ns of row */
	BAR_MINUS,     /* net of row - net of base */
	BAR_NEW_ONE,   /* (2 * net of row - net of `minus`) / net of base: SYN and RST pair, less the RST */
	BAR_PLACED,    /* share of flows placed, in percent: a floor */
};

struct bar_def {
	const char *what;
	enum bar_kind kind;
	const char *case_name, *row;
	const char *base_case, *base_row; /* base_case NULL: the same case */
	const char *minus_case;		  /* BAR_NEW_ONE: net of `row` there */
	double limit, stretch;		  /* stretch 0: none */
};

extern const struct bar_def bar_defs[];
extern const size_t nr_bar_defs;

#endif
