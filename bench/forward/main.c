// SPDX-License-Identifier: BSD-2-Clause
/*
 * Sends datagrams from one network namespace and counts them in another: one timed run of known flows and one of new flows, a JSON line each.
 * The path between is what bench/forward/run.sh compares. Everything is on one CPU; what this process attaches goes with it.
 */
#include <arpa/inet.h>
#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <libgen.h>
#include <limits.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "forward.h"

#define BATCH 64u	  /* frames a softirq round, as a driver's NAPI */
#define SETTLE_MS 50	  /* frames still under way after the last was sent */
#define KNOWN_FLOWS 1024u /* power of two */

struct options {
	const char *name, *gen_ns, *gen_dev, *sink_ns, *sink_dev;
	uint32_t target_be, sink_net_be;
	uint16_t target_port, sink_port;
	uint8_t dmac[6], smac[6];
	uint32_t known_frames, new_frames;
	uint64_t first_new; /* flows from here on were never sent before */
	int cpu;
	bool uses_wall;
};

struct bench {
	const struct options *o;
	struct bpf_object *obj;
	struct forward_ctl *ctl;
	int gen_fd, counts_fd, softirq_fd, gen_ifindex, nr_cpus;
	struct forward_count *counts; /* per CPU */
};

__attribute__((noreturn, format(printf, 1, 2))) static void fail(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	fputs("bench/forward: ", stderr);
	vfprintf(stderr, fmt, args);
	fputc('\n', stderr);
	va_end(args);
	exit(2);
}

static void enter(const char *ns)
{
	char path[PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), "/run/netns/%s", ns);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWNET))
		fail("namespace %s: %s", ns, strerror(errno));
	close(fd);
}

static int device(const char *ns, const char *name)
{
	unsigned int index = if_nametoindex(name);

	if (!index)
		fail("namespace %s has no device %s", ns, name);
	return (int)index;
}

static void load(struct bench *b)
{
	char path[PATH_MAX] = "";
	ssize_t bytes = readlink("/proc/self/exe", path, sizeof(path) - 32);
	int err;

	if (bytes <= 0)
		fail("/proc/self/exe cannot be read");
	strcat(dirname(path), "/forward.bpf.o");
	b->obj = bpf_object__open_file(path, NULL);
	err = b->obj ? bpf_object__load(b->obj) : -errno;
	if (err)
		fail("%s: %s", path, strerror(-err));
	b->gen_fd = bpf_program__fd(bpf_object__find_program_by_name(b->obj, "forward_gen"));
	b->counts_fd = bpf_object__find_map_fd_by_name(b->obj, "counts");
	b->ctl = mmap(NULL, sizeof(*b->ctl), PROT_READ | PROT_WRITE, MAP_SHARED, bpf_object__find_map_fd_by_name(b->obj, "ctl"),
		      0);
	if (b->ctl == MAP_FAILED)
		fail("mapping ctl: %s", strerror(errno));
	b->nr_cpus = libbpf_num_possible_cpus();
	b->counts = calloc((size_t)b->nr_cpus, sizeof(*b->counts));
	if (!b->counts)
		fail("no memory");
}

/* Attaches the sink by a link, which ends with this process; then goes to the generator's namespace. */
static void attach(struct bench *b)
{
	const struct options *o = b->o;
	LIBBPF_OPTS(bpf_link_create_opts, opts, .flags = XDP_FLAGS_DRV_MODE);
	int sink = bpf_program__fd(bpf_object__find_program_by_name(b->obj, "forward_sink")), link;

	enter(o->sink_ns);
	link = bpf_link_create(sink, device(o->sink_ns, o->sink_dev), BPF_XDP, &opts);
	if (link < 0)
		fail("%s: attaching the sink to %s: %s", o->sink_ns, o->sink_dev, strerror(-link));
	enter(o->gen_ns);
	b->gen_ifindex = device(o->gen_ns, o->gen_dev);
}

static void read_counts(struct bench *b, struct forward_count *ret)
{
	uint32_t zero = 0;

	memset(ret, 0, sizeof(*ret));
	if (bpf_map_lookup_elem(b->counts_fd, &zero, b->counts))
		fail("reading counts: %s", strerror(errno));
	for (int cpu = 0; cpu < b->nr_cpus; cpu++) {
		ret->arrived += b->counts[cpu].arrived;
		ret->bad_sum += b->counts[cpu].bad_sum;
		ret->foreign += b->counts[cpu].foreign;
	}
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* CPU time of this thread and of the CPU's softirq thread, to which the kernel hands packet work that takes long. */
static uint64_t cpu_ns(const struct bench *b)
{
	unsigned long long softirq = 0;
	struct timespec own;
	char text[128] = "";

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &own);
	if (b->softirq_fd >= 0 && pread(b->softirq_fd, text, sizeof(text) - 1, 0) > 0)
		softirq = strtoull(text, NULL, 10);
	return (uint64_t)own.tv_sec * 1000000000u + (uint64_t)own.tv_nsec + softirq;
}

