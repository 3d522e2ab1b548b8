// SPDX-License-Identifier: BSD-2-Clause
#include "policy/train/exam.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/train/exact.h"
#include "policy/train/parallel.h"
#include "policy/train/textfile.h"

struct sitting {
	const struct exam *e;
	struct lesson_result runs[2 * EXAM_MAX_SEEDS]; /* without, with */
	int errors[2 * EXAM_MAX_SEEDS];
	char why[2 * EXAM_MAX_SEEDS][LESSON_WHY_BYTES];
};

static void run(void *arg, uint32_t i)
{
	struct sitting *s = arg;
	struct sim_pintle_options options = sim_pintle_defaults;

	options.model = i % 2 ? s->e->model : NULL;
	s->errors[i] = lesson__run(&s->e->lesson, s->e->seed + i / 2, &options, NULL, &s->runs[i], s->why[i]);
}

enum { P50, P99, P999, MEAN, NR_VALUES };

static double log_of(const struct lesson_result *r, int value)
{
	const double ns[NR_VALUES] = { r->p50_ns, r->p99_ns, r->p999_ns, r->mean_ns };

	return exact__log2(ns[value]);
}

static void compare(const struct sitting *s, int value, double *ret_mean, double *ret_half)
{
	double x[EXAM_MAX_SEEDS];

	for (uint32_t i = 0; i < s->e->nr_seeds; i++)
		x[i] = log_of(&s->runs[2 * i + 1], value) - log_of(&s->runs[2 * i], value);
	lesson__interval(x, (uint32_t)s->e->nr_seeds, ret_mean, ret_half);
}

static double p99_ms(const struct sitting *s, uint32_t with)
{
	double sum = 0;

	for (uint32_t i = 0; i < s->e->nr_seeds; i++)
		sum += log_of(&s->runs[2 * i + with], P99) / (double)s->e->nr_seeds;
	return exact__exp2(sum) / 1e6;
}

int exam__run(const struct exam *e, struct exam_result *ret_result, char ret_why[EXAM_WHY_BYTES])
{
	struct sitting *s = calloc(1, sizeof(*s));
	int error = 0;

	if (!s || !e->nr_seeds || e->nr_seeds > EXAM_MAX_SEEDS) {
		snprintf(ret_why, EXAM_WHY_BYTES, s ? "1 to %u seeds" : "out of memory", EXAM_MAX_SEEDS);
		error = s ? -EINVAL : -ENOMEM;
		free(s);
		return error;
	}
	s->e = e;
	parallel__run(e->threads, 2 * (uint32_t)e->nr_seeds, run, s);
	for (uint32_t i = 0; i < 2 * e->nr_seeds && !error; i++) {
		error = s->errors[i];
		if (error)
			snprintf(ret_why, EXAM_WHY_BYTES, "%s", s->why[i]);
	}
	if (!error) {
		compare(s, P50, &ret_result->p50, &ret_result->p50_half);
		compare(s, P99, &ret_result->p99, &ret_result->p99_half);
		compare(s, P999, &ret_result->p999, &ret_result->p999_half);
		compare(s, MEAN, &ret_result->mean, &ret_result->mean_half);
		ret_result->p99_ms_without = p99_ms(s, 0);
		ret_result->p99_ms_with = p99_ms(s, 1);
	}
	free(s);
	return error;
}

int exam__load(const char *path, struct model *ret_model, char ret_why[EXAM_WHY_BYTES])
{
	struct model_err err;
	size_t bytes;
	char *data;
	int error = textfile__read(path, &data, &bytes);

	if (error) {
		snprintf(ret_why, EXAM_WHY_BYTES, "%s", strerror(-error));
		return error;
	}
	if (model__parse(data, bytes, MLP_SCALAR, ret_model, &err) != MODEL_OK) {
		model_err__text(&err, ret_why, EXAM_WHY_BYTES);
		error = -EINVAL;
	}
	free(data);
	return error;
}
