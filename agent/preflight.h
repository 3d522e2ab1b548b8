/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What this machine must have, what it has, and how to fix it. Kernel features are probed (small programs and maps are loaded, nothing is
 * attached to a device of this namespace), never compared with a version.
 */
#ifndef PINTLE_AGENT_PREFLIGHT_H
#define PINTLE_AGENT_PREFLIGHT_H

#include <stddef.h>
#include <stdint.h>

#include "agent/config.h"
#include "agent/datapath.h"
#include "agent/err.h"
#include "agent/netinfo.h"

enum preflight_status {
	PREFLIGHT_OK = 0,
	PREFLIGHT_NOTE,	   /* good to know */
	PREFLIGHT_UNKNOWN, /* could not be looked at */
	PREFLIGHT_WARN,	   /* something will be slower, or may not work */
	PREFLIGHT_MISSING, /* it will not work */
};

struct preflight_row {
	enum preflight_status status;
	char area[12]; /* kernel, process, bpffs, pintle, device, network, config */
	char what[72];
	char need[96];
	char have[320];
	char fix[256]; /* "" where nothing is to be done */
};

struct preflight {
	struct preflight_row *rows;
	size_t nr, room;
	int code; /* -ENOMEM when a row was lost */
};

void preflight__free(struct preflight *pf);
const char *preflight__status_name(enum preflight_status status); /* "ok", ... */
enum preflight_status preflight__worst(const struct preflight *pf);
/* Text that is too long is cut. `fix` NULL = nothing to do. */
void preflight__add(struct preflight *pf, enum preflight_status status, const char *area, const char *what, const char *need,
		    const char *fix, const char *have_fmt, ...) __attribute__((format(printf, 7, 8)));

/* What the checks are about. */
struct preflight_in {
	const char *pin_dir;
	char *const *devices;
	int nr_devices;
	enum datapath_hook hook;
	const char *config_file;	    /* NULL = none */
	const struct pintle_config *config; /* read from it; NULL = none, or not readable */
	struct netinfo *ni;		    /* NULL: netlink does not work */
};

/* Each adds rows. */
void preflight__kernel(struct preflight *pf);
void preflight__process(struct preflight *pf);
void preflight__bpffs(struct preflight *pf, const char *pin_dir);
void preflight__other(struct preflight *pf, const char *pin_dir); /* a second pintle */
void preflight__devices(struct preflight *pf, const struct preflight_in *in);
void preflight__network(struct preflight *pf, const struct preflight_in *in);
void preflight__forward(struct preflight *pf, const struct preflight_in *in);
void preflight__pods(struct preflight *pf, const struct preflight_in *in);
void preflight__all(struct preflight *pf, const struct preflight_in *in);

/* XDP features of a device by the kernel's netdev family (6.3): 1 native XDP, 0 none, -errno unknown. */
int preflight__native_xdp(uint32_t ifindex);

#endif
