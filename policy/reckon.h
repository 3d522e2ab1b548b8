/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Dead reckoning: how many requests are at a pod now, when other balancers send there too and their share is known only from a report.
 *
 *   r_hat = max(own, share * own + (snap - share * own_at_snap) * 2^-(age / half life))
 *
 * snap: requests at the pod when the report was made, own_at_snap: this balancer's own among them; own: its own now, live. share: requests of
 * all balancers for each own one, learned from the counts of arrivals in the reports: what this balancer does, the others do too. At age 0 this is
 * snap + share * (own - own_at_snap); what the report said beyond the own counters fades with the requests that it counted (half life:
 * RECKON_HALF_LIVES of the pod's mean latency), so that a report that is old, or the last of a node that died, ends as share * own.
 *
 * The part that changes with every request is one multiplication; the rest is a table of one word a pod that the agent writes every tick:
 * pintle_reckon() in include/pintle/score.h.
 * After Dahlin, "Interpreting stale load information" (ICDCS 1999), who spreads by the expected arrivals since the report; the own counters do it
 * better (docs/policy.md).
 */
#ifndef PINTLE_POLICY_RECKON_H
#define PINTLE_POLICY_RECKON_H

#include <stdbool.h>
#include <stdint.h>

#define RECKON_SHARE_MAX_Q8 (256u * 256) /* 256 balancers of equal traffic */
#define RECKON_HALF_LIVES 16u		 /* mean latencies */

/* One of these a service. */
struct reckon_share {
	uint64_t total, own; /* requests so far, at the last look that was taken in */
	uint64_t last_ns;
	uint64_t share_q32; /* the same, so that small steps are not lost */
	uint32_t share_q8;
	bool known;
};

/* share_q8: to begin with, e.g. 256 times the number of balancers that report; clamped to 256..RECKON_SHARE_MAX_Q8. */
void reckon__init(struct reckon_share *s, uint32_t share_q8);
/* Cumulative requests to the service's pods: of all balancers, from the reports, and own ones, as of the same moment. A time constant of 10 s;
 * counts that went backwards (a pod or a node began anew) only set a new start. */
void reckon__arrivals(struct reckon_share *s, uint64_t total, uint64_t own, uint64_t now_ns);
/* The word of a pod for pintle_reckon(): (snap - share * own_at_snap) fading, Q8. age_ns: since the report was made; latency_ns: the pod's mean. */
int32_t reckon__offset_q8(const struct reckon_share *s, uint32_t snap, uint32_t own_at_snap, uint64_t age_ns,
			  uint64_t latency_ns);

#endif
