/* SPDX-License-Identifier: BSD-2-Clause */
/* The rung that new flows are on: what the programs would answer now to the same words (include/pintle/ladder.h). */
#include "agent/flowview.h"
#include "agent/view.h"

static const struct {
	const char *name, *new_flows;
} rungs[] = {
	[PINTLE_RUNG_AGENT] = { "agent", "as configured" },
	[PINTLE_RUNG_LATE] = { "load", "score and leastconn: the less loaded of two pods, for the agent is silent" },
	[PINTLE_RUNG_GONE] = { "stack", "pass untouched, for the agent has been silent for longer than agent_absence" },
};

static uint64_t jiffies_ns(const struct pintle_meta *meta, uint64_t jiffies)
{
	return meta->hz ? jiffies / meta->hz * 1000000000 + jiffies % meta->hz * 1000000000 / meta->hz : 0;
}

struct view_ladder view__ladder(const struct view *view)
{
	const struct pintle_meta *meta = view->src.maps->meta;
	const struct pintle_ctl *ctl = view->src.maps->ctl;
	uint32_t beat = __atomic_load_n(&ctl->beat, __ATOMIC_RELAXED);
	uint32_t absence = __atomic_load_n(&ctl->absence, __ATOMIC_RELAXED), silent;
	struct view_ladder ladder = { .is_waiting = beat != 0 };

	ladder.rung = pintle_rung(beat, absence, (uint32_t)flowview__jiffies(meta, view->src.mono_ns), meta->fine_shift & 31,
				  &silent);
	ladder.silent_ns = jiffies_ns(meta, silent);
	ladder.pass_after_ns = jiffies_ns(meta, (uint64_t)absence << (meta->fine_shift & 31));
	return ladder;
}

void view__put_ladder(const struct view *view, struct out *out)
{
	struct view_ladder ladder = view__ladder(view);

	out__record(out, "ladder", NULL);
	out__str(out, "rung", NULL, rungs[ladder.rung].name);
	out__str(out, "new_flows", "new flows",
		 ladder.is_waiting ? rungs[ladder.rung].new_flows : "as configured: no agent is waited for");
	out__bool(out, "waits_for_agent", "waits for an agent", ladder.is_waiting);
	if (ladder.is_waiting)
		out__ns(out, "silent_ns", "agent silent for", ladder.silent_ns);
	else
		out__null(out, "silent_ns", "agent silent for");
	if (ladder.pass_after_ns)
		out__ns(out, "pass_after_ns", "new flows pass after", ladder.pass_after_ns);
	else
		out__null(out, "pass_after_ns", "new flows pass after");
	out__end(out);
}
