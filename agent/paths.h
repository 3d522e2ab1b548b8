/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How packets get to the pods: keeps the path words of pods with delivery `redirect` right (device, devmap slot, MACs), and allows redirect only
 * where it is shown to work.
 *
 * A device goes: reverse program attached -> GRO on in the pod (XDP hook) -> self-test -> redirect allowed -> compared once a second with what
 * the programs say they sent. A redirect into a veth whose pod side has no NAPI vanishes without any error (design: rules of this kernel
 * world), so the test sends frames and looks at the device's counter, and so does the comparison. Until then, and after a failure,
 * delivery is `pass`.
 *
 * Only pods that use redirect, or did, are followed, at most PINTLE_MAX_DETAIL of them (the comparison needs their statistics). Whether there is
 * a way to a pod at all is watched whatever its delivery (presence.h). Nothing here blocks longer than entering a few namespaces; one thread.
 */
#ifndef PINTLE_AGENT_PATHS_H
#define PINTLE_AGENT_PATHS_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/datapath.h"
#include "agent/netinfo.h"
#include "agent/tables.h"

struct paths;

struct paths_alarm {
	uint32_t ifindex;
	const char *device;
	uint16_t pod;	     /* one of its pods */
	uint64_t redirected; /* packets sent into the device since the last comparison */
	uint64_t arrived;    /* advance of its counter, other traffic included */
	const char *text;
};

struct paths_callbacks {
	void *arg;
	void (*alarm)(void *arg, const struct paths_alarm *alarm); /* may be NULL; it is logged anyway */
	/* A pod became unreachable (`why`), or is there again (NULL). May be NULL. */
	void (*reach)(void *arg, uint16_t pod, const char *why);
};

/* All pointers must outlive. `hook_is_xdp`: some uplink forwards by XDP, so redirects go through the devmap. */
int paths__open(struct datapath *dp, struct tables *tables, struct netinfo *ni, bool hook_is_xdp,
		const struct paths_callbacks *callbacks, struct paths **ret_paths, struct pintle_err *err);
void paths__close(struct paths *paths); /* leaves maps and programs as they are: traffic goes on */
void paths__set_hook(struct paths *paths, bool hook_is_xdp);
/* A redirected packet meets no routing and so no "too big": pods whose path has another MTU than the uplinks stay with `pass`. 0 (several
 * uplinks that differ, or unknown) compares nothing. Before paths__refresh(). */
void paths__set_uplink_mtu(struct paths *paths, uint32_t mtu_bytes);

/* -EINVAL when a pod's address is one of this node (a hostNetwork pod): names file, line, service and pod. To be asked before a configuration is
 * applied. */
int paths__vet(const struct netinfo *ni, const struct pintle_config *config, struct pintle_err *err);

/* After every successful tables__apply(), with its configuration: which pods are there, which want redirect. It is not kept. Adopts what an agent before left in
 * the maps. */
int paths__refresh(struct paths *paths, const struct pintle_config *config, uint64_t now_ns, struct pintle_err *err);
/* After netinfo__process() said that something changed: looks again at the pods concerned. */
void paths__update(struct paths *paths, uint64_t now_ns);
/* Every tick: self-tests, retries, and once a second the comparison. now_ns: CLOCK_MONOTONIC. */
void paths__tick(struct paths *paths, uint64_t now_ns);

/* Why a pod's delivery is not what was asked for; NULL: it is. Valid until the next refresh, update or tick. */
const char *paths__reason(const struct paths *paths, uint16_t pod);
/* Is there no way to the pod, whatever its delivery? Then paths__reason() says why. */
bool paths__is_unreachable(const struct paths *paths, uint16_t pod);
/* Did pods go or come back since the last call, so that the tables have to be applied again? */
bool paths__take_changed(struct paths *paths);
/* The alarms in force: devices into which redirected packets vanished, and whose self-test did not succeed since. Fills at most `max`; how
 * many. Pointers are valid as above. */
uint32_t paths__alarms(const struct paths *paths, struct paths_alarm *ret_alarms, uint32_t max);
/* Devices under the self-test now or waiting for it. */
uint32_t paths__pending(const struct paths *paths);

#endif
