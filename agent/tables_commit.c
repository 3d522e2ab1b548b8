/* SPDX-License-Identifier: BSD-2-Clause */
/* tables__apply(): plan, carry out, then the shadow says what is in force. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "agent/tables_apply.h"

static double now_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int by_name(const void *a, const void *b, void *arg)
{
	const struct tables *t = arg;
	const struct shadow_service *x = &t->shadow_services[*(const uint16_t *)a],
				    *y = &t->shadow_services[*(const uint16_t *)b];
	int order = strcmp(x->cfg->name, y->cfg->name);

	return order ? order : (int)x->family - (int)y->family;
}

static void commit_services(struct tables *t, const struct plan *p)
{
	t->nr_by_name = 0;
	for (uint32_t i = 0; i < p->nr_services; i++) {
		const struct plan_service *s = &p->services[i];

		t->shadow_services[s->id] = (struct shadow_service){
			.cfg = &p->config->services[s->cfg],
			.digest = s->digest,
			.family = s->family,
		};
		t->by_name[t->nr_by_name++] = (uint16_t)s->id;
	}
	if (t->nr_by_name)
		qsort_r(t->by_name, t->nr_by_name, sizeof(*t->by_name), by_name, t);
}

/* Read by telemetry only, so it need not change together with the memberships. */
static void set_concurrency(struct tables *t, uint32_t pod, uint16_t concurrency)
{
	if (t->maps.pods[pod].concurrency != concurrency)
		store16(&t->maps.pods[pod].concurrency, concurrency);
}

static void commit_pods(struct tables *t, const struct plan *p, struct tables_applied *applied)
{
	for (uint32_t pod = idset__next_used(&t->pods, 0); pod != NO_ID; pod = idset__next_used(&t->pods, pod + 1)) {
		struct shadow_pod *shadow = &t->shadow_pods[pod];

		shadow->service = NO_CFG;
		if (idset__has(&p->keep_pods, pod)) {
			t->lingering -= (shadow->flags & SP_LINGERS) != 0;
			shadow->flags &= (uint8_t)~SP_LINGERS;
		} else if (!(shadow->flags & SP_LINGERS)) {
			shadow->flags |= SP_LINGERS;
			t->lingering++;
			applied->removed_pods++;
		}
	}
	for (uint32_t i = 0; i < p->config->nr_services; i++) {
		for (uint32_t k = 0; k < p->config->services[i].nr_pods; k++) {
			uint32_t pod = p->pod_ids[p->first_pod[i] + k];

			if (pod == NO_ID || t->shadow_pods[pod].service != NO_CFG)
				continue;
			t->shadow_pods[pod].service = i;
			t->shadow_pods[pod].index = k;
			set_concurrency(t, pod, p->config->services[i].pods[k].concurrency);
		}
	}
}

static void count_changes(const struct tables *t, const struct plan *p, struct tables_applied *applied)
{
	*applied = (struct tables_applied){
		.services = (uint32_t)p->config->nr_services,
		.frontends = p->nr_frontends,
		.pods = p->keep_pods.used,
		.changed_services = t->services.used - p->keep_services.used, /* those that go */
		.added_pods = p->nr_new_pods,
	};
	for (uint32_t i = 0; i < p->nr_services; i++)
		applied->changed_services += p->services[i].is_changed;
}

static int carry_out_failed(struct tables *t, struct plan *p, int code, struct pintle_err *err)
{
	plan__destroy(p);
	tables__forget_ids(t);
	pintle_err__set(err, code, "writing the tables: %s; apply again to repair",
			code == -ENOSPC ? "an endpoint found no place in its hash table" : strerror(-code));
	t->needs_adopt = tables__adopt(t, NULL) != 0;
	return code;
}

int tables__apply(struct tables *t, const struct pintle_config *config, bool (*is_local)(void *arg, const struct ip_addr *),
		  void *arg, struct tables_applied *ret_applied, struct pintle_err *err)
{
	const struct local_addresses local = { is_local, arg };
	double begin = now_seconds();
	struct tables_applied applied;
	struct plan plan;
	int ret = 0;

	if (t->needs_adopt)
		ret = tables__adopt(t, err);
	if (!ret)
		ret = plan__make(t, config, &plan, err);
	if (ret)
		return ret;
	count_changes(t, &plan, &applied);
	ret = plan__carry_out(t, &plan, &local);
	if (ret)
		return carry_out_failed(t, &plan, ret, err);
	ctl__write(t, config);
	store64(&t->maps.ctl->generation, t->maps.ctl->generation + 1);
	if (applied.changed_services)
		t->has_places = false;
	commit_services(t, &plan);
	commit_pods(t, &plan, &applied);
	t->config = config;
	tables__forget_ids(t);
	t->cfg_first_pod = plan.first_pod;
	t->cfg_pod_ids = plan.pod_ids;
	plan.first_pod = plan.pod_ids = NULL;
	t->locals_changed = true;
	plan__destroy(&plan);
	applied.lingering_pods = t->lingering;
	applied.seconds = now_seconds() - begin;
	if (ret_applied)
		*ret_applied = applied;
	return 0;
}
