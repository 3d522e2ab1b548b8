// SPDX-License-Identifier: BSD-2-Clause
#include "policy/slow.h"

#include <string.h>

#include "policy/fixed.h"

#define MEAN_WEIGHT_Q8 77 /* 0.3 */
/* e^(1/3) and e^(-1/12) in Q16: the one-fifth rule */
#define GROW_Q16 91463
#define SHRINK_Q16 60296
#define CANDIDATES_ALL_FROM 63u /* at the end of the range: all */

/* Knobs but the externality move by their log2, Q8. */
#define TAU_LOW_Q8 (7 * 256)	     /* of KNOBS_TAU_MIN_Q8 = 128 */
#define TAU_SPAN_Q8 1957	     /* to 25600: 7.644 octaves */
#define CANDIDATES_LOW_Q8 256	     /* 2 */
#define CANDIDATES_SPAN_Q8 (5 * 256) /* to 64 */
#define RAMP_LOW_Q8 2051	     /* of KNOBS_RAMP_MIN_Q8 = 258 */
#define RAMP_SPAN_Q8 509	     /* to 1024 */

static int32_t to_unit(int32_t x_q8, int32_t low_q8, int32_t span_q8)
{
	int64_t unit = fixed__div_round((int64_t)(x_q8 - low_q8) * SLOW_ONE, span_q8);

	return (int32_t)(unit < 0 ? 0 : unit > SLOW_ONE ? SLOW_ONE : unit);
}

static uint32_t from_unit(int32_t unit, int32_t low_q8, int32_t span_q8)
{
	return (uint32_t)fixed__exp2_q8(low_q8 + (int32_t)fixed__shr_round((int64_t)unit * span_q8, 16));
}

static void to_units(const struct policy_knobs *k, int32_t unit[SLOW_NR_KNOBS])
{
	unit[SLOW_EXTERNALITY] = (int32_t)(k->externality_q8 * (SLOW_ONE / KNOBS_EXTERNALITY_MAX_Q8));
	unit[SLOW_TAU] = to_unit(fixed__log2_q8(k->tau_q8), TAU_LOW_Q8, TAU_SPAN_Q8);
	unit[SLOW_CANDIDATES] = k->candidates ? to_unit(fixed__log2_q8(k->candidates), CANDIDATES_LOW_Q8, CANDIDATES_SPAN_Q8)
					      : SLOW_ONE;
	unit[SLOW_RAMP] = to_unit(fixed__log2_q8(k->ramp_q8), RAMP_LOW_Q8, RAMP_SPAN_Q8);
}

/* Knobs that are not tuned keep the value they were given, to the bit. */
static struct policy_knobs from_units(const struct slow *s, const int32_t unit[SLOW_NR_KNOBS])
{
	struct policy_knobs k = s->start;

	if (s->tuned >> SLOW_EXTERNALITY & 1)
		k.externality_q8 = (uint32_t)unit[SLOW_EXTERNALITY] / (SLOW_ONE / KNOBS_EXTERNALITY_MAX_Q8);
	if (s->tuned >> SLOW_TAU & 1)
		k.tau_q8 = from_unit(unit[SLOW_TAU], TAU_LOW_Q8, TAU_SPAN_Q8);
	if (s->tuned >> SLOW_CANDIDATES & 1) {
		k.candidates = from_unit(unit[SLOW_CANDIDATES], CANDIDATES_LOW_Q8, CANDIDATES_SPAN_Q8);
		if (k.candidates >= CANDIDATES_ALL_FROM)
			k.candidates = 0;
	}
	if (s->tuned >> SLOW_RAMP & 1)
		k.ramp_q8 = from_unit(unit[SLOW_RAMP], RAMP_LOW_Q8, RAMP_SPAN_Q8);
	knobs__clamp(&k);
	return k;
}

void slow__init(struct slow *s, const struct policy_knobs *start, uint32_t tuned)
{
	memset(s, 0, sizeof(*s));
	s->start = *start;
	knobs__clamp(&s->start);
	s->tuned = tuned & ((1u << SLOW_NR_KNOBS) - 1);
	s->step = SLOW_STEP_FIRST;
	to_units(&s->start, s->incumbent);
}

struct policy_knobs slow__incumbent(const struct slow *s)
{
	return s->won ? from_units(s, s->incumbent) : s->start;
}

bool slow__reward_q8(const struct slow_window *w, int32_t *ret_q8)
{
	uint64_t missed = w->missed > w->requests ? w->requests : w->missed;
	int64_t cost;

	if (w->requests < SLOW_MIN_REQUESTS || !w->p99_ns || !w->mean_ns || w->p99_ns > SLOW_MAX_NS || w->mean_ns > SLOW_MAX_NS)
		return false;
	cost = fixed__log2_q8(w->p99_ns) + fixed__shr_round((int64_t)MEAN_WEIGHT_Q8 * fixed__log2_q8(w->mean_ns), 8);
	cost += fixed__shr_round((int64_t)fixed__fraction_q16(missed, w->requests) * SLOW_MISS_WEIGHT_Q8, 16);
	*ret_q8 = (int32_t)-cost;
	return true;
}

