/* SPDX-License-Identifier: BSD-2-Clause */
/* `policy status`, `history`, `pin`, `unpin`, `rollback`, `explain`. The first two read what the agent wrote; the rest ask it. */
#include <cjson/cJSON.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "agent/clock.h"
#include "agent/cmd_view.h"
#include "agent/policyfile.h"
#include "agent/rundir.h"
#include "agent/steward_int.h"

#define WAIT_NS 5000000000ull
#define TURN_NS 15000000000ull /* for the commands before this one */
#define LOOK_NS 20000000l

/* ---- status and history ---- */

static void put_model(struct out *out, const char *key, const cJSON *model)
{
	const char *name = policyfile__text(model, "name"), *crc = policyfile__text(model, "crc32c");

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
		out__str(out, "class", NULL, policyfile__text(c, "class"));
		out__u64(out, "flows", NULL, policyfile__count(c, "flows"));
		out__u64(out, "requests", NULL, policyfile__count(c, "requests"));
		out__u64(out, "failed", NULL, policyfile__count(c, "failed"));
		out__u64(out, "window_requests", "in window", policyfile__count(c, "window_requests"));
		put_ns(out, "p50_ns", "p50", policyfile__count(c, "p50_ns"));
		put_ns(out, "p99_ns", "p99", policyfile__count(c, "p99_ns"));
		out__end(out);
	}
	out__end(out);
}

static void put_service(struct out *out, const cJSON *service)
{
	static const char *const pins[] = { "none", "plain", "gains", "model" };
	uint64_t pin = policyfile__count(service, "pin");

	out__row(out);
	out__str(out, "service", NULL, policyfile__text(service, "service"));
	out__u64(out, "family", NULL, policyfile__count(service, "family"));
	put_model(out, "production", policyfile__get(service, "production"));
	put_model(out, "candidate", policyfile__get(service, "candidate"));
	out__str(out, "pinned", NULL, pins[pin < 4 ? pin : 0]);
	out__double(out, "lower_octaves", "lower bound", policyfile__number(service, "lower"), 2);
	out__double(out, "upper_octaves", "upper bound", policyfile__number(service, "upper"), 2);
	out__u64(out, "bound_windows", "of windows", policyfile__count(service, "bound_windows"));
	out__u64(out, "windows", "judged", policyfile__count(service, "windows"));
	out__u64(out, "candidate_strikes", "strikes: candidate", policyfile__count(service, "candidate_strikes"));
	out__u64(out, "production_strikes", "production", policyfile__count(service, "production_strikes"));
	out__str(out, "reason", "last window", policyfile__text(service, "reason"));
	out__end(out);
}

static bool is_wanted(const struct cmd_args *args, const cJSON *service)
{
	const char *name = policyfile__text(service, "service");

	return !args->nr_words || (name && !strcmp(name, args->words[0]));
}

static void put_status(const struct cmd_args *args, struct out *out, const cJSON *json)
{
	const cJSON *services = policyfile__get(json, "services"), *service,
		    *delay = policyfile__get(json, "telemetry_to_table");

	out__record(out, NULL, NULL);
	out__ns(out, "window_ns", "window", policyfile__count(json, "window_ns"));
	out__u64(out, "left_out", "services not judged", policyfile__count(json, "left_out"));
	out__bool(out, "slow_loop", "slow loop", cJSON_IsTrue(policyfile__get(json, "slow")));
	out__record(out, "telemetry_to_table", "telemetry to table");
	out__u64(out, "count", NULL, policyfile__count(delay, "count"));
	put_ns(out, "p50_ns", "p50", policyfile__count(delay, "p50_ns"));
	put_ns(out, "p99_ns", "p99", policyfile__count(delay, "p99_ns"));
	put_ns(out, "max_ns", "max", policyfile__count(delay, "max_ns"));
	out__end(out);
	out__table(out, "services", NULL);
	cJSON_ArrayForEach (service, services)
		if (is_wanted(args, service))
			put_service(out, service);
	out__end(out);
	cJSON_ArrayForEach (service, services) {
		if (!is_wanted(args, service))
			continue;
		out__record(out, policyfile__text(service, "service"), policyfile__text(service, "service"));
		put_classes(out, policyfile__get(service, "classes"));
		out__end(out);
	}
	out__end(out);
}

