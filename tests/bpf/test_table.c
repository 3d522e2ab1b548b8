// SPDX-License-Identifier: BSD-2-Clause
/* Full buckets: what gives way to a new flow, in which order, and what it leaves behind. */
#include <pthread.h>
#include <stdatomic.h>

#include "tests/bpf/check_bpf.h"
#include "tests/bpf/kit.h"

#define HALF_OPEN (PINTLE_FS_SYN | PINTLE_FS_AWAITING)
#define UDP_IDLE (PINTLE_FS_UDP | PINTLE_FS_EST)
#define TCP_IDLE (PINTLE_FS_SYN | PINTLE_FS_EST)
#define TCP_WAIT (TCP_IDLE | PINTLE_FS_AWAITING)
#define CLOSED (TCP_IDLE | PINTLE_FS_RST)

static struct rig tiny; /* of this process only: tests fork */
static uint8_t fine, coarse;

/* A table of `nr_buckets`, one pod. */
static struct rig *tiny_rig(uint32_t nr_buckets)
{
	ck_assert_int_eq(rig__open(&tiny, nr_buckets, 4711), 0);
	kit__clocks(&tiny, &fine, &coarse);
	rig__reset(&tiny);
	kit__service(&tiny, PINTLE_POLICY_SCORE, 0, 1);
	return &tiny;
}

static void expect_exact(struct rig *r)
{
	char why[RIG_WHY_BYTES];

	ck_assert_msg(!rig__audit(r, why), "%s", why);
}

START_TEST(full_of_young_flows)
	{
		static const struct {
			uint64_t flags;
			bool is_coarse;
		} kinds[] = { { HALF_OPEN, false }, { UDP_IDLE, false }, { TCP_IDLE, true }, { TCP_WAIT, false } };
		struct rig *r = tiny_rig(1);
		uint32_t i;

		for (i = 0; i < PINTLE_BUCKET_SLOTS; i++)
			kit__place(r, i, 100 + i, 0, 0, kinds[_i].flags, kinds[_i].is_coarse ? coarse : fine, 1);
		ck_assert_int_eq(kit__to_vip(r, 7, WIRE_SYN, 0), PINTLE_V_DROP_TABLE_FULL);
		ck_assert_ptr_null(kit__slot(r, 7, 0));
		for (i = 0; i < PINTLE_BUCKET_SLOTS; i++)
			ck_assert_ptr_nonnull(kit__slot(r, 100 + i, 0));
		rig__drain_events(r);
		ck_assert_uint_eq(r->nr_events[PINTLE_EVENT_TABLE_FULL], 1);
		ck_assert_uint_eq(r->last_event.verdict, PINTLE_V_DROP_TABLE_FULL);
		ck_assert_uint_eq(r->last_event.frontend, 0);
		expect_exact(r);
	}
END_TEST

/* One entry of each class, all old enough: they go one after the other, and the last new flow finds only young ones. */
START_TEST(eviction_order)
	{
		struct rig *r = tiny_rig(1);
		static const uint32_t order[] = { 103, 101, 102, 100 }; /* closed, half-open, UDP, TCP */
		uint32_t i, k;

		kit__place(r, 0, 100, 0, 0, TCP_IDLE, coarse, (uint8_t)(r->ctl->evict_tcp + 2));
		kit__place(r, 1, 101, 0, 0, HALF_OPEN, fine, (uint8_t)(r->ctl->evict_half_open + 2));
		kit__place(r, 2, 102, 0, 0, UDP_IDLE, fine, (uint8_t)(r->ctl->evict_udp + 2));
		kit__place(r, 3, 103, 0, 0, CLOSED, fine, 0);
		for (i = 0; i < 4; i++) {
			for (k = 0; k < 4; k++)
				ck_assert_msg((kit__slot(r, order[k], 0) != NULL) == (k >= i), "after %u new flows, entry %u",
					      i, order[k]);
			ck_assert_int_eq(kit__to_vip(r, i, WIRE_SYN, 0), PINTLE_V_STEER_PASS);
			expect_exact(r);
			rig__drain_events(r);
			ck_assert_uint_eq(r->nr_events[PINTLE_EVENT_EVICTED], i); /* closed entries go unheard */
		}
		ck_assert_int_eq(kit__to_vip(r, 4, WIRE_SYN, 0), PINTLE_V_DROP_TABLE_FULL);
		ck_assert_uint_eq(rig__stats(r, 0).aborted, 1); /* the half-open one */
	}
END_TEST

