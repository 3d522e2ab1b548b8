// SPDX-License-Identifier: BSD-2-Clause
/* Rivals that measure latency themselves, with or without what the servers say: peak EWMA, C3, RouteNet's label. */
#include <math.h>

#include "policy/train/sim/draw.h"
#include "policy/train/sim/rival.h"
#include "policy/train/sim/rivals.h"

/* ---- peak EWMA (Finagle's and Linkerd's p2c_peak_ewma): decay time 10 s; a new peak counts at once ---- */

#define PEAK_DECAY_NS 10e9
#define PEAK_PENALTY 1e18 /* a pod with requests under way of which none was answered yet */

struct peak {
	struct rival r;
	double cost[SIM_MAX_PODS];
	uint64_t stamp_ns[SIM_MAX_PODS];
};

static void peak_observe(struct peak *p, uint32_t pod, double latency_ns, uint64_t now_ns)
{
	double kept = exact__exp(-(double)(now_ns - p->stamp_ns[pod]) / PEAK_DECAY_NS);

	p->stamp_ns[pod] = now_ns;
	if (latency_ns > p->cost[pod])
		p->cost[pod] = latency_ns;
	else
		p->cost[pod] = p->cost[pod] * kept + latency_ns * (1 - kept);
}

/* Finagle decays towards zero whenever it looks. */
static double peak_cost(struct rival *r, uint32_t pod, const struct sim_choice *c)
{
	struct peak *p = (struct peak *)r;

	peak_observe(p, pod, 0, c->now_ns);
	if (p->cost[pod] <= 0 && r->own[pod])
		return PEAK_PENALTY + r->own[pod];
	return p->cost[pod] * (r->own[pod] + 1);
}

static uint32_t peak_p2c_choose(void *state, struct sim_choice *c)
{
	struct rival *r = state;
	uint32_t two[2], pod;

	rival__two(r, two);
	pod = peak_cost(r, two[1], c) < peak_cost(r, two[0], c) ? two[1] : two[0];
	r->own[pod]++;
	return pod;
}

static uint32_t peak_all_choose(void *state, struct sim_choice *c)
{
	struct rival *r = state;
	uint32_t pod = rival__least(r, peak_cost, c);

	r->own[pod]++;
	return pod;
}

static void peak_done(void *state, const struct sim_outcome *o)
{
	rival__done(state, o);
	peak_observe(state, o->pod, (double)o->latency_ns, o->now_ns);
}

const struct sim_balancer_ops rival_peak = {
	.name = "peak-ewma",
	.what = "Finagle/Linkerd: peak EWMA (10 s) x (own pending + 1), the lower of two random pods",
	.size = sizeof(struct peak),
	.init = rival__init,
	.members = rival__members,
	.choose = peak_p2c_choose,
	.sent = rival__sent,
	.on_first_byte = peak_done,
	.on_fail = peak_done,
};

const struct sim_balancer_ops rival_peak_all = {
	.name = "peak-ewma-all",
	.what = "the same cost, the lowest of all pods",
	.size = sizeof(struct peak),
	.init = rival__init,
	.members = rival__members,
	.choose = peak_all_choose,
	.sent = rival__sent,
	.on_first_byte = peak_done,
	.on_fail = peak_done,
};

/* ---- C3 (Suresh et al., NSDI 2015, section 3): R - 1/mu + (1 + os n + q)^3 / mu with the servers' queue and service time in every answer;
 * n = clients. No rate control: one pod's answers do not depend on the client. ---- */

#define C3_NEW 0.9 /* weight of a new value, as the authors' simulator has it */

struct c3 {
	struct rival r;
	double latency[SIM_MAX_PODS], queue[SIM_MAX_PODS], service[SIM_MAX_PODS];
	bool known[SIM_MAX_PODS];
};

static double c3_cost(struct rival *r, uint32_t pod, const struct sim_choice *c)
{
	const struct c3 *s = (const struct c3 *)r;
	double q = 1 + (double)r->own[pod] * r->nr_balancers + s->queue[pod];

	(void)c;
	if (!s->known[pod])
		return r->own[pod];
	return s->latency[pod] - s->service[pod] + q * q * q * s->service[pod];
}

