/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Random sequences of configurations. After every single store a reader looks up every frontend and must find the old or the new service in
 * full; readers that began before a store and end after it, with no grace period between, must find it too; a flow's pod keeps its id, its
 * reverse entry and its frontend for as long as the flow table names it. At random stores the agent "dies": a copy of the maps as they are at
 * that instant is adopted and applied to, and must end in the same state. At the end everything is free again.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/tables_world.h"

static struct world world;

/* The agent that died left `w->dead`: another one takes over and applies. Old and new as for the one that died. */
static void resurrect(struct world *w, struct pintle_config *config)
{
	static struct world other;
	struct pintle_config *next;
	struct pintle_err err = { .msg = "" };

	memcpy(&other, w, sizeof(other));
	other.arena = w->dead;
	other.arena.maps.meta = &other.arena.meta;
	other.dead.block = NULL;
	other.stores_at_death = 0;
	other.broken = NULL;
	memset(other.readers, 0, sizeof(other.readers));
	other.new = config;
	other.tables = NULL;
	tables_store_hook = world__on_store;
	tables_store_hook_arg = &other;
	ck_assert_msg(!tables__open(&other.arena.maps, world__grace, &other, &other.tables, &err), "%s", err.msg);
	ck_assert_msg(!other.broken, "while adopting: %s", other.broken);
	world__apply(&other, config);
	/* the configurations belong to the first world: go on from an own one */
	other.old = config;
	world__end_flows(&other);
	next = world__config(&other);
	world__apply(&other, next);
	other.old = next;
	world__check_nothing_is_lost(&other);
	tables__close(other.tables);
	config_make__free(other.old);
	arena__destroy(&other.arena);
	w->dead.block = NULL;
}

START_TEST(random_sequences_stay_whole)
	{
		struct world *w = &world;
		uint64_t last = 40;

		world__begin(w, (uint64_t)_i * 977 + 1);
		for (int step = 0; step < 12; step++) {
			struct pintle_config *config = world__config(w);

			w->stores_at_death = w->stores + 1 + random_below(&w->random, (uint32_t)last);
			last = w->stores;
			world__apply(w, config);
			last = w->stores - last + 1;
			if (w->dead.block)
				resurrect(w, config);
			config_make__free(w->old);
			w->old = config;
			world__forget_orphans(w);
			world__begin_flows(w);
			w->new = config;
			if (!random_below(&w->random, 3))
				world__reap(w);
		}
		world__check_nothing_is_lost(w);
		world__end(w);
	}
END_TEST

/* One change, death at every one of its stores. */
START_TEST(death_at_every_store_is_repaired)
	{
		struct world *w = &world;
		struct arena before;
		struct pintle_config *first, *second;
		uint64_t total;

		world__begin(w, (uint64_t)_i + 4711);
		first = world__config(w);
		world__apply(w, first);
		config_make__free(w->old);
		w->old = first;
		world__begin_flows(w);
		second = world__config(w);
		arena__copy(&before, &w->arena);
		total = w->stores;
		world__apply(w, second);
		total = w->stores - total;
		for (uint64_t k = 1; k <= total; k++) {
			struct pintle_err err;

			tables__close(w->tables);
			w->tables = NULL;
			memset(w->readers, 0, sizeof(w->readers));
			memcpy(w->arena.block, before.block, before.bytes);
			w->new = second;
			ck_assert_int_eq(tables__open(&w->arena.maps, world__grace, w, &w->tables, &err), 0);
			w->stores_at_death = w->stores + k;
			world__apply(w, second);
			if (w->dead.block)
				resurrect(w, second);
		}
		config_make__free(w->old);
		w->old = second;
		world__check_nothing_is_lost(w);
		arena__destroy(&before);
		world__end(w);
	}
END_TEST

int main(void)
{
	Suite *suite = suite_create("tables_random");
	TCase *random = tcase_create("random"), *death = tcase_create("death");
	SRunner *runner;
	int failed;

	tcase_set_timeout(random, 120);
	tcase_set_timeout(death, 120);
	tcase_add_loop_test(random, random_sequences_stay_whole, 0, 24);
	tcase_add_loop_test(death, death_at_every_store_is_repaired, 0, 2);
	suite_add_tcase(suite, random);
	suite_add_tcase(suite, death);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
