/* SPDX-License-Identifier: BSD-2-Clause */
/* `pintle attach`: everything that can be wrong is looked at first; then load, fill the tables, attach: the first packet finds them filled. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "agent/clock.h"
#include "agent/cmd.h"
#include "agent/config.h"
#include "agent/datapath.h"
#include "agent/delivery.h"
#include "agent/datapath_dev.h"
#include "agent/keptconfig.h"
#include "agent/lifemark.h"
#include "agent/names.h"
#include "agent/netinfo.h"
#include "agent/paths.h"
#include "agent/tables.h"
#include "agent/uplinks.h"

#define SELF_TEST_MS \
	3000 /* for the pods' devices to pass the redirect self-test; the agent goes on with those that take longer */

struct uplink {
	struct dp_dev dev;
	enum datapath_hook hook;
	char why[128];
};

struct attach {
	const struct cmd_args *args;
	struct uplink uplinks[PINTLE_MAX_UPLINKS];
	int nr_uplinks;
	bool was_loaded;
	bool was_lost; /* pins were taken away: the table recovers */
	struct datapath *dp;
	/* of -c */
	struct pintle_config *config;
	struct netinfo *ni;
	struct tables *tables;
	struct paths *paths;
	struct tables_applied applied;
	uint32_t unready; /* pods that are to be redirected to, and are not yet */
	char reason[128]; /* of one of them */
};

static const char *hook_name(enum datapath_hook hook)
{
	return hook == HOOK_XDP ? "xdp" : "tc";
}

static int find_devices(struct attach *attach, struct pintle_err *err)
{
	const struct cmd_args *args = attach->args;
	int ret;

	for (int i = 0; i < args->nr_words; i++) {
		struct dp_dev dev;
		int same = 0;

		ret = dp_dev__get_by_name(args->words[i], &dev, err);
		if (ret)
			return ret;
		while (same < attach->nr_uplinks && attach->uplinks[same].dev.ifindex != dev.ifindex)
			same++;
		if (same < attach->nr_uplinks)
			continue;
		if (same == (int)PINTLE_MAX_UPLINKS)
			return pintle_err__set(err, -E2BIG, "more than %u devices", PINTLE_MAX_UPLINKS);
		attach->uplinks[attach->nr_uplinks++].dev = dev;
	}
	return 0;
}

/* Is there a set of maps already, and is its writer's place free, if the tables are to be written? */
static int look_at_pins(struct attach *attach, struct pintle_err *err)
{
	struct datapath *dp;
	int ret;

	ret = datapath__open(attach->args->pin_dir, true, &dp, err);
	if (ret == -ENOENT || ret == -ENODEV)
		return 0; /* the load says what is wrong with the directory, if anything is */
	if (ret)
		return ret;
	attach->was_loaded = true;
	if (attach->config)
		ret = datapath__lock_writer(dp, err);
	datapath__close(dp);
	if (ret == -EBUSY)
		return pintle_err__set(
			err, ret,
			"a pintle agent is running and keeps the tables; leave out -c, and change the agent's own file");
	return ret;
}

static bool is_local(void *arg, const struct ip_addr *addr)
{
	return netinfo__is_local(arg, addr);
}

static int apply_config(struct attach *attach, struct pintle_err *err)
{
	int ret;

	ret = datapath__lock_writer(attach->dp, err);
	if (!ret)
		ret = tables__open(datapath__maps(attach->dp), datapath__grace, attach->dp, &attach->tables, err);
	if (!ret)
		ret = tables__apply(attach->tables, attach->config, is_local, attach->ni, &attach->applied, err);
	return ret;
}

static bool wants_redirect(const struct pintle_config *config)
{
	for (size_t i = 0; i < config->nr_services; i++)
		if (config->services[i].delivery == DELIVERY_REDIRECT)
			return true;
	return false;
}

static uint32_t count_unready(struct attach *attach)
{
	uint32_t from = 0, nr = 0;
	uint16_t pod;

	while (from < PINTLE_MAX_PODS && !tables__next_pod(attach->tables, from, &pod)) {
		const char *reason = paths__reason(attach->paths, pod);

		if (reason) {
			snprintf(attach->reason, sizeof(attach->reason), "%s", reason);
			nr++;
		}
		from = pod + 1u;
	}
	return nr;
}

