/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What `pintle policy` asks of the running agent: a request is a small JSON file in the run directory, announced by ctl.requests; the answer is
 * another, with the request's id. A request that is old (its asker gave up, or an agent died over it) is not carried out.
 */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/clock.h"
#include "agent/endpoint.h"
#include "agent/flowview.h"
#include "agent/log.h"
#include "agent/out.h"
#include "agent/rundir.h"
#include "agent/steward_int.h"
#include "pintle/score.h"

#define OLD_NS 10000000000ull

struct request {
	char id[40], what[16], service[STEWARD_NAME_BYTES], name[MODELS_NAME_BYTES];
	bool is_all; /* no service named */
};

struct answer {
	struct steward *s;
	const struct request *request;
	uint64_t now_ns;
	char error[256];
	char text[256];
	uint32_t done; /* services */
};

static void fail(struct answer *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void fail(struct answer *a, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(a->error, sizeof(a->error), fmt, args);
	va_end(args);
}

static bool is_meant(const struct request *r, const struct steward_entry *e)
{
	return r->is_all || !strcmp(r->service, e->m.name);
}

/* ---- pin, unpin, rollback ---- */

/* "plain", "gains", "model" (of the configuration), "candidate", a known file's name, or a CRC in hex. */
static bool resolve(struct answer *a, const char *name, enum standing_pin *ret_pin, uint32_t *ret_model)
{
	struct steward *s = a->s;
	char *end;

	*ret_pin = STANDING_PIN_MODEL;
	*ret_model = 0;
	if (!strcmp(name, "plain") || !strcmp(name, "gains")) {
		*ret_pin = *name == 'p' ? STANDING_PIN_PLAIN : STANDING_PIN_GAINS;
		return true;
	}
	if (!strcmp(name, "model") || !strcmp(name, "candidate"))
		*ret_model = models__wanted(s->models, *name == 'm' ? MODELS_PRODUCTION : MODELS_CANDIDATE);
	else
		*ret_model = models__by_name(s->models, name);
	if (!*ret_model && strlen(name) == 8) {
		*ret_model = (uint32_t)strtoul(name, &end, 16);
		if (*end)
			*ret_model = 0;
	}
	if (*ret_model && models__get(s->models, *ret_model))
		return true;
	fail(a,
	     "no model is known as \"%s\": say plain, gains, model, candidate, or the name or CRC of a model that `pintle policy status` shows",
	     name);
	return false;
}

static void pin(struct answer *a, struct steward_entry *e, enum standing_pin how, uint32_t model)
{
	uint32_t before = e->production;

	standing__pin(&e->m.standing, how, model);
	steward__put_in_force(a->s, e);
	steward__note(a->s, e, how == STANDING_FREE ? "unpinned" : "pinned", before, e->production,
		      "asked for by the operator");
	a->done++;
}

static void roll_back(struct answer *a, struct steward_entry *e)
{
	uint32_t production = e->production, candidate = e->candidate;

	if (e->m.standing.pin != STANDING_FREE) {
		fail(a, "%s is pinned; unpin it first", e->m.name);
		return;
	}
	if (candidate) {
		standing__refuse(&e->m.standing, candidate);
		steward__put_in_force(a->s, e);
		steward__note(a->s, e, "candidate dropped", candidate, production, "asked for by the operator");
	} else if (standing__step_down(&e->m.standing)) {
		steward__put_in_force(a->s, e);
		steward__note(a->s, e, "rolled back", production, e->production, "asked for by the operator");
	} else {
		fail(a, "%s runs plain least-in-flight; there is nothing below it", e->m.name);
		return;
	}
	a->done++;
}

static void change(struct answer *a)
{
	const struct request *r = a->request;
	bool is_pin = !strcmp(r->what, "pin"), is_unpin = !strcmp(r->what, "unpin");
	enum standing_pin how = STANDING_FREE;
	uint32_t model = 0;

	if (is_pin && !resolve(a, r->name, &how, &model))
		return;
	for (uint32_t i = 0; i < a->s->nr_entries && !*a->error; i++) {
		struct steward_entry *e = a->s->entries[i];

		if (!is_meant(r, e))
			continue;
		if (is_pin || is_unpin)
			pin(a, e, how, model);
		else
			roll_back(a, e);
	}
	if (!a->done && !*a->error)
		fail(a, "%s%s",
		     r->is_all ? "no service is judged: none has policy score with learning"
			       : "no service with learning is called ",
		     r->is_all ? "" : r->service);
	snprintf(a->text, sizeof(a->text), "%s: %u", r->what, a->done);
	a->s->next_write_ns = 0;
}

/* ---- explain ---- */

static void put_features(struct out *out, const struct learner_view *v)
{
	out__table(out, "features", NULL);
	for (uint32_t f = 0; f < FEATURE_NR; f++) {
		out__row(out);
		out__str(out, "feature", NULL, feature_list[f].name);
		out__double(out, "value", NULL, v->raw_q8[f] / 256.0, 2);
		out__str(out, "unit", NULL, feature_list[f].unit);
		out__i64(out, "input", NULL, v->input[f]);
		out__end(out);
	}
	out__end(out);
}

static void put_pod(struct answer *a, struct out *out, const struct steward_entry *e, const struct learner_view *v)
{
	const struct table_maps *maps = datapath__maps(a->s->dp);
	uint16_t concurrency = maps->pods[v->pod].concurrency ? maps->pods[v->pod].concurrency : 1;
	int32_t psi_q8 = v->load < concurrency ? 0
					       : pintle_psi_log2_q8(maps->ctl->psi_q8, v->load) - pintle_log2_q8(concurrency);
	char text[ENDPOINT_BYTES] = "?";
	struct endpoint endpoint;

	if (flowview__pod(maps, v->pod, &endpoint))
		endpoint__format(&endpoint, text);
	out__row(out);
	out__str(out, "pod", NULL, text);
	out__u64(out, "load", NULL, v->load);
	out__u64(out, "concurrency", NULL, concurrency);
	out__u64(out, "sent", NULL, v->sent);
	out__u64(out, "answered", NULL, v->answered);
	out__u64(out, "failed", NULL, v->failed);
	out__double(out, "gain", NULL, v->gain_q8 / 256.0, 2);
	out__double(out, "psi", NULL, psi_q8 / 256.0, 2);
	out__double(out, "residual", NULL, v->residual_q8[0] / 256.0, 3);
	out__double(out, "output", NULL, v->output_q8[0] / 256.0, 3);
	out__double(out, "score", NULL, (v->gain_q8 + v->residual_q8[0] + psi_q8) / 256.0, 2);
	out__double(out, "canary_residual", NULL, e->candidate ? v->residual_q8[1] / 256.0 : NAN, 3);
	out__double(out, "canary_score", NULL, e->candidate ? (v->gain_q8 + v->residual_q8[1] + psi_q8) / 256.0 : NAN, 2);
	put_features(out, v);
	out__end(out);
}

static void put_explanation(struct answer *a, struct out *out)
{
	out__table(out, "pods", NULL);
	for (uint32_t i = 0; i < a->s->nr_entries; i++) {
		const struct steward_entry *e = a->s->entries[i];
		struct learner_view v;

		if (!is_meant(a->request, e))
			continue;
		for (uint32_t k = 0; k < e->nr_slots; k++)
			if (learner__explain(a->s->learner, &a->s->services[i], k, a->now_ns, &v))
				put_pod(a, out, e, &v);
	}
	out__end(out);
}

/* ---- the files ---- */

static int put_answer(FILE *file, const void *arg)
{
	struct answer *a = (struct answer *)arg;
	struct out *out = out__open(file, OUT_JSON);

	if (!out)
		return -ENOMEM;
	out__record(out, NULL, NULL);
	out__str(out, "id", NULL, a->request->id);
	out__str(out, "error", NULL, *a->error ? a->error : NULL);
	out__str(out, "text", NULL, a->text);
	out__u64(out, "services", NULL, a->done);
	if (!strcmp(a->request->what, "explain") && !*a->error)
		put_explanation(a, out);
	out__end(out);
	return out__close(out);
}

static bool text_of(const cJSON *json, const char *key, char *to, size_t room)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(json, key);

	if (!cJSON_IsString(item) || strlen(item->valuestring) >= room)
		return false;
	strcpy(to, item->valuestring);
	return true;
}

