// SPDX-License-Identifier: BSD-2-Clause
#include "agent/agent.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <net/if.h>
#include <signal.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "agent/clock.h"
#include "agent/lifemark.h"
#include "agent/log.h"
#include "agent/uplinks.h"

#define LEARN_PERIOD_NS 10000000ull

/* Attaches to the devices of the command line. Several hooks may differ. */
static int attach_devices(struct agent *a, struct pintle_err *err)
{
	for (int i = 0; i < a->args->nr_words; i++) {
		enum datapath_hook hook;
		struct net_link link;
		char why[128];
		int code = netinfo__link_by_name(a->ni, a->args->words[i], &link, err);

		if (!code) /* before the first frame; devices with too many addresses are named by the tick */
			code = uplinks__write_macs(a->dp, a->ni, link.ifindex, err);
		if (code >= 0)
			code = datapath__attach_uplink(a->dp, link.ifindex, (enum datapath_hook)a->args->hook, &hook, why, err);
		if (code)
			return code;
		log_info("attached", log_str("device", a->args->words[i]), log_str("hook", hook == HOOK_XDP ? "xdp" : "tc"),
			 log_str("why", why));
	}
	return 0;
}

static int open_datapath(struct agent *a, struct pintle_err *err)
{
	struct table_sizes_in sizes = { .max_flows = a->args->max_flows,
					.max_frontends = a->args->max_frontends,
					.max_pods = a->args->max_pods };
	char kept[CMD_SIZES_BYTES];
	int code;

	if (a->args->nr_words)
		code = datapath__load(a->args->pin_dir, &sizes, &a->dp, err);
	else
		code = datapath__open(a->args->pin_dir, true, &a->dp, err);
	if (code)
		return code;
	if (!datapath__made_maps(a->dp) && cmd__sizes_kept(a->args, datapath__maps(a->dp)->meta, kept, sizeof(kept)))
		log_warn("existing maps keep their sizes", log_str("difference", kept), log_str("fix", CMD_SIZES_FIX));
	code = datapath__lock_writer(a->dp, err);
	if (!code && lifemark__after_load(a->args->run_dir, a->args->pin_dir, datapath__made_maps(a->dp),
					  datapath__maps(a->dp)->ctl, clock__monotonic_ns()))
		log_warn(
			"the pins were taken away since the last attach: entries of flows are made again from the pods' sockets",
			log_uint("seconds", LIFEMARK_RECOVER_NS / 1000000000));
	return code;
}

/* Whoever finds the pins gone next time knows by it that a table was lost. */
static void mark_table(const struct agent *a)
{
	struct pintle_err err = { 0 };

	if (lifemark__write(a->args->run_dir, a->args->pin_dir, &err))
		log_warn("a loss of the flow table would not be noticed", log_str("reason", err.msg));
}

static int open_tables(struct agent *a, struct pintle_err *err)
{
	const struct paths_callbacks callbacks = { .arg = a, .alarm = agent__on_alarm, .reach = agent__on_reach };
	struct uplinks uplinks = { 0 };
	int code = tables__open(datapath__maps(a->dp), datapath__grace, a->dp, &a->tables, err);

	if (!code)
		code = uplinks__look(a->dp, a->ni, &uplinks, err);
	if (!code)
		code = paths__open(a->dp, a->tables, a->ni, uplinks.has_xdp, &callbacks, &a->paths, err);
	if (!code)
		paths__set_uplink_mtu(a->paths, uplinks.mtu_bytes);
	if (!code)
		code = podstats__open(a->dp, &a->stats, err);
	if (!code)
		code = learner__open(a->dp, a->tables, a->stats, &a->learner, err);
	if (!code)
		code = steward__open(a->dp, a->tables, a->learner, a->args->run_dir, a->args->pin_dir, &a->steward, err);
	return code;
}

static void on_signal(void *arg, int signo)
{
	struct agent *a = arg;

	if (signo == SIGHUP) {
		log_info("SIGHUP: reading the configuration again");
		if (a->source) {
			a->source->ops->reload(a->source);
			agent__on_source(a);
		}
		return;
	}
	log_info("ending; traffic goes on with the tables as they are", log_str("signal", signo == SIGTERM ? "TERM" : "INT"));
	loop__stop(a->loop);
}

