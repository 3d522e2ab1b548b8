/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sources of services: something that yields configurations over time. The agent polls fd() and calls process() when it is readable.
 * A source never hands out a broken configuration: it reports the error and the one in force stays.
 */
#ifndef PINTLE_AGENT_SOURCE_H
#define PINTLE_AGENT_SOURCE_H

#include <stdbool.h>

#include "agent/config.h"
#include "agent/err.h"

struct source;

struct source_ops {
	const char *kind; /* "file" */
	/* `spec`: what the source reads, a path for files. Does not read yet: the first process() does. */
	int (*open)(const char *spec, struct source **ret_source, struct pintle_err *err);
	int (*fd)(const struct source *source);
	/* Never blocks. 0 with *ret_config: a new configuration, the caller's to free. 0 with NULL: nothing new. -errno: what came is unusable, *err
	 * says why; reported once for each change of the source. */
	int (*process)(struct source *source, struct pintle_config **ret_config, struct pintle_err *err);
	/* The next process() reads again, changed or not (SIGHUP). */
	void (*reload)(struct source *source);
	void (*close)(struct source *source); /* NULL is fine */
};

struct source {
	const struct source_ops *ops;
};

/* A YAML or JSON file. Noticed: writes in place, replacement by rename, swapped symbolic links (ConfigMaps), a file that appears later. */
extern const struct source_ops source_file_ops;

#endif
