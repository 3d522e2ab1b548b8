// SPDX-License-Identifier: BSD-2-Clause
/* What the stack does with steered packets: forwarding, reverse path filter, FORWARD rules; and where the configured pods are. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/forwardrules.h"
#include "agent/preflight.h"

#define ADDR_TEXT_BYTES 48
#define MAX_POD_ROWS 64 /* of pods that are not right; the rest is counted */
#define MAX_JUDGED 64	/* pods that the FORWARD rules are followed for */
#define MAX_NFT_CHAINS 8

/* Which families the configuration delivers by the stack; without one, IPv4 is taken to be needed. */
static void families(const struct pintle_config *config, bool *ret_v4, bool *ret_v6)
{
	*ret_v4 = !config;
	*ret_v6 = false;
	for (size_t s = 0; config && s < config->nr_services; s++) {
		const struct cfg_service *service = &config->services[s];

		for (size_t i = 0; i < service->nr_pods; i++) {
			if (service->pods[i].addr.family == 4)
				*ret_v4 = true;
			else
				*ret_v6 = true;
		}
	}
}

/* -1: not there. */
static int read_sysctl(const char *name)
{
	char path[128], text[32];
	FILE *file;
	int value = -1;

	snprintf(path, sizeof(path), "/proc/sys/%s", name);
	file = fopen(path, "re");
	if (!file)
		return -1;
	if (fgets(text, sizeof(text), file))
		value = atoi(text);
	fclose(file);
	return value;
}

static void add_forwarding(struct preflight *pf, const char *what, const char *path, const char *fix, bool needed)
{
	int value = read_sysctl(path);

	if (value < 0)
		preflight__add(pf, needed ? PREFLIGHT_MISSING : PREFLIGHT_NOTE, "network", what, "on for delivery pass",
			       "kernel with this protocol", "/proc/sys/%s does not exist", path);
	else if (value == 0)
		preflight__add(pf, needed ? PREFLIGHT_MISSING : PREFLIGHT_NOTE, "network", what, "on for delivery pass", fix,
			       "off");
	else
		preflight__add(pf, PREFLIGHT_OK, "network", what, "on for delivery pass", NULL, "on");
}

void preflight__network(struct preflight *pf, const struct preflight_in *in)
{
	bool v4, v6;

	families(in->config, &v4, &v6);
	add_forwarding(pf, "IPv4 forwarding", "net/ipv4/ip_forward", "sysctl -w net.ipv4.ip_forward=1", v4);
	add_forwarding(pf, "IPv6 forwarding", "net/ipv6/conf/all/forwarding", "sysctl -w net.ipv6.conf.all.forwarding=1", v6);
	for (int i = 0; i < in->nr_devices; i++) {
		char path[96], what[48];
		int all = read_sysctl("net/ipv4/conf/all/rp_filter"), own;

		if (strlen(in->devices[i]) > 15 || strchr(in->devices[i], '/'))
			continue; /* no device has such a name; its own row says so */
		snprintf(path, sizeof(path), "net/ipv4/conf/%s/rp_filter", in->devices[i]);
		own = read_sysctl(path);
		snprintf(what, sizeof(what), "rp_filter of %s", in->devices[i]);
		if (own >= 0)
			preflight__add(pf, PREFLIGHT_NOTE, "network", what, "any: 0, 1 and 2 work", NULL, "%d",
				       own > all ? own : all);
	}
}

/* ---- FORWARD rules ---- */

struct forward_check {
	struct preflight *pf;
	const struct preflight_in *in;
	int nr_tools;
	bool drops_invalid;
};

/* The worst answer over the packets that the configuration means. */
struct forward_worst {
	struct fw_result result;
	char packet[96];
};

static void judge_one(const char *text, size_t bytes, const struct fw_packet *packet, struct forward_worst *worst)
{
	static const int severity[] = { [FW_ACCEPT] = 0, [FW_OPEN] = 1, [FW_DROP] = 2 };
	char addr[ADDR_TEXT_BYTES] = "a pod";
	struct fw_result result;

	if (forwardrules__judge(text, bytes, packet, &result) < 0)
		result = (struct fw_result){ .verdict = FW_OPEN, .has_chain = true, .rule = "more rules than can be followed" };
	result.drops_invalid |= worst->result.drops_invalid;
	if (worst->packet[0] && severity[result.verdict] <= severity[worst->result.verdict]) {
		worst->result.drops_invalid = result.drops_invalid;
		return;
	}
	if (packet->pod)
		ip_addr__format(packet->pod, addr, sizeof(addr));
	snprintf(worst->packet, sizeof(worst->packet), "%s%s", packet->is_reply ? "replies of " : "client to ", addr);
	worst->result = result;
}

