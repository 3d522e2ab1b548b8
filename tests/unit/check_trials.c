/* SPDX-License-Identifier: BSD-2-Clause */
/* Slow start and exploration, as members in force; requests are made by hand. */
#include <check.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "agent/trials.h"
#include "policy/pick.h"
#include "policy/psi.h"
#include "tests/unit/tables_rig.h"

#define MS 1000000ull
#define S 1000000000ull
#define NR 4u

static const char *const addrs[NR] = { "10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4" };
static struct trials trials;
static struct gain gains[PINTLE_MAX_DETAIL];
static struct pintle_config *config;
static uint64_t now_ns;
static uint16_t alpha;

static struct pintle_config *make(uint32_t nr, uint8_t policy, uint16_t last_concurrency)
{
	struct pintle_config *c = config_make__new();
	struct cfg_service *service = config_make__service(c, "alpha", policy);

	config_make__frontend(service, "10.96.0.1", IPPROTO_TCP, 80);
	for (uint32_t i = 0; i < nr; i++)
		config_make__pod(service, addrs[i], 8080)->concurrency = i == NR - 1 ? last_concurrency : 1;
	return c;
}

static uint32_t slot_of(const char *addr)
{
	return rig.arena.maps.pods[rig__pod_at(addr)].detail - 1u;
}

static void apply(struct pintle_config *next)
{
	rig__apply(next);
	config_make__free(config);
	config = next;
	for (size_t i = 0; i < next->services[0].nr_pods; i++) {
		uint16_t pod = rig__pod_at(addrs[i]);
		uint32_t slot = slot_of(addrs[i]);

		if (trials.slots[slot].gain)
			continue;
		gain__init(&gains[slot]);
		if (tables__knows_gain(rig.t, pod))
			gain__adopt(&gains[slot], tables__gain(rig.t, pod));
		trials__take(&trials, slot, pod, &gains[slot]);
	}
	trials__regroup(&trials, next);
}

static void begin(struct pintle_config *first)
{
	rig__begin(8, 16, 0);
	trials__init(&trials, rig.t, &rig.arena.maps);
	now_ns = 100 * S;
	config = NULL;
	apply(first);
	ck_assert_int_eq(tables__service_ids(rig.t, "alpha", 4, &alpha), 0);
}

static void end(void)
{
	rig__end();
	config_make__free(config);
}

static void look(void)
{
	static uint8_t wanted[PINTLE_MAX_DETAIL];

	memset(wanted, 1, sizeof(wanted));
	now_ns += 10 * MS;
	trials__look(&trials, wanted, now_ns);
	tables__gains_settled(rig.t);
	ck_assert_int_eq(tables__commit_gains(rig.t, &rig.err), 0);
}

static void begin_request(const char *addr)
{
	rig.arena.maps.loads[rig__pod_at(addr)].awaiting++;
}

static int16_t q8(uint64_t ms)
{
	return (int16_t)pintle_log2_q8(ms * 1000);
}

static void end_request(const char *addr, uint64_t ms)
{
	struct gain_input in = { .samples = 1, .sum_log2_q8 = q8(ms), .latency_ns = ms * MS, .answered = 1 };
	uint32_t slot = slot_of(addr);

	rig.arena.maps.loads[rig__pod_at(addr)].awaiting--;
	trials__count(&trials, slot, 1);
	gain__update(&gains[slot], &in, now_ns);
	tables__stage_gain(rig.t, rig__pod_at(addr), gain__cost_q8(&gains[slot]));
}

static void request(const char *addr, uint64_t ms)
{
	begin_request(addr);
	end_request(addr, ms);
}

static struct pintle_member member(const char *addr, uint32_t variant)
{
	const struct pintle_pool *pool = pool_in_force(rig.t, alpha);

	for (uint32_t i = 0; i < pool->nr_members; i++) {
		struct pintle_member m = *member_at(rig.t, variant, rig.arena.maps.ctl->gains_half, pool->members_line, i);

		if (m.pod == rig__pod_at(addr))
			return m;
	}
	ck_abort_msg("%s is no member", addr);
}

static bool is_ordinary(const char *addr, int16_t gain_q8, uint16_t concurrency)
{
	for (uint32_t v = 0; v < NR_VARIANTS; v++) {
		struct pintle_member m = member(addr, v);

		if (m.gain_q8 != gain_q8 || m.concurrency != concurrency ||
		    m.gain_sat_q8 != psi__gain_sat_q8(gain_q8, concurrency))
			return false;
	}
	return true;
}

/* Whom the programs would choose, for the canary too. */
static const char *choose(uint32_t variant, uint64_t hash)
{
	struct pintle_member members[NR];
	uint32_t own[NR];
	int16_t psi_q8[PINTLE_PSI_ENTRIES];

	psi__fill(1.0, psi_q8);
	for (uint32_t i = 0; i < NR; i++) {
		members[i] = member(addrs[i], variant);
		own[i] = (uint32_t)rig.arena.maps.loads[members[i].pod].awaiting;
	}
	return addrs[pick__member(&(struct pick_input){ .members = members, .own = own, .psi_q8 = psi_q8, .nr = NR }, hash,
				  NULL)];
}

