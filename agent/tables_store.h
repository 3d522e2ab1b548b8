/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The stores by which shared tables change. Every one is a single aligned store with release order: what was written before it is visible to
 * a program that sees it. Tests look at the tables after each of them through tables_store_hook.
 */
#ifndef PINTLE_AGENT_TABLES_STORE_H
#define PINTLE_AGENT_TABLES_STORE_H

#include <stdint.h>
#include <string.h>

/* Shared words are also read as members of their structures. */
typedef uint64_t __attribute__((may_alias)) shared_word;

/* Called after every store; NULL outside of tests. */
extern void (*tables_store_hook)(void *arg);
extern void *tables_store_hook_arg;

static inline void store_done(void)
{
	if (__builtin_expect(tables_store_hook != NULL, 0))
		tables_store_hook(tables_store_hook_arg);
}

static inline void store8(uint8_t *to, uint8_t value)
{
	__atomic_store_n(to, value, __ATOMIC_RELEASE);
	store_done();
}

static inline void store16(uint16_t *to, uint16_t value)
{
	__atomic_store_n(to, value, __ATOMIC_RELEASE);
	store_done();
}

static inline void store32(uint32_t *to, uint32_t value)
{
	__atomic_store_n(to, value, __ATOMIC_RELEASE);
	store_done();
}

/* `to`: any 8 aligned bytes of a shared structure. */
static inline void store64(void *to, uint64_t value)
{
	__atomic_store_n((shared_word *)__builtin_assume_aligned(to, 8), value, __ATOMIC_RELEASE);
	store_done();
}

static inline uint64_t load64(const void *from)
{
	return __atomic_load_n((const shared_word *)__builtin_assume_aligned(from, 8), __ATOMIC_ACQUIRE);
}

static inline uint32_t load32(const uint32_t *from)
{
	return __atomic_load_n(from, __ATOMIC_ACQUIRE);
}

/* Copies a structure word by word (bytes: a multiple of 8); for memory that no program reads yet. */
static inline void store_words(void *to, const void *from, size_t bytes)
{
	for (size_t i = 0; i < bytes; i += 8) {
		uint64_t word;

		memcpy(&word, (const char *)from + i, sizeof(word));
		store64((char *)to + i, word);
	}
}

/* Sets and clears bits of a byte that another process changes too (pod flags). */
static inline void store_bits8(uint8_t *to, uint8_t set, uint8_t clear)
{
	if (set)
		__atomic_fetch_or(to, set, __ATOMIC_RELEASE);
	if (clear)
		__atomic_fetch_and(to, (uint8_t)~clear, __ATOMIC_RELEASE);
	store_done();
}

#endif