static void put_history(const struct cmd_args *args, struct out *out, const cJSON *json)
{
	const cJSON *event;

	out__table(out, "history", NULL);
	cJSON_ArrayForEach (event, policyfile__get(json, "history")) {
		time_t seconds = (time_t)(policyfile__count(event, "time_ns") / 1000000000);
		char time[32] = "";
		struct tm tm;

		if (!is_wanted(args, event))
			continue;
		if (gmtime_r(&seconds, &tm))
			strftime(time, sizeof(time), "%Y-%m-%dT%H:%M:%SZ", &tm);
		out__row(out);
		out__str(out, "time", NULL, time);
		out__str(out, "service", NULL, policyfile__text(event, "service"));
		out__u64(out, "family", NULL, policyfile__count(event, "family"));
		out__str(out, "what", NULL, policyfile__text(event, "what"));
		out__str(out, "from", NULL, policyfile__text(event, "from"));
		out__str(out, "to", NULL, policyfile__text(event, "to"));
		out__str(out, "reason", NULL, policyfile__text(event, "reason"));
		out__end(out);
	}
	out__end(out);
}

static int show(const struct cmd_args *args, void (*put)(const struct cmd_args *args, struct out *out, const cJSON *json))
{
	struct pintle_err err = { 0 };
	cJSON *json = NULL;
	struct out *out;
	int code = policyfile__read_state(args->run_dir, args->pin_dir, &json, &err);

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

		if (!policyfile__read(args->run_dir, STEWARD_ANSWER, args->pin_dir, &json, NULL)) {
			const char *answered = policyfile__text(json, "id");

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
	error = policyfile__text(*ret_json, "error");
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
		out__u64(out, "services", NULL, policyfile__count(json, "services"));
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

	out__record(out, policyfile__text(pod, "pod"), policyfile__text(pod, "pod"));
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
		out__u64(out, counts[i], NULL, policyfile__count(pod, counts[i]));
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		out__double(out, numbers[i], NULL, policyfile__number(pod, numbers[i]), 2);
	out__table(out, "features", NULL);
	cJSON_ArrayForEach (feature, policyfile__get(pod, "features")) {
		out__row(out);
		out__str(out, "feature", NULL, policyfile__text(feature, "feature"));
		out__double(out, "value", NULL, policyfile__number(feature, "value"), 2);
		out__str(out, "unit", NULL, policyfile__text(feature, "unit"));
		out__i64(out, "input", NULL, (int64_t)policyfile__number(feature, "input"));
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
	cJSON_ArrayForEach (pod, policyfile__get(json, "pods"))
		nr += !wanted || !strcmp(wanted, policyfile__text(pod, "pod") ? policyfile__text(pod, "pod") : "");
	if (wanted && !nr) {
		cJSON_Delete(json);
		pintle_err__set(&err, -ENOENT, "%s is no pod of %s with statistics of its own", wanted, args->words[0]);
		return cmd__fail(args, &err);
	}
	out = cmd__out(args);
	if (out) {
		out__record(out, NULL, NULL);
		out__str(out, "service", NULL, args->words[0]);
		cJSON_ArrayForEach (pod, policyfile__get(json, "pods"))
			if (!wanted || !strcmp(wanted, policyfile__text(pod, "pod") ? policyfile__text(pod, "pod") : ""))
				put_explained(out, pod);
		out__end(out);
	}
	cJSON_Delete(json);
	return out ? cmd__finish(args, out) : CMD_FAILURE;
}
