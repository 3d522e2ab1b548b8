/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/unit/onnx_fixture.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/wholefile.h"

#define GOLDEN "tests/golden/onnx/"

struct float_net net;

/* Memory of the messages, which hold constants once they were changed: nobody frees it. */
static uint8_t arena[1 << 22];
static size_t arena_used;

static void *arena_alloc(void *data, size_t bytes)
{
	void *p = &arena[arena_used];

	(void)data;
	arena_used += (bytes + 15) / 16 * 16;
	ck_assert_uint_le(arena_used, sizeof(arena));
	return p;
}

static void arena_free(void *data, void *memory)
{
	(void)data;
	(void)memory;
}

static ProtobufCAllocator allocator = { .alloc = arena_alloc, .free = arena_free };

char *read_golden(const char *name, const char *suffix, size_t *ret_bytes)
{
	struct pintle_err err = { 0 };
	char path[128], *data;

	snprintf(path, sizeof(path), GOLDEN "%s%s", name, suffix);
	ck_assert_msg(!wholefile__read(path, ONNX_MAX_BYTES, &data, ret_bytes, &err), "%s", err.msg);
	return data;
}

Onnx__Model *read_model(const char *name)
{
	size_t bytes;
	char *data = read_golden(name, ".script.onnx", &bytes);
	Onnx__Model *m = onnx__model__unpack(&allocator, bytes, (const uint8_t *)data);

	ck_assert_ptr_nonnull(m);
	free(data);
	return m;
}

int parse_model(const Onnx__Model *m, struct pintle_err *err)
{
	static struct float_net untouched;
	size_t bytes = onnx__model__get_packed_size(m);
	uint8_t *data = malloc(bytes ? bytes : 1);
	int error;

	ck_assert_ptr_nonnull(data);
	onnx__model__pack(m, data);
	err->msg[0] = '\0';
	memset(&net, 0x55, sizeof(net));
	error = onnx__parse(data, bytes, &net, err);
	free(data);
	if (error) {
		memset(&untouched, 0x55, sizeof(untouched));
		ck_assert_mem_eq(&net, &untouched, sizeof(net));
	}
	return error;
}
