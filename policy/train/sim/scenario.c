// SPDX-License-Identifier: BSD-2-Clause
#include "policy/train/sim/scenario.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/train/sim/draw.h"
#include "policy/train/sim/rivals.h"
#include "policy/train/sim/trace.h"

#define S1_PODS 4u
#define S2_PODS 20u
#define S3_PODS 8u
#define ADD_PERIOD_NS (60 * SIM_S)
#define ADD_STAY_NS (40 * SIM_S)

static double mean_state_speed(const struct sim_pod_spec *p)
{
	double weights = 0, time = 1, work = 1;

	if (!p->nr_states)
		return 1;
	for (uint32_t i = 1; i < p->nr_states; i++)
		weights += p->state_weight[i];
	time = (double)p->dwell_ns[0];
	work = time * p->state_speed[0];
	for (uint32_t i = 1; i < p->nr_states; i++) {
		time += (double)p->dwell_ns[i] * p->state_weight[i] / weights;
		work += (double)p->dwell_ns[i] * p->state_weight[i] / weights * p->state_speed[i];
	}
	return work / time;
}

double scenario__pod_capacity(const struct sim_scenario *s, uint32_t pod)
{
	const struct sim_pod_spec *p = &s->pods[pod];
	double work_s = (draw__mean_work_ns(s) + (double)p->base_ns) / 1e9, places = p->slots;

	if (p->discipline == SIM_BATCH)
		places /= 1 + p->slowdown * (p->slots - 1);
	return places * p->speed * mean_state_speed(p) / work_s;
}

static void make_s1(struct sim_scenario *s)
{
	s->nr_pods = S1_PODS;
	for (uint32_t i = 0; i < S1_PODS; i++)
		s->pods[i] = (struct sim_pod_spec){
			.discipline = SIM_FIFO, .slots = 1, .speed = 1, .concurrency = 1, .base_ns = (i < 2 ? 20 : 250) * SIM_MS
		};
	s->sizes = SIM_SIZES_UNIFORM;
	s->size_ns[1] = 50 * SIM_MS;
	s->duration_ns = 3000 * SIM_S;
	s->warmup_ns = 60 * SIM_S;
}

/* Speeds 1, 0.6, 0.25 for 4, 2, 1 s in the mean; from full speed two of three go to 0.6, which makes the mean speed 0.862. */
static struct sim_pod_spec antagonised(void)
{
	return (struct sim_pod_spec){
		.discipline = SIM_PS,
		.slots = 4,
		.speed = 1,
		.concurrency = 4,
		.nr_states = 3,
		.state_speed = { 1, 0.6, 0.25 },
		.state_weight = { 0, 2, 1 },
		.dwell_ns = { 4 * SIM_S, 2 * SIM_S, 1 * SIM_S },
	};
}

static void make_s2(struct sim_scenario *s)
{
	s->nr_pods = S2_PODS;
	for (uint32_t i = 0; i < S2_PODS; i++)
		s->pods[i] = antagonised();
	s->sizes = SIM_SIZES_NORMAL;
	s->size_ns[0] = 20 * SIM_MS;
	s->duration_ns = 300 * SIM_S;
	s->warmup_ns = 10 * SIM_S;
}

/* The mean is 20.0 ms, a thousandth takes more than 0.5 s. */
static void make_s2_pareto(struct sim_scenario *s)
{
	make_s2(s);
	s->sizes = SIM_SIZES_PARETO;
	s->size_shape = 1.5;
	s->size_ns[0] = 7300 * 1000;
	s->size_ns[1] = 1000 * SIM_MS;
}

/* The 20th pod comes once a minute for 40 s. */
static void make_s2_add(struct sim_scenario *s, struct sim_scenario_data *data)
{
	uint32_t nr = 0;

	make_s2(s);
	s->duration_ns = 600 * SIM_S;
	for (uint64_t at = ADD_PERIOD_NS; at + ADD_STAY_NS < s->duration_ns && nr + 2 <= 512; at += ADD_PERIOD_NS) {
		data->changes[nr++] = (struct sim_change){ .at_ns = at, .pod = S2_PODS - 1, .up = true };
		data->changes[nr++] = (struct sim_change){ .at_ns = at + ADD_STAY_NS, .pod = S2_PODS - 1, .up = false };
	}
	s->changes = data->changes;
	s->nr_changes = nr;
	s->after_change_ns = 30 * SIM_S;
}

