// SPDX-License-Identifier: BSD-2-Clause
/* The choice, policy by policy, against what a double-precision reader of the tables would choose. */
#include <math.h>

#include "tests/bpf/check_bpf.h"
#include "tests/bpf/kit.h"

#define MANY 20000

/* Counts the choices of `nr` new flows whose loads stay as they are set before each. */
static void sample(struct rig *r, const int32_t *loads, int nr_pods, int nr, uint32_t *counts)
{
	int i, k;

	for (i = 0; i < nr; i++) {
		if (i % 500 == 0)
			kit__forget_flows(r);
		for (k = 0; k < nr_pods; k++)
			r->loads[k].awaiting = loads ? loads[k] : 0;
		counts[kit__new_flow(r, (uint32_t)i * 7919u)]++;
	}
}

START_TEST(rr_rotates)
	{
		struct rig *r = rig__shared();
		int i;

		kit__service(r, PINTLE_POLICY_RR, 0, 5);
		for (i = 0; i < 1000; i++)
			ck_assert_int_eq(kit__new_flow(r, (uint32_t)i), i % 5);
		ck_assert_uint_eq(r->services[0].rr_next, 1000);
		r->services[0].rr_next = 0xffffffff; /* the counter wraps, choices stay in range */
		for (i = 0; i < 10; i++)
			ck_assert_int_lt(kit__new_flow(r, (uint32_t)(2000 + i)), 5);
	}
END_TEST

/* score.h in real numbers: gain + log2 psi(r), psi = 1 while r + 1 <= C, else (r + 1 + x r) / C. */
static double real_score(double gain, int concurrency, int load, double x)
{
	return load + 1 <= concurrency ? gain : gain + log2((load + 1 + x * load) / concurrency);
}

/* Some of the loads lie beyond the table of psi, where the curve is continued within 0.03; rounding adds 3/512. */
START_TEST(score_is_argmin)
	{
		enum { NR = 24 };
		double gains[NR], x = 0.25 * _i, best, got;
		struct rng rng = { 99u + (unsigned int)_i };
		struct rig *r = rig__shared();
		uint16_t pod, service = rig__add_service(r, PINTLE_POLICY_SCORE, 0);
		int concurrency[NR], loads[NR], i, k, exact = 0;
		const int rounds = 600;

		rig__set_psi(r, x);
		rig__add_frontend(r, service, addr4(198, 51, 100, 1), WIRE_TCP, 80);
		for (k = 0; k < NR; k++) {
			gains[k] = (double)rng__below(&rng, 6000) / 1000 - 3;
			concurrency[k] = 1 + (int)rng__below(&rng, 8);
			pod = rig__add_pod(r, addr4(10, 2, 0, (uint8_t)(1 + k)), 8080);
			rig__add_member(r, service, pod, gains[k], (uint16_t)concurrency[k]);
		}
		rig__link(r);
		for (i = 0; i < rounds; i++) {
			kit__forget_flows(r);
			best = 1e9;
			for (k = 0; k < NR; k++) {
				loads[k] = (int)rng__below(&rng, i % 3 ? 12 : 400);
				r->loads[k].awaiting = loads[k];
				best = fmin(best, real_score(gains[k], concurrency[k], loads[k], x));
			}
			k = kit__new_flow(r, (uint32_t)i);
			got = real_score(gains[k], concurrency[k], loads[k], x);
			ck_assert_msg(got <= best + (i % 3 ? 0.012 : 0.045), "round %d: chose %.4f, the best is %.4f", i, got,
				      best);
			exact += got == best;
		}
		ck_assert_int_gt(exact, rounds * 9 / 10);
	}
END_TEST

