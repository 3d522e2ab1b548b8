// SPDX-License-Identifier: BSD-2-Clause
/* The life of flows by literal states, loads and statistics: nothing here asks the model. */
#include <time.h>

#include "pintle/score.h"
#include "tests/bpf/check_bpf.h"
#include "tests/bpf/kit.h"

#define SA (WIRE_SYN | WIRE_ACK)
#define PA (WIRE_PSH | WIRE_ACK)
#define NEW_TCP (PINTLE_FS_VALID | PINTLE_FS_SYN | PINTLE_FS_AWAITING)
#define EST_TCP (PINTLE_FS_VALID | PINTLE_FS_SYN | PINTLE_FS_EST)

#define expect_load(r_, pod_, awaiting_, open_)                          \
	do {                                                             \
		ck_assert_int_eq((r_)->loads[pod_].awaiting, awaiting_); \
		ck_assert_int_eq((r_)->loads[pod_].open, open_);         \
	} while (0)
#define expect_flow(r_, flags_, awaiting_, open_)                           \
	do {                                                                \
		ck_assert_ptr_nonnull(kit__slot(r_, 7, 0));                 \
		ck_assert_uint_eq(kit__flags(kit__slot(r_, 7, 0)), flags_); \
		expect_load(r_, 0, awaiting_, open_);                       \
	} while (0)

static struct rig *one_pod(void)
{
	struct rig *r = rig__shared();

	kit__service(r, PINTLE_POLICY_SCORE, 0, 1);
	return r;
}

static void handshake(struct rig *r)
{
	ck_assert_int_eq(kit__to_vip(r, 7, WIRE_SYN, 0), PINTLE_V_STEER_PASS);
	ck_assert_int_eq(kit__from_pod(r, 7, 0, SA, 0), PINTLE_V_REV_STEER);
	ck_assert_int_eq(kit__to_vip(r, 7, WIRE_ACK, 0), PINTLE_V_STEER_PASS);
}

START_TEST(tcp_life)
	{
		struct rig *r = one_pod();

		ck_assert_int_eq(kit__to_vip(r, 7, WIRE_SYN, 0), PINTLE_V_STEER_PASS);
		expect_flow(r, NEW_TCP, 1, 1);
		ck_assert_int_eq(kit__to_vip(r, 7, WIRE_SYN, 0), PINTLE_V_STEER_PASS); /* retransmitted */
		expect_flow(r, NEW_TCP, 1, 1);
		ck_assert_uint_eq(rig__traffic(r, 0).flows, 1);
		ck_assert_int_eq(kit__from_pod(r, 7, 0, SA, 0), PINTLE_V_REV_STEER);
		expect_flow(r, NEW_TCP, 1, 1);
		kit__to_vip(r, 7, WIRE_ACK, 0);
		expect_flow(r, EST_TCP | PINTLE_FS_AWAITING, 1, 1);
		kit__to_vip(r, 7, PA, 100);
		expect_flow(r, EST_TCP | PINTLE_FS_AWAITING, 1, 1);
		kit__from_pod(r, 7, 0, WIRE_ACK, 0); /* no payload, no answer */
		expect_flow(r, EST_TCP | PINTLE_FS_AWAITING, 1, 1);
		kit__from_pod(r, 7, 0, PA, 50);
		expect_flow(r, EST_TCP, 0, 1);
		ck_assert_uint_eq(rig__stats(r, 0).first_bytes, 1);
		kit__from_pod(r, 7, 0, PA, 50);
		ck_assert_uint_eq(rig__stats(r, 0).first_bytes, 1);
		kit__to_vip(r, 7, PA, 100); /* the next request */
		expect_flow(r, EST_TCP | PINTLE_FS_AWAITING, 1, 1);
		kit__from_pod(r, 7, 0, PA, 50);
		expect_flow(r, EST_TCP, 0, 1);
		ck_assert_uint_eq(rig__stats(r, 0).first_bytes, 2);
		kit__to_vip(r, 7, WIRE_FIN | WIRE_ACK, 0);
		expect_flow(r, EST_TCP | PINTLE_FS_FIN_CLIENT, 0, 1);
		kit__from_pod(r, 7, 0, WIRE_FIN | WIRE_ACK, 0);
		expect_flow(r, EST_TCP | PINTLE_FS_FINS, 0, 0);
		ck_assert_int_eq(kit__to_vip(r, 7, WIRE_ACK, 0), PINTLE_V_STEER_PASS); /* the last ACK */
		expect_flow(r, EST_TCP | PINTLE_FS_FINS, 0, 0);
		ck_assert_uint_eq(rig__stats(r, 0).aborted, 0);
		ck_assert_uint_eq(rig__stats(r, 0).resets, 0);
		ck_assert_uint_eq(rig__stats(r, 0).rev_packets, 6);
		ck_assert_uint_eq(rig__traffic(r, 0).packets, 7);
		ck_assert_uint_eq(rig__traffic(r, 0).bytes, 7 * 54 + 200);
	}
