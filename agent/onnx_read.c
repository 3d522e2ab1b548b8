/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "agent/onnx.h"
#include "agent/onnx_tensor.h"
#include "policy/feature.h"

/* Where the walk along the chain is. */
struct chain {
	const Onnx__Graph *graph;
	const char *at; /* name of the value that the next node must take */
	bool is_linear; /* a linear layer is open: Add and an activation may follow */
	struct float_net *net;
	struct onnx_matrix matrix; /* scratch: 32 KiB */
	struct pintle_err *err;
};

/* ---- memory: what a file's messages take is bounded ---- */

struct budget {
	size_t left;
};

static void *budget__alloc(void *data, size_t bytes)
{
	struct budget *b = data;

	if (bytes > b->left)
		return NULL;
	b->left -= bytes;
	return malloc(bytes);
}

static void budget__free(void *data, void *memory)
{
	(void)data;
	free(memory);
}

/* ---- finding things ---- */

static const Onnx__Tensor *find_tensor(const Onnx__Graph *g, const char *name)
{
	for (size_t i = 0; i < g->n_initializer; i++) {
		if (!strcmp(g->initializer[i]->name, name))
			return g->initializer[i];
	}
	for (size_t i = 0; i < g->n_node; i++) {
		const Onnx__Node *n = g->node[i];

		if (strcmp(n->op_type, "Constant") != 0 || n->n_output != 1 || strcmp(n->output[0], name) != 0 ||
		    n->n_attribute != 1)
			continue;
		if (n->attribute[0]->value_case == ONNX__ATTRIBUTE__VALUE_T)
			return n->attribute[0]->t;
	}
	return NULL;
}

static int refuse(const struct chain *c, const Onnx__Node *n, const char *why)
{
	return pintle_err__set(c->err, -EINVAL, "node " ONNX_NAME " (" ONNX_NAME "): %s", n->name[0] ? n->name : n->output[0],
			       n->op_type, why);
}

static int load(struct chain *c, const Onnx__Node *n, const char *name)
{
	const Onnx__Tensor *t = find_tensor(c->graph, name);

	if (!t)
		return pintle_err__set(c->err, -EINVAL,
				       "node " ONNX_NAME " (" ONNX_NAME "): takes " ONNX_NAME
				       ", which is no constant; only plain chains of layers "
				       "are taken: export with constants folded",
				       n->name[0] ? n->name : n->output[0], n->op_type, name);
	return onnx_tensor__read(t, name, &c->matrix, c->err);
}

/* An attribute of the node, or `value` if it has none. `type`: ONNX_TYPE_F or _I. */
static int attribute(const struct chain *c, const Onnx__Node *n, const char *name, int type, double *value)
{
	for (size_t i = 0; i < n->n_attribute; i++) {
		const Onnx__Attribute *a = n->attribute[i];

		if (strcmp(a->name, name) != 0)
			continue;
		if (type == ONNX_TYPE_F && a->value_case == ONNX__ATTRIBUTE__VALUE_F)
			*value = a->f;
		else if (type == ONNX_TYPE_I && a->value_case == ONNX__ATTRIBUTE__VALUE_I)
			*value = (double)a->i;
		else
			return refuse(c, n, "an attribute has another type than it should");
	}
	return isfinite(*value) ? 0 : refuse(c, n, "an attribute is not a number");
}

/* ---- nodes ---- */

