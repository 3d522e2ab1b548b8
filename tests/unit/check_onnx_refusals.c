/* SPDX-License-Identifier: BSD-2-Clause */
/* ONNX files of other kinds than are taken: refused, with a message that names the thing. */
#include <check.h>
#include <errno.h>
#include <math.h>
#include <string.h>

#include "tests/unit/onnx_fixture.h"

/* Each spoils mlp-12-16-8-1: nodes Gemm, Relu, Gemm, Relu, Gemm. */
static void op_sigmoid(Onnx__Model *m)
{
	m->graph->node[1]->op_type = "Sigmoid";
}
static void op_conv(Onnx__Model *m)
{
	m->graph->node[0]->op_type = "Conv";
}
static void op_domain(Onnx__Model *m)
{
	m->graph->node[0]->domain = "com.example";
}
static void trans_a(Onnx__Model *m)
{
	m->graph->node[0]->attribute[2]->name = "transA";
}
static void alpha_nan(Onnx__Model *m)
{
	m->graph->node[0]->attribute[0]->f = NAN;
}
static void alpha_int(Onnx__Model *m)
{
	m->graph->node[0]->attribute[0]->value_case = ONNX__ATTRIBUTE__VALUE_I;
}
static void attribute_unknown(Onnx__Model *m)
{
	m->graph->node[0]->attribute[0]->name = "gamma";
}
static void tensor_double(Onnx__Model *m)
{
	m->graph->initializer[0]->data_type = 11;
}
static void tensor_external(Onnx__Model *m)
{
	m->graph->initializer[0]->data_location = 1;
}
static void tensor_wide(Onnx__Model *m)
{
	m->graph->initializer[0]->dims[0] = 65;
}
static void tensor_negative(Onnx__Model *m)
{
	m->graph->initializer[0]->dims[0] = INT64_MIN;
}
static void tensor_3d(Onnx__Model *m)
{
	static int64_t dims[3] = { 1, 16, 12 };

	m->graph->initializer[0]->dims = dims;
	m->graph->initializer[0]->n_dims = 3;
}
static void tensor_short(Onnx__Model *m)
{
	m->graph->initializer[0]->raw_data.len -= 4;
}
static void tensor_odd(Onnx__Model *m)
{
	m->graph->initializer[0]->raw_data.len -= 1;
}
static void tensor_infinite(Onnx__Model *m)
{
	memcpy(&m->graph->initializer[0]->raw_data.data[8], &(const float){ INFINITY }, 4);
}
static void tensor_huge(Onnx__Model *m)
{
	memcpy(&m->graph->initializer[0]->raw_data.data[8], &(const float){ 2e6f }, 4);
}
static void bias_length(Onnx__Model *m)
{
	m->graph->initializer[1]->dims[0] = 15;
	m->graph->initializer[1]->raw_data.len -= 4;
}
static void weights_vector(Onnx__Model *m)
{
	m->graph->node[0]->input[1] = m->graph->node[0]->input[2];
}
static void weights_computed(Onnx__Model *m)
{
	m->graph->node[0]->input[1] = m->graph->node[0]->input[0];
}
static void no_nodes(Onnx__Model *m)
{
	m->graph->n_node = 0;
}
static void no_graph(Onnx__Model *m)
{
	m->graph = NULL;
}
static void no_input(Onnx__Model *m)
{
	m->graph->n_input = 0;
}
static void no_output(Onnx__Model *m)
{
	m->graph->n_output = 0;
}
static void two_inputs(Onnx__Model *m)
{
	static Onnx__Value value = ONNX__VALUE__INIT;
	static Onnx__Value *inputs[2];

	value.name = "mask";
	inputs[0] = m->graph->input[0];
	inputs[1] = &value;
	m->graph->input = inputs;
	m->graph->n_input = 2;
}
static void input_wide(Onnx__Model *m)
{
	m->graph->input[0]->type->tensor_type->shape->dim[1]->dim_value = 13;
}
static void first_layer_narrow(Onnx__Model *m)
{
	/* 12 x 16 read the other way */
	m->graph->node[0]->attribute[2]->i = 0;
}
static void two_linear(Onnx__Model *m)
{
	m->graph->node[2]->input[0] = m->graph->node[0]->output[0];
	m->graph->node[1] = m->graph->node[2];
	m->graph->node[2] = m->graph->node[4];
	m->graph->n_node = 3;
}
static void ends_active(Onnx__Model *m)
{
	m->graph->n_node = 4;
	m->graph->output[0]->name = m->graph->node[3]->output[0];
}
static void eight_outputs(Onnx__Model *m)
{
	m->graph->n_node = 3;
	m->graph->output[0]->name = m->graph->node[2]->output[0];
}
static void chain_broken(Onnx__Model *m)
{
	m->graph->node[2]->input[0] = "nowhere";
}
static void two_activations(Onnx__Model *m)
{
	static Onnx__Node second;

	second = *m->graph->node[1];
	second.input = m->graph->node[1]->output;
	m->graph->node[2] = &second;
}
static void activation_first(Onnx__Model *m)
{
	m->graph->node[0] = m->graph->node[1];
	m->graph->node[0]->input[0] = m->graph->input[0]->name;
}
static void node_without_output(Onnx__Model *m)
{
	m->graph->node[1]->n_output = 0;
}
static void old_opset(Onnx__Model *m)
{
	m->opset_import[0]->version = 6;
}
static void functions(Onnx__Model *m)
{
	static ProtobufCBinaryData function = { 1, (uint8_t *)"x" };

	m->functions = &function;
	m->n_functions = 1;
}
static void sparse(Onnx__Model *m)
{
	static ProtobufCBinaryData tensor = { 1, (uint8_t *)"x" };

	m->graph->sparse_initializer = &tensor;
	m->graph->n_sparse_initializer = 1;
}
static void many_nodes(Onnx__Model *m)
{
	static Onnx__Node *nodes[ONNX_MAX_NODES + 1];

	for (int i = 0; i <= ONNX_MAX_NODES; i++)
		nodes[i] = m->graph->node[0];
	m->graph->node = nodes;
	m->graph->n_node = ONNX_MAX_NODES + 1;
}
static void flatten_axis(Onnx__Model *m)
{
	m->graph->node[1]->op_type = "Flatten";
	m->graph->node[1]->attribute = &m->graph->node[0]->attribute[2];
	m->graph->node[1]->n_attribute = 1;
	m->graph->node[0]->attribute[2]->name = "axis";
	m->graph->node[0]->n_attribute = 2;
	m->graph->node[1]->attribute[0]->i = 0;
	m->graph->node[0] = m->graph->node[1];
	m->graph->node[0]->input[0] = m->graph->input[0]->name;
}