END_TEST

START_TEST(tcp_measures)
	{
		struct rig *r = one_pod();
		struct pintle_pod_stats s;
		uint64_t latency = 0, handshakes = 0;
		int i;

		handshake(r); /* sample_shift 0: every flow is timed */
		ck_assert(kit__slot(r, 7, 0)->state & PINTLE_FS_STAMPED);
		kit__to_vip(r, 7, PA, 100);
		kit__from_pod(r, 7, 0, PA, 50);
		s = rig__stats(r, 0);
		ck_assert_uint_eq(s.handshake_count, 1);
		ck_assert_uint_eq(s.latency_count, 1);
		ck_assert_uint_gt(s.latency_ns, 1000);
		ck_assert_uint_lt(s.latency_ns, 5000000000ull);
		ck_assert_uint_gt(s.handshake_ns, 0);
		ck_assert_uint_le(s.handshake_ns, s.latency_ns);
		for (i = 0; i < (int)PINTLE_HIST_BUCKETS; i++) {
			latency += s.latency_hist[i];
			handshakes += s.handshake_hist[i];
			if (s.latency_hist[i]) /* the bucket that the sum belongs to */
				ck_assert(s.latency_ns / 1000 >= (i ? 1ull << i : 0) && s.latency_ns / 1000 < 2ull << i);
		}
		ck_assert_uint_eq(latency, 1);
		ck_assert_uint_eq(handshakes, 1);
		/* load at choice was 0: the gain is the plain log2 of the latency */
		ck_assert_int_eq(s.gain_q8, pintle_log2_q8(s.latency_ns / 1000));
	}
END_TEST

/* A request that found r others at a pod that serves C at once takes (r + 1) / C as long, or no longer while r + 1 <= C. */
/* The second request of a connection is timed from itself, not from the first. */
START_TEST(next_request_is_timed_anew)
	{
		const struct timespec pause = { .tv_nsec = 300000000 };
		struct rig *r = one_pod();
		uint64_t first_ns;

		kit__to_vip(r, 7, WIRE_SYN, 0);
		kit__from_pod(r, 7, 0, SA, 0);
		kit__to_vip(r, 7, PA, 100);
		kit__from_pod(r, 7, 0, PA, 50);
		ck_assert_uint_eq(rig__stats(r, 0).latency_count, 1);
		first_ns = rig__stats(r, 0).latency_ns;
		nanosleep(&pause, NULL);
		kit__to_vip(r, 7, PA, 100);
		kit__from_pod(r, 7, 0, PA, 50);
		ck_assert_uint_eq(rig__stats(r, 0).latency_count, 2);
		ck_assert_uint_lt(rig__stats(r, 0).latency_ns - first_ns, 250000000);
	}
END_TEST

START_TEST(gain_is_normalised_by_load)
	{
		static const struct {
			int32_t load;
			uint16_t concurrency;
			int32_t octaves;
		} cases[] = { { 0, 1, 0 }, { 7, 1, 3 }, { 7, 4, 1 }, { 3, 4, 0 }, { 63, 2, 5 }, { 127, 1, 7 }, { 1, 0, 1 } };
		struct rig *r = one_pod();
		struct pintle_pod_stats s;

		r->pods[0].concurrency = cases[_i].concurrency;
		r->loads[0].awaiting = cases[_i].load; /* they wait there already */
		handshake(r);
		kit__from_pod(r, 7, 0, PA, 50);
		s = rig__stats(r, 0);
		ck_assert_uint_eq(s.latency_count, 1);
		ck_assert_int_eq(s.gain_q8, pintle_log2_q8(s.latency_ns / 1000) - cases[_i].octaves * 256);
	}
