/* SPDX-License-Identifier: BSD-2-Clause */
/* `flows list` and `flows top`: scans of the table in shared memory; nothing is locked, so a flow that comes or goes meanwhile may be missed. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "agent/choose.h"
#include "agent/clock.h"
#include "agent/flowview.h"
#include "agent/opt.h"
#include "agent/view.h"

/* ---- list ---- */

struct flows_filter {
	bool has_service, has_pod, has_client;
	bool *services; /* by id */
	uint16_t pod;
	struct ip_addr client;
};

static int flows_filter__init(const struct view *view, const struct view_flow_filter *wanted, struct flows_filter *f,
			      struct pintle_err *err)
{
	int error = 0;

	f->services = calloc(view->src.maps->meta->max_frontends + 1u, sizeof(*f->services));
	if (!f->services)
		return pintle_err__set(err, -ENOMEM, "out of memory");
	f->has_service = wanted->service != NULL;
	f->has_pod = wanted->pod != NULL;
	f->has_client = wanted->client != NULL;
	if (f->has_service)
		error = view__find_service(view, wanted->service, f->services, err);
	if (!error && f->has_pod)
		error = view__find_pod(view, wanted->pod, &f->pod, err);
	if (!error && f->has_client && (ip_addr__parse(wanted->client, &f->client) || f->client.family != 4))
		error = pintle_err__usage(
			err,
			pintle_err__set(
				err, -EINVAL,
				"--client: \"%.64s\" is not an IPv4 address; IPv6 clients are stored as a hash: use `pintle flows explain`",
				wanted->client));
	return error;
}

static bool flows_filter__matches(const struct view *view, const struct flows_filter *f, const struct flow_entry *e)
{
	const struct table_maps *maps = view->src.maps;
	uint32_t service;

	if (f->has_pod && e->pod != f->pod)
		return false;
	if (f->has_client && !(e->has_client && ip_addr__equal(&e->client.addr, &f->client)))
		return false;
	if (!f->has_service)
		return true;
	if (!e->has_frontend || e->frontend >= maps->meta->max_frontends)
		return false;
	service = maps->frontends[e->frontend].service;
	return service < maps->meta->max_frontends && f->services[service];
}

static void put_flags(uint64_t state, struct out *out)
{
	static const struct {
		uint64_t flag;
		const char *name;
	} flags[] = { { PINTLE_FS_AWAITING, "awaiting" },
		      { PINTLE_FS_REDIRECT, "redirect" },
		      { PINTLE_FS_STAMPED, "timed" },
		      { PINTLE_FS_RST, "rst" },
		      { PINTLE_FS_RST_CLIENT, "client-rst" } };
	size_t i;

	out__list(out, "flags", NULL);
	for (i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		if (state & flags[i].flag)
			out__str(out, NULL, NULL, flags[i].name);
	}
	out__end(out);
}

static void put_client(const struct flow_entry *e, struct out *out)
{
	char text[ENDPOINT_BYTES];

	if (e->has_client) {
		endpoint__format(&e->client, text);
		out__str(out, "client", NULL, text);
		return;
	}
	out__null(out, "client", OUT_HIDDEN);
	if (out__format(out) == OUT_TEXT)
		out__fmt(out, "client_text", "client", "IPv6 #%016" PRIx64, e->key);
}

static void put_frontend(const struct view *view, const struct flow_entry *e, struct out *out)
{
	char text[ENDPOINT_BYTES];
	struct endpoint frontend;

	if (e->has_frontend && flowview__frontend(view->src.maps, e->frontend, &frontend)) {
		endpoint__format(&frontend, text);
		out__str(out, "frontend", NULL, text);
	} else {
		out__null(out, "frontend", NULL);
	}
}

