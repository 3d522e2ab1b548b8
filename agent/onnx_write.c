/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/onnx.h"
#include "agent/onnx_tensor.h"

#define IR_VERSION 8 /* ONNX 1.10 and later */
#define OPSET 17
#define NAME_BYTES 24

/* Everything that one layer's messages are made of. The float values are little-endian bytes. */
struct layer_messages {
	char weights_name[NAME_BYTES], bias_name[NAME_BYTES], linear_name[NAME_BYTES], output_name[NAME_BYTES];
	int64_t weight_dims[2], bias_dims[1];
	uint8_t weights[MLP_MAX_WIDTH * MLP_MAX_WIDTH * 4], bias[MLP_MAX_WIDTH * 4];
	Onnx__Tensor tensors[2];
	Onnx__Attribute attributes[3];
	Onnx__Attribute *attribute_list[3];
	char *gemm_inputs[3], *gemm_outputs[1], *activation_inputs[1], *activation_outputs[1];
	Onnx__Node nodes[2];
};

struct messages {
	struct layer_messages layers[MLP_MAX_LAYERS];
	Onnx__Node *nodes[2 * MLP_MAX_LAYERS];
	Onnx__Tensor *tensors[2 * MLP_MAX_LAYERS];
	Onnx__Dimension dims[2][2];
	Onnx__Dimension *dim_list[2][2];
	Onnx__Shape shapes[2];
	Onnx__TensorType tensor_types[2];
	Onnx__Type types[2];
	Onnx__Value values[2];
	Onnx__Value *value_list[2];
	Onnx__OperatorSet opset;
	Onnx__OperatorSet *opset_list[1];
	Onnx__Graph graph;
	Onnx__Model model;
};

static void put_floats(uint8_t *out, const double *values, uint32_t nr)
{
	for (uint32_t i = 0; i < nr; i++) {
		float value = (float)values[i];
		uint32_t bits;

		memcpy(&bits, &value, sizeof(bits));
		for (int k = 0; k < 4; k++)
			out[i * 4 + (uint32_t)k] = (uint8_t)(bits >> 8 * k);
	}
}

static void make_tensor(Onnx__Tensor *t, char *name, int64_t *dims, size_t nr_dims, uint8_t *data, size_t nr)
{
	onnx__tensor__init(t);
	t->name = name;
	t->dims = dims;
	t->n_dims = nr_dims;
	t->data_type = ONNX_FLOAT;
	t->raw_data.data = data;
	t->raw_data.len = nr * 4;
}

static void make_attribute(Onnx__Attribute *a, const char *name, bool is_float, double value)
{
	onnx__attribute__init(a);
	a->name = (char *)(uintptr_t)name;
	a->type = is_float ? ONNX_TYPE_F : ONNX_TYPE_I;
	a->value_case = is_float ? ONNX__ATTRIBUTE__VALUE_F : ONNX__ATTRIBUTE__VALUE_I;
	if (is_float)
		a->f = (float)value;
	else
		a->i = (int64_t)value;
}

static void make_node(Onnx__Node *n, const char *op_type, char *name, char **inputs, size_t nr_inputs, char **outputs)
{
	onnx__node__init(n);
	n->op_type = (char *)(uintptr_t)op_type;
	n->name = name;
	n->input = inputs;
	n->n_input = nr_inputs;
	n->output = outputs;
	n->n_output = 1;
}

