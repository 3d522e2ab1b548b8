// SPDX-License-Identifier: BSD-2-Clause
/* Classes of flows: who belongs to which, what each is chosen by, and what is counted of it at the choice and at the reply. */
#include <stdlib.h>

#include "pintle/class.h"
#include "tests/bpf/check_bpf.h"
#include "tests/bpf/kit.h"

#define SLOT 1u /* of class_stats */
#define PA (WIRE_PSH | WIRE_ACK)
#define SA (WIRE_SYN | WIRE_ACK)

/* Pod 0 is best by gain for production, pod 1 for the canary, pod 2 by load. */
static struct rig *three_pods(uint8_t holdout, uint8_t canary, uint8_t flags)
{
	struct rig *r = rig__shared();

	kit__service(r, PINTLE_POLICY_SCORE, 0, 3);
	for (uint32_t quarter = 0; quarter < 4; quarter++) {
		struct pintle_member_line *line = &r->members[quarter * r->meta.member_lines];

		for (uint32_t i = 0; i < 3; i++) {
			line->member[i] = r->members[0].member[i];
			line->member[i].gain_q8 = line->member[i].gain_sat_q8 = i == quarter / 2 ? -2560 : 2560;
		}
	}
	rig__pool(r, 0)->holdout = holdout;
	rig__pool(r, 0)->canary = canary;
	rig__pool(r, 0)->class_flags = flags;
	rig__pool(r, 0)->class_slot = SLOT + 1;
	return r;
}

static uint32_t class_of(struct rig *r, uint32_t n)
{
	struct wire_addr client = kit__client(n);

	return pintle_class_of(rig__key(r, &client, kit__client_port(n), 0), rig__pool(r, 0)->holdout, rig__pool(r, 0)->canary);
}

static void set_loads(struct rig *r)
{
	for (uint32_t i = 0; i < 3; i++)
		r->loads[i].awaiting = i == 2 ? 0 : 5;
}

/* Expected shares 5/32, 3/16 and the rest, of 20000: sigma 51 and 55. */
START_TEST(classes_choose_by_their_own)
	{
		struct rig *r = three_pods(40, 48, _i ? PINTLE_CLASS_PLAIN : 0);
		uint32_t counts[PINTLE_NR_CLASSES] = { 0 }, n;

		for (n = 0; n < 20000; n++) {
			uint32_t flow_class = class_of(r, n);
			static const int best[2][PINTLE_NR_CLASSES] = { { 0, 2, 1 }, { 2, 2, 1 } };

			if (n % 500 == 0)
				kit__forget_flows(r);
			if (n % 1000 == 0)
				r->ctl->gains_half ^= 1;
			set_loads(r);
			counts[flow_class]++;
			ck_assert_int_eq(kit__new_flow(r, n), best[_i][flow_class]);
		}
		ck_assert_int_lt(abs((int)counts[PINTLE_CLASS_HOLDOUT] - 3125), 260);
		ck_assert_int_lt(abs((int)counts[PINTLE_CLASS_CANARY] - 3750), 280);
		for (uint32_t c = 0; c < PINTLE_NR_CLASSES; c++)
			ck_assert_uint_eq(rig__class_stats(r, SLOT, c).flows, counts[c]);
	}
END_TEST

/* Nothing of one class in another's bits: each class meets every first bucket, every start of ties and the sampling alike. 15 degrees,
 * 99.99 %: 44.3. */
START_TEST(classes_are_fair_samples)
	{
		struct rig *r = three_pods(51, 51, 0);
		uint32_t buckets[PINTLE_NR_CLASSES][16] = { 0 }, ties[PINTLE_NR_CLASSES][16] = { 0 },
			 low[PINTLE_NR_CLASSES][16] = { 0 }, total[PINTLE_NR_CLASSES] = { 0 };
		double expected[16];

		for (uint32_t n = 0; n < 100000; n++) {
			struct wire_addr client = kit__client(n);
			uint64_t key = rig__key(r, &client, kit__client_port(n), 0), mixed = key * 0x9e3779b97f4a7c15ull;
			uint32_t c = pintle_class_of(key, 51, 51);

			mixed ^= mixed >> 32;
			total[c]++;
			buckets[c][pintle_bucket_first(key, r->mask) % 16]++;
			ties[c][(uint32_t)mixed >> 28]++;
			low[c][key % 16]++;
		}
		for (uint32_t c = 0; c < PINTLE_NR_CLASSES; c++) {
			for (uint32_t i = 0; i < 16; i++)
				expected[i] = total[c] / 16.0;
			ck_assert_double_lt(kit__chi_square(buckets[c], expected, 16), 44.3);
			ck_assert_double_lt(kit__chi_square(ties[c], expected, 16), 44.3);
			ck_assert_double_lt(kit__chi_square(low[c], expected, 16), 44.3);
		}
	}
END_TEST

static uint32_t client_of(struct rig *r, uint32_t flow_class)
{
	uint32_t n = 0;

	while (class_of(r, n) != flow_class)
		n++;
	return n;
}

