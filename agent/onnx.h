/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ONNX files (the public ONNX IR, read with protobuf-c by agent/onnx.proto) of one kind: a chain of linear layers with ReLU or hard sigmoid
 * between them, one input row of FEATURE_NR normalised features, one output. docs/models.md says what is taken and what is refused.
 */
#ifndef PINTLE_AGENT_ONNX_H
#define PINTLE_AGENT_ONNX_H

#include <stddef.h>

#include "agent/err.h"
#include "agent/floatnet.h"

#define ONNX_MAX_BYTES (1u << 20)   /* of a file; four layers of 64 are 66 KiB */
#define ONNX_MAX_MEMORY (32u << 20) /* that its messages may take */
#define ONNX_MAX_NODES 64
#define ONNX_MAX_TENSORS 64
#define ONNX_MIN_OPSET 7 /* Gemm and Add broadcast as now since then */
#define ONNX_MAX_WEIGHT 1e6

/* *ret is whole or untouched. -EINVAL with what in the file is refused and how to export it otherwise; -E2BIG; -ENOMEM. Any bytes are legal. */
int onnx__parse(const void *data, size_t bytes, struct float_net *ret, struct pintle_err *err);

/* The bytes of a file for any runtime, the caller's to free. -ENOMEM. */
int onnx__write(const struct float_net *net, void **ret_data, size_t *ret_bytes);

#endif
