// SPDX-License-Identifier: BSD-2-Clause
/* Verbs and options. */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/load/load.h"

static const char usage[] =
	"Usage: load VERB [OPTION]...\n"
	"  arrivals  print arrival times: --rate R --seconds S --seed N, or --bursts K --burst-size N --gap-s S; --first-id N\n"
	"  run       send requests, open loop: --target ADDR:PORT and --arrivals FILE or the options of `arrivals`\n"
	"              --keepalive N requests a connection, --interval-ms MS apart; --body BYTES of each answer\n"
	"              --udp; --reset (close by RST); --timeout-s S (60); --source ADDR; --records FILE (JSON lines)\n"
	"              --start-ns NS: time 0 of the arrivals (CLOCK_MONOTONIC; see `clock`)\n"
	"              --pod-at ADDR:PORT... --probe-port PORT instead of --target: chooses a pod as Prequal does\n"
	"  replay    the same arrivals in a model: --arrivals FILE --policy sed|score|leastconn|rr|recorded --seed N\n"
	"              --pod ID:BASE_MS[:CONCURRENCY]..., --externality X (1), --first-pod INDEX, --ties N ways to break ties\n"
	"              --scale X, --shared-draws, --speeds FILE: as the pods were told\n"
	"              --records FILE: read by `recorded`, else written\n"
	"  speeds    print how fast pods work over time: --pods N --seconds S --unit-ms MS --seed N; full speed for 4 units in the\n"
	"              mean, 0.6 for 2 or 0.25 for 1\n"
	"  clock     print CLOCK_MONOTONIC in nanoseconds\n"
	"  udp       numbered datagrams to an echo server: --target --rate PPS --seconds S --connections N (1) --body BYTES (64)\n"
	"  stream    check the streams of a stream server: --target --connections N --seconds S\n"
	"  send      upload to a count server: --target --bytes N --timeout-s S\n"
	"Results are JSON on standard output. Failed requests are results; the exit code says only whether the run was made.\n";

