// SPDX-License-Identifier: BSD-2-Clause
/* Rivals that look at nothing or at the number of requests. */
#include "policy/train/sim/rival.h"
#include "policy/train/sim/rivals.h"

/* ---- random, round robin ---- */

static uint32_t random_choose(void *state, struct sim_choice *c)
{
	(void)c;
	return rival__any(state);
}

const struct sim_balancer_ops rival_random = {
	.name = "random",
	.what = "uniform",
	.size = sizeof(struct rival),
	.init = rival__init,
	.members = rival__members,
	.choose = random_choose,
};

struct rr {
	struct rival r;
	uint32_t next;
};

static int rr_init(void *state, const struct sim_env *env)
{
	struct rr *rr = state;

	rival__init(state, env);
	rr->next = (uint32_t)rng__next(&rr->r.random); /* balancers do not start in step */
	return 0;
}

static uint32_t rr_choose(void *state, struct sim_choice *c)
{
	struct rr *rr = state;

	(void)c;
	return rr->r.pods[rr->next++ % rr->r.nr];
}

const struct sim_balancer_ops rival_rr = {
	.name = "rr",
	.what = "round robin, each balancer from a place of its own",
	.size = sizeof(struct rr),
	.init = rr_init,
	.members = rival__members,
	.choose = rr_choose,
};

/* ---- weighted round robin: earliest deadline first, as Envoy's and gRPC's schedulers ---- */

#define WRR_PERIOD_NS SIM_S /* gRPC's weighted_round_robin: weightUpdatePeriod 1 s (gRFC A58) */

struct wrr {
	struct rival r;
	double weight[SIM_MAX_PODS], deadline[SIM_MAX_PODS];
	double clock;
	uint64_t answered[SIM_MAX_PODS];
	double busy_ns[SIM_MAX_PODS];
};

static void wrr_restart(struct wrr *w)
{
	w->clock = 0;
	for (uint32_t i = 0; i < w->r.nr; i++)
		w->deadline[w->r.pods[i]] = rng__uniform(&w->r.random) / w->weight[w->r.pods[i]];
}

static void wrr_members(void *state, const uint16_t *pods, uint32_t nr, uint64_t now_ns)
{
	rival__members(state, pods, nr, now_ns);
	wrr_restart(state);
}

static int wrr_init(void *state, const struct sim_env *env)
{
	struct wrr *w = state;

	rival__init(state, env);
	for (uint32_t p = 0; p < env->scenario->nr_pods; p++)
		w->weight[p] = scenario__pod_capacity(env->scenario, p);
	return 0;
}

static uint32_t wrr_choose(void *state, struct sim_choice *c)
{
	struct wrr *w = state;
	uint32_t best = w->r.pods[0];

	(void)c;
	for (uint32_t i = 1; i < w->r.nr; i++)
		if (w->deadline[w->r.pods[i]] < w->deadline[best])
			best = w->r.pods[i];
	w->clock = w->deadline[best];
	w->deadline[best] = w->clock + 1 / w->weight[best];
	return best;
}

/* Queries answered a second over utilisation, as the pods state them. A pod that answered nothing keeps its weight. */
static void wrr_qu_tick(void *state, uint64_t now_ns)
{
	struct wrr *w = state;

	(void)now_ns;
	for (uint32_t i = 0; i < w->r.nr; i++) {
		uint32_t pod = w->r.pods[i];
		const struct sim_pod *p = sim_truth__pod(w->r.sim, pod);
		uint64_t answered = p->arrived - sim_pod__in_flight(p);
		double queries = (double)(answered - w->answered[pod]),
		       busy = (p->busy_ns - w->busy_ns[pod]) / (double)WRR_PERIOD_NS;

		w->answered[pod] = answered;
		w->busy_ns[pod] = p->busy_ns;
		if (queries > 0 && busy > 0)
			w->weight[pod] = queries / busy;
	}
	wrr_restart(w);
}

static int wrr_qu_init(void *state, const struct sim_env *env)
{
	struct wrr *w = state;

	rival__init(state, env);
	for (uint32_t p = 0; p < env->scenario->nr_pods; p++)
		w->weight[p] = 1;
	return 0;
}

const struct sim_balancer_ops rival_wrr = {
	.name = "wrr",
	.what = "weighted round robin by the pods' true mean capacity (earliest deadline first)",
	.size = sizeof(struct wrr),
	.init = wrr_init,
	.members = wrr_members,
	.choose = wrr_choose,
};

const struct sim_balancer_ops rival_wrr_qu = {
	.name = "wrr-qu",
	.what = "weighted round robin by queries / utilisation of the last second (gRFC A58; Prequal section 2)",
	.size = sizeof(struct wrr),
	.tick_ns = WRR_PERIOD_NS,
	.init = wrr_qu_init,
	.members = wrr_members,
	.choose = wrr_choose,
	.tick = wrr_qu_tick,
};

/* ---- by requests in flight ---- */

static uint32_t counted(struct rival *r, uint32_t pod)
{
	r->own[pod]++;
	return pod;
}

/* Envoy's LEAST_REQUEST: choice_count 2, hosts drawn with replacement, the first wins a tie. */
static uint32_t p2c_choose(void *state, struct sim_choice *c)
{
	struct rival *r = state;
	uint32_t a = rival__any(r), b = rival__any(r);

	(void)c;
	return counted(r, r->own[b] < r->own[a] ? b : a);
}

static double own_cost(struct rival *r, uint32_t pod, const struct sim_choice *c)
{
	(void)c;
	return r->own[pod];
}

static double fresh_cost(struct rival *r, uint32_t pod, const struct sim_choice *c)
{
	(void)c;
	return sim_pod__in_flight(sim_truth__pod(r->sim, pod));
}

static uint32_t least_choose(void *state, struct sim_choice *c)
{
	return counted(state, rival__least(state, own_cost, c));
}

static uint32_t least_fresh_choose(void *state, struct sim_choice *c)
{
	return counted(state, rival__least(state, fresh_cost, c));
}

const struct sim_balancer_ops rival_p2c = {
	.name = "p2c",
	.what = "Envoy LEAST_REQUEST: fewer own active requests of two random pods",
	.size = sizeof(struct rival),
	.init = rival__init,
	.members = rival__members,
	.choose = p2c_choose,
	.sent = rival__sent,
	.on_first_byte = rival__done,
	.on_fail = rival__done,
};

const struct sim_balancer_ops rival_least = {
	.name = "least",
	.what = "fewest own requests in flight over all pods, ties at random",
	.size = sizeof(struct rival),
	.init = rival__init,
	.members = rival__members,
	.choose = least_choose,
	.sent = rival__sent,
	.on_first_byte = rival__done,
	.on_fail = rival__done,
};

const struct sim_balancer_ops rival_least_fresh = {
	.name = "least-fresh",
	.what = "fewest requests in flight of all balancers, known at every instant",
	.size = sizeof(struct rival),
	.init = rival__init,
	.members = rival__members,
	.choose = least_fresh_choose,
	.sent = rival__sent,
	.on_first_byte = rival__done,
	.on_fail = rival__done,
};
