// SPDX-License-Identifier: BSD-2-Clause
/* Records of answered requests: only while somebody asks, as many as asked for, true. */
#include <errno.h>

#include "tests/bpf/check_bpf.h"
#include "tests/bpf/kit.h"

#define PA (WIRE_PSH | WIRE_ACK)

struct seen {
	uint32_t nr;
	struct pintle_record last;
};

static int on_record(void *arg, void *data, size_t bytes)
{
	struct seen *seen = arg;

	ck_assert_uint_eq(bytes, sizeof(seen->last));
	memcpy(&seen->last, data, bytes);
	seen->nr++;
	return 0;
}

static struct ring_buffer *open_records(struct rig *r, struct seen *seen)
{
	struct ring_buffer *ring = ring_buffer__new(bpf_object__find_map_fd_by_name(r->obj, "pt_records"), on_record, seen,
						    NULL);

	ck_assert_ptr_nonnull(ring);
	ck_assert_int_ge(ring_buffer__consume(ring), 0);
	*seen = (struct seen){ 0 };
	return ring;
}

static struct rig *one_flow(void)
{
	struct rig *r = rig__shared();

	kit__service(r, PINTLE_POLICY_SCORE, 0, 1);
	r->loads[0].awaiting = 3;
	kit__to_vip(r, 7, WIRE_SYN, 0);
	kit__from_pod(r, 7, 0, WIRE_SYN | WIRE_ACK, 0);
	return r;
}

static void one_request(struct rig *r)
{
	kit__to_vip(r, 7, PA, 100);
	kit__from_pod(r, 7, 0, PA, 50);
}

START_TEST(only_as_many_as_asked_for)
	{
		struct rig *r = one_flow();
		struct pintle_pod_stats before;
		struct ring_buffer *ring;
		struct seen seen;

		ring = open_records(r, &seen);
		one_request(r);
		ck_assert_int_eq(ring_buffer__consume(ring), 0);
		before = rig__stats(r, 0);
		r->ctl->record_budget = 2;
		one_request(r);
		ck_assert_int_eq(ring_buffer__consume(ring), 1);
		ck_assert_uint_eq(seen.last.latency_ns, rig__stats(r, 0).latency_ns - before.latency_ns);
		ck_assert_uint_gt(seen.last.time_ns, seen.last.latency_ns);
		ck_assert_uint_eq(seen.last.pod, 0);
		ck_assert_uint_eq(seen.last.frontend, 0);
		ck_assert_uint_eq(seen.last.load, 3);
		ck_assert_uint_eq(seen.last.key, kit__slot(r, 7, 0)->key);
		for (int i = 0; i < 3; i++)
			one_request(r);
		ck_assert_int_eq(ring_buffer__consume(ring), 1);
		ck_assert_int_eq(r->ctl->record_budget, 0);
		ck_assert_uint_eq(seen.nr, 2);
		ck_assert_uint_eq(rig__stats(r, 0).latency_count, 5);
		ring_buffer__free(ring);
	}
END_TEST

/* Nobody takes them out: the ring fills, what does not fit is counted, requests are measured on. */
START_TEST(full_ring_is_counted)
	{
		const uint32_t room = 256 * 1024 / (sizeof(struct pintle_record) + BPF_RINGBUF_HDR_SZ), more = 40;
		struct rig *r = one_flow();
		struct ring_buffer *ring;
		struct seen seen;

		ring = open_records(r, &seen);
		r->ctl->record_budget = 1000000;
		for (uint32_t i = 0; i < room + more; i++)
			one_request(r);
		ck_assert_uint_ge(r->ctl->records_lost, more);
		ck_assert_uint_le(r->ctl->records_lost, more + 1);
		ck_assert_int_eq(ring_buffer__consume(ring), (int)(room + more - r->ctl->records_lost));
		ck_assert_uint_eq(rig__stats(r, 0).latency_count, room + more);
		ring_buffer__free(ring);
	}
END_TEST

Suite *record_suite(void)
{
	Suite *s = suite_create("record");
	TCase *tc = tcase_create("record");

	tcase_set_timeout(tc, 30);
	tcase_add_test(tc, only_as_many_as_asked_for);
	tcase_add_test(tc, full_ring_is_counted);
	suite_add_tcase(s, tc);
	return s;
}
