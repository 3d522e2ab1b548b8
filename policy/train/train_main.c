// SPDX-License-Identifier: BSD-2-Clause
/* train: makes model files, says what they add, and what the slow loop adds, in lines of JSON. `make models` and bench/train/bench.sh drive it. */
#include <cjson/cJSON.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/train/curriculum.h"
#include "policy/train/exam.h"
#include "policy/train/recording.h"
#include "policy/train/slowrun.h"
#include "policy/train/textfile.h"

struct arguments {
	const char *out, *model, *scenario, *data;
	uint64_t seed, seed_from, seed_to;
	double load;
	uint32_t balancers, seconds, threads, tuned;
	bool tiny, is_square;
};

static const char usage[] =
	"usage: train make --out FILE [--seed N] [--scenario NAME] [--square] [--tiny] [--threads N]\n"
	"       train from RECORDING... --out FILE [--seed N]\n"
	"       train exam --model FILE --scenario NAME [--load X] [--balancers N] [--seconds S] [--seeds A-B] [--data DIR]\n"
	"       train slow --scenario NAME [--load X] [--balancers N] [--seconds S] [--seeds A-B] [--ramp] [--data DIR]\n"
	"make  trains a model in the simulator: one seed gives one file, byte for byte;\n"
	"      --scenario: of the lessons of that one alone; --square: learn the mean\n"
	"from  trains it on recordings of real requests (pintle record); the last fifth of their time is held out\n"
	"exam  compares pintle's policy with the model and without it, on the same arrivals\n"
	"slow  compares the slow loop with the best fixed setting of a grid, and both with the default setting\n"
	"Defaults: seed 1, load 0.8, 16 balancers, 60 s, seeds 1-10, 2 threads. A line of JSON on stdout.\n";

static int fail(const char *what, const char *why)
{
	fprintf(stderr, "train: %s: %s\n", what, why);
	return 1;
}

static int print(cJSON *o)
{
	char *text = cJSON_PrintUnformatted(o);

	cJSON_Delete(o);
	if (!text)
		return fail("output", "out of memory");
	puts(text);
	free(text);
	return fflush(stdout) ? fail("output", strerror(errno)) : 0;
}

/* ---- make, from ---- */

static int write_model(const struct model *model, const char *path)
{
	static uint8_t bytes[MODEL_MAX_BYTES];
	struct model_err err;
	char text[MODEL_ERR_BYTES];
	size_t size;
	int error;

	if (model__write(model, bytes, sizeof(bytes), &size, &err) != MODEL_OK) {
		model_err__text(&err, text, sizeof(text));
		return fail(path, text);
	}
	error = textfile__replace(path, bytes, size);
	return error ? fail(path, strerror(-error)) : 0;
}

static int train(const struct arguments *a, const char *origin, const struct dataset *rows, const struct dataset *held)
{
	static struct model model;
	struct curriculum_report report;
	char why[LESSON_WHY_BYTES];
	struct fit_config config;
	cJSON *o;
	int ret;

	curriculum__config(a->tiny, a->seed, &config);
	if (a->is_square)
		config.loss = FIT_SQUARE;
	if (curriculum__train(&config, origin, rows, held, &model, &report, why))
		return fail("train", why);
	ret = write_model(&model, a->out);
	if (ret)
		return ret;
	o = cJSON_CreateObject();
	cJSON_AddStringToObject(o, "model", a->out);
	cJSON_AddNumberToObject(o, "rows", (double)report.train_rows);
	cJSON_AddNumberToObject(o, "held_rows", (double)report.held_rows);
	cJSON_AddNumberToObject(o, "loss_zero", report.fit.zero);
	cJSON_AddNumberToObject(o, "loss_mean", report.fit.mean);
	cJSON_AddNumberToObject(o, "loss_trained", report.fit.trained);
	cJSON_AddNumberToObject(o, "loss_float", report.fit.held);
	cJSON_AddNumberToObject(o, "loss_rounded", report.fit.held_rounded);
	cJSON_AddNumberToObject(o, "loss_int8", report.fit.held_int8);
	cJSON_AddNumberToObject(o, "epochs", report.fit.epochs);
	cJSON_AddNumberToObject(o, "best_epoch", report.fit.best);
	return print(o);
}

static int run_make(const struct arguments *a)
{
	struct dataset rows, held;
	char why[LESSON_WHY_BYTES];
	int ret;

	dataset__init(&rows, FEATURE_NR);
	dataset__init(&held, FEATURE_NR);
	if (curriculum__collect(a->tiny, a->scenario, a->threads, &rows, &held, why))
		ret = fail("simulator", why);
	else
		ret = train(a, a->tiny ? "simulator, tiny" : "simulator", &rows, &held);
	dataset__free(&rows);
	dataset__free(&held);
	return ret;
}

