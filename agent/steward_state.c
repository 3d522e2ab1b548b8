/* SPDX-License-Identifier: BSD-2-Clause */
/* The file of the policies in the run directory: what the next agent goes on with, and what `pintle policy` shows. One JSON document, replaced whole. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "agent/choose.h"
#include "agent/out.h"
#include "agent/policyfile.h"
#include "agent/rundir.h"
#include "agent/steward_int.h"

/* ---- writing ---- */

static void put_list(struct out *out, const char *key, const uint32_t *list, uint32_t nr)
{
	out__list(out, key, NULL);
	for (uint32_t i = 0; i < nr; i++)
		out__u64(out, NULL, NULL, list[i]);
	out__end(out);
}

static void put_memory(struct out *out, const struct steward_memory *m)
{
	out__str(out, "service", NULL, m->name);
	out__u64(out, "family", NULL, m->family);
	put_list(out, "models", m->standing.models, m->standing.nr_models);
	out__bool(out, "plain", NULL, m->standing.is_plain);
	put_list(out, "refused", m->standing.refused, m->standing.nr_refused);
	out__u64(out, "pin", NULL, m->standing.pin);
	out__u64(out, "pinned", NULL, m->standing.pinned);
	out__u64(out, "configured", NULL, m->configured);
	out__bool(out, "has_configured", NULL, m->has_configured);
}

static void put_model(struct out *out, const char *key, const struct steward *s, uint32_t crc32c, bool is_plain)
{
	out__record(out, key, NULL);
	out__str(out, "name", NULL, is_plain ? "plain" : models__name(s->models, crc32c));
	if (crc32c)
		out__fmt(out, "crc32c", NULL, "%08x", crc32c);
	else
		out__null(out, "crc32c", NULL);
	out__end(out);
}

static void put_classes(struct out *out, const struct steward_entry *e)
{
	out__table(out, "classes", NULL);
	for (uint32_t c = 0; c < PINTLE_NR_CLASSES; c++) {
		const struct guard_seen *seen = &e->guard.seen[c];

		out__row(out);
		out__str(out, "class", NULL, choose__class_name(c));
		out__u64(out, "flows", NULL, e->before[c].flows);
		out__u64(out, "requests", NULL, e->before[c].count);
		out__u64(out, "failed", NULL, e->before[c].failed);
		out__u64(out, "window_requests", NULL, seen->count);
		out__u64(out, "window_failed", NULL, seen->failed);
		out__u64(out, "p50_ns", NULL, seen->p50_ns);
		out__u64(out, "p99_ns", NULL, seen->p99_ns);
		out__end(out);
	}
	out__end(out);
}

static void put_entry(struct out *out, const struct steward *s, const struct steward_entry *e)
{
	out__row(out);
	put_memory(out, &e->m);
	put_model(out, "production", s, e->production, e->is_plain);
	if (e->candidate)
		put_model(out, "candidate", s, e->candidate, false);
	else
		out__null(out, "candidate", NULL);
	put_classes(out, e);
	out__double(out, "lower", NULL, e->candidate ? e->guard.bound.lower : NAN, 3);
	out__double(out, "upper", NULL, e->candidate ? e->guard.bound.upper : NAN, 3);
	out__u64(out, "bound_windows", NULL, e->guard.bound.windows);
	out__u64(out, "windows", NULL, e->guard.windows);
	out__u64(out, "no_windows", NULL, e->guard.invalid);
	out__u64(out, "candidate_strikes", NULL, e->guard.candidate_strikes);
	out__u64(out, "production_strikes", NULL, e->guard.production_strikes);
	out__str(out, "reason", NULL, guard_reason__text(e->reason));
	out__end(out);
}

static uint64_t delay_quantile_ns(const struct learner_delays *d, double q)
{
	uint64_t seen = 0;

	for (uint32_t i = 0; i < LEARNER_DELAYS; i++) {
		seen += d->below[i];
		if (d->count && (double)seen >= q * (double)d->count) {
			uint64_t ns = (1ull << i) * 1000;

			return ns < d->max_ns ? ns : d->max_ns;
		}
	}
	return 0;
}

