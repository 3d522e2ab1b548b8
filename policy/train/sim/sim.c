// SPDX-License-Identifier: BSD-2-Clause
/* A run: checks, set-up, the loop, and the events that are not requests. */
#include "policy/train/sim/sim.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "policy/train/sim/draw.h"
#include "policy/train/sim/engine.h"
#include "policy/train/sim/truth.h"

const struct sim_pod *sim_truth__pod(const struct sim *sim, uint32_t pod)
{
	return &sim->pods[pod];
}

uint64_t sim_truth__recent_latency_ns(const struct sim *sim, uint32_t pod, uint32_t in_flight)
{
	return sim_recent__median_ns(&sim->recent[pod], in_flight, sim->scenario->pods[pod].slots, sim->now_ns, SIM_S);
}

double sim_truth__service_ns(const struct sim *sim, uint32_t pod)
{
	return sim->recent[pod].service_ns;
}

static void tell_members(struct sim *s)
{
	for (uint32_t b = 0; b < s->run->nr_balancers; b++)
		s->run->policy->members(s->states[b], s->members, s->nr_members, s->now_ns);
}

/* The last pod that takes requests stays, whatever the scenario says. */
static void set_member(struct sim *s, uint16_t pod, bool up)
{
	uint32_t at = 0;

	while (at < s->nr_members && s->members[at] < pod)
		at++;
	if (up && (at == s->nr_members || s->members[at] != pod)) {
		memmove(&s->members[at + 1], &s->members[at], (s->nr_members - at) * sizeof(s->members[0]));
		s->members[at] = pod;
		s->nr_members++;
	} else if (!up && at < s->nr_members && s->members[at] == pod && s->nr_members > 1) {
		s->nr_members--;
		memmove(&s->members[at], &s->members[at + 1], (s->nr_members - at) * sizeof(s->members[0]));
	}
}

void sim__change(struct sim *s)
{
	const struct sim_scenario *sc = s->scenario;

	for (; s->next_change < sc->nr_changes && sc->changes[s->next_change].at_ns <= s->now_ns; s->next_change++) {
		set_member(s, sc->changes[s->next_change].pod, sc->changes[s->next_change].up);
		if (sc->changes[s->next_change].up)
			s->last_up_ns = s->now_ns;
	}
	sim_agenda__set(&s->agenda, SIM_CHANGE,
			s->next_change < sc->nr_changes ? sc->changes[s->next_change].at_ns : SIM_NEVER);
	tell_members(s);
}

void sim__take_report(struct sim *s)
{
	uint32_t nr = s->run->nr_balancers, b = s->run->report_together ? nr : s->next_report;
	struct sim_snapshot *snap;

	s->next_report = (s->next_report + 1) % nr;
	sim_agenda__set(&s->agenda, SIM_REPORT, s->now_ns + s->run->report_period_ns / (b < nr ? nr : 1));
	if (s->nr_snapshots == SIM_SNAPSHOTS)
		return; /* more under way than fit: sim__run refuses such runs */
	snap = &s->snapshots[(s->snapshot_head + s->nr_snapshots++) % SIM_SNAPSHOTS];
	snap->taken_ns = s->now_ns;
	snap->balancer = b;
	for (uint32_t p = 0; p < s->scenario->nr_pods; p++)
		snap->load[p] = sim_pod__in_flight(&s->pods[p]);
	memcpy(snap->samples, s->samples, s->scenario->nr_pods * sizeof(snap->samples[0]));
	if (s->nr_snapshots == 1)
		sim_agenda__set(&s->agenda, SIM_DELIVER, snap->taken_ns + s->run->report_age_ns);
}

void sim__deliver_report(struct sim *s)
{
	const struct sim_snapshot *snap = &s->snapshots[s->snapshot_head];
	struct sim_report r = { .now_ns = s->now_ns, .taken_ns = snap->taken_ns, .load = snap->load, .samples = snap->samples };

	s->snapshot_head = (s->snapshot_head + 1) % SIM_SNAPSHOTS;
	s->nr_snapshots--;
	sim_agenda__set(&s->agenda, SIM_DELIVER,
			s->nr_snapshots ? s->snapshots[s->snapshot_head].taken_ns + s->run->report_age_ns : SIM_NEVER);
	for (uint32_t b = 0; b < s->run->nr_balancers && s->run->policy->report; b++) {
		if (snap->balancer != b && snap->balancer != s->run->nr_balancers)
			continue;
		s->run->policy->report(s->states[b], &r);
	}
}

/* Balancers tick one after the other, evenly spread over the period. */
void sim__tick(struct sim *s)
{
	uint32_t b = s->next_tick;

	s->next_tick = (b + 1) % s->run->nr_balancers;
	sim_agenda__set(&s->agenda, SIM_TICK, s->now_ns + s->run->policy->tick_ns / s->run->nr_balancers);
	s->run->policy->tick(s->states[b], s->now_ns);
}

