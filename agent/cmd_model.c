/* SPDX-License-Identifier: BSD-2-Clause */
/* `pintle model inspect` and `verify`: what a model file holds, and whether this build and this CPU run it as its trainer did. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "agent/cmd.h"
#include "agent/modelfile.h"

static const char *const activation_names[] = {
	[MLP_LINEAR] = "linear", [MLP_RELU] = "relu", [MLP_HARD_SIGMOID] = "hard-sigmoid"
};
static const char *const path_names[] = { [MLP_SCALAR] = "scalar", [MLP_AVX2] = "avx2" };

/* "12-16-8-1" */
static void put_shape(struct out *out, const struct mlp *mlp)
{
	char text[64];
	int n = snprintf(text, sizeof(text), "%u", mlp->layers[0].nr_in);

	for (uint32_t i = 0; i < mlp->nr_layers; i++)
		n += snprintf(text + n, sizeof(text) - (size_t)n, "-%u", mlp->layers[i].nr_out);
	out__str(out, "shape", NULL, text);
}

static uint32_t parameters_of(const struct mlp *mlp)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < mlp->nr_layers; i++)
		n += mlp->layers[i].nr_out * (mlp->layers[i].nr_in + 1u);
	return n;
}

static void put_features(struct out *out)
{
	out__table(out, "features", NULL);
	for (int i = 0; i < FEATURE_NR; i++) {
		const struct feature_info *f = &feature_list[i];

		out__row(out);
		out__str(out, "feature", NULL, f->name);
		out__str(out, "unit", NULL, f->unit);
		out__double(out, "center", NULL, f->center_q8 / 256.0, 3);
		out__double(out, "scale", NULL, f->scale_q8 / 256.0, 3);
		out__str(out, "what", NULL, f->help);
		out__end(out);
	}
	out__end(out);
}

static void put_layers(struct out *out, const struct mlp *mlp)
{
	out__table(out, "layers", NULL);
	for (uint32_t i = 0; i < mlp->nr_layers; i++) {
		const struct mlp_layer *l = &mlp->layers[i];

		out__row(out);
		out__u64(out, "layer", NULL, i);
		out__u64(out, "inputs", NULL, l->nr_in);
		out__u64(out, "outputs", NULL, l->nr_out);
		out__str(out, "activation", NULL, activation_names[l->activation]);
		out__u64(out, "multiplier", NULL, l->multiplier);
		out__u64(out, "shift", NULL, l->shift);
		out__end(out);
	}
	out__end(out);
}

/* What the golden vectors make it say. */
static void put_outputs(struct out *out, const struct model *m)
{
	int32_t low = INT32_MAX, high = INT32_MIN;
	uint32_t clipped = 0;

	for (uint32_t i = 0; i < m->nr_golden; i++) {
		int32_t y = mlp__run(&m->mlp, m->golden[i]);

		low = y < low ? y : low;
		high = y > high ? y : high;
		clipped += y > MLP_RESIDUAL_MAX_Q8 || y < -MLP_RESIDUAL_MAX_Q8;
	}
	out__u64(out, "golden_vectors", NULL, m->nr_golden);
	out__double(out, "lowest_octaves", "lowest output of them", low / 256.0, 3);
	out__double(out, "highest_octaves", "highest output of them", high / 256.0, 3);
	out__u64(out, "clipped", "of them beyond 0.5 nat", clipped);
}

/* What the trainer wrote, line by line. */
static void put_text(struct out *out, const char *text)
{
	out__list(out, "text", "made as");
	while (*text) {
		int bytes = (int)strcspn(text, "\n");

		if (bytes)
			out__fmt(out, NULL, NULL, "%.*s", bytes, text);
		text += bytes + (text[bytes] == '\n');
	}
	out__end(out);
}

int cmd_model_inspect(const struct cmd_args *args)
{
	const char *path = args->nr_words ? args->words[0] : NULL;
	struct pintle_err err = { 0 };
	struct model m;
	struct out *out;

	if (path ? modelfile__read(path, &m, &err) : modelfile__embedded(&m, &err))
		return cmd__fail(args, &err);
	out = cmd__out(args);
	if (!out)
		return CMD_FAILURE;
	out__record(out, NULL, NULL);
	out__str(out, "model", NULL, path ? path : "default");
	out__u64(out, "format", NULL, MODEL_VERSION);
	out__fmt(out, "crc32c", "CRC-32C", "%08" PRIx32, m.crc32c);
	put_shape(out, &m.mlp);
	out__u64(out, "parameters", NULL, parameters_of(&m.mlp));
	out__str(out, "path", NULL, path_names[m.mlp.path]);
	put_outputs(out, &m);
	put_text(out, m.text);
	put_features(out);
	put_layers(out, &m.mlp);
	out__end(out);
	return cmd__finish(args, out);
}

static void put_verdict(struct out *out, const char *path, const struct model *m, const char *error)
{
	out__row(out);
	out__str(out, "model", NULL, path);
	out__bool(out, "valid", NULL, m != NULL);
	if (m) {
		out__fmt(out, "crc32c", "CRC-32C", "%08" PRIx32, m->crc32c);
		out__u64(out, "golden_vectors", NULL, m->nr_golden);
		out__str(out, "path", NULL, path_names[m->mlp.path]);
	} else {
		out__null(out, "crc32c", "CRC-32C");
		out__null(out, "golden_vectors", NULL);
		out__null(out, "path", NULL);
	}
	out__str(out, "error", NULL, error);
	out__end(out);
}

int cmd_model_verify(const struct cmd_args *args)
{
	struct out *out = cmd__out(args);
	bool is_bad = false;
	int nr = args->nr_words ? args->nr_words : 1, code;

	if (!out)
		return CMD_FAILURE;
	out__table(out, "models", NULL);
	for (int i = 0; i < nr; i++) {
		const char *path = args->nr_words ? args->words[i] : NULL;
		struct pintle_err err = { 0 };
		struct model m;
		int error = path ? modelfile__read(path, &m, &err) : modelfile__embedded(&m, &err);

		put_verdict(out, path ? path : "default", error ? NULL : &m, error ? err.msg : NULL);
		is_bad |= error != 0;
	}
	out__end(out);
	code = cmd__finish(args, out);
	return code == CMD_OK && is_bad ? CMD_FAILURE : code;
}
