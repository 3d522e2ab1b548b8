// SPDX-License-Identifier: BSD-2-Clause
#include "policy/model.h"

#include <string.h>

#include "policy/crc32c.h"
#include "policy/model_io.h"

/* ---- bytes in ---- */

static uint32_t get(struct model_reader *r, uint32_t width)
{
	uint32_t value = 0;

	if (r->bytes - r->at < width) {
		r->is_short = true;
		r->at = r->bytes;
		return 0;
	}
	for (uint32_t i = 0; i < width; i++)
		value |= (uint32_t)r->data[r->at + i] << 8 * i;
	r->at += width;
	return value;
}

static enum model_fault fail(struct model_err *err, enum model_fault fault, const char *field, uint32_t index, int64_t value,
			     int64_t min, int64_t max)
{
	*err = (struct model_err){ .fault = fault, .field = field, .index = index, .value = value, .min = min, .max = max };
	return fault;
}

static enum model_fault check_range(struct model_err *err, const char *field, uint32_t index, int64_t value, int64_t min,
				    int64_t max)
{
	return value >= min && value <= max ? MODEL_OK : fail(err, MODEL_BAD_FIELD, field, index, value, min, max);
}

/* The counts that the rest hangs on. */
struct counts {
	uint32_t features, layers, golden, text;
};

static enum model_fault read_header(struct model_reader *r, struct counts *c, struct model_err *err)
{
	enum model_fault fault;
	uint32_t version, total, reserved;

	if (r->bytes < MODEL_HEADER_BYTES + 4 || r->bytes > MODEL_MAX_BYTES)
		return fail(err, MODEL_BAD_SIZE, NULL, 0, (int64_t)r->bytes, MODEL_HEADER_BYTES + 4, MODEL_MAX_BYTES);
	if (memcmp(r->data, MODEL_MAGIC, MODEL_MAGIC_BYTES) != 0)
		return fail(err, MODEL_BAD_MAGIC, NULL, 0, 0, 0, 0);
	r->at = MODEL_MAGIC_BYTES;
	version = get(r, 4);
	total = get(r, 4);
	if (version != MODEL_VERSION)
		return fail(err, MODEL_BAD_VERSION, NULL, 0, version, MODEL_VERSION, MODEL_VERSION);
	if (total != r->bytes)
		return fail(err, MODEL_TORN, NULL, 0, (int64_t)r->bytes, total, total);
	r->bytes -= 4;
	if (crc32c(0, r->data, r->bytes) != model_reader__crc(r))
		return fail(err, MODEL_BAD_CRC, NULL, 0, crc32c(0, r->data, r->bytes), model_reader__crc(r),
			    model_reader__crc(r));
	c->features = get(r, 1);
	c->layers = get(r, 1);
	c->golden = get(r, 2);
	c->text = get(r, 2);
	reserved = get(r, 2);
	fault = check_range(err, "number of features", MODEL_NO_INDEX, c->features, FEATURE_NR, FEATURE_NR);
	fault = fault ? fault : check_range(err, "number of layers", MODEL_NO_INDEX, c->layers, 1, MLP_MAX_LAYERS);
	fault = fault ? fault
		      : check_range(err, "number of golden vectors", MODEL_NO_INDEX, c->golden, MODEL_MIN_GOLDEN,
				    MODEL_MAX_GOLDEN);
	fault = fault ? fault : check_range(err, "bytes of text", MODEL_NO_INDEX, c->text, 0, MODEL_TEXT_MAX);
	return fault ? fault : check_range(err, "reserved field", MODEL_NO_INDEX, reserved, 0, 0);
}

static const uint8_t *get_bytes(struct model_reader *r, uint32_t bytes)
{
	const uint8_t *p = &r->data[r->at];

	if (r->bytes - r->at < bytes) {
		r->is_short = true;
		r->at = r->bytes;
		return NULL;
	}
	r->at += bytes;
	return p;
}

static enum model_fault short_of(const struct model_reader *r, const char *field, uint32_t index, struct model_err *err)
{
	return fail(err, MODEL_SHORT, field, index, (int64_t)r->bytes, 0, 0);
}

static enum model_fault read_features(struct model_reader *r, struct model_err *err)
{
	for (uint32_t i = 0; i < FEATURE_NR; i++) {
		const struct feature_info *want = &feature_list[i];
		const uint8_t *name = get_bytes(r, FEATURE_NAME_BYTES), *unit = get_bytes(r, FEATURE_UNIT_BYTES);
		int32_t center = (int32_t)get(r, 4), scale = (int32_t)get(r, 4);

		if (r->is_short)
			return short_of(r, "feature", i, err);
		if (memcmp(name, want->name, FEATURE_NAME_BYTES) != 0)
			return fail(err, MODEL_BAD_FEATURE, "name", i, 0, 0, 0);
		if (memcmp(unit, want->unit, FEATURE_UNIT_BYTES) != 0)
			return fail(err, MODEL_BAD_FEATURE, "unit", i, 0, 0, 0);
		if (center != want->center_q8)
			return fail(err, MODEL_BAD_FEATURE, "center", i, center, want->center_q8, want->center_q8);
		if (scale != want->scale_q8)
			return fail(err, MODEL_BAD_FEATURE, "scale", i, scale, want->scale_q8, want->scale_q8);
	}
	return MODEL_OK;
}

static enum model_fault bad_net(struct model_err *err, uint32_t layer, enum mlp_fault net)
{
	*err = (struct model_err){ .fault = MODEL_BAD_NET, .net = net, .field = "layer", .index = layer };
	return MODEL_BAD_NET;
}

