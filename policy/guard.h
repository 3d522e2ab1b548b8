/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The guard: may a learned policy go on, be promoted, or must it go? It looks at what the flows of each class (include/pintle/class.h) met in
 * windows of time: the holdout runs plain least-in-flight always, the canary a candidate, production the policy in force.
 *
 * Windows are joined until every class that is compared has GUARD_MIN_SAMPLES timed or failed requests, at most GUARD_JOIN_MAX of them; if it is
 * still short then, they are dropped and nothing is decided: a service with hardly any traffic keeps what it has. What is said of a
 * window below is said of such a joined one. Pairing by window takes out what moves all classes alike (load, time of day, a slow pod).
 * There are two comparisons, each with joined windows of its own: production with the holdout; the candidate with both. So production is
 * judged as soon as these two have enough, however few requests a candidate gets.
 *
 * Promotion. Of each window d = (log2 p99 + 0.3 mean log2 latency) of production less that of the canary, clipped to +-GUARD_CLIP octaves. The candidate
 * is promoted when the lower bound of the mean of d is above 0: the bound is always valid, so it may be looked at after every window and one may
 * stop when it pleases, with an error of at most GUARD_ALPHA in the whole life of a candidate. Method: a test martingale by betting,
 *   K_n(m) = product over i of 1 + lambda_i (d_i - m),  m is below the bound once K_n(m) >= 1 / alpha  (Ville's inequality)
 * with the predictable plug-in lambda_i of Waudby-Smith and Ramdas, "Estimating means of bounded random variables by betting", J. R. Statist. Soc. B
 * 86 (2024), section 3 and equation 26; nothing is assumed of the distribution of d but its bounds. (A t interval looked at every window would err
 * far more often: Robbins, Ann. Math. Statist. 41 (1970), 1397.) The same upside down drops a candidate that is worse for certain. Several
 * candidates in turn: the error is per candidate. A candidate that is no different is held.
 *
 * Rollback. A window is a strike when p99 > 1.1 x the holdout's and that is no noise: the share of requests beyond 1.1 x the holdout's p99 is higher
 * than the holdout's by GUARD_Z standard errors (two proportions, pooled); or when more requests fail by the same test, more than twice as many, and
 * more than 1 %. GUARD_STRIKES windows in a row: the candidate goes; the same for production.
 *
 * Telemetry is hostile: counters that go back (a wrap, a reset) or that do not fit together make no window; sums are bounded by what a histogram of as many
 * can hold. Time that goes back, or a window ten times too long, is no window. Pure: no clock, no allocation, no I/O.
 */
#ifndef PINTLE_POLICY_GUARD_H
#define PINTLE_POLICY_GUARD_H

#include <stdbool.h>
#include <stdint.h>

#include "pintle/class.h"

#define GUARD_MIN_SAMPLES 200u /* of each class: the p99 of fewer is the worst or second worst of them */
#define GUARD_JOIN_MAX 30u
#define GUARD_STRIKES 3u
#define GUARD_RATIO_Q8 282u /* 1.1 */
#define GUARD_Z \
	2.58 /* one-sided 0.5 %; of 1e5 windows without a difference (check_guard) none made the third strike in a row */
#define GUARD_ALPHA 0.01
#define GUARD_CLIP 2.0 /* octaves: one absurd window moves the bound by as much as four times the latency */
#define GUARD_LAMBDA_MAX 0.75
#define GUARD_MIN_WINDOWS 5u
#define GUARD_GRID 65u /* values m of the bound: GUARD_CLIP * (i - 32) / 32 */

/* What a class met since its counters began, or in a window. */
struct guard_counts {
	uint64_t flows;	     /* new flows */
	uint64_t failed;     /* refused, reset, given up */
	uint64_t count;	     /* timed requests */
	uint64_t latency_ns; /* sum over them */
	uint64_t log2_q8;    /* sum over them of log2 ns, Q8 */
	uint64_t hist[PINTLE_FINE_BUCKETS];
};

/* *ret = now - before. False, with *ret all zero, when a counter went back or the histogram and the count tell different stories (by more than
 * a reader beside a writer can see: 1 % + 64). In *ret, count is the histogram's and log2_q8 lies within its buckets. */
bool guard_counts__delta(const struct guard_counts *now, const struct guard_counts *before, struct guard_counts *ret);
/* Quantile 0 < q < 1 in ns, linear within its bucket; 0 when empty. */
uint64_t guard_counts__quantile_ns(const struct guard_counts *c, double q);
/* Mean of log2 ns; 0 when empty. */
double guard_counts__mean_log2(const struct guard_counts *c);

enum guard_verdict { GUARD_HOLD = 0, GUARD_PROMOTE, GUARD_DROP_CANDIDATE, GUARD_DROP_PRODUCTION };
enum guard_reason {
	GUARD_FEW = 0,	  /* hold: not enough requests yet */
	GUARD_UNDECIDED,  /* hold: enough requests, no certainty */
	GUARD_NO_WINDOW,  /* hold: the window was no measurement */
	GUARD_BETTER,	  /* promote: the lower bound is above 0 */
	GUARD_WORSE,	  /* drop the candidate: the upper bound is below 0 */
	GUARD_SLOW,	  /* drop: p99 strikes */
	GUARD_FAILING,	  /* drop: strikes of which the last is of failures */
	GUARD_NR_REASONS, /* */
};

/* The bets on one mean. */
struct guard_bound {
	uint32_t windows;
	double sum, squares;	     /* of d / GUARD_CLIP, for lambda */
	double log_up[GUARD_GRID];   /* log K_n(m): that the mean is above m */
	double log_down[GUARD_GRID]; /* that it is below */
	double lower, upper;	     /* octaves; the tightest so far */
};

void guard_bound__init(struct guard_bound *b);
void guard_bound__add(struct guard_bound *b, double octaves); /* not a number counts as 0 */

/* What is known of one class in the last window that was judged. */
struct guard_seen {
	uint64_t count, failed, p50_ns, p99_ns;
};

/* The windows of one comparison that are not judged yet. */
struct guard_joined {
	struct guard_counts classes[PINTLE_NR_CLASSES];
	uint32_t nr;
};

struct guard {
	struct guard_joined for_production, for_candidate;
	uint64_t last_ns;
	uint32_t production_strikes, candidate_strikes;
	bool had_candidate;
	struct guard_bound bound; /* of the candidate against production */
	/* for people */
	struct guard_seen seen[PINTLE_NR_CLASSES];
	uint64_t windows, invalid; /* judged; no measurement */
};

void guard__init(struct guard *g);
/* Production changed: what was counted for the old one says nothing of the new, nor of a candidate beside it. */
void guard__restart(struct guard *g);
/* The candidate changed; what is known of production stays. */
void guard__restart_candidate(struct guard *g);
/*
 * A window that ended at now_ns (it should be about window_ns long); `window` [PINTLE_NR_CLASSES] as of guard_counts__delta(), NULL: it is
 * none (a change in it, a counter that went back). *ret_reason is always written. After a verdict other than GUARD_HOLD the guard has
 * restarted itself (after GUARD_DROP_CANDIDATE, what it knows of production stays).
 */
enum guard_verdict guard__window(struct guard *g, const struct guard_counts *window, uint64_t now_ns, uint64_t window_ns,
				 bool has_candidate, enum guard_reason *ret_reason);
const char *guard_reason__text(enum guard_reason reason); /* "p99 above 1.1 x the holdout's in 3 windows", ... */

#endif