/* Opens a layer whose weights are in c->matrix, as [in][out] or transposed. */
static int open_layer(struct chain *c, const Onnx__Node *n, bool is_transposed, double factor)
{
	const struct onnx_matrix *m = &c->matrix;
	struct float_net *net = c->net;
	uint32_t nr_in = is_transposed ? m->columns : m->rows, nr_out = is_transposed ? m->rows : m->columns;
	uint32_t want = net->nr_layers ? net->layers[net->nr_layers - 1].nr_out : FEATURE_NR;
	struct float_layer *l;

	if (m->nr_dims != 2)
		return refuse(c, n, "its weights are no matrix");
	if (c->is_linear)
		return refuse(c, n, "two linear layers without an activation between them: make them one");
	if (net->nr_layers == MLP_MAX_LAYERS)
		return refuse(c, n, "more than 4 linear layers");
	if (nr_in != want)
		return pintle_err__set(c->err, -EINVAL, "node " ONNX_NAME " (" ONNX_NAME "): takes %u inputs, it must be %u%s",
				       n->name[0] ? n->name : n->output[0], n->op_type, nr_in, want,
				       net->nr_layers ? ""
						      : ": the normalised features of this version, in order (docs/models.md)");
	l = &net->layers[net->nr_layers++];
	*l = (struct float_layer){ .nr_in = nr_in, .nr_out = nr_out, .activation = MLP_LINEAR };
	for (uint32_t o = 0; o < nr_out; o++) {
		for (uint32_t i = 0; i < nr_in; i++)
			l->weights[o * nr_in + i] = factor * m->values[is_transposed ? o * nr_in + i : i * nr_out + o];
	}
	c->is_linear = true;
	return 0;
}

/* Adds c->matrix to the bias of the open layer: one value for each output, or one for all. */
static int add_bias(struct chain *c, const Onnx__Node *n, double factor)
{
	const struct onnx_matrix *m = &c->matrix;
	struct float_layer *l = &c->net->layers[c->net->nr_layers - 1];

	if (m->rows != 1 || (m->columns != 1 && m->columns != l->nr_out))
		return refuse(c, n, "its bias does not have one value for each output");
	for (uint32_t o = 0; o < l->nr_out; o++)
		l->bias[o] += factor * m->values[m->columns == 1 ? 0 : o];
	return 0;
}

static int take_gemm(struct chain *c, const Onnx__Node *n)
{
	double alpha = 1, beta = 1, trans_a = 0, trans_b = 0;
	int error = attribute(c, n, "alpha", ONNX_TYPE_F, &alpha);

	error = error ? error : attribute(c, n, "beta", ONNX_TYPE_F, &beta);
	error = error ? error : attribute(c, n, "transA", ONNX_TYPE_I, &trans_a);
	error = error ? error : attribute(c, n, "transB", ONNX_TYPE_I, &trans_b);
	if (error)
		return error;
	if (n->n_input < 2 || n->n_input > 3 || strcmp(n->input[0], c->at) != 0)
		return refuse(c, n, "must take the row before it, weights and a bias");
	if (trans_a != 0)
		return refuse(c, n, "transA is set: features are a row, not a column");
	error = load(c, n, n->input[1]);
	error = error ? error : open_layer(c, n, trans_b != 0, alpha);
	if (error || n->n_input < 3 || !n->input[2][0])
		return error;
	error = load(c, n, n->input[2]);
	return error ? error : add_bias(c, n, beta);
}

static int take_matmul(struct chain *c, const Onnx__Node *n)
{
	int error;

	if (n->n_input != 2 || strcmp(n->input[0], c->at) != 0)
		return refuse(c, n, "must be the row before it times weights");
	error = load(c, n, n->input[1]);
	return error ? error : open_layer(c, n, false, 1);
}

static int take_add(struct chain *c, const Onnx__Node *n)
{
	bool is_second;
	int error;

	if (n->n_input != 2 || !c->is_linear)
		return refuse(c, n, "only a bias right after a linear layer is taken");
	is_second = !strcmp(n->input[1], c->at);
	if (!is_second && strcmp(n->input[0], c->at) != 0)
		return refuse(c, n, "does not continue the chain of layers");
	error = load(c, n, n->input[is_second ? 0 : 1]);
	return error ? error : add_bias(c, n, 1);
}

static int take_activation(struct chain *c, const Onnx__Node *n)
{
	struct float_layer *l;
	double alpha = (double)0.2f, beta = 0.5;
	int error;

	if (n->n_input != 1 || strcmp(n->input[0], c->at) != 0)
		return refuse(c, n, "does not continue the chain of layers");
	if (!c->is_linear)
		return refuse(c, n, "an activation must follow a linear layer");
	l = &c->net->layers[c->net->nr_layers - 1];
	c->is_linear = false;
	l->activation = MLP_RELU;
	if (!strcmp(n->op_type, "Relu"))
		return 0;
	l->activation = MLP_HARD_SIGMOID;
	error = attribute(c, n, "alpha", ONNX_TYPE_F, &alpha);
	error = error ? error : attribute(c, n, "beta", ONNX_TYPE_F, &beta);
	l->slope = alpha;
	l->offset = beta;
	if (!error && !(alpha >= 1e-3 && alpha <= 1e3 && fabs(beta) <= 1e3))
		return refuse(c, n, "alpha must be within 0.001..1000, beta within +-1000");
	return error;
}