/* A file that cannot be used is an error while there is nothing that it could replace; with a configuration in force, that one stays. */
static int first_configuration(struct agent *a, struct pintle_err *err)
{
	struct pintle_config *config = NULL;
	int code = a->source->ops->process(a->source, &config, err);

	if (!code && config)
		code = agent__apply(a, config, err);
	if (!code || !datapath__maps(a->dp)->ctl->generation)
		return code;
	log_error("configuration refused; the one in force stays", log_str("reason", err->msg));
	return 0;
}

static int open_source(struct agent *a, struct pintle_err *err)
{
	int code;

	if (!a->args->config_file)
		return 0;
	code = source_file_ops.open(a->args->config_file, &a->source, err);
	if (code)
		return code;
	code = loop__add_fd(a->loop, a->source->ops->fd(a->source), agent__on_source, a, err);
	if (!code)
		code = first_configuration(a, err);
	return code;
}

static int open_loop(struct agent *a, struct pintle_err *err)
{
	int code = loop__open(&a->loop, err);

	if (!code)
		code = loop__set_signals(a->loop, on_signal, a, err);
	if (!code)
		code = loop__set_tick(a->loop, a->args->tick_ns, agent__tick, a, err);
	if (!code)
		code = loop__add_fd(a->loop, netinfo__fd(a->ni), agent__on_netinfo, a, err);
	return code;
}

/* The learner looks more often than the rest of the agent: gains are worth most while they are new. */
static int open_learn_timer(struct agent *a, struct pintle_err *err)
{
	long period_ns = (long)(a->args->tick_ns < LEARN_PERIOD_NS ? a->args->tick_ns : LEARN_PERIOD_NS);
	struct itimerspec spec = { .it_interval.tv_nsec = period_ns, .it_value.tv_nsec = period_ns };

	a->learn_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (a->learn_fd < 0 || timerfd_settime(a->learn_fd, 0, &spec, NULL) < 0)
		return pintle_err__set(err, -errno, "timer of the learner: %s", strerror(errno));
	return loop__add_fd(a->loop, a->learn_fd, agent__learn, a, err);
}

int agent__open(struct agent *a, const struct cmd_args *args, struct pintle_err *err)
{
	struct pintle_config defaults = { 0 };
	int code;

	memset(a, 0, sizeof(*a));
	a->args = args;
	config__set_defaults(&defaults);
	a->rejects_per_s = defaults.rejects_per_s;
	a->delivery = (struct delivery_writer){ .run_dir = args->run_dir, .pin_dir = args->pin_dir };
	/* what can fail for reasons of this process comes before anything of the machine is changed */
	code = netinfo__open(&a->ni, err);
	if (!code)
		code = open_loop(a, err);
	if (!code)
		code = eventlog__open(args->run_dir, args->pin_dir, &a->events, err);
	if (!code)
		code = rejector__open(&a->rejector, err);
	if (!code)
		code = open_datapath(a, err);
	if (!code)
		code = attach_devices(a, err);
	if (!code)
		code = open_tables(a, err);
	if (code)
		return code;
	mark_table(a);
	eventlog__set_maps(a->events, datapath__maps(a->dp));
	sweeper__init(&a->sweeper, a->dp);
	a->seen_requests = __atomic_load_n(&datapath__maps(a->dp)->ctl->requests, __ATOMIC_ACQUIRE);
	code = open_learn_timer(a, err);
	if (!code)
		code = agent__open_events(a, err);
	if (!code)
		code = open_source(a, err);
	if (!code && !a->config && datapath__maps(a->dp)->ctl->generation)
		agent__go_on(a);
	return code;
}

int agent__run(struct agent *a, struct pintle_err *err)
{
	log_info("agent running", log_str("pins", a->args->pin_dir),
		 log_str("config", a->args->config_file ? a->args->config_file : "none"));
	return loop__run(a->loop, err);
}

void agent__close(struct agent *a)
{
	if (a->source)
		a->source->ops->close(a->source);
	steward__close(a->steward);
	learner__close(a->learner);
	if (a->learn_fd > 0)
		close(a->learn_fd);
	podstats__close(a->stats);
	if (a->ring)
		ring_buffer__free(a->ring);
	if (a->paths)
		paths__close(a->paths);
	if (a->tables)
		tables__close(a->tables);
	rejector__close(a->rejector);
	if (a->events)
		eventlog__close(a->events);
	loop__close(a->loop);
	if (a->dp)
		datapath__close(a->dp);
	if (a->ni)
		netinfo__close(a->ni);
	config__free(a->config);
}
