// SPDX-License-Identifier: BSD-2-Clause
/* Options, listeners, the loop, and the statistics as one line of JSON at the end. */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cjson/cJSON.h>

#include "bench/pod/pod.h"

struct pod pod = { .epoll_fd = -1,
		   .id = 1,
		   .model = { .seed = 1, .scale = 1 },
		   .concurrency = 1,
		   .stream_chunk_bytes = 1024,
		   .stream_interval_ms = 10 };
static const char *const mode_names[] = { "queue", "echo", "stream", "count", "silent", "probe" };
static bool ending;

static const char usage[] =
	"Usage: pod [OPTION]... --listen MODE:tcp|udp:PORT [--listen ...]\n"
	"  MODE  queue (requests wait for service), echo, stream (numbered bytes), count (bytes up to FIN come back), silent,\n"
	"        probe (UDP: how many requests are there, and how long they take)\n"
	"  --id N              number of the pod in its answers (1)\n"
	"  --base-ms MS        a request needs MS + 3 ms + U(0, 50) ms of work; without it, none\n"
	"  --seed N            of the work (1)\n"
	"  --scale X           all work times X (1)\n"
	"  --shared-draws      the work of a request is the same in every pod but for MS, else each pod draws\n"
	"  --concurrency N     requests served at once (1)\n"
	"  --speeds FILE       how fast it works over time, of `load speeds`, from --start-ns NS (CLOCK_MONOTONIC) on\n"
	"  --stream-bytes N    of a stream, at each interval (1024)\n"
	"  --stream-ms MS      the interval (10); 0 writes as fast as the client reads\n"
	"SIGTERM or SIGINT ends it; the statistics then go to standard output as JSON.\n";

uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void die(const char *what, int err)
{
	fprintf(stderr, "pod %u: %s: %s\n", pod.id, what, strerror(err));
	exit(1);
}

int handler__watch(struct handler *handler, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = handler };

	return epoll_ctl(pod.epoll_fd, EPOLL_CTL_ADD, handler->fd, &event);
}

void handler__change(struct handler *handler, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = handler };

	if (epoll_ctl(pod.epoll_fd, EPOLL_CTL_MOD, handler->fd, &event))
		die("epoll_ctl", errno);
}

/* A decimal number up to `most`, or the program ends. */
static uint64_t number(const char *option, const char *text, uint64_t most)
{
	char *end;
	unsigned long long value;

	errno = 0;
	value = strtoull(text, &end, 10);
	if (errno || end == text || *end || *text == '-' || value > most) {
		fprintf(stderr, "pod: %s '%s': expected a number up to %llu\n", option, text, (unsigned long long)most);
		exit(2);
	}
	return value;
}

static double real(const char *option, const char *text, double least, double most)
{
	char *end;
	double value = strtod(text, &end);

	if (end == text || *end || !(value >= least && value <= most)) {
		fprintf(stderr, "pod: %s '%s': expected a number from %g to %g\n", option, text, least, most);
		exit(2);
	}
	return value;
}

/* After --id, which says whose lines. */
static void read_speeds(const char *path)
{
	FILE *file = fopen(path, "re");
	unsigned long line = 0;
	int err;

	if (!file)
		die(path, errno);
	err = speed__read(&pod.speed, file, pod.id, &line);
	if (line)
		fprintf(stderr, "pod: %s:%lu: expected 'AT_NS POD SPEED', times rising for each pod\n", path, line);
	if (err)
		die(path, -err);
	fclose(file);
}

/* A socket bound to `port` on every address of the namespace, IPv4 only where it has no IPv6. */
static int bound_socket(bool udp, uint16_t port)
{
	struct sockaddr_in6 any6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	struct sockaddr_in any4 = { .sin_family = AF_INET, .sin_port = htons(port) };
	int type = (udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_NONBLOCK | SOCK_CLOEXEC, zero = 0, one = 1;
	int fd = socket(AF_INET6, type, 0);

	if (fd >= 0) {
		if (!setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof(zero)) &&
		    !setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) &&
		    !bind(fd, (struct sockaddr *)&any6, sizeof(any6)))
			return fd;
		close(fd);
	}
	fd = socket(AF_INET, type, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) ||
	    bind(fd, (struct sockaddr *)&any4, sizeof(any4)))
		die("bind", errno);
	return fd;
}

static void add_listener(const char *text)
{
	char name[16], proto[4];
	unsigned int port;
	int end = 0;

	if (sscanf(text, "%15[a-z]:%3[a-z]:%u%n", name, proto, &port, &end) == 3 && !text[end] && port && port < 65536) {
		bool udp = !strcmp(proto, "udp");
		size_t mode = 0;

		for (; mode < sizeof(mode_names) / sizeof(*mode_names); mode++)
			if (!strcmp(mode_names[mode], name))
				break;
		if (udp && (mode == MODE_QUEUE || mode == MODE_ECHO || mode == MODE_SILENT || mode == MODE_PROBE)) {
			udp__listen((enum mode)mode, bound_socket(true, (uint16_t)port));
			return;
		}
		if (!udp && !strcmp(proto, "tcp") && mode < MODE_PROBE) {
			conn__listen((enum mode)mode, bound_socket(false, (uint16_t)port));
			return;
		}
	}
	fprintf(stderr, "pod: --listen '%s': expected MODE:tcp:PORT, or queue, echo, silent or probe:udp:PORT\n", text);
	exit(2);
}