static void measure(uint32_t nr)
{
	for (uint32_t i = 0; i < nr; i++)
		request(addrs[i], i == NR - 1 ? 250 : 20);
	look();
}

/* From the first answer of one of them on; pods that all are new do not begin slowly. */
START_TEST(unknown_pods_have_the_median)
	{
		begin(make(NR, PINTLE_POLICY_SCORE, 4));
		begin_request(addrs[0]);
		look();
		ck_assert(is_ordinary(addrs[3], 0, 4));
		end_request(addrs[0], 40);
		for (int i = 0; i < 20; i++) {
			begin_request(addrs[3]);
			look();
			ck_assert(is_ordinary(addrs[3], q8(40), 4));
		}
		for (uint32_t i = 0; i < NR; i++)
			ck_assert(is_ordinary(addrs[i], q8(40), i == 3 ? 4 : 1));
		ck_assert(!tables__knows_gain(rig.t, rig__pod_at(addrs[1])));
		request(addrs[1], 20);
		look();
		ck_assert(is_ordinary(addrs[2], q8(20), 1)); /* the lower one of two */
		request(addrs[2], 80);
		look();
		ck_assert(is_ordinary(addrs[2], q8(80), 1));
		ck_assert(is_ordinary(addrs[3], q8(40), 4));
		end();
	}
END_TEST

START_TEST(a_pod_that_comes_begins_slowly)
	{
		begin(make(3, PINTLE_POLICY_SCORE, 1));
		measure(3);
		apply(make(NR, PINTLE_POLICY_SCORE, 1));
		ck_assert(is_ordinary(addrs[3], q8(20), 1));
		begin_request(addrs[0]);
		look();
		ck_assert(is_ordinary(addrs[3], q8(20), 1));
		for (int i = 0; i < 6; i++)
			begin_request(addrs[3]);
		look(); /* 6 of 6, where 2 and a third may be */
		ck_assert(is_ordinary(addrs[3], (int16_t)(q8(20) + RAMP_PENALTY_Q8), 1));
		ck_assert(is_ordinary(addrs[0], q8(20), 1));
		for (int i = 0; i < 30; i++)
			request(addrs[i % 3], 20);
		look(); /* within it again */
		ck_assert(is_ordinary(addrs[3], q8(20), 1));
		now_ns += S; /* and for good */
		for (int i = 0; i < 100; i++)
			begin_request(addrs[3]);
		look();
		ck_assert(is_ordinary(addrs[3], q8(20), 1));
		end();
	}
END_TEST

/* Gains that were adopted have no latency: the median stands for it. */
START_TEST(a_pod_that_comes_after_a_restart_begins_slowly)
	{
		begin(make(3, PINTLE_POLICY_SCORE, 1));
		measure(3);
		rig__reopen();
		trials__init(&trials, rig.t, &rig.arena.maps);
		apply(make(NR, PINTLE_POLICY_SCORE, 1));
		begin_request(addrs[0]);
		look();
		for (int i = 0; i < 6; i++)
			begin_request(addrs[3]);
		look();
		ck_assert(is_ordinary(addrs[3], (int16_t)(q8(20) + RAMP_PENALTY_Q8), 1));
		end();
	}
END_TEST

/* Everything goes to the fast ones, but for one request in each 2 s, whichever class asks. */
START_TEST(an_idle_pod_is_asked_now_and_then)
	{
		uint64_t last_ns = 0;
		uint32_t nr = 0;

		begin(make(NR, PINTLE_POLICY_SCORE, 4));
		measure(NR);
		for (uint32_t i = 0; i < 1000; i++) {
			const char *addr = choose(i % 2, i * 0x9e3779b97f4a7c15ull);

			if (addr != addrs[3]) {
				ck_assert(is_ordinary(addrs[3], q8(250), 4));
				for (int k = 0; k < 16; k++) /* the others may be idle too, and take turns */
					request(addr, 20 + i % 2);
			} else {
				ck_assert_str_ne(choose((i + 1) % 2, i), addrs[0]); /* the other class would too */
				begin_request(addr);
				ck_assert_str_ne(choose(i % 2, i), addrs[3]); /* one and no more */
				ck_assert(!last_ns || now_ns - last_ns >= 2 * S);
				ck_assert(!last_ns || now_ns - last_ns < 2 * S + 300 * MS);
				last_ns = now_ns;
				nr++;
				look(); /* still under way, and put back */
				ck_assert(is_ordinary(addrs[3], q8(250), 4));
				end_request(addr, 250);
			}
			look();
		}
		ck_assert_uint_eq(nr, 4); /* in 10 s, of which the first 2 are over when they begin */
		end();
	}
END_TEST

START_TEST(without_traffic_nothing_is_staged)
	{
		begin(make(NR, PINTLE_POLICY_SCORE, 4));
		measure(NR);
		for (uint32_t i = 0; i < 10 * TRIALS_REQUESTS; i++)
			request(addrs[0], 20);
		look();
		rig.stores = 0;
		for (uint32_t i = 0; i < 1000; i++)
			look();
		ck_assert_uint_eq(rig.stores, 0);
		ck_assert(is_ordinary(addrs[3], q8(250), 4));
		end();
	}