void sim__slow(struct sim *s)
{
	struct sim_window w = { .from_ns = s->window_from_ns, .to_ns = s->now_ns, .latency = &s->window };

	sim_agenda__set(&s->agenda, SIM_SLOW, s->now_ns + s->run->slow_ns);
	w.mean_ns = s->window.count ? s->window_sum_ns / (double)s->window.count : 0;
	if (s->run->on_slow(s->run->slow_arg, s->now_ns, &w, &s->knobs)) {
		knobs__clamp(&s->knobs);
		for (uint32_t b = 0; b < s->run->nr_balancers && s->run->policy->set; b++)
			s->run->policy->set(s->states[b], &s->knobs);
	}
	sim_hist__clear(&s->window);
	s->window_sum_ns = 0;
	s->window_from_ns = s->now_ns;
}

static const char *pod_nonsense(const struct sim_pod_spec *p)
{
	if (!p->slots || !(p->speed > 0) || !p->concurrency)
		return "a pod needs slots, a speed and a concurrency above zero";
	if (p->nr_states == 1 || p->nr_states > SIM_MAX_SPEEDS)
		return "antagonists have 2 to 4 states";
	for (uint32_t i = 0; i < p->nr_states; i++)
		if (!(p->state_speed[i] > 0) || !p->dwell_ns[i] || !(p->state_weight[i] >= 0))
			return "an antagonist's state needs a speed and a dwell time above zero";
	if (!(p->fail_share >= 0 && p->fail_share <= 1) || !(p->slowdown >= 0))
		return "a pod's share of failures lies in 0..1, its slowdown is not negative";
	return NULL;
}

static const char *sizes_nonsense(const struct sim_scenario *sc)
{
	if (sc->sizes == SIM_SIZES_TRACE && (!sc->trace_ns || !sc->nr_trace))
		return "sizes by trace need a trace";
	if (sc->sizes == SIM_SIZES_PARETO && !(sc->size_ns[0] && sc->size_ns[1] > sc->size_ns[0] && sc->size_shape > 0))
		return "a bounded Pareto needs 0 < low < high and a shape above zero";
	return NULL;
}

static const char *scenario_nonsense(const struct sim_scenario *sc)
{
	if (!sc->nr_pods || sc->nr_pods > SIM_MAX_PODS || !(sc->rate_per_s > 0) || !sc->requests_per_connection)
		return "a scenario needs 1 to 64 pods, a rate above zero and at least one request a connection";
	if (sizes_nonsense(sc))
		return sizes_nonsense(sc);
	for (uint32_t i = 0; i < sc->nr_changes; i++)
		if (sc->changes[i].pod >= sc->nr_pods || (i && sc->changes[i].at_ns < sc->changes[i - 1].at_ns))
			return "changes name pods of the scenario, in order of time";
	for (uint32_t i = 0; i < sc->nr_pods; i++)
		if (pod_nonsense(&sc->pods[i]))
			return pod_nonsense(&sc->pods[i]);
	return NULL;
}

static const char *nonsense(const struct sim_run *run)
{
	uint64_t gap_ns;

	if (!run->policy || !run->nr_balancers || run->nr_balancers > SIM_MAX_BALANCERS)
		return "a run needs a policy and 1 to 64 balancers";
	gap_ns = run->report_period_ns / (run->report_together ? 1 : run->nr_balancers);
	if (run->report_period_ns && !gap_ns)
		return "reports come at least 1 ns apart";
	if (run->report_period_ns && run->report_age_ns / gap_ns >= SIM_SNAPSHOTS - 1)
		return "too many reports under way: their age must be less than 255 times the time between two";
	return scenario_nonsense(run->scenario);
}

/* Independent streams from one seed: arrivals, each pod's speeds, each balancer's own randomness. */
static uint64_t stream(uint64_t seed, uint64_t kind, uint64_t index)
{
	uint64_t state = seed * 0x2545f4914f6cdd1dull + (kind << 32) + index;

	return rng__mix(&state);
}

