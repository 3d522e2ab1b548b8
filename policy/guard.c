/* SPDX-License-Identifier: BSD-2-Clause */
#include "policy/guard.h"

#include <math.h>
#include <string.h>

#define MEAN_WEIGHT 0.3 /* of the mean against the p99, as in the slow loop's reward */
#define LONGEST_WINDOWS 10u
#define MAX_COUNT (1ull << 40) /* requests of a window: more is nonsense, and keeps sums far from their ends */
#define FAILED_SHARE_MIN 0.01

/* ---- counts ---- */

static bool went_back(const struct guard_counts *now, const struct guard_counts *before)
{
	if (now->flows < before->flows || now->failed < before->failed || now->count < before->count ||
	    now->latency_ns < before->latency_ns || now->log2_q8 < before->log2_q8)
		return true;
	for (uint32_t i = 0; i < PINTLE_FINE_BUCKETS; i++)
		if (now->hist[i] < before->hist[i])
			return true;
	return false;
}

/* Sums of as many as the histogram counts lie within its buckets, half an octave more for those that were added beside the reader. */
static void bound_sums(struct guard_counts *c)
{
	uint64_t low_q8 = 0, high_q8 = 0;

	for (uint32_t i = 0; i < PINTLE_FINE_BUCKETS; i++) {
		low_q8 += i ? c->hist[i] * (uint32_t)pintle_log2_q8(pintle_fine_begin_ns(i)) : 0;
		high_q8 += c->hist[i] * (uint32_t)(pintle_log2_q8(pintle_fine_begin_ns(i + 1)) +
						   (i == PINTLE_FINE_BUCKETS - 1 ? 22 << 8 : 0));
	}
	if (c->log2_q8 < low_q8)
		c->log2_q8 = low_q8;
	if (c->log2_q8 > high_q8)
		c->log2_q8 = high_q8;
}

static bool make_delta(const struct guard_counts *now, const struct guard_counts *before, struct guard_counts *ret)
{
	uint64_t counted = 0, differ;

	if (went_back(now, before))
		return false;
	ret->flows = now->flows - before->flows;
	ret->failed = now->failed - before->failed;
	ret->count = now->count - before->count;
	ret->latency_ns = now->latency_ns - before->latency_ns;
	ret->log2_q8 = now->log2_q8 - before->log2_q8;
	if (ret->flows > MAX_COUNT || ret->failed > MAX_COUNT || ret->count > MAX_COUNT)
		return false;
	for (uint32_t i = 0; i < PINTLE_FINE_BUCKETS; i++) {
		ret->hist[i] = now->hist[i] - before->hist[i];
		if (ret->hist[i] > MAX_COUNT)
			return false;
		counted += ret->hist[i];
	}
	differ = counted > ret->count ? counted - ret->count : ret->count - counted;
	if (differ > 64 + ret->count / 100)
		return false;
	ret->count = counted;
	bound_sums(ret);
	return true;
}

bool guard_counts__delta(const struct guard_counts *now, const struct guard_counts *before, struct guard_counts *ret)
{
	bool is_good = make_delta(now, before, ret);

	if (!is_good)
		memset(ret, 0, sizeof(*ret));
	return is_good;
}

uint64_t guard_counts__quantile_ns(const struct guard_counts *c, double q)
{
	double rank = q * (double)c->count, below = 0.0;

	for (uint32_t i = 0; i < PINTLE_FINE_BUCKETS; i++) {
		double in = (double)c->hist[i];

		if (in > 0.0 && below + in >= rank) {
			double begin = (double)pintle_fine_begin_ns(i), end = (double)pintle_fine_begin_ns(i + 1);

			return (uint64_t)(begin + (end - begin) * (rank - below) / in);
		}
		below += in;
	}
	return 0;
}

double guard_counts__mean_log2(const struct guard_counts *c)
{
	return c->count ? (double)c->log2_q8 / 256.0 / (double)c->count : 0.0;
}

/* Requests beyond a latency; those of its bucket by their share. */
static double beyond(const struct guard_counts *c, double ns)
{
	double sum = 0.0;

	for (uint32_t i = 0; i < PINTLE_FINE_BUCKETS; i++) {
		double begin = (double)pintle_fine_begin_ns(i), end = (double)pintle_fine_begin_ns(i + 1);

		if (begin >= ns)
			sum += (double)c->hist[i];
		else if (end > ns)
			sum += (double)c->hist[i] * (end - ns) / (end - begin);
	}
	return sum;
}

