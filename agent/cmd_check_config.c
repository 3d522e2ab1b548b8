/* SPDX-License-Identifier: BSD-2-Clause */
/* `pintle check -c FILE`: reads the file as attach and agent would, and says what it holds. */
#include "agent/clock.h"
#include "agent/cmd.h"
#include "agent/config.h"
#include "agent/netinfo.h"
#include "agent/paths.h"

struct cfg_totals {
	size_t frontends, pods, draining, down, redirect;
};

static void cfg_totals__add(struct cfg_totals *totals, const struct cfg_service *s)
{
	size_t i;

	totals->frontends += s->nr_frontends;
	totals->pods += s->nr_pods;
	totals->redirect += s->delivery == DELIVERY_REDIRECT;
	for (i = 0; i < s->nr_pods; i++) {
		totals->draining += s->pods[i].state == POD_DRAINING;
		totals->down += s->pods[i].state == POD_DOWN;
	}
}

/* Valid, yet seldom meant. */
static void cfg__warnings(struct out *out, const struct pintle_config *config)
{
	size_t i, j;

	out__table(out, "warnings", NULL);
	for (i = 0; i < config->nr_services; i++) {
		const struct cfg_service *s = &config->services[i];
		bool has_active = false, has_enforced = false;

		for (j = 0; j < s->nr_pods; j++) {
			has_active |= s->pods[j].state == POD_ACTIVE && s->pods[j].weight;
			has_enforced |= s->pods[j].enforced;
		}
		if (!has_active) {
			out__row(out);
			out__i64(out, "line", NULL, s->line);
			out__str(out, "service", NULL, s->name);
			out__str(out, "what", NULL,
				 s->nr_pods ? "no pod takes new flows: every new flow is rejected"
					    : "no pods: every flow is rejected");
			out__end(out);
		}
		if (s->delivery == DELIVERY_REDIRECT && has_enforced) {
			out__row(out);
			out__i64(out, "line", NULL, s->line);
			out__str(out, "service", NULL, s->name);
			out__str(out, "what", NULL,
				 "delivery is redirect, but pods with enforced: true are delivered by the stack");
			out__end(out);
		}
	}
	out__end(out);
}

/* What only this node can tell: pods that are the node itself. Without netlink the file alone is judged. */
static int cfg__vet(const struct pintle_config *config, struct pintle_err *err)
{
	struct netinfo *ni;
	int code;

	if (netinfo__open(&ni, NULL))
		return 0;
	code = paths__vet(ni, config, err);
	netinfo__close(ni);
	return code;
}

int cmd_check_config(const struct cmd_args *args)
{
	struct cfg_totals totals = { 0 };
	struct pintle_config *config;
	struct pintle_err err = { 0 };
	uint64_t start_ns = clock__monotonic_ns();
	struct out *out;
	size_t i;

	if (config__load_file(args->config_file, CONFIG_MAX_BYTES, &config, &err))
		return cmd__fail(args, &err);
	start_ns = clock__monotonic_ns() - start_ns;
	if (cfg__vet(config, &err)) {
		config__free(config);
		return cmd__fail(args, &err);
	}
	out = cmd__out(args);
	if (!out) {
		config__free(config);
		return CMD_FAILURE;
	}
	for (i = 0; i < config->nr_services; i++)
		cfg_totals__add(&totals, &config->services[i]);
	out__record(out, NULL, NULL);
	out__str(out, "file", NULL, args->config_file);
	out__bool(out, "valid", NULL, true);
	out__u64(out, "services", NULL, config->nr_services);
	out__u64(out, "redirect_services", NULL, totals.redirect);
	out__u64(out, "frontends", NULL, totals.frontends);
	out__u64(out, "pods", NULL, totals.pods);
	out__u64(out, "draining_pods", NULL, totals.draining);
	out__u64(out, "down_pods", NULL, totals.down);
	out__ns(out, "parsed_ns", "parsed in", start_ns);
	cfg__warnings(out, config);
	out__end(out);
	config__free(config);
	return cmd__finish(args, out);
}