/* Ages are whole units of the entry's clock: 0 is anything below one. */
static void put_age(const struct flow_entry *e, struct out *out)
{
	char text[40];

	out__ns(out, "age_ns", OUT_HIDDEN, e->age_ns);
	if (out__format(out) != OUT_TEXT)
		return;
	clock__format_duration(e->age_ns ? e->age_ns : e->age_unit_ns, text, sizeof(text));
	out__fmt(out, "age_text", "age", "%s%s", e->age_ns ? "" : "<", text);
}

static void put_flow(const struct view *view, const struct flow_entry *e, struct out *out)
{
	char text[ENDPOINT_BYTES] = "?";
	struct endpoint pod;

	out__row(out);
	put_client(e, out);
	put_frontend(view, e, out);
	if (flowview__pod(view->src.maps, e->pod, &pod))
		endpoint__format(&pod, text);
	out__str(out, "pod", NULL, text);
	out__str(out, "state", NULL, flowview__state_name(e->state));
	put_age(e, out);
	put_flags(e->state, out);
	out__u64(out, "age_unit_ns", OUT_HIDDEN, e->age_unit_ns);
	out__fmt(out, "key", OUT_HIDDEN, "%016" PRIx64, e->key);
	out__u64(out, "bucket", OUT_HIDDEN, e->bucket);
	out__u64(out, "slot", OUT_HIDDEN, e->slot);
	out__end(out);
}

int view__flows_list(const struct view *view, const struct view_flow_filter *wanted, struct out *out, struct pintle_err *err)
{
	const struct table_maps *maps = view->src.maps;
	struct flows_filter filter = { 0 };
	uint64_t matching = 0, shown = 0;
	struct flow_entry e;
	uint32_t b, s;
	int error = flows_filter__init(view, wanted, &filter, err);

	if (!error) {
		out__table(out, "flows", NULL);
		for (b = 0; b < maps->meta->nr_buckets; b++) {
			for (s = 0; s < PINTLE_BUCKET_SLOTS; s++) {
				if (!flowview__read(maps, b, s, view->src.mono_ns, &e) ||
				    !flows_filter__matches(view, &filter, &e))
					continue;
				matching++;
				if (wanted->limit && shown >= wanted->limit)
					continue;
				put_flow(view, &e, out);
				shown++;
			}
		}
		out__end(out);
		if (shown < matching)
			out__note(out, "%" PRIu64 " of %" PRIu64 " flows; --limit 0 shows all", shown, matching);
	}
	free(filter.services);
	return error;
}

/* ---- top ---- */

struct top_count {
	uint64_t key; /* pod or frontend id, or an IPv4 address as it stands in memory */
	uint64_t flows, awaiting;
	bool is_used;
};

/* Open addressing; grows by doubling at three quarters. */
struct top {
	struct top_count *counts;
	size_t capacity, used;
	uint64_t flows, unknown; /* all of them; those without the thing counted by (IPv6 clients and frontends) */
};

static struct top_count *top__slot(struct top_count *counts, size_t capacity, uint64_t key)
{
	size_t i = (size_t)((key * 0x9e3779b97f4a7c15ull) >> 20) & (capacity - 1);

	while (counts[i].is_used && counts[i].key != key)
		i = (i + 1) & (capacity - 1);
	return &counts[i];
}

static int top__grow(struct top *top)
{
	size_t capacity = top->capacity ? top->capacity * 2 : 1024, i;
	struct top_count *counts = calloc(capacity, sizeof(*counts));

	if (!counts)
		return -ENOMEM;
	for (i = 0; i < top->capacity; i++) {
		if (top->counts[i].is_used)
			*top__slot(counts, capacity, top->counts[i].key) = top->counts[i];
	}
	free(top->counts);
	top->counts = counts;
	top->capacity = capacity;
	return 0;
}

static int top__add(struct top *top, uint64_t key, bool is_awaiting)
{
	struct top_count *count;

	if (top->used * 4 >= top->capacity * 3 && top__grow(top))
		return -ENOMEM;
	count = top__slot(top->counts, top->capacity, key);
	top->used += !count->is_used;
	count->is_used = true;
	count->key = key;
	count->flows++;
	count->awaiting += is_awaiting;
	return 0;
}

