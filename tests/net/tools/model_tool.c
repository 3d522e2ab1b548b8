// SPDX-License-Identifier: BSD-2-Clause
/*
 * Makes model files for tests. usage: model_tool zero|pile FILE [SALT]
 * zero: adds nothing to any gain. pile: praises the pod that got the most requests, so that it gets more. Another SALT makes another file of the same
 * behaviour.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/modelfile.h"

static int make(const char *kind, const char *salt, struct model *m)
{
	int8_t weights[FEATURE_NR] = { 0 };
	const int32_t bias[1] = { 0 };

	memset(m, 0, sizeof(*m));
	mlp__init(&m->mlp);
	if (!strcmp(kind, "pile"))
		weights[FEATURE_SHARE] = -127;
	else if (strcmp(kind, "zero"))
		return -1;
	/* half of the sum: an eighth of an octave more than its share is worth 0.5 nat */
	if (mlp__add(&m->mlp, FEATURE_NR, 1, MLP_LINEAR, 1u << 30, 31, weights, bias) != MLP_OK)
		return -1;
	snprintf(m->text, sizeof(m->text), "kind: %s\nsalt: %s\n", kind, salt);
	model__make_golden(m, 1);
	return 0;
}

int main(int argc, char **argv)
{
	struct pintle_err err = { 0 };
	static struct model m;

	if (argc < 3 || argc > 4 || make(argv[1], argc > 3 ? argv[3] : "0", &m)) {
		fprintf(stderr, "usage: model_tool zero|pile FILE [SALT]\n");
		return 2;
	}
	if (modelfile__write(argv[2], &m, &err)) {
		fprintf(stderr, "model_tool: %s\n", err.msg);
		return 1;
	}
	return 0;
}
