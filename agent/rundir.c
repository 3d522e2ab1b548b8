/* SPDX-License-Identifier: BSD-2-Clause */
#include "agent/rundir.h"

#include <errno.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* FNV-1a, 64 bits. */
static uint64_t rundir__hash(const char *text, size_t bytes)
{
	uint64_t hash = 0xcbf29ce484222325ull;
	size_t i;

	for (i = 0; i < bytes; i++)
		hash = (hash ^ (unsigned char)text[i]) * 0x100000001b3ull;
	return hash;
}

int rundir__path(const char *run_dir, const char *stem, const char *pin_dir, const char *suffix, char *out, size_t out_bytes)
{
	size_t bytes = strlen(pin_dir);
	int n;

	while (bytes > 1 && pin_dir[bytes - 1] == '/')
		bytes--;
	n = snprintf(out, out_bytes, "%s/%s-%016" PRIx64 "%s", run_dir, stem, rundir__hash(pin_dir, bytes), suffix);
	return n < 0 || (size_t)n >= out_bytes ? -ENAMETOOLONG : 0;
}

int rundir__make(const char *run_dir, struct pintle_err *err)
{
	if (!mkdir(run_dir, 0755) || errno == EEXIST)
		return 0;
	return pintle_err__set(err, -errno, "%s: cannot be made: %s; choose another with --run-dir", run_dir, strerror(errno));
}
