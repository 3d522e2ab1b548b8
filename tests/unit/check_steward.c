// SPDX-License-Identifier: BSD-2-Clause
/* What a steward believes of the file that another left: all of it or nothing. And what disturbs a window of the guard, and what does not. */
#include <check.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/clock.h"
#include "agent/rundir.h"
#include "agent/steward_int.h"
#include "tests/unit/tables_rig.h"

#define ENTRY                                                                                                          \
	"{\"service\": \"shop/web\", \"family\": 4, \"models\": [11, 4294967295], \"plain\": true, \"refused\": [7], " \
	"\"pin\": 3, \"pinned\": 11, \"configured\": 12, \"has_configured\": true}"
#define EVENT                                                                                                   \
	"{\"time_ns\": 1764082800000000000, \"service\": \"shop/web\", \"family\": 4, \"what\": \"promoted\", " \
	"\"from\": \"a\", \"to\": \"b\", \"reason\": \"certainly better\"}"
#define STATE "{\"version\": 1, \"services\": [" ENTRY "], \"gone\": [], \"history\": [" EVENT "]}"

static char dir[64];

static int put_text(FILE *file, const void *arg)
{
	return fputs(arg, file) < 0 ? -EIO : 0;
}

static int read_text(struct steward *s, const char *text)
{
	struct pintle_err err = { 0 };
	char path[PATH_MAX];
	int code;

	snprintf(dir, sizeof(dir), "/tmp/check_steward.%d", (int)getpid());
	ck_assert_int_eq(rundir__replace(dir, STEWARD_STATE, "/pins", put_text, text, &err), 0);
	memset(s, 0, sizeof(*s));
	s->run_dir = dir;
	s->pin_dir = "/pins";
	code = steward__read_state(s, &err);
	ck_assert_int_eq(rundir__path(dir, STEWARD_STATE, "/pins", ".json", path, sizeof(path)), 0);
	unlink(path);
	rmdir(dir);
	return code;
}

START_TEST(a_whole_file_is_believed)
	{
		static struct steward s;

		ck_assert_int_eq(read_text(&s, STATE), 0);
		ck_assert_uint_eq(s.nr_memories, 1);
		ck_assert_str_eq(s.memories[0].name, "shop/web");
		ck_assert_uint_eq(s.memories[0].standing.nr_models, 2);
		ck_assert_uint_eq(s.memories[0].standing.models[1], 4294967295u);
		ck_assert(s.memories[0].standing.is_plain);
		ck_assert_uint_eq(s.memories[0].standing.pin, STANDING_PIN_MODEL);
		ck_assert_uint_eq(s.memories[0].configured, 12);
		ck_assert_uint_eq(s.nr_history, 1);
		ck_assert_str_eq(s.history[0].what, "promoted");
		free(s.memories);
	}
END_TEST

/* Cut anywhere it is no state; nothing of it stays. */
START_TEST(a_torn_file_is_refused)
	{
		static struct steward s;
		char text[sizeof(STATE)];

		for (size_t bytes = 0; bytes < strlen(STATE); bytes++) {
			memcpy(text, STATE, bytes);
			text[bytes] = 0;
			ck_assert_int_eq(read_text(&s, text), -EINVAL);
			ck_assert_uint_eq(s.nr_memories + s.nr_history, 0);
			free(s.memories);
		}
	}
END_TEST

static const struct {
	const char *from, *to;
} lies[] = {
	{ "\"version\": 1", "\"version\": 2" },
	{ "\"family\": 4", "\"family\": 5" },
	{ "[11, 4294967295]", "[1, 2, 3, 4, 5]" },
	{ "[11, 4294967295]", "[11, 0]" },
	{ "[11, 4294967295]", "[11, 1e300]" },
	{ "[11, 4294967295]", "{}" },
	{ "\"plain\": true", "\"plain\": 1" },
	{ "\"pin\": 3", "\"pin\": 4" },
	{ "\"pin\": 3", "\"pin\": 0.5" },
	{ "\"pinned\": 11", "\"pinned\": -1" },
	{ "\"configured\": 12", "\"configured\": null" },
	{ "\"what\": \"promoted\"", "\"what\": \"exploded\"" },
	{ "\"time_ns\": 1764082800000000000", "\"time_ns\": -5" },
	{ "\"gone\": []", "\"gone\": 7" },
};

