// SPDX-License-Identifier: BSD-2-Clause
#include "policy/explore.h"

#include "policy/fixed.h"

void explore__begin(struct explore *e, uint64_t sent, uint64_t now_ns)
{
	*e = (struct explore){ .last_ns = now_ns, .sent = sent };
}

bool explore__due(struct explore *e, uint64_t sent, uint64_t interval_ns, uint64_t now_ns)
{
	if (sent != e->sent || now_ns < e->last_ns)
		explore__begin(e, sent, now_ns);
	return interval_ns && now_ns - e->last_ns >= interval_ns;
}

struct pintle_member explore__member(const struct pintle_member *m, int32_t lowest_q8)
{
	struct pintle_member due = *m;
	int32_t below = lowest_q8 < m->gain_q8 ? lowest_q8 : m->gain_q8;

	due.concurrency = 1;
	due.gain_q8 = fixed__sat16((int64_t)below - 1);
	due.gain_sat_q8 = m->gain_q8;
	return due;
}
