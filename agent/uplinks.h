/* SPDX-License-Identifier: BSD-2-Clause */
/* What the devices that pintle is attached to have in common. */
#ifndef PINTLE_AGENT_UPLINKS_H
#define PINTLE_AGENT_UPLINKS_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/datapath.h"
#include "agent/netinfo.h"

struct uplinks {
	uint32_t nr;	    /* devices with a forward program */
	uint32_t nr_gone;   /* of them deleted, or without our program now */
	bool has_xdp;	    /* some forward by XDP */
	uint32_t mtu_bytes; /* of all; 0 when they differ or there is none */
};

int uplinks__look(const struct datapath *dp, struct netinfo *ni, struct uplinks *ret, struct pintle_err *err);

#endif
