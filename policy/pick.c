// SPDX-License-Identifier: BSD-2-Clause
#include "policy/pick.h"

uint32_t pick__member(const struct pick_input *in, uint64_t hash, uint32_t *ret_load)
{
	uint32_t start = (uint32_t)(((hash & 0xffffffff) * in->nr) >> 32), at = start, winner = start, load = 0;
	uint32_t nr = in->candidates && in->candidates < in->nr ? in->candidates : in->nr;
	int32_t best = INT32_MAX;

	for (uint32_t i = 0; i < nr; i++) {
		uint32_t r = in->offset_q8 ? pintle_reckon(in->own[at], in->offset_q8[at], in->share_q8) : in->own[at];
		int32_t score = pintle_score_q8(&in->members[at], (int32_t)r, in->psi_q8);

		if (score < best) {
			best = score;
			winner = at;
			load = r;
		}
		if (++at == in->nr)
			at = 0;
	}
	if (ret_load)
		*ret_load = load;
	return winner;
}
