/* SPDX-License-Identifier: BSD-2-Clause */
/* What the datapath decides without a device: sizes, versions, capabilities, names. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <linux/capability.h>

#include "agent/clock.h"
#include "agent/datapath_kernel.h"
#include "agent/datapath_priv.h"
#include "pintle/verdict.h"

static struct pintle_meta good_meta(void)
{
	const struct table_sizes_in in = { .max_flows = 1000, .max_frontends = 10, .max_pods = 100, .hz = 250 };
	struct pintle_meta meta = { .abi_version = PINTLE_ABI_VERSION, .seed = { 0, 1, 1, 0 } };

	ck_assert_int_eq(tables__sizes(&in, &meta, NULL), 0);
	return meta;
}

START_TEST(test_releases)
	{
		static const struct {
			const char *release;
			bool is_good;
		} cases[] = {
			{ "6.18.44", true },	    { "5.18.0-rc1", true }, { "5.19", true },
			{ "6.1.0-18-amd64", true }, { "10.0", true },	    { "5.17.15", false },
			{ "4.19.0", false },	    { "banana", false },    { "", false },
		};
		struct pintle_err err;

		for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
			ck_assert_int_eq(dp_kernel__check_release(cases[i].release, &err), cases[i].is_good ? 0 : -EOPNOTSUPP);
		dp_kernel__check_release("5.17.15", &err);
		ck_assert_ptr_nonnull(strstr(err.msg, "5.17.15"));
		ck_assert_ptr_nonnull(strstr(err.msg, "5.18"));
	}
END_TEST

START_TEST(test_capabilities)
	{
		const uint64_t bpf = 1ull << CAP_BPF, net = 1ull << CAP_NET_ADMIN, perf = 1ull << CAP_PERFMON,
			       admin = 1ull << CAP_SYS_ADMIN;
		const struct {
			uint64_t effective;
			const char *missing;
		} cases[] = {
			{ bpf | net | perf, "" },
			{ admin | net, "" },
			{ admin, "CAP_NET_ADMIN" },
			{ bpf | net, "CAP_PERFMON" },
			{ 0, "CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON" },
			{ ~0ull, "" },
		};
		char missing[64];

		for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
			dp_kernel__missing_caps(cases[i].effective, missing, sizeof(missing));
			ck_assert_str_eq(missing, cases[i].missing);
		}
	}
END_TEST

static unsigned long long read_jiffies(void)
{
	unsigned long long jiffies = 0;
	char line[256];
	FILE *f = fopen("/proc/timer_list", "re");

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "jiffies: %llu", &jiffies) == 1)
			break;
	if (f)
		fclose(f);
	return jiffies;
}

/* Against the kernel's own count over half a second. */
START_TEST(test_hz)
	{
		const struct timespec pause = { .tv_nsec = 500000000 };
		uint64_t begin_ns, end_ns;
		unsigned long long begin, end;
		uint32_t hz = dp_kernel__hz();
		double measured;

		ck_assert_uint_ge(hz, 24);
		ck_assert_uint_le(hz, 10000);
		begin = read_jiffies();
		begin_ns = clock__monotonic_ns();
		if (!begin)
			return; /* not readable without root */
		nanosleep(&pause, NULL);
		end = read_jiffies();
		end_ns = clock__monotonic_ns();
		measured = (double)(end - begin) * 1e9 / (double)(end_ns - begin_ns);
		ck_assert_double_ge(measured, 0.93 * hz);
		ck_assert_double_le(measured, 1.07 * hz);
	}
END_TEST

