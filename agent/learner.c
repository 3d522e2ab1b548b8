// SPDX-License-Identifier: BSD-2-Clause
#include "agent/learner.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/flowview.h"
#include "policy/gain.h"

#define NO_POD 0xffffffffu
#define SAMPLING_PERIOD_NS 1000000000ull
/* Every flow is timed up to this many requests a second, then 1 of 8 (a clock call costs as much as the rest of a new flow). */
#define SAMPLE_ALL_BELOW_PER_S 4000.0
#define SAMPLE_ALL_AGAIN_PER_S 2000.0

struct detail {
	uint32_t pod;		  /* id; NO_POD: slot not in use */
	struct endpoint endpoint; /* which pod that is: an id is given again */
	struct gain gain;
};

struct learner {
	struct datapath *dp;
	struct tables *tables;
	struct podstats *stats;
	const struct pintle_config *config;
	uint32_t nr_slots; /* highest in use + 1 */
	bool is_refreshed; /* once at least: a pod that comes now was not there when the statistics were opened */
	struct detail details[PINTLE_MAX_DETAIL];
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
	for (uint32_t i = 0; i < PINTLE_MAX_DETAIL; i++)
		l->details[i].pod = NO_POD;
	*ret_learner = l;
	return 0;
}

void learner__close(struct learner *l)
{
	free(l);
}

/* A slot that came to another pod starts anew: its statistics did; what the maps held of its gain counts as one sample. */
static void take_slot(struct learner *l, uint32_t slot, uint32_t pod)
{
	struct detail *d = &l->details[slot];
	int16_t adopted = tables__gain(l->tables, (uint16_t)pod);
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
	gain__init(&d->gain);
	if (adopted)
		gain__adopt(&d->gain, adopted);
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
	for (uint32_t i = 0; i < PINTLE_MAX_DETAIL; i++)
		if (!seen[i])
			l->details[i].pod = NO_POD;
	l->is_refreshed = true;
	set_sampling(l, l->shift);
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
	if (gain__update(&d->gain, &in, now_ns))
		tables__stage_gain(l->tables, (uint16_t)d->pod, gain__cost_q8(&d->gain));
}

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

int learner__tick(struct learner *l, uint64_t now_ns, struct pintle_err *err)
{
	int code = podstats__read(l->stats, l->nr_slots, err);

	if (code)
		return code;
	for (uint32_t i = 0; i < l->nr_slots; i++)
		learn_slot(l, i, now_ns);
	adapt_sampling(l, now_ns);
	return tables__commit_gains(l->tables, err);
}
