/* SPDX-License-Identifier: BSD-2-Clause */
/* Taking everything away that is ours, by name, so that it works on pins of another version and on torn sets too. */
#include "agent/datapath_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool is_our_name(const char *name)
{
	static const char *const prefixes[] = { "new_", "next_", "new_next_" };
	struct dp_attachment att;

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
		if (!strncmp(name, prefixes[i], strlen(prefixes[i])))
			return is_our_name(name + strlen(prefixes[i]));
	for (int m = 0; m < DP_NR_MAPS; m++)
		if (!strcmp(name, dp_map_defs[m].name))
			return true;
	for (int p = 0; p < DP_NR_PROGS; p++)
		if (!strcmp(name, dp_prog_pins[p]))
			return true;
	return !strcmp(name, "writer") || !strncmp(name, "clsact_", 7) || !strncmp(name, "netns_", 6) ||
	       dp_attachment__parse(name, &att);
}

struct removal {
	const char *pin_dir;
	struct pintle_err *err;
};

static int remove_ours(void *arg, const char *name)
{
	const struct removal *removal = arg;

	return is_our_name(name) ? pins__remove(removal->pin_dir, name, removal->err) : 0;
}

int dp__remove_pins(const char *pin_dir, struct pintle_err *err)
{
	struct removal removal = { pin_dir, err };
	int ret;

	/* First the pin that makes a set complete: cut short from here on, it is a torn set, which the next load clears away. */
	ret = pins__remove(pin_dir, dp_map_defs[DP_MAP_META].name, err);
	return ret ? ret : pins__each(pin_dir, remove_ours, &removal, err);
}

static bool is_forward(const struct dp_attachment *att)
{
	return att->kind == DP_KIND_XDP || att->kind == DP_KIND_TCIN;
}

/* Forward before reverse: replies to what was already steered are still translated. */
static int remove_attachments(const char *pin_dir, struct pintle_err *err)
{
	struct dp_attachment *list;
	int first = 0, ret;
	size_t nr;

	ret = dp_attachment__list(pin_dir, &list, &nr, err);
	if (ret)
		return ret;
	for (int reverse = 0; reverse < 2; reverse++) {
		for (size_t i = 0; i < nr; i++) {
			if (is_forward(&list[i]) == !!reverse)
				continue;
			ret = dp_attachment__remove(pin_dir, &list[i], first ? NULL : err);
			if (!first)
				first = ret;
		}
	}
	free(list);
	return first;
}

int datapath__remove(const char *pin_dir, struct pintle_err *err)
{
	int fd, ret;

	fd = pins__open_dir(pin_dir, false, err);
	if (fd == -ENOENT)
		return pintle_err__set(err, fd, "nothing is attached: %s does not exist", pin_dir);
	if (fd < 0)
		return fd;
	ret = pins__lock(fd, pin_dir, DP_LOCK_WAIT_MS, err);
	if (!ret) {
		ret = remove_attachments(pin_dir, err);
		if (!ret)
			ret = dp__remove_pins(pin_dir, err);
		/* Stays if it is a mount point or holds something that is not ours. */
		if (!ret && rmdir(pin_dir) && errno != ENOTEMPTY && errno != EBUSY)
			ret = pintle_err__set(err, -errno, "%s: cannot remove: %s", pin_dir, strerror(errno));
		pins__unlock(fd);
	}
	close(fd);
	return ret;
}
