// SPDX-License-Identifier: BSD-2-Clause
#include "bench/load/prequal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/pod/protocol.h"

/*
 * Equation (1): an answer may be used b = max(1, (1 + delta) / ((1 - m / n) r_probe - r_remove)) times, for n pods, a pool of m, r_probe answers
 * that come and r_remove that leave a request. Fewer pods than the pool has places make the divisor negative, and so b = 1.
 */
static double reuse_budget(uint32_t nr_pods)
{
	return fmax(1, (1 + PREQUAL_DELTA) / ((1 - (double)PREQUAL_POOL / nr_pods) * PREQUAL_PROBES - PREQUAL_REMOVED));
}

void prequal__init(struct prequal *p, uint32_t nr_pods)
{
	*p = (struct prequal){ .nr_pods = nr_pods, .reuse = reuse_budget(nr_pods) };
}

uint32_t prequal__targets(const struct prequal *p, uint64_t bits, uint32_t ret_pods[PREQUAL_PROBES])
{
	uint32_t nr = 0;

	while (nr < PREQUAL_PROBES && nr < p->nr_pods) {
		uint32_t pod;
		bool twice = false;

		bits = pod_mix64(bits);
		pod = (uint32_t)(bits % p->nr_pods);
		for (uint32_t i = 0; i < nr; i++)
			twice |= ret_pods[i] == pod;
		if (!twice)
			ret_pods[nr++] = pod;
	}
	return nr;
}

static void pool__remove(struct prequal *p, uint32_t at)
{
	p->nr--;
	memmove(&p->pool[at], &p->pool[at + 1], (p->nr - at) * sizeof(*p->pool));
}

void prequal__answer(struct prequal *p, uint32_t pod, uint32_t in_flight, uint64_t latency_ns, uint64_t now)
{
	if (pod >= p->nr_pods)
		return;
	p->seen[p->next_seen] = in_flight;
	p->next_seen = (p->next_seen + 1) % PREQUAL_SEEN;
	if (p->nr_seen < PREQUAL_SEEN)
		p->nr_seen++;
	if (p->nr == PREQUAL_POOL)
		pool__remove(p, 0);
	p->pool[p->nr++] = (struct prequal_answer){
		.pod = pod, .in_flight = in_flight, .latency_ns = latency_ns, .at_ns = now
	};
}

static int compare_numbers(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* The Q_RIF quantile of the requests in flight that the last answers told. */
static uint32_t hot_above(const struct prequal *p)
{
	uint32_t sorted[PREQUAL_SEEN];
	size_t rank = (size_t)ceil(PREQUAL_Q_RIF * p->nr_seen);

	memcpy(sorted, p->seen, p->nr_seen * sizeof(*sorted));
	qsort(sorted, p->nr_seen, sizeof(*sorted), compare_numbers);
	return sorted[rank ? rank - 1 : 0];
}

/* Hot-cold lexicographic order: cold before hot; among the cold the lower latency, among the hot fewer in flight. */
static bool before(const struct prequal_answer *a, const struct prequal_answer *b, uint32_t limit)
{
	bool a_hot = a->in_flight > limit, b_hot = b->in_flight > limit;

	if (a_hot != b_hot)
		return b_hot;
	return a_hot ? a->in_flight < b->in_flight : a->latency_ns < b->latency_ns;
}

/* First or last in that order; of equal ones the youngest. */
static uint32_t extreme(const struct prequal *p, bool worst)
{
	uint32_t limit = hot_above(p), found = 0;

	for (uint32_t i = 1; i < p->nr; i++)
		if (worst ? before(&p->pool[found], &p->pool[i], limit) : !before(&p->pool[found], &p->pool[i], limit))
			found = i;
	return found;
}

static void drop_old(struct prequal *p, uint64_t now)
{
	while (p->nr && now > p->pool[0].at_ns && now - p->pool[0].at_ns > PREQUAL_AGE_NS)
		pool__remove(p, 0);
}

static void remove_one(struct prequal *p)
{
	if (p->nr)
		pool__remove(p, p->worst_next ? extreme(p, true) : 0);
	p->worst_next = !p->worst_next;
}

uint32_t prequal__choose(struct prequal *p, uint64_t now, uint64_t bits)
{
	uint32_t pod, best;

	p->choices++;
	drop_old(p, now);
	if (p->nr < 2) { /* one answer is no choice */
		p->blind++;
		pod = (uint32_t)(pod_mix64(bits) % p->nr_pods);
	} else {
		best = extreme(p, false);
		pod = p->pool[best].pod;
		p->pool[best].uses++;
		if (p->pool[best].uses + pod_uniform(bits) >= p->reuse)
			pool__remove(p, best);
	}
	/* what the pod will have there soon: answers on their way to it do not know yet */
	for (uint32_t i = 0; i < p->nr; i++)
		p->pool[i].in_flight += p->pool[i].pod == pod;
	remove_one(p);
	return pod;
}
