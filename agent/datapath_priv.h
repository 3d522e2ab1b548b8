/* SPDX-License-Identifier: BSD-2-Clause */
/* Shared by the files of the datapath and by nobody else. */
#ifndef PINTLE_AGENT_DATAPATH_PRIV_H
#define PINTLE_AGENT_DATAPATH_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/bpf.h>

#include "agent/datapath.h"
#include "agent/pins.h"
#include "agent/tc.h"
#include "pintle/maps.h"

enum dp_map {
#define MAP_ID(id, name, type, key, value, flags, help) DP_MAP_##id,
	PINTLE_MAPS(MAP_ID)
#undef MAP_ID
		DP_NR_MAPS,
};

struct dp_map_def {
	const char *name;
	const char *help;
	uint32_t type; /* enum bpf_map_type */
	uint32_t key_bytes;
	uint32_t value_bytes;
	bool is_mmapable;
};
extern const struct dp_map_def dp_map_defs[DP_NR_MAPS];

/* Entries of a map (bytes, of the ring buffer) for the sizes in `meta`. */
uint32_t dp_map__entries(enum dp_map map, const struct pintle_meta *meta);
/* Are the words of a meta that was found pinned possible? -EPROTO names what is not. */
int dp_meta__check(const char *pin_dir, const struct pintle_meta *meta, struct pintle_err *err);
/* Is what is behind `fd` the map that `meta` promises? */
int dp_map__check(const char *pin_dir, enum dp_map map, int fd, const struct pintle_meta *meta, struct pintle_err *err);

enum dp_prog { DP_PROG_XDP, DP_PROG_TC, DP_PROG_REV_UP, DP_PROG_REV_VETH, DP_PROG_SWEEP, DP_PROG_PROBE, DP_NR_PROGS };
extern const char *const dp_prog_pins[DP_NR_PROGS];

/* Kinds of attachment; datapath_link.kind is the name. */
enum dp_kind { DP_KIND_XDP, DP_KIND_TCIN, DP_KIND_TCEG, DP_KIND_REV, DP_NR_KINDS };
struct dp_kind_def {
	const char *name;
	enum dp_prog prog;
	enum tc_point point; /* not for XDP */
};
extern const struct dp_kind_def dp_kinds[DP_NR_KINDS];

struct datapath {
	char pin_dir[PINS_DIR_BYTES];
	int dir_fd;
	int writer_fd; /* lock of the one who writes tables; -1 = not held */
	bool is_writable;
	bool made_maps; /* this process made them, a moment ago */
	int map_fds[DP_NR_MAPS];
	int prog_fds[DP_NR_PROGS];
	void *mem[DP_NR_MAPS];
	size_t mem_bytes[DP_NR_MAPS];
	struct table_maps maps;
	int grace_fd;	   /* outer map, where membarrier cannot be used; -1 = not made */
	bool is_grace_map; /* membarrier was refused once */
};

#define DP_LOCK_WAIT_MS 10000 /* a load takes well under a second on an idle machine */

/* An attachment as the pin directory tells it: a pinned link, or the note of a filter. */
struct dp_attachment {
	enum dp_kind kind;
	uint32_t ifindex;
	bool is_filter;
	char pin[32]; /* "link_xdp_4", "filter_rev_7" */
};
/* False for names that are something else. */
bool dp_attachment__parse(const char *name, struct dp_attachment *ret);
void dp_attachment__init(struct dp_attachment *att, enum dp_kind kind, uint32_t ifindex, bool is_filter);
/* All of them, sorted by name; *ret_list is the caller's to free. */
int dp_attachment__list(const char *pin_dir, struct dp_attachment **ret_list, size_t *ret_nr, struct pintle_err *err);
/* Is it in force? *ret_prog_id is 0 when the device went or the program on it is not ours. */
int dp_attachment__prog(const char *pin_dir, const struct dp_attachment *att, uint32_t *ret_prog_id, struct pintle_err *err);
/* Replaces the program in place. -ENOLINK: the device is gone. */
int dp_attachment__update(const char *pin_dir, const struct dp_attachment *att, int prog_fd, struct pintle_err *err);
/* Takes the program off and removes the pin or note. */
int dp_attachment__remove(const char *pin_dir, const struct dp_attachment *att, struct pintle_err *err);

/* Ids of our pinned programs, those of a swap that was cut short included: how a filter is known as ours. */
bool dp_prog__is_ours(const char *pin_dir, uint32_t prog_id);
uint32_t dp_prog__id(int prog_fd); /* 0 on failure */
/* Name of a program by id for messages, "?" without CAP_SYS_ADMIN. */
void dp_prog__name(uint32_t prog_id, char out[BPF_OBJ_NAME_LEN]);

/* Nothing opened but the directory; made if `create`. Freed by datapath__close(). */
int dp__new(const char *pin_dir, bool create, bool is_writable, struct datapath **ret_dp, struct pintle_err *err);
/* Opens and maps everything that is pinned. -ENOENT: no pt_meta. -EPROTO: torn, tampered with, another version. */
int dp__open_pins(struct datapath *dp, struct pintle_err *err);
void dp__close_pins(struct datapath *dp);
/* Removes every pin and note of ours (attachments are removed before); the directory stays. */
int dp__remove_pins(const char *pin_dir, struct pintle_err *err);

#endif
