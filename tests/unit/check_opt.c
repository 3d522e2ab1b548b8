/* SPDX-License-Identifier: BSD-2-Clause */
/* The command line: what is accepted, the message of every mistake, help, completion and docs/cli.md from the same table. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/clock.h"
#include "agent/cmd.h"
#include "agent/datapath.h"
#include "agent/opt_table.h"

static char *argv[32];
static char line_copy[512];

/* Splits at blanks; '_' alone is an empty word. */
static int words_of(const char *line)
{
	char *state = NULL, *word;
	int argc = 0;

	snprintf(line_copy, sizeof(line_copy), "%s", line);
	for (word = strtok_r(line_copy, " ", &state); word; word = strtok_r(NULL, " ", &state))
		argv[argc++] = strcmp(word, "_") != 0 ? word : word + 1;
	argv[argc] = NULL;
	return argc;
}

static struct cmd_args parse(const char *line)
{
	struct pintle_err err = { 0 };
	struct cmd_args args;
	int error = opt__parse(words_of(line), argv, &args, &err);

	ck_assert_msg(!error, "%s: %s", line, err.msg);
	return args;
}

START_TEST(test_values)
	{
		struct cmd_args a = parse(
			"pintle -vo json attach dev eth0 --hook=tc eth1 --flows 1048576 dev dev -c f.yaml --pin-dir /p -v");

		ck_assert_int_eq(a.verb, CMD_ATTACH);
		ck_assert_uint_eq(a.format, OUT_JSON);
		ck_assert_uint_eq(a.verbose, 2);
		ck_assert_uint_eq(a.hook, HOOK_TC);
		ck_assert_uint_eq(a.max_flows, 1048576);
		ck_assert_uint_eq(a.max_pods, 4096);
		ck_assert_str_eq(a.config_file, "f.yaml");
		ck_assert_str_eq(a.pin_dir, "/p");
		ck_assert_str_eq(a.run_dir, CMD_RUN_DIR);
		ck_assert_int_eq(a.nr_words, 3);
		ck_assert_str_eq(a.words[0], "eth0");
		ck_assert_str_eq(a.words[1], "eth1");
		ck_assert_str_eq(a.words[2], "dev");
		ck_assert(cmd_args__given(&a, OPTION_FLOWS));
		ck_assert(!cmd_args__given(&a, OPTION_MAX_PODS));

		a = parse("pintle detach --now --timeout 1500ms");
		ck_assert(a.now);
		ck_assert_uint_eq(a.timeout_ns, 1500000000);
		a = parse("pintle detach");
		ck_assert(!a.now);
		ck_assert_uint_eq(a.timeout_ns, 60000000000);
		a = parse("pintle flows top --by client -n 0");
		ck_assert_int_eq(a.verb, CMD_FLOWS_TOP);
		ck_assert_uint_eq(a.by, FLOWS_BY_CLIENT);
		ck_assert_uint_eq(a.limit, 0);
		a = parse("pintle flows explain -- 10.0.0.1:1 10.0.0.2:2/tcp");
		ck_assert_str_eq(a.words[1], "10.0.0.2:2/tcp");
		a = parse("pintle agent");
		ck_assert_uint_eq(a.tick_ns, 100000000);
		ck_assert_ptr_null(a.config_file);
		ck_assert_int_eq(a.nr_words, 0);
		/* HOOK_* and out_format follow the order of the words in options.def. */
		ck_assert_uint_eq(parse("pintle attach e --hook auto").hook, HOOK_AUTO);
		ck_assert_uint_eq(parse("pintle attach e --hook xdp").hook, HOOK_XDP);
		ck_assert_uint_eq(parse("pintle stats -o text").format, OUT_TEXT);
		ck_assert_uint_eq(parse("pintle stats -ojsonl").format, OUT_JSONL);
		ck_assert_uint_eq(parse("pintle flows top --by pod").by, FLOWS_BY_POD);
		ck_assert_uint_eq(parse("pintle flows top --by frontend").by, FLOWS_BY_FRONTEND);
	}
END_TEST

START_TEST(test_help)
	{
		ck_assert(parse("pintle --help").help);
		ck_assert_int_eq(parse("pintle help").verb, CMD_NR_VERBS);
		ck_assert_int_eq(parse("pintle help pod drain").verb, CMD_POD_DRAIN);
		ck_assert(parse("pintle pod drain -h").help);
		ck_assert_int_eq(parse("pintle help pod").verb, CMD_NR_VERBS);
	}
END_TEST

