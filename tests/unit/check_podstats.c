/* SPDX-License-Identifier: BSD-2-Clause */
/* Pod statistics read from a real per-CPU map (root): sums over CPUs, advances, slots that change hands. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/podstats.h"

static int map_fd = -1;
static int nr_cpus;

int datapath__map_fd(const struct datapath *dp, const char *map_name)
{
	(void)dp;
	ck_assert_str_eq(map_name, "pt_pod_stats");
	return map_fd;
}

/* Each CPU has its share; the first one also what does not divide. */
static void set(uint32_t slot, const struct pintle_pod_stats *sum)
{
	struct pintle_pod_stats *values = calloc((size_t)nr_cpus, sizeof(*values));

	ck_assert_ptr_nonnull(values);
	for (int cpu = 0; cpu < nr_cpus; cpu++) {
		struct pintle_pod_stats *v = &values[cpu];
		uint64_t cpus = (uint64_t)nr_cpus;

#define SHARE(field) v->field = sum->field / cpus + (cpu ? 0 : sum->field % cpus)
		SHARE(first_bytes);
		SHARE(aborted);
		SHARE(resets);
		SHARE(refused);
		SHARE(latency_count);
		SHARE(latency_ns);
#undef SHARE
		v->gain_q8 = cpu ? 0 : sum->gain_q8;
	}
	ck_assert_int_eq(bpf_map_update_elem(map_fd, &slot, values, BPF_ANY), 0);
	free(values);
}

static struct podstats *begin(void)
{
	struct podstats *s;
	struct pintle_err err;

	map_fd = bpf_map_create(BPF_MAP_TYPE_PERCPU_ARRAY, "pt_pod_stats", sizeof(uint32_t), sizeof(struct pintle_pod_stats),
				PINTLE_MAX_DETAIL, NULL);
	ck_assert_int_ge(map_fd, 0);
	nr_cpus = libbpf_num_possible_cpus();
	set(7, &(struct pintle_pod_stats){ .first_bytes = 1000, .latency_count = 1000 });
	ck_assert_int_eq(podstats__open(NULL, &s, &err), 0);
	return s;
}

static void end(struct podstats *s)
{
	podstats__close(s);
	close(map_fd);
}

START_TEST(advances_are_sums_over_cpus)
	{
		/* on both sides of a batch's border, and the last one */
		static const uint32_t slots[] = { 0, 7, 63, 64, 65, 1022, 1023 };
		struct podstats *s = begin();
		struct podstats_delta d;
		struct pintle_err err;

		ck_assert_int_eq(podstats__read(s, PINTLE_MAX_DETAIL, &err), 0);
		d = podstats__delta(s, 7);
		ck_assert_uint_eq(d.first_bytes, 0); /* what was before is no advance */
		for (size_t i = 0; i < sizeof(slots) / sizeof(slots[0]); i++)
			set(slots[i], &(struct pintle_pod_stats){ .first_bytes = 1001 + slots[i],
								  .aborted = 3,
								  .resets = 5,
								  .refused = 7,
								  .latency_count = 1002,
								  .latency_ns = 12345 + i,
								  .gain_q8 = -777 });
		ck_assert_int_eq(podstats__read(s, PINTLE_MAX_DETAIL, &err), 0);
		for (size_t i = 0; i < sizeof(slots) / sizeof(slots[0]); i++) {
			uint64_t was = slots[i] == 7 ? 1000 : 0;

			d = podstats__delta(s, slots[i]);
			ck_assert_uint_eq(d.first_bytes, 1001 + slots[i] - was);
			ck_assert_uint_eq(d.latency_count, 1002 - was);
			ck_assert_uint_eq(d.aborted, 3);
			ck_assert_uint_eq(d.resets, 5);
			ck_assert_uint_eq(d.refused, 7);
			ck_assert_uint_eq(d.latency_ns, 12345 + i);
			ck_assert_int_eq(d.gain_q8, -777);
		}
		d = podstats__delta(s, 66);
		ck_assert_uint_eq(d.first_bytes, 0);
		/* read again without change: no advance; nor of slots that are not read */
		ck_assert_int_eq(podstats__read(s, 65, &err), 0);
		ck_assert_uint_eq(podstats__delta(s, 64).first_bytes, 0);
		ck_assert_uint_eq(podstats__delta(s, 1023).first_bytes, 0);
		ck_assert_int_eq(podstats__read(s, 0, &err), 0);
		ck_assert_int_eq(podstats__read(s, UINT32_MAX, &err), 0);
		ck_assert_uint_eq(podstats__delta(s, 1023).first_bytes, 0);
		ck_assert_uint_eq(podstats__delta(s, PINTLE_MAX_DETAIL).first_bytes, 0);
		end(s);
	}
