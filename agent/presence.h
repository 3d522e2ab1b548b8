/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Is there a way to a pod at all, whatever its delivery? A pod whose network namespace or device was deleted answers nothing and raises no error
 * anywhere: it is named, and takes no new flows (PINTLE_POD_GONE) until a device leads to it again. A pod without a route, or that does not
 * answer for its MAC, is named too and stays a member: that may be the state of a moment, and other nodes' business.
 *
 * The device is the configured one, or the one that route, neighbour and bridge led to before. Asked once when a pod appears, then when netlink
 * tells of a change that concerns it; only a MAC that is not answered is asked for again, with growing pauses. The first PRESENCE_MAX pods of
 * the configuration are watched: asking for more addresses would crowd the kernel's neighbour table (gc_thresh3 is 1024).
 */
#ifndef PINTLE_AGENT_PRESENCE_H
#define PINTLE_AGENT_PRESENCE_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/netinfo.h"
#include "agent/tables.h"

#define PRESENCE_MAX 1024u

struct presence;

enum presence_state {
	PRESENCE_UNKNOWN = 0, /* not asked, or no answer yet */
	PRESENCE_HERE,
	PRESENCE_REMOTE, /* the route has a next hop, or the address is this node's: nothing is known of a device */
	PRESENCE_NO_MAC, /* neighbour or bridge do not answer */
	PRESENCE_NO_ROUTE,
	PRESENCE_GONE, /* no device: takes no new flows */
};

/* A pod became unreachable (`why`), or is there again (NULL). */
typedef void (*presence_fn)(void *arg, uint16_t pod, const char *why);

/* Pointers must outlive. -ENOMEM. */
int presence__open(struct tables *tables, const struct table_maps *maps, struct netinfo *ni, presence_fn changed, void *arg,
		   struct presence **ret_presence, struct pintle_err *err);
void presence__close(struct presence *p); /* NULL is fine; flags in the maps stay */
/* After every applied configuration; `config` is not kept. */
void presence__refresh(struct presence *p, const struct pintle_config *config);
/* A change out of netinfo__next_change(). */
void presence__note(struct presence *p, const struct net_change *change);
/* Asks about the pods that changes or time have made due, a bounded number in one call. now_ns: CLOCK_MONOTONIC. */
void presence__tick(struct presence *p, uint64_t now_ns);
/* Did flags change since the last call? Then the tables are to be applied again. */
bool presence__take_changed(struct presence *p);
enum presence_state presence__state(const struct presence *p, uint16_t pod);
/* Why the pod is unreachable; NULL: it is not, as far as is known. */
const char *presence__unreachable(const struct presence *p, uint16_t pod);

#endif
