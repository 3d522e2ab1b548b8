/* SPDX-License-Identifier: BSD-2-Clause */
/* Between the parts of the configuration parser. */
#ifndef PINTLE_AGENT_CONFIG_INT_H
#define PINTLE_AGENT_CONFIG_INT_H

#include <yaml.h>

#include "agent/config.h"

#define CONFIG_MAX_NAME 253
#define CONFIG_MAX_DEPTH 8 /* of the path: deeper than any valid file */

/* Settings that are whole seconds or counts, declared once: the parser, the validation and the defaults read it. */
struct cfg_setting {
	const char *key;
	size_t offset; /* of a uint32_t in struct pintle_config */
	uint32_t min, max, def;
	bool is_seconds; /* written with a unit */
};
extern const struct cfg_setting config_settings[];
extern const size_t config_nr_settings;
#define CONFIG_EXTERNALITY_MAX 2.0
#define CONFIG_EXTERNALITY_DEFAULT 1.0
#define CONFIG_CLASSES_MAX 75u /* percent of holdout and canary together: the rest is production */

/* "score|leastconn|...", in the order of enum pintle_policy. */
extern const char config_policies[];

/* libyaml events, one at a time, with the path to where we are. */
struct cfg_reader {
	yaml_parser_t parser;
	yaml_event_t event; /* the current one */
	bool has_event;
	const char *name; /* of the file, for messages */
	const char *text;
	size_t text_bytes;
	struct {
		const char *key;
		size_t index; /* of an element; SIZE_MAX = none */
	} path[CONFIG_MAX_DEPTH];
	unsigned int depth;
	struct pintle_err *err;
};

int cfg_reader__init(struct cfg_reader *r, const char *name, const void *text, size_t text_bytes, struct pintle_err *err);
void cfg_reader__free(struct cfg_reader *r);
/* Goes to the next event. Anchors, aliases and tags are refused here. */
int cfg_reader__next(struct cfg_reader *r);
int cfg_reader__line(const struct cfg_reader *r); /* of the current event, from 1 */
/* -EINVAL with "FILE:LINE: PATH: message". */
int cfg_reader__fail(struct cfg_reader *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* One key of a mapping. parse() gets the first event of the value as the current one and leaves its last. */
struct cfg_field {
	const char *key;
	int (*parse)(struct cfg_reader *r, const struct cfg_field *field, void *object);
	size_t offset;	     /* in the object */
	uint64_t min, max;   /* numbers; durations in units of unit_ns */
	uint64_t unit_ns;    /* durations */
	const char *choices; /* "a|b", the index is stored */
	bool required;
};

int cfg__mapping(struct cfg_reader *r, const struct cfg_field *fields, size_t nr_fields, void *object);
/* item() is called for each element with its first event as the current one. */
int cfg__sequence(struct cfg_reader *r, int (*item)(struct cfg_reader *r, void *object), void *object);

/* Values of one scalar. */
int cfg__text(struct cfg_reader *r, const char **ret_text); /* valid until the next event; no NUL inside */
int cfg__parse_u8_choice(struct cfg_reader *r, const struct cfg_field *field, void *object);
int cfg__parse_bool(struct cfg_reader *r, const struct cfg_field *field, void *object);
int cfg__parse_u8(struct cfg_reader *r, const struct cfg_field *field, void *object);
int cfg__parse_u16(struct cfg_reader *r, const struct cfg_field *field, void *object);
int cfg__parse_u32(struct cfg_reader *r, const struct cfg_field *field, void *object);
int cfg__parse_duration(struct cfg_reader *r, const struct cfg_field *field, void *object); /* uint32_t, in unit_ns */
int cfg__parse_double(struct cfg_reader *r, const struct cfg_field *field, void *object);   /* 0..CONFIG_EXTERNALITY_MAX */
int cfg__parse_addr(struct cfg_reader *r, const struct cfg_field *field, void *object);

/* config_learning.c: the mapping `learning`. */
int cfg__parse_learning(struct cfg_reader *r, const struct cfg_field *field, void *object);

/* config__parse() without the whole-configuration rules. */
int config__read(const char *name, const void *text, size_t text_bytes, struct pintle_config **ret_config,
		 struct pintle_err *err);
bool config__is_name(const char *name);

#endif
