/* SPDX-License-Identifier: BSD-2-Clause */
/* The copy of the configuration in force: whole or not at all, of its own pins, never an older one than what is in force. */
#include <check.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/keptconfig.h"
#include "agent/wholefile.h"

#define PIN_DIR "/sys/fs/bpf/pintle"
#define SERVICE(name)                                                                         \
	"services: [{name: " name ", frontends: [{vip: 10.0.0.1, protocol: tcp, port: 80}], " \
	"pods: [{address: 10.1.0.1, port: 80}]}]\n"

static char dir[64], copy[PATH_MAX];
static struct pintle_config *config;
static struct pintle_err err;

static void setup(void)
{
	strcpy(dir, "/tmp/pintle-kept-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_int_eq(keptconfig__path(dir, PIN_DIR, copy, sizeof(copy)), 0);
	config = NULL;
}

static void teardown(void)
{
	char command[128];

	config__free(config);
	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	ck_assert_int_eq(system(command), 0);
}

/* As the file source reads it. */
static void read_config(const char *text)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/user.yaml", dir);
	ck_assert_int_eq(wholefile__replace(path, text, strlen(text), &err), 0);
	config__free(config);
	config = NULL;
	ck_assert_int_eq(config__load_file(path, CONFIG_MAX_BYTES, &config, &err), 0);
}

static int load(void)
{
	config__free(config);
	config = NULL;
	return keptconfig__load(dir, PIN_DIR, &config, &err);
}

static void write_config(const char *text)
{
	read_config(text);
	ck_assert_ptr_nonnull(config->text);
	ck_assert_int_eq(keptconfig__write(dir, PIN_DIR, config, &err), 0);
	ck_assert_ptr_null(config->text);
}

START_TEST(test_round_trip)
	{
		static const char *const texts[] = { SERVICE("one"), "services: []", "services: []\n...\n",
						     "{\"services\": []}" };
		struct pintle_config *other = NULL;

		ck_assert_int_eq(load(), -ENOENT);
		ck_assert_ptr_nonnull(strstr(err.msg, copy));
		for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
			write_config(texts[i]);
			ck_assert_msg(!load(), "%s", err.msg);
			ck_assert_uint_eq(config->nr_services, i == 0);
			ck_assert_ptr_null(config->text);
		}
		ck_assert_int_eq(keptconfig__load(dir, "/sys/fs/bpf/other", &other, &err), -ENOENT);
		ck_assert_int_eq(keptconfig__remove(dir, "/sys/fs/bpf/other", &err), 0);
		ck_assert_int_eq(load(), 0);
		ck_assert_int_eq(keptconfig__remove(dir, PIN_DIR, &err), 0);
		ck_assert_int_eq(load(), -ENOENT);
		ck_assert_int_eq(keptconfig__remove(dir, PIN_DIR, &err), 0);
	}
END_TEST

START_TEST(test_written_once)
	{
		struct stat first, again;

		write_config(SERVICE("one"));
		ck_assert_int_eq(stat(copy, &first), 0);
		write_config(SERVICE("one"));
		ck_assert_int_eq(keptconfig__write(dir, PIN_DIR, config, &err), 0); /* kept already */
		ck_assert_int_eq(stat(copy, &again), 0);
		ck_assert(first.st_ino == again.st_ino && !memcmp(&first.st_mtim, &again.st_mtim, sizeof(first.st_mtim)));
		write_config(SERVICE("two"));
		ck_assert_int_eq(load(), 0);
		ck_assert_str_eq(config->services[0].name, "two");
		ck_assert_int_eq(keptconfig__write(dir, PIN_DIR, config, &err), 0); /* of the copy: nothing to keep */
		ck_assert_int_eq(load(), 0);
	}
END_TEST

/* Cut anywhere, a byte changed anywhere, something behind it: refused by name. */
START_TEST(test_torn)
	{
		char *whole;
		size_t bytes;

		write_config("services: []\n# a comment that may go without harm to YAML\n");
		ck_assert_int_eq(wholefile__read(copy, CONFIG_MAX_BYTES, &whole, &bytes, &err), 0);
		for (size_t i = 0; i < bytes; i++) {
			char kept = whole[i];

			ck_assert_int_eq(wholefile__replace(copy, whole, i, &err), 0);
			ck_assert_msg(load() == -EINVAL && strstr(err.msg, copy), "cut at %zu", i);
			whole[i] ^= 1;
			ck_assert_int_eq(wholefile__replace(copy, whole, bytes, &err), 0);
			ck_assert_msg(load() == -EINVAL, "changed at %zu", i);
			whole[i] = kept;
		}
		ck_assert_int_eq(wholefile__replace(copy, whole, bytes, &err), 0);
		ck_assert_int_eq(load(), 0);
		free(whole);
		ck_assert_int_eq(truncate(copy, (off_t)CONFIG_MAX_BYTES + 1000), 0);
		ck_assert_int_eq(load(), -EFBIG);
	}
END_TEST

/* What cannot be kept takes the older copy along, and is kept at the next try. */
START_TEST(test_not_writable)
	{
		char nowhere[PATH_MAX];

		write_config(SERVICE("one"));
		read_config(SERVICE("two"));
		ck_assert_int_eq(unlink(copy), 0);
		ck_assert_int_eq(symlink("user.yaml", copy), 0);
		ck_assert_int_eq(keptconfig__write(dir, PIN_DIR, config, &err), -EEXIST);
		ck_assert_ptr_nonnull(config->text);
		ck_assert_int_eq(access(copy, F_OK), -1);
		ck_assert_int_eq(keptconfig__write(dir, PIN_DIR, config, &err), 0);
		ck_assert_int_eq(load(), 0);
		ck_assert_str_eq(config->services[0].name, "two");
		read_config(SERVICE("one"));
		snprintf(nowhere, sizeof(nowhere), "%s/not/there", dir);
		ck_assert_int_eq(keptconfig__write(nowhere, PIN_DIR, config, &err), -ENOENT);
		ck_assert_ptr_nonnull(strstr(err.msg, "--run-dir"));
	}
END_TEST

int main(void)
{
	Suite *suite = suite_create("keptconfig");
	TCase *tc = tcase_create("keptconfig");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_round_trip);
	tcase_add_test(tc, test_written_once);
	tcase_add_test(tc, test_torn);
	tcase_add_test(tc, test_not_writable);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
