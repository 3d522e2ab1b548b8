// SPDX-License-Identifier: BSD-2-Clause
/*
 * What happens where: choose() is the program at a SYN (own counters, the agent's tables), on_first_byte() its telemetry, report() and tick() are the
 * agent, which writes members and offsets every 10 ms. A pod that may not be chosen is a member that no score beats, so that indices are pods.
 */
#include "policy/train/sim/pintle.h"

#include <string.h>

#include "policy/explore.h"
#include "policy/feature.h"
#include "policy/fixed.h"
#include "policy/gain.h"
#include "policy/pick.h"
#include "policy/psi.h"
#include "policy/ramp.h"
#include "policy/reckon.h"
#include "policy/train/sim/rivals.h"
#include "policy/train/sim/truth.h"

_Static_assert(FEATURE_NR <= SIM_MAX_INPUTS, "a training row holds every feature");

const struct sim_pintle_options sim_pintle_defaults = {
	.knobs = {
		.externality_q8 = 256,
		.tau_q8 = GAIN_TAU_Q8,
		.ramp_q8 = 512,
		.explore_ns = 2 * SIM_S,
	},
};

struct pod {
	struct gain gain;
	struct gain_input input; /* since the last tick */
	struct ramp ramp;
	struct explore explore;
	uint32_t snap, own_at_snap;
	uint64_t sent;
	uint64_t window_sent, window_answered, window_failed; /* Q8, decayed */
	uint64_t tick_sent, tick_answered, tick_failed;	      /* since the last tick */
	bool member;
};

struct pintle {
	const struct sim_scenario *scenario;
	struct sim *sim;
	struct sim_pintle_options options;
	bool records;
	uint32_t nr; /* pods, members or not */
	uint32_t nr_members;
	struct pod pods[SIM_MAX_PODS];
	/* the programs' tables */
	struct pintle_member members[SIM_MAX_PODS];
	int32_t offset_q8[SIM_MAX_PODS];
	uint32_t own[SIM_MAX_PODS];
	int16_t sat_q8[SIM_MAX_PODS]; /* gain_sat_q8 - gain_q8 of the pod */
	uint16_t shared_concurrency[SIM_MAX_PODS];
	uint64_t reuse_requests, reuse_flows, reuse_ns; /* an eighth goes every REUSE_NS */
	int16_t psi_q8[PINTLE_PSI_ENTRIES], latency_q8[PINTLE_PSI_ENTRIES];
	struct reckon_share share;
	uint64_t sent, report_ns, last_tick_ns, window_ns;
	bool reported;
	struct pod_signal signals[SIM_MAX_PODS];
	int8_t inputs[SIM_MAX_PODS][FEATURE_NR];
};

/* ---- the programs ---- */

#define REUSE_NS SIM_S

static bool batches(const struct pintle *s)
{
	return s->scenario->pods[0].discipline == SIM_BATCH && !s->options.queue_psi;
}

static void fill_curves(struct pintle *s)
{
	double x = s->options.knobs.externality_q8 / 256.0;

	if (batches(s)) {
		psi__fill_batch(s->scenario->pods[0].slowdown, x, s->psi_q8);
		psi__fill_batch(s->scenario->pods[0].slowdown, 0, s->latency_q8);
	} else {
		psi__fill(x, s->psi_q8);
		psi__fill_latency(s->latency_q8);
	}
}

static uint16_t concurrency(const struct pintle *s, uint32_t pod)
{
	if (batches(s))
		return 1;
	return s->options.no_reuse ? (uint16_t)s->scenario->pods[pod].concurrency : s->shared_concurrency[pod];
}

static void share_concurrency(struct pintle *s)
{
	for (uint32_t p = 0; p < s->nr; p++) {
		s->shared_concurrency[p] = psi__concurrency((uint16_t)s->scenario->pods[p].concurrency, s->reuse_requests,
							    s->reuse_flows);
		s->sat_q8[p] = psi__gain_sat_q8(0, concurrency(s, p));
	}
}

/* What a latency is divided by: expected_delay_q8 of bpf/telemetry.bpf.h. */
static int32_t expected_q8(const struct pintle *s, uint32_t pod, uint32_t load)
{
	uint32_t c = concurrency(s, pod);

	return load + 1 <= c ? 0 : pintle_psi_log2_q8(s->latency_q8, load) - pintle_log2_q8(c);
}