END_TEST

START_TEST(unsampled_is_not_timed)
	{
		struct rig *r = one_pod();
		uint32_t n, stamped = 0;

		rig__pool(r, 0)->sample_shift = 3;
		for (n = 0; n < 2000; n++) {
			kit__new_flow(r, n);
			stamped += (kit__slot(r, n, 0)->state & PINTLE_FS_STAMPED) != 0;
		}
		/* 250 expected, sigma 14.8 */
		ck_assert_uint_gt(stamped, 175);
		ck_assert_uint_lt(stamped, 325);
		for (n = 0; kit__slot(r, n, 0)->state & PINTLE_FS_STAMPED; n++)
			;
		kit__from_pod(r, n, 0, SA, 0);
		kit__from_pod(r, n, 0, PA, 5);
		ck_assert_uint_eq(rig__stats(r, 0).first_bytes, 1);
		ck_assert_uint_eq(rig__stats(r, 0).latency_count, 0);
		ck_assert_uint_eq(rig__stats(r, 0).handshake_count, 0);
	}
END_TEST

START_TEST(reset_by_client)
	{
		struct rig *r = one_pod();

		handshake(r);
		kit__to_vip(r, 7, WIRE_RST, 0);
		expect_flow(r, EST_TCP | PINTLE_FS_RST_CLIENT, 0, 0);
		ck_assert_uint_eq(rig__stats(r, 0).aborted, 1);
		ck_assert_uint_eq(rig__stats(r, 0).resets, 0);
		kit__to_vip(r, 7, WIRE_RST, 0); /* once is enough */
		expect_load(r, 0, 0, 0);
		ck_assert_uint_eq(rig__stats(r, 0).aborted, 1);
	}
END_TEST

START_TEST(reset_by_pod)
	{
		struct rig *r = one_pod();

		handshake(r);
		kit__from_pod(r, 7, 0, WIRE_RST | WIRE_ACK, 0);
		expect_flow(r, EST_TCP | PINTLE_FS_RST, 0, 0);
		ck_assert_uint_eq(rig__stats(r, 0).resets, 1);
		ck_assert_uint_eq(rig__stats(r, 0).refused, 0);
		ck_assert_uint_eq(rig__stats(r, 0).aborted, 1);
	}
END_TEST

START_TEST(refused_by_pod)
	{
		struct rig *r = one_pod();

		kit__to_vip(r, 7, WIRE_SYN, 0);
		kit__from_pod(r, 7, 0, WIRE_RST | WIRE_ACK, 0);
		expect_flow(r, PINTLE_FS_VALID | PINTLE_FS_SYN | PINTLE_FS_RST, 0, 0);
		ck_assert_uint_eq(rig__stats(r, 0).refused, 1);
		ck_assert_uint_eq(rig__stats(r, 0).resets, 0);
	}
END_TEST

START_TEST(new_syn_on_closed_entry)
	{
		struct rig *r = rig__shared();
		struct pintle_slot *slot;
		uint64_t generation;

		kit__service(r, PINTLE_POLICY_RR, 0, 2);
		ck_assert_int_eq(kit__new_flow(r, 7), 0);
		slot = kit__slot(r, 7, 0);
		generation = slot->state & PINTLE_FS_GEN_MASK;
		kit__to_vip(r, 7, WIRE_RST, 0);
		expect_load(r, 0, 0, 0);
		ck_assert_int_eq(kit__new_flow(r, 7), 1); /* a new choice, in the same slot */
		ck_assert_ptr_eq(kit__slot(r, 7, 0), slot);
		ck_assert_uint_eq(kit__flags(slot), NEW_TCP);
		ck_assert_uint_eq(slot->state & PINTLE_FS_GEN_MASK,
				  (generation + (1ull << PINTLE_FS_GEN_SHIFT)) & PINTLE_FS_GEN_MASK);
		expect_load(r, 0, 0, 0);
		expect_load(r, 1, 1, 1);
		/* the old pod's late packets are nobody's now */
		ck_assert_int_eq(kit__from_pod(r, 7, 0, WIRE_ACK, 0), PINTLE_V_REV_NO_FLOW);
	}
END_TEST

