/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The slow loop: reinforcement learning over the few scalars of policy/knobs.h while the service runs.
 *
 * State: the setting in force (the incumbent), as four coordinates in 0..1; a step size; an experiment under way. Action: the setting of the next
 * window. Reward of a window, in octaves Q8:
 *   R = -(log2 p99 + 0.3 log2 mean) - SLOW_MISS_WEIGHT * share of requests beyond the SLO - SLOW_CHANGE_COST * sum of |change of a coordinate|
 * (the last for the windows of a challenger: it must earn its change).
 *
 * Method: a (1+1) evolution strategy with the one-fifth success rule (Rechenberg 1973; Beyer and Schwefel, "Evolution strategies: a
 * comprehensive introduction", Natural Computing 1, 2002, sections 2.1 and 4.2; the rule's form of Kern et al., Natural Computing 3, 2004:
 * step *= e^(1/3) after a success, e^(-1/12) after a failure). Changed, because a window's p99 is noise and the load moves:
 *  - the challenger is not compared with the incumbent's past: both are measured again, in pairs of neighbouring windows in random order, so that
 *    what changes slowly falls out of the difference (re-evaluation as of Hansen et al., IEEE Trans. Evol. Comp. 13, 2009, section II);
 *  - it replaces the incumbent only when the mean of the paired differences is above zero by SLOW_SIGMAS standard errors, after SLOW_PAIRS_MIN
 *    to SLOW_PAIRS_MAX pairs; it is dropped as soon as it cannot any more, or at once when a window is worse by SLOW_ABORT_Q8;
 *  - steps have a floor and a ceiling (it never stops looking, and never leaps), coordinates reflect at their bounds.
 *
 * Pure: time and randomness are arguments, memory is the caller's, integers throughout; the same calls give the same settings everywhere. Any telemetry is legal: windows
 * without enough requests or with impossible numbers change nothing and are counted.
 */
#ifndef PINTLE_POLICY_SLOW_H
#define PINTLE_POLICY_SLOW_H

#include <stdbool.h>
#include <stdint.h>

#include "policy/knobs.h"

enum slow_knob { SLOW_EXTERNALITY = 0, SLOW_TAU, SLOW_CANDIDATES, SLOW_RAMP, SLOW_NR_KNOBS };

#define SLOW_ONE 65536 /* coordinates and steps: Q16 of the knob's range (of its logarithm, but for the externality) */
#define SLOW_STEP_FIRST (SLOW_ONE / 8)
#define SLOW_STEP_MIN (SLOW_ONE / 32)
#define SLOW_STEP_MAX (SLOW_ONE / 4)
#define SLOW_PAIRS_MIN 5u
#define SLOW_PAIRS_MAX 12u
#define SLOW_SIGMAS_Q8 640	     /* 2.5 standard errors */
#define SLOW_ABORT_Q8 256	     /* twice the p99 */
#define SLOW_MISS_WEIGHT_Q8 1024     /* 1 % beyond the SLO costs 0.04 octaves, 3 % of the p99 */
#define SLOW_CHANGE_COST_Q8 8	     /* of moving one knob over its whole range: 2 % of the p99 */
#define SLOW_MIN_REQUESTS 200u	     /* less have no p99 */
#define SLOW_MAX_NS 3600000000000ull /* latencies beyond an hour are nonsense */

/* What came of the setting that the last call returned. */
struct slow_window {
	uint64_t requests; /* answered in the window */
	uint64_t p99_ns, mean_ns;
	uint64_t missed; /* of them, beyond the SLO; 0 without one */
};

struct slow {
	int32_t incumbent[SLOW_NR_KNOBS], challenger[SLOW_NR_KNOBS]; /* Q16 */
	int32_t step;						     /* Q16 */
	uint32_t tuned;						     /* bit per enum slow_knob */
	struct policy_knobs start;				     /* in force until a challenger wins */
	/* the experiment */
	uint32_t phase;	    /* 0: nothing measured yet; 1: first window of a pair is running; 2: second */
	bool is_challenger; /* whose window is running */
	int32_t first_q8;   /* reward of the pair's first window */
	uint32_t pairs;
	int64_t sum_q8, sum_squares; /* of the differences, challenger - incumbent */
	uint64_t last_ns;
	/* for people */
	uint64_t windows, ignored, won, lost;
	int32_t reward_q8; /* of the last window */
};

/* Begins at `start` (clamped); `tuned`: which knobs may move (bit per enum slow_knob), the rest stay. */
void slow__init(struct slow *s, const struct policy_knobs *start, uint32_t tuned);
/*
 * A window ended at now_ns: takes what came of it, returns the setting for the next, always inside the bounds of knobs.h. `w` NULL: the window was
 * no measurement (a rollout, a reload): the experiment begins anew, the incumbent is in force. `random`: 64 fresh bits. A clock that goes backwards
 * or a pause of more than SLOW_PAUSE_NS begins the experiment anew too.
 */
#define SLOW_PAUSE_NS 300000000000ull
struct policy_knobs slow__tick(struct slow *s, const struct slow_window *w, uint64_t now_ns, uint64_t random);
/* The setting that won last. */
struct policy_knobs slow__incumbent(const struct slow *s);
/* The reward of a window, without the cost of change, saturating; false with *ret_q8 untouched when it is no measurement. */
bool slow__reward_q8(const struct slow_window *w, int32_t *ret_q8);

#endif