static void true_loads(const struct pintle *s, uint32_t loads[SIM_MAX_PODS])
{
	for (uint32_t p = 0; p < s->nr; p++)
		loads[p] = sim_pod__in_flight(sim_truth__pod(s->sim, p));
}

static void count_sent(struct pintle *s, uint32_t pod)
{
	s->own[pod]++;
	s->sent++;
	s->reuse_requests++;
	s->pods[pod].sent++;
	s->pods[pod].tick_sent++;
}

static uint32_t choose(void *state, struct sim_choice *c)
{
	struct pintle *s = state;
	struct pick_input in = { .members = s->members,
				 .own = s->own,
				 .psi_q8 = s->psi_q8,
				 .nr = s->nr,
				 .candidates = s->options.knobs.candidates };
	uint32_t loads[SIM_MAX_PODS], pod;

	if (s->options.load == SIM_LOAD_FRESH) {
		true_loads(s, loads);
		in.own = loads;
	} else if (s->options.load == SIM_LOAD_STALE && s->reported) {
		for (uint32_t p = 0; p < s->nr; p++)
			loads[p] = s->pods[p].snap;
		in.own = loads;
	} else if (s->options.load == SIM_LOAD_RECKONED && s->reported) {
		in.offset_q8 = s->offset_q8;
		in.share_q8 = s->share.share_q8;
	}
	pod = pick__member(&in, c->random, &c->load);
	if (!s->pods[pod].member) { /* only non-members were looked at */
		in.candidates = 0;
		pod = pick__member(&in, c->random, &c->load);
	}
	count_sent(s, pod);
	s->reuse_flows++;
	if (s->records) {
		c->gain_q8 = gain__q8(&s->pods[pod].gain);
		c->psi_q8 = expected_q8(s, pod, c->load);
		c->nr_inputs = gain__known(&s->pods[pod].gain) ? FEATURE_NR : 0;
		memcpy(c->input, s->inputs[pod], FEATURE_NR);
	}
	return pod;
}

static void sent(void *state, uint32_t pod, uint64_t now_ns)
{
	(void)now_ns;
	count_sent(state, pod);
}

/* Later requests of a connection are timed too; the load that they met is the one reckoned now, without themselves. */
static void on_first_byte(void *state, const struct sim_outcome *o)
{
	struct pintle *s = state;
	struct pod *p = &s->pods[o->pod];
	uint32_t load = o->choice->load;

	s->own[o->pod]--;
	if (!o->first)
		load = s->reported ? pintle_reckon(s->own[o->pod], s->offset_q8[o->pod], s->share.share_q8) : s->own[o->pod];
	p->input.samples++;
	p->input.answered++;
	p->input.sum_log2_q8 += pintle_log2_q8(o->latency_ns / 1000) - expected_q8(s, o->pod, load);
	p->input.latency_ns += o->latency_ns;
	p->tick_answered++;
}

static void on_fail(void *state, const struct sim_outcome *o)
{
	struct pintle *s = state;

	s->own[o->pod]--;
	s->pods[o->pod].input.failed++;
	s->pods[o->pod].tick_failed++;
}

/* ---- the agent ---- */

static void report(void *state, const struct sim_report *r)
{
	struct pintle *s = state;
	uint64_t total = 0;

	for (uint32_t p = 0; p < s->nr; p++) {
		s->pods[p].snap = r->load[p];
		s->pods[p].own_at_snap = s->own[p];
		total += r->samples[p].arrived;
	}
	reckon__arrivals(&s->share, total, s->sent, r->now_ns);
	s->report_ns = r->taken_ns;
	s->reported = true;
}

static void write_offsets(struct pintle *s, uint64_t now_ns)
{
	for (uint32_t p = 0; p < s->nr && s->reported; p++)
		s->offset_q8[p] = reckon__offset_q8(&s->share, s->pods[p].snap, s->pods[p].own_at_snap, now_ns - s->report_ns,
						    s->pods[p].gain.latency_ns);
}

static void report_and_write(void *state, const struct sim_report *r)
{
	report(state, r);
	write_offsets(state, r->now_ns);
}

