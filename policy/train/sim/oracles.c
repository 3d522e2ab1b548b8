// SPDX-License-Identifier: BSD-2-Clause
/* Balancers that know every request's size and every pod's present speed, at every instant: bounds, not rivals. */
#include "policy/train/sim/rival.h"
#include "policy/train/sim/rivals.h"

static double eft_cost(struct rival *r, uint32_t pod, const struct sim_choice *c)
{
	return sim_pod__time_to_end(sim_truth__pod(r->sim, pod), c->now_ns, (double)c->work_ns, NULL);
}

static double work_cost(struct rival *r, uint32_t pod, const struct sim_choice *c)
{
	const struct sim_pod *p = sim_truth__pod(r->sim, pod);
	double own = (double)(c->work_ns + p->spec->base_ns);

	return (sim_pod__work_left(p, c->now_ns) + own) * sim_pod__slowness(p, p->spec->slots) / p->spec->slots;
}

static double marginal_cost(struct rival *r, uint32_t pod, const struct sim_choice *c)
{
	double others, own = sim_pod__time_to_end(sim_truth__pod(r->sim, pod), c->now_ns, (double)c->work_ns, &others);

	return own + others;
}

static uint32_t eft_choose(void *state, struct sim_choice *c)
{
	return rival__least(state, eft_cost, c);
}

static uint32_t work_choose(void *state, struct sim_choice *c)
{
	return rival__least(state, work_cost, c);
}

static uint32_t marginal_choose(void *state, struct sim_choice *c)
{
	return rival__least(state, marginal_cost, c);
}

const struct sim_balancer_ops oracle_eft = {
	.name = "oracle-eft",
	.what = "earliest own end",
	.size = sizeof(struct rival),
	.init = rival__init,
	.members = rival__members,
	.choose = eft_choose,
};

const struct sim_balancer_ops oracle_work = {
	.name = "oracle-work",
	.what = "least time to do all work left with this request, all slots busy",
	.size = sizeof(struct rival),
	.init = rival__init,
	.members = rival__members,
	.choose = work_choose,
};

const struct sim_balancer_ops oracle_marginal = {
	.name = "oracle-marginal",
	.what = "least own time plus delay to the requests there",
	.size = sizeof(struct rival),
	.init = rival__init,
	.members = rival__members,
	.choose = marginal_choose,
};