START_TEST(closed_entry_never_translates_a_direct_connection)
	{
		struct rig *r = one_pod();

		handshake(r);
		kit__to_vip(r, 7, WIRE_FIN | WIRE_ACK, 0);
		kit__from_pod(r, 7, 0, WIRE_FIN | WIRE_ACK, 0);
		/* the client connects to the pod itself from the same port: we see only the pod's side */
		ck_assert_int_eq(kit__from_pod(r, 7, 0, SA, 0), PINTLE_V_REV_NEW_CONN);
		ck_assert_ptr_null(kit__slot(r, 7, 0));
		ck_assert_int_eq(kit__from_pod(r, 7, 0, PA, 10), PINTLE_V_REV_NO_FLOW);
		expect_load(r, 0, 0, 0);
	}
END_TEST

START_TEST(udp_life)
	{
		const struct wire_addr client = addr4(203, 0, 113, 7);
		struct pkt_spec to = { .src = client,
				       .sport = 5000,
				       .dst = addr4(198, 51, 100, 9),
				       .dport = 53,
				       .proto = WIRE_UDP,
				       .payload_bytes = 20 };
		struct pkt_spec from = { .src = addr4(10, 2, 0, 9),
					 .sport = 5353,
					 .dst = client,
					 .dport = 5000,
					 .proto = WIRE_UDP,
					 .payload_bytes = 90 };
		const uint64_t base = PINTLE_FS_VALID | PINTLE_FS_UDP;
		struct rig *r = rig__shared();
		uint16_t service = rig__add_service(r, PINTLE_POLICY_LEASTCONN, 0), fe, pod;

		fe = rig__add_frontend(r, service, to.dst, WIRE_UDP, 53);
		pod = rig__add_pod(r, from.src, 5353);
		rig__add_member(r, service, pod, 0, 1);
		rig__link(r);
		ck_assert_int_eq(kit__run(r, MODEL_TC, &to), PINTLE_V_STEER_PASS);
		ck_assert_uint_eq(kit__flags(rig__slot(r, &client, 5000, fe)), base | PINTLE_FS_AWAITING);
		expect_load(r, pod, 1, 1);
		kit__run(r, MODEL_TC, &to);
		expect_load(r, pod, 1, 1);
		ck_assert_int_eq(kit__run(r, MODEL_REV_UP, &from), PINTLE_V_REV_STEER);
		ck_assert_uint_eq(kit__flags(rig__slot(r, &client, 5000, fe)), base | PINTLE_FS_EST);
		expect_load(r, pod, 0, 1);
		kit__run(r, MODEL_REV_UP, &from);
		kit__run(r, MODEL_XDP, &to);
		ck_assert_uint_eq(kit__flags(rig__slot(r, &client, 5000, fe)), base | PINTLE_FS_EST | PINTLE_FS_AWAITING);
		expect_load(r, pod, 1, 1);
		ck_assert_uint_eq(rig__stats(r, pod).first_bytes, 1);
		ck_assert_uint_eq(rig__traffic(r, pod).flows, 1);
	}
END_TEST

/* _i: the clock has moved since the last datagram; the stamp is old. Only both together show that the first request was lost. */
START_TEST(lost_request_is_timed_anew)
	{
		const struct wire_addr client = addr4(203, 0, 113, 7);
		struct pkt_spec to = { .src = client,
				       .sport = 5000,
				       .dst = addr4(198, 51, 100, 9),
				       .dport = 53,
				       .proto = WIRE_UDP,
				       .payload_bytes = 20 };
		struct pkt_spec from = { .src = addr4(10, 2, 0, 9),
					 .sport = 5353,
					 .dst = client,
					 .dport = 5000,
					 .proto = WIRE_UDP,
					 .payload_bytes = 90 };
		const uint64_t back_ns = _i & 2 ? 20000000000ull : 400000000;
		struct rig *r = rig__shared();
		uint16_t service = rig__add_service(r, PINTLE_POLICY_LEASTCONN, 0), pod;
		struct pintle_slot *slot;
		uint64_t *stamp, ns;

		rig__add_frontend(r, service, to.dst, WIRE_UDP, 53);
		pod = rig__add_pod(r, from.src, 5353);
		rig__add_member(r, service, pod, 0, 1);
		rig__link(r);
		kit__run(r, MODEL_TC, &to);
		slot = rig__slot(r, &client, 5000, 0);
		stamp = &r->stamps[slot - &r->flows->slot[0]];
		*stamp -= back_ns;
		if (_i & 1)
			slot->state -= 1ull << PINTLE_FS_AGE_SHIFT;
		kit__run(r, MODEL_TC, &to);
		kit__run(r, MODEL_REV_UP, &from);
		expect_load(r, pod, 0, 1);
		ns = rig__stats(r, pod).latency_ns;
		ck_assert_uint_eq(rig__stats(r, pod).latency_count, 1);
		if (_i == 3)
			ck_assert_uint_lt(ns, 200000000);
		else
			ck_assert_uint_ge(ns, back_ns);
	}
