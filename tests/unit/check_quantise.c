/* SPDX-License-Identifier: BSD-2-Clause */
/* Quantising after training, and the inputs that it is done by. */
#include <check.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/calibration.h"
#include "agent/quantise.h"
#include "tests/unit/mlp_fixture.h"

static struct float_net net;
static struct calibration calibration;
static struct quantise_report report;
static struct pintle_err err;
static char path[64];

static void setup(void)
{
	int fd;

	strcpy(path, "/tmp/pintle-recording-XXXXXX");
	fd = mkstemp(path);
	ck_assert_int_ge(fd, 0);
	close(fd);
	ck_assert_int_eq(calibration__make(&calibration, &err), 0);
	calibration.nr = 512; /* enough for these, and quick */
	memset(&net, 0, sizeof(net));
}

static void teardown(void)
{
	calibration__free(&calibration);
	unlink(path);
}

/* 12-n-1 with weights of about `spread`. */
static void make_net(uint64_t *rng, uint32_t hidden, double spread, enum mlp_activation activation)
{
	const uint32_t widths[3] = { FEATURE_NR, hidden, 1 };

	net.nr_layers = 2;
	for (uint32_t l = 0; l < 2; l++) {
		struct float_layer *x = &net.layers[l];

		x->nr_in = widths[l];
		x->nr_out = widths[l + 1];
		x->activation = l ? MLP_LINEAR : activation;
		x->slope = 0.2;
		x->offset = 0.5;
		for (uint32_t i = 0; i < x->nr_in * x->nr_out; i++)
			x->weights[i] = (random_double(rng) - 0.5) * spread;
		for (uint32_t o = 0; o < x->nr_out; o++)
			x->bias[o] = (random_double(rng) - 0.5) * spread;
	}
}

/* 8 bits of weights and activations: some hundredths of the output (terms of both signs cancel, errors do not), whatever its scale within what q8 resolves. */
START_TEST(errors_are_small_and_true)
	{
		static const double spreads[] = { 0.3, 1, 3 };
		uint64_t rng = 9;
		struct mlp mlp;

		for (int i = 0; i < 12; i++) {
			double most = 0;

			make_net(&rng, 1 + 9 * (uint32_t)(i % 7), spreads[i % 3], i % 2 ? MLP_RELU : MLP_HARD_SIGMOID);
			ck_assert_int_eq(quantise(&net, &calibration, &mlp, &report, &err), 0);
			ck_assert_double_le(report.rms_error, 0.04 * report.rms_output + 0.6 / 256);
			for (uint32_t k = 0; k < calibration.nr; k++) {
				double in[FEATURE_NR];

				for (int f = 0; f < FEATURE_NR; f++)
					in[f] = calibration.inputs[k][f] / 32.0;
				most = fmax(most, fabs(mlp__run(&mlp, calibration.inputs[k]) / 256.0 -
						       float_net__run(&net, in, NULL)));
			}
			ck_assert_double_eq_tol(report.max_error, most, 1e-9);
		}
	}
END_TEST

START_TEST(odd_nets_have_scales_too)
	{
		uint64_t rng = 4;
		struct mlp mlp;

		/* all zero but for one bias */
		make_net(&rng, 8, 0, MLP_RELU);
		net.layers[1].bias[0] = -0.25;
		ck_assert_int_eq(quantise(&net, &calibration, &mlp, &report, &err), 0);
		ck_assert_int_eq(mlp__run(&mlp, calibration.inputs[0]), -64);
		/* neurons that never fire */
		make_net(&rng, 8, 0.5, MLP_RELU);
		for (int o = 0; o < 8; o++)
			net.layers[0].bias[o] = -1000;
		ck_assert_int_eq(quantise(&net, &calibration, &mlp, &report, &err), 0);
		ck_assert_int_eq(mlp__run(&mlp, calibration.inputs[0]), (int)lround(256 * net.layers[1].bias[0]));
		/* the ends of what is read from files: bounded, whatever comes out */
		for (int i = 0; i < 40; i++) {
			make_net(&rng, 1 + (uint32_t)i, i % 2 ? 2e6 : 1e-30, i % 3 ? MLP_RELU : MLP_HARD_SIGMOID);
			net.layers[0].slope = i % 5 ? 1e3 : 1e-3;
			net.layers[0].offset = i % 7 ? 1e3 : -1e3;
			for (uint32_t k = 0; k < net.layers[1].nr_in; k++)
				net.layers[1].weights[k] *= i % 4 ? 1 : 1e-9;
			if (!quantise(&net, &calibration, &mlp, &report, &err))
				ck_assert_int_eq(mlp__check(&mlp, NULL), MLP_OK);
			else
				ck_assert_ptr_nonnull(strstr(err.msg, "layer"));
		}
	}
END_TEST

START_TEST(made_inputs_are_what_is_said)
	{
		struct calibration again;
		double sum = 0, squares = 0;
		int ends = 0, n = 0;

		ck_assert_int_eq(calibration__make(&again, &err), 0);
		ck_assert_uint_eq(again.nr, CALIBRATION_MADE);
		ck_assert_mem_eq(again.inputs, calibration.inputs, sizeof(again.inputs[0]) * calibration.nr);
		for (uint32_t i = 0; i < again.nr; i++) {
			for (int k = 0; k < FEATURE_NR; k++) {
				int x = again.inputs[i][k];

				ends += !(i % 8) && abs(x) > 120;
				if (i % 8) {
					sum += x;
					squares += (double)x * x;
					n++;
				}
			}
		}
		ck_assert_double_le(fabs(sum / n), 1);
		ck_assert_double_eq_tol(sqrt(squares / n), FEATURE_ONE, 1);
		ck_assert_int_ge(ends, 100);
		calibration__free(&again);
	}
