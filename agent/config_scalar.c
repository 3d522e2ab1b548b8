/* SPDX-License-Identifier: BSD-2-Clause */
/* Scalars by type. Plain scalars have the types of the YAML 1.2 core schema; quotes make text. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/config_int.h"
#include "agent/nearest.h"
#include "agent/opt.h"

enum cfg_type { CFG_NULL, CFG_BOOL, CFG_NUMBER, CFG_TEXT };

static bool cfg__is_one_of(const char *text, const char *const *words)
{
	for (; *words; words++) {
		if (!strcasecmp(text, *words))
			return true;
	}
	return false;
}

static bool cfg__is_number(const char *text)
{
	const char *c = text + (*text == '-' || *text == '+');
	size_t digits = strspn(c, "0123456789");

	if (c[0] == '0' && (c[1] == 'x' || c[1] == 'o'))
		return c[2] && !c[2 + strspn(c + 2, "0123456789abcdefABCDEF")];
	c += digits;
	if (*c == '.') {
		digits += strspn(c + 1, "0123456789");
		c += 1 + strspn(c + 1, "0123456789");
	}
	if (digits && (*c == 'e' || *c == 'E')) {
		c += 1 + (c[1] == '-' || c[1] == '+');
		c += strspn(c, "0123456789");
	}
	return digits && !*c;
}

static enum cfg_type cfg__type(const struct cfg_reader *r)
{
	static const char *const nulls[] = { "", "~", "null", NULL };
	static const char *const bools[] = { "true", "false", "yes", "no", "on", "off", NULL };
	const char *text = (const char *)r->event.data.scalar.value;

	if (r->event.data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
		return CFG_TEXT;
	if (cfg__is_one_of(text, nulls))
		return CFG_NULL;
	if (cfg__is_one_of(text, bools))
		return CFG_BOOL;
	return cfg__is_number(text) ? CFG_NUMBER : CFG_TEXT;
}

/* Text of a scalar of any type, after the checks that all share. */
static int cfg__scalar(struct cfg_reader *r, const char *expected, const char **ret_text)
{
	if (r->event.type == YAML_MAPPING_START_EVENT || r->event.type == YAML_SEQUENCE_START_EVENT)
		return cfg_reader__fail(r, "expected %s, found %s", expected,
					r->event.type == YAML_MAPPING_START_EVENT ? "a mapping" : "a list");
	*ret_text = (const char *)r->event.data.scalar.value;
	if (strlen(*ret_text) != r->event.data.scalar.length)
		return cfg_reader__fail(r, "the value holds a NUL character");
	if (cfg__type(r) == CFG_NULL)
		return cfg_reader__fail(r, "expected %s, found nothing", expected);
	return 0;
}

int cfg__text(struct cfg_reader *r, const char **ret_text)
{
	int error = cfg__scalar(r, "text", ret_text);

	if (error)
		return error;
	if (cfg__type(r) != CFG_TEXT)
		return cfg_reader__fail(r, "expected text, found %s; write \"%.64s\" in quotes if it is meant",
					cfg__type(r) == CFG_NUMBER ? "a number" : "true or false", *ret_text);
	return 0;
}

