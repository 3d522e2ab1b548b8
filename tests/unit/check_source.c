/* SPDX-License-Identifier: BSD-2-Clause */
/* The file source: every way in which a file changes, and none in which a bad file replaces a good one. */
#include <check.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/clock.h"
#include "agent/source.h"

static char dir[64];
static char path[160];
static struct source *source;

static void put(const char *file, const char *text)
{
	FILE *f = fopen(file, "w");

	ck_assert_ptr_nonnull(f);
	ck_assert_int_ge(fputs(text, f), 0);
	ck_assert_int_eq(fclose(f), 0);
}

static const char *named(const char *name)
{
	static char text[256];

	snprintf(
		text, sizeof(text),
		"services:\n- name: %s\n  frontends: [{vip: 10.0.0.1, protocol: tcp, port: 80}]\n  pods: [{address: 10.1.0.1, port: 80}]\n",
		name);
	return text;
}

static void setup(void)
{
	strcpy(dir, "/tmp/pintle-source-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/config.yaml", dir);
	source = NULL;
}

static void teardown(void)
{
	char command[128];

	if (source)
		source->ops->close(source);
	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	ck_assert_int_eq(system(command), 0);
}

static void open_source(void)
{
	ck_assert_int_eq(source_file_ops.open(path, &source, NULL), 0);
}

/* Waits until the source yields something: the name of its first service, or "error: message"; "" after `ms` without. */
static const char *wait_for(unsigned int ms)
{
	static char result[600];
	uint64_t end_ns = clock__monotonic_ns() + (uint64_t)ms * 1000000;

	while (clock__monotonic_ns() < end_ns) {
		struct pollfd pfd = { .fd = source->ops->fd(source), .events = POLLIN };
		struct pintle_config *config = NULL;
		struct pintle_err err = { 0 };

		if (poll(&pfd, 1, 20) != 1)
			continue;
		if (source->ops->process(source, &config, &err)) {
			ck_assert_ptr_null(config);
			snprintf(result, sizeof(result), "error: %s", err.msg);
			return result;
		}
		if (config) {
			snprintf(result, sizeof(result), "%s", config->nr_services ? config->services[0].name : "(none)");
			config__free(config);
			return result;
		}
	}
	return "";
}

START_TEST(test_first_and_unchanged)
	{
		put(path, named("one"));
		open_source();
		ck_assert_str_eq(wait_for(1000), "one");
		ck_assert_str_eq(wait_for(300), "");
	}
END_TEST

START_TEST(test_written_in_place)
	{
		put(path, named("one"));
		open_source();
		ck_assert_str_eq(wait_for(1000), "one");
		put(path, named("two"));
		ck_assert_str_eq(wait_for(2000), "two");
		ck_assert_str_eq(wait_for(300), "");
	}
END_TEST

START_TEST(test_renamed_over)
	{
		char other[200];

		put(path, named("one"));
		open_source();
		ck_assert_str_eq(wait_for(1000), "one");
		snprintf(other, sizeof(other), "%s/.new", dir);
		put(other, named("six"));
		ck_assert_int_eq(rename(other, path), 0);
		ck_assert_str_eq(wait_for(2000), "six");
	}
END_TEST

/* As kubelet does it: config.yaml -> ..data/config.yaml, ..data -> ..1; a new directory, then ..data renamed over. */
START_TEST(test_configmap)
	{
		char text[256];

		snprintf(text, sizeof(text), "%s/..1", dir);
		ck_assert_int_eq(mkdir(text, 0755), 0);
		strcat(text, "/config.yaml");
		put(text, named("one"));
		snprintf(text, sizeof(text), "%s/..data", dir);
		ck_assert_int_eq(symlink("..1", text), 0);
		ck_assert_int_eq(symlink("..data/config.yaml", path), 0);
		open_source();
		ck_assert_str_eq(wait_for(1000), "one");

		snprintf(text, sizeof(text), "%s/..2", dir);
		ck_assert_int_eq(mkdir(text, 0755), 0);
		strcat(text, "/config.yaml");
		put(text, named("two"));
		ck_assert_str_eq(wait_for(200), "");
		snprintf(text, sizeof(text), "cd '%s' && ln -s ..2 ..data_tmp && mv -T ..data_tmp ..data && rm -r ..1", dir);
		ck_assert_int_eq(system(text), 0);
		ck_assert_str_eq(wait_for(2000), "two");
		ck_assert_str_eq(wait_for(300), "");

		/* The watch moved on to the new directory. */
		snprintf(text, sizeof(text), "%s/..2/config.yaml", dir);
		put(text, named("three"));
		ck_assert_str_eq(wait_for(2000), "three");
	}
