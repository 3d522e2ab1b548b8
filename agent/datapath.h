/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The programs and maps: load, pin, attach, upgrade, detach. The only file that loads BPF.
 *
 * Pins, under one directory (default /sys/fs/bpf/pintle): every map of maps.h by its name; programs as prog_xdp, prog_tc, prog_rev_up,
 * prog_rev_veth, prog_sweep, prog_probe; one link per attachment as link_<kind>_<ifindex> (kinds: xdp, tcin, tceg, rev). bpffs refuses '.'.
 * Where TCX does not exist (before 6.6) clsact filters with fixed priority and handle stand in for the pinned TC links.
 */
#ifndef PINTLE_AGENT_DATAPATH_H
#define PINTLE_AGENT_DATAPATH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/err.h"
#include "agent/tables.h"

#define DATAPATH_PIN_DIR "/sys/fs/bpf/pintle"

enum datapath_hook { HOOK_AUTO = 0, HOOK_XDP, HOOK_TC };

struct datapath; /* open maps and programs, mapped memory */

/* Opens what is pinned under `pin_dir`. -ENOENT: nothing attached (message says how); -EPROTO: pins of another ABI version (message names both
 * versions and the way out); `writable` false maps everything read-only. */
int datapath__open(const char *pin_dir, bool writable, struct datapath **ret_dp, struct pintle_err *err);
void datapath__close(struct datapath *dp);

/* Loads the embedded object. With pins present, their maps, sizes and seeds are reused and every attached program is replaced in place
 * (bpf_link_update, or atomic filter replace): the upgrade. Otherwise makes and pins everything from `sizes` (its hz is found here).
 * Holds the lock of the directory while it works (-EBUSY names the other process). -EOPNOTSUPP: this kernel cannot; -EPERM names the
 * missing capabilities; -ENODEV: no bpffs, with the mount command; -EPROTO: what is pinned cannot be used, with the way out. */
int datapath__load(const char *pin_dir, const struct table_sizes_in *sizes, struct datapath **ret_dp, struct pintle_err *err);
/* Whether datapath__load() made the maps, as judged under the lock: who fails afterwards may then remove them. */
bool datapath__made_maps(const struct datapath *dp);
/* Lets libbpf and the verifier speak on stderr (-vv); else what they say on a failure is part of the error message. */
void datapath__set_verbose(bool verbose);

/* The one who writes tables: the agent as long as it runs, or attach -c. Held until datapath__close(). -EBUSY names the other. */
int datapath__lock_writer(struct datapath *dp, struct pintle_err *err);
/* Is there one? `out` says who: "process 812 (pintle)". */
bool datapath__has_writer(const struct datapath *dp, char *out, size_t out_bytes);
/* True once the pins were removed (pintle detach): what this process has open is attached to nothing any more. */
bool datapath__is_removed(const struct datapath *dp);

/* Attaches to an uplink: the forward program by XDP or at TC ingress, the reverse program at TC egress. HOOK_AUTO: TC on a veth or when native XDP fails
 * its self-test, else XDP. *ret_hook and `ret_why` (text for the user) say what was chosen. Idempotent. -EBUSY names a foreign program. */
int datapath__attach_uplink(struct datapath *dp, uint32_t ifindex, enum datapath_hook hook, enum datapath_hook *ret_hook,
			    char ret_why[128], struct pintle_err *err);
/* Reverse program at TC ingress of a pod's host-side device; idempotent. detach is not an error when absent. */
int datapath__attach_pod(struct datapath *dp, uint32_t ifindex, struct pintle_err *err);
int datapath__detach_pod(struct datapath *dp, uint32_t ifindex, struct pintle_err *err);
/* Removes every link, filter and pin that is ours, and nothing else; the directory too. */
int datapath__remove(const char *pin_dir, struct pintle_err *err);

struct datapath_link {
	uint32_t ifindex;
	char kind[8]; /* xdp, tcin, tceg, rev */
	uint32_t prog_id;
	bool is_tcx;   /* pinned TCX link; false for XDP links and clsact filters */
	bool is_alive; /* the device still exists and our program is on it */
};
/* Fills up to max entries; returns their number (which may exceed max) or -errno. */
int datapath__links(const struct datapath *dp, struct datapath_link *links, int max, struct pintle_err *err);

const struct table_maps *datapath__maps(const struct datapath *dp);    /* shared memory; pointers live as long as dp */
int datapath__map_fd(const struct datapath *dp, const char *map_name); /* "pt_events"; -ENOENT */
/* tables_grace_fn. Returns when every program run that began before has ended: see datapath_grace.c. */
int datapath__grace(void *dp);

struct datapath_map_info {
	const char *name, *help;
	uint32_t entries, key_bytes, value_bytes;
	uint64_t memory_bytes; /* as the kernel accounts for it */
};
/* Maps by number from 0; -ENOENT behind the last. */
int datapath__map_info(const struct datapath *dp, unsigned int nr, struct datapath_map_info *ret, struct pintle_err *err);

/* Ticks a second of this kernel (CONFIG_HZ): the age clocks of the flow table count 1 << meta->fine_shift of them. 0 = unknown. */
uint32_t datapath__hz(void);
/* Runs the sweep over a range of buckets; counts are added to *sweep. */
int datapath__sweep(const struct datapath *dp, struct pintle_sweep *sweep, struct pintle_err *err);
/* Sends `nr` probe frames into devmap slot by the XDP redirect path (live frames). */
int datapath__probe_redirect(const struct datapath *dp, uint32_t devmap, const uint8_t dmac[6], const uint8_t smac[6],
			     unsigned int nr, struct pintle_err *err);
int datapath__devmap_set(const struct datapath *dp, uint32_t slot, uint32_t ifindex,
			 struct pintle_err *err); /* ifindex 0 clears */

/* Sums of per-CPU values. counts[PINTLE_V_MAX]. */
int datapath__verdicts(const struct datapath *dp, uint64_t *counts, struct pintle_err *err);
int datapath__traffic(const struct datapath *dp, uint32_t pod, struct pintle_traffic *ret, struct pintle_err *err);
int datapath__pod_stats(const struct datapath *dp, uint32_t detail_slot, struct pintle_pod_stats *ret, struct pintle_err *err);
/* table_maps.forget: zeroes on all CPUs; part of datapath__maps(). */
int datapath__forget_pod(void *dp, uint16_t pod, uint32_t detail_slot, struct pintle_err *err);

#endif
