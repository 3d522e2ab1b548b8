// SPDX-License-Identifier: BSD-2-Clause
#include "policy/reckon.h"

#include "policy/fixed.h"

#define TAU_NS 10000000000ull
#define LOOK_REQUESTS 64u /* own requests that a look at the share takes in at least */
#define LOAD_MAX (1u << 20)

static uint32_t clamp_share(uint64_t share_q8)
{
	return share_q8 < 256 ? 256 : share_q8 > RECKON_SHARE_MAX_Q8 ? RECKON_SHARE_MAX_Q8 : (uint32_t)share_q8;
}

void reckon__init(struct reckon_share *s, uint32_t share_q8)
{
	share_q8 = clamp_share(share_q8);
	*s = (struct reckon_share){ .share_q8 = share_q8, .share_q32 = (uint64_t)share_q8 << 24 };
}

void reckon__arrivals(struct reckon_share *s, uint64_t total, uint64_t own, uint64_t now_ns)
{
	uint64_t all = total - s->total, mine = own - s->own, weight, seen;

	if (!s->last_ns || total < s->total || own < s->own || now_ns < s->last_ns) {
		s->total = total;
		s->own = own;
		s->last_ns = now_ns ? now_ns : 1;
		return;
	}
	if (mine < LOOK_REQUESTS)
		return;
	seen = all >> 40 ? RECKON_SHARE_MAX_Q8 : clamp_share((all * 256 + mine / 2) / mine);
	weight = s->known ? fixed__one_minus_exp_q30(now_ns - s->last_ns, TAU_NS) : 1ull << 30;
	/* at most 2^40 * 2^30 / 2^10 */
	s->share_q32 = (uint64_t)((int64_t)s->share_q32 +
				  fixed__shr_round((((int64_t)seen << 24) - (int64_t)s->share_q32) / 1024 * (int64_t)weight,
						   20));
	s->share_q8 = clamp_share((uint64_t)fixed__shr_round((int64_t)s->share_q32, 24));
	s->known = true;
	s->total = total;
	s->own = own;
	s->last_ns = now_ns;
}

int32_t reckon__offset_q8(const struct reckon_share *s, uint32_t snap, uint32_t own_at_snap, uint64_t age_ns,
			  uint64_t latency_ns)
{
	int64_t offset_q8 = (int64_t)(snap < LOAD_MAX ? snap : LOAD_MAX) * 256 -
			    (int64_t)(own_at_snap < LOAD_MAX ? own_at_snap : LOAD_MAX) * s->share_q8;
	uint64_t half_ns = latency_ns < 1ull << 44 ? latency_ns * RECKON_HALF_LIVES : 1ull << 44;
	uint64_t lives = half_ns ? age_ns / half_ns : 0;
	uint64_t kept_q30;

	if (lives >= 30)
		return 0;
	kept_q30 = half_ns ? fixed__exp2_neg_q30((lives << 30) + fixed__fraction_q30(age_ns % half_ns, half_ns)) : 1ull << 30;
	/* up to 2^20 * 2^16 = 2^36: two steps, so that 2^66 is never made */
	return fixed__sat32(fixed__shr_round(fixed__shr_round(offset_q8, 4) * (int64_t)(kept_q30 >> 4), 22));
}
