/* SPDX-License-Identifier: BSD-2-Clause */
#include "agent/eventlog.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/if_ether.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/clock.h"
#include "agent/endpoint.h"
#include "agent/log.h"
#include "agent/out.h"
#include "agent/paths.h"
#include "agent/rundir.h"
#include "pintle/verdict.h"

#define EVENTLOG_MAX_BYTES (4l << 20)
#define EVENTLOG_PER_SECOND 100 /* lines of one type: a full table evicts at line rate */

struct eventlog {
	char path[PATH_MAX], old_path[PATH_MAX];
	FILE *file;		       /* NULL while it cannot be opened */
	long bytes;		       /* of the file */
	uint64_t lost;		       /* lines that could not be written */
	const struct table_maps *maps; /* for addresses; may be NULL */
	struct {
		uint64_t second;
		uint32_t lines;
		uint64_t suppressed;
	} rate[PINTLE_EVENT_MAX];
};

int eventlog__path(const char *run_dir, const char *pin_dir, char *out, size_t out_bytes)
{
	return rundir__path(run_dir, "events", pin_dir, ".jsonl", out, out_bytes);
}

/* ---- file ---- */

static int eventlog__reopen(struct eventlog *log)
{
	/* Non-blocking: a FIFO that nobody reads would hold the agent up. */
	int fd = open(log->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0640);
	struct stat st;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) || !S_ISREG(st.st_mode)) {
		close(fd);
		return -EINVAL;
	}
	log->file = fdopen(fd, "a");
	if (!log->file) {
		close(fd);
		return -ENOMEM;
	}
	log->bytes = (long)lseek(fd, 0, SEEK_END);
	return 0;
}

static void eventlog__rotate(struct eventlog *log)
{
	if (log->bytes < EVENTLOG_MAX_BYTES)
		return;
	/* If it cannot be renamed it is emptied: the bound counts for more. */
	if (rename(log->path, log->old_path) && ftruncate(fileno(log->file), 0))
		log_warn_limited("event log cannot be rotated", log_str("file", log->path), log_str("reason", strerror(errno)));
	fclose(log->file);
	log->file = NULL;
}

int eventlog__open(const char *run_dir, const char *pin_dir, struct eventlog **ret_log, struct pintle_err *err)
{
	struct eventlog *log;
	int error = rundir__make(run_dir, err);

	if (error)
		return error;
	log = calloc(1, sizeof(*log));
	if (!log)
		return pintle_err__set(err, -ENOMEM, "event log: out of memory");
	error = eventlog__path(run_dir, pin_dir, log->path, sizeof(log->path));
	if (!error)
		error = rundir__path(run_dir, "events", pin_dir, ".jsonl.1", log->old_path, sizeof(log->old_path));
	if (!error)
		error = eventlog__reopen(log);
	if (error) {
		pintle_err__set(err, error, "event log in %s: %s; choose another directory with --run-dir", run_dir,
				strerror(-error));
		free(log);
		return error;
	}
	*ret_log = log;
	return 0;
}

void eventlog__close(struct eventlog *log)
{
	if (!log)
		return;
	if (log->file)
		fclose(log->file);
	free(log);
}

void eventlog__set_maps(struct eventlog *log, const struct table_maps *maps)
{
	log->maps = maps;
}

uint64_t eventlog__lost(const struct eventlog *log)
{
	return log->lost;
}

static struct out *eventlog__begin(struct eventlog *log, uint64_t realtime_ns, const char *type)
{
	char time[CLOCK_TEXT_BYTES];
	struct out *out = NULL;

	if (log->file)
		eventlog__rotate(log);
	if (log->file || !eventlog__reopen(log))
		out = out__open(log->file, OUT_JSONL);
	if (!out) {
		log->lost++;
		return NULL;
	}
	clock__format(realtime_ns, time);
	out__record(out, NULL, NULL);
	out__str(out, "time", NULL, time);
	out__str(out, "type", NULL, type);
	return out;
}

static void eventlog__commit(struct eventlog *log, struct out *out)
{
	long before = log->bytes;
	int error;

	out__end(out);
	error = out__close(out);
	log->bytes = (long)lseek(fileno(log->file), 0, SEEK_END);
	if (!error)
		return;
	log->lost++;
	__fpurge(log->file);
	clearerr(log->file);
	/* Half a line would spoil the next one too. */
	if (log->bytes > before && ftruncate(fileno(log->file), before) == 0)
		log->bytes = before;
	log_warn_limited("event not recorded", log_str("file", log->path), log_str("reason", strerror(-error)));
}

/* ---- events of the programs ---- */

static const char *verdict_label(uint32_t verdict)
{
	static const char *const labels[] = {
		"continue",
#define PINTLE_VERDICT(name, direction, action, label, help) label,
#include "pintle/verdict.def"
#undef PINTLE_VERDICT
	};

	return verdict && verdict < PINTLE_V_MAX ? labels[verdict] : NULL;
}

static bool eventlog__allowed(struct eventlog *log, uint32_t type, uint64_t realtime_ns, uint64_t *ret_suppressed)
{
	uint64_t second = realtime_ns / 1000000000;

	if (log->rate[type].second != second) {
		log->rate[type].second = second;
		log->rate[type].lines = 0;
	}
	if (log->rate[type].lines >= EVENTLOG_PER_SECOND) {
		log->rate[type].suppressed++;
		return false;
	}
	log->rate[type].lines++;
	*ret_suppressed = log->rate[type].suppressed;
	log->rate[type].suppressed = 0;
	return true;
}