/* Redirect is allowed pod by pod, as their devices pass the self-test: without an agent this is the only chance. */
static int find_paths(struct attach *attach, struct pintle_err *err)
{
	struct pollfd fd = { .fd = netinfo__fd(attach->ni), .events = POLLIN };
	uint64_t now = clock__monotonic_ns(), end = now + SELF_TEST_MS * 1000000ull;
	struct uplinks uplinks = { 0 };
	bool changed;
	int ret;

	if (!wants_redirect(attach->config))
		return 0;
	ret = uplinks__look(attach->dp, attach->ni, &uplinks, err);
	if (!ret)
		ret = paths__open(attach->dp, attach->tables, attach->ni, uplinks.has_xdp, NULL, &attach->paths, err);
	if (ret)
		return ret;
	paths__set_uplink_mtu(attach->paths, uplinks.mtu_bytes);
	ret = paths__refresh(attach->paths, attach->config, now, err);
	while (!ret && (attach->unready = count_unready(attach)) && now < end) {
		if (poll(&fd, 1, 20) > 0) {
			ret = netinfo__process(attach->ni, &changed, err);
			if (!ret && changed)
				paths__update(attach->paths, clock__monotonic_ns());
		}
		now = clock__monotonic_ns();
		paths__tick(attach->paths, now);
	}
	return ret;
}

static int attach_devices(struct attach *attach, struct pintle_err *err)
{
	int ret = 0;

	for (int i = 0; !ret && i < attach->nr_uplinks; i++) {
		struct uplink *up = &attach->uplinks[i];

		ret = uplinks__write_macs(attach->dp, attach->ni, up->dev.ifindex, err);
		if (ret < 0)
			return ret;
		ret = datapath__attach_uplink(attach->dp, up->dev.ifindex, (enum datapath_hook)attach->args->hook, &up->hook,
					      up->why, err);
	}
	return ret;
}

/* As if nothing had been tried; but never what another pintle, which came in between, works on now. */
static void undo(struct attach *attach)
{
	if (datapath__made_maps(attach->dp) && !datapath__lock_writer(attach->dp, NULL))
		datapath__remove(attach->args->pin_dir, NULL);
}

/* A drain that was begun is called off. With -c no agent is at work (it would keep the tables), and none is waited for. */
static void take_new_flows(struct attach *attach)
{
	struct pintle_ctl *ctl = datapath__maps(attach->dp)->ctl;

	__atomic_and_fetch(&ctl->flags, ~PINTLE_CTL_DRAINING, __ATOMIC_RELAXED);
	if (attach->config)
		__atomic_store_n(&ctl->beat, 0, __ATOMIC_RELAXED);
}

static int run(struct attach *attach, struct pintle_err *err)
{
	const struct cmd_args *args = attach->args;
	const struct table_sizes_in sizes = {
		.max_flows = args->max_flows,
		.max_frontends = args->max_frontends,
		.max_pods = args->max_pods,
	};
	int ret;

	ret = find_devices(attach, err);
	if (!ret && args->config_file)
		ret = config__load_file(args->config_file, CONFIG_MAX_BYTES, &attach->config, err);
	if (!ret)
		ret = netinfo__open(&attach->ni, err);
	if (!ret && attach->config)
		ret = paths__vet(attach->ni, attach->config, err);
	if (!ret)
		ret = look_at_pins(attach, err);
	if (!ret)
		ret = datapath__load(args->pin_dir, &sizes, &attach->dp, err);
	if (ret)
		return ret;
	attach->was_lost = lifemark__after_load(args->run_dir, args->pin_dir, datapath__made_maps(attach->dp),
						datapath__maps(attach->dp)->ctl, clock__monotonic_ns());
	if (attach->config)
		ret = apply_config(attach, err);
	if (!ret)
		ret = attach_devices(attach, err);
	if (!ret && attach->config)
		ret = find_paths(attach, err);
	if (ret)
		undo(attach);
	else
		take_new_flows(attach);
	return ret;
}

