// SPDX-License-Identifier: BSD-2-Clause
#include "agent/learner.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "agent/clock.h"
#include "agent/flowview.h"
#include "agent/trials.h"
#include "policy/gain.h"
#include "policy/mlp.h"

#define NO_POD 0xffffffffu
#define ALL_PERIOD_NS 1000000000ull /* a mark can be missed by a reader beside its writer, for so long at most */
#define SAMPLING_PERIOD_NS 1000000000ull
/* Every flow is timed up to this many requests a second, then 1 of 8 (a clock call costs as much as the rest of a new flow). */
#define SAMPLE_ALL_BELOW_PER_S 4000.0
#define SAMPLE_ALL_AGAIN_PER_S 2000.0

struct detail {
	uint32_t pod;		  /* id; NO_POD: slot not in use */
	struct endpoint endpoint; /* which pod that is: an id is given again */
	struct gain gain;
	double sent, answered, failed; /* requests of about the last second */
	uint64_t decayed_ns;
	int32_t load; /* at the last look */
};

struct learner {
	struct datapath *dp;
	struct tables *tables;
	struct podstats *stats;
	const struct pintle_config *config;
	uint32_t nr_slots; /* highest in use + 1 */
	bool is_refreshed; /* once at least: a pod that comes now was not there when the statistics were opened */
	struct detail details[PINTLE_MAX_DETAIL];
	struct trials trials;
	uint8_t wanted[PINTLE_MAX_DETAIL]; /* slots of this tick */
	uint64_t opened_ns, next_all_ns, flipped_ns;
	uint64_t waiting_ns; /* since when something may be staged; 0: nothing is */
	uint32_t tau_q8;     /* 0: the gain's own */
	struct learner_service *services;
	uint32_t nr_services;
	struct pod_signal signals[PINTLE_MAX_DETAIL]; /* of the service at hand */
	struct learner_delays delays;
	uint64_t requests; /* answered or given up since the last look at the sampling */
	uint64_t sampling_ns;
	uint8_t shift;
};

int learner__open(struct datapath *dp, struct tables *tables, struct podstats *stats, struct learner **ret_learner,
		  struct pintle_err *err)
{
	struct learner *l = calloc(1, sizeof(*l));

	if (!l)
		return pintle_err__set(err, -ENOMEM, "gains: out of memory");
	l->dp = dp;
	l->tables = tables;
	l->stats = stats;
	trials__init(&l->trials, tables, datapath__maps(dp));
	l->opened_ns = clock__monotonic_ns();
	for (uint32_t i = 0; i < PINTLE_MAX_DETAIL; i++)
		l->details[i].pod = NO_POD;
	*ret_learner = l;
	return 0;
}

void learner__close(struct learner *l)
{
	free(l);
}

static int32_t load_of(const struct learner *l, uint32_t pod)
{
	int32_t load = __atomic_load_n(&datapath__maps(l->dp)->loads[pod].awaiting, __ATOMIC_RELAXED);

	return load > 0 ? load : 0;
}

/* A slot that came to another pod starts anew: its statistics did; what the maps held of its gain counts as one sample. */
static void take_slot(struct learner *l, uint32_t slot, uint32_t pod)
{
	struct detail *d = &l->details[slot];
	struct endpoint endpoint;

	if (!flowview__pod(datapath__maps(l->dp), (uint16_t)pod, &endpoint))
		return;
	if (slot >= l->nr_slots)
		l->nr_slots = slot + 1;
	if (d->pod == pod && endpoint.port == d->endpoint.port && ip_addr__equal(&endpoint.addr, &d->endpoint.addr))
		return;
	if (l->is_refreshed)
		podstats__restart(l->stats, slot);
	d->pod = pod;
	d->endpoint = endpoint;
	d->sent = d->answered = d->failed = 0.0;
	d->load = load_of(l, pod);
	gain__init(&d->gain);
	if (l->tau_q8)
		gain__set_tau(&d->gain, l->tau_q8);
	if (tables__knows_gain(l->tables, (uint16_t)pod))
		gain__adopt(&d->gain, tables__gain(l->tables, (uint16_t)pod));
	trials__take(&l->trials, slot, (uint16_t)pod, &d->gain);
}

