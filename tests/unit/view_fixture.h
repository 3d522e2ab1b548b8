/* SPDX-License-Identifier: BSD-2-Clause */
/* A node in plain memory for the tests of the viewing verbs: three services, six flows, counters that are made up. */
#ifndef PINTLE_TESTS_VIEW_FIXTURE_H
#define PINTLE_TESTS_VIEW_FIXTURE_H

#include "agent/names.h"
#include "agent/tables.h"
#include "agent/view.h"
#include "tests/unit/tables_fixture.h"

#define VIEW_MONO_NS 5000000000000ull /* "now" of the views */

extern struct arena view_arena;
extern struct tables *view_tables;
extern struct names *view_names;	    /* may be set to NULL (and freed) by a test, before view_fixture__reopen() */
extern struct delivery_report *view_report; /* the same; NULL after setup */
extern struct view view_opened;

void view_fixture__setup(void); /* checked fixtures */
void view_fixture__teardown(void);
void view_fixture__reopen(void);	     /* after the memory was changed by hand */
void view_fixture__report(const char *json); /* loads it from a file, as the agent would leave it; NULL: none */
uint16_t view_fixture__pod(const char *text);

#endif
