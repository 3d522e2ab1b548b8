/* SPDX-License-Identifier: BSD-2-Clause */
#include "agent/keptconfig.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/rundir.h"
#include "agent/wholefile.h"
#include "policy/crc32c.h"

#define SEAL_FORMAT "\n# in force; written by pintle; bytes %010" PRIu32 ", crc32c %08" PRIx32 "\n"
#define SEAL_BYTES 66u /* of the line above, written; every field has a fixed width */
#define KEPT_MAX_BYTES (CONFIG_MAX_BYTES + SEAL_BYTES)

static void write_seal(const char *text, size_t text_bytes, char out[SEAL_BYTES + 1])
{
	snprintf(out, SEAL_BYTES + 1, SEAL_FORMAT, (uint32_t)text_bytes, crc32c(0, text, text_bytes));
}

/* Are these bytes a text and its seal? */
static bool is_whole(const char *data, size_t bytes)
{
	char seal[SEAL_BYTES + 1];

	if (bytes < SEAL_BYTES)
		return false;
	write_seal(data, bytes - SEAL_BYTES, seal);
	return !memcmp(data + bytes - SEAL_BYTES, seal, SEAL_BYTES);
}

int keptconfig__path(const char *run_dir, const char *pin_dir, char *out, size_t out_bytes)
{
	return rundir__path(run_dir, "config", pin_dir, ".yaml", out, out_bytes);
}

static int find_path(const char *run_dir, const char *pin_dir, char path[PATH_MAX], struct pintle_err *err)
{
	if (keptconfig__path(run_dir, pin_dir, path, PATH_MAX))
		return pintle_err__set(err, -ENAMETOOLONG, "%s: the path is too long", run_dir);
	return 0;
}

static bool holds(const char *path, const char *data, size_t bytes)
{
	char *there;
	size_t there_bytes;
	bool is_equal;

	if (wholefile__read(path, KEPT_MAX_BYTES, &there, &there_bytes, NULL))
		return false;
	is_equal = there_bytes == bytes && !memcmp(there, data, bytes);
	free(there);
	return is_equal;
}

int keptconfig__write(const char *run_dir, const char *pin_dir, struct pintle_config *config, struct pintle_err *err)
{
	char path[PATH_MAX], *sealed;
	size_t bytes;
	int code;

	if (!config->text)
		return 0;
	code = find_path(run_dir, pin_dir, path, err);
	if (!code)
		code = rundir__make(run_dir, err);
	if (code)
		return code;
	bytes = config->text_bytes + SEAL_BYTES;
	sealed = malloc(bytes + 1);
	if (sealed) {
		memcpy(sealed, config->text, config->text_bytes);
		write_seal(config->text, config->text_bytes, sealed + config->text_bytes);
		if (!holds(path, sealed, bytes))
			code = wholefile__replace(path, sealed, bytes, err);
		free(sealed);
	} else {
		code = pintle_err__set(err, -ENOMEM, "%s: out of memory for %zu bytes", path, bytes);
	}
	if (code) {
		(void)unlink(path);
		return code;
	}
	free(config->text);
	config->text = NULL;
	config->text_bytes = 0;
	return 0;
}

int keptconfig__load(const char *run_dir, const char *pin_dir, struct pintle_config **ret_config, struct pintle_err *err)
{
	char path[PATH_MAX], *data;
	size_t bytes;
	int code = find_path(run_dir, pin_dir, path, err);

	if (!code)
		code = wholefile__read(path, KEPT_MAX_BYTES, &data, &bytes, err);
	if (code)
		return code;
	if (is_whole(data, bytes))
		code = config__parse(path, data, bytes - SEAL_BYTES, ret_config, err);
	else
		code = pintle_err__set(err, -EINVAL, "%s: torn: its last line does not fit the rest", path);
	free(data);
	return code;
}

int keptconfig__remove(const char *run_dir, const char *pin_dir, struct pintle_err *err)
{
	char path[PATH_MAX];
	int code = find_path(run_dir, pin_dir, path, err);

	if (!code && unlink(path) && errno != ENOENT)
		code = pintle_err__set(err, -errno, "%s: cannot be removed: %s", path, strerror(errno));
	return code;
}
