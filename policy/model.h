/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Model files: a net (policy/mlp.h), the features it was trained for, what its trainer said, and golden vectors that prove that this build
 * computes what the trainer computed. docs/models.md has the layout, byte by byte.
 *
 * A file is taken whole or not at all: sizes, checksum, every field's bounds, the feature list of this build, the arithmetic's bounds
 * (mlp__check), and each golden vector, on the scalar path and on the one that will be used. Pure: no I/O, no allocation.
 */
#ifndef PINTLE_POLICY_MODEL_H
#define PINTLE_POLICY_MODEL_H

#include <stddef.h>
#include <stdint.h>

#include "policy/feature.h"
#include "policy/mlp.h"

#define MODEL_MAGIC "PTLMODEL"
#define MODEL_MAGIC_BYTES 8
#define MODEL_VERSION 1
#define MODEL_MAX_BYTES 65536
#define MODEL_TEXT_MAX 2048 /* bytes of the trainer's text */
#define MODEL_MIN_GOLDEN 16
#define MODEL_MAX_GOLDEN 64

struct model {
	struct mlp mlp; /* FEATURE_NR inputs, one output: octaves in Q8, to be added to gain + log2 psi(load) */
	uint32_t nr_golden;
	int8_t golden[MODEL_MAX_GOLDEN][FEATURE_NR]; /* inputs; outputs are what the net gives */
	char text[MODEL_TEXT_MAX + 1];		     /* "key: value" lines of printable ASCII, NUL at the end */
	uint32_t crc32c;			     /* of the file it was parsed from: its name in logs; 0 before */
};

enum model_fault {
	MODEL_OK = 0,
	MODEL_BAD_SIZE,	   /* more than MODEL_MAX_BYTES, or shorter than a header */
	MODEL_BAD_MAGIC,   /* something else */
	MODEL_BAD_VERSION, /* another format version */
	MODEL_TORN,	   /* the header promises another size than there is */
	MODEL_BAD_CRC,	   /* damaged */
	MODEL_BAD_FIELD,   /* a field is outside its bounds */
	MODEL_SHORT,	   /* the counts promise more than the file holds */
	MODEL_BAD_FEATURE, /* not the features of this build */
	MODEL_BAD_TEXT,	   /* not printable ASCII */
	MODEL_BAD_NET,	   /* see `net`: the arithmetic does not allow it */
	MODEL_BAD_GOLDEN,  /* this build computes something else */
	MODEL_NO_ROOM,	   /* model__write: the buffer is too small */
};

/* What is wrong, where. For people: model_err__text. */
struct model_err {
	enum model_fault fault;
	enum mlp_fault net;
	const char *field; /* a constant; NULL when the fault says it all */
	uint32_t index;	   /* layer, feature, golden vector or byte; MODEL_NO_INDEX for what there is once */
	int64_t value;	   /* found */
	int64_t min, max;  /* expected */
};

#define MODEL_ERR_BYTES 256
#define MODEL_NO_INDEX UINT32_MAX

/*
 * Reads a file's bytes. `path`: the path that will run it (mlp__best_path). On success *ret is whole, with ret->mlp.path = path; on a fault it is
 * unchanged and *ret_err says what and where. `ret_err` is not NULL.
 */
enum model_fault model__parse(const void *data, size_t bytes, enum mlp_path path, struct model *ret, struct model_err *ret_err);

/* Writes a file's bytes to `data`, *ret_bytes of them; golden outputs are computed. Refuses what model__parse would refuse. The same model gives
 * the same bytes. MODEL_MAX_BYTES is always room enough. */
enum model_fault model__write(const struct model *m, void *data, size_t room, size_t *ret_bytes, struct model_err *ret_err);

/* Golden inputs for a new model: zero, the ends together and one at a time, and vectors drawn from `seed`. Fills all MODEL_MAX_GOLDEN. */
void model__make_golden(struct model *m, uint64_t seed);

/* Runs every golden input on both paths that `path` stands for. Number of the first vector in which they differ, or -1. */
int model__compare_paths(const struct model *m, enum mlp_path path);

/* One sentence: the field, what was found, what is allowed, what to try next. Always terminated. */
void model_err__text(const struct model_err *err, char *text, size_t bytes);

#endif
