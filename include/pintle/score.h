/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The score of a pod as a choice, in log2 Q8.8: one source for the programs, the policy library and its tests.
 *
 *   score = gain + log2 psi(r),  psi(r) = 1 while r + 1 <= C, else ((r + 1) + x * r) / C
 *
 * r = load (requests in flight) before this one, C = concurrency, x = weight of the delay caused to others (externality).
 * `psi_q8[r]` = log2((r + 1) + x * r); beyond its end the curve is continued by log2(2 a) = 1 + log2 a.
 */
#ifndef PINTLE_SCORE_H
#define PINTLE_SCORE_H

#include "pintle/abi.h"

#ifndef PINTLE_INLINE
#define PINTLE_INLINE static inline __attribute__((always_inline))
#endif

/* log2 psi without the concurrency term. load >= 0; exact below PINTLE_PSI_ENTRIES, within 0.03 above. */
PINTLE_INLINE __s32 pintle_psi_log2_q8(const __s16 *psi_q8, __u32 load)
{
	__s32 octaves = 0;

	if (load >= 1u << 30)
		load = (1u << 30) - 1;
	if (load >= PINTLE_PSI_ENTRIES << 12) {
		load >>= 12;
		octaves += 12 << 8;
	}
	if (load >= PINTLE_PSI_ENTRIES << 6) {
		load >>= 6;
		octaves += 6 << 8;
	}
	if (load >= PINTLE_PSI_ENTRIES << 3) {
		load >>= 3;
		octaves += 3 << 8;
	}
	if (load >= PINTLE_PSI_ENTRIES << 2) {
		load >>= 2;
		octaves += 2 << 8;
	}
	if (load >= PINTLE_PSI_ENTRIES << 1) {
		load >>= 1;
		octaves += 1 << 8;
	}
	if (load >= PINTLE_PSI_ENTRIES) {
		load >>= 1;
		octaves += 1 << 8;
	}
	return psi_q8[load & (PINTLE_PSI_ENTRIES - 1)] + octaves;
}

/* Score of a member under `load` (negative counts as 0). Lower is better. */
PINTLE_INLINE __s32 pintle_score_q8(const struct pintle_member *m, __s32 load, const __s16 *psi_q8)
{
	__u32 r = load > 0 ? (__u32)load : 0;

	if (r + 1 <= m->concurrency)
		return m->gain_q8;
	return m->gain_sat_q8 + pintle_psi_log2_q8(psi_q8, r);
}

/*
 * Requests at a pod now, where other balancers send too (policy/reckon.h): max(own, share * own + offset), rounded half up. `own`: this
 * balancer's own in flight; offset_q8: written for each pod by the agent; share_q8: of the service, 256 = no others.
 */
PINTLE_INLINE __u32 pintle_reckon(__u32 own, __s32 offset_q8, __u32 share_q8)
{
	__u32 bounded = own < 1u << 22 ? own : 1u << 22;
	__s64 all_q8 = (__s64)((__u64)bounded * share_q8) + offset_q8 + 128;
	__u32 all = all_q8 > 0 ? (__u32)((__u64)all_q8 >> 8) : 0;

	if (all > 1u << 30)
		all = 1u << 30;
	return all > bounded ? all : bounded;
}

/* floor(log2(x) * 256), within 0.09 octaves by linear mantissa; x = 0 gives 0. No loop, no call. */
PINTLE_INLINE __s32 pintle_log2_q8(__u64 x)
{
	__u32 e = 0;
	__u64 v = x;

	if (!x)
		return 0;
	if (v >> 32) {
		e += 32;
		v >>= 32;
	}
	if (v >> 16) {
		e += 16;
		v >>= 16;
	}
	if (v >> 8) {
		e += 8;
		v >>= 8;
	}
	if (v >> 4) {
		e += 4;
		v >>= 4;
	}
	if (v >> 2) {
		e += 2;
		v >>= 2;
	}
	if (v >> 1)
		e += 1;
	/* mantissa: the 8 bits below the leading one */
	if (e >= 8)
		return (__s32)(e << 8 | ((x >> (e - 8)) & 0xff));
	return (__s32)(e << 8 | ((x << (8 - e)) & 0xff));
}

#endif