/* Source and destination of the packet's head, as far as they are there. */
static void eventlog__put_packet(struct out *out, const struct pintle_event *event)
{
	size_t copied = event->copied_bytes < sizeof(event->packet) ? event->copied_bytes : sizeof(event->packet);
	const uint8_t *l3 = event->packet + event->l3_offset;
	size_t bytes = event->l3_offset < copied ? copied - event->l3_offset : 0, l3_bytes;
	struct endpoint source = { 0 }, destination = { 0 };
	char text[ENDPOINT_BYTES];
	bool is_v4 = bytes >= sizeof(struct iphdr) && l3[0] >> 4 == 4;

	if (!is_v4 && !(bytes >= sizeof(struct ip6_hdr) && l3[0] >> 4 == 6))
		return;
	source.addr.family = destination.addr.family = is_v4 ? 4 : 6;
	memcpy(source.addr.bytes, l3 + (is_v4 ? 12 : 8), is_v4 ? 4 : 16);
	memcpy(destination.addr.bytes, l3 + (is_v4 ? 16 : 24), is_v4 ? 4 : 16);
	source.proto = destination.proto = is_v4 ? l3[9] : l3[6];
	l3_bytes = is_v4 ? (size_t)(l3[0] & 15) * 4 : sizeof(struct ip6_hdr);
	if (l3_bytes + 4 <= bytes) {
		source.port = (uint16_t)(l3[l3_bytes] << 8 | l3[l3_bytes + 1]);
		destination.port = (uint16_t)(l3[l3_bytes + 2] << 8 | l3[l3_bytes + 3]);
	}
	endpoint__format(&source, text);
	out__str(out, "source", NULL, text);
	endpoint__format(&destination, text);
	out__str(out, "destination", NULL, text);
	out__u64(out, "packet_bytes", NULL, event->packet_bytes);
}

static void eventlog__put_pod(struct out *out, const struct table_maps *maps, uint16_t id)
{
	char text[ENDPOINT_BYTES];
	struct endpoint e;

	out__u64(out, "pod_id", NULL, id);
	if (!maps || id >= maps->meta->max_pods || !maps->pods[id].family)
		return;
	e = endpoint__from_words(maps->pods[id].family, maps->pods[id].addr_be, maps->pods[id].port_be, 0);
	endpoint__format(&e, text);
	out__str(out, "pod", NULL, text);
}

static void eventlog__put_frontend(struct out *out, const struct table_maps *maps, uint16_t id)
{
	char text[ENDPOINT_BYTES];
	struct endpoint e;

	if (id == UINT16_MAX)
		return;
	out__u64(out, "frontend_id", NULL, id);
	if (!maps || id >= maps->meta->max_frontends || !maps->frontends[id].family)
		return;
	e = endpoint__from_words(maps->frontends[id].family, maps->frontends[id].addr_be, maps->frontends[id].port_be,
				 maps->frontends[id].proto);
	endpoint__format(&e, text);
	out__str(out, "frontend", NULL, text);
}

void eventlog__packet(struct eventlog *log, const struct pintle_event *event)
{
	static const char *const types[PINTLE_EVENT_MAX] = { "?", "reject", "evicted", "table_full" };
	uint64_t now_ns = clock__realtime_ns(), mono_ns = clock__monotonic_ns(), suppressed = 0;
	struct out *out;

	if (!event->type || event->type >= PINTLE_EVENT_MAX || !eventlog__allowed(log, event->type, now_ns, &suppressed))
		return;
	/* The programs' clock is the monotonic one. */
	out = eventlog__begin(log, mono_ns > event->time_ns ? now_ns - (mono_ns - event->time_ns) : now_ns, types[event->type]);
	if (!out)
		return;
	if (verdict_label(event->verdict))
		out__str(out, "verdict", NULL, verdict_label(event->verdict));
	if (event->ifindex)
		out__u64(out, "ifindex", NULL, event->ifindex);
	if (event->type == PINTLE_EVENT_EVICTED)
		eventlog__put_pod(out, log->maps, event->pod);
	eventlog__put_frontend(out, log->maps, event->frontend);
	if (event->type != PINTLE_EVENT_REJECT)
		out__fmt(out, "key", NULL, "%016" PRIx64, (uint64_t)event->key);
	if (event->copied_bytes)
		eventlog__put_packet(out, event);
	if (suppressed)
		out__u64(out, "suppressed", NULL, suppressed);
	eventlog__commit(log, out);
}

void eventlog__alarm(struct eventlog *log, const struct paths_alarm *alarm)
{
	struct out *out = eventlog__begin(log, clock__realtime_ns(), "alarm");

	if (!out)
		return;
	out__str(out, "text", NULL, alarm->text);
	out__str(out, "device", NULL, alarm->device);
	out__u64(out, "ifindex", NULL, alarm->ifindex);
	eventlog__put_pod(out, log->maps, alarm->pod);
	out__u64(out, "redirected_packets", NULL, alarm->redirected);
	out__u64(out, "arrived_packets", NULL, alarm->arrived);
	eventlog__commit(log, out);
}

void eventlog__reach(struct eventlog *log, uint16_t pod, const char *why)
{
	struct out *out = eventlog__begin(log, clock__realtime_ns(), why ? "unreachable" : "reachable");

	if (!out)
		return;
	eventlog__put_pod(out, log->maps, pod);
	if (why)
		out__str(out, "text", NULL, why);
	eventlog__commit(log, out);
}