/* schedstat of ksoftirqd of a CPU, or -1: found by its name among the processes. */
static int open_softirq(int cpu)
{
	char want[32], path[64], name[32];

	snprintf(want, sizeof(want), "ksoftirqd/%d\n", cpu);
	for (int pid = 1; pid < 4096; pid++) {
		FILE *file;
		bool found;

		snprintf(path, sizeof(path), "/proc/%d/comm", pid);
		file = fopen(path, "r");
		if (!file)
			continue;
		found = fgets(name, sizeof(name), file) && !strcmp(name, want);
		fclose(file);
		snprintf(path, sizeof(path), "/proc/%d/schedstat", pid);
		if (found)
			return open(path, O_RDONLY | O_CLOEXEC);
	}
	return -1;
}

struct outcome {
	uint64_t arrived, bad_sum;
	double wall_ns, cpu_ns; /* per frame that arrived, until the last did */
};

/* Sends frames and waits until all are there, or none came for a while. */
static void send_frames(struct bench *b, uint32_t frames, struct outcome *ret)
{
	uint8_t frame[FORWARD_FRAME_BYTES] = { 0 };
	struct xdp_md ctx = { .data_end = sizeof(frame), .ingress_ifindex = (uint32_t)b->gen_ifindex };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = sizeof(frame), .ctx_in = &ctx,
		    .ctx_size_in = sizeof(ctx), .repeat = (int)frames, .flags = BPF_F_TEST_XDP_LIVE_FRAMES,
		    .batch_size = BATCH);
	struct forward_count before, now;
	uint64_t start, end, last, cpu_start = cpu_ns(b), cpu_end;
	int err;

	read_counts(b, &before);
	start = now_ns();
	err = bpf_prog_test_run_opts(b->gen_fd, &opts);
	if (err)
		fail("sending live frames: %s", strerror(-err));
	end = last = now_ns();
	cpu_end = cpu_ns(b);
	read_counts(b, &now);
	for (uint64_t seen = now.arrived; seen - before.arrived < frames && now_ns() - last < SETTLE_MS * 1000000u;) {
		usleep(50);
		read_counts(b, &now);
		if (now.arrived != seen) {
			end = last = now_ns();
			cpu_end = cpu_ns(b);
		}
		seen = now.arrived;
	}
	ret->arrived = now.arrived - before.arrived;
	ret->bad_sum = now.bad_sum - before.bad_sum;
	ret->wall_ns = ret->arrived ? (double)(end - start) / (double)ret->arrived : 0;
	ret->cpu_ns = ret->arrived ? (double)(cpu_end - cpu_start) / (double)ret->arrived : 0;
}

/* The wall clock also sees what starting a run costs (the kernel patches its text, tens of ms): taken out by a run of one batch. */
static void send_timed(struct bench *b, uint32_t frames, struct outcome *ret)
{
	struct outcome start;

	send_frames(b, BATCH, &start);
	send_frames(b, frames, ret);
	if (ret->arrived)
		ret->wall_ns -= start.wall_ns * (double)start.arrived / (double)ret->arrived;
}

static void print_outcome(const struct options *o, const char *flows, uint32_t frames, const struct outcome *out)
{
	cJSON *line = cJSON_CreateObject();
	char *text;

	cJSON_AddStringToObject(line, "path", o->name);
	cJSON_AddStringToObject(line, "flows", flows);
	cJSON_AddNumberToObject(line, "sent", frames);
	cJSON_AddNumberToObject(line, "arrived", (double)out->arrived);
	cJSON_AddNumberToObject(line, "ns", o->uses_wall ? out->wall_ns : out->cpu_ns);
	cJSON_AddNumberToObject(line, "wall_ns", out->wall_ns);
	cJSON_AddNumberToObject(line, "cpu_ns", out->cpu_ns);
	text = cJSON_PrintUnformatted(line);
	if (!text)
		fail("no memory");
	puts(text);
	free(text);
	cJSON_Delete(line);
}

/* Untimed: every frame must arrive with right checksums. */
static void check(struct bench *b, uint32_t frames, const char *flows)
{
	struct outcome out;

	b->ctl->checks = 1;
	send_frames(b, frames, &out);
	b->ctl->checks = 0;
	if (out.arrived != frames || out.bad_sum)
		fprintf(stderr, "bench/forward: %s, %s flows: %llu of %u frames arrived, %llu of them with wrong checksums\n",
			b->o->name, flows, (unsigned long long)out.arrived, frames, (unsigned long long)out.bad_sum);
	if (!out.arrived || out.bad_sum)
		exit(3);
}

