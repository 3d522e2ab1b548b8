/* SPDX-License-Identifier: BSD-2-Clause */
/* What the viewing verbs show, from the tables alone: it works beside a running agent, without one, and on a test's own memory. */
#ifndef PINTLE_AGENT_VIEW_H
#define PINTLE_AGENT_VIEW_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/delivery.h"
#include "agent/endpoint.h"
#include "agent/names.h"
#include "agent/out.h"
#include "agent/tables.h"
#include "pintle/ladder.h"

#define VIEW_AGENT_ALIVE_NS 5000000000ull /* an agent whose heartbeat is older is taken for dead */

struct view_source {
	const struct table_maps *maps;
	const struct names *names;		/* NULL: ids and addresses only */
	const struct delivery_report *delivery; /* NULL: reasons and alarms are unknown */
	uint64_t mono_ns;			/* CLOCK_MONOTONIC */
	/* Sums over CPUs; 0 or -errno. */
	int (*traffic)(void *arg, uint32_t pod, struct pintle_traffic *ret);
	int (*pod_stats)(void *arg, uint32_t detail_slot, struct pintle_pod_stats *ret);
	void *arg;
};

struct view_service {
	const char *name; /* NULL unknown */
	uint32_t nr_frontends;
	uint16_t first_frontend;
	uint8_t family;	      /* 0 = id not in use */
	uint32_t unreachable; /* pods of its frontends, members or not */
	uint32_t slo_ms;      /* 0 = none or unknown */
};

struct view_pod {
	uint16_t services; /* whose active pools have it as a member */
	uint16_t first_service;
	uint16_t first_member; /* its index in that pool */
	bool wants_redirect;   /* some of those services */
};

struct view {
	struct view_source src;
	struct view_service *services; /* by id, meta->max_frontends */
	struct view_pod *pods;	       /* by id, meta->max_pods */
};

int view__open(const struct view_source *src, struct view *ret_view, struct pintle_err *err);
void view__close(struct view *view);

/* "shop/web", or "service 3" when the name is unknown. */
void view__service_name(const struct view *view, uint32_t service, char *out, size_t out_bytes);
/* Sets wanted[id] for a name, an id, or VIP:PORT/PROTO. -ENOENT names the nearest. */
int view__find_service(const struct view *view, const char *text, bool *wanted, struct pintle_err *err);
int view__find_pod(const struct view *view, const char *text, uint16_t *ret_pod, struct pintle_err *err);
bool view__agent_alive(const struct view *view);
/* How the programs treat new flows now, by the words that they look at (docs/state.md). */
struct view_ladder {
	enum pintle_rung rung;
	bool is_waiting;	/* for an agent: there was a beat, and none was told to stay away since */
	uint64_t silent_ns;	/* without a beat */
	uint64_t pass_after_ns; /* of silence, to the unit of the clock; 0 = never */
};
struct view_ladder view__ladder(const struct view *view);
/* Are packets to it redirected now, as far as the pod is concerned? */
bool view__may_redirect(const struct view *view, uint16_t pod);
/* The pod as a member of the first pool that has it, or NULL. */
const struct pintle_member *view__membership(const struct view *view, uint16_t pod);
/* Is there no way to it: its device is gone, as the tables say, or what the process that keeps the paths left says so? */
bool view__is_unreachable(const struct view *view, uint16_t pod);
/* Does one of the service's frontends lead to it? Members or not. */
bool view__leads_to(const struct view *view, uint32_t service, uint16_t pod);
/* Is it a member of any pool? */
bool view__takes_new_flows(const struct view *view, uint16_t pod);

struct view_sums {
	int64_t awaiting, open;
	uint32_t pods; /* members */
};
struct view_sums view__service_sums(const struct view *view, uint32_t service);
/* Share of the timed requests of the service's members, since each of them came, that were answered within its objective: an estimate, for requests
 * are counted in buckets of a log2 histogram and taken as spread evenly in theirs. false: no objective, or nothing timed. */
bool view__slo_share(const struct view *view, uint32_t service, double *ret_share);

struct view_counts {
	uint64_t flows, closed, half_open, redirect_flows; /* flows: all of the table */
	uint32_t services, frontends, pods, pods_drained, pods_redirect;
};
struct view_counts view__counts(const struct view *view); /* scans the flow table */

/* The label of a verdict; NULL for 0 and beyond the last. *ret_direction (may be NULL): "forward" or "reverse". */
const char *view__verdict(uint32_t verdict, const char **ret_direction);

/* ---- documents ---- */

void view__service_list(const struct view *view, struct out *out);
int view__service_show(const struct view *view, const char *text, struct out *out, struct pintle_err *err);
int view__pod_list(const struct view *view, const char *service, struct out *out, struct pintle_err *err);

struct view_flow_filter {
	const char *service, *pod, *client; /* NULL = any */
	uint32_t limit;			    /* 0 = none */
};
int view__flows_list(const struct view *view, const struct view_flow_filter *filter, struct out *out, struct pintle_err *err);
int view__flows_top(const struct view *view, uint32_t by, uint32_t limit, struct out *out,
		    struct pintle_err *err); /* enum flows_by */
int view__flows_explain(const struct view *view, const char *client, const char *frontend, struct out *out,
			struct pintle_err *err);
/* A member of the status record. */
void view__put_ladder(const struct view *view, struct out *out);
/* Members of the status record: services with delivery `redirect` and what does not see their packets, reasons, alarms. */
void view__delivery(const struct view *view, struct out *out);
void view__stats(const uint64_t *verdicts, bool with_zero, struct out *out); /* verdicts[PINTLE_V_MAX] */

/* A gain is log2, Q8.8, of the latency in microseconds of a request that a pod serves alone. */
uint64_t view__gain_ns(int16_t gain_q8);
/* gain_ns; null while nothing was learned (0: tables__gain()). */
void view__put_gain(int16_t gain_q8, struct out *out);
/* Share of a log2 histogram's counts that are at most `ns`, by linear interpolation in its bucket; false when it is empty. */
bool view__share_within(const uint64_t hist[PINTLE_HIST_BUCKETS], uint64_t ns, double *ret_share);
/* Quantile q of a log2 histogram in ns, by linear interpolation in its bucket; false when it is empty. */
bool view__quantile_ns(const uint32_t hist[PINTLE_HIST_BUCKETS], double q, uint64_t *ret_ns);

#endif
