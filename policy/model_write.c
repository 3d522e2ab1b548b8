// SPDX-License-Identifier: BSD-2-Clause
#include <string.h>

#include "policy/crc32c.h"
#include "policy/model.h"
#include "policy/model_io.h"

static void put(struct model_writer *w, uint32_t value, uint32_t width)
{
	if (w->room - w->at < width) {
		w->is_full = true;
		return;
	}
	for (uint32_t i = 0; i < width; i++)
		w->data[w->at++] = (uint8_t)(value >> 8 * i);
}

static void put_bytes(struct model_writer *w, const void *bytes, size_t nr)
{
	if (w->room - w->at < nr) {
		w->is_full = true;
		return;
	}
	memcpy(&w->data[w->at], bytes, nr);
	w->at += nr;
}

static void put_features(struct model_writer *w)
{
	for (uint32_t i = 0; i < FEATURE_NR; i++) {
		put_bytes(w, feature_list[i].name, FEATURE_NAME_BYTES);
		put_bytes(w, feature_list[i].unit, FEATURE_UNIT_BYTES);
		put(w, (uint32_t)feature_list[i].center_q8, 4);
		put(w, (uint32_t)feature_list[i].scale_q8, 4);
	}
}

static void put_layer(struct model_writer *w, const struct mlp_layer *l)
{
	put(w, l->nr_in, 1);
	put(w, l->nr_out, 1);
	put(w, l->activation, 1);
	put(w, l->shift, 1);
	put(w, l->multiplier, 4);
	for (uint32_t o = 0; o < l->nr_out; o++)
		put(w, (uint32_t)l->bias[o], 4);
	for (uint32_t o = 0; o < l->nr_out; o++) {
		for (uint32_t i = 0; i < l->nr_in; i++)
			put(w, (uint8_t)mlp_layer__weight(l, o, i), 1);
	}
}

static void put_golden(struct model_writer *w, const struct model *m)
{
	for (uint32_t i = 0; i < m->nr_golden; i++) {
		put_bytes(w, m->golden[i], FEATURE_NR);
		put(w, (uint32_t)mlp__run(&m->mlp, m->golden[i]), 4);
	}
}

/* What must hold before the net is run. The rest is found by parsing what was written. */
static enum model_fault check(const struct model *m, struct model_err *err)
{
	uint32_t layer;
	enum mlp_fault net = mlp__check(&m->mlp, &layer);

	if (net) {
		*err = (struct model_err){ .fault = MODEL_BAD_NET, .net = net, .field = "layer", .index = layer };
		return err->fault;
	}
	if (m->mlp.layers[0].nr_in != FEATURE_NR) {
		*err = (struct model_err){ MODEL_BAD_FIELD,	   MLP_OK,     "inputs of layer", 0,
					   m->mlp.layers[0].nr_in, FEATURE_NR, FEATURE_NR };
		return err->fault;
	}
	if (m->nr_golden < MODEL_MIN_GOLDEN || m->nr_golden > MODEL_MAX_GOLDEN) {
		*err = (struct model_err){ MODEL_BAD_FIELD, MLP_OK,	  "number of golden vectors",
					   MODEL_NO_INDEX,  m->nr_golden, MODEL_MIN_GOLDEN,
					   MODEL_MAX_GOLDEN };
		return err->fault;
	}
	return MODEL_OK;
}

enum model_fault model__write(const struct model *m, void *data, size_t room, size_t *ret_bytes, struct model_err *ret_err)
{
	size_t text = strnlen(m->text, MODEL_TEXT_MAX);
	struct model_writer w = { .data = data, .room = room };
	enum model_fault fault = check(m, ret_err);
	struct model parsed;
	size_t bytes;

	if (fault)
		return fault;
	put_bytes(&w, MODEL_MAGIC, MODEL_MAGIC_BYTES);
	put(&w, MODEL_VERSION, 4);
	put(&w, 0, 4); /* bytes of the file, below */
	put(&w, FEATURE_NR, 1);
	put(&w, m->mlp.nr_layers, 1);
	put(&w, m->nr_golden, 2);
	put(&w, (uint32_t)text, 2);
	put(&w, 0, 2);
	put_features(&w);
	for (uint32_t i = 0; i < m->mlp.nr_layers; i++)
		put_layer(&w, &m->mlp.layers[i]);
	put_bytes(&w, m->text, text);
	put_golden(&w, m);
	bytes = w.at + MODEL_CRC_BYTES;
	if (w.is_full || bytes > room) {
		*ret_err = (struct model_err){ .fault = MODEL_NO_ROOM, .value = (int64_t)room };
		return MODEL_NO_ROOM;
	}
	w.at = MODEL_MAGIC_BYTES + 4;
	put(&w, (uint32_t)bytes, 4);
	w.at = bytes - MODEL_CRC_BYTES;
	put(&w, crc32c(0, data, w.at), 4);
	fault = model__parse(data, bytes, MLP_SCALAR, &parsed, ret_err);
	if (!fault)
		*ret_bytes = bytes;
	return fault;
}

/* splitmix64 (Steele, Lea, Flood, OOPSLA 2014). */
static uint64_t next(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

void model__make_golden(struct model *m, uint64_t seed)
{
	uint32_t n = 0;

	memset(m->golden, 0, sizeof(m->golden));
	n++; /* all zero */
	memset(m->golden[n++], 127, FEATURE_NR);
	memset(m->golden[n++], -127, FEATURE_NR);
	for (uint32_t i = 0; i < FEATURE_NR; i++) {
		m->golden[n++][i] = 127;
		m->golden[n++][i] = -127;
	}
	for (; n < MODEL_MAX_GOLDEN; n++) {
		for (uint32_t i = 0; i < FEATURE_NR; i++)
			m->golden[n][i] = (int8_t)((int64_t)(next(&seed) % 255) - 127);
	}
	m->nr_golden = MODEL_MAX_GOLDEN;
}