static void ended(struct handler *handler, uint32_t events)
{
	(void)handler;
	(void)events;
	ending = true;
}

static struct handler signals = { .ready = ended };

static void init(void)
{
	struct rlimit files;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	if (!getrlimit(RLIMIT_NOFILE, &files)) {
		files.rlim_cur = files.rlim_max;
		/* the default limit still serves; running out is counted */
		(void)setrlimit(RLIMIT_NOFILE, &files);
	}
	pod.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	pod.spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	signals.fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (pod.epoll_fd < 0 || pod.spare_fd < 0 || signals.fd < 0 || handler__watch(&signals, EPOLLIN))
		die("set-up", errno);
	queue__init();
	conn__streams_init();
}

static const struct option options[] = {
	{ "listen", required_argument, NULL, 'l' },
	{ "id", required_argument, NULL, 'i' },
	{ "base-ms", required_argument, NULL, 'b' },
	{ "seed", required_argument, NULL, 's' },
	{ "scale", required_argument, NULL, 'x' },
	{ "shared-draws", no_argument, NULL, 'S' },
	{ "concurrency", required_argument, NULL, 'c' },
	{ "speeds", required_argument, NULL, 'v' },
	{ "start-ns", required_argument, NULL, 't' },
	{ "stream-bytes", required_argument, NULL, 'n' },
	{ "stream-ms", required_argument, NULL, 'm' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

/* Options of the work; false when it is none of these. */
static bool take_work_option(int option, const char *value)
{
	switch (option) {
	case 'b':
		pod.timed = true;
		pod.model.base_ns = number("--base-ms", value, 3600000) * 1000000u;
		return true;
	case 's':
		pod.model.seed = number("--seed", value, UINT64_MAX);
		return true;
	case 'x':
		pod.model.scale = real("--scale", value, 1e-6, 1e3);
		return true;
	case 'S':
		pod.model.shared = true;
		return true;
	case 'c':
		pod.concurrency = (uint32_t)number("--concurrency", value, 1000000);
		return true;
	case 't':
		pod.start_ns = number("--start-ns", value, UINT64_MAX);
		return true;
	default:
		return false;
	}
}

/* Everything but the listeners, which need the rest first. Returns how many there are. */
static int parse_options(int argc, char **argv)
{
	const char *speeds = NULL;
	int option, listeners = 0;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 'l':
			listeners++;
			break;
		case 'i':
			pod.id = (uint32_t)number("--id", optarg, UINT32_MAX);
			break;
		case 'v':
			speeds = optarg;
			break;
		case 'n':
			pod.stream_chunk_bytes = (uint32_t)number("--stream-bytes", optarg, 1u << 30);
			break;
		case 'm':
			pod.stream_interval_ms = (uint32_t)number("--stream-ms", optarg, 3600000);
			break;
		case 'h':
			fputs(usage, stdout);
			exit(0);
		default:
			if (!take_work_option(option, optarg))
				return 0;
		}
	}
	if (speeds)
		read_speeds(speeds);
	return optind == argc && pod.concurrency && pod.stream_chunk_bytes ? listeners : 0;
}

static int print_stats(void)
{
	const struct pod_stats *stats = &pod.stats;
	cJSON *json = cJSON_CreateObject();
	char *text;

	cJSON_AddNumberToObject(json, "pod", pod.id);
	cJSON_AddNumberToObject(json, "connections", (double)stats->connections);
	cJSON_AddNumberToObject(json, "requests", (double)stats->requests);
	cJSON_AddNumberToObject(json, "answered", (double)stats->answered);
	cJSON_AddNumberToObject(json, "abandoned", (double)stats->abandoned);
	cJSON_AddNumberToObject(json, "bad", (double)stats->bad);
	cJSON_AddNumberToObject(json, "refused", (double)stats->refused);
	cJSON_AddNumberToObject(json, "rx_bytes", (double)stats->rx_bytes);
	cJSON_AddNumberToObject(json, "tx_bytes", (double)stats->tx_bytes);
	cJSON_AddNumberToObject(json, "datagrams", (double)stats->datagrams);
	cJSON_AddNumberToObject(json, "probes", (double)stats->probes);
	cJSON_AddNumberToObject(json, "queue_max", stats->queue_max);
	text = cJSON_PrintUnformatted(json);
	cJSON_Delete(json);
	if (!text || puts(text) < 0 || fflush(stdout))
		return 1;
	cJSON_free(text);
	return 0;
}

int main(int argc, char **argv)
{
	struct epoll_event events[64];
	int option;

	if (!parse_options(argc, argv)) {
		fputs(usage, stderr);
		return 2;
	}
	init();
	optind = 0;
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
		if (option == 'l')
			add_listener(optarg);
	while (!ending) {
		int ready = epoll_wait(pod.epoll_fd, events, 64, -1);

		if (ready < 0 && errno != EINTR)
			die("epoll_wait", errno);
		for (int i = 0; i < ready; i++) {
			struct handler *handler = events[i].data.ptr;

			handler->ready(handler, events[i].events);
		}
		queue__turn();
		conn__reap();
	}
	speed__free(&pod.speed);
	return print_stats();
}
