/* SPDX-License-Identifier: BSD-2-Clause */
/* `pintle status`: what is attached where, how full the tables are, what they cost, and who keeps them. */
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/clock.h"
#include "agent/cmd_view.h"
#include "agent/lifemark.h"
#include "agent/version.h"

#define HUNG_NS 30000000000ull /* an agent that runs, but whose heartbeat is older */

struct status {
	const struct datapath *dp;
	const struct table_maps *maps;
	const struct view *view;
	struct datapath_link *links;
	int nr_links;
	struct view_counts counts;
	uint64_t memory_bytes;
};

static int read_links(struct status *status, struct pintle_err *err)
{
	struct datapath_link *links;
	int room = 64, nr;

	for (;;) {
		links = calloc((size_t)room, sizeof(*links));
		if (!links)
			return pintle_err__set(err, -ENOMEM, "out of memory");
		nr = datapath__links(status->dp, links, room, err);
		if (nr <= room)
			break;
		free(links);
		room = nr + 16;
	}
	if (nr < 0) {
		free(links);
		return nr;
	}
	status->links = links;
	status->nr_links = nr;
	return 0;
}

/* Bytes of the named maps, the names separated by blanks. */
static uint64_t memory_of(const struct datapath *dp, const char *names)
{
	struct datapath_map_info info;
	uint64_t bytes = 0;

	for (unsigned int i = 0; !datapath__map_info(dp, i, &info, NULL); i++) {
		const char *at = strstr(names, info.name);
		size_t length = strlen(info.name);

		if (at && (!at[length] || at[length] == ' '))
			bytes += info.memory_bytes;
	}
	return bytes;
}

static void put_agent(struct out *out, const struct status *status)
{
	uint64_t beat = __atomic_load_n(&status->maps->ctl->heartbeat_ns, __ATOMIC_RELAXED), now = clock__monotonic_ns();
	uint64_t age = beat && now > beat ? now - beat : 0;
	char who[96] = "";
	bool is_there = datapath__has_writer(status->dp, who, sizeof(who));

	out__record(out, "agent", NULL);
	out__str(out, "state", NULL, !is_there ? "not running" : beat && age > HUNG_NS ? "hung" : "running");
	out__str(out, "process", NULL, is_there ? who : NULL);
	if (beat)
		out__ns(out, "heartbeat_age_ns", "heartbeat age", age);
	else
		out__null(out, "heartbeat_age_ns", "heartbeat age");
	out__u64(out, "generation", "configurations applied",
		 __atomic_load_n(&status->maps->ctl->generation, __ATOMIC_RELAXED));
	out__end(out);
}

static void put_objects(struct out *out, const struct status *status)
{
	const struct pintle_meta *meta = status->maps->meta;
	uint64_t slots = (uint64_t)meta->nr_buckets * PINTLE_BUCKET_SLOTS;

	out__record(out, "flows", NULL);
	out__u64(out, "valid", NULL, status->counts.flows);
	out__u64(out, "closed", NULL, status->counts.closed);
	out__u64(out, "half_open", NULL, status->counts.half_open);
	out__u64(out, "redirect", NULL, status->counts.redirect_flows);
	out__u64(out, "slots", NULL, slots);
	out__double(out, "use_percent", "use %", 100.0 * (double)status->counts.flows / (double)slots, 2);
	out__end(out);
	out__record(out, "objects", NULL);
	out__u64(out, "services", NULL, status->counts.services);
	out__u64(out, "frontends", NULL, status->counts.frontends);
	out__u64(out, "max_frontends", NULL, meta->max_frontends);
	out__u64(out, "pods", NULL, status->counts.pods);
	out__u64(out, "max_pods", NULL, meta->max_pods);
	out__u64(out, "pods_drained", NULL, status->counts.pods_drained);
	out__u64(out, "pods_redirect", NULL, status->counts.pods_redirect);
	out__end(out);
}

static void put_memory(struct out *out, const struct status *status)
{
	const struct pintle_meta *meta = status->maps->meta;
	const struct datapath *dp = status->dp;
	/* A flow is meant to find two slots. */
	uint64_t flows = (uint64_t)meta->nr_buckets * PINTLE_BUCKET_SLOTS / 2;

	out__record(out, "memory", NULL);
	out__bytes(out, "total_bytes", "total", status->memory_bytes);
	out__double(out, "flow_bytes", "bytes per expected flow", (double)memory_of(dp, "pt_flows pt_stamps") / (double)flows,
		    1);
	out__double(out, "frontend_bytes", "bytes per frontend",
		    (double)memory_of(dp, "pt_vip4 pt_vip6 pt_frontends pt_services") / meta->max_frontends, 1);
	out__double(out, "pod_bytes", "bytes per pod",
		    (double)memory_of(dp, "pt_rev4 pt_rev6 pt_pods pt_siblings pt_loads pt_traffic pt_members pt_picks") /
			    meta->max_pods,
		    1);
	out__end(out);
}

