/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The ladder that new flows go down while the agent is away (docs/state.md): one source for the programs and for what is said of them. */
#ifndef PINTLE_LADDER_H
#define PINTLE_LADDER_H

#include <linux/types.h>

#ifndef PINTLE_INLINE
#define PINTLE_INLINE static inline __attribute__((always_inline))
#endif

enum pintle_rung {
	PINTLE_RUNG_AGENT = 0, /* all is well, or no agent is waited for */
	PINTLE_RUNG_LATE,      /* choose by load */
	PINTLE_RUNG_GONE,      /* leave new flows to the stack */
};

#define PINTLE_BEAT_AHEAD 4u /* units of the fine clock */

/* beat, absence: ctl's words. jiffies: now, low word of the same clock. fine_shift: meta's. *ret_silent: jiffies without a beat; 0 when none is waited for,
 * or when the beat lies ahead, by PINTLE_BEAT_AHEAD units at most: another CPU wrote it a moment ago. After 2^32 jiffies (50 days at 1000 a second) without
 * an agent the word comes round, and the ladder is gone down once more. */
PINTLE_INLINE __u32 pintle_rung(__u32 beat, __u32 absence, __u32 jiffies, __u32 fine_shift, __u32 *ret_silent)
{
	__u32 silent = jiffies - beat, units;

	*ret_silent = 0;
	if (!beat || silent >= -(PINTLE_BEAT_AHEAD << fine_shift))
		return PINTLE_RUNG_AGENT;
	*ret_silent = silent;
	units = silent >> fine_shift;
	if (absence && units >= absence)
		return PINTLE_RUNG_GONE;
	return units ? PINTLE_RUNG_LATE : PINTLE_RUNG_AGENT;
}

#endif
