// SPDX-License-Identifier: BSD-2-Clause
/*
 * What the learned correction costs: bench/policy/run.sh [--rounds N] [--json FILE] [--gate]
 * Cases run in turn, round after round, the order shifted each round; a figure is the median over rounds of the mean over one batch, in
 * CPU time of the thread. Back to back, as a tick runs it, on inputs that differ. JSON lines, then a table; --gate: exit 1 when a bar is missed.
 */
#include <cjson/cJSON.h>
#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "policy/feature.h"
#include "policy/mlp.h"

#define NR_INPUTS 1024 /* vectors, and moments of a service */
#define NR_PODS 64
#define MAX_ROUNDS 1001

struct bench {
	struct mlp small, large; /* 12-16-8-1, 64-64-64-1 */
	int8_t inputs[NR_INPUTS][MLP_MAX_WIDTH];
	struct pod_signal pods[NR_INPUTS / NR_PODS][NR_PODS];
	volatile int64_t sink;
};

struct bench_case {
	const char *figure;
	void (*run)(struct bench *b, uint32_t count);
	enum mlp_path path;
	uint32_t count; /* in a batch: some hundreds of microseconds */
	double limit_ns;
};

static void run_small(struct bench *b, uint32_t count)
{
	int64_t sum = 0;

	for (uint32_t i = 0; i < count; i++)
		sum += mlp__residual_q8(&b->small, b->inputs[i % NR_INPUTS]);
	b->sink = sum;
}

static void run_large(struct bench *b, uint32_t count)
{
	int64_t sum = 0;

	for (uint32_t i = 0; i < count; i++)
		sum += mlp__residual_q8(&b->large, b->inputs[i % NR_INPUTS]);
	b->sink = sum;
}

/* All that a tick adds for one service: context, features and, with `net`, the correction of each pod. */
static int64_t tick(const struct bench *b, uint32_t i, bool net)
{
	struct service_signal s = { .now_ns = 1000000000000ull + i * 1000000ull,
				    .window_ns = SIGNAL_WINDOW_NS,
				    .nr_pods = NR_PODS,
				    .pods = b->pods[i % (NR_INPUTS / NR_PODS)] };
	struct feature_context c;
	int8_t in[FEATURE_NR];
	int64_t sum = 0;

	feature_context__init(&c, &s);
	for (uint32_t k = 0; k < NR_PODS; k++) {
		feature_context__vector(&c, k, in);
		sum += net ? mlp__residual_q8(&b->small, in) : in[0] + in[FEATURE_NR - 1];
	}
	return sum;
}

static void run_tick(struct bench *b, uint32_t count)
{
	int64_t sum = 0;

	for (uint32_t i = 0; i < count; i++)
		sum += tick(b, i, true);
	b->sink = sum;
}

static void run_features(struct bench *b, uint32_t count)
{
	int64_t sum = 0;

	for (uint32_t i = 0; i < count; i++)
		sum += tick(b, i, false);
	b->sink = sum;
}

static const struct bench_case cases[] = {
	{ "12-16-8-1, AVX2", run_small, MLP_AVX2, 4096, 150 },	    { "12-16-8-1, scalar", run_small, MLP_SCALAR, 4096, 0 },
	{ "64-64-64-1, AVX2", run_large, MLP_AVX2, 512, 0 },	    { "64-64-64-1, scalar", run_large, MLP_SCALAR, 128, 0 },
	{ "tick of 64 pods, AVX2", run_tick, MLP_AVX2, 64, 10000 }, { "tick of 64 pods, scalar", run_tick, MLP_SCALAR, 64, 0 },
	{ "features of 64 pods", run_features, MLP_SCALAR, 64, 0 },
};
#define NR_CASES (sizeof(cases) / sizeof(cases[0]))

