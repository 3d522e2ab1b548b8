/* SPDX-License-Identifier: BSD-2-Clause */
/* `stats`: the verdicts of verdict.def, whose counts of one direction sum to the packets seen. */
#include "agent/view.h"
#include "pintle/verdict.h"

#define FWD PINTLE_DIR_FWD
#define REV PINTLE_DIR_REV
#define PASS PINTLE_ACT_PASS
#define DROP PINTLE_ACT_DROP
#define REDIRECT PINTLE_ACT_REDIRECT

static const struct {
	enum pintle_direction direction;
	enum pintle_action action;
	const char *label, *help;
} stats_verdicts[PINTLE_V_MAX] = {
#define PINTLE_VERDICT(name, direction, action, label, help) [PINTLE_V_##name] = { direction, action, label, help },
#include "pintle/verdict.def"
#undef PINTLE_VERDICT
};

static const char *const stats_directions[] = { "forward", "reverse" };
static const char *const stats_actions[] = { "pass", "drop", "redirect" };

const char *view__verdict(uint32_t verdict, const char **ret_direction)
{
	if (!verdict || verdict >= PINTLE_V_MAX)
		return NULL;
	if (ret_direction)
		*ret_direction = stats_directions[stats_verdicts[verdict].direction];
	return stats_verdicts[verdict].label;
}

void view__stats(const uint64_t *verdicts, bool with_zero, struct out *out)
{
	uint64_t packets[2] = { 0 };
	unsigned int direction, v;

	for (v = 1; v < PINTLE_V_MAX; v++)
		packets[stats_verdicts[v].direction] += verdicts[v];
	out__record(out, NULL, NULL);
	out__u64(out, "forward_packets", NULL, packets[PINTLE_DIR_FWD]);
	out__u64(out, "reverse_packets", NULL, packets[PINTLE_DIR_REV]);
	out__table(out, "verdicts", NULL);
	for (direction = 0; direction < 2; direction++) {
		for (v = 1; v < PINTLE_V_MAX; v++) {
			if (stats_verdicts[v].direction != direction || (!with_zero && !verdicts[v]))
				continue;
			out__row(out);
			out__str(out, "verdict", NULL, stats_verdicts[v].label);
			out__str(out, "direction", NULL, stats_directions[direction]);
			out__str(out, "action", NULL, stats_actions[stats_verdicts[v].action]);
			out__u64(out, "packets", NULL, verdicts[v]);
			out__str(out, "help", "what", stats_verdicts[v].help);
			out__end(out);
		}
	}
	out__end(out);
	out__end(out);
}