static int take_nothing(struct chain *c, const Onnx__Node *n)
{
	double axis = 1;
	int error;

	if (n->n_input != 1 || strcmp(n->input[0], c->at) != 0)
		return refuse(c, n, "does not continue the chain of layers");
	if (strcmp(n->op_type, "Flatten") != 0)
		return 0;
	error = attribute(c, n, "axis", ONNX_TYPE_I, &axis);
	return error || axis == 1 || axis == -1 ? error : refuse(c, n, "axis must be 1: a row of features is flat already");
}

static const struct {
	const char *op_type;
	int (*take)(struct chain *c, const Onnx__Node *n);
} operators[] = {
	{ "Gemm", take_gemm },	      { "MatMul", take_matmul },	  { "Add", take_add },
	{ "Relu", take_activation },  { "HardSigmoid", take_activation }, { "Flatten", take_nothing },
	{ "Identity", take_nothing },
};

/* Only the attributes that are looked at: another one would change what the node does. */
static int check_attributes(const struct chain *c, const Onnx__Node *n)
{
	static const char *const known[] = { "alpha", "beta", "transA", "transB", "axis" };

	for (size_t i = 0; i < n->n_attribute; i++) {
		bool found = false;

		for (size_t k = 0; k < sizeof(known) / sizeof(known[0]); k++)
			found |= !strcmp(n->attribute[i]->name, known[k]);
		if (!found)
			return refuse(c, n, "has an attribute that is not known for it");
	}
	return 0;
}

static int take(struct chain *c, const Onnx__Node *n)
{
	size_t i;
	int error;

	if (n->n_output != 1 || !n->output[0][0])
		return pintle_err__set(c->err, -EINVAL, "a node (" ONNX_NAME ") does not have one output", n->op_type);
	if (!strcmp(n->op_type, "Constant"))
		return 0;
	if (n->domain[0] && strcmp(n->domain, "ai.onnx") != 0)
		return refuse(c, n, "is of another domain than ai.onnx: export with standard operators only");
	for (i = 0; i < sizeof(operators) / sizeof(operators[0]); i++) {
		if (!strcmp(n->op_type, operators[i].op_type))
			break;
	}
	if (i == sizeof(operators) / sizeof(operators[0]))
		return refuse(c, n,
			      !strcmp(n->op_type, "Sigmoid") || !strcmp(n->op_type, "Tanh")
				      ? "is not taken; train with ReLU or Hardsigmoid between the layers"
				      : "is not taken; there may be Gemm, MatMul, Add, Relu, HardSigmoid, Flatten, Identity");
	error = check_attributes(c, n);
	error = error ? error : operators[i].take(c, n);
	if (!error)
		c->at = n->output[0];
	return error;
}

/* ---- the whole ---- */

/* The one input that is no initializer (exporters used to list those too). */
static int find_input(struct chain *c)
{
	const Onnx__Graph *g = c->graph;
	const Onnx__Value *input = NULL;
	const Onnx__Shape *shape;

	for (size_t i = 0; i < g->n_input; i++) {
		if (find_tensor(g, g->input[i]->name))
			continue;
		if (input)
			return pintle_err__set(c->err, -EINVAL,
					       "has the inputs " ONNX_NAME " and " ONNX_NAME
					       "; there must be one: the features",
					       input->name, g->input[i]->name);
		input = g->input[i];
	}
	if (!input || g->n_output != 1)
		return pintle_err__set(c->err, -EINVAL, "must have one input (the features) and one output, it has %zu and %zu",
				       g->n_input, g->n_output);
	c->at = input->name;
	shape = input->type && input->type->tensor_type ? input->type->tensor_type->shape : NULL;
	if (shape && shape->n_dim) {
		const Onnx__Dimension *last = shape->dim[shape->n_dim - 1];

		if (last->value_case == ONNX__DIMENSION__VALUE_DIM_VALUE && last->dim_value != FEATURE_NR)
			return pintle_err__set(c->err, -EINVAL,
					       "input " ONNX_NAME " has %" PRId64
					       " values; it must be %d: the normalised features "
					       "of this version, in order (docs/models.md)",
					       input->name, last->dim_value, FEATURE_NR);
	}
	return 0;
}

