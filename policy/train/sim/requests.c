// SPDX-License-Identifier: BSD-2-Clause
/* The way of a request: arrival, choice, pod, answer, and the next request of its connection. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "pintle/score.h"
#include "policy/train/sim/draw.h"
#include "policy/train/sim/engine.h"

#define NO_JOB UINT32_MAX

static const struct sim_balancer_ops *ops(const struct sim *s)
{
	return s->run->policy;
}

static uint32_t take_job(struct sim *s)
{
	uint32_t job = s->free_job;

	if (job != NO_JOB) {
		s->free_job = s->jobs[job].next_free;
		return job;
	}
	if (s->nr_jobs == s->size_jobs) {
		uint32_t size = s->size_jobs ? 2 * s->size_jobs : 1024;
		struct sim_job *more = realloc(s->jobs, size * sizeof(*more));

		if (!more) {
			s->error = -ENOMEM;
			return NO_JOB;
		}
		s->jobs = more;
		s->size_jobs = size;
	}
	return s->nr_jobs++;
}

static void free_job(struct sim *s, uint32_t job)
{
	s->jobs[job].next_free = s->free_job;
	s->free_job = job;
}

static void refresh_pod(struct sim *s, uint32_t pod)
{
	uint64_t end = sim_pod__next_ns(&s->pods[pod]);

	sim_agenda__set(&s->agenda, SIM_PODS + pod, end < s->pods[pod].speed_ns ? end : s->pods[pod].speed_ns);
}

/* The request reaches its pod. */
static void enter_pod(struct sim *s, uint32_t job)
{
	struct sim_job *j = &s->jobs[job];
	struct sim_pod *p = &s->pods[j->pod];

	j->in_flight = sim_pod__in_flight(p);
	sim_recent__began(&s->recent[j->pod], s->now_ns, j->in_flight);
	s->samples[j->pod].arrived++;
	if (sim_pod__push(p, job, j->work_ns, s->now_ns))
		s->error = -ENOMEM;
	refresh_pod(s, j->pod);
}

static void refuse(struct sim *s, uint32_t job)
{
	struct sim_job *j = &s->jobs[job];
	struct sim_outcome o = { .now_ns = s->now_ns,
				 .latency_ns = s->now_ns - j->start_ns,
				 .pod = j->pod,
				 .first = j->first,
				 .choice = &j->choice };

	s->samples[j->pod].failed++;
	s->result->failed++;
	s->in_flight--;
	if (ops(s)->on_fail)
		ops(s)->on_fail(s->states[j->balancer], &o);
	free_job(s, job);
}

/* From the balancer towards the pod. */
static void send(struct sim *s, uint32_t job)
{
	const struct sim_job *j = &s->jobs[job];
	double fail_share = s->scenario->pods[j->pod].fail_share;

	if (++s->in_flight > s->result->max_in_flight)
		s->result->max_in_flight = s->in_flight;
	s->result->share[j->pod]++;
	if (fail_share > 0 && rng__uniform(&s->jobs[job].draws) < fail_share) {
		refuse(s, job);
		return;
	}
	if (!s->scenario->network_ns) {
		enter_pod(s, job);
		return;
	}
	if (sim_ring__push(&s->forward, (struct sim_timed){ s->now_ns + s->scenario->network_ns, job }))
		s->error = -ENOMEM;
	sim_agenda__set(&s->agenda, SIM_FORWARD, s->forward.entries[s->forward.head].at_ns);
}

void sim__arrive(struct sim *s)
{
	uint64_t seed = rng__next(&s->arrivals);
	uint32_t balancer = (uint32_t)rng__below(&s->arrivals, s->run->nr_balancers), job = take_job(s);
	uint64_t next = s->now_ns + 1 + (uint64_t)(draw__exponential(&s->arrivals) * s->mean_gap_ns);
	struct sim_job *j;

	sim_agenda__set(&s->agenda, SIM_ARRIVAL, next < s->scenario->duration_ns ? next : SIM_NEVER);
	if (job == NO_JOB)
		return;
	j = &s->jobs[job];
	j->start_ns = s->now_ns;
	j->balancer = (uint16_t)balancer;
	j->first = true;
	j->left = s->scenario->requests_per_connection - 1;
	rng__init(&j->draws, seed);
	j->work_ns = draw__work_ns(&j->draws, s->scenario);
	j->choice = (struct sim_choice){ .now_ns = s->now_ns,
					 .random = rng__next(&s->randoms[balancer]),
					 .work_ns = j->work_ns };
	j->pod = (uint16_t)ops(s)->choose(s->states[balancer], &j->choice);
	if (j->pod >= s->scenario->nr_pods) {
		s->error = -ERANGE;
		return;
	}
	send(s, job);
}

