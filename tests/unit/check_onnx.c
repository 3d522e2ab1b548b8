/* SPDX-License-Identifier: BSD-2-Clause */
/* ONNX files: what PyTorch's exporters wrote is read and quantised as PyTorch computes it, hostile bytes do no harm, exports come back. */
#include <check.h>
#include <cjson/cJSON.h>
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/onnx.h"
#include "agent/quantise.h"
#include "tests/unit/mlp_fixture.h"
#include "tests/unit/onnx_fixture.h"

static const char *const names[] = { "mlp-12-16-8-1", "mlp-12-64-48-32-1", "hardsigmoid-12-20-1", "matmul-12-24-1",
				     "linear-12-1" };
static const char *const exporters[] = { "script", "dynamo" };

static struct float_net other_net;

/* ---- PyTorch ---- */

static void compare_to_torch(const cJSON *cases, const struct mlp *mlp)
{
	double sum = 0, most = 0;
	const cJSON *one;
	int n = 0;

	cJSON_ArrayForEach (one, cases) {
		double in[FEATURE_NR], want = cJSON_GetObjectItem(one, "out")->valuedouble, error;
		int8_t input[FEATURE_NR];

		for (int i = 0; i < FEATURE_NR; i++) {
			in[i] = cJSON_GetArrayItem(cJSON_GetObjectItem(one, "in"), i)->valuedouble;
			input[i] = (int8_t)lround(in[i] * FEATURE_ONE);
		}
		ck_assert_double_eq_tol(float_net__run(&net, in, NULL), want, 1e-5);
		error = mlp__run(mlp, input) / 256.0 - want;
		sum += error * error;
		most = fmax(most, fabs(error));
		n++;
	}
	ck_assert_int_eq(n, 48);
	/* inputs all over the range, so larger activations than most that were calibrated for */
	ck_assert_double_le(sqrt(sum / n), 0.02);
	ck_assert_double_le(most, 0.08);
}

START_TEST(as_pytorch_computes_it)
	{
		const char *name = names[_i / 2];
		struct calibration calibration;
		struct quantise_report report;
		struct pintle_err err = { 0 };
		struct mlp mlp;
		size_t bytes;
		char suffix[16], *data;
		cJSON *json;

		snprintf(suffix, sizeof(suffix), ".%s.onnx", exporters[_i % 2]);
		data = read_golden(name, suffix, &bytes);
		ck_assert_msg(!onnx__parse(data, bytes, &net, &err), "%s%s: %s", name, suffix, err.msg);
		free(data);
		ck_assert_int_eq(calibration__make(&calibration, &err), 0);
		ck_assert_int_eq(quantise(&net, &calibration, &mlp, &report, &err), 0);
		calibration__free(&calibration);
		ck_assert_uint_eq(report.nr_inputs, CALIBRATION_MADE);
		ck_assert_double_le(report.rms_error, 0.01);
		ck_assert_double_le(report.rms_error, report.max_error);
		data = read_golden(name, ".json", &bytes);
		json = cJSON_ParseWithLength(data, bytes);
		ck_assert_ptr_nonnull(json);
		compare_to_torch(cJSON_GetObjectItem(json, "cases"), &mlp);
		cJSON_Delete(json);
		free(data);
	}
END_TEST

/* The same net said otherwise: values as floats, alpha and beta, weights not transposed, weights as Constant nodes. */
START_TEST(other_ways_to_say_it)
	{
		Onnx__Model *m = read_model("mlp-12-16-8-1");
		Onnx__Tensor *w = m->graph->initializer[0], *b = m->graph->initializer[1];
		Onnx__Node *gemm = m->graph->node[0];
		static float values[12 * 16];
		double in[FEATURE_NR] = { 1, -0.5, 2, 0.25, -3, 1, 1, 0, 0.125, -2, 3, 0.5 }, want;
		struct pintle_err err = { 0 };

		ck_assert_str_eq(w->name, "layers.0.weight");
		ck_assert_str_eq(b->name, "layers.0.bias");
		ck_assert_msg(!parse_model(m, &err), "%s", err.msg);
		want = float_net__run(&net, in, NULL);
		/* transposed back, halved, as float_data; alpha makes it whole */
		for (int o = 0; o < 16; o++) {
			for (int i = 0; i < 12; i++) {
				float x;

				memcpy(&x, &w->raw_data.data[(o * 12 + i) * 4], 4);
				values[i * 16 + o] = x / 2;
			}
		}
		w->dims[0] = 12;
		w->dims[1] = 16;
		w->raw_data.len = 0;
		w->float_data = values;
		w->n_float_data = 12 * 16;
		ck_assert_str_eq(gemm->attribute[0]->name, "alpha");
		gemm->attribute[0]->f = 2;
		ck_assert_str_eq(gemm->attribute[2]->name, "transB");
		gemm->attribute[2]->i = 0;
		ck_assert_msg(!parse_model(m, &err), "%s", err.msg);
		ck_assert_double_eq_tol(float_net__run(&net, in, NULL), want, 1e-6);
		/* beta = 0 takes the bias away */
		ck_assert_str_eq(gemm->attribute[1]->name, "beta");
		gemm->attribute[1]->f = 0;
		ck_assert_msg(!parse_model(m, &err), "%s", err.msg);
		ck_assert_double_eq(net.layers[0].bias[3], 0);
		gemm->attribute[1]->f = 1;
		/* listed among the inputs too, as exporters used to */
		{
			Onnx__Value value = ONNX__VALUE__INIT, *inputs[2] = { &value, m->graph->input[0] };

			value.name = w->name;
			m->graph->input = inputs;
			m->graph->n_input = 2;
			ck_assert_msg(!parse_model(m, &err), "%s", err.msg);
		}
	}