END_TEST

START_TEST(draining_spares_established)
	{
		struct rig *r = one_pod();

		handshake(r);
		r->ctl->flags = PINTLE_CTL_DRAINING;
		ck_assert_int_eq(kit__to_vip(r, 7, PA, 9), PINTLE_V_STEER_PASS);
		ck_assert_int_eq(kit__from_pod(r, 7, 0, PA, 9), PINTLE_V_REV_STEER);
		ck_assert_int_eq(kit__to_vip(r, 8, WIRE_SYN, 0), PINTLE_V_PASS_DRAINING);
		ck_assert_ptr_null(kit__slot(r, 8, 0));
		kit__to_vip(r, 7, WIRE_RST, 0);
		ck_assert_int_eq(kit__to_vip(r, 7, WIRE_SYN, 0),
				 PINTLE_V_PASS_DRAINING); /* the closed entry starts nothing new */
	}
END_TEST

#define UNIT (1u << 9) /* of the fine clock, in jiffies */

/* Late by a unit and a bit, gone for long, and back. What is known goes on all the while. */
START_TEST(absent_agent)
	{
		struct rig *r = one_pod();
		struct pintle_sweep sweep = { .nr_buckets = 1 };

		handshake(r);
		r->ctl->absence = 5;
		ck_assert_int_eq(kit__to_vip(r, 8, WIRE_SYN, 0),
				 PINTLE_V_STEER_PASS); /* none was ever there: none is waited for */
		rig__set_silence(r, 5 * UNIT - UNIT / 2);
		ck_assert_int_eq(kit__to_vip(r, 9, WIRE_SYN, 0), PINTLE_V_STEER_PASS);
		rig__set_silence(r, 5 * UNIT);
		ck_assert_int_eq(kit__to_vip(r, 10, WIRE_SYN, 0), PINTLE_V_PASS_NO_AGENT);
		ck_assert_ptr_null(kit__slot(r, 10, 0));
		ck_assert_int_eq(kit__to_vip(r, 7, PA, 9), PINTLE_V_STEER_PASS);
		ck_assert_int_eq(kit__from_pod(r, 7, 0, PA, 9), PINTLE_V_REV_STEER);
		kit__to_vip(r, 7, WIRE_RST, 0);
		ck_assert_int_eq(kit__to_vip(r, 7, WIRE_SYN, 0), PINTLE_V_PASS_NO_AGENT);
		r->ctl->absence = 0; /* never */
		ck_assert_int_eq(kit__to_vip(r, 10, WIRE_SYN, 0), PINTLE_V_STEER_PASS);
		r->ctl->absence = 5;
		ck_assert_int_eq(rig__sweep(r, &sweep), 0); /* one beat */
		ck_assert_int_eq(kit__to_vip(r, 11, WIRE_SYN, 0), PINTLE_V_STEER_PASS);
		rig__set_silence(r, (uint32_t)-100); /* another CPU's clock is ahead */
		ck_assert_int_eq(kit__to_vip(r, 12, WIRE_SYN, 0), PINTLE_V_STEER_PASS);
	}
END_TEST

/* Who is chosen of three pods with much, some and no load, of which the first has by far the best gain. */
static void choose_many(struct rig *r, uint32_t first, uint32_t counts[3])
{
	uint32_t n;

	memset(counts, 0, 3 * sizeof(*counts));
	kit__forget_flows(r);
	r->loads[0].open = 10000;
	r->loads[1].open = 5000;
	for (n = first; n < first + 300; n++)
		counts[kit__new_flow(r, n)]++;
}

