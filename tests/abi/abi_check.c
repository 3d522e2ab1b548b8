/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Compares the ABI as user space compiles it with the BTF of the BPF side: abi_check PINTLE.bpf.o ABI_TYPES.bpf.o
 * Prints TAP: one result a structure, enumeration and map.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include "pintle/abi.h"
#include "pintle/hash.h"
#include "pintle/maps.h"
#include "pintle/verdict.h"

struct abi_field {
	const char *of, *name;
	size_t offset, size;
};

/* Bit-fields; `word` is what the structure looks like with all bits of this one set. */
struct abi_bits {
	const char *of, *name;
	unsigned int shift, bits;
	unsigned long long (*word)(void);
};

struct abi_struct {
	const char *name;
	size_t size;
	bool in_object;
};

struct abi_value {
	const char *of, *name;
	long long value;
};

#define OBJECT true
#define LOCAL false
static const struct abi_struct structs[] = {
#define ABI_STRUCT(name, where) { #name, sizeof(struct name), where },
#include "abi_list.def"
};

static const struct abi_field fields[] = {
#define ABI_FIELD(of, field) { #of, #field, offsetof(struct of, field), sizeof(((struct of *)0)->field) },
#include "abi_list.def"
};

#define ABI_BITS(of, field, shift, bits)             \
	static unsigned long long of##_##field(void) \
	{                                            \
		struct of all = { 0 };               \
		unsigned long long word = 0;         \
		all.field = (1u << (bits)) - 1;      \
		memcpy(&word, &all, sizeof(all));    \
		return word;                         \
	}
#include "abi_list.def"

static const struct abi_bits bits[] = {
#define ABI_BITS(of, field, shift, bits) { #of, #field, (unsigned int)(shift), bits, of##_##field },
#include "abi_list.def"
};

static const char *const enums[] = {
	"pintle_verdict",
#define ABI_ENUM(name) #name,
#include "abi_list.def"
};

static const struct abi_value values[] = {
	{ "pintle_verdict", "PINTLE_V_CONTINUE", PINTLE_V_CONTINUE },
	{ "pintle_verdict", "PINTLE_V_MAX", PINTLE_V_MAX },
#define PINTLE_VERDICT(name, direction, action, label, help) { "pintle_verdict", "PINTLE_V_" #name, PINTLE_V_##name },
#include "pintle/verdict.def"
#undef PINTLE_VERDICT
#define ABI_VALUE(of, value) { #of, #value, value },
#include "abi_list.def"
};

struct abi_map {
	const char *name;
	enum bpf_map_type type;
	size_t key_bytes, value_bytes; /* 1 (of void) = not compared */
	__u32 flags;
};
#define BPF_F_NONE 0u
#define MAP(id, name, type, key, value, flag, what) { name, BPF_MAP_TYPE_##type, sizeof(key), sizeof(value), BPF_F_##flag },
static const struct abi_map maps[] = { PINTLE_MAPS(MAP) };

#define NR(array) (sizeof(array) / sizeof((array)[0]))

static unsigned int nr_results, nr_failed;
static bool is_good;

__attribute__((format(printf, 1, 2))) static void differs(const char *fmt, ...)
{
	va_list ap;

	is_good = false;
	va_start(ap, fmt);
	fputs("# ", stdout);
	vprintf(fmt, ap);
	fputc('\n', stdout);
	va_end(ap);
}

static void result(const char *what, const char *name)
{
	if (!is_good)
		nr_failed++;
	printf("%s %u - %s %s\n", is_good ? "ok" : "not ok", ++nr_results, what, name);
	is_good = true;
}

/* What a member without a name holds has the names of the structure around it. */
static const struct btf_type *unnamed(const struct btf *btf, const struct btf_member *m)
{
	const char *name = btf__name_by_offset(btf, m->name_off);
	const struct btf_type *t = btf__type_by_id(btf, m->type);

	return !name[0] && btf_is_composite(t) ? t : NULL;
}

