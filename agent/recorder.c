// SPDX-License-Identifier: BSD-2-Clause
#include "agent/recorder.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/choose.h"
#include "agent/featurelog.h"
#include "agent/out.h"
#include "agent/rundir.h"
#include "pintle/class.h"
#include "pintle/score.h"

#define RECORDING_VERSION 1 /* of policy/train/recording.h */

struct recorder {
	struct datapath *dp;
	const struct view *view;
	struct featurelog *features;
	struct ring_buffer *ring;
	struct recorder_limits limits;
	struct recorder_counts counts;
	const char *path, *pin_dir;
	FILE *file;
	int lock_fd;
	char *line; /* the one being made */
	size_t line_bytes;
	uint64_t began_ns; /* 0 until the first tick */
	uint32_t lost_before;
	int error; /* of a line; sticks */
};

static int take_lock(struct recorder *r, const char *run_dir, struct pintle_err *err)
{
	int error = rundir__lock(run_dir, "record", r->pin_dir, 0, &r->lock_fd, err);

	return error == -EBUSY ? pintle_err__prefix(err, error, "another `pintle record` is running here") : error;
}

static int make_file(struct recorder *r, struct pintle_err *err)
{
	int fd = open(r->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0640);

	if (fd < 0)
		return pintle_err__set(err, -errno, "%s: cannot be made: %s%s", r->path, strerror(errno),
				       errno == EEXIST ? "; give another name, a recording is never written over" : "");
	r->file = fdopen(fd, "w");
	if (!r->file) {
		close(fd);
		return pintle_err__set(err, -ENOMEM, "%s: out of memory", r->path);
	}
	return 0;
}

/* ---- lines ---- */

/* A line of JSON in r->line, by `put`; whole in the file, or not at all. -ENOSPC: it would not fit into the bound. */
static int put_line(struct recorder *r, void (*put)(const struct recorder *r, struct out *out, const void *arg),
		    const void *arg)
{
	FILE *memory = open_memstream(&r->line, &r->line_bytes);
	struct out *out = memory ? out__open(memory, OUT_JSONL) : NULL;
	int error = out ? 0 : -ENOMEM;

	if (out) {
		out__record(out, NULL, NULL);
		put(r, out, arg);
		out__end(out);
		error = out__close(out);
	}
	if (memory && fclose(memory))
		error = -ENOMEM;
	if (!error && r->counts.bytes + r->line_bytes > r->limits.max_bytes)
		error = -ENOSPC;
	if (!error && fwrite(r->line, 1, r->line_bytes, r->file) != r->line_bytes)
		error = -EIO;
	if (!error)
		r->counts.bytes += r->line_bytes;
	free(r->line);
	r->line = NULL;
	return error;
}

static void put_header(const struct recorder *r, struct out *out, const void *arg)
{
	(void)r;
	(void)arg;
	out__u64(out, "recording", NULL, RECORDING_VERSION);
	out__list(out, "features", NULL);
	for (int i = 0; i < FEATURE_NR; i++)
		out__str(out, NULL, NULL, feature_list[i].name);
	out__end(out);
}

struct row {
	const struct pintle_record *record;
	const struct featurelog_entry *entry;
};

/* log2 of how much longer a request takes under that load, as the programs have it. */
static int32_t delay_q8(const struct recorder *r, const struct row *row)
{
	const struct pintle_ctl *ctl = datapath__maps(r->dp)->ctl;
	uint32_t concurrency = row->entry->concurrency ? row->entry->concurrency : 1;

	if (row->record->load + 1u <= concurrency)
		return 0;
	return pintle_psi_log2_q8(ctl->latency_q8, row->record->load) - pintle_log2_q8(concurrency);
}

static const char *class_name(const struct recorder *r, const struct row *row)
{
	const struct pintle_pool *pool = choose__pool(datapath__maps(r->dp), row->entry->service);

	return pool ? choose__class_name(pintle_class_of(row->record->key, pool->holdout, pool->canary)) : "?";
}

static void put_row(const struct recorder *r, struct out *out, const void *arg)
{
	const struct row *row = arg;
	const struct pintle_pod *pod = &datapath__maps(r->dp)->pods[row->record->pod];
	struct endpoint endpoint = endpoint__from_words(pod->family, pod->addr_be, pod->port_be, 0);
	char service[256], address[ENDPOINT_BYTES];
	uint64_t time_ns = row->record->time_ns;

	view__service_name(r->view, row->entry->service, service, sizeof(service));
	endpoint__format(&endpoint, address);
	out__u64(out, "time_ns", NULL, time_ns > r->began_ns ? time_ns - r->began_ns : 0);
	out__str(out, "service", NULL, service);
	out__str(out, "pod", NULL, address);
	out__str(out, "class", NULL, class_name(r, row));
	out__u64(out, "load", NULL, row->record->load);
	out__u64(out, "latency_ns", NULL, row->record->latency_ns);
	out__i64(out, "gain_q8", NULL, row->entry->gain_q8);
	out__i64(out, "delay_q8", NULL, delay_q8(r, row));
	out__record(out, "features", NULL);
	for (int i = 0; i < FEATURE_NR; i++)
		out__i64(out, feature_list[i].name, NULL, row->entry->raw_q8[i]);
	out__end(out);
}

