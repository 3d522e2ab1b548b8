// SPDX-License-Identifier: BSD-2-Clause
/* This process, the pin directory, and who else is there. */
#include <errno.h>
#include <inttypes.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "agent/clock.h"
#include "agent/datapath_kernel.h"
#include "agent/preflight.h"

#define BPF_FS_MAGIC 0xcafe4a11
#define HEARTBEAT_FRESH_NS 15000000000ull

/* CapEff of /proc/self/status. */
static int effective_caps(uint64_t *ret_caps)
{
	FILE *file = fopen("/proc/self/status", "re");
	char line[256];
	int ret = -ENODATA;

	if (!file)
		return -errno;
	while (ret < 0 && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "CapEff: %" SCNx64, ret_caps) == 1)
			ret = 0;
	}
	fclose(file);
	return ret;
}

void preflight__process(struct preflight *pf)
{
	const char *need = "CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON";
	struct rlimit limit;
	uint64_t caps = 0;
	char missing[128];

	if (effective_caps(&caps) < 0) {
		preflight__add(pf, PREFLIGHT_UNKNOWN, "process", "capabilities", need, "mount /proc",
			       "cannot read /proc/self/status");
	} else {
		dp_kernel__missing_caps(caps, missing, sizeof(missing));
		if (missing[0])
			preflight__add(pf, PREFLIGHT_MISSING, "process", "capabilities", need,
				       "run as root, or add them to the container or unit", "missing: %s", missing);
		else
			preflight__add(pf, PREFLIGHT_OK, "process", "capabilities", need, NULL, "all");
		/* Entering pods' namespaces and finding them by process needs more. */
		if (!(caps >> 21 & 1))
			preflight__add(pf, PREFLIGHT_NOTE, "process", "CAP_SYS_ADMIN",
				       "only to turn on GRO in pods (redirect by XDP)",
				       "turn on GRO in the pods by other means (ethtool -K eth0 gro on)", "no");
	}
	if (getrlimit(RLIMIT_MEMLOCK, &limit) == 0) {
		if (limit.rlim_cur == RLIM_INFINITY)
			preflight__add(pf, PREFLIGHT_NOTE, "process", "limit of locked memory", "counts before 5.11 only", NULL,
				       "unlimited");
		else
			preflight__add(pf, PREFLIGHT_NOTE, "process", "limit of locked memory", "counts before 5.11 only", NULL,
				       "%llu bytes", (unsigned long long)limit.rlim_cur);
	}
}

/* The nearest directory upwards that exists. */
static void existing_parent(const char *path, char *out, size_t out_bytes)
{
	struct stat st;

	snprintf(out, out_bytes, "%s", path);
	while (stat(out, &st) < 0 && strlen(out) > 1) {
		char *slash = strrchr(out, '/');

		if (!slash) {
			snprintf(out, out_bytes, ".");
			return;
		}
		slash[slash == out ? 1 : 0] = '\0';
	}
}

void preflight__bpffs(struct preflight *pf, const char *pin_dir)
{
	const char *mount_it = "mount -t bpf bpf /sys/fs/bpf";
	char dir[4096], trial[4096 + 32];
	struct statfs fs;

	existing_parent(pin_dir, dir, sizeof(dir));
	if (statfs(dir, &fs) < 0) {
		preflight__add(pf, PREFLIGHT_MISSING, "bpffs", "mounted", "a bpffs at the pin directory", mount_it, "%s: %s",
			       dir, strerror(errno));
		return;
	}
	if ((uint32_t)fs.f_type != BPF_FS_MAGIC) {
		preflight__add(pf, PREFLIGHT_MISSING, "bpffs", "mounted", "a bpffs at the pin directory", mount_it,
			       "%s is not on a bpffs", pin_dir);
		return;
	}
	preflight__add(pf, PREFLIGHT_OK, "bpffs", "mounted", "a bpffs at the pin directory", NULL, "%s", dir);
	if (strchr(pin_dir + (strncmp(pin_dir, dir, strlen(dir)) == 0 ? strlen(dir) : 0), '.')) /* in what is to be made */
		preflight__add(pf, PREFLIGHT_MISSING, "bpffs", "name", "no dot: bpffs refuses it", "choose another --pin-dir",
			       "%s", pin_dir);
	/* A directory of ours that nobody else reads, made and removed. */
	snprintf(trial, sizeof(trial), "%s/pintle_check_%d", dir, (int)getpid());
	if (mkdir(trial, 0700) < 0 || rmdir(trial) < 0)
		preflight__add(pf, PREFLIGHT_MISSING, "bpffs", "writable", "pins can be made",
			       "run as root, or mount it read-write", "%s: %s", dir, strerror(errno));
	else
		preflight__add(pf, PREFLIGHT_OK, "bpffs", "writable", "pins can be made", NULL, "yes");
}

static void running_agent(struct preflight *pf, const struct datapath *dp)
{
	const struct table_maps *maps = datapath__maps(dp);
	uint64_t beat_ns = maps->ctl->heartbeat_ns, age_ns = clock__monotonic_ns() - beat_ns;
	char text[64];

	if (!beat_ns) {
		preflight__add(pf, PREFLIGHT_NOTE, "pintle", "agent", "one at most", "pintle agent",
			       "none has run with these maps");
		return;
	}
	clock__format_duration(age_ns, text, sizeof(text));
	preflight__add(pf, PREFLIGHT_NOTE, "pintle", "agent", "one at most",
		       age_ns < HEARTBEAT_FRESH_NS ? "a second one will be refused; stop the first" : "pintle agent",
		       age_ns < HEARTBEAT_FRESH_NS ? "runs (last heartbeat %s ago)" : "none runs (last heartbeat %s ago)",
		       text);
}

void preflight__other(struct preflight *pf, const char *pin_dir)
{
	const char *need = "none, or of this version";
	struct pintle_err err = { 0 };
	struct datapath *dp;
	int ret = datapath__open(pin_dir, false, &dp, &err);

	if (ret == -ENOENT || ret == -ENODEV) {
		preflight__add(pf, PREFLIGHT_OK, "pintle", "pins", need, NULL, "none under %s", pin_dir);
		return;
	}
	if (ret < 0) {
		preflight__add(pf, ret == -EPERM || ret == -EACCES ? PREFLIGHT_UNKNOWN : PREFLIGHT_MISSING, "pintle", "pins",
			       need,
			       ret == -EPROTO ? "pintle detach with the version that made them, or another --pin-dir"
					      : "see the message",
			       "%s", err.msg);
		return;
	}
	preflight__add(pf, PREFLIGHT_OK, "pintle", "pins", need, NULL, "of this version, made by %.60s",
		       datapath__maps(dp)->meta->build);
	running_agent(pf, dp);
	datapath__close(dp);
}
