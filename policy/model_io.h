/* SPDX-License-Identifier: BSD-2-Clause */
/* The layout of a model file, for those who read and write it. All integers little-endian. */
#ifndef PINTLE_POLICY_MODEL_IO_H
#define PINTLE_POLICY_MODEL_IO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MODEL_HEADER_BYTES \
	24 /* magic 8, version 4, bytes of the file 4, features 1, layers 1, golden vectors 2, bytes of text 2, zero 2 */
#define MODEL_CRC_BYTES 4 /* at the end, over everything before */

struct model_reader {
	const uint8_t *data;
	size_t bytes; /* that may be read: without the checksum once the header is read */
	size_t at;
	bool is_short; /* something was asked for beyond the end */
};

struct model_writer {
	uint8_t *data;
	size_t room;
	size_t at;
	bool is_full; /* something did not fit */
};

/* The checksum behind what may be read. */
static inline uint32_t model_reader__crc(const struct model_reader *r)
{
	const uint8_t *p = &r->data[r->bytes];

	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

#endif
