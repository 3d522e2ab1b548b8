/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The verdicts of verdict.def as an enum. 0 is "go on with the next stage" and never counted. */
#ifndef PINTLE_VERDICT_H
#define PINTLE_VERDICT_H

enum pintle_verdict {
	PINTLE_V_CONTINUE = 0,
#define PINTLE_VERDICT(name, direction, action, label, help) PINTLE_V_##name,
#include "pintle/verdict.def"
#undef PINTLE_VERDICT
	PINTLE_V_MAX,
};

enum pintle_direction { PINTLE_DIR_FWD = 0, PINTLE_DIR_REV };
enum pintle_action { PINTLE_ACT_PASS = 0, PINTLE_ACT_DROP, PINTLE_ACT_REDIRECT };

#endif