START_TEST(lies_are_refused)
	{
		static struct steward s;
		char text[2 * sizeof(STATE)];
		const char *state = STATE, *at = strstr(state, lies[_i].from);

		ck_assert_ptr_nonnull(at);
		snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - state), state, lies[_i].to, at + strlen(lies[_i].from));
		ck_assert_int_eq(read_text(&s, text), -EINVAL);
		ck_assert_uint_eq(s.nr_memories + s.nr_history, 0);
		free(s.memories);
	}
END_TEST

/* ---- windows and requests ---- */

static bool disturbs(struct steward *s, struct steward_entry *e)
{
	bool is_disturbed;

	steward__put_in_force(s, e);
	is_disturbed = e->is_disturbed;
	e->is_disturbed = false;
	return is_disturbed;
}

/* The same again, as after every reload and every pod that comes or goes, is no end of a window; what flows are sorted by is. */
START_TEST(only_changes_disturb)
	{
		struct pintle_config *config = rig__two_services();
		static struct steward_entry entry, *entries[] = { &entry };
		static struct steward s;
		struct pintle_err err = { 0 };

		rig__begin(8, 16, 0);
		config->services[0].policy = PINTLE_POLICY_SCORE;
		rig__apply(config);
		s = (struct steward){ .tables = rig.t, .config = config, .entries = entries, .nr_entries = 1 };
		entry = (struct steward_entry){ .slot = 4 };
		strcpy(entry.m.name, config->services[0].name);
		ck_assert_int_eq(tables__service_ids(rig.t, entry.m.name, 4, &entry.id), 0);
		ck_assert_int_eq(models__open("/nowhere", "/pins", &s.models, &err), 0);
		guard__init(&entry.guard);

		ck_assert(disturbs(&s, &entry));
		entry.guard.production_strikes = 2;
		ck_assert(!disturbs(&s, &entry));
		rig__apply(config);
		ck_assert(!disturbs(&s, &entry));
		ck_assert_uint_eq(entry.guard.production_strikes, 2);
		ck_assert_uint_eq(tables__classes(rig.t, entry.id).slot, 5);
		config->learning.holdout++;
		ck_assert(disturbs(&s, &entry));
		ck_assert_uint_eq(entry.guard.production_strikes, 2);
		entry.m.standing.pin = STANDING_PIN_PLAIN;
		ck_assert(disturbs(&s, &entry));
		ck_assert_uint_eq(entry.guard.production_strikes, 0);
		ck_assert(!disturbs(&s, &entry));
		models__close(s.models);
		rig__end();
		config_make__free(config);
	}
END_TEST

static uint32_t look_at(struct steward *s, const char *text)
{
	struct pintle_err err = { 0 };

	ck_assert_int_eq(rundir__replace(dir, STEWARD_REQUEST, "/pins", put_text, text, &err), 0);
	return steward__look_at_requests(s, clock__monotonic_ns());
}

/* Each request that the steward takes is told from those that ask for a new layout of the tables. */
START_TEST(requests_are_counted)
	{
		static struct steward s;
		char text[256], path[PATH_MAX];

		snprintf(dir, sizeof(dir), "/tmp/check_steward.%d", (int)getpid());
		s = (struct steward){ .run_dir = dir, .pin_dir = "/pins" };
		ck_assert_uint_eq(steward__look_at_requests(&s, 0), 0);
		snprintf(text, sizeof(text),
			 "{\"id\": \"1\", \"time_ns\": %.0f, \"what\": \"explain\", \"service\": \"a\", \"name\": \"\"}",
			 (double)clock__realtime_ns());
		ck_assert_uint_eq(look_at(&s, text), 1);
		ck_assert_uint_eq(steward__look_at_requests(&s, 0), 0);
		ck_assert_uint_eq(look_at(&s, "{\"id\": \"1\", \"time_ns\": 5}"), 0);
		ck_assert_int_eq(rundir__path(dir, STEWARD_ANSWER, "/pins", ".json", path, sizeof(path)), 0);
		ck_assert_int_eq(unlink(path), 0);
		ck_assert_int_eq(rmdir(dir), 0);
	}
END_TEST

int main(void)
{
	Suite *suite = suite_create("steward");
	TCase *tc = tcase_create("steward");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, a_whole_file_is_believed);
	tcase_add_test(tc, a_torn_file_is_refused);
	tcase_add_loop_test(tc, lies_are_refused, 0, sizeof(lies) / sizeof(lies[0]));
	tcase_add_test(tc, only_changes_disturb);
	tcase_add_test(tc, requests_are_counted);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
