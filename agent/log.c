/* SPDX-License-Identifier: BSD-2-Clause */
#include "agent/log.h"

#include <inttypes.h>
#include <string.h>

#include "agent/buf.h"
#include "agent/clock.h"

static struct {
	FILE *file; /* NULL = stderr */
	enum log_level level;
	uint64_t (*now_ns)(void);
} log_state = { .level = LOG_INFO };

static const char *const level_names[] = { "error", "warn", "info", "debug" };

void log__setup(FILE *file, enum log_level level, uint64_t (*now_ns)(void))
{
	log_state.file = file;
	log_state.level = level;
	log_state.now_ns = now_ns;
}

bool log__enabled(enum log_level level)
{
	return level <= log_state.level;
}

/* logfmt: bare when it is plain, quoted with \" \\ \n otherwise. */
static void log__value(struct buf *line, const char *text)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-:/@+,[]%";
	struct buf escaped = { 0 };

	if (*text && !text[strspn(text, plain)]) {
		buf__puts(line, text);
		return;
	}
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			buf__printf(&escaped, "\\%c", *text);
		else if (*text == '\n')
			buf__puts(&escaped, "\\n");
		else
			buf__append(&escaped, text, 1);
	}
	buf__puts(line, "\"");
	buf__puts_clean(line, buf__str(&escaped));
	buf__puts(line, "\"");
	buf__free(&escaped);
}

static void log__pair(struct buf *line, const struct log_kv *kv)
{
	buf__printf(line, " %s=", kv->key);
	switch (kv->kind) {
	case LOG_KV_STR:
		log__value(line, kv->str ? kv->str : "null");
		break;
	case LOG_KV_INT:
		buf__printf(line, "%" PRId64, kv->i64);
		break;
	case LOG_KV_UINT:
		buf__printf(line, "%" PRIu64, kv->u64);
		break;
	case LOG_KV_DOUBLE:
		buf__printf(line, "%.6g", kv->f64);
		break;
	}
}

static void log__line(enum log_level level, const char *msg, const struct log_kv *kv, size_t nr_kv, uint64_t suppressed)
{
	FILE *file = log_state.file ? log_state.file : stderr;
	char time[CLOCK_TEXT_BYTES];
	struct buf line = { 0 };
	size_t i;

	clock__format(log_state.now_ns ? log_state.now_ns() : clock__realtime_ns(), time);
	buf__printf(&line, "time=%s level=%s msg=", time, level_names[level]);
	log__value(&line, msg);
	for (i = 0; i < nr_kv; i++)
		log__pair(&line, &kv[i]);
	if (suppressed)
		buf__printf(&line, " suppressed=%" PRIu64, suppressed);
	buf__puts(&line, "\n");
	/* One write a line, so that lines of two processes do not mix. A log that cannot be written has nowhere to be reported. */
	fwrite(buf__str(&line), 1, line.len, file);
	fflush(file);
	buf__free(&line);
}

void log__write(enum log_level level, const char *msg, const struct log_kv *kv, size_t nr_kv)
{
	if (log__enabled(level))
		log__line(level, msg, kv, nr_kv, 0);
}

bool log__allowed(struct log_limit *limit, uint64_t now_ns, uint64_t interval_ns, uint64_t *ret_suppressed)
{
	if (limit->next_ns && now_ns < limit->next_ns) {
		limit->suppressed++;
		return false;
	}
	*ret_suppressed = limit->suppressed;
	limit->suppressed = 0;
	limit->next_ns = now_ns + interval_ns;
	return true;
}

void log__write_limited(struct log_limit *limit, enum log_level level, const char *msg, const struct log_kv *kv, size_t nr_kv)
{
	uint64_t suppressed;

	if (!log__enabled(level))
		return;
	if (log__allowed(limit, clock__monotonic_ns(), LOG_LIMIT_NS, &suppressed))
		log__line(level, msg, kv, nr_kv, suppressed);
}
