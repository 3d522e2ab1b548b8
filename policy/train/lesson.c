// SPDX-License-Identifier: BSD-2-Clause
#include "policy/train/lesson.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "policy/train/sim/rivals.h"
#include "policy/train/sim/scenario.h"

struct collector {
	const struct lesson *lesson;
	struct dataset *rows;
	uint64_t warmup_ns;
	uint32_t seen;
	int error;
};

static void on_row(void *arg, const struct sim_row *row)
{
	struct collector *c = arg;

	if (row->nr_inputs != FEATURE_NR || row->now_ns < c->warmup_ns || c->error || ++c->seen % c->lesson->every)
		return;
	c->error = dataset__add(c->rows, row->input, row->target_q8, row->now_ns);
}

static int run_scenario(const struct lesson *l, uint64_t seed, const struct sim_pintle_options *options, struct collector *c,
			const struct lesson_tuner *tuner, struct sim_result *result, char ret_why[LESSON_WHY_BYTES])
{
	struct sim_scenario_data data;
	struct sim_scenario scenario;
	const char *why = "";
	struct sim_run run;
	int error = scenario__make(l->scenario, l->load, l->data_dir, &scenario, &data, ret_why);

	if (error)
		return error;
	scenario.duration_ns = l->seconds * SIM_S;
	if (scenario.warmup_ns > scenario.duration_ns / 5)
		scenario.warmup_ns = scenario.duration_ns / 5;
	run = (struct sim_run){ .scenario = &scenario,
				.policy = &sim_pintle,
				.policy_options = options,
				.nr_balancers = l->balancers,
				.seed = seed,
				.report_period_ns = LESSON_REPORT_NS };
	if (c) {
		c->warmup_ns = scenario.warmup_ns;
		run.on_row = on_row;
		run.row_arg = c;
	}
	if (tuner) {
		run.slow_ns = tuner->window_ns;
		run.on_slow = tuner->on_slow;
		run.slow_arg = tuner->arg;
		run.knobs = options->knobs;
	}
	error = sim__run(&run, result, &why);
	if (error)
		snprintf(ret_why, LESSON_WHY_BYTES, "%s at load %g: %s", l->scenario, l->load, why);
	scenario__free(&data);
	return error;
}

int lesson__collect(const struct lesson *l, uint64_t seed, const struct model *model, struct dataset *d,
		    char ret_why[LESSON_WHY_BYTES])
{
	struct collector c = { .lesson = l, .rows = d };
	struct sim_pintle_options options = sim_pintle_defaults;
	struct sim_result *result = calloc(1, sizeof(*result));
	int error = -ENOMEM;

	options.model = model;
	if (result)
		error = run_scenario(l, seed, &options, &c, NULL, result, ret_why);
	if (!error)
		error = c.error;
	if (error == -ENOMEM)
		snprintf(ret_why, LESSON_WHY_BYTES, "out of memory");
	free(result);
	return error;
}

int lesson__run(const struct lesson *l, uint64_t seed, const struct sim_pintle_options *options,
		const struct lesson_tuner *tuner, struct lesson_result *ret, char ret_why[LESSON_WHY_BYTES])
{
	struct sim_result *result = calloc(1, sizeof(*result));
	int error = -ENOMEM;

	if (result)
		error = run_scenario(l, seed, options, NULL, tuner, result, ret_why);
	else
		snprintf(ret_why, LESSON_WHY_BYTES, "out of memory");
	if (!error)
		*ret = (struct lesson_result){ .p50_ns = sim_hist__quantile(&result->latency, 0.5),
					       .p99_ns = sim_hist__quantile(&result->latency, 0.99),
					       .p999_ns = sim_hist__quantile(&result->latency, 0.999),
					       .mean_ns = result->mean_ns };
	free(result);
	return error;
}

/* Two-sided 95 % quantiles of Student's t by degrees of freedom. */
static double student(uint32_t freedom)
{
	static const double t[] = { 12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228,
				    2.201,  2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086 };

	return freedom <= sizeof(t) / sizeof(t[0]) ? t[freedom - 1] : 1.96 + 2.5 / freedom;
}

void lesson__interval(const double *x, uint32_t n, double *ret_mean, double *ret_half)
{
	double mean = 0, squares = 0;

	for (uint32_t i = 0; i < n; i++)
		mean += x[i] / n;
	for (uint32_t i = 0; i < n; i++)
		squares += (x[i] - mean) * (x[i] - mean);
	*ret_mean = mean;
	*ret_half = n > 1 ? student(n - 1) * sqrt(squares / (n - 1) / n) : INFINITY;
}