/* Times of several files follow each other: each is a recording of its own. */
static int read_recording(const char *path, struct dataset *d)
{
	uint64_t end = d->nr ? d->times[d->nr - 1] : 0;
	char text[RECORDING_TEXT_BYTES] = "";
	struct recording_report report;
	size_t bytes, first = d->nr;
	char *data;
	int error = textfile__read(path, &data, &bytes);

	if (error)
		return fail(path, strerror(-error));
	error = recording__read(data, bytes, d, &report, text);
	free(data);
	if (error)
		return fail(path, text[0] ? text : strerror(-error));
	if (report.is_torn)
		fprintf(stderr, "train: %s: ends in the middle of line %" PRIu64 " (byte %" PRIu64 "); read up to there\n",
			path, report.torn_line, report.torn_byte);
	for (size_t i = first; i < d->nr; i++)
		d->times[i] += end;
	return 0;
}

static int run_from(const struct arguments *a, char **files, int nr)
{
	struct dataset all, rows, held;
	int ret = 0;

	dataset__init(&all, FEATURE_NR);
	dataset__init(&rows, FEATURE_NR);
	dataset__init(&held, FEATURE_NR);
	for (int i = 0; i < nr && !ret; i++)
		ret = read_recording(files[i], &all);
	if (!ret) {
		int error = dataset__split(&all, 20, &rows, &held);

		if (error)
			ret = fail("recordings", error == -ERANGE
							 ? "too few requests to hold a fifth of the time out; record longer"
							 : strerror(-error));
	}
	if (!ret)
		ret = train(a, "recordings", &rows, &held);
	dataset__free(&all);
	dataset__free(&rows);
	dataset__free(&held);
	return ret;
}

/* ---- exam, slow ---- */

static struct lesson lesson_of(const struct arguments *a)
{
	return (struct lesson){ .scenario = a->scenario,
				.load = a->load,
				.balancers = a->balancers,
				.seconds = a->seconds,
				.every = 1,
				.data_dir = a->data };
}

static cJSON *begin_comparison(const struct arguments *a)
{
	cJSON *o = cJSON_CreateObject();

	cJSON_AddStringToObject(o, "scenario", a->scenario);
	cJSON_AddNumberToObject(o, "load", a->load);
	cJSON_AddNumberToObject(o, "balancers", a->balancers);
	cJSON_AddNumberToObject(o, "seconds", a->seconds);
	cJSON_AddNumberToObject(o, "seeds", (double)(a->seed_to - a->seed_from + 1));
	return o;
}

static double percent(double octaves)
{
	return 100 * (exp2(octaves) - 1);
}

/* NAME: change in percent; NAME_low, NAME_high: its 95 % interval. */
static void add_change(cJSON *o, const char *name, double mean, double half)
{
	char key[64];

	cJSON_AddNumberToObject(o, name, percent(mean));
	snprintf(key, sizeof(key), "%s_low", name);
	cJSON_AddNumberToObject(o, key, percent(mean - half));
	snprintf(key, sizeof(key), "%s_high", name);
	cJSON_AddNumberToObject(o, key, percent(mean + half));
}

static int run_exam(const struct arguments *a)
{
	static struct model model;
	struct exam exam = {
		.lesson = lesson_of(a), .seed = a->seed_from, .nr_seeds = a->seed_to - a->seed_from + 1, .threads = a->threads
	};
	char why[EXAM_WHY_BYTES];
	struct exam_result r;
	cJSON *o;

	if (exam__load(a->model, &model, why))
		return fail(a->model, why);
	exam.model = &model;
	if (exam__run(&exam, &r, why))
		return fail("exam", why);
	o = begin_comparison(a);
	cJSON_AddNumberToObject(o, "p99_ms_without", r.p99_ms_without);
	cJSON_AddNumberToObject(o, "p99_ms_with", r.p99_ms_with);
	add_change(o, "p99_percent", r.p99, r.p99_half);
	add_change(o, "p999_percent", r.p999, r.p999_half);
	add_change(o, "p50_percent", r.p50, r.p50_half);
	add_change(o, "mean_percent", r.mean, r.mean_half);
	return print(o);
}

static int run_slow(const struct arguments *a)
{
	struct slowrun s = { .lesson = lesson_of(a),
			     .grid_seconds = a->seconds / 4 ? a->seconds / 4 : 1,
			     .window_ns = 2 * SIM_S,
			     .tuned = a->tuned,
			     .grid_seed = CURRICULUM_SEED,
			     .nr_grid_seeds = 3,
			     .seed = a->seed_from,
			     .nr_seeds = a->seed_to - a->seed_from + 1,
			     .threads = a->threads };
	char why[LESSON_WHY_BYTES];
	struct slowrun_result r;
	cJSON *o;

	if (slowrun__compare(&s, &r, why))
		return fail("slow", why);
	o = begin_comparison(a);
	cJSON_AddNumberToObject(o, "best_externality", r.best.externality_q8 / 256.0);
	cJSON_AddNumberToObject(o, "best_tau_latencies", r.best.tau_q8 / 256.0);
	cJSON_AddNumberToObject(o, "best_candidates", r.best.candidates);
	cJSON_AddNumberToObject(o, "best_ramp", r.best.ramp_q8 / 256.0);
	add_change(o, "best_p99_percent", r.best_p99, r.best_p99_half);
	add_change(o, "slow_p99_percent", r.slow_p99, r.slow_p99_half);
	add_change(o, "slow_against_best_p99_percent", r.versus_p99, r.versus_p99_half);
	add_change(o, "slow_against_best_cost_percent", r.versus_cost, r.versus_cost_half);
	cJSON_AddNumberToObject(o, "won", r.won);
	cJSON_AddNumberToObject(o, "lost", r.lost);
	return print(o);
}

