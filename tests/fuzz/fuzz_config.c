/* SPDX-License-Identifier: BSD-2-Clause */
/* The configuration parser on any bytes: an error with a message, or a configuration that is valid by its own rules. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "agent/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct pintle_config *config = NULL;
	struct pintle_err err = { 0 };

	if (config__parse("fuzz", data, bytes, &config, &err)) {
		if (config || !err.code || !err.msg[0])
			abort();
		return 0;
	}
	if (config__validate("fuzz", config, &err))
		abort();
	config__free(config);
	return 0;
}
