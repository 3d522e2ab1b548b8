// SPDX-License-Identifier: BSD-2-Clause
/* sim: runs policies over a scenario and writes one line of JSON for each policy and seed. bench/sim/run.sh drives it. */
#include <cjson/cJSON.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "policy/train/sim/pintle.h"
#include "policy/train/sim/rivals.h"
#include "policy/train/sim/scenario.h"

struct arguments {
	const char *scenario, *policies, *data, *model, *as;
	double load, report_ms, report_age_ms, duration_s, think_ms, network_ms;
	uint64_t seed_from, seed_to;
	uint32_t balancers, requests;
	bool together;
	struct sim_pintle_options pintle;
};

static const char usage[] =
	"usage: sim --scenario NAME --policies NAME[,NAME...] [options]\n"
	"       sim --list\n"
	"Writes one line of JSON for each policy and seed. Options:\n"
	"  --load X              share of the capacity (0.9)\n"
	"  --balancers N         1 to 64 (16)\n"
	"  --seeds A-B           (1-10)\n"
	"  --report MS           period of load reports, 0 = none (10)\n"
	"  --report-age MS       way of a report (0)\n"
	"  --together            all balancers get their reports at once\n"
	"  --duration S          of arrivals (the scenario's own)\n"
	"  --requests N          per connection (1)\n"
	"  --think MS            mean pause inside a connection (50)\n"
	"  --network MS          one way between balancer and pod (0)\n"
	"  --data DIR            token sizes of scenario s3; else a synthetic stand-in\n"
	"  --pintle KEY[=X],...  x, tau, candidates, ramp, explore-s; load-fresh, load-stale, load-own; no-gain, no-explore,\n"
	"                        no-ramp, no-reuse, queue-psi\n"
	"  --model FILE          for pintle: adds the residual of a net\n"
	"  --as NAME             label of the policy in the output\n";

static int fail(const char *what, const char *why)
{
	fprintf(stderr, "sim: %s: %s; sim --help lists what there is\n", what, why);
	return 2;
}

/* A word without a value. */
static bool set_flag(struct sim_pintle_options *o, const char *word)
{
	const struct {
		const char *name;
		bool *flag;
	} flags[] = {
		{ "no-gain", &o->no_gain },   { "no-explore", &o->no_explore }, { "no-ramp", &o->no_ramp },
		{ "no-reuse", &o->no_reuse }, { "queue-psi", &o->queue_psi },
	};
	static const char *const loads[] = { "load-reckoned", "load-fresh", "load-stale",
					     "load-own" }; /* enum sim_pintle_load */

	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
		if (!strcmp(word, flags[i].name))
			return *flags[i].flag = true;
	for (size_t i = 0; i < sizeof(loads) / sizeof(loads[0]); i++) {
		if (!strcmp(word, loads[i])) {
			o->load = (enum sim_pintle_load)i;
			return true;
		}
	}
	return false;
}

/* One word of --pintle. */
static bool set_pintle(struct sim_pintle_options *o, const char *word)
{
	const struct {
		const char *name;
		uint32_t *value;
		double scale;
	} numbers[] = {
		{ "x", &o->knobs.externality_q8, 256 },
		{ "tau", &o->knobs.tau_q8, 256 },
		{ "candidates", &o->knobs.candidates, 1 },
		{ "ramp", &o->knobs.ramp_q8, 256 },
	};
	const char *equal = strchr(word, '=');
	double x;

	if (!equal)
		return set_flag(o, word);
	x = strtod(equal + 1, NULL);
	if (!(x >= 0 && x <= 1000))
		return false;
	if (!strncmp(word, "explore-s=", 10)) {
		o->knobs.explore_ns = (uint64_t)(x * 1e9);
		return true;
	}
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		if (strlen(numbers[i].name) == (size_t)(equal - word) &&
		    !strncmp(numbers[i].name, word, (size_t)(equal - word))) {
			*numbers[i].value = (uint32_t)(x * numbers[i].scale + 0.5);
			return true;
		}
	}
	return false;
}

static bool set_pintle_words(struct sim_pintle_options *o, const char *words)
{
	char copy[256], *rest = NULL;

	if (strlen(words) >= sizeof(copy))
		return false;
	snprintf(copy, sizeof(copy), "%s", words);
	for (char *word = strtok_r(copy, ",", &rest); word; word = strtok_r(NULL, ",", &rest))
		if (!set_pintle(o, word))
			return false;
	return true;
}

static bool set_seeds(struct arguments *a, const char *text)
{
	char *end;

	a->seed_from = a->seed_to = strtoull(text, &end, 10);
	if (end == text)
		return false;
	if (*end == '-') {
		text = end + 1;
		a->seed_to = strtoull(text, &end, 10);
		if (end == text)
			return false;
	}
	return !*end && a->seed_from <= a->seed_to && a->seed_to - a->seed_from < 10000;
}

