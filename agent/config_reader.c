/* SPDX-License-Identifier: BSD-2-Clause */
/* YAML events with line numbers and a path. Nothing is descended into that the schema does not know, so depth is bounded. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "agent/config_int.h"
#include "agent/nearest.h"

int cfg_reader__init(struct cfg_reader *r, const char *name, const void *text, size_t text_bytes, struct pintle_err *err)
{
	*r = (struct cfg_reader){ .name = name, .text = text, .text_bytes = text_bytes, .err = err };
	if (!yaml_parser_initialize(&r->parser))
		return pintle_err__set(err, -ENOMEM, "%s: out of memory", name);
	yaml_parser_set_encoding(&r->parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&r->parser, text, text_bytes);
	return 0;
}

void cfg_reader__free(struct cfg_reader *r)
{
	if (r->has_event)
		yaml_event_delete(&r->event);
	yaml_parser_delete(&r->parser);
}

int cfg_reader__line(const struct cfg_reader *r)
{
	return (int)r->event.start_mark.line + 1;
}

static void cfg_reader__path(const struct cfg_reader *r, char *out, size_t out_bytes)
{
	size_t used = 0;
	unsigned int i;

	*out = '\0';
	for (i = 0; i < r->depth && used < out_bytes; i++) {
		if (r->path[i].index != SIZE_MAX)
			used += (size_t)snprintf(out + used, out_bytes - used, "[%zu]", r->path[i].index);
		else
			used += (size_t)snprintf(out + used, out_bytes - used, "%s%s", used ? "." : "", r->path[i].key);
	}
}

int cfg_reader__fail(struct cfg_reader *r, const char *fmt, ...)
{
	char path[160], what[PINTLE_ERR_BYTES];
	va_list args;

	va_start(args, fmt);
	vsnprintf(what, sizeof(what), fmt, args);
	va_end(args);
	cfg_reader__path(r, path, sizeof(path));
	return pintle_err__set(r->err, -EINVAL, "%s:%d: %s%s%s", r->name, cfg_reader__line(r), path, *path ? ": " : "", what);
}

static size_t cfg_reader__line_at(const struct cfg_reader *r, size_t offset)
{
	size_t line = 1, i;

	for (i = 0; i < offset && i < r->text_bytes; i++)
		line += r->text[i] == '\n';
	return line;
}

static int cfg_reader__yaml_error(struct cfg_reader *r)
{
	const yaml_parser_t *p = &r->parser;
	const char *hint = "";

	if (p->error == YAML_MEMORY_ERROR)
		return pintle_err__set(r->err, -ENOMEM, "%s: out of memory", r->name);
	if (p->error == YAML_READER_ERROR)
		return pintle_err__set(r->err, -EINVAL, "%s:%zu: not UTF-8 text: %s (byte %zu)", r->name,
				       cfg_reader__line_at(r, p->problem_offset), p->problem ? p->problem : "?",
				       p->problem_offset);
	if (p->problem && strstr(p->problem, "mapping values"))
		hint = "; text with a colon, such as an IPv6 address, may need quotes";
	else if (p->problem && strstr(p->problem, "cannot start any token"))
		hint = "; indent with blanks, not tabs, and quote text that begins with a special character";
	return pintle_err__set(r->err, -EINVAL, "%s:%zu: not YAML: %s (column %zu)%s", r->name, p->problem_mark.line + 1,
			       p->problem ? p->problem : "?", p->problem_mark.column + 1, hint);
}

static int cfg_reader__refuse(struct cfg_reader *r)
{
	const yaml_char_t *anchor = NULL, *tag = NULL;

	switch (r->event.type) {
	case YAML_ALIAS_EVENT:
		return cfg_reader__fail(r, "aliases (*%.64s) are not supported; write the value out",
					(const char *)r->event.data.alias.anchor);
	case YAML_SCALAR_EVENT:
		anchor = r->event.data.scalar.anchor;
		tag = r->event.data.scalar.tag;
		break;
	case YAML_SEQUENCE_START_EVENT:
		anchor = r->event.data.sequence_start.anchor;
		tag = r->event.data.sequence_start.tag;
		break;
	case YAML_MAPPING_START_EVENT:
		anchor = r->event.data.mapping_start.anchor;
		tag = r->event.data.mapping_start.tag;
		break;
	default:
		break;
	}
	if (anchor)
		return cfg_reader__fail(r, "anchors (&%.64s) are not supported", (const char *)anchor);
	if (tag)
		return cfg_reader__fail(r, "tags (%.64s) are not supported", (const char *)tag);
	return 0;
}

int cfg_reader__next(struct cfg_reader *r)
{
	if (r->has_event)
		yaml_event_delete(&r->event);
	r->has_event = false;
	if (!yaml_parser_parse(&r->parser, &r->event))
		return cfg_reader__yaml_error(r);
	r->has_event = true;
	return cfg_reader__refuse(r);
}

/* ---- containers ---- */