static void judge_pod(const char *text, size_t bytes, int family, const struct preflight_in *in, const struct cfg_pod *pod,
		      struct forward_worst *worst)
{
	const char *uplink = in->nr_devices ? in->devices[0] : NULL;
	const char *device = pod && pod->device[0] ? pod->device : NULL;
	struct fw_packet packet = {
		.family = family, .pod = pod ? &pod->addr : NULL, .in_device = uplink, .out_device = device
	};

	judge_one(text, bytes, &packet, worst);
	packet.is_reply = true;
	packet.in_device = device;
	packet.out_device = uplink;
	judge_one(text, bytes, &packet, worst);
}

static void judge_all(const char *text, size_t bytes, int family, const struct preflight_in *in, struct forward_worst *worst)
{
	int nr = 0;

	for (size_t s = 0; in->config && s < in->config->nr_services; s++) {
		const struct cfg_service *service = &in->config->services[s];

		for (size_t i = 0; i < service->nr_pods && nr < MAX_JUDGED; i++) {
			if (service->pods[i].addr.family != family)
				continue;
			judge_pod(text, bytes, family, in, &service->pods[i], worst);
			nr++;
		}
	}
	if (!nr)
		judge_pod(text, bytes, family, in, NULL, worst);
}

static void add_verdict(struct forward_check *check, const char *tool, const struct forward_worst *worst, bool needed)
{
	const char *need = "accepts client to pod, and replies";
	const struct fw_result *result = &worst->result;
	char what[72];

	snprintf(what, sizeof(what), "FORWARD by %s", tool);
	if (!result->has_chain)
		preflight__add(check->pf, PREFLIGHT_OK, "network", what, need, NULL, "no rules");
	else if (result->verdict == FW_ACCEPT)
		preflight__add(check->pf, PREFLIGHT_OK, "network", what, need, NULL, "accepts");
	else if (result->verdict == FW_DROP)
		preflight__add(
			check->pf, needed ? PREFLIGHT_MISSING : PREFLIGHT_NOTE, "network", what, need,
			"iptables -I FORWARD -d PODS -j ACCEPT; iptables -I FORWARD -s PODS -j ACCEPT (ip6tables for IPv6)",
			"drops %s: %s", worst->packet, result->rule);
	else
		preflight__add(check->pf, PREFLIGHT_WARN, "network", what, need,
			       "look at the rule; an ACCEPT for pod addresses settles it", "depends, for %s: %s", worst->packet,
			       result->rule);
}

static void check_tool(struct forward_check *check, const char *tool, int family, bool needed)
{
	const char *const argv[] = { tool, NULL };
	struct forward_worst worst = { .packet = "" };
	struct pintle_err err = { 0 };
	char *text, what[72];
	size_t bytes;
	int ret = forwardrules__run(argv, &text, &bytes, &err);

	if (ret == -ENOENT)
		return;
	check->nr_tools++;
	if (ret < 0) {
		snprintf(what, sizeof(what), "FORWARD by %s", tool);
		preflight__add(check->pf, PREFLIGHT_UNKNOWN, "network", what, "accepts client to pod, and replies",
			       "run as root", "%s", err.msg);
		return;
	}
	judge_all(text, bytes, family, check->in, &worst);
	add_verdict(check, tool, &worst, needed);
	check->drops_invalid |= worst.result.drops_invalid;
	free(text);
}

static void check_family(struct forward_check *check, int family, bool needed)
{
	const char *const v4[] = { "iptables-nft-save", "iptables-legacy-save", "iptables-save" };
	const char *const v6[] = { "ip6tables-nft-save", "ip6tables-legacy-save", "ip6tables-save" };
	const char *const *tools = family == 4 ? v4 : v6;
	int before = check->nr_tools;

	check_tool(check, tools[0], family, needed);
	check_tool(check, tools[1], family, needed);
	if (check->nr_tools == before) /* one that is not split in two */
		check_tool(check, tools[2], family, needed);
	if (check->nr_tools == before)
		preflight__add(check->pf, PREFLIGHT_UNKNOWN, "network",
			       family == 4 ? "FORWARD, IPv4 iptables" : "FORWARD, IPv6 iptables",
			       "accepts client to pod, and replies", "install iptables, or look by hand", "%s is not installed",
			       tools[2]);
}