enum {
	LOAD = 256,
	BALANCERS,
	SEEDS,
	REPORT,
	REPORT_AGE,
	TOGETHER,
	DURATION,
	REQUESTS,
	THINK,
	NETWORK,
	DATA,
	PINTLE,
	MODEL,
	AS,
	SCENARIO,
	POLICIES,
	LIST,
	HELP
};

static bool set_number(double *to, const char *text)
{
	char *end;

	*to = strtod(text, &end);
	return end != text && !*end && *to >= 0 && *to < 1e9;
}

static bool set_count(uint32_t *to, const char *text)
{
	double x;

	if (!set_number(&x, text))
		return false;
	*to = (uint32_t)x;
	return true;
}

static bool set_argument(struct arguments *a, int option, const char *text)
{
	double *numbers[] = {
		[LOAD - LOAD] = &a->load,	    [REPORT - LOAD] = &a->report_ms, [REPORT_AGE - LOAD] = &a->report_age_ms,
		[DURATION - LOAD] = &a->duration_s, [THINK - LOAD] = &a->think_ms,   [NETWORK - LOAD] = &a->network_ms
	};
	const char **strings[] = { [DATA - DATA] = &a->data,
				   [MODEL - DATA] = &a->model,
				   [AS - DATA] = &a->as,
				   [SCENARIO - DATA] = &a->scenario,
				   [POLICIES - DATA] = &a->policies };

	switch (option) {
	case BALANCERS:
		return set_count(&a->balancers, text);
	case REQUESTS:
		return set_count(&a->requests, text);
	case SEEDS:
		return set_seeds(a, text);
	case TOGETHER:
		a->together = true;
		return true;
	case PINTLE:
		return set_pintle_words(&a->pintle, text);
	case DATA:
	case MODEL:
	case AS:
	case SCENARIO:
	case POLICIES:
		*strings[option - DATA] = text;
		return true;
	default:
		return set_number(numbers[option - LOAD], text);
	}
}

static int list(void)
{
	const struct sim_balancer_ops *p;

	for (uint32_t i = 0; (p = sim_policy__at(i)); i++)
		printf("%-16s %s\n", p->name, p->what);
	return 0;
}

/* -1: go on; else the exit status. */
static int parse(int argc, char **argv, struct arguments *a)
{
	static const struct option options[] = {
		{ "load", 1, NULL, LOAD },
		{ "balancers", 1, NULL, BALANCERS },
		{ "seeds", 1, NULL, SEEDS },
		{ "report", 1, NULL, REPORT },
		{ "report-age", 1, NULL, REPORT_AGE },
		{ "together", 0, NULL, TOGETHER },
		{ "duration", 1, NULL, DURATION },
		{ "requests", 1, NULL, REQUESTS },
		{ "think", 1, NULL, THINK },
		{ "network", 1, NULL, NETWORK },
		{ "data", 1, NULL, DATA },
		{ "pintle", 1, NULL, PINTLE },
		{ "model", 1, NULL, MODEL },
		{ "as", 1, NULL, AS },
		{ "scenario", 1, NULL, SCENARIO },
		{ "policies", 1, NULL, POLICIES },
		{ "list", 0, NULL, LIST },
		{ "help", 0, NULL, HELP },
		{ NULL, 0, NULL, 0 },
	};
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == LIST)
			return list();
		if (option == HELP || option == '?') {
			fputs(usage, option == HELP ? stdout : stderr);
			return option == HELP ? 0 : 2;
		}
		if (!set_argument(a, option, optarg))
			return fail(argv[optind - 1], "not understood");
	}
	if (optind < argc)
		return fail(argv[optind], "not an option");
	if (!a->scenario || !a->policies)
		return fail("arguments", "--scenario and --policies are needed");
	return -1;
}

static double cpu_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void add_quantiles(cJSON *o, const char *prefix, const struct sim_hist *h)
{
	static const struct {
		const char *name;
		double q;
	} quantiles[] = { { "p50_ms", 0.5 }, { "p90_ms", 0.9 }, { "p99_ms", 0.99 }, { "p999_ms", 0.999 } };
	char name[64];

	for (size_t i = 0; i < sizeof(quantiles) / sizeof(quantiles[0]); i++) {
		snprintf(name, sizeof(name), "%s%s", prefix, quantiles[i].name);
		cJSON_AddNumberToObject(o, name, sim_hist__quantile(h, quantiles[i].q) / 1e6);
	}
}