static void run(struct bench *b)
{
	const struct options *o = b->o;
	struct forward_ctl *ctl = b->ctl;
	struct outcome out;

	ctl->target_be = o->target_be;
	ctl->target_port_be = htons(o->target_port);
	ctl->sink_net_be = o->sink_net_be & htonl(0xffffff00u);
	ctl->sink_port_be = htons(o->sink_port);
	memcpy(ctl->dmac, o->dmac, 6);
	memcpy(ctl->smac, o->smac, 6);
	if (o->known_frames) {
		ctl->flow_mask = KNOWN_FLOWS - 1;
		check(b, KNOWN_FLOWS, "known");
		send_timed(b, o->known_frames, &out);
		print_outcome(o, "known", o->known_frames, &out);
	}
	if (o->new_frames) {
		ctl->flow_mask = UINT32_MAX;
		ctl->next = 0;
		ctl->first_flow = o->first_new;
		check(b, KNOWN_FLOWS, "new");
		send_timed(b, o->new_frames, &out);
		print_outcome(o, "new", o->new_frames, &out);
	}
}

static void parse_mac(const char *text, uint8_t out[6])
{
	unsigned int bytes[6];

	if (sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x", &bytes[0], &bytes[1], &bytes[2], &bytes[3], &bytes[4], &bytes[5]) != 6)
		fail("%s is not a MAC address", text);
	for (int i = 0; i < 6; i++)
		out[i] = (uint8_t)bytes[i];
}

static void parse_endpoint(char *text, uint32_t *ret_addr, uint16_t *ret_port)
{
	char *colon = strchr(text, ':');

	if (colon)
		*colon = '\0';
	if (!colon || inet_pton(AF_INET, text, ret_addr) != 1 || atoi(colon + 1) < 1 || atoi(colon + 1) > 65535)
		fail("%s: ADDRESS:PORT is needed", text);
	*ret_port = (uint16_t)atoi(colon + 1);
}

static void parse_pair(char *text, const char **ret_ns, const char **ret_dev)
{
	char *colon = strchr(text, ':');

	if (!colon)
		fail("%s: NAMESPACE:DEVICE is needed", text);
	*colon = '\0';
	*ret_ns = text;
	*ret_dev = colon + 1;
}

static const struct option long_options[] = {
	{ "name", required_argument, NULL, 'n' },
	{ "from", required_argument, NULL, 'f' },
	{ "to", required_argument, NULL, 't' },
	{ "target", required_argument, NULL, 'd' },
	{ "sink", required_argument, NULL, 's' },
	{ "dmac", required_argument, NULL, 'm' },
	{ "known", required_argument, NULL, 'k' },
	{ "new", required_argument, NULL, 'w' },
	{ "first-new", required_argument, NULL, 'F' },
	{ "cpu", required_argument, NULL, 'c' },
	{ "wall", no_argument, NULL, 'W' },
	{ NULL, 0, NULL, 0 },
};

static void parse_options(struct options *o, int argc, char **argv)
{
	int option;

	*o = (struct options){ .name = "?", .smac = { 2, 0, 0, 0, 0, 2 } };
	while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		switch (option) {
		case 'n':
			o->name = optarg;
			break;
		case 'f':
			parse_pair(optarg, &o->gen_ns, &o->gen_dev);
			break;
		case 't':
			parse_pair(optarg, &o->sink_ns, &o->sink_dev);
			break;
		case 'd':
			parse_endpoint(optarg, &o->target_be, &o->target_port);
			break;
		case 's':
			parse_endpoint(optarg, &o->sink_net_be, &o->sink_port);
			break;
		case 'm':
			parse_mac(optarg, o->dmac);
			break;
		case 'k':
			o->known_frames = (uint32_t)strtoul(optarg, NULL, 10);
			break;
		case 'w':
			o->new_frames = (uint32_t)strtoul(optarg, NULL, 10);
			break;
		case 'F':
			o->first_new = strtoull(optarg, NULL, 10);
			break;
		case 'W':
			o->uses_wall = true;
			break;
		case 'c':
			o->cpu = atoi(optarg);
			break;
		default:
			exit(2);
		}
	}
	if (!o->gen_ns || !o->sink_ns || !o->target_be || !o->sink_net_be)
		fail("usage: forward --name TEXT --from NS:DEV --to NS:DEV --target ADDR:PORT --sink ADDR:PORT --dmac MAC [--known FRAMES] "
		     "[--new FRAMES --first-new FLOW] [--cpu N] [--wall]; bench/forward/run.sh calls it");
}

int main(int argc, char **argv)
{
	struct options o;
	struct bench b = { .o = &o };
	cpu_set_t set;

	parse_options(&o, argc, argv);
	CPU_ZERO(&set);
	CPU_SET((unsigned int)o.cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		fail("CPU %d cannot be used", o.cpu);
	/* other work must not come between: packet work that is pending is then done in that work's time, and is not seen */
	if (sched_setscheduler(0, SCHED_FIFO, &(struct sched_param){ .sched_priority = 1 }))
		fprintf(stderr, "bench/forward: no real-time priority (%s): results are noisier\n", strerror(errno));
	b.softirq_fd = open_softirq(o.cpu);
	if (b.softirq_fd < 0)
		o.uses_wall = true;
	load(&b);
	attach(&b);
	run(&b);
	free(b.counts);
	return 0;
}