START_TEST(leastconn_is_argmin)
	{
		enum { NR = 30 };
		struct rng rng = { 7 };
		struct rig *r = rig__shared();
		int i, k, least, chosen;

		kit__service(r, PINTLE_POLICY_LEASTCONN, (uint8_t)(_i ? PINTLE_SVC_LOAD_OPEN : 0), NR);
		for (k = 0; k < NR; k++) /* gains mean nothing here */
			r->members[k / 8].member[k % 8].gain_q8 = r->members[k / 8].member[k % 8].gain_sat_q8 =
				(int16_t)(1000 - 100 * k);
		for (i = 0; i < 500; i++) {
			int32_t loads[NR];

			kit__forget_flows(r);
			least = 1000000;
			for (k = 0; k < NR; k++) {
				loads[k] = (int32_t)rng__below(&rng, 1000) -
					   (i % 10 == 0 ? 100 : 0); /* below zero counts as none */
				r->loads[k].awaiting = _i ? 1000 - k : loads[k];
				r->loads[k].open = _i ? loads[k] : k;
				least = loads[k] < least ? loads[k] : least;
			}
			chosen = kit__new_flow(r, (uint32_t)i);
			ck_assert_int_eq(loads[chosen] > 0 ? loads[chosen] : 0, least > 0 ? least : 0);
		}
	}
END_TEST

/* Equal scores: every pod gets its share, by the flow's own hash. 99.99 % quantile of chi-square with 9 degrees: 33.7. */
START_TEST(ties_spread)
	{
		uint32_t counts[10] = { 0 };
		double expected[10];
		struct rig *r = rig__shared();
		int k;

		kit__service(r, _i ? PINTLE_POLICY_SCORE : PINTLE_POLICY_LEASTCONN, 0, 10);
		sample(r, NULL, 10, MANY, counts);
		for (k = 0; k < 10; k++)
			expected[k] = MANY / 10.0;
		ck_assert_double_lt(kit__chi_square(counts, expected, 10), 33.7);
	}
END_TEST

START_TEST(burst_spreads_by_fresh_load)
	{
		struct rig *r = rig__shared();
		uint32_t i;

		kit__service(r, PINTLE_POLICY_SCORE, 0, 16);
		for (i = 0; i < 16 * 40; i++)
			kit__new_flow(r, i);
		for (i = 0; i < 16; i++)
			ck_assert_int_eq(r->loads[i].awaiting, 40);
	}
END_TEST

static void maglev_service(struct rig *r, uint16_t picks[1021])
{
	struct rng rng = { 31 };
	int i;

	kit__service(r, PINTLE_POLICY_MAGLEV, 0, 8);
	for (i = 0; i < 1021; i++)
		picks[i] = (uint16_t)rng__below(&rng, 8);
	rig__set_picks(r, 0, picks, 1021);
}

/* Every node, whatever its seeds, gives a client the same pod; shares are those of the table. 7 degrees, 99.99 %: 29.9. */
START_TEST(maglev_agrees_between_nodes)
	{
		static int chosen[MANY];
		struct rig *r = rig__shared();
		static struct rig other;
		uint32_t counts[8] = { 0 }, i;
		double expected[8] = { 0 };
		uint16_t picks[1021];

		ck_assert_int_eq(rig__open(&other, 1024, 555), 0);
		rig__reset(&other);
		maglev_service(r, picks);
		maglev_service(&other, picks);
		for (i = 0; i < 1021; i++)
			expected[picks[i]] += MANY / 1021.0;
		for (i = 0; i < MANY; i++) {
			if (i % 500 == 0) {
				kit__forget_flows(r);
				kit__forget_flows(&other);
			}
			chosen[i] = kit__new_flow(r, i * 31);
			counts[chosen[i]]++;
			if (i < 2000)
				ck_assert_int_eq(kit__new_flow(&other, i * 31), chosen[i]);
		}
		ck_assert_double_lt(kit__chi_square(counts, expected, 8), 29.9);
		for (i = 0; i < 8; i++)
			r->loads[i].awaiting = (int32_t)i * 100; /* load changes nothing */
		memset(r->flows, 0, r->meta.nr_buckets * sizeof(*r->flows));
		for (i = 0; i < 200; i++)
			ck_assert_int_eq(kit__new_flow(r, i * 31), chosen[i]);
		rig__close(&other);
	}
END_TEST

/* Shares 1:2:5:0. 2 degrees, 99.99 %: 18.4; a pod without share gets nothing. */
START_TEST(weighted_shares)
	{
		static const uint16_t picks[8] = { 0, 1, 1, 2, 2, 2, 2, 2 };
		const double expected[3] = { MANY / 8.0, MANY / 4.0, MANY * 5 / 8.0 };
		uint32_t counts[4] = { 0 };
		struct rig *r = rig__shared();

		kit__service(r, PINTLE_POLICY_WEIGHTED, 0, 4);
		rig__set_picks(r, 0, picks, 8);
		sample(r, NULL, 4, MANY, counts);
		ck_assert_uint_eq(counts[3], 0);
		ck_assert_double_lt(kit__chi_square(counts, expected, 3), 18.4);
	}
