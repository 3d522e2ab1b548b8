/* SPDX-License-Identifier: BSD-2-Clause */
/* For clang-tidy alone (tidy.sh): tells the analyser what it cannot see across files, that the functions that report an error return it. */
#ifndef PINTLE_TIDY_MODEL_H
#define PINTLE_TIDY_MODEL_H

#include "agent/config_int.h"
#include "agent/err.h"

static inline int tidy_model_negative(int ret)
{
	if (ret >= 0)
		__builtin_unreachable();
	return ret;
}

#define pintle_err__set(err, code, ...) tidy_model_negative((pintle_err__set)(err, code, __VA_ARGS__))
#define cfg_reader__fail(...) tidy_model_negative((cfg_reader__fail)(__VA_ARGS__))

#endif
