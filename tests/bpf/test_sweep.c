// SPDX-License-Identifier: BSD-2-Clause
/* Expiry by class and time-out, requests given up, and what the sweep reports. */
#include "tests/bpf/check_bpf.h"
#include "tests/bpf/kit.h"

#define HALF_OPEN (PINTLE_FS_SYN | PINTLE_FS_AWAITING)
#define TCP_IDLE (PINTLE_FS_SYN | PINTLE_FS_EST)
#define TCP_WAIT (TCP_IDLE | PINTLE_FS_AWAITING)
#define UDP_WAIT (PINTLE_FS_UDP | PINTLE_FS_AWAITING)
#define UDP_IDLE (PINTLE_FS_UDP | PINTLE_FS_EST)
#define BY_RST (TCP_IDLE | PINTLE_FS_RST)
#define BY_FINS (TCP_IDLE | PINTLE_FS_FINS)
#define HALF_CLOSED (TCP_IDLE | PINTLE_FS_FIN_CLIENT)

static const struct {
	const char *name;
	uint64_t flags;
	size_t limit; /* the time-out in struct pintle_ctl */
	bool is_coarse, is_given_up /* not deleted: its request is given up */;
} classes[] = {
	{ "half-open", HALF_OPEN, offsetof(struct pintle_ctl, age_half_open), false, false },
	{ "established", TCP_IDLE, offsetof(struct pintle_ctl, age_tcp), true, false },
	{ "established, half-closed", HALF_CLOSED, offsetof(struct pintle_ctl, age_tcp), true, false },
	{ "established, awaiting", TCP_WAIT, offsetof(struct pintle_ctl, age_awaiting), false, true },
	{ "UDP", UDP_IDLE, offsetof(struct pintle_ctl, age_udp), false, false },
	{ "UDP, awaiting", UDP_WAIT, offsetof(struct pintle_ctl, age_udp), false, false },
	{ "closed by RST", BY_RST, offsetof(struct pintle_ctl, age_closed), false, false },
	{ "closed by FINs", BY_FINS, offsetof(struct pintle_ctl, age_closed), false, false },
	{ "IPv6 half-open", HALF_OPEN | PINTLE_FS_V6, offsetof(struct pintle_ctl, age_half_open), false, false },
};
#define NR_CLASSES (int)(sizeof(classes) / sizeof(classes[0]))

static uint8_t fine, coarse;

static struct rig *sweep_rig(void)
{
	struct rig *r = rig__shared();

	kit__clocks(r, &fine, &coarse);
	rig__reset(r);
	kit__service(r, PINTLE_POLICY_SCORE, 0, 1);
	return r;
}

static struct pintle_sweep sweep_all(struct rig *r)
{
	struct pintle_sweep sweep = { .first_bucket = 0, .nr_buckets = r->meta.nr_buckets };
	char why[RIG_WHY_BYTES];

	ck_assert_int_eq(rig__sweep(r, &sweep), 0);
	ck_assert_msg(!rig__audit(r, why), "%s", why);
	return sweep;
}

START_TEST(expiry)
	{
		struct rig *r = sweep_rig();
		uint8_t limit = ((const uint8_t *)r->ctl)[classes[_i].limit], now = classes[_i].is_coarse ? coarse : fine;
		struct pintle_sweep s;
		struct pintle_slot *slot = &r->flows[17].slot[2];

		/* young enough, also if a unit ends meanwhile */
		kit__place(r, 17 * 4 + 2, 7, 0, 0, classes[_i].flags, now, (uint8_t)(limit - 1));
		s = sweep_all(r);
		ck_assert_msg(s.valid == 1 && !s.expired && !s.given_up && (slot->state & PINTLE_FS_VALID), "%s went too early",
			      classes[_i].name);
		kit__forget_flows(r);
		kit__place(r, 17 * 4 + 2, 7, 0, 0, classes[_i].flags, now, (uint8_t)(limit + 1));
		s = sweep_all(r);
		if (classes[_i].is_given_up) {
			ck_assert_msg(s.valid == 1 && !s.expired && s.given_up == 1, "%s: not given up", classes[_i].name);
			ck_assert(!(slot->state & PINTLE_FS_AWAITING) && (slot->state & PINTLE_FS_VALID));
			s = sweep_all(r); /* its age began anew on the other clock */
			ck_assert(s.valid == 1 && !s.expired && !s.given_up);
		} else {
			ck_assert_msg(!s.valid && s.expired == 1, "%s stays after its time-out", classes[_i].name);
			ck_assert(!(slot->state & (PINTLE_FS_VALID | PINTLE_FS_BUSY)));
		}
		ck_assert_int_eq(r->loads[0].awaiting, 0);
		ck_assert_uint_eq(rig__stats(r, 0).aborted, (classes[_i].flags & PINTLE_FS_AWAITING) ? 1 : 0);
	}