static const struct btf_member *find_member(const struct btf *btf, const struct btf_type *t, const char *name,
					    unsigned int *ret_offset_bits, unsigned int *ret_bits)
{
	const struct btf_member *m = btf_members(t), *found;

	for (unsigned int i = 0; i < btf_vlen(t); i++) {
		unsigned int offset = btf_member_bit_offset(t, i);

		if (!strcmp(btf__name_by_offset(btf, m[i].name_off), name)) {
			*ret_offset_bits = offset;
			*ret_bits = btf_member_bitfield_size(t, i);
			return &m[i];
		}
		found = unnamed(btf, &m[i]) ? find_member(btf, unnamed(btf, &m[i]), name, ret_offset_bits, ret_bits) : NULL;
		if (found) {
			*ret_offset_bits += offset;
			return found;
		}
	}
	return NULL;
}

static unsigned int count_members(const struct btf *btf, const struct btf_type *t)
{
	const struct btf_member *m = btf_members(t);
	unsigned int nr = 0;

	for (unsigned int i = 0; i < btf_vlen(t); i++)
		nr += unnamed(btf, &m[i]) ? count_members(btf, unnamed(btf, &m[i])) : 1;
	return nr;
}

static void compare_field(const struct btf *btf, const struct btf_type *t, const struct abi_field *f)
{
	unsigned int offset_bits, nr_bits;
	const struct btf_member *m = find_member(btf, t, f->name, &offset_bits, &nr_bits);
	long long size;

	if (!m) {
		differs("%s.%s is not in BTF", f->of, f->name);
		return;
	}
	size = btf__resolve_size(btf, m->type);
	if (offset_bits != f->offset * 8)
		differs("%s.%s: offset %zu bytes here, %u bits in BTF", f->of, f->name, f->offset, offset_bits);
	if (size < 0 || (size_t)size != f->size)
		differs("%s.%s: %zu bytes here, %lld in BTF", f->of, f->name, f->size, size);
}

static void compare_bits(const struct btf *btf, const struct btf_type *t, const struct abi_bits *b)
{
	unsigned long long mask = (1ull << b->bits) - 1;
	unsigned int offset_bits, nr_bits;

	if (b->word() != mask << b->shift)
		differs("%s.%s: word %#llx here, %#llx by its masks", b->of, b->name, b->word(), mask << b->shift);
	if (!find_member(btf, t, b->name, &offset_bits, &nr_bits))
		differs("%s.%s is not in BTF", b->of, b->name);
	else if (offset_bits != b->shift || nr_bits != b->bits)
		differs("%s.%s: %u bits at %u here, %u at %u in BTF", b->of, b->name, b->bits, b->shift, nr_bits, offset_bits);
}

static void compare_struct(const char *what, const struct btf *btf, const struct abi_struct *s)
{
	int id = btf__find_by_name_kind(btf, s->name, BTF_KIND_STRUCT);
	const struct btf_type *t = id < 0 ? NULL : btf__type_by_id(btf, (__u32)id);
	unsigned int nr_fields = 0;

	if (!t) {
		differs("struct %s is not in BTF", s->name);
		result(what, s->name);
		return;
	}
	if (t->size != s->size)
		differs("struct %s: %zu bytes here, %u in BTF", s->name, s->size, t->size);
	for (size_t i = 0; i < NR(fields); i++) {
		if (strcmp(fields[i].of, s->name))
			continue;
		nr_fields++;
		compare_field(btf, t, &fields[i]);
	}
	for (size_t i = 0; i < NR(bits); i++) {
		if (strcmp(bits[i].of, s->name))
			continue;
		nr_fields++;
		compare_bits(btf, t, &bits[i]);
	}
	if (nr_fields != count_members(btf, t))
		differs("struct %s: %u fields in abi_list.def, %u in BTF", s->name, nr_fields, count_members(btf, t));
	result(what, s->name);
}

static long long enum_value(const struct btf *btf, const struct btf_type *t, const char *name, bool *ret_found)
{
	const struct btf_enum *e = btf_enum(t);

	*ret_found = true;
	for (unsigned int i = 0; i < btf_vlen(t); i++)
		if (!strcmp(btf__name_by_offset(btf, e[i].name_off), name))
			return e[i].val;
	*ret_found = false;
	return 0;
}