static int print_result(const struct arguments *a, const struct sim_run *run, const struct sim_result *r, double seconds)
{
	cJSON *o = cJSON_CreateObject();
	char *text;

	cJSON_AddStringToObject(o, "scenario", run->scenario->name);
	cJSON_AddStringToObject(o, "policy", a->as ? a->as : run->policy->name);
	cJSON_AddNumberToObject(o, "load", a->load);
	cJSON_AddNumberToObject(o, "balancers", run->nr_balancers);
	cJSON_AddNumberToObject(o, "report_ms", a->report_ms);
	cJSON_AddNumberToObject(o, "report_age_ms", a->report_age_ms);
	cJSON_AddNumberToObject(o, "requests_per_connection", run->scenario->requests_per_connection);
	cJSON_AddNumberToObject(o, "seed", (double)run->seed);
	cJSON_AddNumberToObject(o, "requests", (double)r->requests);
	cJSON_AddNumberToObject(o, "failed", (double)r->failed);
	cJSON_AddBoolToObject(o, "diverged", r->diverged);
	cJSON_AddNumberToObject(o, "mean_ms", r->mean_ns / 1e6);
	add_quantiles(o, "", &r->latency);
	if (r->after_change.count)
		add_quantiles(o, "after_", &r->after_change);
	cJSON_AddNumberToObject(o, "cpu_s", seconds);
	text = cJSON_PrintUnformatted(o);
	cJSON_Delete(o);
	if (!text)
		return fail("output", "out of memory");
	puts(text);
	free(text);
	fflush(stdout);
	return 0;
}

static int run_policy(const struct arguments *a, struct sim_run *run)
{
	static struct sim_result result;
	const char *why;

	run->policy_options = run->policy == &sim_pintle ? &a->pintle : NULL;
	for (run->seed = a->seed_from; run->seed <= a->seed_to; run->seed++) {
		double began = cpu_s();
		int ret = sim__run(run, &result, &why);

		if (ret)
			return fail(run->policy->name, *why ? why : strerror(-ret));
		ret = print_result(a, run, &result, cpu_s() - began);
		if (ret)
			return ret;
	}
	return 0;
}

static int run_policies(const struct arguments *a, struct sim_run *run)
{
	char copy[512], *rest = NULL;
	int ret = 0;

	if (!a->policies || strlen(a->policies) >= sizeof(copy))
		return fail("--policies", "none, or too long");
	snprintf(copy, sizeof(copy), "%s", a->policies);
	for (char *name = strtok_r(copy, ",", &rest); name && !ret; name = strtok_r(NULL, ",", &rest)) {
		run->policy = sim_policy__find(name);
		ret = run->policy ? run_policy(a, run) : fail(name, "no such policy");
	}
	return ret;
}

static int load_model(const char *path, struct model *ret_model)
{
	static char bytes[MODEL_MAX_BYTES + 1];
	struct model_err err;
	char text[MODEL_ERR_BYTES];
	FILE *file = fopen(path, "re");
	size_t size;

	if (!file)
		return fail(path, strerror(errno));
	size = fread(bytes, 1, sizeof(bytes), file);
	fclose(file);
	if (model__parse(bytes, size, MLP_SCALAR, ret_model, &err) == MODEL_OK)
		return 0;
	model_err__text(&err, text, sizeof(text));
	return fail(path, text);
}

int main(int argc, char **argv)
{
	static struct model model;
	static struct sim_scenario scenario;
	static struct sim_scenario_data data;
	struct arguments a = { .load = 0.9,
			       .balancers = 16,
			       .seed_from = 1,
			       .seed_to = 10,
			       .report_ms = 10,
			       .requests = 1,
			       .think_ms = 50,
			       .pintle = sim_pintle_defaults };
	struct sim_run run = { .scenario = &scenario };
	char why[160];
	int ret = parse(argc, argv, &a);

	if (ret >= 0)
		return ret;
	if (a.model) {
		ret = load_model(a.model, &model);
		if (ret)
			return ret;
		a.pintle.model = &model;
	}
	if (scenario__make(a.scenario, a.load, a.data, &scenario, &data, why))
		return fail(a.scenario, why);
	if (a.duration_s > 0)
		scenario.duration_ns = (uint64_t)(a.duration_s * 1e9);
	scenario.requests_per_connection = a.requests;
	scenario.think_ns = (uint64_t)(a.think_ms * 1e6);
	scenario.network_ns = (uint64_t)(a.network_ms * 1e6);
	run.nr_balancers = a.balancers;
	run.report_period_ns = (uint64_t)(a.report_ms * 1e6);
	run.report_age_ns = (uint64_t)(a.report_age_ms * 1e6);
	run.report_together = a.together;
	ret = run_policies(&a, &run);
	scenario__free(&data);
	return ret;
}
