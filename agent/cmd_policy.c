/* SPDX-License-Identifier: BSD-2-Clause */
/* `policy status`, `history`, `pin`, `unpin`, `rollback`, `explain`. The first two read what the agent wrote; the rest ask it. */
#include <cjson/cJSON.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "agent/clock.h"
#include "agent/cmd_view.h"
#include "agent/rundir.h"
#include "agent/steward_int.h"

#define WAIT_NS 5000000000ull
#define TURN_NS 15000000000ull /* for the commands before this one */
#define LOOK_NS 20000000l

/* ---- reading JSON that the agent wrote ---- */

static const cJSON *get(const cJSON *object, const char *key)
{
	return cJSON_GetObjectItemCaseSensitive(object, key);
}

static const char *text_of(const cJSON *object, const char *key)
{
	const cJSON *item = get(object, key);

	return cJSON_IsString(item) ? item->valuestring : NULL;
}

static double number_of(const cJSON *object, const char *key)
{
	const cJSON *item = get(object, key);

	return cJSON_IsNumber(item) ? item->valuedouble : NAN;
}

static uint64_t count_of(const cJSON *object, const char *key)
{
	double value = number_of(object, key);

	return value >= 0 && value < 1.8e19 ? (uint64_t)value : 0;
}

static int read_json(const struct cmd_args *args, const char *stem, cJSON **ret_json, struct pintle_err *err)
{
	size_t bytes = 0;
	char *text = NULL;
	int code = rundir__slurp(args->run_dir, stem, args->pin_dir, &text, &bytes, err);

	if (code)
		return code;
	*ret_json = cJSON_ParseWithLength(text, bytes);
	free(text);
	return *ret_json ? 0 : pintle_err__set(err, -EINVAL, "the file of the policies in %s is torn", args->run_dir);
}

/* ---- status and history ---- */

static void put_model(struct out *out, const char *key, const cJSON *model)
{
	const char *name = text_of(model, "name"), *crc = text_of(model, "crc32c");

	if (!name)
		out__null(out, key, NULL);
	else if (crc)
		out__fmt(out, key, NULL, "%s (%s)", name, crc);
	else
		out__str(out, key, NULL, name);
}

static void put_ns(struct out *out, const char *key, const char *label, uint64_t ns)
{
	if (ns)
		out__ns(out, key, label, ns);
	else
		out__null(out, key, label);
}

static void put_classes(struct out *out, const cJSON *classes)
{
	const cJSON *c;

	out__table(out, "classes", NULL);
	cJSON_ArrayForEach (c, classes) {
		out__row(out);
		out__str(out, "class", NULL, text_of(c, "class"));
		out__u64(out, "flows", NULL, count_of(c, "flows"));
		out__u64(out, "requests", NULL, count_of(c, "requests"));
		out__u64(out, "failed", NULL, count_of(c, "failed"));
		out__u64(out, "window_requests", "in window", count_of(c, "window_requests"));
		put_ns(out, "p50_ns", "p50", count_of(c, "p50_ns"));
		put_ns(out, "p99_ns", "p99", count_of(c, "p99_ns"));
		out__end(out);
	}
	out__end(out);
}

static void put_service(struct out *out, const cJSON *service)
{
	static const char *const pins[] = { "none", "plain", "gains", "model" };
	uint64_t pin = count_of(service, "pin");

	out__row(out);
	out__str(out, "service", NULL, text_of(service, "service"));
	out__u64(out, "family", NULL, count_of(service, "family"));
	put_model(out, "production", get(service, "production"));
	put_model(out, "candidate", get(service, "candidate"));
	out__str(out, "pinned", NULL, pins[pin < 4 ? pin : 0]);
	out__double(out, "lower_octaves", "lower bound", number_of(service, "lower"), 2);
	out__double(out, "upper_octaves", "upper bound", number_of(service, "upper"), 2);
	out__u64(out, "bound_windows", "of windows", count_of(service, "bound_windows"));
	out__u64(out, "windows", "judged", count_of(service, "windows"));
	out__u64(out, "candidate_strikes", "strikes: candidate", count_of(service, "candidate_strikes"));
	out__u64(out, "production_strikes", "production", count_of(service, "production_strikes"));
	out__str(out, "reason", "last window", text_of(service, "reason"));
	out__end(out);
}

static bool is_wanted(const struct cmd_args *args, const cJSON *service)
{
	const char *name = text_of(service, "service");

	return !args->nr_words || (name && !strcmp(name, args->words[0]));
}

