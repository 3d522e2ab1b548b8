/* SPDX-License-Identifier: BSD-2-Clause */
/* `pintle events`: the last lines of the agent's event log, and with -f those that come. */
#include <cjson/cJSON.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "agent/buf.h"
#include "agent/cmd.h"
#include "agent/eventtail.h"

static const char *text_of(const cJSON *event, const char *key)
{
	const cJSON *item = cJSON_GetObjectItem(event, key);

	return cJSON_IsString(item) ? item->valuestring : NULL;
}

/* What the columns do not say, as key=value. */
static void put_details(const cJSON *event, struct out *out)
{
	static const char *const columns[] = { "time", "type", "verdict", "source", "destination", "pod", "frontend" };
	struct buf details = { 0 };
	const cJSON *item;

	cJSON_ArrayForEach (item, event) {
		char *value;
		size_t i;

		for (i = 0; i < sizeof(columns) / sizeof(columns[0]) && strcmp(columns[i], item->string) != 0; i++)
			;
		if (i < sizeof(columns) / sizeof(columns[0]))
			continue;
		value = cJSON_IsString(item) ? NULL : cJSON_PrintUnformatted(item);
		buf__printf(&details, "%s%s=%s", details.len ? " " : "", item->string,
			    cJSON_IsString(item) ? item->valuestring
			    : value		 ? value
						 : "?");
		cJSON_free(value);
	}
	out__str(out, "details", NULL, buf__str(&details));
	buf__free(&details);
}

static void put_text(const cJSON *event, struct out *out)
{
	const char *frontend = text_of(event, "frontend");

	out__row(out);
	out__str(out, "time", NULL, text_of(event, "time"));
	out__str(out, "type", NULL, text_of(event, "type"));
	out__str(out, "verdict", NULL, text_of(event, "verdict"));
	out__str(out, "source", NULL, text_of(event, "source"));
	out__str(out, "destination", NULL, text_of(event, "destination") ? text_of(event, "destination") : frontend);
	out__str(out, "pod", NULL, text_of(event, "pod"));
	put_details(event, out);
	out__end(out);
}

static void put_value(const cJSON *item, struct out *out)
{
	if (cJSON_IsString(item))
		out__str(out, item->string, NULL, item->valuestring);
	else if (cJSON_IsNumber(item))
		out__double(out, item->string, NULL, item->valuedouble, 0);
	else if (cJSON_IsBool(item))
		out__bool(out, item->string, NULL, cJSON_IsTrue(item));
	else
		out__null(out, item->string, NULL);
}

static void put_event(const char *line, struct out *out)
{
	cJSON *event = cJSON_Parse(line);
	const cJSON *item;

	/* A torn line is of a writer that died; the ones after it are whole. */
	if (!cJSON_IsObject(event)) {
		cJSON_Delete(event);
		return;
	}
	if (out__format(out) == OUT_TEXT) {
		put_text(event, out);
	} else {
		out__row(out);
		cJSON_ArrayForEach (item, event)
			put_value(item, out);
		out__end(out);
	}
	cJSON_Delete(event);
}

static int follow(const struct cmd_args *args, struct eventtail *tail, struct out *out, struct pintle_err *err)
{
	struct timespec pause = { .tv_nsec = 200000000 };
	const char *line;
	int error;

	for (;;) {
		while ((error = eventtail__next(tail, &line, err)) > 0)
			put_event(line, out);
		if (error < 0)
			return error;
		out__flush(out);
		if (!args->follow || ferror(stdout))
			return 0;
		(void)nanosleep(&pause, NULL);
	}
}

int cmd_events(const struct cmd_args *args)
{
	struct pintle_err err = { 0 };
	struct eventtail *tail;
	struct out *out;
	int error, code;

	if (eventtail__open(args->run_dir, args->pin_dir, args->limit, args->follow, &tail, &err))
		return cmd__fail(args, &err);
	out = cmd__out(args);
	if (!out) {
		eventtail__close(tail);
		return CMD_FAILURE;
	}
	out__table(out, "events", NULL);
	error = follow(args, tail, out, &err);
	out__end(out);
	code = cmd__finish(args, out);
	eventtail__close(tail);
	return error ? cmd__fail(args, &err) : code;
}