static int32_t change_cost_q8(const struct slow *s)
{
	int64_t distance = 0;

	for (int i = 0; i < SLOW_NR_KNOBS; i++) {
		int64_t d = (int64_t)s->challenger[i] - s->incumbent[i];

		distance += d < 0 ? -d : d;
	}
	return (int32_t)fixed__shr_round(distance * SLOW_CHANGE_COST_Q8, 16);
}

/* SplitMix64 (Steele, Lea and Flood 2014). */
static uint64_t next(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

/* Sum of twelve uniforms less their mean: variance one, |x| <= 6; Q16. */
static int32_t normal_q16(uint64_t *state)
{
	int64_t sum = 0;

	for (int i = 0; i < 12; i += 4) {
		uint64_t bits = next(state);

		for (int j = 0; j < 4; j++, bits >>= 16)
			sum += (int64_t)(bits & 65535) - 32768;
	}
	return (int32_t)sum;
}

static int32_t reflect(int64_t x)
{
	x = x < 0 ? -x : x;
	x %= 2 * (int64_t)SLOW_ONE;
	return (int32_t)(x > SLOW_ONE ? 2 * SLOW_ONE - x : x);
}

static void new_challenger(struct slow *s, uint64_t *random)
{
	for (int i = 0; i < SLOW_NR_KNOBS; i++) {
		s->challenger[i] = s->incumbent[i];
		if (s->tuned >> i & 1)
			s->challenger[i] = reflect(s->incumbent[i] +
						   fixed__shr_round((int64_t)normal_q16(random) * s->step, 16));
	}
	s->pairs = 0;
	s->sum_q8 = 0;
	s->sum_squares = 0;
}

static void end_experiment(struct slow *s, bool won)
{
	s->step = fixed__mul_q16(s->step, won ? GROW_Q16 : SHRINK_Q16);
	s->step = s->step < SLOW_STEP_MIN ? SLOW_STEP_MIN : s->step > SLOW_STEP_MAX ? SLOW_STEP_MAX : s->step;
	if (won) {
		memcpy(s->incumbent, s->challenger, sizeof(s->incumbent));
		s->won++;
	} else {
		s->lost++;
	}
}

/*
 * Is the mean difference above (sign 1) or below (sign -1) zero by the standard errors asked for? With n differences of sum S and sum of squares
 * Q, mean / standard error = S sqrt(n - 1) / sqrt(n Q - S^2): compared squared.
 */
static bool is_clear(const struct slow *s, int sign)
{
	__int128 n = s->pairs, sum = s->sum_q8 * sign, spread = n * s->sum_squares - sum * sum;

	return n > 1 && sum > 0 && sum * sum * (n - 1) * 65536 >= spread * SLOW_SIGMAS_Q8 * SLOW_SIGMAS_Q8;
}

/* Both windows of a pair are in. True when the experiment is over. */
static bool judge(struct slow *s, int32_t second_q8)
{
	int32_t difference = s->is_challenger ? second_q8 - s->first_q8 : s->first_q8 - second_q8;

	difference -= change_cost_q8(s);
	s->pairs++;
	s->sum_q8 += difference;
	s->sum_squares += (int64_t)difference * difference;
	if (difference < -SLOW_ABORT_Q8)
		end_experiment(s, false);
	else if (s->pairs >= SLOW_PAIRS_MIN && is_clear(s, 1))
		end_experiment(s, true);
	else if (s->pairs >= SLOW_PAIRS_MAX || (s->pairs >= SLOW_PAIRS_MIN && s->sum_q8 <= 0) || is_clear(s, -1))
		end_experiment(s, false);
	else
		return false;
	return true;
}

static struct policy_knobs begin_pair(struct slow *s, uint64_t *random)
{
	s->phase = 1;
	s->is_challenger = next(random) & 1;
	return s->is_challenger ? from_units(s, s->challenger) : slow__incumbent(s);
}

struct policy_knobs slow__tick(struct slow *s, const struct slow_window *w, uint64_t now_ns, uint64_t random)
{
	bool is_gap = !w || now_ns < s->last_ns || (s->last_ns && now_ns - s->last_ns > SLOW_PAUSE_NS);
	int32_t reward_q8;

	s->last_ns = now_ns;
	s->windows++;
	if (!s->tuned)
		return s->start;
	if (is_gap) {
		s->phase = 0;
		s->ignored++;
		return slow__incumbent(s);
	}
	if (!s->phase) { /* whatever this window was, from now on they count */
		new_challenger(s, &random);
		return begin_pair(s, &random);
	}
	if (!slow__reward_q8(w, &reward_q8)) { /* the same window again */
		s->ignored++;
		return s->is_challenger ? from_units(s, s->challenger) : slow__incumbent(s);
	}
	s->reward_q8 = reward_q8;
	if (s->phase == 1) {
		s->first_q8 = reward_q8;
		s->phase = 2;
		s->is_challenger = !s->is_challenger;
		return s->is_challenger ? from_units(s, s->challenger) : slow__incumbent(s);
	}
	if (judge(s, reward_q8))
		new_challenger(s, &random);
	return begin_pair(s, &random);
}
