/* SPDX-License-Identifier: BSD-2-Clause */
/* The few scalars of the policy that are tuned slowly: by hand, or by the slow loop between the bounds given here. */
#ifndef PINTLE_POLICY_KNOBS_H
#define PINTLE_POLICY_KNOBS_H

#include <stdint.h>

struct policy_knobs {
	uint32_t externality_q8; /* weight x of the delay caused to others, Q8: 0..512 */
	uint32_t tau_q8;	 /* time constant of the gain in the pod's own mean latencies, Q8: 128..25600 */
	uint32_t candidates;	 /* pods looked at for a choice: 0 = all, else 2..64 */
	uint32_t ramp_q8;	 /* growth of a new pod's share per mean latency, Q8: 258..1024 (a factor of 1.01..4) */
	uint64_t explore_ns;	 /* an idle pod gets a request when none was seen for so long; 0 = never */
};

#define KNOBS_EXTERNALITY_MAX_Q8 512u
#define KNOBS_TAU_MIN_Q8 128u
#define KNOBS_TAU_MAX_Q8 25600u
#define KNOBS_CANDIDATES_MAX 64u
#define KNOBS_RAMP_MIN_Q8 258u
#define KNOBS_RAMP_MAX_Q8 1024u

/* x = 1, tau = 20 latencies, all candidates, ramp 2, explore after 2 s. Where the values come from: docs/policy.md. */
void knobs__default(struct policy_knobs *k);
/* Moves every value inside its bounds. */
void knobs__clamp(struct policy_knobs *k);

#endif