END_TEST

/* ---- hostile bytes ---- */

static int parse_bytes(const void *data, size_t bytes)
{
	struct pintle_err err = { 0 };
	void *exact = malloc(bytes ? bytes : 1);
	int error;

	ck_assert_ptr_nonnull(exact);
	memcpy(exact, data, bytes);
	error = onnx__parse(exact, bytes, &net, &err);
	free(exact);
	ck_assert(error == 0 || strlen(err.msg) > 10);
	return error;
}

START_TEST(cut_files_are_refused)
	{
		size_t bytes;
		char *data = read_golden("mlp-12-16-8-1", ".dynamo.onnx", &bytes);
		size_t taken = 0;

		/* what is cut off behind the graph may be a version that nobody needs; no other cut is a model */
		for (size_t n = 0; n < bytes; n++)
			taken += parse_bytes(data, n) == 0;
		ck_assert_uint_le(taken, 8);
		ck_assert_int_eq(parse_bytes(data, bytes), 0);
		free(data);
	}
END_TEST

START_TEST(flipped_bits_do_no_harm)
	{
		size_t bytes;
		char *data = read_golden("linear-12-1", ".dynamo.onnx", &bytes);

		for (size_t i = 0; i < bytes * 8; i++) {
			data[i / 8] = (char)(data[i / 8] ^ 1 << i % 8);
			if (parse_bytes(data, bytes) == 0) {
				ck_assert_uint_eq(net.nr_layers, 1);
				for (int k = 0; k < FEATURE_NR; k++)
					ck_assert(fabs(net.layers[0].weights[k]) <= ONNX_MAX_WEIGHT);
			}
			data[i / 8] = (char)(data[i / 8] ^ 1 << i % 8);
		}
		free(data);
	}
END_TEST

/* Half a million empty nodes in a mebibyte: refused for the memory they would take, or for their number. */
START_TEST(bombs_are_refused)
	{
		uint8_t *data = malloc(ONNX_MAX_BYTES);
		size_t graph_bytes = ONNX_MAX_BYTES - 8;
		struct pintle_err err = { 0 };

		ck_assert_ptr_nonnull(data);
		data[0] = 7 << 3 | 2;
		for (int i = 0; i < 4; i++)
			data[1 + i] = (uint8_t)((graph_bytes >> 7 * i & 127) | (i < 3 ? 128 : 0));
		for (size_t i = 5; i + 1 < ONNX_MAX_BYTES; i += 2) {
			data[i] = 1 << 3 | 2;
			data[i + 1] = 0;
		}
		ck_assert_int_lt(onnx__parse(data, 5 + graph_bytes, &net, &err), 0);
		ck_assert_int_eq(onnx__parse(data, (size_t)ONNX_MAX_BYTES + 1, &net, &err), -E2BIG);
		ck_assert_int_eq(onnx__parse(data, 0, &net, &err), -E2BIG);
		free(data);
	}
END_TEST

/* ---- and back ---- */

START_TEST(exported_nets_come_back)
	{
		static const uint32_t hidden[][3] = { { 0, 0, 0 }, { 16, 8, 0 }, { 64, 64, 64 }, { 1, 3, 5 } };

		for (size_t i = 0; i < sizeof(hidden) / sizeof(hidden[0]); i++) {
			struct pintle_err err = { 0 };
			struct model m;
			size_t bytes;
			void *data;

			random_model(i, hidden[i][0], hidden[i][1], hidden[i][2], &m);
			float_net__of(&m.mlp, &other_net);
			ck_assert_int_eq(onnx__write(&other_net, &data, &bytes), 0);
			ck_assert_msg(!onnx__parse(data, bytes, &net, &err), "%s", err.msg);
			free(data);
			ck_assert_uint_eq(net.nr_layers, other_net.nr_layers);
			for (uint32_t k = 0; k < m.nr_golden; k++) {
				double in[FEATURE_NR];

				for (int f = 0; f < FEATURE_NR; f++)
					in[f] = m.golden[k][f] / 32.0;
				ck_assert_double_eq_tol(float_net__run(&net, in, NULL), float_net__run(&other_net, in, NULL),
							1e-5);
				/* rounding of activations: some steps of 1/127 */
				ck_assert_double_eq_tol(float_net__run(&net, in, NULL), mlp__run(&m.mlp, m.golden[k]) / 256.0,
							0.03);
			}
		}
	}
END_TEST

int main(void)
{
	Suite *suite = suite_create("onnx");
	TCase *tcase = tcase_create("onnx");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(tcase, as_pytorch_computes_it, 0, 10);
	tcase_add_test(tcase, other_ways_to_say_it);
	tcase_add_test(tcase, cut_files_are_refused);
	tcase_add_test(tcase, flipped_bits_do_no_harm);
	tcase_add_test(tcase, bombs_are_refused);
	tcase_add_test(tcase, exported_nets_come_back);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
