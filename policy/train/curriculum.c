// SPDX-License-Identifier: BSD-2-Clause
#include "policy/train/curriculum.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/train/parallel.h"

/* Antagonists at three loads and two numbers of balancers, fast and slow pods, servers of language models: a net that saw the first alone made the
 * tail of the second worse (docs/policy.md). S3 has its synthetic token sizes, so that nothing but the tree is needed. */
static const struct lesson lessons[] = {
	{ .scenario = "s2", .load = 0.7, .balancers = 16, .seconds = 30, .every = 4 },
	{ .scenario = "s2", .load = 0.8, .balancers = 16, .seconds = 30, .every = 4 },
	{ .scenario = "s2", .load = 0.9, .balancers = 16, .seconds = 30, .every = 4 },
	{ .scenario = "s2", .load = 0.8, .balancers = 4, .seconds = 30, .every = 4 },
	{ .scenario = "s1", .load = 0.7, .balancers = 16, .seconds = 400, .every = 1 },
	{ .scenario = "s1", .load = 0.85, .balancers = 16, .seconds = 400, .every = 1 },
	{ .scenario = "s3", .load = 0.6, .balancers = 16, .seconds = 1500, .every = 1 },
	{ .scenario = "s3", .load = 0.8, .balancers = 16, .seconds = 1500, .every = 1 },
};
static const struct lesson tiny_lessons[] = {
	{ .scenario = "s2", .load = 0.8, .balancers = 4, .seconds = 2, .every = 4 },
	{ .scenario = "s1", .load = 0.8, .balancers = 4, .seconds = 20, .every = 1 },
};
#define MAX_LESSONS 16u
#define MAX_TASKS (MAX_LESSONS * CURRICULUM_RUNS)

struct collection {
	const struct lesson *lessons;
	const char *only; /* scenario, or NULL */
	struct dataset rows[MAX_TASKS];
	int errors[MAX_TASKS];
	char why[MAX_TASKS][LESSON_WHY_BYTES];
};

void curriculum__config(bool tiny, uint64_t seed, struct fit_config *ret_config)
{
	fit_config__default(ret_config);
	ret_config->seed = seed;
	ret_config->loss = FIT_EXPECTILE;
	ret_config->expectile = 0.9;
	ret_config->centre = true;
	ret_config->epochs = 10;
	ret_config->patience = 3;
	ret_config->quant_epochs = 4;
	if (!tiny)
		return;
	ret_config->epochs = 2;
	ret_config->quant_epochs = 2;
}

static void collect(void *arg, uint32_t i)
{
	struct collection *c = arg;

	if (c->only && strcmp(c->only, c->lessons[i / CURRICULUM_RUNS].scenario) != 0)
		return;
	c->errors[i] = lesson__collect(&c->lessons[i / CURRICULUM_RUNS], CURRICULUM_SEED + i % CURRICULUM_RUNS, NULL,
				       &c->rows[i], c->why[i]);
}

static int append(struct dataset *to, const struct dataset *from)
{
	for (size_t i = 0; i < from->nr; i++)
		if (dataset__add(to, from->inputs + i * from->nr_inputs, from->targets[i], from->times[i]))
			return -ENOMEM;
	return 0;
}

int curriculum__collect(bool tiny, const char *only, uint32_t threads, struct dataset *train, struct dataset *held,
			char ret_why[LESSON_WHY_BYTES])
{
	uint32_t nr = CURRICULUM_RUNS *
		      (uint32_t)(tiny ? sizeof(tiny_lessons) / sizeof(tiny_lessons[0]) : sizeof(lessons) / sizeof(lessons[0]));
	struct collection *c = calloc(1, sizeof(*c));
	int error = 0;

	if (!c) {
		snprintf(ret_why, LESSON_WHY_BYTES, "out of memory");
		return -ENOMEM;
	}
	c->only = only;
	c->lessons = tiny ? tiny_lessons : lessons;
	for (uint32_t i = 0; i < nr; i++)
		dataset__init(&c->rows[i], FEATURE_NR);
	parallel__run(threads, nr, collect, c);
	for (uint32_t i = 0; i < nr; i++) { /* in one order, whoever was first */
		if (!error && c->errors[i]) {
			error = c->errors[i];
			memcpy(ret_why, c->why[i], LESSON_WHY_BYTES);
		}
		if (!error && append(i % CURRICULUM_RUNS == CURRICULUM_RUNS - 1 ? held : train, &c->rows[i])) {
			error = -ENOMEM;
			snprintf(ret_why, LESSON_WHY_BYTES, "out of memory");
		}
		dataset__free(&c->rows[i]);
	}
	free(c);
	return error;
}

static void describe(const struct fit_config *c, const char *origin, const struct curriculum_report *r,
		     char text[MODEL_TEXT_MAX + 1])
{
	int n = snprintf(text, MODEL_TEXT_MAX + 1, "made by: pintle policy/train\norigin: %.200s\nseed: %" PRIu64 "\nshape: %u",
			 origin, c->seed, c->shape.width[0]);

	for (uint32_t l = 1; l <= c->shape.nr_layers; l++)
		n += snprintf(text + n, (size_t)(MODEL_TEXT_MAX + 1 - n), "-%u", c->shape.width[l]);
	snprintf(text + n, (size_t)(MODEL_TEXT_MAX + 1 - n),
		 "\nrows: %" PRIu64 " and %" PRIu64 " held out\nloss: %s %.2f\n"
		 "held-out loss of zero: %.5f\nheld-out loss of the mean: %.5f\nheld-out loss in floating point: %.5f\n"
		 "held-out loss of the integers: %.5f\n",
		 r->train_rows, r->held_rows,
		 c->loss == FIT_EXPECTILE ? "expectile"
		 : c->loss == FIT_HUBER	  ? "huber"
					  : "square",
		 c->loss == FIT_EXPECTILE ? c->expectile
		 : c->loss == FIT_HUBER	  ? c->delta
					  : 0,
		 r->fit.zero, r->fit.mean, r->fit.held, r->fit.held_int8);
}

int curriculum__train(const struct fit_config *c, const char *origin, const struct dataset *train, const struct dataset *held,
		      struct model *ret_model, struct curriculum_report *ret_report, char ret_why[LESSON_WHY_BYTES])
{
	struct curriculum_report report = { .train_rows = train->nr, .held_rows = held->nr };
	struct mlp mlp;
	int error = fit__train(c, train, held, &mlp, &report.fit);

	if (error) {
		snprintf(ret_why, LESSON_WHY_BYTES, "training on %zu rows: %s", train->nr,
			 error == -ERANGE ? "did not converge; try a lower rate" : strerror(-error));
		return error;
	}
	memset(ret_model, 0, sizeof(*ret_model));
	ret_model->mlp = mlp;
	model__make_golden(ret_model, c->seed);
	describe(c, origin, &report, ret_model->text);
	*ret_report = report;
	return 0;
}