static uint64_t next(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

/* Weights that leave activations between their ends: the time does not depend on values, but a net of zeros would be no net. */
static int make_net(struct mlp *m, const uint32_t *widths, uint32_t nr_layers, uint64_t *rng)
{
	int8_t weights[MLP_MAX_WIDTH * MLP_MAX_WIDTH];
	int32_t bias[MLP_MAX_WIDTH] = { 0 };

	mlp__init(m);
	for (uint32_t l = 0; l < nr_layers; l++) {
		for (uint32_t i = 0; i < widths[l] * widths[l + 1]; i++)
			weights[i] = (int8_t)((int64_t)(next(rng) % 255) - 127);
		if (mlp__add(m, widths[l], widths[l + 1], l + 1 < nr_layers ? MLP_RELU : MLP_LINEAR, 1u << 30, 37, weights,
			     bias))
			return -1;
	}
	return mlp__check(m, NULL) ? -1 : 0;
}

static int bench__init(struct bench *b)
{
	static const uint32_t small[] = { FEATURE_NR, 16, 8, 1 }, large[] = { 64, 64, 64, 1 };
	uint64_t rng = 1;

	for (uint32_t i = 0; i < NR_INPUTS; i++) {
		struct pod_signal *p = &b->pods[i / NR_PODS][i % NR_PODS];

		for (uint32_t k = 0; k < MLP_MAX_WIDTH; k++)
			b->inputs[i][k] = (int8_t)((int64_t)(next(&rng) % 255) - 127);
		*p = (struct pod_signal){ .load = (uint32_t)(next(&rng) % 40),
					  .concurrency = 1 + (uint32_t)(next(&rng) % 8),
					  .gain_q8 = 2500 + (int32_t)(next(&rng) % 600),
					  .fast_q8 = 2500 + (int32_t)(next(&rng) % 600),
					  .dev_q8 = (uint32_t)(next(&rng) % 400),
					  .latency_ns = 1000000 + next(&rng) % 50000000,
					  .last_sample_ns = 999000000000ull + next(&rng) % 1000000000,
					  .sent = (uint32_t)(next(&rng) % 500),
					  .answered = (uint32_t)(next(&rng) % 500),
					  .failed = (uint32_t)(next(&rng) % 5) };
	}
	return make_net(&b->small, small, 3, &rng) || make_net(&b->large, large, 3, &rng) ? -1 : 0;
}

static double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static double run_case(struct bench *b, const struct bench_case *c)
{
	double start;

	b->small.path = c->path;
	b->large.path = c->path;
	c->run(b, c->count / 8 + 1); /* warm */
	start = now_ns();
	c->run(b, c->count);
	return (now_ns() - start) / c->count;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static bool has_path(const struct bench_case *c)
{
	return c->path == MLP_SCALAR || __builtin_cpu_supports("avx2");
}

static void print_cpu(void)
{
	char line[256];
	FILE *file = fopen("/proc/cpuinfo", "r");

	while (file && fgets(line, sizeof(line), file)) {
		if (strncmp(line, "model name", 10) != 0)
			continue;
		printf("%s", line);
		break;
	}
	if (file)
		fclose(file);
}

static int put_line(FILE *json, const struct bench_case *c, const double *sorted, uint32_t rounds, bool is_missed)
{
	cJSON *o = cJSON_CreateObject();
	char *text;
	int error;

	cJSON_AddStringToObject(o, "figure", c->figure);
	cJSON_AddNumberToObject(o, "median", sorted[rounds / 2]);
	cJSON_AddNumberToObject(o, "min", sorted[0]);
	cJSON_AddNumberToObject(o, "max", sorted[rounds - 1]);
	cJSON_AddStringToObject(o, "unit", "ns");
	cJSON_AddNumberToObject(o, "rounds", rounds);
	if (c->limit_ns > 0) {
		cJSON_AddNumberToObject(o, "limit", c->limit_ns);
		cJSON_AddStringToObject(o, "verdict", is_missed ? "MISSED" : "met");
	}
	text = cJSON_PrintUnformatted(o);
	error = !text || fprintf(json, "%s\n", text) < 0;
	free(text);
	cJSON_Delete(o);
	return error ? -1 : 0;
}

/* Prints the table; the lines go to `json` when there is one. Returns how many bars were missed, -1 when writing fails. */
static int report(double samples[NR_CASES][MAX_ROUNDS], uint32_t rounds, FILE *json)
{
	int missed = 0;

	print_cpu();
	printf("%-28s %10s %10s %10s %8s  %-4s %6s  %s\n", "figure", "median", "min", "max", "bar", "unit", "rounds",
	       "verdict");
	for (size_t i = 0; i < NR_CASES; i++) {
		const struct bench_case *c = &cases[i];
		char limit[16] = "";
		bool is_missed;

		if (!has_path(c)) {
			printf("%-28s this CPU has no AVX2\n", c->figure);
			continue;
		}
		qsort(samples[i], rounds, sizeof(double), by_value);
		is_missed = c->limit_ns > 0 && samples[i][rounds / 2] > c->limit_ns;
		missed += is_missed;
		if (c->limit_ns > 0)
			snprintf(limit, sizeof(limit), "%.0f", c->limit_ns);
		printf("%-28s %10.1f %10.1f %10.1f %8s  %-4s %6u  %s\n", c->figure, samples[i][rounds / 2], samples[i][0],
		       samples[i][rounds - 1], limit, "ns", rounds, c->limit_ns > 0 ? is_missed ? "MISSED" : "met" : "");
		if (json && put_line(json, c, samples[i], rounds, is_missed))
			return -1;
	}
	return missed;
}

static int usage(void)
{
	fprintf(stderr, "usage: policy [--rounds 1..%d] [--json FILE] [--gate]\n", MAX_ROUNDS);
	return 2;
}

struct request {
	uint32_t rounds;
	bool gate;
	FILE *json; /* NULL: none */
};

/* False after a usage error. */
static bool request__parse(int argc, char **argv, struct request *r)
{
	static const struct option options[] = { { "rounds", required_argument, NULL, 'r' },
						 { "json", required_argument, NULL, 'j' },
						 { "gate", no_argument, NULL, 'g' },
						 { 0 } };
	int option;

	*r = (struct request){ .rounds = 101 };
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'r')
			r->rounds = (uint32_t)strtoul(optarg, NULL, 10);
		else if (option == 'g')
			r->gate = true;
		else if (option == 'j' && !r->json)
			r->json = fopen(optarg, "w");
		if (option == '?' || (option == 'j' && !r->json))
			return false;
	}
	return optind == argc && r->rounds >= 1 && r->rounds <= MAX_ROUNDS;
}

int main(int argc, char **argv)
{
	static double samples[NR_CASES][MAX_ROUNDS];
	static struct bench bench;
	struct request request;
	int missed;

	if (!request__parse(argc, argv, &request))
		return usage();
	if (bench__init(&bench)) {
		fprintf(stderr, "policy: the nets of this bench are refused by mlp__add\n");
		return 1;
	}
	for (uint32_t r = 0; r < request.rounds; r++) {
		for (size_t k = 0; k < NR_CASES; k++) {
			size_t i = (k + r) % NR_CASES;

			if (has_path(&cases[i]))
				samples[i][r] = run_case(&bench, &cases[i]);
		}
	}
	missed = report(samples, request.rounds, request.json);
	if (missed < 0 || (request.json && fclose(request.json))) {
		fprintf(stderr, "policy: the JSON file could not be written: %s\n", strerror(errno));
		return 1;
	}
	return request.gate && missed ? 1 : 0;
}