static const struct {
	const char *line, *message;
} mistakes[] = {
	{ "pintle", "a verb is missing; see `pintle help`" },
	{ "pintle atach eth0", "unknown verb \"atach\"; did you mean `pintle attach`?" },
	{ "pintle frobnicate", "unknown verb \"frobnicate\"; see `pintle help`" },
	{ "pintle pod", "`pintle pod` needs one of: list, drain, undrain" },
	{ "pintle pod --help", "`pintle pod` needs one of: list, drain, undrain" },
	{ "pintle pod dran x", "unknown verb \"pod dran\"; did you mean `pintle pod drain`?" },
	{ "pintle pod x", "unknown verb \"pod x\"; it needs one of: list, drain, undrain" },
	{ "pintle help pod x", "unknown verb \"pod x\"; it needs one of: list, drain, undrain" },
	{ "pintle attach", "`pintle attach` needs [dev] DEV...; see `pintle attach --help`" },
	{ "pintle attach a b c d e f g h i j k l m n o p q",
	  "`pintle attach` takes at most 16 words ([dev] DEV...): \"q\" is too many" },
	{ "pintle stats now", "`pintle stats` takes no words: \"now\"" },
	{ "pintle stats --al1", "unknown option --al1; did you mean --all?" },
	{ "pintle stats --frobnicate", "unknown option --frobnicate; see `pintle stats --help`" },
	{ "pintle --frobnicate stats", "unknown option --frobnicate; see `pintle --help`" },
	{ "pintle stats -x", "unknown option -x; see `pintle stats --help`" },
	{ "pintle stats --tick 1s", "`pintle stats` has no option --tick; it belongs to `pintle agent`" },
	{ "pintle --now detach", "--now stands before the verb; write it after it: `pintle detach --now`" },
	{ "pintle stats --all=1", "--all takes no value" },
	{ "pintle detach --timeout", "--timeout needs a value" },
	{ "pintle stats -o", "-o needs a value" },
	{ "pintle stats -o xml", "--output: \"xml\" is none of text|json|jsonl" },
	{ "pintle attach e --hook tcx", "--hook: \"tcx\" is none of auto|xdp|tc" },
	{ "pintle attach e --flows 1023", "--flows: 1023 is out of range; 1024 to 67108864" },
	{ "pintle attach e --flows 18446744073709551616", "--flows: 18446744073709551616 is out of range; 1024 to 67108864" },
	{ "pintle attach e --flows 1e6", "--flows: \"1e6\" is not a whole number" },
	{ "pintle attach e --flows _", "--flows: \"\" is not a whole number" },
	{ "pintle attach e -c _", "--config: the value is empty" },
	{ "pintle agent --tick 100", "--tick: \"100\" has no unit; write 100ms or 100s" },
	{ "pintle agent --tick 1.5s", "--tick: \"1.5s\" is not a time; whole numbers with a unit of ns, us, ms, s, m, h" },
	{ "pintle agent --tick 1us", "--tick: 1us is out of range; 1 ms to 1 s" },
	{ "pintle detach --timeout 99999999999h", "--timeout: \"99999999999h\" is too long a time" },
};

START_TEST(test_mistake)
	{
		struct pintle_err err = { 0 };
		struct cmd_args args;

		ck_assert_int_eq(opt__parse(words_of(mistakes[_i].line), argv, &args, &err), -EINVAL);
		ck_assert_str_eq(err.msg, mistakes[_i].message);
	}
END_TEST

START_TEST(test_numbers)
	{
		uint64_t value = 7;

		ck_assert_int_eq(opt__u64("18446744073709551615", &value), 0);
		ck_assert_uint_eq(value, UINT64_MAX);
		ck_assert_int_eq(opt__u64("18446744073709551616", &value), -ERANGE);
		ck_assert_int_eq(opt__u64("", &value), -EINVAL);
		ck_assert_int_eq(opt__u64("-1", &value), -EINVAL);
		ck_assert_int_eq(opt__u64(" 1", &value), -EINVAL);
		ck_assert_int_eq(opt__duration("18446744073709551615ns", &value, NULL), 0);
		ck_assert_uint_eq(value, UINT64_MAX);
		ck_assert_int_eq(opt__duration("18446744073709551616ns", &value, NULL), -EINVAL);
		ck_assert_int_eq(opt__duration("5124095h", &value, NULL), 0);
		ck_assert_int_eq(opt__duration("5124096h", &value, NULL), -EINVAL);
		ck_assert_int_eq(opt__duration("0000000000000000000000000000001s", &value, NULL), -EINVAL);
		ck_assert_int_eq(opt__duration("1 s", &value, NULL), -EINVAL);
	}