/* Answered, refused, reset, left by the client: each in the flow's own class, and the pod is marked. */
START_TEST(replies_are_counted_by_class)
	{
		struct rig *r = three_pods(64, 64, 0);
		uint32_t n = client_of(r, (uint32_t)_i), timed = 0;
		struct pintle_class_stats s;
		uint16_t pod = (uint16_t)kit__new_flow(r, n);

		ck_assert_uint_eq(r->activity->pod[pod], 0);
		kit__from_pod(r, n, pod, SA, 0);
		ck_assert_uint_eq(r->activity->pod[pod], 0);
		kit__to_vip(r, n, PA, 100);
		kit__from_pod(r, n, pod, PA, 50);
		ck_assert_uint_eq(r->activity->pod[pod], 1);
		s = rig__class_stats(r, SLOT, (uint32_t)_i);
		ck_assert_uint_eq(s.flows, 1);
		ck_assert_uint_eq(s.count, 1);
		ck_assert_uint_eq(s.failed, 0);
		ck_assert_uint_eq(s.latency_ns, rig__stats(r, pod).latency_ns);
		ck_assert_uint_eq(s.log2_q8, (uint32_t)pintle_log2_q8(s.latency_ns));
		ck_assert_uint_eq(s.hist[pintle_fine_bucket(s.latency_ns)], 1);
		for (uint32_t i = 0; i < PINTLE_FINE_BUCKETS; i++)
			timed += s.hist[i];
		ck_assert_uint_eq(timed, 1);
		kit__to_vip(r, n, PA, 100); /* the pod resets it with the request unanswered */
		kit__from_pod(r, n, pod, WIRE_RST, 0);
		ck_assert_uint_eq(rig__class_stats(r, SLOT, (uint32_t)_i).failed, 1);
		kit__forget_flows(r);
		pod = (uint16_t)kit__new_flow(r, n); /* refused */
		kit__from_pod(r, n, pod, WIRE_RST | WIRE_ACK, 0);
		ck_assert_uint_eq(rig__class_stats(r, SLOT, (uint32_t)_i).failed, 2);
		kit__forget_flows(r);
		pod = (uint16_t)kit__new_flow(r, n); /* the client gives up */
		kit__from_pod(r, n, pod, SA, 0);
		kit__to_vip(r, n, PA, 100);
		kit__to_vip(r, n, WIRE_RST, 0);
		ck_assert_uint_eq(rig__class_stats(r, SLOT, (uint32_t)_i).failed, 3);
		for (uint32_t c = 0; c < PINTLE_NR_CLASSES; c++)
			ck_assert_uint_eq(rig__class_stats(r, SLOT, c).flows, c == (uint32_t)_i ? 3 : 0);
	}
END_TEST

/* A service without a slot is not counted; a slot that is not there is nobody's. */
START_TEST(no_slot)
	{
		struct rig *r = three_pods(64, 64, 0);
		static const uint16_t slots[] = { 0, 65535 };

		rig__pool(r, 0)->class_slot = slots[_i];
		for (uint32_t n = 0; n < 200; n++) {
			int pod = kit__new_flow(r, n);

			kit__from_pod(r, n, (uint16_t)pod, SA, 0);
			kit__from_pod(r, n, (uint16_t)pod, PA, 10);
		}
		for (uint32_t i = 0; i < 2; i++)
			for (uint32_t c = 0; c < PINTLE_NR_CLASSES; c++)
				ck_assert_uint_eq(rig__class_stats(r, i, c).flows + rig__class_stats(r, i, c).count, 0);
	}
END_TEST

/* Every bucket begins where the one before ends, is an eighth of its octave wide, and holds what lies in it. */
START_TEST(fine_buckets)
	{
		for (uint32_t i = 0; i < PINTLE_FINE_BUCKETS; i++) {
			uint64_t begin = pintle_fine_begin_ns(i), end = pintle_fine_begin_ns(i + 1);

			ck_assert_uint_eq(end - begin, 128ull << i / 8);
			ck_assert_uint_eq(pintle_fine_bucket(begin), i);
			ck_assert_uint_eq(pintle_fine_bucket(end - 1), i);
		}
		ck_assert_uint_eq(pintle_fine_begin_ns(0), 1024);
		ck_assert_uint_eq(pintle_fine_bucket(0), 0);
		ck_assert_uint_eq(pintle_fine_bucket(1023), 0);
		ck_assert_uint_eq(pintle_fine_bucket(UINT64_MAX), PINTLE_FINE_BUCKETS - 1);
	}
END_TEST

Suite *class_suite(void)
{
	Suite *s = suite_create("class");
	TCase *tc = tcase_create("class");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, classes_choose_by_their_own, 0, 2);
	tcase_add_test(tc, classes_are_fair_samples);
	tcase_add_loop_test(tc, replies_are_counted_by_class, 0, PINTLE_NR_CLASSES);
	tcase_add_loop_test(tc, no_slot, 0, 2);
	tcase_add_test(tc, fine_buckets);
	suite_add_tcase(s, tc);
	return s;
}