static int set_up(struct sim *s)
{
	const struct sim_run *run = s->run;
	const struct sim_scenario *sc = s->scenario;
	int ret = 0;

	s->free_job = UINT32_MAX;
	s->mean_gap_ns = 1e9 / sc->rate_per_s * sc->requests_per_connection;
	rng__init(&s->arrivals, stream(run->seed, 1, 0));
	s->snapshots = run->report_period_ns ? calloc(SIM_SNAPSHOTS, sizeof(*s->snapshots)) : NULL;
	if (run->report_period_ns && !s->snapshots)
		return -ENOMEM;
	for (uint32_t p = 0; p < sc->nr_pods && !ret; p++)
		ret = sim_pod__init(&s->pods[p], &sc->pods[p], stream(run->seed, 2, p));
	for (uint32_t b = 0; b < run->nr_balancers && !ret; b++) {
		struct sim_env env = { .scenario = sc,
				       .sim = s,
				       .index = b,
				       .nr_balancers = run->nr_balancers,
				       .seed = stream(run->seed, 3, b),
				       .options = run->policy_options,
				       .records = run->on_row };

		rng__init(&s->randoms[b], stream(run->seed, 4, b));
		s->states[b] = calloc(1, run->policy->size);
		ret = s->states[b] ? run->policy->init(s->states[b], &env) : -ENOMEM;
	}
	return ret;
}

/* A pod whose first change is "up" begins outside. */
static void first_members(struct sim *s)
{
	const struct sim_scenario *sc = s->scenario;

	for (uint16_t p = 0; p < sc->nr_pods; p++) {
		uint32_t i = 0;

		while (i < sc->nr_changes && sc->changes[i].pod != p)
			i++;
		if (i == sc->nr_changes || !sc->changes[i].up)
			set_member(s, p, true);
	}
	tell_members(s);
}

static void first_events(struct sim *s)
{
	const struct sim_run *run = s->run;

	sim_agenda__init(&s->agenda, SIM_PODS + s->scenario->nr_pods);
	sim_agenda__set(&s->agenda, SIM_ARRIVAL, 0);
	for (uint32_t p = 0; p < s->scenario->nr_pods; p++)
		sim_agenda__set(&s->agenda, SIM_PODS + p, s->pods[p].speed_ns);
	if (s->scenario->nr_changes)
		sim_agenda__set(&s->agenda, SIM_CHANGE, s->scenario->changes[0].at_ns);
	if (run->report_period_ns && run->policy->report)
		sim_agenda__set(&s->agenda, SIM_REPORT, run->report_period_ns / run->nr_balancers);
	if (run->policy->tick && run->policy->tick_ns >= run->nr_balancers)
		sim_agenda__set(&s->agenda, SIM_TICK, run->policy->tick_ns / run->nr_balancers);
	if (run->on_slow && run->slow_ns)
		sim_agenda__set(&s->agenda, SIM_SLOW, run->slow_ns);
}

static void handle(struct sim *s, uint32_t source)
{
	static void (*const events[SIM_PODS])(struct sim *) = {
		[SIM_ARRIVAL] = sim__arrive,	 [SIM_CHANGE] = sim__change,
		[SIM_REPORT] = sim__take_report, [SIM_DELIVER] = sim__deliver_report,
		[SIM_TICK] = sim__tick,		 [SIM_SLOW] = sim__slow,
		[SIM_THINK] = sim__think,	 [SIM_FORWARD] = sim__forward,
		[SIM_BACK] = sim__back,
	};

	if (source < SIM_PODS)
		events[source](s);
	else
		sim__pod(s, source - SIM_PODS);
}

static void loop(struct sim *s)
{
	const uint64_t *arrival = &s->agenda.at_ns[SIM_ARRIVAL];

	while (!s->error && (*arrival != SIM_NEVER || s->in_flight || s->thinking.nr)) {
		uint32_t source = s->agenda.winner[1];

		s->now_ns = s->agenda.at_ns[source];
		handle(s, source);
		s->result->events++;
		if (s->in_flight > SIM_MAX_IN_FLIGHT) {
			s->result->diverged = true;
			return;
		}
	}
}

static void tear_down(struct sim *s)
{
	for (uint32_t b = 0; b < s->run->nr_balancers; b++) {
		if (s->states[b] && s->run->policy->fini)
			s->run->policy->fini(s->states[b]);
		free(s->states[b]);
	}
	for (uint32_t p = 0; p < s->scenario->nr_pods; p++)
		sim_pod__fini(&s->pods[p]);
	free(s->jobs);
	free(s->forward.entries);
	free(s->back.entries);
	free(s->thinking.entries);
	free(s->snapshots);
}

int sim__run(const struct sim_run *run, struct sim_result *ret_result, const char **ret_why)
{
	const char *why = nonsense(run);
	struct sim *s;
	int ret;

	if (ret_why)
		*ret_why = why ? why : "";
	if (why)
		return -EINVAL;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	memset(ret_result, 0, sizeof(*ret_result));
	s->run = run;
	s->scenario = run->scenario;
	s->result = ret_result;
	s->knobs = run->knobs;
	ret = set_up(s);
	if (!ret) {
		first_members(s);
		first_events(s);
		loop(s);
		ret = s->error;
		if (ret_result->requests)
			ret_result->mean_ns = s->sum_ns / (double)ret_result->requests;
	}
	tear_down(s);
	free(s);
	return ret;
}
