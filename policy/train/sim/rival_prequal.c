// SPDX-License-Identifier: BSD-2-Clause
/*
 * Prequal (Wydrowski et al., NSDI 2024, section 4). Per client a pool of at most 16 probe answers (requests in flight, latency), none older than
 * 1 s; 3 probes a query to pods at random, their answers used from the next query on; after each query one answer is removed, the oldest and the
 * worst in turn; an answer may be used twice (equation 1 with delta = 1 gives 1 to 2 for many pods; for 20 pods its denominator is negative and
 * its max() gives 1: `prequal-ideal-1`)
 * and counts the query that was sent by it. Choice: hot = more in flight than the 2^-0.25 quantile of what was seen; the lowest latency of the
 * cold ones, the fewest in flight when all are hot; at random with fewer than 2 answers.
 *
 * The latency is either what the pod's answers near that load took in the median, or (ideal) what a request of mean size really would take now.
 */
#include <stdlib.h>

#include "policy/train/sim/draw.h"
#include "policy/train/sim/rival.h"
#include "policy/train/sim/rivals.h"

#define POOL 16u
#define PROBES 3u
#define MAX_AGE_NS SIM_S
#define HOT_QUANTILE 0.8408964152537145 /* 2^-0.25 */
#define SEEN 128u			/* answers that the quantile is taken over */
#define REUSE 2u			/* times that an answer is used */

struct probe {
	uint64_t at_ns;
	double latency_ns;
	uint32_t in_flight, pod, uses;
};

struct prequal {
	struct rival r;
	double mean_work_ns;
	uint32_t nr, nr_seen;
	struct probe pool[POOL];
	uint16_t seen[SEEN];
	uint16_t histogram[1024];
	bool oldest_next;
};

static int prequal_init(void *state, const struct sim_env *env)
{
	((struct prequal *)state)->mean_work_ns = draw__mean_work_ns(env->scenario);
	return rival__init(state, env);
}

static void drop(struct prequal *q, uint32_t i)
{
	q->pool[i] = q->pool[--q->nr];
}

static uint32_t oldest(const struct prequal *q)
{
	uint32_t at = 0;

	for (uint32_t i = 1; i < q->nr; i++)
		if (q->pool[i].at_ns < q->pool[at].at_ns)
			at = i;
	return at;
}

/* Smallest load that at least HOT_QUANTILE of those seen do not exceed. */
static uint32_t hot_limit(const struct prequal *q)
{
	uint32_t nr = q->nr_seen < SEEN ? q->nr_seen : SEEN, below = 0, load = 0;

	for (; load < 1023; load++) {
		below += q->histogram[load];
		if (below >= HOT_QUANTILE * nr)
			break;
	}
	return load;
}

static void saw(struct prequal *q, uint32_t in_flight)
{
	uint16_t load = (uint16_t)(in_flight < 1023 ? in_flight : 1023);

	if (q->nr_seen >= SEEN)
		q->histogram[q->seen[q->nr_seen % SEEN]]--;
	q->seen[q->nr_seen++ % SEEN] = load;
	q->histogram[load]++;
}

/* Is `a` the better choice under the hot-cold lexicographic rule? */
static bool better(const struct probe *a, const struct probe *b, uint32_t limit)
{
	bool a_hot = a->in_flight > limit, b_hot = b->in_flight > limit;

	if (a_hot != b_hot)
		return b_hot;
	return a_hot ? a->in_flight < b->in_flight : a->latency_ns < b->latency_ns;
}

static uint32_t extreme(const struct prequal *q, uint32_t limit, bool best)
{
	uint32_t at = 0;

	for (uint32_t i = 1; i < q->nr; i++)
		if (best ? better(&q->pool[i], &q->pool[at], limit) : better(&q->pool[at], &q->pool[i], limit))
			at = i;
	return at;
}

static void probe(struct prequal *q, uint64_t now_ns, bool ideal)
{
	uint32_t pod = rival__any(&q->r), in_flight = sim_pod__in_flight(sim_truth__pod(q->r.sim, pod));
	struct probe p = { .at_ns = now_ns, .pod = pod, .in_flight = in_flight };

	p.latency_ns = ideal ? sim_pod__expected(sim_truth__pod(q->r.sim, pod), in_flight, q->mean_work_ns)
			     : (double)sim_truth__recent_latency_ns(q->r.sim, pod, in_flight);
	saw(q, in_flight);
	if (q->nr == POOL)
		drop(q, oldest(q));
	q->pool[q->nr++] = p;
}

static uint32_t prequal_choose(struct prequal *q, const struct sim_choice *c, bool ideal, uint32_t reuse)
{
	uint32_t pod, limit = hot_limit(q);

	while (q->nr && c->now_ns - q->pool[oldest(q)].at_ns > MAX_AGE_NS)
		drop(q, oldest(q));
	for (uint32_t i = q->nr; i--;) { /* pods that went */
		uint32_t k = 0;

		while (k < q->r.nr && q->r.pods[k] != q->pool[i].pod)
			k++;
		if (k == q->r.nr)
			drop(q, i);
	}
	if (q->nr < 2) {
		pod = rival__any(&q->r);
	} else {
		uint32_t at = extreme(q, limit, true);

		pod = q->pool[at].pod;
		q->pool[at].in_flight++;
		if (++q->pool[at].uses >= reuse)
			drop(q, at);
	}
	if (q->nr) {
		drop(q, q->oldest_next ? oldest(q) : extreme(q, limit, false));
		q->oldest_next = !q->oldest_next;
	}
	for (uint32_t i = 0; i < PROBES; i++)
		probe(q, c->now_ns, ideal);
	return pod;
}

static uint32_t prequal_real_choose(void *state, struct sim_choice *c)
{
	return prequal_choose(state, c, false, REUSE);
}

static uint32_t prequal_ideal_choose(void *state, struct sim_choice *c)
{
	return prequal_choose(state, c, true, REUSE);
}

static uint32_t prequal_once_choose(void *state, struct sim_choice *c)
{
	return prequal_choose(state, c, true, 1);
}

const struct sim_balancer_ops rival_prequal = {
	.name = "prequal",
	.what = "Prequal (NSDI 2024): pool 16, 3 probes a query, hot-cold rule, latency = median of recent answers at that load",
	.size = sizeof(struct prequal),
	.init = prequal_init,
	.members = rival__members,
	.choose = prequal_real_choose,
};

const struct sim_balancer_ops rival_prequal_ideal = {
	.name = "prequal-ideal",
	.what = "the same, with a pod that knows how long a request of mean size would take now",
	.size = sizeof(struct prequal),
	.init = prequal_init,
	.members = rival__members,
	.choose = prequal_ideal_choose,
};

const struct sim_balancer_ops rival_prequal_once = {
	.name = "prequal-ideal-1",
	.what = "the same, every answer used once",
	.size = sizeof(struct prequal),
	.init = prequal_init,
	.members = rival__members,
	.choose = prequal_once_choose,
};
