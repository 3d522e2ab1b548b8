// SPDX-License-Identifier: BSD-2-Clause
/* One frame through the model. */
#include "model.h"

static const int model_actions[PINTLE_V_MAX] = {
#define PINTLE_VERDICT(name, direction, action, label, help) [PINTLE_V_##name] = PINTLE_ACT_##action,
#include "pintle/verdict.def"
#undef PINTLE_VERDICT
};

void model__run(struct model *m, enum model_prog prog, uint8_t *data, uint32_t bytes, struct model_result *ret)
{
	bool is_reverse = prog == MODEL_REV_UP || prog == MODEL_REV_VETH;
	struct model_frame f;
	int verdict;

	memset(ret, 0, sizeof(*ret));
	verdict = model__class_verdict(model_frame__parse(data, bytes, &f), is_reverse);
	if (verdict != PINTLE_V_CONTINUE)
		ret->verdict = verdict;
	else if (is_reverse)
		model__reverse(m, prog, &f, ret);
	else
		model__forward(m, prog, &f, ret);
	ret->action = model_actions[ret->verdict];
}
