/* SPDX-License-Identifier: BSD-2-Clause */
/* `pintle model import`: an ONNX file, quantised, becomes a model file. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/calibration.h"
#include "agent/cmd.h"
#include "agent/modelfile.h"
#include "agent/onnx.h"
#include "agent/quantise.h"
#include "agent/wholefile.h"
#include "policy/crc32c.h"

/* What goes from step to step. */
struct import {
	struct float_net *net;
	struct calibration calibration;
	struct quantise_report report;
	struct model model;
	uint32_t source_crc32c;
};

static int read_onnx(struct import *im, const char *path, struct pintle_err *err)
{
	size_t bytes;
	char *data;
	int error = wholefile__read(path, ONNX_MAX_BYTES, &data, &bytes, err);

	if (error)
		return error;
	im->source_crc32c = crc32c(0, data, bytes);
	error = onnx__parse(data, bytes, im->net, err);
	free(data);
	return error ? pintle_err__prefix(err, error, "%s", path) : 0;
}

/* The last part of a path, what is no printable ASCII replaced. */
static void put_name(char *out, size_t bytes, const char *path)
{
	const char *slash = strrchr(path, '/');

	snprintf(out, bytes, "%s", slash ? slash + 1 : path);
	for (char *p = out; *p; p++)
		*p = *p < 0x20 || *p > 0x7e ? '?' : *p;
}

static void describe(struct import *im, const struct cmd_args *args)
{
	char source[128], calibration[128];

	put_name(source, sizeof(source), args->words[0]);
	put_name(calibration, sizeof(calibration), args->calibrate ? args->calibrate : "made up");
	snprintf(im->model.text, sizeof(im->model.text),
		 "made-by: pintle model import\nsource: %s\nsource-crc32c: %08" PRIx32 "\ncalibration: %s\ninputs: %u\n"
		 "rms-error-octaves: %.5f\nmax-error-octaves: %.5f\nrms-output-octaves: %.5f\n",
		 source, im->source_crc32c, calibration, im->report.nr_inputs, im->report.rms_error, im->report.max_error,
		 im->report.rms_output);
}

static int import__run(struct import *im, const struct cmd_args *args, struct pintle_err *err)
{
	int error = read_onnx(im, args->words[0], err);

	if (error)
		return error;
	error = args->calibrate ? calibration__read(args->calibrate, &im->calibration, err)
				: calibration__make(&im->calibration, err);
	if (error)
		return error;
	error = quantise(im->net, &im->calibration, &im->model.mlp, &im->report, err);
	if (error)
		return pintle_err__prefix(err, error, "%s", args->words[0]);
	describe(im, args);
	model__make_golden(&im->model, im->source_crc32c);
	error = modelfile__write(args->words[1], &im->model, err);
	/* What counts is what a reader finds. */
	return error ? error : modelfile__read(args->words[1], &im->model, err);
}

static int import__report(const struct import *im, const struct cmd_args *args)
{
	struct out *out = cmd__out(args);

	if (!out)
		return CMD_FAILURE;
	out__record(out, NULL, NULL);
	out__str(out, "model", NULL, args->words[1]);
	out__fmt(out, "crc32c", "CRC-32C", "%08" PRIx32, im->model.crc32c);
	out__str(out, "source", NULL, args->words[0]);
	out__str(out, "calibration", NULL, args->calibrate ? args->calibrate : "made up");
	out__u64(out, "inputs", NULL, im->report.nr_inputs);
	out__double(out, "rms_error_octaves", "rms error of 8 bits (octaves)", im->report.rms_error, 5);
	out__double(out, "max_error_octaves", "largest error (octaves)", im->report.max_error, 5);
	out__double(out, "rms_output_octaves", "rms of the output (octaves)", im->report.rms_output, 5);
	out__double(out, "activation_part", "part of the largest activations kept", im->report.part, 2);
	out__end(out);
	return cmd__finish(args, out);
}

int cmd_model_import(const struct cmd_args *args)
{
	struct import *im = calloc(1, sizeof(*im));
	struct pintle_err err = { 0 };
	int code;

	if (im)
		im->net = calloc(1, sizeof(*im->net));
	if (!im || !im->net) {
		free(im);
		fprintf(stderr, "pintle model import: out of memory\n");
		return CMD_FAILURE;
	}
	code = import__run(im, args, &err) ? cmd__fail(args, &err) : import__report(im, args);
	calibration__free(&im->calibration);
	free(im->net);
	free(im);
	return code;
}