static int16_t median_gain(const struct pintle *s)
{
	int16_t gains[SIM_MAX_PODS];
	uint32_t n = 0;

	for (uint32_t p = 0; p < s->nr; p++)
		if (s->pods[p].member && gain__known(&s->pods[p].gain))
			gains[n++] = gain__q8(&s->pods[p].gain);
	return n == s->nr_members ? 0 : ramp__median_q8(gains, n); /* nobody asks for it when all are known */
}

static uint64_t decayed(uint64_t *window, uint64_t *tick, uint32_t kept_q16)
{
	*window = (*window * kept_q16 >> 16) + *tick * 256;
	*tick = 0;
	return *window >> 8;
}

static void fill_signals(struct pintle *s, uint64_t now_ns)
{
	uint32_t kept_q16 = fixed__exp2_neg_q16(fixed__fraction_q16(now_ns - s->last_tick_ns, SIGNAL_WINDOW_NS) * 94548ull >>
						16);

	s->window_ns = (s->window_ns * kept_q16 >> 16) + (now_ns - s->last_tick_ns);
	for (uint32_t i = 0; i < s->nr; i++) {
		struct pod *p = &s->pods[i];

		s->signals[i] = (struct pod_signal){
			.load = s->reported ? pintle_reckon(s->own[i], s->offset_q8[i], s->share.share_q8) : s->own[i],
			.concurrency = concurrency(s, i),
			.gain_q8 = gain__q8(&p->gain),
			.fast_q8 = gain__fast_q8(&p->gain),
			.dev_q8 = gain__dev_q8(&p->gain),
			.latency_ns = p->gain.latency_ns,
			.last_sample_ns = p->gain.last_ns,
			.sent = fixed__satu32(decayed(&p->window_sent, &p->tick_sent, kept_q16)),
			.answered = fixed__satu32(decayed(&p->window_answered, &p->tick_answered, kept_q16)),
			.failed = fixed__satu32(decayed(&p->window_failed, &p->tick_failed, kept_q16)),
		};
	}
}

static void fill_inputs(struct pintle *s, uint64_t now_ns)
{
	struct service_signal service = {
		.now_ns = now_ns, .window_ns = s->window_ns ? s->window_ns : 1, .nr_pods = s->nr, .pods = s->signals
	};
	struct feature_context context;

	feature_context__init(&context, &service);
	for (uint32_t p = 0; p < s->nr; p++)
		feature_context__vector(&context, p, s->inputs[p]);
}

/* Mean latency over the members that have one. */
static uint64_t service_latency_ns(const struct pintle *s)
{
	uint64_t sum = 0, n = 0;

	for (uint32_t p = 0; p < s->nr; p++) {
		if (s->pods[p].member && s->pods[p].gain.latency_ns) {
			sum += s->pods[p].gain.latency_ns;
			n++;
		}
	}
	return n ? sum / n : 1;
}

static struct pintle_member ordinary_member(struct pintle *s, uint32_t pod, int16_t median_q8, uint64_t latency_ns,
					    uint64_t now_ns)
{
	struct pod *p = &s->pods[pod];
	int32_t gain_q8 = gain__known(&p->gain) ? gain__q8(&p->gain) : median_q8;
	struct pintle_member m = { .pod = (uint16_t)pod, .concurrency = concurrency(s, pod) };

	if (s->options.no_gain)
		gain_q8 = 0;
	gain_q8 += gain__failure_q8(&p->gain);
	if (s->options.model && gain__known(&p->gain))
		gain_q8 += mlp__residual_q8(&s->options.model->mlp, s->inputs[pod]);
	if (!s->options.no_ramp)
		gain_q8 += ramp__penalty_q8(&p->ramp, p->sent, s->sent, s->nr_members,
					    p->gain.latency_ns ? p->gain.latency_ns : latency_ns, s->options.knobs.ramp_q8,
					    now_ns);
	m.gain_q8 = fixed__sat16(gain_q8);
	m.gain_sat_q8 = fixed__sat16(m.gain_q8 + s->sat_q8[pod]);
	return m;
}