static void put_status(const struct cmd_args *args, struct out *out, const cJSON *json)
{
	const cJSON *services = get(json, "services"), *service, *delay = get(json, "telemetry_to_table");

	out__record(out, NULL, NULL);
	out__ns(out, "window_ns", "window", count_of(json, "window_ns"));
	out__u64(out, "left_out", "services not judged", count_of(json, "left_out"));
	out__bool(out, "slow_loop", "slow loop", cJSON_IsTrue(get(json, "slow")));
	out__record(out, "telemetry_to_table", "telemetry to table");
	out__u64(out, "count", NULL, count_of(delay, "count"));
	put_ns(out, "p50_ns", "p50", count_of(delay, "p50_ns"));
	put_ns(out, "p99_ns", "p99", count_of(delay, "p99_ns"));
	put_ns(out, "max_ns", "max", count_of(delay, "max_ns"));
	out__end(out);
	out__table(out, "services", NULL);
	cJSON_ArrayForEach (service, services)
		if (is_wanted(args, service))
			put_service(out, service);
	out__end(out);
	cJSON_ArrayForEach (service, services) {
		if (!is_wanted(args, service))
			continue;
		out__record(out, text_of(service, "service"), text_of(service, "service"));
		put_classes(out, get(service, "classes"));
		out__end(out);
	}
	out__end(out);
}

static void put_history(const struct cmd_args *args, struct out *out, const cJSON *json)
{
	const cJSON *event;

	out__table(out, "history", NULL);
	cJSON_ArrayForEach (event, get(json, "history")) {
		time_t seconds = (time_t)(count_of(event, "time_ns") / 1000000000);
		char time[32] = "";
		struct tm tm;

		if (!is_wanted(args, event))
			continue;
		if (gmtime_r(&seconds, &tm))
			strftime(time, sizeof(time), "%Y-%m-%dT%H:%M:%SZ", &tm);
		out__row(out);
		out__str(out, "time", NULL, time);
		out__str(out, "service", NULL, text_of(event, "service"));
		out__u64(out, "family", NULL, count_of(event, "family"));
		out__str(out, "what", NULL, text_of(event, "what"));
		out__str(out, "from", NULL, text_of(event, "from"));
		out__str(out, "to", NULL, text_of(event, "to"));
		out__str(out, "reason", NULL, text_of(event, "reason"));
		out__end(out);
	}
	out__end(out);
}

static int show(const struct cmd_args *args, void (*put)(const struct cmd_args *args, struct out *out, const cJSON *json))
{
	struct pintle_err err = { 0 };
	cJSON *json = NULL;
	struct out *out;
	int code = read_json(args, STEWARD_STATE, &json, &err);

	if (code == -ENOENT)
		pintle_err__set(&err, -ENOENT, "no agent has judged policies here (%s); start `pintle agent`", args->run_dir);
	if (code)
		return cmd__fail(args, &err);
	out = cmd__out(args);
	if (out)
		put(args, out, json);
	cJSON_Delete(json);
	return out ? cmd__finish(args, out) : CMD_FAILURE;
}

int cmd_policy_status(const struct cmd_args *args)
{
	return show(args, put_status);
}

int cmd_policy_history(const struct cmd_args *args)
{
	return show(args, put_history);
}

/* ---- requests ---- */

struct asking {
	char id[40];
	const char *what, *service, *name;
};

static int put_request(FILE *file, const void *arg)
{
	const struct asking *ask = arg;
	struct out *out = out__open(file, OUT_JSON);

	if (!out)
		return -ENOMEM;
	out__record(out, NULL, NULL);
	out__str(out, "id", NULL, ask->id);
	out__u64(out, "time_ns", NULL, clock__realtime_ns());
	out__str(out, "what", NULL, ask->what);
	out__str(out, "service", NULL, ask->service);
	out__str(out, "name", NULL, ask->name ? ask->name : "");
	out__end(out);
	return out__close(out);
}

/* The answer to this request, or NULL when there is none in time. */
static cJSON *wait_for_answer(const struct cmd_args *args, const char *id)
{
	uint64_t end_ns = clock__monotonic_ns() + WAIT_NS;
	struct timespec pause = { .tv_nsec = LOOK_NS };

	while (clock__monotonic_ns() < end_ns) {
		cJSON *json = NULL;

		if (!read_json(args, STEWARD_ANSWER, &json, NULL)) {
			const char *answered = text_of(json, "id");

			if (answered && !strcmp(answered, id))
				return json;
			cJSON_Delete(json);
		}
		(void)nanosleep(&pause, NULL);
	}
	return NULL;
}

static bool is_agent_alive(struct cmd_view *v)
{
	v->view.src.mono_ns = clock__monotonic_ns();
	return view__agent_alive(&v->view);
}

static int no_agent(struct pintle_err *err)
{
	return pintle_err__set(err, -ESRCH, "no agent runs that could do it; start `pintle agent`");
}

/* Not carried out later by an agent that comes. */
static void take_back(const struct cmd_args *args)
{
	char path[PATH_MAX];

	if (!rundir__path(args->run_dir, STEWARD_REQUEST, args->pin_dir, ".json", path, sizeof(path)))
		(void)unlink(path);
}

/* One command at a time: there is one request, and one answer. */
static int send_request(const struct cmd_args *args, struct cmd_view *v, const struct asking *ask, cJSON **ret_json,
			struct pintle_err *err)
{
	int code = 0;

	if (is_agent_alive(v))
		code = rundir__replace(args->run_dir, STEWARD_REQUEST, args->pin_dir, put_request, ask, err);
	if (code)
		return code;
	if (is_agent_alive(v)) {
		__atomic_fetch_add(&v->view.src.maps->ctl->requests, 1, __ATOMIC_ACQ_REL);
		*ret_json = wait_for_answer(args, ask->id);
		if (*ret_json)
			return 0;
		take_back(args);
	}
	if (!is_agent_alive(v))
		return no_agent(err);
	return pintle_err__set(err, -ETIMEDOUT, "the agent did not answer within 5 s; has it the same --run-dir (%s)?",
			       args->run_dir);
}