/* ---- records ---- */

static int on_record(void *arg, void *data, size_t bytes)
{
	const struct pintle_record *record = data;
	struct recorder *r = arg;
	const struct table_maps *maps = datapath__maps(r->dp);
	struct row row = { .record = record };

	if (bytes < sizeof(*record) || r->error || !r->began_ns)
		return 0;
	if (record->latency_ns && record->latency_ns < record->time_ns && record->frontend < maps->meta->max_frontends &&
	    record->pod < maps->meta->max_pods)
		row.entry = featurelog__find(r->features, maps->frontends[record->frontend].service, record->pod,
					     record->time_ns - record->latency_ns);
	if (!row.entry || !row.entry->gain_q8) {
		r->counts.unknown++;
		return 0;
	}
	r->error = put_line(r, put_row, &row);
	if (!r->error)
		r->counts.rows++;
	return 0;
}

static void set_budget(struct recorder *r, int32_t budget)
{
	__atomic_store_n(&datapath__maps(r->dp)->ctl->record_budget, budget, __ATOMIC_RELAXED);
}

static int open_ring(struct recorder *r, struct pintle_err *err)
{
	int fd = datapath__map_fd(r->dp, "pt_records");

	if (fd < 0)
		return pintle_err__set(err, fd, "map pt_records is not open");
	set_budget(r, 0);
	r->ring = ring_buffer__new(fd, on_record, r, NULL);
	if (!r->ring)
		return pintle_err__set(err, -errno, "records: ring buffer: %s", strerror(errno));
	ring_buffer__consume(r->ring); /* of an earlier recording: began_ns is not set yet, so they are dropped */
	r->lost_before = __atomic_load_n(&datapath__maps(r->dp)->ctl->records_lost, __ATOMIC_RELAXED);
	return 0;
}

static int fail_line(const struct recorder *r, int error, struct pintle_err *err)
{
	if (error == -ENOSPC)
		return pintle_err__set(err, error, "%s: the bound of %llu bytes is reached; raise it with --max-mib", r->path,
				       (unsigned long long)r->limits.max_bytes);
	return pintle_err__set(err, error, "%s: cannot be written: %s", r->path, strerror(-error));
}

int recorder__open(struct datapath *dp, const struct view *view, const char *run_dir, const char *pin_dir, const char *path,
		   const struct recorder_limits *limits, struct recorder **ret_recorder, struct pintle_err *err)
{
	struct recorder *r = calloc(1, sizeof(*r));
	int error;

	if (!r)
		return pintle_err__set(err, -ENOMEM, "recording: out of memory");
	*r = (struct recorder){ .dp = dp, .view = view, .path = path, .pin_dir = pin_dir, .limits = *limits, .lock_fd = -1 };
	error = take_lock(r, run_dir, err);
	if (!error)
		error = featurelog__open(dp, &r->features, err);
	if (!error)
		error = open_ring(r, err);
	if (!error)
		error = make_file(r, err);
	if (!error) {
		error = put_line(r, put_header, NULL);
		if (error)
			fail_line(r, error, err);
	}
	if (error)
		recorder__close(r, NULL);
	else
		*ret_recorder = r;
	return error;
}

int recorder__close(struct recorder *r, struct pintle_err *err)
{
	int error = 0;

	if (!r)
		return 0;
	if (r->ring) {
		set_budget(r, 0);
		ring_buffer__free(r->ring);
	}
	if (r->file && fclose(r->file))
		error = pintle_err__set(err, -errno, "%s: cannot be written: %s", r->path, strerror(errno));
	featurelog__close(r->features);
	if (r->lock_fd >= 0)
		close(r->lock_fd);
	free(r);
	return error;
}

int recorder__tick(struct recorder *r, uint64_t now_ns, uint64_t period_ns, struct pintle_err *err)
{
	const struct pintle_ctl *ctl = datapath__maps(r->dp)->ctl;
	uint64_t budget = (uint64_t)r->limits.per_second * period_ns / 1000000000u;
	int error = featurelog__tick(r->features, now_ns, err);

	if (error)
		return error;
	if (!r->began_ns)
		r->began_ns = now_ns;
	set_budget(r, budget > INT32_MAX ? INT32_MAX : budget ? (int32_t)budget : 1);
	ring_buffer__consume(r->ring);
	r->counts.lost = __atomic_load_n(&ctl->records_lost, __ATOMIC_RELAXED) - r->lost_before;
	if (!r->error && fflush(r->file))
		r->error = -errno;
	return r->error ? fail_line(r, r->error, err) : 0;
}

struct recorder_counts recorder__counts(const struct recorder *r)
{
	return r->counts;
}