static void set_sampling(struct learner *l, uint8_t shift)
{
	uint16_t id;

	l->shift = shift;
	for (size_t i = 0; l->config && i < l->config->nr_services; i++)
		for (int family = 4; family <= 6; family += 2)
			if (!tables__service_ids(l->tables, l->config->services[i].name, family, &id))
				tables__set_sampling(l->tables, id, shift);
}

void learner__refresh(struct learner *l, const struct pintle_config *config)
{
	const struct pintle_pod *pods = datapath__maps(l->dp)->pods;
	uint8_t seen[PINTLE_MAX_DETAIL] = { 0 };
	uint16_t pod;

	l->config = config;
	l->nr_slots = 0;
	for (uint32_t from = 0; from < PINTLE_MAX_PODS && !tables__next_pod(l->tables, from, &pod); from = pod + 1u) {
		uint32_t slot = pods[pod].detail;

		if (!slot || slot > PINTLE_MAX_DETAIL)
			continue;
		take_slot(l, slot - 1, pod);
		seen[slot - 1] = 1;
	}
	for (uint32_t i = 0; i < PINTLE_MAX_DETAIL; i++) {
		if (seen[i])
			continue;
		l->details[i].pod = NO_POD;
		trials__drop(&l->trials, i);
	}
	trials__regroup(&l->trials, config);
	l->is_refreshed = true;
	set_sampling(l, l->shift);
}

/* Counts of about the last second: a decay of a second's time constant. */
static void decay(struct detail *d, uint64_t now_ns)
{
	double factor;

	if (now_ns <= d->decayed_ns)
		return;
	factor = exp(-(double)(now_ns - d->decayed_ns) / (double)SIGNAL_WINDOW_NS);
	d->decayed_ns = now_ns;
	d->sent *= factor;
	d->answered *= factor;
	d->failed *= factor;
}

/* What was sent is what ended and what waits more than before. */
static void count_slot(struct learner *l, struct detail *d, const struct podstats_delta *delta, uint64_t now_ns)
{
	int32_t load = load_of(l, d->pod);
	double sent = (double)delta->first_bytes + (double)delta->aborted + (double)(load - d->load);

	decay(d, now_ns);
	d->load = load;
	d->sent += fmax(sent, 0.0);
	d->answered += (double)delta->first_bytes;
	d->failed += (double)delta->refused + (double)delta->resets;
}

static void learn_slot(struct learner *l, uint32_t slot, uint64_t now_ns)
{
	struct detail *d = &l->details[slot];
	struct podstats_delta delta;
	struct gain_input in;

	if (d->pod == NO_POD)
		return;
	delta = podstats__delta(l->stats, slot);
	l->requests += delta.first_bytes + delta.aborted;
	in = (struct gain_input){ .samples = delta.latency_count,
				  .sum_log2_q8 = delta.gain_q8,
				  .latency_ns = delta.latency_ns,
				  .answered = delta.first_bytes,
				  .failed = delta.refused + delta.resets };
	count_slot(l, d, &delta, now_ns);
	trials__count(&l->trials, slot, delta.first_bytes + delta.aborted);
	/* a pod that only failed so far has no gain of its own: trials.h gives it its service's */
	if (gain__update(&d->gain, &in, now_ns) && gain__known(&d->gain))
		tables__stage_gain(l->tables, (uint16_t)d->pod, gain__cost_q8(&d->gain));
}

/* ---- residuals ---- */

static uint32_t to_count(double x)
{
	return x < 0.5 ? 0 : x > 1e9 ? 1000000000u : (uint32_t)(x + 0.5);
}

