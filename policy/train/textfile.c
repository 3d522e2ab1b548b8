// SPDX-License-Identifier: BSD-2-Clause
#include "policy/train/textfile.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>
#include <unistd.h>

int textfile__read(const char *path, char **ret_data, size_t *ret_bytes)
{
	FILE *file = fopen(path, "re");
	char *data = NULL;
	off_t size = -1;
	int error = 0;

	if (!file)
		return -errno;
	if (!fseeko(file, 0, SEEK_END))
		size = ftello(file);
	rewind(file);
	if (size < 0)
		error = -ESPIPE;
	else if ((unsigned long long)size > TEXTFILE_MAX_BYTES)
		error = -EFBIG;
	if (!error && !(data = malloc(size ? (size_t)size : 1)))
		error = -ENOMEM;
	if (!error && fread(data, 1, (size_t)size, file) != (size_t)size)
		error = ferror(file) ? -EIO : -EAGAIN; /* it got shorter meanwhile */
	fclose(file);
	if (error) {
		free(data);
		return error;
	}
	*ret_data = data;
	*ret_bytes = (size_t)size;
	return 0;
}

int textfile__replace(const char *path, const void *data, size_t bytes)
{
	char beside[PATH_MAX];
	int error = 0;
	FILE *file;

	if (snprintf(beside, sizeof(beside), "%s.new", path) >= (int)sizeof(beside))
		return -ENAMETOOLONG;
	file = fopen(beside, "we");
	if (!file)
		return -errno;
	if (fwrite(data, 1, bytes, file) != bytes || fflush(file) || fsync(fileno(file)))
		error = errno ? -errno : -EIO;
	if (fclose(file) && !error)
		error = -errno;
	if (!error && rename(beside, path))
		error = -errno;
	if (error)
		unlink(beside);
	return error;
}
