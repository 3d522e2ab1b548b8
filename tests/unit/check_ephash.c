/* SPDX-License-Identifier: BSD-2-Clause */
/* The endpoint tables: against a plain list, at high load, and with readers between the two buckets. */
#include <check.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "agent/ephash.h"
#include "agent/tables_store.h"
#include "tests/unit/tables_fixture.h"

#define NR_BUCKETS 64u
static const __u64 seed[4] = { 0x1234567812345678ull, 0xdeadbeefcafef00dull, 0x0badc0de0badc0deull, 0x5555aaaa5555aaaaull };

/* What the readers below look at. */
static struct {
	struct ephash h;
	struct ep_entry *entries;
	size_t nr;	   /* entries that are there for good */
	uint8_t *missed;   /* by entry: a reader that looked at its first bucket and did not find it */
	uint32_t *seen_at; /* by entry: slot that a reader has matched, with the id still to be read */
	uint32_t graces;
	const char *broken;
} world;

static struct ep_key key_of(int family, uint32_t i)
{
	struct ep_key key = { .family = (uint8_t)family, .proto = IPPROTO_TCP, .port_be = (uint16_t)(i * 7 + 1) };

	key.addr_be[0] = 0x0a000000 + i;
	if (family == 6)
		key.addr_be[3] = i * 2654435761u;
	return key;
}

static void open_table(int family)
{
	memset(&world, 0, sizeof(world));
	/* buckets of both families are 64 bytes */
	ephash__init(&world.h, aligned_alloc(64, NR_BUCKETS * 64), NR_BUCKETS, (uint8_t)family, seed);
	memset(world.h.buckets, 0, NR_BUCKETS * 64);
	world.entries = calloc(ephash__nr_slots(&world.h), sizeof(*world.entries));
	world.missed = calloc(ephash__nr_slots(&world.h), 1);
	world.seen_at = calloc(ephash__nr_slots(&world.h), sizeof(*world.seen_at));
	for (uint32_t i = 0; i < ephash__nr_slots(&world.h); i++) {
		world.entries[i] = (struct ep_entry){ .key = key_of(family, i),
						      .id = (uint16_t)i,
						      .service = (uint16_t)(i ^ 0x55) };
		world.seen_at[i] = EPHASH_NO_SLOT;
	}
}

static void close_table(void)
{
	tables_store_hook = NULL;
	free(world.h.buckets);
	free(world.entries);
	free(world.missed);
	free(world.seen_at);
}

static uint32_t bucket_of(const struct ep_key *key, bool second)
{
	uint64_t hash = world.h.family == 4 ? pintle_ep4_hash(key->addr_be[0], key->port_be, key->proto, &world.h.seed)
					    : pintle_ep6_hash(key->addr_be, key->port_be, key->proto, &world.h.seed);

	return second ? pintle_ep_second(hash, NR_BUCKETS - 1) : pintle_bucket_first(hash, NR_BUCKETS - 1);
}

static uint32_t slot_in_bucket(const struct ep_key *key, uint32_t bucket)
{
	uint32_t per = ephash__per_bucket(&world.h);

	for (uint32_t slot = bucket * per; slot < (bucket + 1) * per; slot++) {
		struct ep_entry entry;

		if (ephash__get(&world.h, slot, &entry) && ep_key__equal(&entry.key, key))
			return slot;
	}
	return EPHASH_NO_SLOT;
}

/* What the reader gets that matched the slot before: the id as it is now. */
static uint16_t id_in_slot(uint32_t slot)
{
	if (world.h.family == 4)
		return ((struct pintle_ep4_bucket *)world.h.buckets)[slot / 4].slot[slot % 4].id;
	return ((struct pintle_ep6_bucket *)world.h.buckets)[slot / 2].slot[slot % 2].inv_sum;
}

static uint16_t expected_in_slot(const struct ep_entry *entry)
{
	return world.h.family == 4 ? entry->id : ep_key__inv_sum(&entry->key);
}

static void on_store(void *arg)
{
	(void)arg;
	for (size_t i = 0; i < world.nr; i++) {
		const struct ep_key *key = &world.entries[i].key;
		uint32_t slot = slot_in_bucket(key, bucket_of(key, false));

		if (ephash__find(&world.h, key) == EPHASH_NO_SLOT)
			world.broken = "an entry is nowhere";
		if (world.missed[i] && slot_in_bucket(key, bucket_of(key, true)) == EPHASH_NO_SLOT)
			world.broken = "an entry moved behind a reader's back";
		if (world.seen_at[i] != EPHASH_NO_SLOT && id_in_slot(world.seen_at[i]) != expected_in_slot(&world.entries[i]))
			world.broken = "a slot was written again under a reader";
		world.missed[i] |= slot == EPHASH_NO_SLOT;
		if (world.seen_at[i] == EPHASH_NO_SLOT)
			world.seen_at[i] = ephash__find(&world.h, key);
	}
}

static int grace(void *arg)
{
	(void)arg;
	world.graces++;
	memset(world.missed, 0, ephash__nr_slots(&world.h));
	memset(world.seen_at, 0xff, ephash__nr_slots(&world.h) * sizeof(*world.seen_at));
	on_store(NULL); /* readers that begin now */
	return 0;
}