static void fill_signal(struct learner *l, struct detail *d, uint64_t now_ns, struct pod_signal *ret)
{
	decay(d, now_ns);
	*ret = (struct pod_signal){
		.load = (uint32_t)load_of(l, d->pod),
		.concurrency = datapath__maps(l->dp)->pods[d->pod].concurrency,
		.gain_q8 = gain__q8(&d->gain),
		.fast_q8 = gain__fast_q8(&d->gain),
		.dev_q8 = gain__dev_q8(&d->gain),
		.latency_ns = d->gain.latency_ns,
		.last_sample_ns = d->gain.last_ns,
		.sent = to_count(d->sent),
		.answered = to_count(d->answered),
		.failed = to_count(d->failed),
	};
}

/* Signals of the service's pods, in the order of its slots. A slot without a pod is an idle one that was never sampled. */
static struct service_signal make_signals(struct learner *l, const struct learner_service *service, uint64_t now_ns)
{
	uint64_t age_ns = now_ns - l->opened_ns;

	for (uint32_t i = 0; i < service->nr_slots; i++) {
		struct detail *d = &l->details[service->slots[i]];

		l->signals[i] = (struct pod_signal){ .concurrency = 1 };
		if (d->pod != NO_POD)
			fill_signal(l, d, now_ns, &l->signals[i]);
	}
	return (struct service_signal){ .now_ns = now_ns,
					.window_ns = age_ns < SIGNAL_WINDOW_NS ? age_ns + 1 : SIGNAL_WINDOW_NS,
					.nr_pods = service->nr_slots,
					.pods = l->signals };
}

static void stage_residuals(struct learner *l, const struct learner_service *service, uint64_t now_ns)
{
	struct service_signal signals = make_signals(l, service, now_ns);
	struct feature_context context;

	feature_context__init(&context, &signals);
	for (uint32_t i = 0; i < service->nr_slots; i++) {
		const struct detail *d = &l->details[service->slots[i]];
		int32_t residuals[LEARNER_VARIANTS] = { 0 };
		int8_t input[FEATURE_NR];

		if (d->pod == NO_POD)
			continue;
		feature_context__vector(&context, i, input);
		for (uint32_t v = 0; v < LEARNER_VARIANTS; v++)
			if (service->nets[v] && gain__known(&d->gain))
				residuals[v] = mlp__residual_q8(service->nets[v], input);
		tables__stage_residuals(l->tables, (uint16_t)d->pod, (int16_t)residuals[0], (int16_t)residuals[1]);
	}
}

static bool has_active(const struct learner *l, const struct learner_service *service)
{
	for (uint32_t i = 0; i < service->nr_slots; i++)
		if (l->wanted[service->slots[i]])
			return true;
	return false;
}

static void learn_services(struct learner *l, uint64_t now_ns)
{
	for (uint32_t i = 0; i < l->nr_services; i++) {
		struct learner_service *service = &l->services[i];
		bool has_nets = service->nets[0] || service->nets[1];

		if (!service->is_stale && !(has_nets && has_active(l, service)))
			continue;
		service->is_stale = false;
		stage_residuals(l, service, now_ns);
	}
}

void learner__set_services(struct learner *l, struct learner_service *services, uint32_t nr_services)
{
	l->services = services;
	l->nr_services = nr_services;
}

void learner__set_tau(struct learner *l, uint32_t tau_q8)
{
	for (uint32_t i = 0; i < PINTLE_MAX_DETAIL; i++)
		gain__set_tau(&l->details[i].gain, tau_q8);
	l->tau_q8 = tau_q8;
}

const struct learner_delays *learner__delays(const struct learner *l)
{
	return &l->delays;
}

bool learner__explain(struct learner *l, const struct learner_service *service, uint32_t index, uint64_t now_ns,
		      struct learner_view *ret)
{
	struct service_signal signals = make_signals(l, service, now_ns);
	const struct detail *d = &l->details[service->slots[index]];
	struct feature_context context;