START_TEST(expired_goes_first)
	{
		static const struct {
			uint64_t flags;
			bool is_coarse;
			size_t limit; /* in struct pintle_ctl */
		} kinds[] = {
			{ TCP_IDLE, true, offsetof(struct pintle_ctl, age_tcp) },
			{ HALF_OPEN, false, offsetof(struct pintle_ctl, age_half_open) },
			{ UDP_IDLE, false, offsetof(struct pintle_ctl, age_udp) },
			{ CLOSED, false, offsetof(struct pintle_ctl, age_closed) },
			{ TCP_WAIT, false, offsetof(struct pintle_ctl, age_awaiting) },
		};
		struct rig *r = tiny_rig(1);
		uint8_t limit = ((const uint8_t *)r->ctl)[kinds[_i].limit];

		kit__place(r, 0, 100, 0, 0, CLOSED, fine, 1);
		kit__place(r, 1, 101, 0, 0, kinds[_i].flags, kinds[_i].is_coarse ? coarse : fine, (uint8_t)(limit + 2));
		kit__place(r, 2, 102, 0, 0, CLOSED, fine, 2);
		kit__place(r, 3, 103, 0, 0, TCP_IDLE, coarse, 1);
		ck_assert_int_eq(kit__to_vip(r, 7, WIRE_SYN, 0), PINTLE_V_STEER_PASS);
		ck_assert_ptr_null(kit__slot(r, 101, 0));
		expect_exact(r);
		ck_assert_int_eq(kit__to_vip(r, 8, WIRE_SYN, 0),
				 PINTLE_V_STEER_PASS); /* then the older of the two closed ones */
		ck_assert_ptr_null(kit__slot(r, 102, 0));
		ck_assert_ptr_nonnull(kit__slot(r, 100, 0));
		expect_exact(r);
	}
END_TEST

START_TEST(busy_slot_is_left_alone)
	{
		struct rig *r = tiny_rig(1);
		uint32_t i;

		for (i = 0; i < PINTLE_BUCKET_SLOTS; i++)
			r->flows[0].slot[i].state = PINTLE_FS_BUSY;
		ck_assert_int_eq(kit__to_vip(r, 7, WIRE_SYN, 0), PINTLE_V_DROP_TABLE_FULL);
		for (i = 0; i < PINTLE_BUCKET_SLOTS; i++)
			ck_assert_uint_eq(r->flows[0].slot[i].state, PINTLE_FS_BUSY);
	}
END_TEST

/* A free slot holds an old key and any leftovers; neither is a hit, and the generation goes on. */
START_TEST(free_slot_leftovers)
	{
		struct rig *r = tiny_rig(1);
		struct pintle_slot *slot;

		ck_assert_int_eq(kit__to_vip(r, 7, WIRE_SYN, 0), PINTLE_V_STEER_PASS);
		slot = kit__slot(r, 7, 0);
		slot->state = 0x2aull << PINTLE_FS_GEN_SHIFT | 0x77ull << PINTLE_FS_AGE_SHIFT;
		memset(r->loads, 0, sizeof(*r->loads));
		ck_assert_int_eq(kit__to_vip(r, 7, WIRE_ACK, 0), PINTLE_V_PASS_MISS);
		ck_assert_int_eq(kit__to_vip(r, 7, WIRE_SYN, 0), PINTLE_V_STEER_PASS);
		ck_assert_ptr_eq(kit__slot(r, 7, 0), slot);
		ck_assert_uint_eq((slot->state & PINTLE_FS_GEN_MASK) >> PINTLE_FS_GEN_SHIFT, 0x2b);
		expect_exact(r);
	}
END_TEST

/* An IPv4 key may equal an IPv6 hash: the family bit keeps them apart, in both directions. */
START_TEST(families_do_not_meet)
	{
		const struct wire_addr client6 = addr6(9, 7), client4 = kit__client(7);
		struct pkt_spec ack6 = { .src = client6,
					 .sport = 5000,
					 .dst = addr6(1, 0x10),
					 .dport = 80,
					 .proto = WIRE_TCP,
					 .tcp_flags = WIRE_ACK };
		struct rig *r = tiny_rig(1);
		uint16_t service = rig__add_service(r, PINTLE_POLICY_SCORE, 0),
			 fe = rig__add_frontend(r, service, ack6.dst, WIRE_TCP, 80);

		kit__place(r, 0, 7, 0, 0, TCP_IDLE, coarse, 0);
		ck_assert_int_eq(kit__to_vip(r, 7, WIRE_ACK, 0), PINTLE_V_STEER_PASS);
		r->flows[0].slot[0].key = rig__key(r, &client6, 5000, fe);
		ck_assert_int_eq(kit__run(r, MODEL_XDP, &ack6), PINTLE_V_PASS_MISS);
		r->flows[0].slot[0].state |= PINTLE_FS_V6;
		r->flows[0].slot[0].key = rig__key(r, &client4, kit__client_port(7), 0);
		ck_assert_int_eq(kit__to_vip(r, 7, WIRE_ACK, 0), PINTLE_V_PASS_MISS);
	}
