/* SPDX-License-Identifier: BSD-2-Clause */
/* Whole files of the offline tools. */
#ifndef PINTLE_TRAIN_TEXTFILE_H
#define PINTLE_TRAIN_TEXTFILE_H

#include <stddef.h>

#define TEXTFILE_MAX_BYTES (1ull << 32)

/* All of it, the caller's to free; no terminator. -EFBIG beyond TEXTFILE_MAX_BYTES, -errno. */
int textfile__read(const char *path, char **ret_data, size_t *ret_bytes);
/* Appears at once: written to PATH.new and renamed. -errno; then the old one is untouched. */
int textfile__replace(const char *path, const void *data, size_t bytes);

#endif