/* One by one up to a load at which many have to move; what is there stays findable by readers of every kind. */
START_TEST(entries_move_without_being_missed)
	{
		uint32_t wanted;

		open_table(_i);
		wanted = ephash__nr_slots(&world.h) * (_i == 4 ? 94 : 84) / 100;
		tables_store_hook = on_store;
		for (uint32_t i = 0; i < wanted; i++) {
			ck_assert_int_eq(ephash__add(&world.h, &world.entries[i], 1, grace, NULL), 0);
			world.nr = i + 1;
			ck_assert_msg(!world.broken, "entry %u: %s", i, world.broken);
		}
		ck_assert_uint_gt(world.graces, 0);
		for (uint32_t i = 0; i < wanted; i++) {
			struct ep_entry entry;

			ck_assert(ephash__get(&world.h, ephash__find(&world.h, &world.entries[i].key), &entry));
			ck_assert_uint_eq(entry.id, i);
			ck_assert_uint_eq(entry.service, i ^ 0x55);
		}
		close_table();
	}
END_TEST

/* Many at once share the waits; duplicates are cleared. */
START_TEST(many_move_in_one_wait)
	{
		uint32_t wanted, found = 0;

		open_table(_i);
		wanted = ephash__nr_slots(&world.h) * (_i == 4 ? 94 : 84) / 100;
		ck_assert_int_eq(ephash__add(&world.h, world.entries, wanted, grace, NULL), 0);
		ck_assert_uint_lt(world.graces, 60);
		for (uint32_t slot = 0; slot < ephash__nr_slots(&world.h); slot++) {
			struct ep_entry entry;

			found += ephash__get(&world.h, slot, &entry);
			ck_assert(ephash__is_home(&world.h, slot));
		}
		ck_assert_uint_eq(found, wanted);
		close_table();
	}
END_TEST

START_TEST(a_full_table_says_so)
	{
		uint32_t nr, found = 0;

		open_table(_i);
		nr = ephash__nr_slots(&world.h);
		ck_assert_int_eq(ephash__add(&world.h, world.entries, nr / 2, grace, NULL), 0);
		world.nr = nr / 2;
		tables_store_hook = on_store;
		for (uint32_t i = nr / 2; i < nr; i++)
			found += ephash__add(&world.h, &world.entries[i], 1, grace, NULL) == -ENOSPC;
		ck_assert_uint_gt(found, 0);
		ck_assert_msg(!world.broken, "%s", world.broken);
		close_table();
	}
END_TEST

START_TEST(random_adds_and_clears_follow_a_list)
	{
		uint64_t random = 99;
		bool there[128] = { false };
		uint32_t nr = 0;

		open_table(_i);
		nr = ephash__nr_slots(&world.h) / 2;
		for (int step = 0; step < 20000; step++) {
			uint32_t i = random_below(&random, nr < 128 ? nr : 128),
				 slot = ephash__find(&world.h, &world.entries[i].key);
			struct ep_entry entry;

			ck_assert(there[i] == (slot != EPHASH_NO_SLOT));
			if (!there[i]) {
				ck_assert_int_eq(ephash__add(&world.h, &world.entries[i], 1, grace, NULL), 0);
			} else if (random_below(&random, 2)) {
				ephash__clear(&world.h, slot);
			} else {
				uint16_t service = (uint16_t)random_below(&random, 65536);

				ephash__set_service(&world.h, slot, service);
				ephash__set_local(&world.h, slot, service & 1);
				ck_assert(ephash__get(&world.h, slot, &entry));
				ck_assert(entry.service == service && entry.id == i &&
					  ep_key__equal(&entry.key, &world.entries[i].key));
				ck_assert_uint_eq(entry.flags, PINTLE_EP_VALID | (service & 1 ? PINTLE_EP_LOCAL : 0));
				ck_assert_uint_eq(ephash__find(&world.h, &world.entries[i].key), slot);
				continue;
			}
			there[i] = !there[i];
		}
		close_table();
	}
END_TEST

static int no_grace(void *arg)
{
	(void)arg;
	return -EINTR;
}

/* Copied but never cleared: the entry is in two places, and still found. */
START_TEST(a_failed_wait_loses_nothing)
	{
		int failures = 0;

		open_table(_i);
		for (uint32_t i = 0; i < ephash__nr_slots(&world.h) * 8 / 10; i++) {
			int ret = ephash__add(&world.h, &world.entries[i], 1, no_grace, NULL);

			failures += ret == -EINTR;
			ck_assert(ret == 0 || ret == -EINTR || ret == -ENOSPC);
			ck_assert((ephash__find(&world.h, &world.entries[i].key) != EPHASH_NO_SLOT) == (ret == 0));
			if (ret) /* not there, and not expected below */
				world.entries[i].key = world.entries[0].key;
			for (uint32_t k = 0; k <= i; k++)
				ck_assert(ephash__find(&world.h, &world.entries[k].key) != EPHASH_NO_SLOT);
		}
		ck_assert_int_gt(failures, 0);
		close_table();
	}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ephash");
	TCase *tcase = tcase_create("ephash");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tcase, 60);
	for (int family = 4; family <= 6; family += 2) {
		tcase_add_loop_test(tcase, entries_move_without_being_missed, family, family + 1);
		tcase_add_loop_test(tcase, many_move_in_one_wait, family, family + 1);
		tcase_add_loop_test(tcase, a_full_table_says_so, family, family + 1);
		tcase_add_loop_test(tcase, a_failed_wait_loses_nothing, family, family + 1);
		tcase_add_loop_test(tcase, random_adds_and_clears_follow_a_list, family, family + 1);
	}
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