END_TEST

/* A default must be accepted where it is written; two options of a verb may not share a letter; names are unique. */
START_TEST(test_table_is_sound)
	{
		static const char *const words[] = { "", " a", " a b" };
		unsigned int i, j;

		for (i = 0; i < CMD_NR_OPTIONS; i++) {
			const struct opt_option *o = &opt_options[i];
			char line[256];
			unsigned int v;

			for (v = 0; v < CMD_NR_VERBS && !opt_option__applies(o, (enum cmd_verb)v); v++)
				;
			ck_assert_uint_lt(v, CMD_NR_VERBS);
			if (o->def) {
				snprintf(line, sizeof(line), "pintle %s --%s %s%s", opt_verbs[v].name, o->name, o->def,
					 words[opt_verbs[v].min_words]);
				parse(line);
			}
			for (j = 0; j < i; j++) {
				ck_assert_str_ne(o->name, opt_options[j].name);
				ck_assert(!o->letter || o->letter != opt_options[j].letter ||
					  !(o->verbs & opt_options[j].verbs));
			}
		}
	}
END_TEST

/* ---- pages ---- */

static char *page;
static size_t page_bytes;

static FILE *page_begin(void)
{
	free(page);
	page = NULL;
	return open_memstream(&page, &page_bytes);
}

START_TEST(test_help_pages)
	{
		FILE *file = page_begin();
		unsigned int v;

		opt__help(file, CMD_NR_VERBS);
		fclose(file);
		for (v = 0; v < CMD_NR_VERBS; v++)
			ck_assert_ptr_nonnull(strstr(page, opt_verbs[v].name));
		ck_assert_ptr_nonnull(strstr(page, "\n  3  this kernel"));
		file = page_begin();
		opt__help(file, CMD_DETACH);
		fclose(file);
		ck_assert_ptr_nonnull(strstr(page, "usage: pintle detach [OPTION...]\n"));
		ck_assert_ptr_nonnull(strstr(
			page,
			"--timeout TIME               longest time to wait for established flows (0 ns to 1 d 0 h, default 60s)\n"));
		ck_assert_ptr_null(strstr(page, "--flows"));
	}
END_TEST

static const char *completed(const char *line)
{
	FILE *file = page_begin();

	opt__complete(file, words_of(line), argv);
	fclose(file);
	return page;
}

START_TEST(test_completion)
	{
		ck_assert_str_eq(completed("po"), "pod\npolicy\n");
		ck_assert_str_eq(completed("pod _"), "list\ndrain\nundrain\n");
		ck_assert_str_eq(completed("-o json pod d"), "drain\n");
		ck_assert_str_eq(completed("help flows _"), "list\ntop\nexplain\nrecover\n");
		ck_assert_str_eq(completed("attach --ho"), "--hook\n");
		ck_assert_str_eq(completed("attach --hook _"), "auto\nxdp\ntc\n");
		ck_assert_str_eq(completed("stats -o j"), "json\njsonl\n");
		ck_assert_str_eq(completed("attach -c _"), ""); /* a file: the shell's business */
		ck_assert_str_eq(completed("stats _"), "");
		ck_assert_ptr_nonnull(strstr(completed("attach _"), "lo\n"));
		ck_assert_str_eq(completed("pod drain dr"), "");
	}
END_TEST

START_TEST(test_markdown_is_current)
	{
		FILE *file = page_begin(), *doc = fopen("docs/cli.md", "r");
		char *expected = calloc(1, 262144);

		opt__markdown(file);
		fclose(file);
		ck_assert_ptr_nonnull(doc);
		ck_assert_uint_lt(fread(expected, 1, 262143, doc), 262143);
		fclose(doc);
		ck_assert_msg(!strcmp(expected, page), "docs/cli.md is old: pintle complete --markdown > docs/cli.md");
		free(expected);
	}
END_TEST

int main(void)
{
	Suite *suite = suite_create("opt");
	TCase *tc = tcase_create("opt");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tc, test_values);
	tcase_add_test(tc, test_help);
	tcase_add_loop_test(tc, test_mistake, 0, sizeof(mistakes) / sizeof(mistakes[0]));
	tcase_add_test(tc, test_numbers);
	tcase_add_test(tc, test_table_is_sound);
	tcase_add_test(tc, test_help_pages);
	tcase_add_test(tc, test_completion);
	tcase_add_test(tc, test_markdown_is_current);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	free(page);
	return failed != 0;
}
