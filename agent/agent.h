/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The running agent: everything that `pintle agent` holds. Traffic does not need it: whatever instant it dies, the programs go on with the
 * tables as they are, and the next agent adopts them.
 */
#ifndef PINTLE_AGENT_AGENT_H
#define PINTLE_AGENT_AGENT_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/cmd.h"
#include "agent/datapath.h"
#include "agent/delivery.h"
#include "agent/eventlog.h"
#include "agent/learner.h"
#include "agent/loop.h"
#include "agent/netinfo.h"
#include "agent/paths.h"
#include "agent/podstats.h"
#include "agent/reject.h"
#include "agent/source.h"
#include "agent/steward.h"
#include "agent/sweeper.h"
#include "agent/tables.h"

struct ring_buffer;

struct agent {
	const struct cmd_args *args;
	struct loop *loop;
	struct datapath *dp;
	struct tables *tables;
	struct netinfo *ni;
	struct paths *paths;
	struct source *source;
	struct rejector *rejector;
	struct ring_buffer *ring;
	struct eventlog *events;
	struct podstats *stats;
	struct learner *learner;
	struct steward *steward;
	int learn_fd; /* timer of the learner */
	struct sweeper sweeper;
	struct pintle_config *config; /* in force; NULL before the first */
	uint32_t rejects_per_s;	      /* of it; the default before the first */
	uint32_t seen_requests;	      /* of ctl */
	uint64_t last_tick_ns;
	uint64_t next_reap_ns, next_uplinks_ns;
	uint32_t seen_macs; /* netinfo__own_macs_epoch() */
	struct delivery_writer delivery;
	uint64_t next_delivery_ns;
	bool must_reapply;   /* pods went or came back */
	uint64_t reapply_ns; /* not before */
	double applied_s;    /* what the last apply took */
	double reject_carry; /* fraction of a reject not yet given */
};

/* Opens and adopts everything, attaches to the devices named; agent__close() takes also what was half opened. */
int agent__open(struct agent *a, const struct cmd_args *args, struct pintle_err *err);
void agent__close(struct agent *a);
int agent__run(struct agent *a, struct pintle_err *err);

/* agent_config.c: takes the new configuration (always; freed if refused) or, with NULL, applies the one in force again. */
int agent__apply(struct agent *a, struct pintle_config *config, struct pintle_err *err);
void agent__on_source(void *arg); /* the source has something */
/* The source has given nothing that can be used, but the tables that were adopted are: go on with the copy of what was in force. */
void agent__go_on(struct agent *a);
void agent__on_netinfo(void *arg);
/* Takes pods that went out of the services, and those that are back in. */
void agent__follow_pods(struct agent *a, uint64_t now_ns);

/* agent_events.c */
int agent__open_events(struct agent *a, struct pintle_err *err);
void agent__poll_events(void *arg);
void agent__on_alarm(void *arg, const struct paths_alarm *alarm);
void agent__on_reach(void *arg, uint16_t pod, const char *why); /* a pod is unreachable (why), or there again (NULL) */

/* agent_tick.c */
void agent__write_macs(struct agent *a); /* whose frames are ours */
void agent__tick(void *arg, uint64_t now_ns);
void agent__learn(void *arg); /* learn_fd is readable */

#endif