static const struct option long_options[] = {
	{ "target", required_argument, NULL, 't' },
	{ "arrivals", required_argument, NULL, 'a' },
	{ "rate", required_argument, NULL, 'r' },
	{ "seconds", required_argument, NULL, 's' },
	{ "seed", required_argument, NULL, 'S' },
	{ "bursts", required_argument, NULL, 'b' },
	{ "burst-size", required_argument, NULL, 'B' },
	{ "gap-s", required_argument, NULL, 'g' },
	{ "first-id", required_argument, NULL, 'i' },
	{ "keepalive", required_argument, NULL, 'k' },
	{ "interval-ms", required_argument, NULL, 'm' },
	{ "body", required_argument, NULL, 'n' },
	{ "udp", no_argument, NULL, 'u' },
	{ "reset", no_argument, NULL, 'R' },
	{ "timeout-s", required_argument, NULL, 'T' },
	{ "source", required_argument, NULL, 'f' },
	{ "records", required_argument, NULL, 'o' },
	{ "policy", required_argument, NULL, 'p' },
	{ "pod", required_argument, NULL, 'P' },
	{ "externality", required_argument, NULL, 'x' },
	{ "first-pod", required_argument, NULL, 'F' },
	{ "ties", required_argument, NULL, 'q' },
	{ "scale", required_argument, NULL, 'X' },
	{ "shared-draws", no_argument, NULL, 'D' },
	{ "speeds", required_argument, NULL, 'v' },
	{ "pods", required_argument, NULL, 'N' },
	{ "unit-ms", required_argument, NULL, 'U' },
	{ "start-ns", required_argument, NULL, 'z' },
	{ "pod-at", required_argument, NULL, 'A' },
	{ "probe-port", required_argument, NULL, 'O' },
	{ "connections", required_argument, NULL, 'c' },
	{ "bytes", required_argument, NULL, 'y' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

static void bad(const char *what, const char *value) __attribute__((noreturn));
static void bad(const char *what, const char *value)
{
	fprintf(stderr, "load: %s '%s' (load --help lists the options)\n", what, value);
	exit(2);
}

static uint64_t integer(const char *text, uint64_t least, uint64_t most)
{
	unsigned long long value;
	char *end;

	errno = 0;
	value = strtoull(text, &end, 10);
	if (errno || end == text || *end || *text == '-' || value < least || value > most)
		bad("bad or out of range number", text);
	return value;
}

static double real(const char *text, double least, double most)
{
	char *end;
	double value = strtod(text, &end);

	if (end == text || *end || !isfinite(value) || value < least || value > most)
		bad("bad or out of range number", text);
	return value;
}

/* "1.2.3.4:80", "[fd00::1]:80"; without port when `with_port` is false, "1.2.3.4" and "fd00::1". */
static socklen_t parse_address(const char *text, bool with_port, struct sockaddr_storage *out)
{
	struct sockaddr_in *in4 = (struct sockaddr_in *)out;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)out;
	char host[64];
	size_t bytes = strlen(text);
	uint16_t port = 0;

	if (with_port) {
		const char *colon = strrchr(text, ':');

		if (!colon)
			bad("expected ADDRESS:PORT, got", text);
		port = (uint16_t)integer(colon + 1, 1, 65535);
		bytes = (size_t)(colon - text);
		if (bytes > 2 && text[0] == '[' && text[bytes - 1] == ']') {
			text++;
			bytes -= 2;
		}
	}
	if (bytes >= sizeof(host))
		bad("bad address", text);
	memcpy(host, text, bytes);
	host[bytes] = 0;
	memset(out, 0, sizeof(*out));
	if (inet_pton(AF_INET, host, &in4->sin_addr) == 1) {
		in4->sin_family = AF_INET;
		in4->sin_port = htons(port);
		return sizeof(*in4);
	}
	if (inet_pton(AF_INET6, host, &in6->sin6_addr) != 1)
		bad("bad address", host);
	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons(port);
	return sizeof(*in6);
}

static void add_pod(struct options *options, const char *text)
{
	struct replay_pod *pods = realloc(options->pods, (options->nr_pods + 1) * sizeof(*pods));
	unsigned int id, base_ms, concurrency = 1;
	int end = 0;

	if (!pods)
		fatal("out of memory", 0);
	options->pods = pods;
	if (sscanf(text, "%u:%u%n", &id, &base_ms, &end) != 2 ||
	    (text[end] && (sscanf(text, "%u:%u:%u%n", &id, &base_ms, &concurrency, &end) != 3 || text[end])) || !concurrency ||
	    concurrency > 100000)
		bad("expected ID:BASE_MS[:CONCURRENCY], got", text);
	pods[options->nr_pods++] = (struct replay_pod){ .id = id, .base_ns = base_ms * NS_PER_MS, .concurrency = concurrency };
}

static void add_pod_at(struct options *options, const char *text)
{
	struct sockaddr_storage *pods = realloc(options->pods_at, (options->nr_pods_at + 1) * sizeof(*pods));

	if (!pods)
		fatal("out of memory", 0);
	options->pods_at = pods;
	(void)parse_address(text, true, &pods[options->nr_pods_at++]);
}

/* Options of `run` and what it shares with the rest; false when it is none of these. */
static bool take_run_option(struct options *o, int option, const char *value)
{
	switch (option) {
	case 't':
		o->target_bytes = parse_address(value, true, &o->target);
		return true;
	case 'f':
		o->source_bytes = parse_address(value, false, &o->source);
		return true;
	case 'k':
		o->keepalive = (unsigned int)integer(value, 1, 1000000);
		return true;
	case 'm':
		o->interval_ms = (unsigned int)integer(value, 0, 3600000);
		return true;
	case 'n':
		o->body_bytes = (unsigned int)integer(value, 0, 64u << 20);
		return true;
	case 'u':
		o->udp = true;
		return true;
	case 'R':
		o->reset = true;
		return true;
	case 'T':
		o->timeout_s = real(value, 0.001, 86400);
		return true;
	case 'o':
		o->records_path = value;
		return true;
	case 'c':
		o->connections = (unsigned int)integer(value, 1, 1000000);
		return true;
	case 'y':
		o->bytes = integer(value, 0, 1ull << 50);
		return true;
	default:
		return false;
	}
}

static bool take_arrivals_option(struct options *o, int option, const char *value)
{
	switch (option) {
	case 'a':
		o->arrivals_path = value;
		return true;
	case 'r':
		o->rate = real(value, 1e-6, 1e7);
		return true;
	case 's':
		o->seconds = real(value, 0.001, 1e6);
		return true;
	case 'S':
		o->seed = integer(value, 0, UINT64_MAX);
		return true;
	case 'b':
		o->bursts = (unsigned int)integer(value, 1, 100000);
		return true;
	case 'B':
		o->burst_size = (unsigned int)integer(value, 1, 1000000);
		return true;
	case 'g':
		o->gap_s = real(value, 0, 86400);
		return true;
	case 'i':
		o->first_id = integer(value, 0, UINT32_MAX);
		return true;
	default:
		return false;
	}
}

static bool take_replay_option(struct options *o, int option, const char *value)
{
	switch (option) {
	case 'p':
		o->policy = value;
		return true;
	case 'P':
		add_pod(o, value);
		return true;
	case 'x':
		o->externality = real(value, 0, 100);
		return true;
	case 'F':
		o->first_pod = (unsigned int)integer(value, 0, 100000);
		return true;
	case 'q':
		o->ties = (unsigned int)integer(value, 1, 1000000);
		return true;
	case 'X':
		o->scale = real(value, 1e-6, 1e3);
		return true;
	case 'D':
		o->shared_draws = true;
		return true;
	case 'v':
		o->speeds_path = value;
		return true;
	default:
		return false;
	}
}

/* Of changing speeds, and of Prequal. */
static bool take_route_option(struct options *o, int option, const char *value)
{
	switch (option) {
	case 'N':
		o->drawn_pods = (unsigned int)integer(value, 1, 10000);
		return true;
	case 'U':
		o->unit_ms = integer(value, 1, 86400000);
		return true;
	case 'z':
		o->start_ns = integer(value, 1, UINT64_MAX);
		return true;
	case 'A':
		add_pod_at(o, value);
		return true;
	case 'O':
		o->probe_port = (uint16_t)integer(value, 1, 65535);
		return true;
	default:
		return false;
	}
}

static void parse_options(struct options *options, int argc, char **argv)
{
	int option;

	while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		if (option == 'h') {
			fputs(usage, stdout);
			exit(0);
		}
		if (!take_run_option(options, option, optarg) && !take_arrivals_option(options, option, optarg) &&
		    !take_replay_option(options, option, optarg) && !take_route_option(options, option, optarg))
			exit(2); /* getopt said why */
	}
	if (optind < argc)
		bad("unexpected word", argv[optind]);
}