static uint32_t c3_choose(void *state, struct sim_choice *c)
{
	struct rival *r = state;
	uint32_t pod = rival__least(r, c3_cost, c);

	r->own[pod]++;
	return pod;
}

static void c3_mix(double *old, double new, bool known)
{
	*old = known ? *old * (1 - C3_NEW) + new *C3_NEW : new;
}

static void c3_done(void *state, const struct sim_outcome *o)
{
	struct c3 *s = state;
	const struct sim_pod *p = sim_truth__pod(s->r.sim, o->pod);

	rival__done(state, o);
	c3_mix(&s->latency[o->pod], (double)o->latency_ns, s->known[o->pod]);
	c3_mix(&s->queue[o->pod], sim_pod__in_flight(p), s->known[o->pod]);
	c3_mix(&s->service[o->pod], sim_truth__service_ns(s->r.sim, o->pod), s->known[o->pod]);
	s->known[o->pod] = true;
}

const struct sim_balancer_ops rival_c3 = {
	.name = "c3",
	.what = "C3 (NSDI 2015): cubic replica selection by the servers' queue and service time, own requests x balancers",
	.size = sizeof(struct c3),
	.init = rival__init,
	.members = rival__members,
	.choose = c3_choose,
	.sent = rival__sent,
	.on_first_byte = c3_done,
	.on_fail = rival__done,
};

/* ---- RouteNet: a net of 4-16-8-1 was trained to point at the pod whose 0.4 latency/ms + 1.5 queue + 0.2 cpu/% + 0.1 (100 - rate) is least.
 * Its weights may not be redistributed, so this is the rule that its labels were made by: what a perfectly trained net would choose.
 * Features are polled; between polls nothing is known. ---- */

#define ROUTENET_POLL_NS SIM_S

struct routenet {
	struct rival r;
	double score[SIM_MAX_PODS];
	uint64_t answered[SIM_MAX_PODS];
	double busy_ns[SIM_MAX_PODS], latency_ms[SIM_MAX_PODS];
};

static void routenet_tick(void *state, uint64_t now_ns)
{
	struct routenet *n = state;

	for (uint32_t i = 0; i < n->r.nr; i++) {
		uint32_t pod = n->r.pods[i];
		const struct sim_pod *p = sim_truth__pod(n->r.sim, pod);
		double cpu = 100 * (p->busy_ns - n->busy_ns[pod]) / (double)ROUTENET_POLL_NS;
		double rate = (double)p->arrived * 1e9 / (double)(now_ns ? now_ns : 1); /* lifetime average, as the original */

		n->busy_ns[pod] = p->busy_ns;
		n->score[pod] = 0.4 * n->latency_ms[pod] + 1.5 * sim_pod__in_flight(p) + 0.2 * fmin(cpu, 100) +
				0.1 * (100 - rate);
	}
}

static double routenet_cost(struct rival *r, uint32_t pod, const struct sim_choice *c)
{
	(void)c;
	return ((struct routenet *)r)->score[pod];
}

static uint32_t routenet_choose(void *state, struct sim_choice *c)
{
	return rival__least(state, routenet_cost, c);
}

/* Mean latency over the last 100 answers or so. */
static void routenet_done(void *state, const struct sim_outcome *o)
{
	struct routenet *n = state;

	n->latency_ms[o->pod] += 0.01 * ((double)o->latency_ns / 1e6 - n->latency_ms[o->pod]);
}

const struct sim_balancer_ops rival_routenet = {
	.name = "routenet",
	.what = "RouteNet-AI's label rule over features polled every second, best of all",
	.size = sizeof(struct routenet),
	.tick_ns = ROUTENET_POLL_NS,
	.init = rival__init,
	.members = rival__members,
	.choose = routenet_choose,
	.on_first_byte = routenet_done,
	.tick = routenet_tick,
};
