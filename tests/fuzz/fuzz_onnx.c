/* SPDX-License-Identifier: BSD-2-Clause */
/* Any bytes as an ONNX file: refused with a message, or a net of finite numbers that is quantised soundly, written again and read again. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "agent/onnx.h"
#include "agent/quantise.h"
#include "policy/feature.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void check(const struct float_net *net)
{
	double in[FEATURE_NR] = { 1, -1, 3.9, -3.9, 0.5 };

	if (net->nr_layers < 1 || net->nr_layers > MLP_MAX_LAYERS || net->layers[0].nr_in != FEATURE_NR ||
	    net->layers[net->nr_layers - 1].nr_out != 1 || !isfinite(float_net__run(net, in, NULL)))
		abort();
}

static void use(const struct float_net *net, struct float_net *again)
{
	static int8_t inputs[][FEATURE_NR] = { { 0 }, { 127, -127, 64 }, { -127, 127, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 } };
	const struct calibration c = { .inputs = inputs, .nr = 3 };
	struct quantise_report report;
	struct pintle_err err;
	struct mlp mlp;
	size_t bytes;
	void *data;

	check(net);
	if (!quantise(net, &c, &mlp, &report, &err) && mlp__check(&mlp, NULL) != MLP_OK)
		abort();
	if (onnx__write(net, &data, &bytes))
		return;
	if (onnx__parse(data, bytes, again, &err) == 0)
		check(again);
	free(data);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	static struct float_net net, again;
	struct pintle_err err = { 0 };

	if (onnx__parse(data, bytes, &net, &err) == 0)
		use(&net, &again);
	else if (!err.msg[0] || !memchr(err.msg, 0, sizeof(err.msg)))
		abort();
	return 0;
}