static int report(const struct attach *attach)
{
	const struct cmd_args *args = attach->args;
	struct out *out = cmd__out(args);
	char sizes[CMD_SIZES_BYTES];
	bool is_kept;

	if (!out)
		return CMD_FAILURE;
	is_kept = !datapath__made_maps(attach->dp) &&
		  cmd__sizes_kept(args, datapath__maps(attach->dp)->meta, sizes, sizeof(sizes));
	if (is_kept)
		fprintf(stderr, "pintle attach: %s; %s\n", sizes, CMD_SIZES_FIX);
	out__record(out, NULL, NULL);
	out__str(out, "pin_dir", "pins", args->pin_dir);
	out__str(out, "maps", NULL, attach->was_loaded ? "kept" : "new");
	out__bool(out, "recovering", NULL, attach->was_lost);
	out__u64(out, "max_flows", "flows expected",
		 (uint64_t)datapath__maps(attach->dp)->meta->nr_buckets * PINTLE_BUCKET_SLOTS / 2);
	out__str(out, "sizes_kept", OUT_HIDDEN, is_kept ? sizes : NULL);
	if (attach->config) {
		out__u64(out, "services", NULL, attach->applied.services);
		out__u64(out, "frontends", NULL, attach->applied.frontends);
		out__u64(out, "pods", NULL, attach->applied.pods);
		out__u64(out, "pods_not_redirected", "redirect not possible", attach->unready);
		if (attach->unready)
			out__str(out, "reason", NULL, attach->reason);
	}
	out__table(out, "uplinks", NULL);
	for (int i = 0; i < attach->nr_uplinks; i++) {
		out__row(out);
		out__str(out, "device", NULL, attach->uplinks[i].dev.name);
		out__u64(out, "ifindex", OUT_HIDDEN, attach->uplinks[i].dev.ifindex);
		out__str(out, "hook", NULL, hook_name(attach->uplinks[i].hook));
		out__str(out, "why", NULL, attach->uplinks[i].why);
		out__end(out);
	}
	out__end(out);
	out__end(out);
	return cmd__finish(args, out);
}

/* Views do without it; traffic does not wait for it. */
static void tell_views(const struct attach *attach)
{
	const struct cmd_args *args = attach->args;
	struct delivery_writer writer = { .run_dir = args->run_dir, .pin_dir = args->pin_dir };
	struct pintle_err err = { 0 };

	if (names__write(args->run_dir, args->pin_dir, attach->config, &err))
		fprintf(stderr, "pintle attach: %s; services will be shown by number\n", err.msg);
	else if (delivery__write(&writer, datapath__maps(attach->dp), attach->paths, &err))
		fprintf(stderr, "pintle attach: %s; reasons of delivery will be unknown\n", err.msg);
}

/* For an agent whose file is broken. */
static void keep(struct attach *attach)
{
	struct pintle_err err = { 0 };

	if (keptconfig__write(attach->args->run_dir, attach->args->pin_dir, attach->config, &err))
		fprintf(stderr, "pintle attach: %s; an agent that starts with a broken file will have no copy to go on with\n",
			err.msg);
}

int cmd_attach(const struct cmd_args *args)
{
	struct attach attach = { .args = args };
	struct pintle_err err = { 0 };
	int ret, code;

	datapath__set_verbose(args->verbose >= 2);
	ret = run(&attach, &err);
	if (!ret && attach.config) {
		tell_views(&attach);
		keep(&attach);
	}
	if (!ret && lifemark__write(args->run_dir, args->pin_dir, &err))
		fprintf(stderr, "pintle attach: %s; should the pins be taken away, nothing will tell that a table was lost\n",
			err.msg);
	code = ret ? cmd__fail(args, &err) : report(&attach);
	if (ret == -EPERM) /* capabilities */
		code = CMD_UNSUPPORTED;
	paths__close(attach.paths);
	tables__close(attach.tables);
	netinfo__close(attach.ni);
	config__free(attach.config);
	datapath__close(attach.dp);
	return code;
}
