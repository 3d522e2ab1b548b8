/* SPDX-License-Identifier: BSD-2-Clause */
#include "agent/modelfile.h"

#include <errno.h>
#include <stdlib.h>

#include "agent/wholefile.h"
#include "default_model.h" /* made by the build: default_model[] if HAS_DEFAULT_MODEL */

uint32_t modelfile__cpu_features(void)
{
#if defined(__x86_64__)
	if (__builtin_cpu_supports("avx2")) /* asks the kernel too: XGETBV */
		return MLP_CPU_AVX2;
#endif
	return 0;
}

static int parse(const char *name, const void *data, size_t bytes, struct model *ret, struct pintle_err *err)
{
	char text[MODEL_ERR_BYTES];
	struct model_err fault;

	if (model__parse(data, bytes, mlp__best_path(modelfile__cpu_features()), ret, &fault) == MODEL_OK)
		return 0;
	model_err__text(&fault, text, sizeof(text));
	return pintle_err__set(err, -EINVAL, "%s: %s", name, text);
}

int modelfile__read(const char *path, struct model *ret, struct pintle_err *err)
{
	size_t bytes;
	char *data;
	int error = wholefile__read(path, MODEL_MAX_BYTES, &data, &bytes, err);

	if (error)
		return error;
	error = parse(path, data, bytes, ret, err);
	free(data);
	return error;
}

int modelfile__write(const char *path, const struct model *m, struct pintle_err *err)
{
	uint8_t data[MODEL_MAX_BYTES];
	char text[MODEL_ERR_BYTES];
	struct model_err fault;
	size_t bytes;

	if (model__write(m, data, sizeof(data), &bytes, &fault) != MODEL_OK) {
		model_err__text(&fault, text, sizeof(text));
		return pintle_err__set(err, -EINVAL, "%s: not written: %s", path, text);
	}
	return wholefile__replace(path, data, bytes, err);
}

int modelfile__embedded(struct model *ret, struct pintle_err *err)
{
#ifdef HAS_DEFAULT_MODEL
	return parse("the default model of this program", default_model, sizeof(default_model), ret, err);
#else
	(void)ret;
	return pintle_err__set(err, -ENOENT, "this program was built without a default model; name a file");
#endif
}