END_TEST

/* With its first bucket full a flow goes to its second, is found there, and stays when the first has room again. */
START_TEST(second_bucket)
	{
		struct rig *r = tiny_rig(2);
		struct pintle_slot *slot;
		struct wire_addr client;
		uint32_t n = 0, i, first;
		uint64_t key;

		do {
			n++;
			client = kit__client(n);
			key = rig__key(r, &client, kit__client_port(n), 0);
			first = pintle_bucket_first(key, 1);
		} while (first == pintle_bucket_second(key, 1));
		for (i = 0; i < PINTLE_BUCKET_SLOTS; i++)
			kit__place(r, first * PINTLE_BUCKET_SLOTS + i, 1000 + i, 0, 0, TCP_IDLE, coarse, 1);
		ck_assert_int_eq(kit__to_vip(r, n, WIRE_SYN, 0), PINTLE_V_STEER_PASS);
		slot = kit__slot(r, n, 0);
		ck_assert(slot >= r->flows[1 - first].slot && slot < r->flows[1 - first].slot + PINTLE_BUCKET_SLOTS);
		memset(&r->flows[first], 0, sizeof(r->flows[first]));
		r->loads[0].open = 1;
		ck_assert_int_eq(kit__to_vip(r, n, WIRE_SYN, 0), PINTLE_V_STEER_PASS);
		ck_assert_int_eq(kit__from_pod(r, n, 0, WIRE_SYN | WIRE_ACK, 0), PINTLE_V_REV_STEER);
		ck_assert_ptr_eq(kit__slot(r, n, 0), slot);
		expect_exact(r);
	}
END_TEST

struct churn {
	struct pintle_slot *slot;
	atomic_bool stop;
};

/* Another CPU that changes the closed entry all the time: its cpu field means nothing to this test. */
static void *churn(void *arg)
{
	struct churn *c = arg;

	while (!atomic_load_explicit(&c->stop, memory_order_relaxed))
		__atomic_fetch_xor(&c->slot->state, 1ull << PINTLE_FS_CPU_SHIFT, __ATOMIC_SEQ_CST);
	return NULL;
}

START_TEST(lost_race)
	{
		struct rig *r = tiny_rig(1);
		struct churn c = { .slot = &r->flows[0].slot[0] };
		struct kit_frame syn, rst;
		pthread_t thread;
		uint64_t lost = 0;
		int i;

		kit__to_vip(r, 7, WIRE_SYN, 0);
		kit__to_vip(r, 7, WIRE_RST, 0);
		c.slot = kit__slot(r, 7, 0);
		kit__frame_to_vip(&syn, 7, WIRE_SYN, 0);
		kit__frame_to_vip(&rst, 7, WIRE_RST, 0);
		ck_assert_int_eq(pthread_create(&thread, NULL, churn, &c), 0);
		for (i = 0; i < 20000 && !lost; i++) {
			int k;

			for (k = 0; k < 100; k++) {
				kit__fire(r, MODEL_XDP, &syn);
				kit__fire(r, MODEL_XDP, &rst);
			}
			lost = rig__verdict(r, PINTLE_V_DROP_RACE);
		}
		atomic_store(&c.stop, true);
		pthread_join(thread, NULL);
		ck_assert_msg(lost > 0, "no race in %d tries", i * 100);
		expect_exact(r);
	}
END_TEST

Suite *table_suite(void)
{
	Suite *s = suite_create("table");
	TCase *tc = tcase_create("table");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, full_of_young_flows, 0, 4);
	tcase_add_test(tc, eviction_order);
	tcase_add_loop_test(tc, expired_goes_first, 0, 5);
	tcase_add_test(tc, busy_slot_is_left_alone);
	tcase_add_test(tc, free_slot_leftovers);
	tcase_add_test(tc, families_do_not_meet);
	tcase_add_test(tc, second_bucket);
	tcase_add_test(tc, lost_race);
	suite_add_tcase(s, tc);
	return s;
}
