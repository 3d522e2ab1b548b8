/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Events for people: one JSON object a line in a file under the run directory, rotated (one old file) when it grows beyond a bound. The agent
 * writes it, `pintle events` reads it: the ring buffer of the programs has one consumer only.
 */
#ifndef PINTLE_AGENT_EVENTLOG_H
#define PINTLE_AGENT_EVENTLOG_H

#include <stddef.h>
#include <stdint.h>

#include "agent/err.h"
#include "pintle/abi.h"

struct eventlog;
struct paths_alarm;

/* RUN_DIR/events-<hash of pin_dir>.jsonl; makes the directory. */
int eventlog__open(const char *run_dir, const char *pin_dir, struct eventlog **ret_log, struct pintle_err *err);
void eventlog__close(struct eventlog *log);
struct table_maps;
/* With them, pods and frontends are written with their addresses, not by id alone. They must outlive the log. */
void eventlog__set_maps(struct eventlog *log, const struct table_maps *maps);
uint64_t eventlog__lost(const struct eventlog *log); /* lines that could not be written */
/* At most 100 a second of one type; the next one says how many were left out. Failing to write (disk full) is logged (rate limited) and counted, never an error: traffic and the agent go on. */
void eventlog__packet(struct eventlog *log, const struct pintle_event *event);
/* A pod became unreachable (`why`), or is there again (NULL). */
void eventlog__reach(struct eventlog *log, uint16_t pod, const char *why);
void eventlog__alarm(struct eventlog *log, const struct paths_alarm *alarm);
/* Path of the file, for readers. */
int eventlog__path(const char *run_dir, const char *pin_dir, char *out, size_t out_bytes);

#endif
