/* SPDX-License-Identifier: BSD-2-Clause */
#include "agent/metrics_policies.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/choose.h"
#include "agent/policyfile.h"
#include "agent/steward_int.h"

#define OCTAVES (PINTLE_FINE_BUCKETS / 8)
#define COUNT_MAX 0x1p53 /* of a bucket: what a double holds exactly, and 24 of them do not wrap */

struct metrics_class_service {
	char name[300];
	uint8_t family;
	struct guard_counts counts[PINTLE_NR_CLASSES];
};

struct metrics_classes {
	uint32_t nr;
	struct metrics_class_service list[];
};

/* Of the slots in use each one once: a table that was tampered with may name one twice. */
static bool claim_slot(const struct pintle_pool *pool, bool claimed[PINTLE_MAX_CLASSED], uint32_t *ret_slot)
{
	uint32_t slot = pool ? pool->class_slot : 0;

	if (!slot || slot > PINTLE_MAX_CLASSED || claimed[slot - 1])
		return false;
	claimed[slot - 1] = true;
	*ret_slot = slot - 1;
	return true;
}

static uint32_t count_services(const struct view *view)
{
	bool claimed[PINTLE_MAX_CLASSED] = { false };
	uint32_t nr = 0, slot;

	for (uint32_t id = 0; id < view->src.maps->meta->max_frontends; id++)
		nr += view->services[id].family && claim_slot(choose__pool(view->src.maps, id), claimed, &slot);
	return nr;
}

int metrics_policies__read(const struct metrics_policies *policies, const struct view *view,
			   struct metrics_classes **ret_classes, struct pintle_err *err)
{
	bool claimed[PINTLE_MAX_CLASSED] = { false };
	uint32_t room = policies->classes ? count_services(view) : 0, slot;
	struct metrics_classes *c = calloc(1, sizeof(*c) + room * sizeof(c->list[0]));

	if (!c)
		return pintle_err__set(err, -ENOMEM, "metrics: out of memory for %u services", room);
	/* an agent that lays the tables out anew meanwhile may use more slots than were counted */
	for (uint32_t id = 0; id < view->src.maps->meta->max_frontends && c->nr < room; id++) {
		struct metrics_class_service *s = &c->list[c->nr];
		int ret;

		if (!view->services[id].family || !claim_slot(choose__pool(view->src.maps, id), claimed, &slot))
			continue;
		ret = policies->classes(policies->arg, slot, s->counts, err);
		if (ret) {
			free(c);
			return ret;
		}
		s->family = view->services[id].family;
		view__service_name(view, id, s->name, sizeof(s->name));
		c->nr++;
	}
	*ret_classes = c;
	return 0;
}

/* The classes keep 8 buckets an octave; so many would be two thousand series for a service. */
static void put_latency(struct metrics_text *t, const char *const *labels, const struct guard_counts *counts)
{
	uint64_t octaves[OCTAVES] = { 0 };

	for (uint32_t i = 0; i < PINTLE_FINE_BUCKETS; i++)
		octaves[i / 8] += counts->hist[i];
	metrics_text__octaves(t, labels, octaves, OCTAVES, pintle_fine_begin_ns(8), counts->latency_ns);
}

static void put_class(struct metrics_text *t, const char *const *labels, const struct guard_counts *counts)
{
	if (t->metric == PINTLE_M_CLASS_FLOWS)
		metrics_text__u64(t, labels, counts->flows);
	else if (t->metric == PINTLE_M_CLASS_FAILURES)
		metrics_text__u64(t, labels, counts->failed);
	else
		put_latency(t, labels, counts);
}

/* What the agent says of a service; NULL: nothing. */
static const cJSON *find_service(const cJSON *state, const struct metrics_class_service *s)
{
	const cJSON *service;

	cJSON_ArrayForEach (service, policyfile__get(state, "services")) {
		const char *name = policyfile__text(service, "service");

		if (name && !strcmp(name, s->name) && policyfile__count(service, "family") == s->family)
			return service;
	}
	return NULL;
}

static void put_model(struct metrics_text *t, const char *const *of, const char *role, const cJSON *model)
{
	const char *name = policyfile__text(model, "name"), *crc = policyfile__text(model, "crc32c");
	const char *labels[] = { of[0], of[1], role, name, crc ? crc : "" };

	/* beyond what the agent writes it is not the agent's */
	if (name && strlen(name) < MODELS_NAME_BYTES && (!crc || strlen(crc) <= 8))
		metrics_text__u64(t, labels, 1);
}

static void put_delays(struct metrics_text *t, const cJSON *delays)
{
	const cJSON *below = policyfile__get(delays, "below"), *item;
	uint64_t count[LEARNER_DELAYS];
	uint32_t nr = 0;

	if (!cJSON_IsArray(below) || cJSON_GetArraySize(below) != (int)LEARNER_DELAYS)
		return;
	cJSON_ArrayForEach (item, below) {
		if (!cJSON_IsNumber(item) || !(item->valuedouble >= 0 && item->valuedouble < COUNT_MAX))
			return;
		count[nr++] = (uint64_t)item->valuedouble;
	}
	metrics_text__octaves(t, NULL, count, LEARNER_DELAYS, 1000, policyfile__count(delays, "sum_ns"));
}

void metrics_policies__put(const struct metrics_policies *policies, const struct metrics_classes *classes,
			   struct metrics_text *t)
{
	for (enum pintle_metric metric = PINTLE_M_CLASS_FLOWS; metric <= PINTLE_M_POLICY_INFO; metric++) {
		metrics_text__family(t, metric);
		for (uint32_t i = 0; i < classes->nr; i++) {
			const struct metrics_class_service *s = &classes->list[i];
			const char *labels[] = { s->name, s->family == 6 ? "ipv6" : "ipv4", NULL };
			const cJSON *said = metric == PINTLE_M_POLICY_INFO ? find_service(policies->state, s) : NULL;

			for (uint32_t c = 0; metric < PINTLE_M_POLICY_INFO && c < PINTLE_NR_CLASSES; c++) {
				labels[2] = choose__class_name(c);
				put_class(t, labels, &s->counts[c]);
			}
			put_model(t, labels, "production", policyfile__get(said, "production"));
			put_model(t, labels, "candidate", policyfile__get(said, "candidate"));
		}
	}
	metrics_text__family(t, PINTLE_M_TELEMETRY_DELAY);
	put_delays(t, policyfile__get(policies->state, "telemetry_to_table"));
}