static const char *cfg_reader__found(const struct cfg_reader *r)
{
	switch (r->event.type) {
	case YAML_MAPPING_START_EVENT:
		return "a mapping";
	case YAML_SEQUENCE_START_EVENT:
		return "a list";
	default:
		return r->event.data.scalar.length ? "a single value" : "nothing";
	}
}

static int cfg__unknown_key(struct cfg_reader *r, const char *key, const struct cfg_field *fields, size_t nr_fields)
{
	struct nearest nearest;
	char all[256] = "";
	size_t i;

	nearest__init(&nearest, key);
	for (i = 0; i < nr_fields; i++) {
		nearest__offer(&nearest, fields[i].key);
		snprintf(all + strlen(all), sizeof(all) - strlen(all), "%s%s", i ? ", " : "", fields[i].key);
	}
	if (nearest.best)
		return cfg_reader__fail(r, "unknown key \"%.64s\"; did you mean \"%s\"?", key, nearest.best);
	return cfg_reader__fail(r, "unknown key \"%.64s\"; valid keys are %s", key, all);
}

/* Current event: a key. *ret_i: its field. */
static int cfg__key(struct cfg_reader *r, const struct cfg_field *fields, size_t nr_fields, const int *seen_line, size_t *ret_i)
{
	const char *key;
	size_t i;

	if (r->event.type != YAML_SCALAR_EVENT)
		return cfg_reader__fail(r, "expected a key, found %s", cfg_reader__found(r));
	key = (const char *)r->event.data.scalar.value;
	if (strlen(key) != r->event.data.scalar.length)
		return cfg_reader__fail(r, "a key holds a NUL character");
	for (i = 0; i < nr_fields && strcmp(fields[i].key, key) != 0; i++)
		;
	if (i == nr_fields)
		return cfg__unknown_key(r, key, fields, nr_fields);
	if (seen_line[i])
		return cfg_reader__fail(r, "key \"%s\" stands here twice (first in line %d)", key, seen_line[i]);
	*ret_i = i;
	return 0;
}

#define CFG_MAX_FIELDS 16

static int cfg__missing(struct cfg_reader *r, const struct cfg_field *fields, size_t nr_fields, const int *seen_line, int line)
{
	size_t i;

	for (i = 0; i < nr_fields; i++) {
		if (!fields[i].required || seen_line[i])
			continue;
		r->event.start_mark.line = (size_t)line - 1; /* where the mapping begins says more than where it ends */
		return cfg_reader__fail(r, "key \"%s\" is missing", fields[i].key);
	}
	return 0;
}

int cfg__mapping(struct cfg_reader *r, const struct cfg_field *fields, size_t nr_fields, void *object)
{
	int seen_line[CFG_MAX_FIELDS] = { 0 }, line = cfg_reader__line(r), error;
	size_t i = 0;

	if (r->event.type != YAML_MAPPING_START_EVENT || r->depth == CONFIG_MAX_DEPTH || nr_fields > CFG_MAX_FIELDS)
		return cfg_reader__fail(r, "expected a mapping (key: value), found %s", cfg_reader__found(r));
	for (;;) {
		error = cfg_reader__next(r);
		if (error)
			return error;
		if (r->event.type == YAML_MAPPING_END_EVENT)
			return cfg__missing(r, fields, nr_fields, seen_line, line);
		error = cfg__key(r, fields, nr_fields, seen_line, &i);
		if (error)
			return error;
		seen_line[i] = cfg_reader__line(r);
		r->path[r->depth].key = fields[i].key;
		r->path[r->depth++].index = SIZE_MAX;
		error = cfg_reader__next(r);
		if (!error)
			error = fields[i].parse(r, &fields[i], object);
		if (error)
			return error;
		r->depth--;
	}
}

int cfg__sequence(struct cfg_reader *r, int (*item)(struct cfg_reader *r, void *object), void *object)
{
	int error;

	if (r->event.type != YAML_SEQUENCE_START_EVENT || r->depth == CONFIG_MAX_DEPTH)
		return cfg_reader__fail(r, "expected a list, found %s", cfg_reader__found(r));
	r->path[r->depth++].index = 0;
	for (;;) {
		error = cfg_reader__next(r);
		if (error)
			return error;
		if (r->event.type == YAML_SEQUENCE_END_EVENT)
			break;
		error = item(r, object);
		if (error)
			return error;
		r->path[r->depth - 1].index++;
	}
	r->depth--;
	return 0;
}
