// SPDX-License-Identifier: BSD-2-Clause
/* The periodic part: heartbeat, reject budget, sweep, gains, paths. Everything here is bounded in time. */
#include <unistd.h>

#include "agent/agent.h"
#include "agent/clock.h"
#include "agent/lifemark.h"
#include "agent/log.h"
#include "agent/uplinks.h"

#define REAP_PERIOD_NS 5000000000ull
#define UPLINKS_PERIOD_NS 1000000000ull
#define DELIVERY_PERIOD_NS 1000000000ull

/* Refills what the programs may reject until the next tick: rate * time, at most one second's worth saved up. */
static void refill_rejects(struct agent *a, struct pintle_ctl *ctl, uint64_t elapsed_ns)
{
	double rate = (double)a->rejects_per_s;
	int32_t have = __atomic_load_n(&ctl->reject_budget, __ATOMIC_RELAXED), add;

	a->reject_carry += rate * (double)elapsed_ns / 1e9;
	if (a->reject_carry > rate)
		a->reject_carry = rate;
	add = (int32_t)a->reject_carry;
	a->reject_carry -= (double)add;
	if (have < 0)
		add -= have;
	else if ((double)have + (double)add > rate)
		add = (int32_t)rate - have;
	__atomic_fetch_add(&ctl->reject_budget, add, __ATOMIC_RELAXED);
}

/* The operator asked for something of the policies; or, by each request that is none of those, changed flags of a pod (pintle pod drain): lay the
 * tables out again. */
static void look_at_requests(struct agent *a, const struct pintle_ctl *ctl)
{
	uint32_t requests = __atomic_load_n(&ctl->requests, __ATOMIC_ACQUIRE);
	uint32_t nr = requests - a->seen_requests;
	struct pintle_err err = { 0 };

	if (!nr)
		return;
	a->seen_requests = requests;
	if (nr == steward__look_at_requests(a->steward, clock__monotonic_ns()))
		return;
	if (agent__apply(a, NULL, &err))
		log_error("request of the command line not carried out", log_str("reason", err.msg));
}

static void reap(struct agent *a, uint64_t now_ns)
{
	struct pintle_err err = { 0 };

	/* while the table recovers, no entry may name a pod that has connections */
	if (now_ns < a->next_reap_ns || !tables__lingering(a->tables) || lifemark__lost_ns(datapath__maps(a->dp)->ctl, now_ns))
		return;
	a->next_reap_ns = now_ns + REAP_PERIOD_NS;
	if (tables__reap(a->tables, &err) < 0)
		log_warn("pods that left are not removed yet", log_str("reason", err.msg));
}

/* For the command line; not being able to write it stops nothing. */
static void tell_delivery(struct agent *a, uint64_t now_ns)
{
	struct pintle_err err = { 0 };

	if (now_ns < a->next_delivery_ns)
		return;
	a->next_delivery_ns = now_ns + DELIVERY_PERIOD_NS;
	if (delivery__write(&a->delivery, datapath__maps(a->dp), a->paths, &err))
		log_warn_limited("reasons of delivery for the command line not written", log_str("reason", err.msg));
}

/* The pods that the programs may search (bpf/heal.bpf.h). */
static void list_locals(struct agent *a)
{
	if (tables__locals_changed(a->tables) && tables__write_locals(a->tables))
		log_warn_limited("list of the pods of this node not written", log_str("reason", "no memory"));
}

void agent__learn(void *arg)
{
	struct agent *a = arg;
	struct pintle_err err = { 0 };
	uint64_t expirations;

	if (read(a->learn_fd, &expirations, sizeof(expirations)) != (ssize_t)sizeof(expirations))
		return;
	if (learner__tick(a->learner, clock__monotonic_ns(), &err))
		log_warn_limited("gains not updated", log_str("reason", err.msg));
}

void agent__write_macs(struct agent *a)
{
	struct pintle_err err = { 0 };
	int ret;

	a->seen_macs = netinfo__own_macs_epoch(a->ni);
	ret = uplinks__write_macs(a->dp, a->ni, 0, &err);
	if (ret < 0)
		log_warn_limited("addresses of the uplinks not written", log_str("reason", err.msg));
	else if (ret)
		log_warn_limited("uplinks with too many Ethernet addresses: frames to other hosts are not told apart there",
				 log_int("uplinks", ret), log_uint("most", PINTLE_UPLINK_MACS));
}

/* An uplink that went takes its traffic along: said, and said again. */
static void look_at_uplinks(struct agent *a, uint64_t now_ns)
{
	struct pintle_err err = { 0 };
	struct uplinks uplinks = { 0 };

	if (now_ns < a->next_uplinks_ns)
		return;
	a->next_uplinks_ns = now_ns + UPLINKS_PERIOD_NS;
	if (uplinks__look(a->dp, a->ni, &uplinks, &err))
		log_warn_limited("uplinks not looked at", log_str("reason", err.msg));
	else if (uplinks.nr_gone)
		log_warn_limited(
			"an uplink is gone, or has lost pintle's program: pintle status names it, pintle attach takes a new one",
			log_uint("gone", uplinks.nr_gone), log_uint("attached", uplinks.nr));
	agent__write_macs(a);
}

void agent__tick(void *arg, uint64_t now_ns)
{
	struct agent *a = arg;
	struct pintle_ctl *ctl = datapath__maps(a->dp)->ctl;
	uint64_t elapsed_ns = a->last_tick_ns && now_ns > a->last_tick_ns ? now_ns - a->last_tick_ns : 0;
	struct pintle_err err = { 0 };

	a->last_tick_ns = now_ns;
	if (datapath__is_removed(a->dp)) {
		log_info("detached: the pins are gone");
		loop__stop(a->loop);
		return;
	}
	__atomic_store_n(&ctl->heartbeat_ns, now_ns, __ATOMIC_RELEASE);
	refill_rejects(a, ctl, elapsed_ns);
	agent__poll_events(a);
	look_at_requests(a, ctl);
	if (sweeper__tick(&a->sweeper, now_ns, &err))
		log_warn_limited("flow table not swept", log_str("reason", err.msg));
	steward__tick(a->steward, now_ns);
	paths__tick(a->paths, now_ns);
	agent__follow_pods(a, now_ns);
	tell_delivery(a, now_ns);
	reap(a, now_ns);
	list_locals(a);
	look_at_uplinks(a, now_ns);
}