static void put_links(struct out *out, const struct status *status)
{
	char name[IF_NAMESIZE];

	out__table(out, "attachments", NULL);
	for (int i = 0; i < status->nr_links; i++) {
		const struct datapath_link *link = &status->links[i];
		bool is_xdp = !strcmp(link->kind, "xdp");

		out__row(out);
		out__str(out, "device", NULL, if_indextoname(link->ifindex, name));
		out__u64(out, "ifindex", NULL, link->ifindex);
		out__str(out, "hook", NULL, is_xdp ? "xdp" : strcmp(link->kind, "tceg") ? "tc ingress" : "tc egress");
		out__str(out, "program", NULL,
			 is_xdp || !strcmp(link->kind, "tcin") ? "forward"
			 : !strcmp(link->kind, "tceg")	       ? "reverse"
							       : "reverse of pod");
		out__str(out, "by", NULL, is_xdp ? "xdp link" : link->is_tcx ? "tcx link" : "clsact filter");
		out__u64(out, "prog_id", NULL, link->prog_id);
		out__bool(out, "alive", NULL, link->is_alive);
		out__end(out);
	}
	out__end(out);
}

static void put_maps(struct out *out, const struct status *status)
{
	struct datapath_map_info info;

	out__table(out, "maps", NULL);
	for (unsigned int i = 0; !datapath__map_info(status->dp, i, &info, NULL); i++) {
		out__row(out);
		out__str(out, "name", NULL, info.name);
		out__u64(out, "entries", NULL, info.entries);
		out__u64(out, "value_bytes", "value", info.value_bytes);
		out__bytes(out, "memory_bytes", "memory", info.memory_bytes);
		out__str(out, "help", "holds", info.help);
		out__end(out);
	}
	out__end(out);
}

static int report(const struct cmd_args *args, struct status *status)
{
	uint32_t flags = __atomic_load_n(&status->maps->ctl->flags, __ATOMIC_RELAXED);
	const struct pintle_meta *meta = status->maps->meta;
	char created[CLOCK_TEXT_BYTES], build[sizeof(meta->build) + 1] = "";
	struct datapath_map_info info;
	struct out *out = cmd__out(args);

	if (!out)
		return CMD_FAILURE;
	for (unsigned int i = 0; !datapath__map_info(status->dp, i, &info, NULL); i++)
		status->memory_bytes += info.memory_bytes;
	clock__format(meta->created_ns, created);
	memcpy(build, meta->build, sizeof(meta->build));
	out__record(out, NULL, NULL);
	out__str(out, "version", NULL, pintle__version());
	out__str(out, "maps_version", "maps made by", build);
	out__str(out, "created", NULL, created);
	out__u64(out, "abi_version", "ABI version", meta->abi_version);
	out__str(out, "pin_dir", "pins", args->pin_dir);
	out__bool(out, "draining", NULL, flags & PINTLE_CTL_DRAINING);
	out__bool(out, "asks_conntrack", "asks conntrack", flags & PINTLE_CTL_CONNTRACK);
	out__ns(out, "recovering_ns", "recovering for", lifemark__lost_ns(status->maps->ctl, clock__monotonic_ns()));
	put_agent(out, status);
	view__put_ladder(status->view, out);
	put_objects(out, status);
	put_memory(out, status);
	view__delivery(status->view, out);
	put_links(out, status);
	put_maps(out, status);
	out__end(out);
	return cmd__finish(args, out);
}

int cmd_status(const struct cmd_args *args)
{
	struct status status = { 0 };
	struct pintle_err err = { 0 };
	struct cmd_view v;
	int code;

	datapath__set_verbose(args->verbose >= 2);
	if (cmd_view__open(args, false, &v, &err))
		return cmd__fail(args, &err);
	status.dp = v.dp;
	status.maps = datapath__maps(v.dp);
	status.view = &v.view;
	if (read_links(&status, &err)) {
		code = cmd__fail(args, &err);
	} else {
		status.counts = view__counts(status.view);
		code = report(args, &status);
	}
	free(status.links);
	cmd_view__close(&v);
	return code;
}
