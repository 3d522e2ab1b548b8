/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How pods are reached, for the command line: why a pod is not delivered to by redirect, and which alarms are in force, are known to the
 * process that keeps the paths only. It leaves them under the run directory, replaced by rename and only when something changed; without
 * the file, views say "unknown".
 */
#ifndef PINTLE_AGENT_DELIVERY_H
#define PINTLE_AGENT_DELIVERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/endpoint.h"
#include "agent/err.h"
#include "agent/paths.h"
#include "agent/tables.h"

/* What was written last. Zero it at first; the strings must outlive. */
struct delivery_writer {
	const char *run_dir, *pin_dir;
	uint64_t digest;
	bool is_written;
};

/* RUN_DIR/delivery-<hash of pin_dir>.json: what `paths` (NULL: nobody wants redirect) says now. After a failure the next call tries again. */
int delivery__write(struct delivery_writer *writer, const struct table_maps *maps, const struct paths *paths,
		    struct pintle_err *err);

struct delivery_reason {
	const char *text;
	bool is_unreachable; /* nothing gets there; else: it is not delivered to by redirect */
	uint32_t nr_pods;
	struct endpoint example; /* one of them */
};

struct delivery_alarm {
	const char *device, *text;
	uint32_t ifindex;
	uint64_t redirected, arrived; /* packets */
};

struct delivery_pod;
struct delivery_report {
	struct delivery_reason *reasons;
	struct delivery_alarm *alarms;
	uint32_t nr_reasons, nr_alarms, nr_pods;
	struct delivery_pod *pods; /* sorted by address */
	void *json;		   /* owns the strings */
};

/* -ENOENT when there is no file; -EINVAL when it is torn. */
int delivery__load(const char *run_dir, const char *pin_dir, struct delivery_report **ret_delivery, struct pintle_err *err);
void delivery__free(struct delivery_report *delivery); /* NULL is fine */
/* Why this pod is not delivered to by redirect; NULL: not known. */
const char *delivery__reason(const struct delivery_report *delivery, const struct endpoint *pod);
/* Is there no way to it, whatever its delivery? Then the reason says why. */
bool delivery__is_unreachable(const struct delivery_report *delivery, const struct endpoint *pod);

#endif