END_TEST

START_TEST(test_link_to_elsewhere)
	{
		char elsewhere[200], file[300];

		snprintf(elsewhere, sizeof(elsewhere), "%s/sub", dir);
		ck_assert_int_eq(mkdir(elsewhere, 0755), 0);
		snprintf(file, sizeof(file), "%s/real.yaml", elsewhere);
		put(file, named("one"));
		ck_assert_int_eq(symlink(file, path), 0);
		open_source();
		ck_assert_str_eq(wait_for(1000), "one");
		put(file, named("two"));
		ck_assert_str_eq(wait_for(2000), "two");
	}
END_TEST

START_TEST(test_bad_is_reported_once)
	{
		put(path, named("one"));
		open_source();
		ck_assert_str_eq(wait_for(1000), "one");
		put(path, "services: [{nam: x}]\n");
		ck_assert_ptr_nonnull(
			strstr(wait_for(2000), "config.yaml:1: services[0]: unknown key \"nam\"; did you mean \"name\"?"));
		ck_assert_str_eq(wait_for(300), "");
		put(path, named("fine"));
		ck_assert_str_eq(wait_for(2000), "fine");
	}
END_TEST

START_TEST(test_missing_then_there)
	{
		open_source();
		ck_assert_ptr_nonnull(strstr(wait_for(1000), "cannot be opened: No such file or directory"));
		ck_assert_str_eq(wait_for(300), "");
		put(path, named("late"));
		ck_assert_str_eq(wait_for(2000), "late");
		ck_assert_int_eq(unlink(path), 0);
		ck_assert_ptr_nonnull(strstr(wait_for(2000), "No such file"));
		ck_assert_str_eq(wait_for(300), "");
	}
END_TEST

START_TEST(test_reload_is_forced)
	{
		put(path, named("one"));
		open_source();
		ck_assert_str_eq(wait_for(1000), "one");
		source->ops->reload(source);
		ck_assert_str_eq(wait_for(1000), "one");
	}
END_TEST

/* 30 writes within 600 ms end in few reads, and the last one wins. */
START_TEST(test_debounce)
	{
		char name[16], last[16] = "";
		const char *got;
		int i, reads = 0;

		put(path, named("one"));
		open_source();
		ck_assert_str_eq(wait_for(1000), "one");
		for (i = 0; i < 30; i++) {
			snprintf(name, sizeof(name), "n%d", i);
			put(path, named(name));
			got = wait_for(20);
			reads += *got != '\0';
			if (*got)
				snprintf(last, sizeof(last), "%s", got);
		}
		while (*(got = wait_for(400))) {
			reads++;
			snprintf(last, sizeof(last), "%s", got);
		}
		ck_assert_str_eq(last, "n29");
		ck_assert_int_le(reads, 4);
	}
END_TEST

START_TEST(test_not_a_file)
	{
		ck_assert_int_eq(mkdir(path, 0755), 0);
		open_source();
		ck_assert_ptr_nonnull(strstr(wait_for(1000), "is not a regular file"));
		source->ops->close(source);
		ck_assert_int_eq(rmdir(path), 0);
		ck_assert_int_eq(mkfifo(path, 0644), 0);
		open_source();
		ck_assert_ptr_nonnull(strstr(wait_for(1000), "is not a regular file"));
	}
END_TEST

int main(void)
{
	Suite *suite = suite_create("source");
	TCase *tc = tcase_create("file");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 30);
	tcase_add_test(tc, test_first_and_unchanged);
	tcase_add_test(tc, test_written_in_place);
	tcase_add_test(tc, test_renamed_over);
	tcase_add_test(tc, test_configmap);
	tcase_add_test(tc, test_link_to_elsewhere);
	tcase_add_test(tc, test_bad_is_reported_once);
	tcase_add_test(tc, test_missing_then_there);
	tcase_add_test(tc, test_reload_is_forced);
	tcase_add_test(tc, test_debounce);
	tcase_add_test(tc, test_not_a_file);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