static void add_counts(struct guard_counts *to, const struct guard_counts *from)
{
	to->flows += from->flows;
	to->failed += from->failed;
	to->count += from->count;
	to->latency_ns += from->latency_ns;
	to->log2_q8 += from->log2_q8;
	for (uint32_t i = 0; i < PINTLE_FINE_BUCKETS; i++)
		to->hist[i] += from->hist[i];
}

/* ---- one window ---- */

/* Is k1 of n1 more than k0 of n0? In standard errors, pooled; 0 when there is nothing to compare. */
static double excess_z(double k1, double n1, double k0, double n0)
{
	double pooled, variance;

	if (n1 < 1.0 || n0 < 1.0)
		return 0.0;
	pooled = (k1 + k0) / (n1 + n0);
	variance = pooled * (1.0 - pooled) * (1.0 / n1 + 1.0 / n0);
	return variance > 0.0 ? (k1 / n1 - k0 / n0) / sqrt(variance) : 0.0;
}

static bool fails_more(const struct guard_counts *c, const struct guard_counts *holdout)
{
	double n1 = (double)(c->count + c->failed), n0 = (double)(holdout->count + holdout->failed);
	double share1 = (double)c->failed / fmax(n1, 1.0), share0 = (double)holdout->failed / fmax(n0, 1.0);

	return share1 > FAILED_SHARE_MIN && share1 > 2.0 * share0 &&
	       excess_z((double)c->failed, n1, (double)holdout->failed, n0) >= GUARD_Z;
}

static bool is_slower(const struct guard_counts *c, const struct guard_counts *holdout)
{
	double limit_ns = (double)guard_counts__quantile_ns(holdout, 0.99) * GUARD_RATIO_Q8 / 256.0;

	if ((double)guard_counts__quantile_ns(c, 0.99) <= limit_ns || limit_ns <= 0.0)
		return false;
	return excess_z(beyond(c, limit_ns), (double)c->count, beyond(holdout, limit_ns), (double)holdout->count) >= GUARD_Z;
}

/* Counts a strike, or begins anew; whether there were enough in a row, and why. */
static bool strike(const struct guard_counts *c, const struct guard_counts *holdout, uint32_t *strikes,
		   enum guard_reason *reason)
{
	bool is_failing = fails_more(c, holdout);

	if (!is_failing && !is_slower(c, holdout)) {
		*strikes = 0;
		return false;
	}
	if (++*strikes < GUARD_STRIKES)
		return false;
	*reason = is_failing ? GUARD_FAILING : GUARD_SLOW;
	return true;
}

/* What is minimised, in octaves. */
static double cost(const struct guard_counts *c)
{
	return log2((double)guard_counts__quantile_ns(c, 0.99) + 1.0) + MEAN_WEIGHT * guard_counts__mean_log2(c);
}

/* ---- the guard ---- */

static void drop_joined(struct guard_joined *j)
{
	memset(j, 0, sizeof(*j));
}

void guard__restart_candidate(struct guard *g)
{
	drop_joined(&g->for_candidate);
	g->candidate_strikes = 0;
	guard_bound__init(&g->bound);
}

void guard__restart(struct guard *g)
{
	guard__restart_candidate(g);
	drop_joined(&g->for_production);
	g->production_strikes = 0;
}

void guard__init(struct guard *g)
{
	memset(g, 0, sizeof(*g));
	guard__restart(g);
}

/* One window more; whether the classes that are compared have enough now. They have not and never will: forgotten. */
static bool join(struct guard_joined *j, const struct guard_counts *window, bool has_canary)
{
	bool is_enough = true;

	j->nr++;
	for (uint32_t c = 0; c < PINTLE_NR_CLASSES; c++) {
		if (c == PINTLE_CLASS_CANARY && !has_canary)
			continue;
		add_counts(&j->classes[c], &window[c]);
		is_enough &= j->classes[c].count + j->classes[c].failed >= GUARD_MIN_SAMPLES;
	}
	if (!is_enough && j->nr >= GUARD_JOIN_MAX)
		drop_joined(j);
	return is_enough;
}

static void remember(struct guard *g, const struct guard_joined *j, uint32_t class)
{
	const struct guard_counts *c = &j->classes[class];

	g->seen[class] = (struct guard_seen){ .count = c->count,
					      .failed = c->failed,
					      .p50_ns = guard_counts__quantile_ns(c, 0.5),
					      .p99_ns = guard_counts__quantile_ns(c, 0.99) };
}

static enum guard_verdict judge_candidate(struct guard *g, enum guard_reason *reason)
{
	const struct guard_counts *classes = g->for_candidate.classes, *canary = &classes[PINTLE_CLASS_CANARY],
				  *holdout = &classes[PINTLE_CLASS_HOLDOUT], *production = &classes[PINTLE_CLASS_PRODUCTION];