static void compare_enum(const struct btf *btf, const char *name)
{
	int id = btf__find_by_name_kind(btf, name, BTF_KIND_ENUM);
	const struct btf_type *t = id < 0 ? NULL : btf__type_by_id(btf, (__u32)id);
	unsigned int nr_values = 0;

	if (!t)
		differs("enum %s is not in BTF", name);
	for (size_t i = 0; t && i < NR(values); i++) {
		bool is_there;
		long long value;

		if (strcmp(values[i].of, name))
			continue;
		nr_values++;
		value = enum_value(btf, t, values[i].name, &is_there);
		if (!is_there || value != values[i].value)
			differs("%s: %lld here, %lld in BTF%s", values[i].name, values[i].value, value,
				is_there ? "" : " (absent)");
	}
	if (t && nr_values != btf_vlen(t))
		differs("enum %s: %u values here, %u in BTF", name, nr_values, btf_vlen(t));
	result("enum", name);
}

static bool is_listed(const char *name)
{
	for (size_t i = 0; i < NR(structs); i++)
		if (!strcmp(structs[i].name, name))
			return true;
	return false;
}

/* A structure that the programs use and the list does not know would never be compared. */
static void compare_list(const struct btf *btf)
{
	for (__u32 id = 1; id < btf__type_cnt(btf); id++) {
		const struct btf_type *t = btf__type_by_id(btf, id);
		const char *name = btf__name_by_offset(btf, t->name_off);

		if (btf_is_struct(t) && !strncmp(name, "pintle_", 7) && !is_listed(name))
			differs("struct %s of the object is not in abi_list.def", name);
	}
	result("list", "is complete");
}

static void compare_map(const struct bpf_object *obj, const struct abi_map *m)
{
	const struct bpf_map *map = bpf_object__find_map_by_name(obj, m->name);

	if (!map) {
		differs("map %s is not in the object", m->name);
	} else {
		if (bpf_map__type(map) != m->type)
			differs("map %s: type %d in maps.h, %d in the object", m->name, m->type, bpf_map__type(map));
		if (m->key_bytes > 1 && bpf_map__key_size(map) != m->key_bytes)
			differs("map %s: key of %zu bytes in maps.h, %u in the object", m->name, m->key_bytes,
				bpf_map__key_size(map));
		if (m->value_bytes > 1 && bpf_map__value_size(map) != m->value_bytes)
			differs("map %s: value of %zu bytes in maps.h, %u in the object", m->name, m->value_bytes,
				bpf_map__value_size(map));
		if (bpf_map__map_flags(map) != m->flags)
			differs("map %s: flags %#x in maps.h, %#x in the object", m->name, m->flags, bpf_map__map_flags(map));
	}
	result("map", m->name);
}

int main(int argc, char **argv)
{
	struct bpf_object *obj;
	struct btf *types;

	if (argc != 3) {
		fprintf(stderr, "usage: abi_check PINTLE.bpf.o ABI_TYPES.bpf.o\n");
		return 2;
	}
	is_good = true;
	obj = bpf_object__open_file(argv[1], NULL);
	types = btf__parse(argv[2], NULL);
	if (!obj || !bpf_object__btf(obj) || !types) {
		fprintf(stderr, "%s, %s: cannot read objects with BTF: %s\n", argv[1], argv[2], strerror(errno));
		btf__free(types);
		bpf_object__close(obj);
		return 1;
	}
	for (size_t i = 0; i < NR(structs); i++) {
		compare_struct("type", types, &structs[i]);
		if (structs[i].in_object)
			compare_struct("object", bpf_object__btf(obj), &structs[i]);
	}
	for (size_t i = 0; i < NR(enums); i++)
		compare_enum(types, enums[i]);
	compare_list(bpf_object__btf(obj));
	for (size_t i = 0; i < NR(maps); i++)
		compare_map(obj, &maps[i]);
	printf("1..%u\n", nr_results);
	btf__free(types);
	bpf_object__close(obj);
	return nr_failed != 0;
}
