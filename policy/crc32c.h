/* SPDX-License-Identifier: BSD-2-Clause */
/* CRC-32C (Castagnoli), as in iSCSI: RFC 3720 section 12.1, examples in appendix B.4. Reflected polynomial 0x82f63b78, start and end inverted. */
#ifndef PINTLE_POLICY_CRC32C_H
#define PINTLE_POLICY_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* Of `bytes` bytes; `crc` is 0, or the result so far to go on. */
uint32_t crc32c(uint32_t crc, const void *data, size_t bytes);

#endif