static int arrivals_main(const struct options *options)
{
	struct arrivals arrivals;

	if (options->bursts)
		arrivals__bursts(&arrivals, options->bursts, options->burst_size, options->gap_s, options->first_id);
	else
		arrivals__poisson(&arrivals, options->rate, options->seconds, options->seed, options->first_id);
	arrivals__write(&arrivals, stdout);
	free(arrivals.list);
	return 0;
}

static int speeds_main(const struct options *options)
{
	for (uint32_t pod = 1; pod <= options->drawn_pods; pod++) {
		struct speed speed;
		int err = speed__draw(&speed, options->seed, pod, options->unit_ms * NS_PER_MS,
				      (uint64_t)(options->seconds * 1e9));

		if (err)
			fatal("speeds", -err);
		speed__write(&speed, pod, stdout);
		speed__free(&speed);
	}
	return 0;
}

static int clock_main(const struct options *options)
{
	(void)options;
	printf("%llu\n", (unsigned long long)now_ns());
	return 0;
}

static const char *missing_for_speeds(const struct options *o)
{
	return o->drawn_pods && o->unit_ms && o->seconds > 0 ? NULL : "--pods, --unit-ms and --seconds";
}

static const char *missing_for_clock(const struct options *o)
{
	(void)o;
	return NULL;
}

