// SPDX-License-Identifier: BSD-2-Clause
/* Configurations coming in, and the network changing around them. */
#include <errno.h>
#include <limits.h>

#include "agent/agent.h"
#include "agent/clock.h"
#include "agent/keptconfig.h"
#include "agent/log.h"
#include "agent/names.h"

#define REAPPLY_AFTER_ERROR_NS 1000000000ull

static bool is_local_vip(void *arg, const struct ip_addr *addr)
{
	return netinfo__is_local(arg, addr);
}

/* What the CLI shows as names; not being able to write it stops nothing. */
static void write_names(struct agent *a)
{
	struct pintle_err err = { 0 };

	if (names__write(a->args->run_dir, a->args->pin_dir, a->config, &err) < 0)
		log_warn("names for the command line not written", log_str("reason", err.msg));
}

/* For the next agent, should its file be broken then. */
static void keep(struct agent *a)
{
	struct pintle_err err = { 0 };

	if (keptconfig__write(a->args->run_dir, a->args->pin_dir, a->config, &err))
		log_warn_limited("no copy of the configuration kept: an agent that restarts with a broken file would have none",
				 log_str("reason", err.msg));
}

int agent__apply(struct agent *a, struct pintle_config *config, struct pintle_err *err)
{
	const struct pintle_config *wanted = config ? config : a->config;
	struct tables_applied applied;
	int code;

	if (!wanted)
		return 0;
	code = paths__vet(a->ni, wanted, err);
	if (!code)
		code = tables__apply(a->tables, wanted, is_local_vip, a->ni, &applied, err);
	if (code) {
		config__free(config);
		return code;
	}
	if (config) {
		config__free(a->config);
		a->config = config;
		a->rejects_per_s = config->rejects_per_s;
	}
	log_info("configuration applied", log_uint("services", applied.services), log_uint("frontends", applied.frontends),
		 log_uint("pods", applied.pods), log_uint("changed_services", applied.changed_services),
		 log_uint("added_pods", applied.added_pods), log_uint("removed_pods", applied.removed_pods),
		 log_uint("lingering_pods", applied.lingering_pods), log_double("seconds", applied.seconds));
	a->applied_s = applied.seconds;
	write_names(a);
	keep(a);
	learner__refresh(a->learner, a->config);
	steward__refresh(a->steward, a->config);
	return paths__refresh(a->paths, a->config, clock__monotonic_ns(), err);
}

void agent__on_source(void *arg)
{
	struct agent *a = arg;
	struct pintle_config *config = NULL;
	struct pintle_err err = { 0 };
	int code = a->source->ops->process(a->source, &config, &err);

	if (!code && config)
		code = agent__apply(a, config, &err);
	if (code)
		log_error("configuration refused; the one in force stays", log_str("reason", err.msg));
}

void agent__go_on(struct agent *a)
{
	const char *file = a->args->config_file,
		   *fix = file ? "mend it: it is taken as soon as it is good" : "start with -c FILE";
	struct pintle_config *config = NULL;
	struct pintle_err err = { 0 };
	char copy[PATH_MAX];
	int code = keptconfig__load(a->args->run_dir, a->args->pin_dir, &config, &err);

	if (!code)
		code = agent__apply(a, config, &err);
	if (!a->config)
		log_warn("no configuration: traffic goes on with the tables as they are, gains stand still until there is one",
			 log_str("config", file ? file : "none"), log_str("no_copy", err.msg),
			 log_uint("rejects_per_second", a->rejects_per_s), log_str("fix", fix));
	else if (!keptconfig__path(a->args->run_dir, a->args->pin_dir, copy, sizeof(copy)))
		log_warn("going on with the copy of the configuration that was in force", log_str("copy", copy),
			 log_str("config", file ? file : "none"), log_str("fix", fix));
	if (code && a->config)
		log_warn("the copy is in force, but not all of it is followed", log_str("reason", err.msg));
}

void agent__on_netinfo(void *arg)
{
	struct agent *a = arg;
	struct pintle_err err = { 0 };
	bool is_changed = false;

	if (netinfo__process(a->ni, &is_changed, &err) < 0)
		log_warn_limited("network changes not read", log_str("reason", err.msg));
	if (netinfo__own_macs_epoch(a->ni) != a->seen_macs)
		agent__write_macs(a);
	if (is_changed)
		paths__update(a->paths, clock__monotonic_ns());
	agent__follow_pods(a, clock__monotonic_ns());
}

/* Many that go one by one must not keep the agent busy: at least nine tenths of the time are its own. */
void agent__follow_pods(struct agent *a, uint64_t now_ns)
{
	struct pintle_err err = { 0 };
	int code;

	a->must_reapply |= paths__take_changed(a->paths);
	if (!a->must_reapply || now_ns < a->reapply_ns)
		return;
	code = agent__apply(a, NULL, &err);
	a->must_reapply = code != 0;
	a->reapply_ns = now_ns + (code ? REAPPLY_AFTER_ERROR_NS : (uint64_t)(10e9 * a->applied_s));
	if (code)
		log_warn_limited("services not laid out again after pods went or came back", log_str("reason", err.msg));
}
