// SPDX-License-Identifier: BSD-2-Clause
/*
 * agent/paths.h with the real programs, tables and netlink, as the agent drives them, but nothing else of the agent.
 * paths_tool PIN_DIR UPLINK xdp|tc CONFIG: applies CONFIG and ticks every 10 ms; says on stdout whenever a pod's delivery changes. Lines on
 * stdin: "apply FILE", "stats". At the end of stdin it ends and the programs stay. paths_tool PIN_DIR remove: they go.
 */
#include <errno.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/clock.h"
#include "agent/config.h"
#include "agent/datapath.h"
#include "agent/netinfo.h"
#include "agent/paths.h"
#include "agent/tables.h"
#include "pintle/verdict.h"

struct tool {
	struct datapath *dp;
	struct tables *tables;
	struct netinfo *ni;
	struct paths *paths;
	struct pintle_config *config;
	char last[256][512]; /* what was said of a pod, by id */
};

static void die(const struct pintle_err *err)
{
	printf("error %d %s\n", err->code, err->msg);
	fflush(stdout);
	exit(1);
}

static bool is_local(void *arg, const struct ip_addr *addr)
{
	return netinfo__is_local(arg, addr);
}

static void apply(struct tool *tool, const char *file)
{
	struct tables_applied applied;
	struct pintle_config *config;
	struct pintle_err err;

	if (config__load_file(file, 1 << 20, &config, &err) < 0)
		die(&err);
	if (paths__vet(tool->ni, config, &err) < 0) {
		printf("refused %s\n", err.msg);
		config__free(config);
		return;
	}
	if (tables__apply(tool->tables, config, is_local, tool->ni, &applied, &err) < 0)
		die(&err);
	config__free(tool->config);
	tool->config = config;
	if (paths__refresh(tool->paths, config, clock__monotonic_ns(), &err) < 0)
		die(&err);
	printf("applied pods=%u lingering=%u\n", applied.pods, applied.lingering_pods);
}

static void alarm_line(void *arg, const struct paths_alarm *alarm)
{
	(void)arg;
	printf("alarm device=%s redirected=%llu arrived=%llu\n", alarm->device, (unsigned long long)alarm->redirected,
	       (unsigned long long)alarm->arrived);
}

/* "pod 10.1.2.3:80 redirect=1 device=h1 macs=1 attached=1 reason=-" */
static void say_pods(struct tool *tool)
{
	const struct table_maps *maps = datapath__maps(tool->dp);
	struct datapath_link links[64];
	struct pintle_err err;
	int nr = datapath__links(tool->dp, links, 64, &err);
	uint16_t id;

	for (uint32_t from = 0; tables__next_pod(tool->tables, from, &id) == 0 && id < 256; from = id + 1u) {
		const struct pintle_pod *pod = &maps->pods[id];
		const char *reason = paths__reason(tool->paths, id);
		struct ip_addr addr = { .family = pod->family };
		char text[64], device[IF_NAMESIZE] = "-", line[512];
		bool attached = false;

		memcpy(addr.bytes, pod->addr_be, pod->family == 4 ? 4 : 16);
		ip_addr__format(&addr, text, sizeof(text));
		if (pod->ifindex && !if_indextoname(pod->ifindex, device))
			strcpy(device, "gone");
		for (int i = 0; i < nr && i < 64; i++)
			attached |= links[i].ifindex == pod->ifindex && strcmp(links[i].kind, "rev") == 0;
		snprintf(line, sizeof(line), "pod %s redirect=%d device=%s macs=%d attached=%d reason=%s", text,
			 !!(pod->flags & PINTLE_POD_REDIRECT), device,
			 pod->dmac_gen && pod->dmac_gen >> 48 == pod->smac_gen >> 48, attached, reason ? reason : "-");
		if (strcmp(line, tool->last[id]) == 0)
			continue;
		strcpy(tool->last[id], line);
		puts(line);
	}
}

static void say_stats(const struct tool *tool)
{
	uint64_t counts[PINTLE_V_MAX];
	struct pintle_err err;

	if (datapath__verdicts(tool->dp, counts, &err) < 0)
		die(&err);
	printf("redirected=%llu replies=%llu\n", (unsigned long long)counts[PINTLE_V_STEER_REDIRECT],
	       (unsigned long long)counts[PINTLE_V_REV_REDIRECT]);
}

/* False: the end. */
static bool command(struct tool *tool)
{
	char line[256];
	ssize_t n = read(STDIN_FILENO, line, sizeof(line) - 1);

	if (n <= 0)
		return false;
	line[n] = '\0';
	line[strcspn(line, "\n")] = '\0';
	if (strncmp(line, "apply ", 6) == 0) {
		apply(tool, line + 6);
	} else if (strcmp(line, "stats") == 0) {
		say_stats(tool);
	} else {
		printf("error %d unknown command %s\n", -EINVAL, line);
		return false;
	}
	return true;
}

static void loop(struct tool *tool)
{
	struct pintle_err err;
	bool changed;

	for (;;) {
		struct pollfd fds[] = { { .fd = netinfo__fd(tool->ni), .events = POLLIN },
					{ .fd = STDIN_FILENO, .events = POLLIN } };

		poll(fds, 2, 10);
		if (fds[1].revents && !command(tool))
			return;
		if (netinfo__process(tool->ni, &changed, &err) < 0)
			die(&err);
		if (changed)
			paths__update(tool->paths, clock__monotonic_ns());
		paths__tick(tool->paths, clock__monotonic_ns());
		say_pods(tool);
		fflush(stdout);
	}
}

int main(int argc, char **argv)
{
	struct table_sizes_in sizes = { .max_flows = 4096, .max_frontends = 64, .max_pods = 256 };
	const struct paths_callbacks callbacks = { .alarm = alarm_line };
	static struct tool tool;
	enum datapath_hook hook;
	struct pintle_err err;
	char why[128];

	if (argc == 3 && strcmp(argv[2], "remove") == 0)
		return datapath__remove(argv[1], &err) < 0;
	if (argc != 5)
		return 2;
	if (datapath__load(argv[1], &sizes, &tool.dp, &err) < 0 ||
	    datapath__attach_uplink(tool.dp, if_nametoindex(argv[2]), strcmp(argv[3], "xdp") == 0 ? HOOK_XDP : HOOK_TC, &hook,
				    why, &err) < 0 ||
	    tables__open(datapath__maps(tool.dp), datapath__grace, tool.dp, &tool.tables, &err) < 0 ||
	    netinfo__open(&tool.ni, &err) < 0 ||
	    paths__open(tool.dp, tool.tables, tool.ni, hook == HOOK_XDP, &callbacks, &tool.paths, &err) < 0)
		die(&err);
	datapath__maps(tool.dp)->ctl->age_udp = 30;
	apply(&tool, argv[4]);
	loop(&tool);
	paths__close(tool.paths);
	netinfo__close(tool.ni);
	tables__close(tool.tables);
	config__free(tool.config);
	datapath__close(tool.dp);
	return 0;
}
