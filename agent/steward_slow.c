/* SPDX-License-Identifier: BSD-2-Clause */
/* The slow loop (policy/slow.h) on this node: one setting for all services, because psi is one table; rewarded by what production met. */
#include <math.h>

#include "agent/log.h"
#include "agent/steward_int.h"

static void put_knobs(struct steward *s, const struct policy_knobs *knobs)
{
	s->knobs = *knobs;
	tables__set_externality(s->tables, (double)knobs->externality_q8 / 256.0);
	learner__set_tau(s->learner, knobs->tau_q8);
}

void steward__slow_refresh(struct steward *s)
{
	struct policy_knobs start;

	knobs__default(&start);
	start.externality_q8 = (uint32_t)lround(s->config->externality * 256.0);
	if (!s->config->learning.slow) {
		if (s->is_slow)
			put_knobs(s, &start);
		s->is_slow = false;
		return;
	}
	if (!s->is_slow || s->slow.start.externality_q8 != start.externality_q8) {
		slow__init(&s->slow, &start, 1u << SLOW_EXTERNALITY | 1u << SLOW_TAU);
		put_knobs(s, &start);
	} else {
		put_knobs(s, &s->knobs); /* the apply wrote the configured table */
	}
	s->is_slow = true;
}

static uint64_t next_random(struct steward *s)
{
	/* xorshift64* (S. Vigna, ACM TOMS 42, 2016) */
	s->random ^= s->random >> 12;
	s->random ^= s->random << 25;
	s->random ^= s->random >> 27;
	return s->random * 0x2545f4914f6cdd1dull;
}

void steward__slow_window(struct steward *s, const struct guard_counts *production, uint64_t now_ns)
{
	struct policy_knobs before = s->knobs, knobs;
	struct slow_window w;

	if (!s->is_slow)
		return;
	if (production && production->count)
		w = (struct slow_window){ .requests = production->count,
					  .p99_ns = guard_counts__quantile_ns(production, 0.99),
					  .mean_ns = production->latency_ns / production->count };
	knobs = slow__tick(&s->slow, production && production->count ? &w : NULL, now_ns, next_random(s));
	put_knobs(s, &knobs);
	if (knobs.externality_q8 != before.externality_q8 || knobs.tau_q8 != before.tau_q8)
		log_debug("slow loop", log_double("externality", (double)knobs.externality_q8 / 256.0),
			  log_double("tau", (double)knobs.tau_q8 / 256.0));
}
