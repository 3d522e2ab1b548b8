/* SPDX-License-Identifier: BSD-2-Clause */
/* The mapping `learning` of the configuration file. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/config_int.h"

#define MAX_PATH_BYTES 4095

/* A path, "default" where the field allows it (max 1), "none". */
static int cfg__parse_model(struct cfg_reader *r, const struct cfg_field *field, void *object)
{
	char **to = (char **)(void *)((char *)object + field->offset);
	const char *text;
	int error = cfg__text(r, &text);

	if (error)
		return error;
	if (!*text || strlen(text) > MAX_PATH_BYTES)
		return cfg_reader__fail(r, "\"%.64s\" is not a path (1 to %d bytes)", text, MAX_PATH_BYTES);
	if (!strcmp(text, "none"))
		return 0;
	if (strcmp(text, "default") != 0 && *text != '/')
		return cfg_reader__fail(r, "\"%.64s\" is not an absolute path%s", text,
					field->max ? ", \"default\" or \"none\"" : " or \"none\"");
	if (!strcmp(text, "default") && !field->max)
		return cfg_reader__fail(r, "\"default\" cannot be a candidate; name a file by its absolute path");
	*to = strdup(text);
	return *to ? 0 : pintle_err__set(r->err, -ENOMEM, "%s: out of memory", r->name);
}

static const struct cfg_field learning_fields[] = {
	{ .key = "model", .parse = cfg__parse_model, .offset = offsetof(struct cfg_learning, model), .max = 1 },
	{ .key = "candidate", .parse = cfg__parse_model, .offset = offsetof(struct cfg_learning, candidate) },
	{ .key = "holdout", .parse = cfg__parse_u8, .offset = offsetof(struct cfg_learning, holdout), .max = 50 },
	{ .key = "canary", .parse = cfg__parse_u8, .offset = offsetof(struct cfg_learning, canary), .min = 1, .max = 50 },
	{ .key = "window",
	  .parse = cfg__parse_duration,
	  .offset = offsetof(struct cfg_learning, window_ms),
	  .min = 100,
	  .max = 3600000,
	  .unit_ns = 1000000 },
	{ .key = "slow", .parse = cfg__parse_bool, .offset = offsetof(struct cfg_learning, slow) },
};

int cfg__parse_learning(struct cfg_reader *r, const struct cfg_field *field, void *object)
{
	struct pintle_config *config = object;

	(void)field;
	config->learning.line = cfg_reader__line(r);
	return cfg__mapping(r, learning_fields, sizeof(learning_fields) / sizeof(learning_fields[0]), &config->learning);
}