static bool parse(const char *text, size_t bytes, struct request *r)
{
	cJSON *json = cJSON_ParseWithLength(text, bytes);
	const cJSON *time = cJSON_GetObjectItemCaseSensitive(json, "time_ns"),
		    *service = cJSON_GetObjectItemCaseSensitive(json, "service");
	double now_ns = (double)clock__realtime_ns();
	bool is_good;

	*r = (struct request){ .is_all = cJSON_IsNull(service) };
	is_good = text_of(json, "id", r->id, sizeof(r->id)) && text_of(json, "what", r->what, sizeof(r->what)) &&
		  text_of(json, "name", r->name, sizeof(r->name)) &&
		  (r->is_all || text_of(json, "service", r->service, sizeof(r->service))) && cJSON_IsNumber(time) &&
		  fabs(time->valuedouble - now_ns) < (double)OLD_NS;
	cJSON_Delete(json);
	return is_good;
}

static void explain(struct answer *a)
{
	for (uint32_t i = 0; i < a->s->nr_entries; i++)
		a->done += is_meant(a->request, a->s->entries[i]);
	if (!a->done)
		fail(a, "no service with policy score and learning is called %s", a->request->service);
}

static void carry_out(struct steward *s, const struct request *r, uint64_t now_ns)
{
	struct answer answer = { .s = s, .request = r, .now_ns = now_ns };
	struct pintle_err err = { 0 };

	if (!s->config)
		fail(&answer, "the agent has no configuration");
	else if (!strcmp(r->what, "explain"))
		explain(&answer);
	else if (!strcmp(r->what, "pin") || !strcmp(r->what, "unpin") || !strcmp(r->what, "rollback"))
		change(&answer);
	else
		fail(&answer, "the agent does not know what \"%s\" is; is it of another version?", r->what);
	if (rundir__replace(s->run_dir, STEWARD_ANSWER, s->pin_dir, put_answer, &answer, &err))
		log_warn("a request of the command line was not answered", log_str("reason", err.msg));
}

uint32_t steward__look_at_requests(struct steward *s, uint64_t now_ns)
{
	char path[PATH_MAX];
	struct request request;
	size_t bytes = 0;
	char *text = NULL;
	bool is_good;

	if (rundir__path(s->run_dir, STEWARD_REQUEST, s->pin_dir, ".json", path, sizeof(path)) ||
	    rundir__slurp(s->run_dir, STEWARD_REQUEST, s->pin_dir, &text, &bytes, NULL))
		return 0;
	(void)unlink(path);
	is_good = parse(text, bytes, &request);
	if (is_good)
		carry_out(s, &request, now_ns);
	else
		log_warn("a request for the policies is torn or old; it was not carried out", log_str("file", path));
	free(text);
	return is_good;
}