static void make_s2_fail(struct sim_scenario *s)
{
	make_s2(s);
	s->pods[0].fail_share = 0.9;
}

/* Each pod is all but stopped for 5 s, twice a minute or so: will it be used again when it is well? */
static void make_s2_recover(struct sim_scenario *s)
{
	make_s2(s);
	for (uint32_t i = 0; i < S2_PODS; i++) {
		s->pods[i].nr_states = 2;
		s->pods[i].state_speed[1] = 0.02;
		s->pods[i].dwell_ns[0] = 25 * SIM_S;
		s->pods[i].dwell_ns[1] = 5 * SIM_S;
	}
}

static int make_s3(struct sim_scenario *s, const char *data_dir, struct sim_scenario_data *data, char ret_why[160])
{
	int ret = trace__work(data_dir, &data->trace_ns, &s->nr_trace, ret_why);

	if (ret)
		return ret;
	s->nr_pods = S3_PODS;
	for (uint32_t i = 0; i < S3_PODS; i++)
		s->pods[i] = (struct sim_pod_spec){
			.discipline = SIM_BATCH, .slots = 64, .slowdown = 0.03, .speed = i < 6 ? 1 : 0.5, .concurrency = 64
		};
	s->sizes = SIM_SIZES_TRACE;
	s->trace_ns = data->trace_ns;
	s->duration_ns = 3000 * SIM_S;
	s->warmup_ns = 200 * SIM_S;
	return 0;
}

static const char *const names[] = { "s1", "s2", "s3", "s2-pareto", "s2-add", "s2-fail", "s2-recover" };

static int make_pods(size_t which, struct sim_scenario *s, const char *data_dir, struct sim_scenario_data *data,
		     char ret_why[160])
{
	switch (which) {
	case 0:
		make_s1(s);
		return 0;
	case 1:
		make_s2(s);
		return 0;
	case 2:
		return make_s3(s, data_dir, data, ret_why);
	case 3:
		make_s2_pareto(s);
		return 0;
	case 4:
		make_s2_add(s, data);
		return 0;
	case 5:
		make_s2_fail(s);
		return 0;
	default:
		make_s2_recover(s);
		return 0;
	}
}

int scenario__make(const char *name, double load, const char *data_dir, struct sim_scenario *ret_scenario,
		   struct sim_scenario_data *ret_data, char ret_why[160])
{
	struct sim_scenario s = { .requests_per_connection = 1, .think_ns = 50 * SIM_MS };
	size_t which = 0;
	double capacity = 0;
	int ret;

	while (which < sizeof(names) / sizeof(names[0]) && strcmp(names[which], name))
		which++;
	if (which == sizeof(names) / sizeof(names[0])) {
		snprintf(ret_why, 160, "no scenario '%s'; there are s1, s2, s3, s2-pareto, s2-add, s2-fail, s2-recover", name);
		return -EINVAL;
	}
	if (!(load > 0 && load <= 2)) {
		snprintf(ret_why, 160, "load %g: a share of the capacity, above 0 and up to 2", load);
		return -EINVAL;
	}
	memset(ret_data, 0, sizeof(*ret_data));
	s.name = names[which];
	ret = make_pods(which, &s, data_dir, ret_data, ret_why);
	if (ret)
		return ret;
	for (uint32_t i = 0; i < s.nr_pods; i++)
		if (!s.nr_changes || i != s.changes[0].pod) /* the load is that of the pods that are always there */
			capacity += scenario__pod_capacity(&s, i);
	s.rate_per_s = load * capacity;
	*ret_scenario = s;
	return 0;
}

void scenario__free(struct sim_scenario_data *data)
{
	free(data->trace_ns);
	data->trace_ns = NULL;
}