	remember(g, &g->for_candidate, PINTLE_CLASS_CANARY);
	*reason = GUARD_UNDECIDED;
	if (strike(canary, holdout, &g->candidate_strikes, reason))
		return GUARD_DROP_CANDIDATE;
	if (canary->count && production->count)
		guard_bound__add(&g->bound, cost(production) - cost(canary));
	if (g->bound.windows < GUARD_MIN_WINDOWS)
		return GUARD_HOLD;
	if (g->bound.upper < 0.0) {
		*reason = GUARD_WORSE;
		return GUARD_DROP_CANDIDATE;
	}
	/* not while it strikes: better than production, yet worse than the holdout */
	if (g->bound.lower > 0.0 && !g->candidate_strikes && !fails_more(canary, production)) {
		*reason = GUARD_BETTER;
		return GUARD_PROMOTE;
	}
	return GUARD_HOLD;
}

static enum guard_verdict judge_production(struct guard *g, enum guard_reason *reason)
{
	const struct guard_counts *classes = g->for_production.classes;

	remember(g, &g->for_production, PINTLE_CLASS_PRODUCTION);
	remember(g, &g->for_production, PINTLE_CLASS_HOLDOUT);
	*reason = GUARD_UNDECIDED;
	return strike(&classes[PINTLE_CLASS_PRODUCTION], &classes[PINTLE_CLASS_HOLDOUT], &g->production_strikes, reason)
		       ? GUARD_DROP_PRODUCTION
		       : GUARD_HOLD;
}

/* Each comparison by windows of its own: a candidate that hardly any flow meets holds up no verdict over production. */
static enum guard_verdict judge(struct guard *g, const struct guard_counts *window, bool has_candidate,
				enum guard_reason *reason)
{
	bool is_candidate = has_candidate && join(&g->for_candidate, window, true);
	bool is_production = join(&g->for_production, window, false);
	enum guard_verdict verdict = GUARD_HOLD, of_production = GUARD_HOLD;
	enum guard_reason why;

	*reason = GUARD_FEW;
	g->windows += is_candidate || is_production;
	if (is_candidate) {
		verdict = judge_candidate(g, reason);
		drop_joined(&g->for_candidate);
	}
	if (is_production) {
		of_production = judge_production(g, &why);
		drop_joined(&g->for_production);
	}
	/* the candidate first: production's strikes stay, so it is next */
	if (verdict != GUARD_HOLD || !is_production)
		return verdict;
	*reason = why;
	return of_production;
}

static bool is_window(struct guard *g, const struct guard_counts *window, uint64_t now_ns, uint64_t window_ns)
{
	uint64_t elapsed_ns = now_ns - g->last_ns;
	bool is_first = !g->last_ns, is_back = now_ns < g->last_ns;

	g->last_ns = now_ns;
	return window && !is_back && (is_first || elapsed_ns / LONGEST_WINDOWS <= window_ns);
}

enum guard_verdict guard__window(struct guard *g, const struct guard_counts *window, uint64_t now_ns, uint64_t window_ns,
				 bool has_candidate, enum guard_reason *ret_reason)
{
	enum guard_verdict verdict;

	if (has_candidate != g->had_candidate) {
		g->had_candidate = has_candidate;
		guard__restart_candidate(g);
	}
	if (!is_window(g, window, now_ns, window_ns)) {
		drop_joined(&g->for_candidate);
		drop_joined(&g->for_production);
		g->invalid++;
		*ret_reason = GUARD_NO_WINDOW;
		return GUARD_HOLD;
	}
	verdict = judge(g, window, has_candidate, ret_reason);
	if (verdict == GUARD_DROP_CANDIDATE)
		guard__restart_candidate(g);
	else if (verdict != GUARD_HOLD)
		guard__restart(g);
	return verdict;
}

const char *guard_reason__text(enum guard_reason reason)
{
	static const char *const texts[GUARD_NR_REASONS] = {
		[GUARD_FEW] = "too few requests yet",
		[GUARD_UNDECIDED] = "no certain difference",
		[GUARD_NO_WINDOW] = "the window was no measurement",
		[GUARD_BETTER] = "certainly better than production",
		[GUARD_WORSE] = "certainly worse than production",
		[GUARD_SLOW] = "p99 above 1.1 x the holdout's in 3 windows",
		[GUARD_FAILING] = "more requests fail than in the holdout, in 3 windows",
	};

	return reason < GUARD_NR_REASONS ? texts[reason] : "?";
}
