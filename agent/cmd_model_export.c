/* SPDX-License-Identifier: BSD-2-Clause */
/* `pintle model export`: the real net that a model stands for, as JSON or ONNX by the suffix of the file. */
#include <cjson/cJSON.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/cmd.h"
#include "agent/modelfile.h"
#include "agent/onnx.h"
#include "agent/wholefile.h"

static void add_features(cJSON *o)
{
	cJSON *list = cJSON_AddArrayToObject(o, "features");

	for (int i = 0; i < FEATURE_NR; i++) {
		cJSON *f = cJSON_CreateObject();

		cJSON_AddStringToObject(f, "name", feature_list[i].name);
		cJSON_AddStringToObject(f, "unit", feature_list[i].unit);
		cJSON_AddNumberToObject(f, "center", feature_list[i].center_q8 / 256.0);
		cJSON_AddNumberToObject(f, "scale", feature_list[i].scale_q8 / 256.0);
		cJSON_AddItemToArray(list, f);
	}
}

static void add_layer(cJSON *list, const struct float_layer *l)
{
	cJSON *o = cJSON_CreateObject(), *rows;

	cJSON_AddStringToObject(o, "activation", l->activation == MLP_LINEAR ? "linear" : "clamp(0, 1)");
	rows = cJSON_AddArrayToObject(o, "weights");
	for (uint32_t i = 0; i < l->nr_out; i++)
		cJSON_AddItemToArray(rows, cJSON_CreateDoubleArray(&l->weights[i * l->nr_in], (int)l->nr_in));
	cJSON_AddItemToObject(o, "bias", cJSON_CreateDoubleArray(l->bias, (int)l->nr_out));
	cJSON_AddItemToArray(list, o);
}

/* NULL: out of memory. */
static char *make_json(const struct model *m, const struct float_net *net)
{
	cJSON *o = cJSON_CreateObject(), *layers;
	char crc[16], *text;

	snprintf(crc, sizeof(crc), "%08" PRIx32, m->crc32c);
	cJSON_AddStringToObject(o, "crc32c", crc);
	cJSON_AddStringToObject(o, "text", m->text);
	cJSON_AddStringToObject(o, "input", "(feature - center) / scale");
	cJSON_AddStringToObject(o, "output", "octaves, clipped to +-0.7213 when used");
	add_features(o);
	layers = cJSON_AddArrayToObject(o, "layers");
	for (uint32_t i = 0; i < net->nr_layers; i++)
		add_layer(layers, &net->layers[i]);
	text = cJSON_PrintUnformatted(o);
	cJSON_Delete(o);
	return text;
}

static bool ends_with(const char *text, const char *suffix)
{
	size_t n = strlen(text), k = strlen(suffix);

	return n > k && !strcmp(text + n - k, suffix);
}

static int write_file(const char *path, const struct model *m, size_t *ret_bytes, struct pintle_err *err)
{
	struct float_net *net = malloc(sizeof(*net));
	void *data = NULL;
	int error = net ? 0 : -ENOMEM;

	if (net)
		float_net__of(&m->mlp, net);
	if (!error && ends_with(path, ".onnx"))
		error = onnx__write(net, &data, ret_bytes);
	else if (!error) {
		data = make_json(m, net);
		*ret_bytes = data ? strlen(data) : 0;
		error = data ? 0 : -ENOMEM;
	}
	error = error ? pintle_err__set(err, error, "out of memory") : wholefile__replace(path, data, *ret_bytes, err);
	free(data);
	free(net);
	return error;
}

int cmd_model_export(const struct cmd_args *args)
{
	const char *from = args->words[0], *to = args->words[1];
	struct pintle_err err = { 0 };
	struct model m;
	struct out *out;
	size_t bytes;

	if (!ends_with(to, ".json") && !ends_with(to, ".onnx")) {
		fprintf(stderr, "pintle model export: %s: the name of what is written must end in .json or .onnx\n", to);
		return CMD_USAGE;
	}
	if (modelfile__read(from, &m, &err) || write_file(to, &m, &bytes, &err))
		return cmd__fail(args, &err);
	out = cmd__out(args);
	if (!out)
		return CMD_FAILURE;
	out__record(out, NULL, NULL);
	out__str(out, "model", NULL, from);
	out__fmt(out, "crc32c", "CRC-32C", "%08" PRIx32, m.crc32c);
	out__str(out, "file", NULL, to);
	out__bytes(out, "bytes", NULL, bytes);
	out__end(out);
	return cmd__finish(args, out);
}