END_TEST

/* Whichever counter shows that a slot began anew, nothing of it is an advance: a wrapped count would look like 2^64 failures. */
START_TEST(a_slot_that_went_back_has_no_advance)
	{
		static const struct pintle_pod_stats fields[] = { { .first_bytes = 9 },	  { .aborted = 9 },
								  { .resets = 9 },	  { .refused = 9 },
								  { .latency_count = 9 }, { .latency_ns = 9 } };
		struct podstats *s = begin();
		struct pintle_pod_stats less = {
			.first_bytes = 8, .aborted = 8, .resets = 8, .refused = 8, .latency_count = 8, .latency_ns = 8
		};
		struct podstats_delta d;
		struct pintle_err err;

		set(3, &fields[_i]);
		ck_assert_int_eq(podstats__read(s, 8, &err), 0);
		set(3, &less);
		ck_assert_int_eq(podstats__read(s, 8, &err), 0);
		d = podstats__delta(s, 3);
		ck_assert_uint_eq(d.first_bytes | d.aborted | d.resets | d.refused | d.latency_count | d.latency_ns, 0);
		end(s);
	}
END_TEST

/* A busy pod after a calm one: the new counts are higher, so they do not show that they began anew. */
START_TEST(a_slot_given_to_another_counts_from_zero)
	{
		struct podstats *s = begin();
		struct pintle_err err;

		set(3, &(struct pintle_pod_stats){ .latency_count = 2, .latency_ns = 500 });
		ck_assert_int_eq(podstats__read(s, 8, &err), 0);
		podstats__restart(s, 3);
		podstats__restart(s, UINT32_MAX);
		set(3, &(struct pintle_pod_stats){ .latency_count = 3, .latency_ns = 600 });
		ck_assert_int_eq(podstats__read(s, 8, &err), 0);
		ck_assert_uint_eq(podstats__delta(s, 3).latency_count, 3);
		ck_assert_uint_eq(podstats__delta(s, 3).latency_ns, 600);
		end(s);
	}
END_TEST

START_TEST(a_map_that_cannot_be_read_is_an_error)
	{
		struct podstats *s = begin();
		struct pintle_err err;

		close(map_fd);
		ck_assert_int_eq(podstats__read(s, 8, &err), -EBADF);
		ck_assert_ptr_nonnull(strstr(err.msg, "pt_pod_stats"));
		podstats__close(s);
		map_fd = -ENOENT;
		ck_assert_int_eq(podstats__open(NULL, &s, &err), -ENOENT);
	}
END_TEST

int main(void)
{
	Suite *suite = suite_create("podstats");
	TCase *tcase = tcase_create("podstats");
	SRunner *runner;
	int failed;

	if (geteuid() != 0) {
		printf("skip: needs root\n");
		return 77;
	}
	tcase_add_test(tcase, advances_are_sums_over_cpus);
	tcase_add_loop_test(tcase, a_slot_that_went_back_has_no_advance, 0, 6);
	tcase_add_test(tcase, a_slot_given_to_another_counts_from_zero);
	tcase_add_test(tcase, a_map_that_cannot_be_read_is_an_error);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