static const struct {
	void (*spoil)(Onnx__Model *m);
	int code;
	const char *says;
} refusals[] = {
	{ op_sigmoid, -EINVAL, "(Sigmoid): is not taken; train with ReLU or Hardsigmoid" },
	{ op_conv, -EINVAL, "(Conv): is not taken; there may be Gemm" },
	{ op_domain, -EINVAL, "another domain" },
	{ trans_a, -EINVAL, "transA is set" },
	{ alpha_nan, -EINVAL, "not a number" },
	{ alpha_int, -EINVAL, "another type" },
	{ attribute_unknown, -EINVAL, "not known" },
	{ tensor_double, -EINVAL, "layers.0.weight: is of type 11" },
	{ tensor_external, -EINVAL, "external_data=False" },
	{ tensor_wide, -EINVAL, "a dimension is 65; layers have 1..64" },
	{ tensor_negative, -EINVAL, "a dimension is -9223372036854775808" },
	{ tensor_3d, -EINVAL, "has 3 dimensions" },
	{ tensor_short, -EINVAL, "has 191 values, its dimensions say 192" },
	{ tensor_odd, -EINVAL, "its dimensions say 192" },
	{ tensor_infinite, -EINVAL, "value 2 is inf" },
	{ tensor_huge, -EINVAL, "value 2 is 2e+06; weights are within" },
	{ bias_length, -EINVAL, "one value for each output" },
	{ weights_vector, -EINVAL, "no matrix" },
	{ weights_computed, -EINVAL, "takes features, which is no constant" },
	{ no_nodes, -EINVAL, "is not what the last layer gives" },
	{ no_graph, -EINVAL, "no graph" },
	{ no_input, -EINVAL, "one input" },
	{ no_output, -EINVAL, "one output" },
	{ two_inputs, -EINVAL, "inputs features and mask" },
	{ input_wide, -EINVAL, "input features has 13 values; it must be 12" },
	{ first_layer_narrow, -EINVAL, "takes 16 inputs, it must be 12" },
	{ two_linear, -EINVAL, "without an activation between" },
	{ ends_active, -EINVAL, "ends with an activation" },
	{ eight_outputs, -EINVAL, "has 8 outputs" },
	{ chain_broken, -EINVAL, "must take the row before it" },
	{ two_activations, -EINVAL, "must follow a linear layer" },
	{ activation_first, -EINVAL, "must follow a linear layer" },
	{ node_without_output, -EINVAL, "does not have one output" },
	{ old_opset, -EINVAL, "operator set 6; export with 7 or later" },
	{ functions, -EINVAL, "functions of its own" },
	{ sparse, -EINVAL, "sparse weights" },
	{ many_nodes, -E2BIG, "65 nodes" },
	{ flatten_axis, -EINVAL, "axis must be 1" },
};

START_TEST(refused_by_name)
	{
		Onnx__Model *m = read_model("mlp-12-16-8-1");
		struct pintle_err err = { 0 };

		refusals[_i].spoil(m);
		ck_assert_int_eq(parse_model(m, &err), refusals[_i].code);
		ck_assert_msg(strstr(err.msg, refusals[_i].says), "\"%s\" does not say \"%s\"", err.msg, refusals[_i].says);
	}
END_TEST

START_TEST(hard_sigmoid_is_bounded)
	{
		static const struct {
			float alpha, beta;
			int code;
		} cases[] = { { 1, 0, 0 },	  { 1000, -1000, 0 },	 { 0.0005f, 0.5f, -EINVAL }, { 0, 0.5f, -EINVAL },
			      { -1, 0, -EINVAL }, { 1, -1001, -EINVAL }, { 1001, 0, -EINVAL },	     { NAN, 0, -EINVAL } };

		for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
			Onnx__Model *m = read_model("hardsigmoid-12-20-1");
			Onnx__Attribute beta = ONNX__ATTRIBUTE__INIT,
					*attributes[2] = { m->graph->node[1]->attribute[0], &beta };
			struct pintle_err err = { 0 };

			beta.name = "beta";
			beta.value_case = ONNX__ATTRIBUTE__VALUE_F;
			beta.f = cases[i].beta;
			attributes[0]->f = cases[i].alpha;
			m->graph->node[1]->attribute = attributes;
			m->graph->node[1]->n_attribute = 2;
			ck_assert_int_eq(parse_model(m, &err), cases[i].code);
		}
	}
END_TEST

int main(void)
{
	Suite *suite = suite_create("onnx_refusals");
	TCase *tcase = tcase_create("refusals");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(tcase, refused_by_name, 0, (int)(sizeof(refusals) / sizeof(refusals[0])));
	tcase_add_test(tcase, hard_sigmoid_is_bounded);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