static int check_model(const Onnx__Model *m, struct pintle_err *err)
{
	const Onnx__Graph *g = m->graph;

	if (!g)
		return pintle_err__set(err, -EINVAL, "is no ONNX model: it has no graph");
	if (m->n_functions)
		return pintle_err__set(err, -EINVAL, "has functions of its own; export with standard operators only");
	if (g->n_sparse_initializer)
		return pintle_err__set(err, -EINVAL, "has sparse weights; export them dense");
	if (g->n_node > ONNX_MAX_NODES || g->n_initializer > ONNX_MAX_TENSORS)
		return pintle_err__set(err, -E2BIG, "has %zu nodes and %zu tensors; at most %d and %d are read", g->n_node,
				       g->n_initializer, ONNX_MAX_NODES, ONNX_MAX_TENSORS);
	for (size_t i = 0; i < m->n_opset_import; i++) {
		const Onnx__OperatorSet *o = m->opset_import[i];

		if ((!o->domain[0] || !strcmp(o->domain, "ai.onnx")) && o->version < ONNX_MIN_OPSET)
			return pintle_err__set(err, -EINVAL, "is of operator set %" PRId64 "; export with %d or later",
					       o->version, ONNX_MIN_OPSET);
	}
	return 0;
}

static int walk(struct chain *c)
{
	const Onnx__Graph *g = c->graph;
	int error = find_input(c);

	for (size_t i = 0; !error && i < g->n_node; i++)
		error = take(c, g->node[i]);
	if (error)
		return error;
	if (strcmp(c->at, g->output[0]->name) != 0)
		return pintle_err__set(c->err, -EINVAL, "its output " ONNX_NAME " is not what the last layer gives",
				       g->output[0]->name);
	if (!c->net->nr_layers)
		return pintle_err__set(c->err, -EINVAL, "has no linear layer");
	if (!c->is_linear)
		return pintle_err__set(c->err, -EINVAL,
				       "ends with an activation; the last layer must be linear: its output is a correction in "
				       "octaves, of either sign");
	if (c->net->layers[c->net->nr_layers - 1].nr_out != 1)
		return pintle_err__set(c->err, -EINVAL, "has %u outputs; it must be one: the correction in octaves",
				       c->net->layers[c->net->nr_layers - 1].nr_out);
	return 0;
}

int onnx__parse(const void *data, size_t bytes, struct float_net *ret, struct pintle_err *err)
{
	struct budget budget = { .left = ONNX_MAX_MEMORY };
	ProtobufCAllocator allocator = { .alloc = budget__alloc, .free = budget__free, .allocator_data = &budget };
	struct chain *c;
	Onnx__Model *m;
	int error;

	if (!bytes || bytes > ONNX_MAX_BYTES)
		return pintle_err__set(err, -E2BIG, "has %zu bytes; ONNX files of 1..%u are read", bytes, ONNX_MAX_BYTES);
	c = calloc(1, sizeof(*c));
	if (c)
		c->net = calloc(1, sizeof(*c->net));
	m = c && c->net ? onnx__model__unpack(&allocator, bytes, data) : NULL;
	if (!m) {
		error = !c || !c->net
				? pintle_err__set(err, -ENOMEM, "out of memory")
				: pintle_err__set(err, -EINVAL, "is no ONNX file: protobuf does not read it; is it cut off?");
	} else {
		c->graph = m->graph;
		c->err = err;
		error = check_model(m, err);
		error = error ? error : walk(c);
		if (!error)
			*ret = *c->net;
		onnx__model__free_unpacked(m, &allocator);
	}
	if (c)
		free(c->net);
	free(c);
	return error;
}
