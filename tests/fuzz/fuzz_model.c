/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any bytes as a model file, as they are and with size and checksum made right, so that every field is reached. What is taken must be safe to run,
 * give the same on every path, and come out as the same bytes.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "agent/modelfile.h"
#include "policy/crc32c.h"
#include "policy/model.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void put(uint8_t *at, uint32_t value)
{
	for (int i = 0; i < 4; i++)
		at[i] = (uint8_t)(value >> 8 * i);
}

/* Golden outputs are what a fuzzer never guesses: they are made right too. */
static void make_golden(uint8_t *data, size_t bytes)
{
	struct model m = { 0 };
	struct model_err err;
	size_t nr = data[18] | (size_t)data[19] << 8, each = FEATURE_NR + 4;

	for (size_t i = 0; i < nr && i < MODEL_MAX_GOLDEN && (nr - i) * each + 4 <= bytes - 24; i++) {
		uint8_t *vector = &data[bytes - 4 - (nr - i) * each];

		if (model__parse(data, bytes, MLP_SCALAR, &m, &err) != MODEL_BAD_GOLDEN)
			return;
		put(&vector[FEATURE_NR], (uint32_t)(int32_t)err.value);
		put(&data[bytes - 4], crc32c(0, data, bytes - 4));
	}
}

static void run(const uint8_t *data, size_t bytes)
{
	static uint8_t again[MODEL_MAX_BYTES];
	enum mlp_path path = mlp__best_path(modelfile__cpu_features());
	struct model m;
	struct model_err err;
	char text[MODEL_ERR_BYTES];
	size_t nr;

	if (model__parse(data, bytes, path, &m, &err) != MODEL_OK) {
		model_err__text(&err, text, sizeof(text));
		if (!memchr(text, 0, sizeof(text)) || !text[0])
			abort();
		return;
	}
	if (mlp__check(&m.mlp, NULL) != MLP_OK || model__compare_paths(&m, path) >= 0)
		abort();
	if (model__write(&m, again, sizeof(again), &nr, &err) != MODEL_OK || nr != bytes || memcmp(again, data, nr) != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	uint8_t *copy;

	run(data, bytes);
	if (bytes < 28 || bytes > MODEL_MAX_BYTES)
		return 0;
	copy = malloc(bytes);
	if (!copy)
		return 0;
	memcpy(copy, data, bytes);
	put(&copy[12], (uint32_t)bytes);
	put(&copy[bytes - 4], crc32c(0, copy, bytes - 4));
	run(copy, bytes);
	make_golden(copy, bytes);
	run(copy, bytes);
	free(copy);
	return 0;
}
