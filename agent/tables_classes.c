/* SPDX-License-Identifier: BSD-2-Clause */
/* Which flows are the holdout, the canary and production: one word of the active pool. */
#include "agent/tables_int.h"

#define CLASS_WORD_OFFSET 16u
_Static_assert(__builtin_offsetof(struct pintle_pool, sample_shift) == CLASS_WORD_OFFSET &&
		       sizeof(struct pintle_pool) == CLASS_WORD_OFFSET + 8,
	       "the words of the classes are the last 8 bytes of the pool");

void tables__set_classes(struct tables *t, uint16_t service, const struct table_classes *classes)
{
	struct pintle_pool *in_force, pool;
	uint64_t word;

	if (!idset__has(&t->services, service))
		return;
	in_force = pool_in_force(t, service);
	if (in_force->policy != PINTLE_POLICY_SCORE)
		return;
	pool = *in_force;
	pool.holdout = classes->holdout;
	pool.canary = classes->canary <= 255 - classes->holdout ? classes->canary : (uint8_t)(255 - classes->holdout);
	pool.class_flags = classes->is_plain ? PINTLE_CLASS_PLAIN : 0;
	pool.class_slot = classes->slot <= PINTLE_MAX_CLASSED ? classes->slot : 0;
	memcpy(&word, (const char *)&pool + CLASS_WORD_OFFSET, sizeof(word));
	if (load64((const char *)in_force + CLASS_WORD_OFFSET) != word)
		store64((char *)in_force + CLASS_WORD_OFFSET, word);
}

struct table_classes tables__classes(const struct tables *t, uint16_t service)
{
	struct table_classes classes = { 0 };
	const struct pintle_pool *pool;

	if (!idset__has(&t->services, service))
		return classes;
	pool = pool_in_force(t, service);
	classes.holdout = pool->holdout;
	classes.canary = pool->canary;
	classes.is_plain = pool->class_flags & PINTLE_CLASS_PLAIN;
	classes.slot = pool->class_slot;
	return classes;
}