static void put_delays(struct out *out, const struct steward *s)
{
	const struct learner_delays *d = learner__delays(s->learner);

	out__record(out, "telemetry_to_table", NULL);
	out__u64(out, "count", NULL, d->count);
	out__u64(out, "sum_ns", NULL, d->sum_ns);
	out__u64(out, "p50_ns", NULL, delay_quantile_ns(d, 0.5));
	out__u64(out, "p99_ns", NULL, delay_quantile_ns(d, 0.99));
	out__u64(out, "max_ns", NULL, d->max_ns);
	out__list(out, "below", NULL);
	for (uint32_t i = 0; i < LEARNER_DELAYS; i++)
		out__u64(out, NULL, NULL, d->below[i]);
	out__end(out);
	out__end(out);
}

static void put_history(struct out *out, const struct steward *s)
{
	uint32_t first = s->nr_history > STEWARD_HISTORY ? s->nr_history - STEWARD_HISTORY : 0;

	out__table(out, "history", NULL);
	for (uint32_t i = first; i < s->nr_history; i++) {
		const struct steward_event *event = &s->history[i % STEWARD_HISTORY];

		out__row(out);
		out__u64(out, "time_ns", NULL, event->time_ns);
		out__str(out, "service", NULL, event->service);
		out__u64(out, "family", NULL, event->family);
		out__str(out, "what", NULL, event->what);
		out__str(out, "from", NULL, event->from);
		out__str(out, "to", NULL, event->to);
		out__str(out, "reason", NULL, event->reason);
		out__end(out);
	}
	out__end(out);
}

static int put_state(FILE *file, const void *arg)
{
	const struct steward *s = arg;
	struct out *out = out__open(file, OUT_JSON);

	if (!out)
		return -ENOMEM;
	out__record(out, NULL, NULL);
	out__u64(out, "version", NULL, STEWARD_VERSION);
	out__str(out, "pin_dir", NULL, s->pin_dir);
	out__u64(out, "window_ns", NULL, s->config->learning.window_ms * 1000000ull);
	out__u64(out, "left_out", NULL, s->nr_left_out);
	out__bool(out, "distrusted", NULL, s->is_distrusted);
	out__bool(out, "slow", NULL, s->is_slow);
	out__double(out, "externality", NULL, (double)s->knobs.externality_q8 / 256.0, 3);
	out__double(out, "tau", NULL, (double)s->knobs.tau_q8 / 256.0, 3);
	put_delays(out, s);
	out__table(out, "services", NULL);
	for (uint32_t i = 0; i < s->nr_entries; i++)
		put_entry(out, s, s->entries[i]);
	out__end(out);
	out__table(out, "gone", NULL);
	for (uint32_t i = 0; i < s->nr_memories; i++) {
		out__row(out);
		put_memory(out, &s->memories[i]);
		out__end(out);
	}
	out__end(out);
	put_history(out, s);
	out__end(out);
	return out__close(out);
}

int steward__write_state(struct steward *s, struct pintle_err *err)
{
	return rundir__replace(s->run_dir, STEWARD_STATE, s->pin_dir, put_state, s, err);
}

/* ---- reading: everything is checked before anything is believed ---- */

static bool get_u32(const cJSON *object, const char *key, uint32_t max, uint32_t *ret)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);

	if (!cJSON_IsNumber(item) || !(item->valuedouble >= 0 && item->valuedouble <= max) ||
	    item->valuedouble != floor(item->valuedouble))
		return false;
	*ret = (uint32_t)item->valuedouble;
	return true;
}

static bool get_bool(const cJSON *object, const char *key, bool *ret)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);

	*ret = cJSON_IsTrue(item);
	return cJSON_IsBool(item);
}

static bool get_text(const cJSON *object, const char *key, char *to, size_t room)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);

	if (!cJSON_IsString(item) || strlen(item->valuestring) >= room)
		return false;
	strcpy(to, item->valuestring);
	return true;
}

static bool get_list(const cJSON *object, const char *key, uint32_t *list, uint32_t room, uint32_t *ret_nr)
{
	const cJSON *array = cJSON_GetObjectItemCaseSensitive(object, key), *item;

	*ret_nr = 0;
	if (!cJSON_IsArray(array) || cJSON_GetArraySize(array) > (int)room)
		return false;
	cJSON_ArrayForEach (item, array) {
		if (!cJSON_IsNumber(item) || !(item->valuedouble >= 1 && item->valuedouble <= UINT32_MAX))
			return false;
		list[(*ret_nr)++] = (uint32_t)item->valuedouble;
	}
	return true;
}

