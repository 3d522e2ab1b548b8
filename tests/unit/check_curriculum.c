// SPDX-License-Identifier: BSD-2-Clause
/* From the simulator to a model file: the same bytes again and on any number of threads, a file that proves itself; exams and the slow loop's
 * comparison say what they should of policies whose difference is known. */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "policy/train/curriculum.h"
#include "policy/train/exam.h"
#include "policy/train/slowrun.h"
#include "policy/train/textfile.h"

static struct model model;
static char why[EXAM_WHY_BYTES];

/* The tiny model's file; its length. */
static size_t make(uint64_t seed, uint32_t threads, uint8_t bytes[MODEL_MAX_BYTES])
{
	struct curriculum_report report;
	struct dataset train, held;
	struct fit_config config;
	struct model_err err;
	size_t size;

	dataset__init(&train, FEATURE_NR);
	dataset__init(&held, FEATURE_NR);
	curriculum__config(true, seed, &config);
	ck_assert_msg(!curriculum__collect(true, NULL, threads, &train, &held, why), "%s", why);
	ck_assert_uint_gt(train.nr, 2 * held.nr);
	ck_assert_msg(!curriculum__train(&config, "test", &train, &held, &model, &report, why), "%s", why);
	ck_assert_uint_eq(report.train_rows, train.nr);
	ck_assert_double_lt(report.fit.held_int8, report.fit.zero);
	ck_assert_int_eq(model__write(&model, bytes, MODEL_MAX_BYTES, &size, &err), MODEL_OK);
	dataset__free(&train);
	dataset__free(&held);
	return size;
}

START_TEST(one_seed_one_file)
	{
		static uint8_t bytes[3][MODEL_MAX_BYTES];
		size_t size[3] = { make(1, 1, bytes[0]), make(1, 3, bytes[1]), make(2, 2, bytes[2]) };
		struct model_err err;

		ck_assert_uint_eq(size[0], size[1]);
		ck_assert_mem_eq(bytes[0], bytes[1], size[0]);
		ck_assert(size[2] != size[0] || memcmp(bytes[0], bytes[2], size[0]) != 0);
		ck_assert_int_eq(model__parse(bytes[0], size[0], MLP_SCALAR, &model, &err), MODEL_OK);
		ck_assert_ptr_nonnull(strstr(model.text, "shape: 12-16-8-1\n"));
		ck_assert_ptr_nonnull(strstr(model.text, "held-out loss of zero: 0."));
	}
END_TEST

/* The model in the tree is proven by its golden vectors here too. */
START_TEST(default_model_is_proven)
	{
		if (!access("policy/models/default.ptm", F_OK))
			ck_assert_msg(!exam__load("policy/models/default.ptm", &model, why), "%s", why);
		ck_assert(exam__load("policy/models/no_such_file", &model, why));
		ck_assert_ptr_nonnull(strstr(why, "No such file"));
	}
END_TEST

/* A net that says the same of every pod changes nothing, but for the first requests, when not all are known; one that speaks against low gains does harm, and the exam says so. */
START_TEST(exam_tells)
	{
		struct exam exam = { .lesson = { .scenario = "s1", .load = 0.7, .balancers = 2, .seconds = 100, .every = 1 },
				     .model = &model,
				     .seed = 1,
				     .nr_seeds = 3,
				     .threads = 2 };
		int8_t weights[FEATURE_NR] = { 0 };
		int32_t bias = 100;
		struct exam_result r;

		mlp__init(&model.mlp);
		ck_assert_int_eq(mlp__add(&model.mlp, FEATURE_NR, 1, MLP_LINEAR, 1u << 30, 30, weights, &bias), MLP_OK);
		ck_assert_msg(!exam__run(&exam, &r, why), "%s", why);
		ck_assert_double_eq_tol(r.p99, 0, 0.03);
		ck_assert_double_eq_tol(r.mean, 0, 0.01);
		mlp__init(&model.mlp);
		weights[FEATURE_GAIN_REL] = -4; /* a pod an octave slower looks 128 / 256 faster */
		ck_assert_int_eq(mlp__add(&model.mlp, FEATURE_NR, 1, MLP_LINEAR, 1u << 30, 30, weights, &bias), MLP_OK);
		ck_assert_msg(!exam__run(&exam, &r, why), "%s", why);
		ck_assert_double_gt(r.mean - r.mean_half, 0);
		exam.lesson.scenario = "s9";
		ck_assert_int_ne(exam__run(&exam, &r, why), 0);
		ck_assert_ptr_nonnull(strstr(why, "s9"));
	}
END_TEST

/* The best setting of the grid is no worse than the default on the seeds that it was chosen by. */
START_TEST(slow_comparison)
	{
		struct slowrun s = { .lesson = { .scenario = "s1", .load = 0.8, .balancers = 1, .seconds = 120, .every = 1 },
				     .grid_seconds = 120,
				     .window_ns = 10 * SIM_S,
				     .tuned = 1u << SLOW_EXTERNALITY,
				     .grid_seed = 5,
				     .nr_grid_seeds = 2,
				     .seed = 5,
				     .nr_seeds = 2,
				     .threads = 2 };
		struct slowrun_result r;

		ck_assert_msg(!slowrun__compare(&s, &r, why), "%s", why);
		ck_assert_uint_eq(r.best.tau_q8, sim_pintle_defaults.knobs.tau_q8);
		ck_assert(isfinite(r.best_p99) && isfinite(r.versus_cost));
		ck_assert_double_eq_tol(r.versus_p99, r.slow_p99 - r.best_p99, 1e-12);
		s.nr_seeds = 0;
		ck_assert_int_ne(slowrun__compare(&s, &r, why), 0);
	}
END_TEST

START_TEST(interval)
	{
		const double x[] = { 1, 2, 3, 4 };
		double mean, half;

		lesson__interval(x, 4, &mean, &half);
		ck_assert_double_eq_tol(mean, 2.5, 1e-12);
		ck_assert_double_eq_tol(half, 3.182 * sqrt(5.0 / 3 / 4), 1e-9);
		lesson__interval(x, 1, &mean, &half);
		ck_assert(isinf(half));
	}
END_TEST

START_TEST(files_are_replaced_at_once)
	{
		char path[] = "/tmp/check_curriculum.XXXXXX", *data;
		int fd = mkstemp(path);
		size_t bytes;

		ck_assert_int_ge(fd, 0);
		close(fd);
		ck_assert_int_eq(textfile__replace(path, "abc", 3), 0);
		ck_assert_int_eq(textfile__replace(path, "defg", 4), 0);
		ck_assert_int_eq(textfile__read(path, &data, &bytes), 0);
		ck_assert_uint_eq(bytes, 4);
		ck_assert_mem_eq(data, "defg", 4);
		free(data);
		unlink(path);
		ck_assert_int_ne(textfile__replace("/no/such/directory/x", "abc", 3), 0);
	}
END_TEST

int main(void)
{
	Suite *suite = suite_create("curriculum");
	TCase *tc = tcase_create("curriculum");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, one_seed_one_file);
	tcase_add_test(tc, default_model_is_proven);
	tcase_add_test(tc, exam_tells);
	tcase_add_test(tc, slow_comparison);
	tcase_add_test(tc, interval);
	tcase_add_test(tc, files_are_replaced_at_once);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
