/* SPDX-License-Identifier: BSD-2-Clause */
/* Was there a table? The file that says so, and the word that tells the programs; the list of the pods that they may search. */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/lifemark.h"
#include "agent/rundir.h"
#include "agent/tables_int.h"
#include "tests/unit/tables_fixture.h"

static char dir[64];

static void setup(void)
{
	strcpy(dir, "/tmp/pintle-mark-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
}

static void teardown(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	ck_assert_int_eq(system(command), 0);
}

static void put(const char *text)
{
	char path[256];
	FILE *f;

	ck_assert_int_eq(rundir__path(dir, "table", "/sys/fs/bpf/pintle", ".json", path, sizeof(path)), 0);
	f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	fclose(f);
}

START_TEST(test_mark)
	{
		static const char *const torn[] = { "", "{", "[]", "7", "{\"boot_id\": 7}", "{\"boot_id\": \"another boot\"}" };
		struct pintle_err err = { 0 };

		ck_assert(!lifemark__is_there(dir, "/sys/fs/bpf/pintle"));
		ck_assert_int_eq(lifemark__write(dir, "/sys/fs/bpf/pintle", &err), 0);
		ck_assert(lifemark__is_there(dir, "/sys/fs/bpf/pintle"));
		ck_assert(!lifemark__is_there(dir, "/sys/fs/bpf/other"));
		ck_assert_int_eq(lifemark__remove(dir, "/sys/fs/bpf/pintle", &err), 0);
		ck_assert(!lifemark__is_there(dir, "/sys/fs/bpf/pintle"));
		ck_assert_int_eq(lifemark__remove(dir, "/sys/fs/bpf/pintle", &err), 0);
		for (size_t i = 0; i < sizeof(torn) / sizeof(torn[0]); i++) {
			put(torn[i]);
			ck_assert_msg(!lifemark__is_there(dir, "/sys/fs/bpf/pintle"), "%s", torn[i]);
		}
	}
END_TEST

START_TEST(test_declaration)
	{
		struct pintle_ctl ctl = { 0 };
		struct pintle_err err = { 0 };

		/* a first attach, and one that finds its table */
		ck_assert(!lifemark__after_load(dir, "/p", true, &ctl, 1000));
		ck_assert_int_eq(lifemark__write(dir, "/p", &err), 0);
		ck_assert(!lifemark__after_load(dir, "/p", false, &ctl, 1000));
		ck_assert_uint_eq(ctl.recover_until_ns, 0);
		ck_assert(lifemark__after_load(dir, "/p", true, &ctl, 1000));
		ck_assert_uint_eq(lifemark__lost_ns(&ctl, 1000), LIFEMARK_RECOVER_NS);
		ck_assert_uint_eq(lifemark__lost_ns(&ctl, 1000 + LIFEMARK_RECOVER_NS), 0);
		lifemark__declare_lost(&ctl, 1000, 0);
		ck_assert_uint_eq(lifemark__lost_ns(&ctl, 1000), 0);
	}
END_TEST

/* ---- pods of this node ---- */

#define NR_PODS 1100u

static struct arena arena;
static struct tables *t;

static int grace(void *arg)
{
	(void)arg;
	return 0;
}

static void use(uint32_t pod)
{
	ck_assert(idset__mark(&t->pods, pod));
	arena.maps.pods[pod].flags = PINTLE_POD_IN_USE;
}

static uint32_t place_of(uint32_t pod)
{
	uint32_t found = NO_ID;

	for (uint32_t i = 0; i < arena.maps.ctl->nr_locals && i < PINTLE_MAX_LOCALS; i++) {
		if (arena.maps.locals[i] != pod)
			continue;
		ck_assert_uint_eq(found, NO_ID); /* once */
		found = i;
	}
	return found;
}

START_TEST(test_locals)
	{
		struct pintle_err err;
		uint32_t place;

		arena__init(&arena, 4, NR_PODS, 0);
		ck_assert_int_eq(tables__open(&arena.maps, grace, NULL, &t, &err), 0);
		for (uint32_t pod = 10; pod < 20; pod++)
			use(pod);
		tables__set_remote(t, 12, true);
		tables__set_netns(t, 13, 4);
		tables__set_netns(t, 9, 4); /* no such pod */
		ck_assert(tables__locals_changed(t));
		ck_assert_int_eq(tables__write_locals(t), 0);
		ck_assert(!tables__locals_changed(t));
		ck_assert_uint_eq(arena.maps.pods[13].netns, 5);
		ck_assert_uint_eq(arena.maps.pods[9].netns, 0);
		ck_assert_uint_eq(arena.maps.ctl->nr_locals, 9);
		ck_assert_uint_eq(place_of(12), NO_ID);
		/* one goes, one comes: the others keep their places */
		place = place_of(19);
		idset__drop(&t->pods, 10);
		use(30);
		ck_assert_int_eq(tables__write_locals(t), 0);
		ck_assert_uint_eq(place_of(19), place);
		ck_assert_uint_eq(place_of(30), 0);
		ck_assert_uint_eq(arena.maps.ctl->nr_locals, 9);
		/* more than fit: said */
		for (uint32_t pod = 31; pod < NR_PODS; pod++)
			use(pod);
		ck_assert_int_eq(tables__write_locals(t), 0);
		ck_assert_uint_eq(arena.maps.ctl->nr_locals, PINTLE_MAX_LOCALS + 1);
		for (uint32_t pod = 0; pod < NR_PODS; pod++)
			idset__drop(&t->pods, pod);
		ck_assert_int_eq(tables__write_locals(t), 0);
		ck_assert_uint_eq(arena.maps.ctl->nr_locals, 0);
		tables__close(t);
		arena__destroy(&arena);
	}
END_TEST

int main(void)
{
	Suite *s = suite_create("lifemark");
	TCase *tc = tcase_create("lifemark");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_mark);
	tcase_add_test(tc, test_declaration);
	tcase_add_test(tc, test_locals);
	suite_add_tcase(s, tc);
	runner = srunner_create(s);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