static void check_nft(struct forward_check *check)
{
	static const char *const argv[] = { "nft", "-j", "list", "chains", NULL };
	const char *need = "accepts client to pod, and replies";
	char chains[MAX_NFT_CHAINS][FW_CHAIN_BYTES], *text;
	struct pintle_err err = { 0 };
	bool kube_proxy = false;
	size_t bytes;
	int ret = forwardrules__run(argv, &text, &bytes, &err), nr;

	if (ret < 0) {
		preflight__add(check->pf, PREFLIGHT_UNKNOWN, "network", "FORWARD by nftables", need,
			       ret == -ENOENT ? "install nftables, or look by hand" : "run as root", "%s", err.msg);
		return;
	}
	nr = forwardrules__nft(text, bytes, chains, MAX_NFT_CHAINS, &kube_proxy);
	free(text);
	if (nr < 0)
		preflight__add(check->pf, PREFLIGHT_UNKNOWN, "network", "FORWARD by nftables", need, NULL,
			       "nft printed no JSON that could be read");
	else if (nr == 0)
		preflight__add(check->pf, PREFLIGHT_OK, "network", "FORWARD by nftables", need, NULL,
			       "no chain with policy drop");
	for (int i = 0; i < nr; i++)
		preflight__add(check->pf, PREFLIGHT_WARN, "network", "FORWARD by nftables", need,
			       "make sure that it accepts pod addresses both ways: nft list chain shows it",
			       "chain %s has policy drop", chains[i]);
	check->drops_invalid |= kube_proxy;
}

void preflight__forward(struct preflight *pf, const struct preflight_in *in)
{
	struct forward_check check = { .pf = pf, .in = in };
	bool v4, v6;

	families(in->config, &v4, &v6);
	check_family(&check, 4, v4);
	check_family(&check, 6, v6);
	check_nft(&check);
	preflight__add(pf, PREFLIGHT_NOTE, "network", "drop of ctstate INVALID", "any: pintle works with and without", NULL,
		       "%s", check.drops_invalid ? "there is such a rule (kube-proxy's)" : "no such rule seen");
}

/* ---- pods ---- */

struct pod_totals {
	size_t pods, shown, wrong, local_macs;
};

static void add_wrong(struct preflight *pf, struct pod_totals *totals, const struct cfg_service *service,
		      const struct cfg_pod *pod, enum preflight_status status, const char *fix, const char *have)
{
	char addr[ADDR_TEXT_BYTES], what[72];

	totals->wrong++;
	if (totals->shown++ >= MAX_POD_ROWS)
		return;
	ip_addr__format(&pod->addr, addr, sizeof(addr));
	snprintf(what, sizeof(what), "pod %s:%u", addr, pod->port);
	preflight__add(pf, status, "config", what, "a pod of this node", fix, "line %d, service %.60s: %.200s", pod->line,
		       service->name, have);
}

static void check_pod(struct preflight *pf, const struct preflight_in *in, const struct cfg_service *service,
		      const struct cfg_pod *pod, struct pod_totals *totals)
{
	struct pintle_err err = { 0 };
	struct net_path path;

	totals->pods++;
	if (netinfo__is_local(in->ni, &pod->addr)) {
		add_wrong(pf, totals, service, pod, PREFLIGHT_MISSING, "leave this service to kube-proxy",
			  "an address of this node (a hostNetwork pod): refused");
		return;
	}
	if (netinfo__path(in->ni, &pod->addr, pod->device, &path, &err) < 0) {
		add_wrong(pf, totals, service, pod, PREFLIGHT_WARN, "start the pod, or correct its address or device", err.msg);
		return;
	}
	if (path.has_gateway) {
		add_wrong(pf, totals, service, pod, PREFLIGHT_WARN, "only pods of this node can be steered to",
			  "the route has a next hop: a pod of another node");
		return;
	}
	if (service->delivery == DELIVERY_REDIRECT && !pod->enforced && !path.is_veth && path.has_macs)
		add_wrong(pf, totals, service, pod, PREFLIGHT_NOTE, "delivery: pass",
			  "its device is no veth: the self-test decides about redirect");
	totals->local_macs += path.has_macs;
}

void preflight__pods(struct preflight *pf, const struct preflight_in *in)
{
	struct pod_totals totals = { 0 };

	if (!in->config || !in->ni)
		return;
	for (size_t s = 0; s < in->config->nr_services; s++) {
		for (size_t i = 0; i < in->config->services[s].nr_pods; i++)
			check_pod(pf, in, &in->config->services[s], &in->config->services[s].pods[i], &totals);
	}
	preflight__add(pf, PREFLIGHT_NOTE, "config", "pods", "routes to all of them", NULL,
		       "%zu: %zu with a known MAC, %zu not right", totals.pods, totals.local_macs, totals.wrong);
}