static int top__scan(struct top *top, const struct view *view, uint32_t by)
{
	const struct table_maps *maps = view->src.maps;
	struct flow_entry e;
	uint32_t b, s, addr;

	for (b = 0; b < maps->meta->nr_buckets; b++) {
		for (s = 0; s < PINTLE_BUCKET_SLOTS; s++) {
			uint64_t key;

			if (!flowview__read(maps, b, s, view->src.mono_ns, &e) || PINTLE_FS_IS_CLOSED(e.state))
				continue;
			top->flows++;
			if ((by == FLOWS_BY_CLIENT && !e.has_client) || (by == FLOWS_BY_FRONTEND && !e.has_frontend)) {
				top->unknown++;
				continue;
			}
			memcpy(&addr, e.client.addr.bytes, sizeof(addr));
			key = by == FLOWS_BY_POD ? e.pod : by == FLOWS_BY_FRONTEND ? e.frontend : addr;
			if (top__add(top, key, e.state & PINTLE_FS_AWAITING))
				return -ENOMEM;
		}
	}
	return 0;
}

static int top_count__compare(const void *a, const void *b)
{
	const struct top_count *x = a, *y = b;

	if (x->flows != y->flows)
		return x->flows < y->flows ? 1 : -1;
	return (x->key > y->key) - (x->key < y->key);
}

static void top__name(const struct view *view, uint32_t by, uint64_t key, char *out, size_t out_bytes)
{
	struct endpoint e = { .addr.family = 4 };
	uint32_t addr = (uint32_t)key;
	char text[ENDPOINT_BYTES];

	if (by == FLOWS_BY_CLIENT) {
		memcpy(e.addr.bytes, &addr, sizeof(addr));
		ip_addr__format(&e.addr, out, out_bytes);
		return;
	}
	if (by == FLOWS_BY_POD ? flowview__pod(view->src.maps, (uint16_t)key, &e)
			       : flowview__frontend(view->src.maps, (uint16_t)key, &e)) {
		endpoint__format(&e, text);
		snprintf(out, out_bytes, "%s", text);
	} else {
		snprintf(out, out_bytes, "id %" PRIu64, key);
	}
}

static void top__put(struct top *top, const struct view *view, uint32_t by, uint32_t limit, struct out *out)
{
	static const char *const things[] = { "pod", "frontend", "client" };
	size_t n = 0, i;

	for (i = 0; i < top->capacity; i++) {
		if (top->counts[i].is_used)
			top->counts[n++] = top->counts[i];
	}
	if (n)
		qsort(top->counts, n, sizeof(*top->counts), top_count__compare);
	out__table(out, "top", NULL);
	for (i = 0; i < n && (!limit || i < limit); i++) {
		char name[ENDPOINT_BYTES];

		top__name(view, by, top->counts[i].key, name, sizeof(name));
		out__row(out);
		out__str(out, things[by], NULL, name);
		out__u64(out, "flows", NULL, top->counts[i].flows);
		out__double(out, "percent", "%", 100.0 * (double)top->counts[i].flows / (double)top->flows, 1);
		out__u64(out, "awaiting", NULL, top->counts[i].awaiting);
		out__end(out);
	}
	out__end(out);
	if (top->unknown)
		out__note(out, "%" PRIu64 " of %" PRIu64 " flows are IPv6, whose %s is stored as a hash", top->unknown,
			  top->flows, things[by]);
}

int view__flows_top(const struct view *view, uint32_t by, uint32_t limit, struct out *out, struct pintle_err *err)
{
	struct top top = { 0 };
	int error = top__scan(&top, view, by);

	if (error)
		pintle_err__set(err, error, "out of memory");
	else
		top__put(&top, view, by, limit, out);
	free(top.counts);
	return error;
}
