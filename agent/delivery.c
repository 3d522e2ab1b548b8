/* SPDX-License-Identifier: BSD-2-Clause */
/* Writing of agent/delivery.h. Pods are grouped by reason: there are few reasons, and there may be many pods. */
#include "agent/delivery.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/flowview.h"
#include "agent/out.h"
#include "agent/rundir.h"

struct reason_of_pod {
	const char *reason;
	uint16_t pod;
	bool is_unreachable; /* goes with the reason's text */
};

static uint64_t digest_bytes(uint64_t digest, const void *data, size_t bytes)
{
	const unsigned char *at = data;

	for (size_t i = 0; i < bytes; i++)
		digest = (digest ^ at[i]) * 0x100000001b3ull; /* FNV-1a */
	return digest;
}

static uint64_t digest_alarms(uint64_t digest, const struct paths_alarm *alarms, uint32_t nr)
{
	for (uint32_t i = 0; i < nr; i++) {
		digest = digest_bytes(digest, alarms[i].device, strlen(alarms[i].device) + 1);
		digest = digest_bytes(digest, alarms[i].text, strlen(alarms[i].text) + 1);
		digest = digest_bytes(digest, &alarms[i].ifindex, sizeof(alarms[i].ifindex));
	}
	return digest;
}

static int by_reason(const void *a, const void *b)
{
	const struct reason_of_pod *x = a, *y = b;
	int order = x->reason == y->reason ? 0 : strcmp(x->reason, y->reason);

	return order ? order : (int)x->pod - (int)y->pod;
}

/* Fills list[meta->max_pods]; the digest covers reasons and addresses. */
static uint32_t collect(const struct table_maps *maps, const struct paths *paths, struct reason_of_pod *list,
			uint64_t *ret_digest)
{
	uint64_t digest = 0xcbf29ce484222325ull;
	uint32_t nr = 0;

	for (uint32_t id = 0; id < maps->meta->max_pods; id++) {
		const struct pintle_pod *record = &maps->pods[id];
		const char *reason;

		if (!paths || !(record->flags & PINTLE_POD_IN_USE))
			continue;
		reason = paths__reason(paths, (uint16_t)id);
		if (!reason)
			continue;
		list[nr++] = (struct reason_of_pod){ .reason = reason,
						     .pod = (uint16_t)id,
						     .is_unreachable = paths__is_unreachable(paths, (uint16_t)id) };
		digest = digest_bytes(digest, record->addr_be, sizeof(record->addr_be));
		digest = digest_bytes(digest, &record->port_be, sizeof(record->port_be));
		digest = digest_bytes(digest, reason, strlen(reason) + 1);
	}
	*ret_digest = digest;
	return nr;
}

static void put_reasons(struct out *out, const struct table_maps *maps, const struct reason_of_pod *list, uint32_t nr)
{
	char text[ENDPOINT_BYTES];
	struct endpoint e;
	uint32_t i = 0;

	out__table(out, "reasons", NULL);
	while (i < nr) {
		const char *reason = list[i].reason;

		out__row(out);
		out__str(out, "reason", NULL, reason);
		out__bool(out, "unreachable", NULL, list[i].is_unreachable);
		out__list(out, "pods", NULL);
		for (; i < nr && !strcmp(list[i].reason, reason); i++) {
			if (!flowview__pod(maps, list[i].pod, &e))
				continue;
			endpoint__format(&e, text);
			out__str(out, NULL, NULL, text);
		}
		out__end(out);
		out__end(out);
	}
	out__end(out);
}

static void put_alarms(struct out *out, const struct paths_alarm *alarms, uint32_t nr)
{
	out__table(out, "alarms", NULL);
	for (uint32_t i = 0; i < nr; i++) {
		out__row(out);
		out__str(out, "device", NULL, alarms[i].device);
		out__u64(out, "ifindex", NULL, alarms[i].ifindex);
		out__str(out, "text", NULL, alarms[i].text);
		out__u64(out, "redirected_packets", NULL, alarms[i].redirected);
		out__u64(out, "arrived_packets", NULL, alarms[i].arrived);
		out__end(out);
	}
	out__end(out);
}

struct document {
	const char *pin_dir;
	const struct table_maps *maps;
	struct reason_of_pod *list;
	uint32_t nr, nr_alarms;
	struct paths_alarm alarms[PINTLE_MAX_DETAIL];
};

static int put_document(FILE *file, const void *arg)
{
	const struct document *doc = arg;
	struct out *out = out__open(file, OUT_JSON);

	if (!out)
		return -ENOMEM;
	out__record(out, NULL, NULL);
	out__str(out, "pin_dir", NULL, doc->pin_dir);
	put_reasons(out, doc->maps, doc->list, doc->nr);
	put_alarms(out, doc->alarms, doc->nr_alarms);
	out__end(out);
	return out__close(out);
}

int delivery__write(struct delivery_writer *writer, const struct table_maps *maps, const struct paths *paths,
		    struct pintle_err *err)
{
	struct document *doc = calloc(1, sizeof(*doc));
	uint64_t digest = 0;
	int ret = 0;

	if (doc)
		doc->list = calloc(maps->meta->max_pods + 1u, sizeof(*doc->list));
	if (!doc || !doc->list) {
		free(doc);
		return pintle_err__set(err, -ENOMEM, "out of memory");
	}
	doc->pin_dir = writer->pin_dir;
	doc->maps = maps;
	doc->nr = collect(maps, paths, doc->list, &digest);
	doc->nr_alarms = paths ? paths__alarms(paths, doc->alarms, PINTLE_MAX_DETAIL) : 0;
	digest = digest_alarms(digest, doc->alarms, doc->nr_alarms);
	if (!writer->is_written || writer->digest != digest) {
		qsort(doc->list, doc->nr, sizeof(*doc->list), by_reason);
		ret = rundir__replace(writer->run_dir, "delivery", writer->pin_dir, put_document, doc, err);
		writer->is_written = !ret;
		writer->digest = digest;
	}
	free(doc->list);
	free(doc);
	return ret;
}