static void write_members(struct pintle *s, uint64_t now_ns)
{
	int16_t median_q8 = median_gain(s);
	uint64_t latency_ns = service_latency_ns(s),
		 interval_ns = s->options.knobs.explore_ns * (s->share.share_q8 + 255) / 256;
	int32_t lowest_q8 = INT16_MAX;

	for (uint32_t p = 0; p < s->nr; p++) {
		if (!s->pods[p].member)
			continue;
		s->members[p] = ordinary_member(s, p, median_q8, latency_ns, now_ns);
		if (s->members[p].gain_q8 < lowest_q8)
			lowest_q8 = s->members[p].gain_q8;
	}
	for (uint32_t p = 0; p < s->nr && !s->options.no_explore; p++)
		if (s->pods[p].member && explore__due(&s->pods[p].explore, s->pods[p].sent, interval_ns, now_ns))
			s->members[p] = explore__member(&s->members[p], lowest_q8);
}

static void tick(void *state, uint64_t now_ns)
{
	struct pintle *s = state;

	if (now_ns - s->reuse_ns >= REUSE_NS) {
		share_concurrency(s);
		s->reuse_requests -= s->reuse_requests / 8;
		s->reuse_flows -= s->reuse_flows / 8;
		s->reuse_ns = now_ns;
	}

	for (uint32_t p = 0; p < s->nr; p++) {
		if (s->pods[p].input.samples || s->pods[p].input.failed)
			gain__update(&s->pods[p].gain, &s->pods[p].input, now_ns);
		s->pods[p].input = (struct gain_input){ 0 };
	}
	write_offsets(s, now_ns);
	if (s->records || s->options.model) {
		fill_signals(s, now_ns);
		fill_inputs(s, now_ns);
	}
	write_members(s, now_ns);
	s->last_tick_ns = now_ns;
}

static void begin_pod(struct pintle *s, uint32_t pod, uint64_t now_ns)
{
	struct pod *p = &s->pods[pod];

	gain__init(&p->gain);
	gain__set_tau(&p->gain, s->options.knobs.tau_q8);
	explore__begin(&p->explore, p->sent, now_ns);
	if (now_ns) /* not the pods that a balancer begins with: they are all new */
		ramp__begin(&p->ramp, p->sent, s->sent, now_ns);
}

static void members(void *state, const uint16_t *pods, uint32_t nr, uint64_t now_ns)
{
	struct pintle *s = state;
	uint32_t next = 0;

	s->nr_members = nr;
	for (uint32_t p = 0; p < s->nr; p++) {
		bool member = next < nr && pods[next] == p;

		next += member;
		if (member && !s->pods[p].member)
			begin_pod(s, p, now_ns);
		s->pods[p].member = member;
		if (!member)
			s->members[p] = (struct pintle_member){
				.pod = (uint16_t)p, .gain_q8 = INT16_MAX, .gain_sat_q8 = INT16_MAX, .concurrency = 1
			};
	}
	write_members(s, now_ns);
}

static int init(void *state, const struct sim_env *env)
{
	struct pintle *s = state;

	s->scenario = env->scenario;
	s->sim = env->sim;
	s->nr = env->scenario->nr_pods;
	s->records = env->records;
	s->options = env->options ? *(const struct sim_pintle_options *)env->options : sim_pintle_defaults;
	knobs__clamp(&s->options.knobs);
	/* a node knows how many report to it; the parts are learned */
	reckon__init(&s->share, 256 * env->nr_balancers);
	fill_curves(s);
	share_concurrency(s);
	return 0;
}

static void set(void *state, const struct policy_knobs *knobs)
{
	struct pintle *s = state;

	s->options.knobs = *knobs;
	knobs__clamp(&s->options.knobs);
	fill_curves(s);
	for (uint32_t p = 0; p < s->nr; p++)
		gain__set_tau(&s->pods[p].gain, s->options.knobs.tau_q8);
}

const struct sim_balancer_ops sim_pintle = {
	.name = "pintle",
	.what = "score over all pods: learned gain, externality, dead reckoning, slow start, exploration (policy/ itself)",
	.size = sizeof(struct pintle),
	.tick_ns = SIM_PINTLE_TICK_NS,
	.init = init,
	.members = members,
	.choose = choose,
	.sent = sent,
	.on_first_byte = on_first_byte,
	.on_fail = on_fail,
	.report = report_and_write,
	.tick = tick,
	.set = set,
};