END_TEST

static void explore_last(void)
{
	now_ns += 3 * S;
	for (uint32_t i = 0; i < TRIALS_REQUESTS; i++)
		for (uint32_t k = 0; k < 3; k++) {
			request(addrs[k], 20);
			look();
		}
}

static bool is_explored(const char *addr)
{
	struct pintle_member m = member(addr, 0), c = member(addr, 1);

	return member__is_explored(&m) && member__is_explored(&c) && m.concurrency == 1 && c.concurrency == 1;
}

/* A service with few requests does not spend them on it. */
START_TEST(few_requests_explore_little)
	{
		begin(make(NR, PINTLE_POLICY_SCORE, 4));
		measure(NR);
		for (uint32_t i = 0; i < TRIALS_REQUESTS - NR - 1; i++) {
			now_ns += S;
			request(addrs[0], 20);
			look();
			for (uint32_t k = 0; k < NR; k++)
				ck_assert(!is_explored(addrs[k]));
		}
		request(addrs[0], 20);
		look();
		ck_assert_int_eq(is_explored(addrs[1]) + is_explored(addrs[2]) + is_explored(addrs[3]), 1);
		end();
	}
END_TEST

/* What an agent left behind that died meanwhile: nothing begins anew. */
START_TEST(a_restart_puts_back)
	{
		begin(make(NR, PINTLE_POLICY_SCORE, 4));
		measure(NR);
		explore_last();
		ck_assert(is_explored(addrs[3]));
		tables__stage_trial(rig.t, rig__pod_at(addrs[0]), &(struct table_trial){ .penalty_q8 = RAMP_PENALTY_Q8 });
		ck_assert_int_eq(tables__commit_gains(rig.t, &rig.err), 0);
		ck_assert(is_ordinary(addrs[0], (int16_t)(q8(20) + RAMP_PENALTY_Q8), 1));
		rig__reopen();
		trials__init(&trials, rig.t, &rig.arena.maps);
		ck_assert(is_ordinary(addrs[3], q8(250), 4));
		ck_assert(is_ordinary(addrs[0], q8(20), 1));
		apply(make(NR, PINTLE_POLICY_SCORE, 4));
		ck_assert_uint_eq(rig.applied.changed_services, 0);
		for (int i = 0; i < 50; i++)
			begin_request(addrs[3]);
		look();
		ck_assert(is_ordinary(addrs[3], q8(250), 4)); /* no ramp */
		end();
	}
END_TEST

START_TEST(an_apply_puts_back)
	{
		begin(make(NR, PINTLE_POLICY_SCORE, 4));
		measure(NR);
		explore_last();
		ck_assert(is_explored(addrs[3]));
		apply(make(NR, PINTLE_POLICY_SCORE, 7));
		ck_assert(is_ordinary(addrs[3], q8(250), 7));
		explore_last();
		ck_assert(is_explored(addrs[3]));
		apply(make(NR, PINTLE_POLICY_LEASTCONN, 7));
		ck_assert_int_eq(tables__commit_gains(rig.t, &rig.err), 0);
		ck_assert(is_ordinary(addrs[3], q8(250), 7));
		explore_last();
		ck_assert(is_ordinary(addrs[3], q8(250), 7)); /* not `score` */
		end();
	}
END_TEST

/* It could not be put back in both. */
START_TEST(two_concurrencies_are_not_explored)
	{
		struct pintle_config *c = make(NR, PINTLE_POLICY_SCORE, 4);
		struct cfg_service *beta = config_make__service(c, "beta", PINTLE_POLICY_SCORE);

		config_make__frontend(beta, "10.96.0.2", IPPROTO_TCP, 80);
		config_make__pod(beta, addrs[3], 8080)->concurrency = 9;
		begin(c);
		measure(NR);
		explore_last();
		ck_assert(is_ordinary(addrs[3], q8(250), 4));
		ck_assert_uint_eq(rig__member_of("beta", 4, 0, rig__pod_at(addrs[3]))->concurrency, 9);
		end();
	}
END_TEST

int main(void)
{
	Suite *suite = suite_create("trials");
	TCase *tcase = tcase_create("trials");
	SRunner *runner;
	int failed;

	tcase_add_test(tcase, unknown_pods_have_the_median);
	tcase_add_test(tcase, a_pod_that_comes_begins_slowly);
	tcase_add_test(tcase, a_pod_that_comes_after_a_restart_begins_slowly);
	tcase_add_test(tcase, an_idle_pod_is_asked_now_and_then);
	tcase_add_test(tcase, without_traffic_nothing_is_staged);
	tcase_add_test(tcase, few_requests_explore_little);
	tcase_add_test(tcase, a_restart_puts_back);
	tcase_add_test(tcase, an_apply_puts_back);
	tcase_add_test(tcase, two_concurrencies_are_not_explored);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