static bool makes_arrivals(const struct options *o)
{
	return (o->rate > 0 && o->seconds > 0) || (o->bursts && o->burst_size);
}

/* What a verb cannot do without: NULL, or what is missing. */
static const char *missing_for_arrivals(const struct options *o)
{
	return makes_arrivals(o) ? NULL : "--rate and --seconds, or --bursts and --burst-size";
}

static const char *missing_for_replay(const struct options *o)
{
	if (!o->arrivals_path || !o->policy || !o->nr_pods)
		return "--arrivals, --policy and --pod";
	return !strcmp(o->policy, "recorded") && !o->records_path ? "--records" : NULL;
}

static const char *missing_target(const struct options *o)
{
	if (!o->target_bytes)
		return "--target";
	return o->source_bytes && o->source.ss_family != o->target.ss_family ? "--source of the family of --target" : NULL;
}

static const char *missing_for_run(const struct options *o)
{
	if (!o->arrivals_path && !makes_arrivals(o))
		return "--arrivals, or --rate and --seconds, or --bursts and --burst-size";
	if (!o->nr_pods_at)
		return missing_target(o);
	if (o->target_bytes || !o->probe_port || o->udp)
		return "--pod-at with --probe-port, without --target and --udp";
	for (size_t i = 0; i < o->nr_pods_at; i++)
		if (o->source_bytes && o->source.ss_family != o->pods_at[i].ss_family)
			return "--source of the family of every --pod-at";
	return NULL;
}

static const char *missing_for_udp(const struct options *o)
{
	if (o->rate * o->seconds < 1 || o->rate * o->seconds > 1e9)
		return "--rate and --seconds for 1 to 1e9 datagrams";
	if (o->body_bytes < 16 || o->body_bytes > 65507)
		return "--body of 16 to 65507 bytes";
	return missing_target(o);
}

static const char *missing_for_stream(const struct options *o)
{
	return o->seconds > 0 ? missing_target(o) : "--seconds";
}

static const struct verb {
	const char *name;
	int (*main)(const struct options *options);
	const char *(*missing)(const struct options *options);
} verbs[] = {
	{ "arrivals", arrivals_main, missing_for_arrivals }, { "run", run__main, missing_for_run },
	{ "replay", replay__main, missing_for_replay },	     { "udp", udp__main, missing_for_udp },
	{ "stream", stream__main, missing_for_stream },	     { "send", send__main, missing_target },
	{ "speeds", speeds_main, missing_for_speeds },	     { "clock", clock_main, missing_for_clock },
};

int main(int argc, char **argv)
{
	struct options options = {
		.seed = 1, .timeout_s = 60, .externality = 1, .scale = 1, .keepalive = 1, .connections = 1, .ties = 1
	};
	const struct verb *verb = NULL;
	const char *lacks;
	int result;

	for (size_t i = 0; argc > 1 && i < sizeof(verbs) / sizeof(*verbs); i++)
		if (!strcmp(verbs[i].name, argv[1]))
			verb = &verbs[i];
	if (!verb) {
		bool help = argc > 1 && !strcmp(argv[1], "--help");

		fputs(usage, help ? stdout : stderr);
		return help ? 0 : 2;
	}
	if (!strcmp(verb->name, "udp"))
		options.body_bytes = 64;
	parse_options(&options, argc - 1, argv + 1);
	lacks = verb->missing(&options);
	if (lacks) {
		fprintf(stderr, "load %s: needs %s\n", verb->name, lacks);
		return 2;
	}
	result = verb->main(&options);
	free(options.pods);
	free(options.pods_at);
	if (fflush(stdout) || ferror(stdout))
		fatal("writing results", errno);
	return result;
}
