/* SPDX-License-Identifier: BSD-2-Clause */
/* Any bytes as a recording: rows and a report that fit together, or an error that names the line. */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "policy/train/recording.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	char text[RECORDING_TEXT_BYTES] = { 0 };
	struct recording_report report;
	struct dataset d;
	int error;

	dataset__init(&d, FEATURE_NR);
	error = recording__read((const char *)data, bytes, &d, &report, text);
	if (error ? error != -EINVAL || !text[0] || !memchr(text, 0, sizeof(text)) : text[0] != '\0')
		abort();
	if (report.rows != d.nr || (report.is_torn && report.torn_byte >= bytes))
		abort();
	for (size_t i = 0; i < d.nr * FEATURE_NR; i++)
		if (d.inputs[i] == INT8_MIN)
			abort();
	dataset__free(&d);
	return 0;
}