/* A plain scalar of the right type; 80 is a number, "80" is not. */
static int cfg__unquoted(struct cfg_reader *r, const char *expected, const char **ret_text)
{
	int error = cfg__scalar(r, expected, ret_text);

	if (error)
		return error;
	if (r->event.data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
		return cfg_reader__fail(r, "expected %s, found text in quotes: \"%.64s\"", expected, *ret_text);
	return 0;
}

static int cfg__u64(struct cfg_reader *r, const struct cfg_field *field, uint64_t *ret)
{
	char expected[80];
	const char *text;
	int error;

	snprintf(expected, sizeof(expected), "a whole number from %" PRIu64 " to %" PRIu64, field->min, field->max);
	error = cfg__unquoted(r, expected, &text);
	if (error)
		return error;
	/* 010 is ten or eight, depending on the reader. */
	if (text[0] == '0' && text[1])
		return cfg_reader__fail(r, "expected %s, found \"%.64s\"", expected, text);
	error = opt__u64(text, ret);
	if (error == -EINVAL)
		return cfg_reader__fail(r, "expected %s, found \"%.64s\"", expected, text);
	if (error || *ret < field->min || *ret > field->max)
		return cfg_reader__fail(r, "%.64s is out of range; %" PRIu64 " to %" PRIu64, text, field->min, field->max);
	return 0;
}

int cfg__parse_u8(struct cfg_reader *r, const struct cfg_field *field, void *object)
{
	uint64_t value;
	int error = cfg__u64(r, field, &value);

	if (!error)
		*((uint8_t *)object + field->offset) = (uint8_t)value;
	return error;
}

int cfg__parse_u16(struct cfg_reader *r, const struct cfg_field *field, void *object)
{
	uint64_t value;
	int error = cfg__u64(r, field, &value);

	if (!error)
		*(uint16_t *)((char *)object + field->offset) = (uint16_t)value;
	return error;
}

int cfg__parse_u32(struct cfg_reader *r, const struct cfg_field *field, void *object)
{
	uint64_t value;
	int error = cfg__u64(r, field, &value);

	if (!error)
		*(uint32_t *)((char *)object + field->offset) = (uint32_t)value;
	return error;
}

int cfg__parse_duration(struct cfg_reader *r, const struct cfg_field *field, void *object)
{
	const char *unit = field->unit_ns == 1000000 ? "ms" : "s", *text;
	struct pintle_err why = { 0 };
	uint64_t ns;
	int error = cfg__scalar(r, "a time such as 250ms, 10s, 2h", &text);

	if (error)
		return error;
	if (opt__duration(text, &ns, &why))
		return cfg_reader__fail(r, "%s", why.msg);
	if (ns % field->unit_ns)
		return cfg_reader__fail(r, "\"%.64s\" is finer than 1%s", text, unit);
	ns /= field->unit_ns;
	if (ns < field->min || ns > field->max)
		return cfg_reader__fail(r, "%.64s is out of range; %" PRIu64 "%s to %" PRIu64 "%s", text, field->min, unit,
					field->max, unit);
	*(uint32_t *)((char *)object + field->offset) = (uint32_t)ns;
	return 0;
}

int cfg__parse_double(struct cfg_reader *r, const struct cfg_field *field, void *object)
{
	const char *text;
	double value;
	char *end;
	int error = cfg__unquoted(r, "a number from 0 to 2", &text);

	if (error)
		return error;
	if (!cfg__is_number(text) || strpbrk(text, "xo"))
		return cfg_reader__fail(r, "expected a number from 0 to 2, found \"%.64s\"", text);
	value = strtod(text, &end);
	if (*end || !(value >= 0 && value <= CONFIG_EXTERNALITY_MAX))
		return cfg_reader__fail(r, "%.64s is out of range; 0 to 2", text);
	*(double *)((char *)object + field->offset) = value;
	return 0;
}

int cfg__parse_bool(struct cfg_reader *r, const struct cfg_field *field, void *object)
{
	const char *text;
	int error = cfg__unquoted(r, "true or false", &text);

	if (error)
		return error;
	if (strcmp(text, "true") != 0 && strcmp(text, "false") != 0)
		return cfg_reader__fail(r, "expected true or false, found \"%.64s\"", text);
	*(bool *)((char *)object + field->offset) = !strcmp(text, "true");
	return 0;
}

static int cfg__unknown_choice(struct cfg_reader *r, const struct cfg_field *field, const char *text)
{
	char words[128], all[160] = "", *state = NULL, *word;
	struct nearest nearest;

	snprintf(words, sizeof(words), "%s", field->choices);
	nearest__init(&nearest, text);
	for (word = strtok_r(words, "|", &state); word; word = strtok_r(NULL, "|", &state)) {
		nearest__offer(&nearest, word);
		snprintf(all + strlen(all), sizeof(all) - strlen(all), "%s%s", *all ? ", " : "", word);
	}
	if (nearest.best)
		return cfg_reader__fail(r, "unknown value \"%.64s\"; did you mean \"%s\"?", text, nearest.best);
	return cfg_reader__fail(r, "unknown value \"%.64s\"; valid values are %s", text, all);
}

int cfg__parse_u8_choice(struct cfg_reader *r, const struct cfg_field *field, void *object)
{
	const char *word = field->choices, *text;
	uint8_t i;
	int error = cfg__text(r, &text);

	if (error)
		return error;
	for (i = 0; word; i++) {
		size_t bytes = strcspn(word, "|");

		if (strlen(text) == bytes && !strncmp(text, word, bytes)) {
			*((uint8_t *)object + field->offset) = i;
			return 0;
		}
		word = word[bytes] ? word + bytes + 1 : NULL;
	}
	return cfg__unknown_choice(r, field, text);
}

int cfg__parse_addr(struct cfg_reader *r, const struct cfg_field *field, void *object)
{
	const char *text;
	int error = cfg__text(r, &text);

	if (error)
		return error;
	if (ip_addr__parse(text, (struct ip_addr *)((char *)object + field->offset)))
		return cfg_reader__fail(r, "\"%.64s\" is not an IPv4 or IPv6 address (no names, prefixes, ports or zones)",
					text);
	return 0;
}