void sim__think(struct sim *s)
{
	uint32_t job = sim_heap__pop(&s->thinking).job;
	struct sim_job *j = &s->jobs[job];

	sim_agenda__set(&s->agenda, SIM_THINK, s->thinking.nr ? s->thinking.entries[0].at_ns : SIM_NEVER);
	j->start_ns = s->now_ns;
	j->first = false;
	j->left--;
	j->work_ns = draw__work_ns(&j->draws, s->scenario);
	if (ops(s)->sent)
		ops(s)->sent(s->states[j->balancer], j->pod, s->now_ns);
	send(s, job);
}

void sim__forward(struct sim *s)
{
	uint32_t job = sim_ring__pop(&s->forward).job;

	sim_agenda__set(&s->agenda, SIM_FORWARD, s->forward.nr ? s->forward.entries[s->forward.head].at_ns : SIM_NEVER);
	enter_pod(s, job);
}

static void count(struct sim *s, const struct sim_job *j, uint64_t latency_ns)
{
	struct sim_result *r = s->result;

	if (s->run->on_slow) {
		sim_hist__add(&s->window, latency_ns);
		s->window_sum_ns += (double)latency_ns;
	}
	if (j->start_ns < s->scenario->warmup_ns)
		return;
	sim_hist__add(&r->latency, latency_ns);
	s->sum_ns += (double)latency_ns;
	r->requests++;
	if (s->last_up_ns && j->start_ns >= s->last_up_ns && j->start_ns - s->last_up_ns < s->scenario->after_change_ns)
		sim_hist__add(&r->after_change, latency_ns);
}

static void tell_row(struct sim *s, const struct sim_job *j, uint64_t latency_ns)
{
	const struct sim_choice *c = &j->choice;
	struct sim_row row = { .now_ns = s->now_ns,
			       .pod = j->pod,
			       .balancer = j->balancer,
			       .nr_inputs = (uint8_t)c->nr_inputs,
			       .target_q8 = pintle_log2_q8(latency_ns / 1000) - c->gain_q8 - c->psi_q8,
			       .gain_q8 = c->gain_q8,
			       .psi_q8 = c->psi_q8,
			       .latency_ns = latency_ns };

	for (uint32_t i = 0; i < c->nr_inputs && i < SIM_MAX_INPUTS; i++)
		row.input[i] = c->input[i];
	s->run->on_row(s->run->row_arg, &row);
}

/* The answer is at the balancer. */
static void answer(struct sim *s, uint32_t job)
{
	struct sim_job *j = &s->jobs[job];
	struct sim_outcome o = { .now_ns = s->now_ns,
				 .latency_ns = s->now_ns - j->start_ns,
				 .pod = j->pod,
				 .first = j->first,
				 .choice = &j->choice };

	s->in_flight--;
	count(s, j, o.latency_ns);
	if (ops(s)->on_first_byte)
		ops(s)->on_first_byte(s->states[j->balancer], &o);
	if (s->run->on_row && j->first && j->choice.nr_inputs)
		tell_row(s, j, o.latency_ns);
	if (!j->left) {
		free_job(s, job);
		return;
	}
	if (sim_heap__push(&s->thinking,
			   (struct sim_timed){ s->now_ns + 1 +
						       (uint64_t)(draw__exponential(&j->draws) * (double)s->scenario->think_ns),
					       job }))
		s->error = -ENOMEM;
	sim_agenda__set(&s->agenda, SIM_THINK, s->thinking.entries[0].at_ns);
}

void sim__back(struct sim *s)
{
	uint32_t job = sim_ring__pop(&s->back).job;

	sim_agenda__set(&s->agenda, SIM_BACK, s->back.nr ? s->back.entries[s->back.head].at_ns : SIM_NEVER);
	answer(s, job);
}

static void leave_pod(struct sim *s, uint32_t pod)
{
	struct sim_pod *p = &s->pods[pod];
	uint32_t running = p->nr_running, job = sim_pod__pop(p, s->now_ns);
	const struct sim_job *j = &s->jobs[job];
	uint64_t latency_ns = s->now_ns - j->start_ns + s->scenario->network_ns;

	if (running > p->spec->slots)
		running = p->spec->slots;
	sim_recent__ended(&s->recent[pod], s->now_ns, j->in_flight, latency_ns, running);
	s->samples[pod].answered++;
	if (!s->scenario->network_ns) {
		answer(s, job);
		return;
	}
	if (sim_ring__push(&s->back, (struct sim_timed){ s->now_ns + s->scenario->network_ns, job }))
		s->error = -ENOMEM;
	sim_agenda__set(&s->agenda, SIM_BACK, s->back.entries[s->back.head].at_ns);
}

void sim__pod(struct sim *s, uint32_t pod)
{
	struct sim_pod *p = &s->pods[pod];

	if (s->now_ns >= p->speed_ns && sim_pod__next_ns(p) > s->now_ns)
		sim_pod__change_speed(p, s->now_ns);
	else
		leave_pod(s, pod);
	refresh_pod(s, pod);
}