/* Policies that look at all pods, or at what the agent learns, choose the less loaded of two when it is late; others go on as they are. */
START_TEST(late_agent)
	{
		static const uint8_t policies[] = { PINTLE_POLICY_SCORE, PINTLE_POLICY_LEASTCONN, PINTLE_POLICY_RR };
		static const uint32_t timely[][3] = { { 300, 0, 0 }, { 0, 0, 300 }, { 100, 100, 100 } };
		struct rig *r = rig__shared();
		uint32_t counts[3], half;

		kit__service(r, policies[_i], PINTLE_SVC_LOAD_OPEN, 3);
		for (half = 0; half < 2; half++)
			r->members[half * r->meta.member_lines].member[0].gain_q8 =
				r->members[half * r->meta.member_lines].member[0].gain_sat_q8 = -30 * 256;
		rig__set_silence(r, UNIT / 2);
		choose_many(r, 0, counts);
		ck_assert_mem_eq(counts, timely[_i], sizeof(counts));
		rig__set_silence(r, UNIT + UNIT / 2);
		choose_many(r, 1000, counts);
		if (policies[_i] == PINTLE_POLICY_RR) {
			ck_assert_mem_eq(counts, timely[_i], sizeof(counts));
			return;
		}
		/* the first loses every pair, the second one of its two: 100 expected, sigma 8 */
		ck_assert_uint_eq(counts[0], 0);
		ck_assert_uint_gt(counts[1], 60);
		ck_assert_uint_lt(counts[1], 140);
	}
END_TEST

START_TEST(reject_event)
	{
		struct rig *r = one_pod();
		struct pkt_spec spec = { .src = addr4(203, 0, 113, 7),
					 .sport = 5000,
					 .dst = addr4(198, 51, 100, 1),
					 .dport = 81,
					 .proto = WIRE_TCP,
					 .tcp_flags = WIRE_SYN,
					 .nr_vlans = 1,
					 .payload_bytes = 300 };
		struct pkt p;
		int i;

		pkt__build(&spec, &p);
		r->ctl->reject_budget = 2;
		for (i = 0; i < 4; i++) {
			spec.proto = WIRE_TCP;
			ck_assert_int_eq(kit__run(r, i % 2 ? MODEL_TC : MODEL_XDP, &spec),
					 i < 2 ? PINTLE_V_REJECT_PORT : PINTLE_V_DROP_REJECT_RATE);
			rig__drain_events(r);
			ck_assert_uint_eq(r->nr_events[PINTLE_EVENT_REJECT], i < 2 ? (unsigned int)i + 1 : 2);
			ck_assert_uint_eq(r->last_event.verdict, PINTLE_V_REJECT_PORT);
			ck_assert_uint_eq(r->last_event.packet_bytes, p.bytes);
			ck_assert_uint_eq(r->last_event.copied_bytes, PINTLE_EVENT_PACKET_BYTES);
			ck_assert_uint_eq(r->last_event.l3_offset, 18);
			ck_assert_mem_eq(r->last_event.packet, p.data, PINTLE_EVENT_PACKET_BYTES);
		}
		ck_assert_int_eq(r->ctl->reject_budget, 0);
	}
END_TEST

Suite *life_suite(void)
{
	Suite *s = suite_create("life");
	TCase *tc = tcase_create("life");

	tcase_set_timeout(tc, 30);
	tcase_add_test(tc, tcp_life);
	tcase_add_test(tc, tcp_measures);
	tcase_add_test(tc, next_request_is_timed_anew);
	tcase_add_loop_test(tc, gain_is_normalised_by_load, 0, 7);
	tcase_add_test(tc, unsampled_is_not_timed);
	tcase_add_test(tc, reset_by_client);
	tcase_add_test(tc, reset_by_pod);
	tcase_add_test(tc, refused_by_pod);
	tcase_add_test(tc, new_syn_on_closed_entry);
	tcase_add_test(tc, closed_entry_never_translates_a_direct_connection);
	tcase_add_test(tc, udp_life);
	tcase_add_loop_test(tc, lost_request_is_timed_anew, 0, 4);
	tcase_add_test(tc, draining_spares_established);
	tcase_add_test(tc, absent_agent);
	tcase_add_loop_test(tc, late_agent, 0, 3);
	tcase_add_test(tc, reject_event);
	suite_add_tcase(s, tc);
	return s;
}