END_TEST

/* Of ten pods with different loads the k-th best wins when the other of the pair is one of the 9 - k worse: 2 (9 - k) / 90. */
START_TEST(p2c_takes_the_better)
	{
		int32_t loads[10];
		uint32_t counts[10] = { 0 }, by_rank[9];
		double expected[9];
		struct rig *r = rig__shared();
		int k;

		kit__service(r, PINTLE_POLICY_P2C, 0, 10);
		for (k = 0; k < 10; k++)
			loads[k] = (k * 7) % 10; /* a permutation */
		sample(r, loads, 10, MANY, counts);
		for (k = 0; k < 10; k++) {
			if (loads[k] == 9)
				ck_assert_uint_eq(counts[k], 0);
			else
				by_rank[loads[k]] = counts[k];
		}
		for (k = 0; k < 9; k++)
			expected[k] = MANY * 2.0 * (9 - k) / 90;
		ck_assert_double_lt(kit__chi_square(by_rank, expected, 9), 31.8); /* 8 degrees, 99.99 % */
	}
END_TEST

START_TEST(p2c_of_few)
	{
		const int32_t loads[2] = { 4, 3 };
		uint32_t counts[2] = { 0 };
		struct rig *r = rig__shared();

		kit__service(r, PINTLE_POLICY_P2C, 0, _i + 1);
		sample(r, loads, 2, 300, counts);
		ck_assert_uint_eq(counts[_i], 300);
	}
END_TEST

/* More members than are scanned: the best of two groups of neighbours, which may be one. The worst of all never win; without load all are
 * reached. */
START_TEST(many_members_sampled)
	{
		enum { NR = 96 };
		static uint32_t counts[NR], idle[NR];
		uint16_t picks[NR];
		int32_t loads[NR];
		struct rig *r = rig__shared();
		double rank = 0;
		int k;

		kit__service(r, PINTLE_POLICY_SCORE, 0, NR);
		for (k = 0; k < NR; k++) {
			loads[k] = (k * 23) % NR;
		}
		rig__set_picks(r, 0, picks, NR);
		sample(r, loads, NR, 5000, counts);
		for (k = 0; k < NR; k++) {
			rank += (double)loads[k] * counts[k] / 5000;
			ck_assert_msg(loads[k] <= NR - (int)PINTLE_SCAN_GROUP || !counts[k], "the pod of rank %d won",
				      loads[k]);
		}
		ck_assert_double_lt(rank, 14); /* (NR - 8) / 9 = 9.8 for eight independent samples */
		sample(r, NULL, NR, MANY, idle);
		for (k = 0; k < NR; k++)
			ck_assert_msg(idle[k] > 0, "pod %d is never reached", k);
	}
END_TEST

START_TEST(gains_half_flip)
	{
		struct rig *r = rig__shared();
		int i;

		kit__service(r, PINTLE_POLICY_SCORE, 0, 2);
		r->members[0].member[0].gain_q8 = r->members[0].member[0].gain_sat_q8 = 2560;
		r->members[r->meta.member_lines].member[1].gain_q8 = r->members[r->meta.member_lines].member[1].gain_sat_q8 =
			2560;
		for (i = 0; i < 100; i++) {
			ck_assert_int_eq(kit__new_flow(r, (uint32_t)i), i / 10 % 2 ? 0 : 1);
			if (i % 10 == 9)
				r->ctl->gains_half ^= 1;
		}
	}
END_TEST