END_TEST

/* Packets of either side keep a flow alive, and a sweep finds it young again. */
START_TEST(traffic_refreshes_age)
	{
		struct rig *r = sweep_rig();
		struct wire_addr client = kit__client(7);
		struct pintle_slot *slot;
		uint64_t key = rig__key(r, &client, kit__client_port(7), 0);
		uint8_t age;

		kit__place(r, pintle_bucket_first(key, r->mask) * PINTLE_BUCKET_SLOTS, 7, 0, 0, TCP_IDLE, coarse,
			   (uint8_t)(r->ctl->age_tcp + 2));
		slot = kit__slot(r, 7, 0);
		ck_assert_ptr_nonnull(slot);
		if (_i)
			ck_assert_int_eq(kit__from_pod(r, 7, 0, WIRE_ACK, 0), PINTLE_V_REV_STEER);
		else
			ck_assert_int_eq(kit__to_vip(r, 7, WIRE_ACK, 0), PINTLE_V_STEER_PASS);
		age = (uint8_t)(slot->state >> PINTLE_FS_AGE_SHIFT);
		ck_assert_msg((uint8_t)(age - coarse) <= 1, "age byte %u, the clock shows %u", age, coarse);
		ck_assert_uint_eq(sweep_all(r).expired, 0);
	}
END_TEST

/* An age that another CPU wrote a moment ahead of our clock is none at all: nothing expires or is given up for it. */
START_TEST(age_ahead_of_the_clock)
	{
		struct rig *r = sweep_rig();
		uint8_t now = classes[_i].is_coarse ? coarse : fine;
		struct pintle_sweep s;

		kit__place(r, 17 * 4 + 2, 7, 0, 0, classes[_i].flags, now, 0xff);
		s = sweep_all(r);
		ck_assert_msg(s.valid == 1 && !s.expired && !s.given_up, "%s", classes[_i].name);
	}
END_TEST

START_TEST(counts)
	{
		struct rig *r = sweep_rig();
		struct pintle_sweep s = {
			.first_bucket = 100, .nr_buckets = 2, .valid = 1000, .expired = 1000, .half_open = 5
		};
		uint32_t i;

		for (i = 0; i < (uint32_t)NR_CLASSES; i++) /* buckets 100..102 */
			kit__place(r, 100 * 4 + i, i, 0, 0, classes[i].flags, classes[i].is_coarse ? coarse : fine, 0);
		ck_assert_int_eq(rig__sweep(r, &s), 0);
		ck_assert_uint_eq(s.valid, 1008); /* added to what was there; bucket 102 is outside the range */
		ck_assert_uint_eq(s.closed, 2);
		ck_assert_uint_eq(s.half_open, 6);
		ck_assert_uint_eq(s.expired, 1000);
		/* ranges beyond the table end there */
		s = (struct pintle_sweep){ .first_bucket = 4000, .nr_buckets = 0xffffffff };
		ck_assert_int_eq(rig__sweep(r, &s), 0);
		ck_assert_uint_eq(s.valid, 0);
		s = (struct pintle_sweep){ .first_bucket = 0xfffffff0, .nr_buckets = 0xffffffff };
		ck_assert_int_eq(rig__sweep(r, &s), 0);
		ck_assert_uint_eq(s.valid, 0);
		s = sweep_all(r);
		ck_assert_uint_eq(s.valid, NR_CLASSES);
	}
END_TEST

START_TEST(busy_is_left_alone)
	{
		struct rig *r = sweep_rig();
		struct pintle_sweep s;

		r->flows[5].slot[1].state = PINTLE_FS_BUSY | 0x33ull << PINTLE_FS_GEN_SHIFT;
		s = (struct pintle_sweep){ .nr_buckets = r->meta.nr_buckets };
		ck_assert_int_eq(rig__sweep(r, &s), 0);
		ck_assert_uint_eq(s.valid + s.expired, 0);
		ck_assert_uint_eq(r->flows[5].slot[1].state, PINTLE_FS_BUSY | 0x33ull << PINTLE_FS_GEN_SHIFT);
	}
END_TEST

Suite *sweep_suite(void)
{
	Suite *s = suite_create("sweep");
	TCase *tc = tcase_create("sweep");

	tcase_set_timeout(tc, 30);
	tcase_add_loop_test(tc, expiry, 0, NR_CLASSES);
	tcase_add_loop_test(tc, age_ahead_of_the_clock, 0, NR_CLASSES);
	tcase_add_loop_test(tc, traffic_refreshes_age, 0, 2);
	tcase_add_test(tc, counts);
	tcase_add_test(tc, busy_is_left_alone);
	suite_add_tcase(s, tc);
	return s;
}
