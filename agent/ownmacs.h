/* SPDX-License-Identifier: BSD-2-Clause */
/* Which frames on the uplinks are for this node: pt_uplinks, kept as netinfo__own_macs() says. */
#ifndef PINTLE_AGENT_OWNMACS_H
#define PINTLE_AGENT_OWNMACS_H

#include <stdint.h>

#include "agent/netinfo.h"
#include "pintle/abi.h"

/* Writes the entries of these devices and frees those of others; only what differs is stored, and a program that reads meanwhile takes every
 * address for its own rather than none. `table`: PINTLE_MAX_UPLINKS entries. Returns the number of devices whose addresses do not fit, for which
 * every address counts as own. */
int ownmacs__write(struct pintle_uplink *table, struct netinfo *ni, const uint32_t *ifindex, uint32_t nr);

#endif