static enum model_fault read_layer(struct model_reader *r, uint32_t i, struct mlp *mlp, struct model_err *err)
{
	uint32_t nr_in = get(r, 1), nr_out = get(r, 1), activation = get(r, 1), shift = get(r, 1), multiplier = get(r, 4);
	int32_t bias[MLP_MAX_WIDTH];
	const uint8_t *weights;
	enum model_fault fault;
	enum mlp_fault net;

	if (r->is_short)
		return short_of(r, "layer", i, err);
	fault = check_range(err, "inputs of layer", i, nr_in, i ? 1 : FEATURE_NR, i ? MLP_MAX_WIDTH : FEATURE_NR);
	fault = fault ? fault : check_range(err, "outputs of layer", i, nr_out, 1, MLP_MAX_WIDTH);
	fault = fault ? fault : check_range(err, "activation of layer", i, activation, MLP_LINEAR, MLP_HARD_SIGMOID);
	fault = fault ? fault : check_range(err, "shift of layer", i, shift, MLP_SHIFT_MIN, MLP_SHIFT_MAX);
	fault = fault ? fault : check_range(err, "multiplier of layer", i, multiplier, MLP_MULTIPLIER_MIN, MLP_MULTIPLIER_MAX);
	if (fault)
		return fault;
	for (uint32_t o = 0; o < nr_out; o++)
		bias[o] = (int32_t)get(r, 4);
	weights = get_bytes(r, nr_in * nr_out);
	if (!weights || r->is_short)
		return short_of(r, "weights of layer", i, err);
	net = mlp__add(mlp, nr_in, nr_out, (enum mlp_activation)activation, multiplier, shift, (const int8_t *)weights, bias);
	return net ? bad_net(err, i, net) : MODEL_OK;
}

static enum model_fault read_net(struct model_reader *r, uint32_t nr_layers, struct mlp *mlp, struct model_err *err)
{
	enum model_fault fault = MODEL_OK;
	enum mlp_fault net;
	uint32_t layer;

	mlp__init(mlp);
	for (uint32_t i = 0; !fault && i < nr_layers; i++)
		fault = read_layer(r, i, mlp, err);
	if (fault)
		return fault;
	net = mlp__check(mlp, &layer);
	if (net)
		return bad_net(err, layer, net);
	return check_range(err, "outputs of layer", nr_layers - 1, mlp->layers[nr_layers - 1].nr_out, 1, 1);
}

static enum model_fault check_text(const uint8_t *text, uint32_t bytes, struct model_err *err)
{
	for (uint32_t i = 0; i < bytes; i++) {
		if (text[i] != '\n' && (text[i] < 0x20 || text[i] > 0x7e))
			return fail(err, MODEL_BAD_TEXT, NULL, i, text[i], 0x20, 0x7e);
	}
	return MODEL_OK;
}

static enum model_fault read_text(struct model_reader *r, uint32_t bytes, char *text, struct model_err *err)
{
	const uint8_t *p = get_bytes(r, bytes);

	if (!p)
		return short_of(r, "text", MODEL_NO_INDEX, err);
	memcpy(text, p, bytes);
	text[bytes] = '\0';
	return check_text(p, bytes, err);
}

static enum model_fault read_golden(struct model_reader *r, uint32_t nr, struct model *m, struct model_err *err)
{
	m->nr_golden = nr;
	for (uint32_t i = 0; i < nr; i++) {
		const uint8_t *in = get_bytes(r, FEATURE_NR);
		int32_t want = (int32_t)get(r, 4), got;

		if (!in || r->is_short)
			return short_of(r, "golden vector", i, err);
		memcpy(m->golden[i], in, FEATURE_NR);
		got = mlp__run(&m->mlp, m->golden[i]);
		if (got != want)
			return fail(err, MODEL_BAD_GOLDEN, "golden vector", i, got, want, want);
	}
	return r->at == r->bytes ? MODEL_OK
				 : fail(err, MODEL_BAD_FIELD, "number of bytes after the golden vectors", MODEL_NO_INDEX,
					(int64_t)(r->bytes - r->at), 0, 0);
}

int model__compare_paths(const struct model *m, enum mlp_path path)
{
	struct mlp other = m->mlp, scalar = m->mlp;

	other.path = path;
	scalar.path = MLP_SCALAR;
	for (uint32_t i = 0; i < m->nr_golden; i++) {
		if (mlp__run(&other, m->golden[i]) != mlp__run(&scalar, m->golden[i]))
			return (int)i;
	}
	return -1;
}

enum model_fault model__parse(const void *data, size_t bytes, enum mlp_path path, struct model *ret, struct model_err *ret_err)
{
	struct model_reader r = { .data = data, .bytes = bytes };
	struct model m = { 0 };
	struct counts counts;
	enum model_fault fault;
	int differs;

	fault = read_header(&r, &counts, ret_err);
	fault = fault ? fault : read_features(&r, ret_err);
	fault = fault ? fault : read_net(&r, counts.layers, &m.mlp, ret_err);
	fault = fault ? fault : read_text(&r, counts.text, m.text, ret_err);
	fault = fault ? fault : read_golden(&r, counts.golden, &m, ret_err);
	if (fault)
		return fault;
	differs = model__compare_paths(&m, path);
	if (differs >= 0)
		return fail(ret_err, MODEL_BAD_GOLDEN, "golden vector (fast path)", (uint32_t)differs, 0, 0, 0);
	m.mlp.path = path;
	m.crc32c = model_reader__crc(&r);
	*ret = m;
	*ret_err = (struct model_err){ 0 };
	return MODEL_OK;
}