static bool get_memory(const cJSON *row, struct steward_memory *m)
{
	uint32_t family, pin;

	*m = (struct steward_memory){ 0 };
	if (!get_text(row, "service", m->name, sizeof(m->name)) || !get_u32(row, "family", 6, &family) ||
	    !get_list(row, "models", m->standing.models, STANDING_DEPTH, &m->standing.nr_models) ||
	    !get_bool(row, "plain", &m->standing.is_plain) ||
	    !get_list(row, "refused", m->standing.refused, STANDING_REFUSED, &m->standing.nr_refused) ||
	    !get_u32(row, "pin", STANDING_PIN_MODEL, &pin) || !get_u32(row, "pinned", UINT32_MAX, &m->standing.pinned) ||
	    !get_u32(row, "configured", UINT32_MAX, &m->configured) || !get_bool(row, "has_configured", &m->has_configured))
		return false;
	m->family = (uint8_t)family;
	m->standing.pin = (uint8_t)pin;
	return family == 4 || family == 6;
}

static int get_memories(struct steward *s, const cJSON *rows)
{
	const cJSON *row;
	int nr = cJSON_IsArray(rows) ? cJSON_GetArraySize(rows) : -1;
	struct steward_memory *grown;

	if (nr < 0 || nr > (int)PINTLE_MAX_CLASSED)
		return -EINVAL;
	grown = reallocarray(s->memories, s->nr_memories + (uint32_t)nr + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	s->memories = grown;
	cJSON_ArrayForEach (row, rows) {
		if (!get_memory(row, &s->memories[s->nr_memories]))
			return -EINVAL;
		s->nr_memories++;
	}
	return 0;
}

static const char *known_what(const char *text)
{
	static const char *const words[] = { "configured", "promoted", "candidate dropped", "rolled back",
					     "pinned",	   "unpinned", "model lost" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (!strcmp(words[i], text))
			return words[i];
	return NULL;
}

static int get_history(struct steward *s, const cJSON *rows)
{
	const cJSON *row, *time;
	char what[32];

	if (!cJSON_IsArray(rows) || cJSON_GetArraySize(rows) > (int)STEWARD_HISTORY)
		return -EINVAL;
	cJSON_ArrayForEach (row, rows) {
		struct steward_event *event = &s->history[s->nr_history % STEWARD_HISTORY];
		uint32_t family;

		time = cJSON_GetObjectItemCaseSensitive(row, "time_ns");
		if (!cJSON_IsNumber(time) || !(time->valuedouble >= 0 && time->valuedouble < 1.8e19) ||
		    !get_text(row, "service", event->service, sizeof(event->service)) || !get_u32(row, "family", 6, &family) ||
		    !get_text(row, "what", what, sizeof(what)) || !known_what(what) ||
		    !get_text(row, "from", event->from, sizeof(event->from)) ||
		    !get_text(row, "to", event->to, sizeof(event->to)) ||
		    !get_text(row, "reason", event->reason, sizeof(event->reason)))
			return -EINVAL;
		event->what = known_what(what);
		event->time_ns = (uint64_t)time->valuedouble;
		event->family = (uint8_t)family;
		s->nr_history++;
	}
	return 0;
}

static int get_state(struct steward *s, const cJSON *json)
{
	int code = get_memories(s, cJSON_GetObjectItemCaseSensitive(json, "services"));

	if (!code)
		code = get_memories(s, cJSON_GetObjectItemCaseSensitive(json, "gone"));
	return code ? code : get_history(s, cJSON_GetObjectItemCaseSensitive(json, "history"));
}

int steward__read_state(struct steward *s, struct pintle_err *err)
{
	cJSON *json = NULL;
	int code = policyfile__read_state(s->run_dir, s->pin_dir, &json, err);

	if (code)
		return code;
	code = get_state(s, json);
	cJSON_Delete(json);
	if (!code)
		return 0;
	s->nr_memories = 0;
	s->nr_history = 0;
	return pintle_err__set(err, code, "the file of the policies in %s does not fit together", s->run_dir);
}