static int ask_agent(const struct cmd_args *args, const char *what, const char *service, const char *name, cJSON **ret_json,
		     struct pintle_err *err)
{
	struct asking ask = { .what = what, .service = service, .name = name };
	const char *error;
	struct cmd_view v;
	int code, lock_fd;

	if (service && strlen(service) >= STEWARD_NAME_BYTES)
		return pintle_err__set(err, -EINVAL, "the name of the service is too long");
	if (name && strlen(name) >= MODELS_NAME_BYTES)
		return pintle_err__set(err, -EINVAL, "the name of the model is too long");
	code = cmd_view__open(args, true, &v, err);
	if (code)
		return code;
	snprintf(ask.id, sizeof(ask.id), "%" PRIu64 "-%d", clock__monotonic_ns(), (int)getpid());
	code = is_agent_alive(&v) ? rundir__lock(args->run_dir, STEWARD_REQUEST, args->pin_dir, TURN_NS, &lock_fd, err)
				  : no_agent(err);
	if (!code) {
		code = send_request(args, &v, &ask, ret_json, err);
		close(lock_fd);
	}
	cmd_view__close(&v);
	if (code)
		return code;
	error = text_of(*ret_json, "error");
	if (!error)
		return 0;
	code = pintle_err__set(err, -EINVAL, "%s", error);
	cJSON_Delete(*ret_json);
	return code;
}

static int change(const struct cmd_args *args, const char *what, const char *service, const char *name)
{
	struct pintle_err err = { 0 };
	cJSON *json = NULL;
	struct out *out;

	if (ask_agent(args, what, service, name, &json, &err))
		return cmd__fail(args, &err);
	out = cmd__out(args);
	if (out) {
		out__record(out, NULL, NULL);
		out__str(out, "done", NULL, what);
		out__u64(out, "services", NULL, count_of(json, "services"));
		out__end(out);
	}
	cJSON_Delete(json);
	return out ? cmd__finish(args, out) : CMD_FAILURE;
}

int cmd_policy_pin(const struct cmd_args *args)
{
	return change(args, "pin", args->nr_words > 1 ? args->words[1] : NULL, args->words[0]);
}

int cmd_policy_unpin(const struct cmd_args *args)
{
	return change(args, "unpin", args->nr_words ? args->words[0] : NULL, NULL);
}

int cmd_policy_rollback(const struct cmd_args *args)
{
	return change(args, "rollback", args->nr_words ? args->words[0] : NULL, NULL);
}

static void put_explained(struct out *out, const cJSON *pod)
{
	static const char *const numbers[] = { "gain", "psi", "residual", "score", "canary_residual", "canary_score" };
	static const char *const counts[] = { "load", "concurrency", "sent", "answered", "failed" };
	const cJSON *feature;

	out__record(out, text_of(pod, "pod"), text_of(pod, "pod"));
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
		out__u64(out, counts[i], NULL, count_of(pod, counts[i]));
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		out__double(out, numbers[i], NULL, number_of(pod, numbers[i]), 2);
	out__table(out, "features", NULL);
	cJSON_ArrayForEach (feature, get(pod, "features")) {
		out__row(out);
		out__str(out, "feature", NULL, text_of(feature, "feature"));
		out__double(out, "value", NULL, number_of(feature, "value"), 2);
		out__str(out, "unit", NULL, text_of(feature, "unit"));
		out__i64(out, "input", NULL, (int64_t)number_of(feature, "input"));
		out__end(out);
	}
	out__end(out);
	out__end(out);
}

int cmd_policy_explain(const struct cmd_args *args)
{
	const char *wanted = args->nr_words > 1 ? args->words[1] : NULL;
	struct pintle_err err = { 0 };
	uint32_t nr = 0;
	const cJSON *pod;
	cJSON *json = NULL;
	struct out *out;

	if (ask_agent(args, "explain", args->words[0], NULL, &json, &err))
		return cmd__fail(args, &err);
	cJSON_ArrayForEach (pod, get(json, "pods"))
		nr += !wanted || !strcmp(wanted, text_of(pod, "pod") ? text_of(pod, "pod") : "");
	if (wanted && !nr) {
		cJSON_Delete(json);
		pintle_err__set(&err, -ENOENT, "%s is no pod of %s with statistics of its own", wanted, args->words[0]);
		return cmd__fail(args, &err);
	}
	out = cmd__out(args);
	if (out) {
		out__record(out, NULL, NULL);
		out__str(out, "service", NULL, args->words[0]);
		cJSON_ArrayForEach (pod, get(json, "pods"))
			if (!wanted || !strcmp(wanted, text_of(pod, "pod") ? text_of(pod, "pod") : ""))
				put_explained(out, pod);
		out__end(out);
	}
	cJSON_Delete(json);
	return out ? cmd__finish(args, out) : CMD_FAILURE;
}
