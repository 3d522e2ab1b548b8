/* SPDX-License-Identifier: BSD-2-Clause */
/* Numbers of an ONNX file, for agent/onnx*.c. */
#ifndef PINTLE_AGENT_ONNX_TENSOR_H
#define PINTLE_AGENT_ONNX_TENSOR_H

#include <stdint.h>

#include "agent/err.h"
#include "onnx.pb-c.h"
#include "policy/mlp.h"

#define ONNX_FLOAT 1
#define ONNX_TYPE_F 1
#define ONNX_TYPE_I 2
#define ONNX_TYPE_T 4

/* How much of a name is quoted. */
#define ONNX_NAME "%.48s"

/* A matrix (rows, columns) or a vector (rows = 1), in double, finite and of sensible size. */
struct onnx_matrix {
	uint32_t rows, columns, nr_dims;
	double values[MLP_MAX_WIDTH * MLP_MAX_WIDTH];
};

/* `name`: for messages. -EINVAL. */
int onnx_tensor__read(const Onnx__Tensor *t, const char *name, struct onnx_matrix *ret, struct pintle_err *err);

#endif