START_TEST(test_meta)
	{
		struct pintle_meta meta = good_meta();
		struct pintle_err err;

		ck_assert_int_eq(dp_meta__check("dir", &meta, &err), 0);
#define BROKEN(field, value)                                                                         \
	do {                                                                                         \
		meta = good_meta();                                                                  \
		meta.field = (value);                                                                \
		ck_assert_int_eq(dp_meta__check("dir", &meta, &err), -EPROTO);                       \
		ck_assert_msg(!!strstr(err.msg, #field) || !!strstr(err.msg, "ABI"), "%s", err.msg); \
	} while (0)
		BROKEN(abi_version, PINTLE_ABI_VERSION + 1);
		BROKEN(nr_buckets, 0);
		BROKEN(nr_buckets, 3);
		BROKEN(nr_buckets, 1u << 28);
		BROKEN(max_frontends, PINTLE_MAX_FRONTENDS + 1);
		BROKEN(max_pods, 0);
		BROKEN(max_pods, PINTLE_MAX_PODS + 1);
		BROKEN(nr_vip4_buckets, 6);
		BROKEN(nr_vip6_buckets, 0);
		BROKEN(nr_rev4_buckets, ~0u);
		BROKEN(nr_rev6_buckets, 7);
		BROKEN(member_lines, ~0u);
		BROKEN(pick_lines, 0);
		BROKEN(fine_shift, 32);
		BROKEN(coarse_shift, 99);
		BROKEN(seed[1], 2);
		BROKEN(seed[2], 0);
#undef BROKEN
	}
END_TEST

START_TEST(test_entries)
	{
		struct pintle_meta meta = good_meta();

		ck_assert_uint_eq(dp_map__entries(DP_MAP_STAMPS, &meta), 4 * dp_map__entries(DP_MAP_FLOWS, &meta));
		ck_assert_uint_eq(dp_map__entries(DP_MAP_MEMBERS, &meta), 4 * meta.member_lines);
		ck_assert_uint_eq(dp_map__entries(DP_MAP_META, &meta), 1);
		ck_assert_uint_ge(dp_map__entries(DP_MAP_VERDICTS, &meta), PINTLE_V_MAX);
		for (int m = 0; m < DP_NR_MAPS; m++) {
			ck_assert_uint_gt(dp_map__entries((enum dp_map)m, &meta), 0);
			ck_assert_uint_lt(strlen(dp_map_defs[m].name), BPF_OBJ_NAME_LEN);
			ck_assert_uint_eq(dp_map_defs[m].value_bytes % 8 && dp_map_defs[m].is_mmapable, 0);
		}
	}
END_TEST

START_TEST(test_names)
	{
		static const char *const bad[] = { "",
						   "link",
						   "link_xdp",
						   "link_xdp_",
						   "link_xdp_0",
						   "link_xdp_4x",
						   "link_xdp_-4",
						   "link_xdp_04",
						   "link_foo_4",
						   "filter_xdp",
						   "prog_xdp",
						   "link_xdp_4294967296",
						   "Link_xdp_4",
						   "linkk_xdp_4",
						   "link_xdp_ 4",
						   "link__4",
						   "link_rev_1_2",
						   "link_xdp_99999999999999999999999" };
		struct dp_attachment att, again;

		for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
			ck_assert_msg(!dp_attachment__parse(bad[i], &att), "%s", bad[i]);
		for (int kind = 0; kind < DP_NR_KINDS; kind++) {
			for (int is_filter = 0; is_filter < 2; is_filter++) {
				dp_attachment__init(&att, (enum dp_kind)kind, 4294967295u, is_filter);
				ck_assert(dp_attachment__parse(att.pin, &again));
				ck_assert_int_eq((int)again.kind, kind);
				ck_assert_uint_eq(again.ifindex, 4294967295u);
				ck_assert_int_eq(again.is_filter, is_filter);
			}
		}
	}
END_TEST

int main(void)
{
	Suite *suite = suite_create("datapath");
	TCase *tc = tcase_create("datapath");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, test_releases);
	tcase_add_test(tc, test_capabilities);
	tcase_add_test(tc, test_hz);
	tcase_add_test(tc, test_meta);
	tcase_add_test(tc, test_entries);
	tcase_add_test(tc, test_names);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