/* Adds the nodes of layer `number`, which takes the value named `input`. Returns the name of what it gives. */
static char *make_layer(struct messages *m, uint32_t number, const struct float_layer *l, char *input, bool is_last)
{
	struct layer_messages *x = &m->layers[number];
	bool is_relu = l->activation == MLP_RELU;
	Onnx__Graph *g = &m->graph;

	snprintf(x->weights_name, NAME_BYTES, "weights%u", number);
	snprintf(x->bias_name, NAME_BYTES, "bias%u", number);
	snprintf(x->linear_name, NAME_BYTES, "linear%u", number);
	snprintf(x->output_name, NAME_BYTES, is_last ? "octaves" : "hidden%u", number);
	x->weight_dims[0] = l->nr_out;
	x->weight_dims[1] = l->nr_in;
	x->bias_dims[0] = l->nr_out;
	put_floats(x->weights, l->weights, l->nr_out * l->nr_in);
	put_floats(x->bias, l->bias, l->nr_out);
	make_tensor(&x->tensors[0], x->weights_name, x->weight_dims, 2, x->weights, (size_t)l->nr_out * l->nr_in);
	make_tensor(&x->tensors[1], x->bias_name, x->bias_dims, 1, x->bias, l->nr_out);
	m->tensors[g->n_initializer++] = &x->tensors[0];
	m->tensors[g->n_initializer++] = &x->tensors[1];

	x->gemm_inputs[0] = input;
	x->gemm_inputs[1] = x->weights_name;
	x->gemm_inputs[2] = x->bias_name;
	x->gemm_outputs[0] = is_last ? x->output_name : x->linear_name;
	make_node(&x->nodes[0], "Gemm", x->gemm_outputs[0], x->gemm_inputs, 3, x->gemm_outputs);
	for (int i = 0; i < 3; i++)
		x->attribute_list[i] = &x->attributes[i];
	make_attribute(&x->attributes[0], "transB", false, 1);
	x->nodes[0].attribute = x->attribute_list;
	x->nodes[0].n_attribute = 1;
	m->nodes[g->n_node++] = &x->nodes[0];
	if (is_last)
		return x->output_name;

	x->activation_inputs[0] = x->linear_name;
	x->activation_outputs[0] = x->output_name;
	make_node(&x->nodes[1], is_relu ? "Relu" : "HardSigmoid", x->output_name, x->activation_inputs, 1,
		  x->activation_outputs);
	make_attribute(&x->attributes[1], "alpha", true, l->slope);
	make_attribute(&x->attributes[2], "beta", true, l->offset);
	x->nodes[1].attribute = &x->attribute_list[1];
	x->nodes[1].n_attribute = is_relu ? 0 : 2;
	m->nodes[g->n_node++] = &x->nodes[1];
	return x->output_name;
}

/* Input 0 or output 1: a matrix of floats of any number of rows. */
static void make_value(struct messages *m, int i, const char *name, uint32_t width)
{
	onnx__dimension__init(&m->dims[i][0]);
	m->dims[i][0].value_case = ONNX__DIMENSION__VALUE_DIM_PARAM;
	m->dims[i][0].dim_param = (char *)(uintptr_t) "batch";
	onnx__dimension__init(&m->dims[i][1]);
	m->dims[i][1].value_case = ONNX__DIMENSION__VALUE_DIM_VALUE;
	m->dims[i][1].dim_value = width;
	m->dim_list[i][0] = &m->dims[i][0];
	m->dim_list[i][1] = &m->dims[i][1];
	onnx__shape__init(&m->shapes[i]);
	m->shapes[i].dim = m->dim_list[i];
	m->shapes[i].n_dim = 2;
	onnx__tensor_type__init(&m->tensor_types[i]);
	m->tensor_types[i].elem_type = ONNX_FLOAT;
	m->tensor_types[i].shape = &m->shapes[i];
	onnx__type__init(&m->types[i]);
	m->types[i].tensor_type = &m->tensor_types[i];
	onnx__value__init(&m->values[i]);
	m->values[i].name = (char *)(uintptr_t)name;
	m->values[i].type = &m->types[i];
	m->value_list[i] = &m->values[i];
}

static void make_model(struct messages *m)
{
	onnx__operator_set__init(&m->opset);
	m->opset.version = OPSET;
	m->opset_list[0] = &m->opset;
	onnx__model__init(&m->model);
	m->model.ir_version = IR_VERSION;
	m->model.producer_name = (char *)(uintptr_t) "pintle";
	m->model.graph = &m->graph;
	m->model.opset_import = m->opset_list;
	m->model.n_opset_import = 1;
}

int onnx__write(const struct float_net *net, void **ret_data, size_t *ret_bytes)
{
	struct messages *m = calloc(1, sizeof(*m));
	char *at = (char *)(uintptr_t) "features";
	size_t bytes;
	void *data;

	if (!m)
		return -ENOMEM;
	onnx__graph__init(&m->graph);
	m->graph.name = (char *)(uintptr_t) "pintle";
	m->graph.node = m->nodes;
	m->graph.initializer = m->tensors;
	for (uint32_t i = 0; i < net->nr_layers; i++)
		at = make_layer(m, i, &net->layers[i], at, i + 1 == net->nr_layers);
	make_value(m, 0, "features", net->layers[0].nr_in);
	make_value(m, 1, at, net->layers[net->nr_layers - 1].nr_out);
	m->graph.input = &m->value_list[0];
	m->graph.n_input = 1;
	m->graph.output = &m->value_list[1];
	m->graph.n_output = 1;
	make_model(m);
	bytes = onnx__model__get_packed_size(&m->model);
	data = malloc(bytes);
	if (data) {
		*ret_bytes = onnx__model__pack(&m->model, data);
		*ret_data = data;
	}
	free(m);
	return data ? 0 : -ENOMEM;
}