END_TEST

/* ---- recordings ---- */

static void write_file(const char *fmt, ...)
{
	FILE *file = fopen(path, "w");
	va_list args;

	ck_assert_ptr_nonnull(file);
	va_start(args, fmt);
	vfprintf(file, fmt, args);
	va_end(args);
	fclose(file);
}

#define HEADER "{\"recording\": 1, \"features\": []}\n"
#define ROW                                                                                                                              \
	"{\"time_ns\": 5, \"pod\": \"x\", \"features\": {\"gain_rel\": %d, \"load\": 768, \"load_rel\": 0, \"trend\": 0, \"dev\": 256, " \
	"\"utilisation\": 256, \"share\": 0, \"age\": 512, \"fail\": 64, \"backlog\": 0, \"concurrency\": 512, \"service_load\": 256}}\n"

START_TEST(recordings_are_read)
	{
		struct calibration c;

		write_file(HEADER ROW ROW, 256, -2560);
		ck_assert_msg(!calibration__read(path, &c, &err), "%s", err.msg);
		ck_assert_uint_eq(c.nr, 2);
		ck_assert_int_eq(c.inputs[0][FEATURE_GAIN_REL], 32);
		ck_assert_int_eq(c.inputs[1][FEATURE_GAIN_REL], -127);
		for (int k = 1; k < FEATURE_NR; k++)
			ck_assert_int_eq(c.inputs[0][k], 0);
		calibration__free(&c);
		/* one that stops in the middle of a line */
		write_file(HEADER ROW "{\"time_ns\": 5, \"features\": {\"gain", 7);
		ck_assert_msg(!calibration__read(path, &c, &err), "%s", err.msg);
		ck_assert_uint_eq(c.nr, 1);
		calibration__free(&c);
	}
END_TEST

START_TEST(long_recordings_are_thinned)
	{
		FILE *file = fopen(path, "w");
		struct calibration c;

		ck_assert_ptr_nonnull(file);
		fputs(HEADER, file);
		for (int i = 0; i < 2 * CALIBRATION_MAX_ROWS + 5; i++)
			fprintf(file, ROW, i % 1000);
		fclose(file);
		ck_assert_msg(!calibration__read(path, &c, &err), "%s", err.msg);
		ck_assert_uint_le(c.nr, CALIBRATION_MAX_ROWS);
		ck_assert_uint_ge(c.nr, CALIBRATION_MAX_ROWS / 2);
		calibration__free(&c);
	}
END_TEST

static const struct {
	const char *text, *says;
} bad_recordings[] = {
	{ "", "has no requests" },
	{ HEADER, "has no requests" },
	{ "gain_rel,load\n1,2\n", "is no recording" },
	{ "{\"recording\": 2}\n", "is no recording" },
	{ "[]\n", "is no recording" },
	{ HEADER "\n", "line 2 is no JSON object" },
	{ HEADER "{\"features\": 5}\n", "line 2 is no JSON object with" },
	{ HEADER "{\"features\": {}}\n", "line 2 lacks a feature" },
	{ HEADER "{\"features\": {\"gain_rel\": \"5\"}}\n", "line 2 lacks a feature" },
	{ HEADER "{\"features\": {\"gain_rel\": 1e300}}\n", "line 2 lacks a feature" },
	{ HEADER "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\n", "line 2 is no JSON" },
};

START_TEST(bad_recordings_are_refused)
	{
		struct calibration c = { 0 };

		write_file("%s", bad_recordings[_i].text);
		ck_assert_int_eq(calibration__read(path, &c, &err), -EINVAL);
		ck_assert_msg(strstr(err.msg, bad_recordings[_i].says), "\"%s\" does not say \"%s\"", err.msg,
			      bad_recordings[_i].says);
		ck_assert_ptr_null(c.inputs);
	}
END_TEST

START_TEST(long_lines_are_refused)
	{
		struct calibration c = { 0 };

		write_file(HEADER "{\"x\": \"%5000s\"}\n", "");
		ck_assert_int_eq(calibration__read(path, &c, &err), -EINVAL);
		ck_assert_ptr_nonnull(strstr(err.msg, "longer than 4096"));
		ck_assert_int_eq(calibration__read("/nowhere/at/all", &c, &err), -ENOENT);
	}
END_TEST

int main(void)
{
	Suite *suite = suite_create("quantise");
	TCase *tcase = tcase_create("quantise");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, errors_are_small_and_true);
	tcase_add_test(tcase, odd_nets_have_scales_too);
	tcase_add_test(tcase, made_inputs_are_what_is_said);
	tcase_add_test(tcase, recordings_are_read);
	tcase_add_test(tcase, long_recordings_are_thinned);
	tcase_add_loop_test(tcase, bad_recordings_are_refused, 0, (int)(sizeof(bad_recordings) / sizeof(bad_recordings[0])));
	tcase_add_test(tcase, long_lines_are_refused);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