/* ---- arguments ---- */

static bool set_range(const char *text, uint64_t *from, uint64_t *to)
{
	return sscanf(text, "%" SCNu64 "-%" SCNu64, from, to) == 2 && *from <= *to && *to - *from < SLOWRUN_MAX_SEEDS;
}

static bool set_u32(const char *text, uint32_t low, uint32_t high, uint32_t *to)
{
	char *end;
	unsigned long x = strtoul(text, &end, 10);

	if (end == text || *end || x < low || x > high)
		return false;
	*to = (uint32_t)x;
	return true;
}

enum { OUT = 256, MODEL, SCENARIO, DATA, SEED, SEEDS, LOAD, BALANCERS, SECONDS, THREADS, TINY, SQUARE, RAMP, HELP };

static bool set_argument(struct arguments *a, int option, const char *text)
{
	const char **strings[] = { &a->out, &a->model, &a->scenario, &a->data };
	uint32_t seed;

	switch (option) {
	case SEED:
		if (!set_u32(text, 0, UINT32_MAX, &seed))
			return false;
		a->seed = seed;
		return true;
	case SEEDS:
		return set_range(text, &a->seed_from, &a->seed_to);
	case LOAD:
		a->load = strtod(text, NULL);
		return a->load > 0 && a->load <= 2;
	case BALANCERS:
		return set_u32(text, 1, SIM_MAX_BALANCERS, &a->balancers);
	case SECONDS:
		return set_u32(text, 1, 100000, &a->seconds);
	case THREADS:
		return set_u32(text, 1, 64, &a->threads);
	case TINY:
		return a->tiny = true;
	case SQUARE:
		return a->is_square = true;
	case RAMP:
		a->tuned |= 1u << SLOW_RAMP;
		return true;
	default:
		*strings[option - OUT] = text;
		return true;
	}
}

static bool parse(int argc, char **argv, struct arguments *a)
{
	static const struct option options[] = {
		{ "out", 1, NULL, OUT },	 { "model", 1, NULL, MODEL },	      { "scenario", 1, NULL, SCENARIO },
		{ "data", 1, NULL, DATA },	 { "seed", 1, NULL, SEED },	      { "seeds", 1, NULL, SEEDS },
		{ "load", 1, NULL, LOAD },	 { "balancers", 1, NULL, BALANCERS }, { "seconds", 1, NULL, SECONDS },
		{ "threads", 1, NULL, THREADS }, { "tiny", 0, NULL, TINY },	      { "square", 0, NULL, SQUARE },
		{ "ramp", 0, NULL, RAMP },	 { "help", 0, NULL, HELP },	      { NULL, 0, NULL, 0 },
	};
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == HELP || option == '?')
			return false;
		if (!set_argument(a, option, optarg)) {
			fail(argv[optind - 1], "not understood");
			return false;
		}
	}
	return true;
}

/* The words behind the verb are argv[optind..argc). -1: not a verb with what it needs. */
static int run(const char *verb, const struct arguments *a, int argc, char **argv)
{
	bool has_words = optind < argc;

	if (!strcmp(verb, "from"))
		return a->out && has_words ? run_from(a, argv + optind, argc - optind) : -1;
	if (has_words)
		return -1;
	if (!strcmp(verb, "make") && a->out)
		return run_make(a);
	if (!strcmp(verb, "exam") && a->model && a->scenario)
		return run_exam(a);
	if (!strcmp(verb, "slow") && a->scenario)
		return run_slow(a);
	return -1;
}

int main(int argc, char **argv)
{
	struct arguments a = { .seed = 1,
			       .seed_from = 1,
			       .seed_to = 10,
			       .load = 0.8,
			       .balancers = 16,
			       .seconds = 60,
			       .threads = 2,
			       .tuned = 1u << SLOW_EXTERNALITY | 1u << SLOW_TAU | 1u << SLOW_CANDIDATES };
	int ret = -1;

	if (parse(argc, argv, &a) && optind < argc) {
		const char *verb = argv[optind++];

		ret = run(verb, &a, argc, argv);
	}
	if (ret < 0)
		fputs(usage, stderr);
	return ret < 0 ? 2 : ret;
}
