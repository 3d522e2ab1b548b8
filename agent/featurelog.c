// SPDX-License-Identifier: BSD-2-Clause
#include "agent/featurelog.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/choose.h"
#include "agent/podsignal.h"
#include "agent/podstats.h"

#define NO_POD 0xffffffffu
#define MAX_MEMBERS UINT16_MAX

struct watched {
	uint32_t pod; /* of the statistics slot; NO_POD: nobody's */
	struct podsignal signal;
};

struct tick {
	uint64_t now_ns; /* 0 = not used yet */
	uint32_t nr, room;
	struct featurelog_entry *entries; /* by service, then in the order of its members */
};

struct featurelog {
	const struct datapath *dp;
	struct podstats *stats;
	struct watched slots[PINTLE_MAX_DETAIL];
	struct pod_signal *signals; /* of one service, MAX_MEMBERS */
	struct tick ticks[FEATURELOG_TICKS];
	uint32_t next;
};

int featurelog__open(const struct datapath *dp, struct featurelog **ret_log, struct pintle_err *err)
{
	struct featurelog *log = calloc(1, sizeof(*log));
	int error;

	if (log)
		log->signals = calloc(MAX_MEMBERS, sizeof(*log->signals));
	if (!log || !log->signals) {
		featurelog__close(log);
		return pintle_err__set(err, -ENOMEM, "features: out of memory");
	}
	log->dp = dp;
	for (uint32_t i = 0; i < PINTLE_MAX_DETAIL; i++)
		log->slots[i].pod = NO_POD;
	error = podstats__open(dp, &log->stats, err);
	if (error) {
		featurelog__close(log);
		return error;
	}
	*ret_log = log;
	return 0;
}

void featurelog__close(struct featurelog *log)
{
	if (!log)
		return;
	for (uint32_t i = 0; i < FEATURELOG_TICKS; i++)
		free(log->ticks[i].entries);
	podstats__close(log->stats);
	free(log->signals);
	free(log);
}

/* The signal of a member, advanced if this is its first mention in this tick. Pods without statistics have none to speak of. */
static void watch(struct featurelog *log, const struct pintle_pool *pool, const struct pintle_member *member, uint64_t now_ns,
		  struct pod_signal *ret_signal)
{
	const struct table_maps *maps = datapath__maps(log->dp);
	int32_t load = choose__load(maps, pool, member->pod);
	uint32_t slot = member->pod < maps->meta->max_pods ? maps->pods[member->pod].detail : 0;
	struct podstats_delta delta;
	struct watched *w;

	if (!slot || slot > PINTLE_MAX_DETAIL) {
		*ret_signal = (struct pod_signal){ .load = load > 0 ? (uint32_t)load : 0, .concurrency = member->concurrency };
		return;
	}
	w = &log->slots[slot - 1];
	if (w->pod != member->pod) {
		w->pod = member->pod;
		podsignal__init(&w->signal, member->gain_q8);
	}
	if (w->signal.last_ns != now_ns) {
		delta = podstats__delta(log->stats, slot - 1);
		podsignal__tick(&w->signal, &delta, __atomic_load_n(&maps->loads[member->pod].awaiting, __ATOMIC_RELAXED),
				now_ns);
	}
	podsignal__get(&w->signal, load, member->concurrency, ret_signal);
}

static int make_room(struct tick *t, uint32_t more)
{
	struct featurelog_entry *entries;

	if (t->nr + more <= t->room)
		return 0;
	entries = reallocarray(t->entries, t->nr + more, sizeof(*entries));
	if (!entries)
		return -ENOMEM;
	t->entries = entries;
	t->room = t->nr + more;
	return 0;
}

static int add_service(struct featurelog *log, struct tick *t, uint16_t id, const struct pintle_pool *pool)
{
	const struct table_maps *maps = datapath__maps(log->dp);
	struct service_signal service = {
		.now_ns = t->now_ns, .window_ns = 1, .nr_pods = pool->nr_members, .pods = log->signals
	};
	struct feature_context context;

	if (make_room(t, pool->nr_members))
		return -ENOMEM;
	for (uint32_t i = 0; i < pool->nr_members; i++) {
		const struct pintle_member *member = choose__member(maps, pool, i);
		uint32_t slot;

		watch(log, pool, member, t->now_ns, &log->signals[i]);
		slot = member->pod < maps->meta->max_pods ? maps->pods[member->pod].detail : 0;
		if (slot && slot <= PINTLE_MAX_DETAIL && podsignal__window_ns(&log->slots[slot - 1].signal) > service.window_ns)
			service.window_ns = podsignal__window_ns(&log->slots[slot - 1].signal);
		t->entries[t->nr + i] = (struct featurelog_entry){ .service = id,
								   .pod = member->pod,
								   .gain_q8 = (int16_t)log->signals[i].gain_q8,
								   .concurrency = member->concurrency };
	}
	feature_context__init(&context, &service);
	for (uint32_t i = 0; i < pool->nr_members; i++)
		feature_context__raw_q8(&context, i, t->entries[t->nr + i].raw_q8);
	t->nr += pool->nr_members;
	return 0;
}

int featurelog__tick(struct featurelog *log, uint64_t now_ns, struct pintle_err *err)
{
	const struct table_maps *maps = datapath__maps(log->dp);
	struct tick *t = &log->ticks[log->next];
	int error = podstats__read(log->stats, PINTLE_MAX_DETAIL, err);

	if (error)
		return error;
	t->now_ns = now_ns;
	t->nr = 0;
	for (uint32_t id = 0; id < maps->meta->max_frontends && !error; id++) {
		const struct pintle_pool *pool = choose__pool(maps, id);

		if (pool && pool->nr_members)
			error = add_service(log, t, (uint16_t)id, pool);
	}
	if (error)
		return pintle_err__set(err, error, "features: out of memory");
	log->next = (log->next + 1) % FEATURELOG_TICKS;
	return 0;
}

/* The newest tick that is not after at_ns. */
static const struct tick *tick_at(const struct featurelog *log, uint64_t at_ns)
{
	uint32_t low = 1, high = FEATURELOG_TICKS; /* ticks ago; those in [1, low) are too new */

	while (low < high) {
		uint32_t middle = (low + high) / 2;
		const struct tick *t = &log->ticks[(log->next + FEATURELOG_TICKS - middle) % FEATURELOG_TICKS];

		if (t->now_ns > at_ns)
			low = middle + 1;
		else
			high = middle;
	}
	return &log->ticks[(log->next + FEATURELOG_TICKS - low) % FEATURELOG_TICKS];
}

const struct featurelog_entry *featurelog__find(const struct featurelog *log, uint16_t service, uint16_t pod, uint64_t at_ns)
{
	const struct tick *t = tick_at(log, at_ns);

	if (!t->now_ns || t->now_ns > at_ns)
		return NULL;
	for (uint32_t i = 0; i < t->nr; i++)
		if (t->entries[i].service == service && t->entries[i].pod == pod)
			return &t->entries[i];
	return NULL;
}