START_TEST(active_pool_flip)
	{
		struct rig *r = rig__shared();
		struct pintle_service *svc;
		uint32_t i;

		kit__service(r, PINTLE_POLICY_RR, 0, 4); /* all four; the second generation has only pod 2 */
		svc = &r->services[0];
		svc->pool[1] = svc->pool[0];
		svc->pool[1].members_line += 1;
		svc->pool[1].nr_members = 1;
		svc->pool[1].generation++;
		r->members[svc->pool[1].members_line].member[0] = r->members[0].member[2];
		r->members[svc->pool[1].members_line + r->meta.member_lines].member[0] = r->members[0].member[2];
		for (i = 0; i < 8; i++)
			ck_assert_int_eq(kit__new_flow(r, i), (int)i % 4);
		svc->active = 1;
		for (i = 8; i < 20; i++)
			ck_assert_int_eq(kit__new_flow(r, i), 2);
		for (i = 0; i < 8; i++) { /* flows stay where they are */
			ck_assert_int_eq(kit__to_vip(r, i, WIRE_ACK, 0), PINTLE_V_STEER_PASS);
			ck_assert_uint_eq(kit__slot(r, i, 0)->state & PINTLE_FS_BACKEND_MASK, i % 4);
		}
	}
END_TEST

/* Tables that point nowhere: never a crash, never a pod out of thin air. */
START_TEST(missing_tables)
	{
		struct rig *r = rig__shared();
		const struct wire_addr vip = addr4(198, 51, 100, 1);
		struct pkt_spec syn = {
			.src = kit__client(1), .dst = vip, .sport = 5, .dport = 80, .proto = WIRE_TCP, .tcp_flags = WIRE_SYN
		};
		int i, v;

		kit__service(r, PINTLE_POLICY_SCORE, 0, 2);
		for (i = 0; i < 4 * (int)r->meta.nr_vip4_buckets; i++) /* a frontend of a service that is not there */
			if (r->vip4[i / 4].slot[i % 4].proto)
				r->vip4[i / 4].slot[i % 4].service = 9999;
		ck_assert_int_eq(kit__run(r, MODEL_XDP, &syn), PINTLE_V_PASS_INTERNAL);
		ck_assert_int_eq(kit__run(r, MODEL_TC, &syn), PINTLE_V_PASS_INTERNAL);
		r = rig__shared();
		kit__service(r, PINTLE_POLICY_SCORE, 0, 2);
		kit__new_flow(r, 7);
		kit__slot(r, 7, 0)->state |= 0xffff; /* a flow of a pod that is not there */
		ck_assert_int_eq(kit__to_vip(r, 7, WIRE_ACK, 0), PINTLE_V_PASS_INTERNAL);
		r = rig__shared();
		kit__service(r, PINTLE_POLICY_MAGLEV, 0, 2); /* maglev without picks */
		v = kit__to_vip(r, 8, WIRE_SYN, 0);
		ck_assert_msg(v == PINTLE_V_PASS_INTERNAL || v == PINTLE_V_STEER_PASS, "maglev without picks: %s",
			      verdict_name(v));
		kit__forget_flows(r);
		rig__pool(r, 0)->policy = PINTLE_POLICY_SCORE;
		rig__pool(r, 0)->members_line = 0xfffffff0;
		v = kit__to_vip(r, 9, WIRE_SYN, 0);
		ck_assert_msg(v == PINTLE_V_PASS_INTERNAL, "members beyond the map: %s", verdict_name(v));
		ck_assert_ptr_null(kit__slot(r, 9, 0));
		ck_assert_int_eq(r->loads[0].open + r->loads[1].open, 0);
	}
END_TEST

Suite *policy_suite(void)
{
	Suite *s = suite_create("policy");
	TCase *tc = tcase_create("policy");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, rr_rotates);
	tcase_add_loop_test(tc, score_is_argmin, 0, 5);
	tcase_add_loop_test(tc, leastconn_is_argmin, 0, 2);
	tcase_add_loop_test(tc, ties_spread, 0, 2);
	tcase_add_test(tc, burst_spreads_by_fresh_load);
	tcase_add_test(tc, maglev_agrees_between_nodes);
	tcase_add_test(tc, weighted_shares);
	tcase_add_test(tc, p2c_takes_the_better);
	tcase_add_loop_test(tc, p2c_of_few, 0, 2);
	tcase_add_test(tc, many_members_sampled);
	tcase_add_test(tc, gains_half_flip);
	tcase_add_test(tc, active_pool_flip);
	tcase_add_test(tc, missing_tables);
	suite_add_tcase(s, tc);
	return s;
}
