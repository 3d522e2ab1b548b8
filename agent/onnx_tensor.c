/* SPDX-License-Identifier: BSD-2-Clause */
#include "agent/onnx_tensor.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "agent/onnx.h"

static int read_dims(const Onnx__Tensor *t, const char *name, struct onnx_matrix *ret, struct pintle_err *err)
{
	uint32_t sizes[2] = { 1, 1 };

	if (t->n_dims > 2)
		return pintle_err__set(err, -EINVAL, "tensor " ONNX_NAME ": has %zu dimensions; weights have 2, biases 1", name,
				       t->n_dims);
	for (size_t i = 0; i < t->n_dims; i++) {
		if (t->dims[i] < 1 || t->dims[i] > MLP_MAX_WIDTH)
			return pintle_err__set(err, -EINVAL,
					       "tensor " ONNX_NAME ": a dimension is %" PRId64
					       "; layers have 1..%d inputs and outputs",
					       name, t->dims[i], MLP_MAX_WIDTH);
		sizes[2 - t->n_dims + i] = (uint32_t)t->dims[i];
	}
	ret->rows = sizes[0];
	ret->columns = sizes[1];
	ret->nr_dims = (uint32_t)t->n_dims;
	return 0;
}

static float from_little_endian(const uint8_t *p)
{
	uint32_t bits = (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
	float value;

	memcpy(&value, &bits, sizeof(value));
	return value;
}

int onnx_tensor__read(const Onnx__Tensor *t, const char *name, struct onnx_matrix *ret, struct pintle_err *err)
{
	size_t nr;
	int error;

	if (t->data_location || t->n_external_data)
		return pintle_err__set(err, -EINVAL,
				       "tensor " ONNX_NAME ": its values are in another file; export with the weights inside "
				       "(external_data=False)",
				       name);
	if (t->data_type != ONNX_FLOAT)
		return pintle_err__set(err, -EINVAL,
				       "tensor " ONNX_NAME
				       ": is of type %d; only 32-bit floats (1) are read: export the model as "
				       "float32",
				       name, t->data_type);
	error = read_dims(t, name, ret, err);
	if (error)
		return error;
	nr = (size_t)ret->rows * ret->columns;
	if (t->raw_data.len && t->n_float_data)
		return pintle_err__set(err, -EINVAL, "tensor " ONNX_NAME ": has its values twice", name);
	if (t->raw_data.len ? t->raw_data.len != nr * 4 : t->n_float_data != nr)
		return pintle_err__set(err, -EINVAL, "tensor " ONNX_NAME ": has %zu values, its dimensions say %zu", name,
				       t->raw_data.len ? t->raw_data.len / 4 : t->n_float_data, nr);
	for (size_t i = 0; i < nr; i++) {
		double value = t->raw_data.len ? from_little_endian(&t->raw_data.data[i * 4]) : t->float_data[i];

		if (!(fabs(value) <= ONNX_MAX_WEIGHT))
			return pintle_err__set(err, -EINVAL,
					       "tensor " ONNX_NAME
					       ": value %zu is %g; weights are within +-%g: the training did not "
					       "converge, or the features are not normalised",
					       name, i, value, ONNX_MAX_WEIGHT);
		ret->values[i] = value;
	}
	return 0;
}
