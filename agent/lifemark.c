/* SPDX-License-Identifier: BSD-2-Clause */
#include "agent/lifemark.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/out.h"
#include "agent/rundir.h"

#define STEM "table"
#define BOOT_ID_BYTES 64

static int read_boot_id(char out[BOOT_ID_BYTES])
{
	FILE *f = fopen("/proc/sys/kernel/random/boot_id", "re");
	int ret = -EIO;

	if (!f)
		return -errno;
	if (fgets(out, BOOT_ID_BYTES, f)) {
		out[strcspn(out, "\n")] = '\0';
		ret = 0;
	}
	fclose(f);
	return ret;
}

struct mark {
	const char *pin_dir;
	char boot_id[BOOT_ID_BYTES];
};

static int mark__put(FILE *file, const void *arg)
{
	const struct mark *mark = arg;
	struct out *out = out__open(file, OUT_JSON);

	if (!out)
		return -ENOMEM;
	out__record(out, NULL, NULL);
	out__str(out, "pin_dir", NULL, mark->pin_dir);
	out__str(out, "boot_id", NULL, mark->boot_id);
	out__end(out);
	return out__close(out);
}

int lifemark__write(const char *run_dir, const char *pin_dir, struct pintle_err *err)
{
	struct mark mark = { .pin_dir = pin_dir };
	int ret = read_boot_id(mark.boot_id);

	if (ret)
		return pintle_err__set(err, ret, "cannot read the kernel's boot id: %s", strerror(-ret));
	return rundir__replace(run_dir, STEM, pin_dir, mark__put, &mark, err);
}

bool lifemark__is_there(const char *run_dir, const char *pin_dir)
{
	char boot_id[BOOT_ID_BYTES], *text;
	const cJSON *said;
	bool is_there;
	size_t bytes;
	cJSON *json;

	if (read_boot_id(boot_id) || rundir__slurp(run_dir, STEM, pin_dir, &text, &bytes, NULL))
		return false;
	json = cJSON_ParseWithLength(text, bytes);
	free(text);
	said = cJSON_GetObjectItem(json, "boot_id");
	is_there = cJSON_IsString(said) && !strcmp(said->valuestring, boot_id);
	cJSON_Delete(json);
	return is_there;
}

int lifemark__remove(const char *run_dir, const char *pin_dir, struct pintle_err *err)
{
	char path[PATH_MAX];
	int ret = rundir__path(run_dir, STEM, pin_dir, ".json", path, sizeof(path));

	if (!ret && unlink(path) && errno != ENOENT)
		ret = -errno;
	return ret ? pintle_err__set(err, ret, "%s: the file that says that there is a table: %s", run_dir, strerror(-ret)) : 0;
}

void lifemark__declare_lost(struct pintle_ctl *ctl, uint64_t now_ns, uint64_t for_ns)
{
	__atomic_store_n(&ctl->recover_until_ns, for_ns ? now_ns + for_ns : 0, __ATOMIC_RELEASE);
}

bool lifemark__after_load(const char *run_dir, const char *pin_dir, bool made_maps, struct pintle_ctl *ctl, uint64_t now_ns)
{
	bool is_lost = made_maps && lifemark__is_there(run_dir, pin_dir);

	if (is_lost)
		lifemark__declare_lost(ctl, now_ns, LIFEMARK_RECOVER_NS);
	return is_lost;
}

uint64_t lifemark__lost_ns(const struct pintle_ctl *ctl, uint64_t now_ns)
{
	uint64_t until_ns = __atomic_load_n(&ctl->recover_until_ns, __ATOMIC_ACQUIRE);

	return until_ns > now_ns ? until_ns - now_ns : 0;
}
