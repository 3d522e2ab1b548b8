/* SPDX-License-Identifier: BSD-2-Clause */
/* What the devices that pintle is attached to have in common. */
#ifndef PINTLE_AGENT_UPLINKS_H
#define PINTLE_AGENT_UPLINKS_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/datapath.h"
#include "agent/netinfo.h"

struct uplinks {
	uint32_t ifindex[PINTLE_MAX_UPLINKS]; /* of the first nr, those that went included */
	uint32_t nr;			      /* devices with a forward program */
	uint32_t nr_gone;		      /* of them deleted, or without our program now */
	bool has_xdp;			      /* some forward by XDP */
	uint32_t mtu_bytes;		      /* of all; 0 when they differ or there is none */
};

int uplinks__look(const struct datapath *dp, struct netinfo *ni, struct uplinks *ret, struct pintle_err *err);
/* Writes whose frames are ours (ownmacs.h) for the devices attached to, and for one more (0 = none) that is about to be. Returns the number of devices
 * that have too many addresses, or -errno. */
int uplinks__write_macs(const struct datapath *dp, struct netinfo *ni, uint32_t one_more, struct pintle_err *err);

#endif