	if (d->pod == NO_POD)
		return false;
	feature_context__init(&context, &signals);
	*ret = (struct learner_view){ .pod = (uint16_t)d->pod,
				      .gain_q8 = gain__q8(&d->gain),
				      .load = signals.pods[index].load,
				      .sent = signals.pods[index].sent,
				      .answered = signals.pods[index].answered,
				      .failed = signals.pods[index].failed };
	feature_context__raw_q8(&context, index, ret->raw_q8);
	feature__normalise(ret->raw_q8, ret->input);
	for (uint32_t v = 0; v < LEARNER_VARIANTS; v++) {
		if (!service->nets[v])
			continue;
		ret->output_q8[v] = mlp__run(service->nets[v], ret->input);
		ret->residual_q8[v] = gain__known(&d->gain) ? mlp__residual_q8(service->nets[v], ret->input) : 0;
	}
	return true;
}

/* ---- ticks ---- */

static void adapt_sampling(struct learner *l, uint64_t now_ns)
{
	double per_s;

	if (!l->sampling_ns || now_ns < l->sampling_ns) {
		l->sampling_ns = now_ns;
		return;
	}
	if (now_ns - l->sampling_ns < SAMPLING_PERIOD_NS)
		return;
	per_s = (double)l->requests * 1e9 / (double)(now_ns - l->sampling_ns);
	l->sampling_ns = now_ns;
	l->requests = 0;
	if (!l->shift && per_s > SAMPLE_ALL_BELOW_PER_S)
		set_sampling(l, TABLES_SAMPLE_SHIFT);
	else if (l->shift && per_s < SAMPLE_ALL_AGAIN_PER_S)
		set_sampling(l, 0);
}

/* The marks are taken back before the reading: what changes after it is marked again. */
static void take_marks(struct learner *l, uint64_t now_ns)
{
	uint8_t *marks = datapath__maps(l->dp)->activity->pod;

	for (uint32_t i = 0; i < l->nr_slots; i++) {
		l->wanted[i] = __atomic_load_n(&marks[i], __ATOMIC_RELAXED);
		if (l->wanted[i])
			__atomic_store_n(&marks[i], 0, __ATOMIC_SEQ_CST);
	}
	if (now_ns < l->next_all_ns && l->next_all_ns - now_ns <= ALL_PERIOD_NS)
		return;
	l->next_all_ns = now_ns + ALL_PERIOD_NS;
	memset(l->wanted, 1, l->nr_slots);
}

static void count_delay(struct learner_delays *delays, uint64_t ns)
{
	uint64_t us = ns / 1000;
	uint32_t i = 0;

	while (i < LEARNER_DELAYS - 1 && us >> i)
		i++;
	delays->below[i]++;
	delays->count++;
	delays->sum_ns += ns;
	if (ns > delays->max_ns)
		delays->max_ns = ns;
}

int learner__tick(struct learner *l, uint64_t now_ns, struct pintle_err *err)
{
	uint64_t begin_ns = clock__monotonic_ns();
	uint32_t half = datapath__maps(l->dp)->ctl->gains_half;
	int code;

	take_marks(l, now_ns);
	code = podstats__read_some(l->stats, l->wanted, l->nr_slots, err);
	if (code)
		return code;
	for (uint32_t i = 0; i < l->nr_slots; i++)
		if (l->wanted[i])
			learn_slot(l, i, now_ns);
	learn_services(l, now_ns);
	trials__look(&l->trials, l->wanted, now_ns);
	adapt_sampling(l, now_ns);
	if (!l->waiting_ns)
		l->waiting_ns = begin_ns;
	if (l->flipped_ns && now_ns >= l->flipped_ns && now_ns - l->flipped_ns < TABLES_GAINS_SETTLE_NS)
		return 0; /* a tick came early: with the next one, which need not wait */
	tables__gains_settled(l->tables);
	code = tables__commit_gains(l->tables, err);
	if (!code && datapath__maps(l->dp)->ctl->gains_half != half) {
		l->flipped_ns = now_ns;
		count_delay(&l->delays, clock__monotonic_ns() - l->waiting_ns);
	}
	l->waiting_ns = 0;
	return code;
}
