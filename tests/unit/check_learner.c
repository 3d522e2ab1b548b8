/* SPDX-License-Identifier: BSD-2-Clause */
/* From statistics to gains in the tables, and how many flows are timed; statistics are made by hand. */
#include <check.h>
#include <errno.h>
#include <math.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/learner.h"
#include "policy/mlp.h"
#include "tests/unit/tables_fixture.h"

#define MS 1000000ull
#define S 1000000000ull
#define NO_CHANGE UINT32_MAX
#define SAMPLED 3 /* shift while many requests come */

static struct arena arena;
static struct tables *t;
static struct learner *l;
static struct pintle_config *config;
static struct pintle_err err;
static struct podstats_delta deltas[PINTLE_MAX_DETAIL];
static uint32_t slots_read;
static uint32_t restarted[PINTLE_MAX_DETAIL]; /* times */
static int read_error;

const struct table_maps *datapath__maps(const struct datapath *dp)
{
	(void)dp;
	return &arena.maps;
}

int podstats__read_some(struct podstats *s, const uint8_t *wanted, uint32_t nr_slots, struct pintle_err *e)
{
	(void)s;
	slots_read = 0;
	for (uint32_t i = 0; i < nr_slots; i++)
		slots_read = wanted[i] ? nr_slots : slots_read;
	return read_error ? pintle_err__set(e, read_error, "no statistics") : 0;
}

struct podstats_delta podstats__delta(const struct podstats *s, uint32_t slot)
{
	struct podstats_delta none = { 0 };

	(void)s;
	return slot < slots_read ? deltas[slot] : none;
}

void podstats__restart(struct podstats *s, uint32_t slot)
{
	(void)s;
	restarted[slot]++;
}

static int grace(void *arg)
{
	(void)arg;
	return 0;
}

static void apply(struct pintle_config *next)
{
	struct tables_applied applied;

	ck_assert_msg(!tables__apply(t, next, NULL, NULL, &applied, &err), "%s", err.msg);
	config_make__free(config);
	config = next;
	learner__refresh(l, config);
}

static struct pintle_config *make(const char *first, const char *second)
{
	struct pintle_config *c = config_make__new();
	struct cfg_service *service = config_make__service(c, "alpha", PINTLE_POLICY_SCORE);

	config_make__frontend(service, "10.96.0.1", IPPROTO_TCP, 80);
	config_make__pod(service, first, 80);
	if (second)
		config_make__pod(service, second, 80);
	return c;
}

static void open_learner(void)
{
	ck_assert_int_eq(learner__open(NULL, t, NULL, &l, &err), 0);
}

static void begin(void)
{
	arena__init(&arena, 16, 64, 0);
	ck_assert_int_eq(tables__open(&arena.maps, grace, NULL, &t, &err), 0);
	open_learner();
	memset(deltas, 0, sizeof(deltas));
	read_error = 0;
	config = NULL;
	apply(make("10.0.0.1", "10.0.0.2"));
}

static void end(void)
{
	learner__close(l);
	tables__close(t);
	config_make__free(config);
	arena__destroy(&arena);
}

static uint16_t pod_of(const char *addr)
{
	struct ip_addr a = addr_of(addr);
	uint16_t pod;

	ck_assert_int_eq(tables__pod_by_addr(t, &a, 80, &pod), 0);
	return pod;
}

static struct podstats_delta *stats_of(const char *addr)
{
	uint16_t detail = arena.maps.pods[pod_of(addr)].detail;

	ck_assert_uint_gt(detail, 0);
	return &deltas[detail - 1];
}

static struct podstats_delta answers(uint64_t n, double ms)
{
	return (struct podstats_delta){ .first_bytes = n,
					.latency_count = n,
					.latency_ns = (uint64_t)((double)n * ms * 1e6),
					.gain_q8 = (int64_t)lround((double)n * 256 * log2(ms * 1000)) };
}

static int16_t q8(double ms)
{
	return (int16_t)lround(256 * log2(ms * 1000));
}

static void tick(uint64_t now_ns)
{
	memset(arena.maps.activity, 1, sizeof(*arena.maps.activity));
	ck_assert_msg(!learner__tick(l, now_ns, &err), "%s", err.msg);
}

/* As the programs see it: in the half that is in force. */
static int16_t gain_in_force(const char *addr)
{
	const struct table_maps *m = &arena.maps;
	const struct pintle_member_line *half = m->members + (m->ctl->gains_half ? m->meta->member_lines : 0);
	uint16_t id, pod = pod_of(addr);
	const struct pintle_pool *pool;

	ck_assert_int_eq(tables__service_ids(t, "alpha", 4, &id), 0);
	pool = &m->services[id].pool[m->services[id].active & 1];
	for (uint32_t i = 0; i < pool->nr_members; i++) {
		const struct pintle_member *member =
			&half[pool->members_line + i / PINTLE_MEMBERS_PER_LINE].member[i % PINTLE_MEMBERS_PER_LINE];

		if (member->pod == pod)
			return member->gain_q8;
	}
	ck_abort_msg("%s is no member", addr);
}

static uint8_t shift(void)
{
	uint16_t id;

	ck_assert_int_eq(tables__service_ids(t, "alpha", 4, &id), 0);
	return arena.maps.services[id].pool[arena.maps.services[id].active & 1].sample_shift;
}

START_TEST(answers_become_gains)
	{
		begin();
		*stats_of("10.0.0.1") = answers(1, 20);
		*stats_of("10.0.0.2") = answers(3, 250);
		tick(S);
		ck_assert_int_eq(gain_in_force("10.0.0.1"), q8(20));
		ck_assert_int_eq(gain_in_force("10.0.0.2"), q8(250));
		/* silence changes nothing */
		memset(deltas, 0, sizeof(deltas));
		tick(2 * S);
		ck_assert_int_eq(gain_in_force("10.0.0.1"), q8(20));
		/* fast failures do not look fast: they cost tries */
		*stats_of("10.0.0.1") = answers(1, 0.01);
		stats_of("10.0.0.1")->refused = 50;
		tick(3 * S);
		ck_assert_int_gt(gain_in_force("10.0.0.1"), q8(20) + 512);
		end();
	}
END_TEST

START_TEST(an_adopted_gain_is_a_first_sample)
	{
		begin();
		*stats_of("10.0.0.1") = answers(100, 20);
		tick(S);
		/* another agent */
		memset(deltas, 0, sizeof(deltas));
		learner__close(l);
		open_learner();
		learner__refresh(l, config);
		tick(2 * S);
		ck_assert_int_eq(gain_in_force("10.0.0.1"), q8(20));
		*stats_of("10.0.0.1") = answers(1, 80);
		tick(3 * S);
		ck_assert_int_eq(gain_in_force("10.0.0.1"), q8(40)); /* the mean of two */
		end();
	}
END_TEST

/* So many pods come and go that every slot of the statistics changes hands. */
START_TEST(a_pod_that_comes_is_not_the_one_that_went)
	{
		uint64_t now = S;
		char addr[32];

		begin();
		for (uint32_t i = 0; i < PINTLE_MAX_DETAIL + 50; i++) {
			double ms = i % 2 ? 20 : 250;

			snprintf(addr, sizeof(addr), "10.0.%u.%u", 1 + i / 250, 1 + i % 250);
			apply(make(addr, "10.0.0.2"));
			ck_assert_int_ge(tables__reap(t, &err), 0);
			memset(deltas, 0, sizeof(deltas));
			tick(now += 100 * MS);
			*stats_of(addr) = answers(1, ms);
			tick(now += 100 * MS);
			ck_assert_int_eq(gain_in_force(addr), q8(ms));
		}
		end();
	}
END_TEST

/* Of what the statistics say: a pod that is waited for gets the next request, once; the median is not taken for a sample. */
START_TEST(pods_on_trial)
	{
		uint64_t now = S;

		begin();
		*stats_of("10.0.0.1") = answers(30, 20);
		*stats_of("10.0.0.2") = answers(30, 250);
		tick(now);
		*stats_of("10.0.0.2") = answers(0, 1);
		for (int i = 0; i < 3; i++)
			tick(now += 100 * MS);
		ck_assert_int_eq(gain_in_force("10.0.0.2"), q8(250));
		tick(now += 2 * S);
		ck_assert_int_lt(gain_in_force("10.0.0.2"), gain_in_force("10.0.0.1"));
		arena.maps.loads[pod_of("10.0.0.2")].awaiting = 1;
		tick(now += 10 * MS);
		ck_assert_int_eq(gain_in_force("10.0.0.2"), q8(250));
		ck_assert_int_eq(tables__gain(t, pod_of("10.0.0.2")), q8(250));
		apply(make("10.0.0.1", "10.0.0.3"));
		ck_assert_int_eq(gain_in_force("10.0.0.3"), q8(20));
		*stats_of("10.0.0.3") = answers(1, 80);
		tick(now + 10 * MS);
		ck_assert_int_eq(gain_in_force("10.0.0.3"), q8(80));
		end();
	}
END_TEST

static struct pintle_config *make_many(uint32_t nr, uint32_t changed, const char *other)
{
	struct pintle_config *c = config_make__new();
	struct cfg_service *service = config_make__service(c, "alpha", PINTLE_POLICY_SCORE);
	char addr[32];

	config_make__frontend(service, "10.96.0.1", IPPROTO_TCP, 80);
	for (uint32_t i = 0; i < nr; i++) {
		snprintf(addr, sizeof(addr), "10.0.%u.%u", 1 + i / 250, 1 + i % 250);
		if (i != changed || other)
			config_make__pod(service, i == changed ? other : addr, 80);
	}
	return c;
}

/* Every id and every slot is taken, so the pod that comes gets both of the pod that went, with no refresh between. */
START_TEST(an_id_given_again_starts_anew)
	{
		uint16_t id, slot;

		arena__init(&arena, 16, PINTLE_MAX_DETAIL, 0);
		ck_assert_int_eq(tables__open(&arena.maps, grace, NULL, &t, &err), 0);
		open_learner();
		memset(deltas, 0, sizeof(deltas));
		memset(restarted, 0, sizeof(restarted));
		read_error = 0;
		config = NULL;
		apply(make_many(PINTLE_MAX_DETAIL, NO_CHANGE, NULL));
		id = pod_of("10.0.1.8");
		slot = arena.maps.pods[id].detail;
		*stats_of("10.0.1.8") = answers(100, 250);
		tick(S);
		ck_assert_int_eq(gain_in_force("10.0.1.8"), q8(250));
		memset(deltas, 0, sizeof(deltas));
		apply(make_many(PINTLE_MAX_DETAIL, 7, NULL));
		ck_assert_int_eq(tables__reap(t, &err), 1);
		apply(make_many(PINTLE_MAX_DETAIL, 7, "10.9.9.9"));
		ck_assert_uint_eq(pod_of("10.9.9.9"), id);
		ck_assert_uint_eq(arena.maps.pods[id].detail, slot);
		ck_assert_uint_eq(restarted[slot - 1], 1); /* the statistics too begin anew */
		*stats_of("10.9.9.9") = answers(1, 20);
		tick(2 * S);
		ck_assert_int_eq(gain_in_force("10.9.9.9"), q8(20));
		end();
	}
END_TEST

START_TEST(clocks_may_do_what_they_like)
	{
		static const uint64_t nows[] = { 100 * S, 50 * S, 0, 100 * S, UINT64_MAX, 1, UINT64_MAX / 2, 100 * S, 101 * S };

		begin();
		for (size_t i = 0; i < sizeof(nows) / sizeof(nows[0]); i++) {
			*stats_of("10.0.0.1") = answers(1, i % 2 ? 19 : 21);
			tick(nows[i]);
			ck_assert_int_ge(gain_in_force("10.0.0.1"), q8(19));
			ck_assert_int_le(gain_in_force("10.0.0.1"), q8(21));
			ck_assert_uint_eq(shift(), 0);
		}
		end();
	}
END_TEST

/* Requests a second decide how many flows are timed. */
START_TEST(sampling_follows_the_rate)
	{
		uint64_t now = 100 * S;

		begin();
		tick(now);
		ck_assert_uint_eq(shift(), 0);
		*stats_of("10.0.0.1") = answers(500, 1); /* in each 100 ms */
		for (int i = 0; i < 11; i++)
			tick(now += 100 * MS);
		ck_assert_uint_eq(shift(), SAMPLED);
		*stats_of("10.0.0.1") = answers(300, 1); /* between both bounds it stays */
		for (int i = 0; i < 22; i++)
			tick(now += 100 * MS);
		ck_assert_uint_eq(shift(), SAMPLED);
		apply(make("10.0.0.1", NULL)); /* also in a new generation of the service */
		ck_assert_uint_eq(shift(), SAMPLED);
		tick(now - 50 * S); /* a clock that goes back decides nothing, and counts anew */
		ck_assert_uint_eq(shift(), SAMPLED);
		now -= 50 * S;
		*stats_of("10.0.0.1") = answers(100, 1);
		for (int i = 0; i < 33; i++)
			tick(now += 100 * MS);
		ck_assert_uint_eq(shift(), 0);
		end();
	}
END_TEST

START_TEST(statistics_that_cannot_be_read_change_nothing)
	{
		begin();
		*stats_of("10.0.0.1") = answers(1, 20);
		tick(S);
		*stats_of("10.0.0.1") = answers(100, 250);
		read_error = -EIO;
		ck_assert_int_eq(learner__tick(l, 2 * S, &err), -EIO);
		ck_assert_int_eq(gain_in_force("10.0.0.1"), q8(20));
		end();
	}
END_TEST

static void constant_net(struct mlp *net, int32_t q8)
{
	const int8_t weights[FEATURE_NR] = { 0 };
	const int32_t bias[1] = { 2 * q8 };

	mlp__init(net);
	ck_assert_int_eq(mlp__add(net, FEATURE_NR, 1, MLP_LINEAR, 1u << 30, 31, weights, bias), MLP_OK);
}

static int16_t canary_in_force(const char *addr)
{
	const struct pintle_ctl *ctl = arena.maps.ctl;
	const struct pintle_member_line *lines = arena.maps.members + (2 + ctl->gains_half) * arena.meta.member_lines;
	uint16_t id, pod = pod_of(addr);
	const struct pintle_pool *pool;

	ck_assert_int_eq(tables__service_ids(t, "alpha", 4, &id), 0);
	pool = &arena.maps.services[id].pool[arena.maps.services[id].active & 1];
	for (uint32_t i = 0; i < pool->nr_members; i++)
		if (lines[pool->members_line + i / 8].member[i % 8].pod == pod)
			return lines[pool->members_line + i / 8].member[i % 8].gain_q8;
	return INT16_MIN;
}

/* Each variant gets what its net says, clipped; pods without a sample get nothing but the median; without nets it is taken back. */
START_TEST(residuals_follow_the_nets)
	{
		static struct mlp up, down;
		struct learner_service service = { .nets = { &up, &down } };
		uint16_t slots[2];

		begin();
		constant_net(&up, 1000);
		constant_net(&down, -20);
		slots[0] = (uint16_t)(arena.maps.pods[pod_of("10.0.0.1")].detail - 1);
		slots[1] = (uint16_t)(arena.maps.pods[pod_of("10.0.0.2")].detail - 1);
		service.slots = slots;
		service.nr_slots = 2;
		learner__set_services(l, &service, 1);
		*stats_of("10.0.0.1") = answers(5, 20);
		tick(1000 * MS);
		ck_assert_int_eq(gain_in_force("10.0.0.1"), q8(20) + MLP_RESIDUAL_MAX_Q8);
		ck_assert_int_eq(canary_in_force("10.0.0.1"), q8(20) - 20);
		ck_assert_int_eq(gain_in_force("10.0.0.2"), q8(20));
		ck_assert_int_eq(canary_in_force("10.0.0.2"), q8(20));
		ck_assert_int_eq(tables__gain(t, pod_of("10.0.0.1")), q8(20));
		*stats_of("10.0.0.1") = (struct podstats_delta){ 0 };
		service.nets[0] = service.nets[1] = NULL;
		tick(1010 * MS);
		ck_assert_int_eq(gain_in_force("10.0.0.1"), q8(20) + MLP_RESIDUAL_MAX_Q8); /* nothing was said */
		service.is_stale = true;
		tick(1020 * MS);
		ck_assert_int_eq(gain_in_force("10.0.0.1"), q8(20));
		ck_assert_int_eq(canary_in_force("10.0.0.1"), q8(20));
		ck_assert(!service.is_stale);
		ck_assert_uint_eq(learner__delays(l)->count, 2);
		learner__set_services(l, NULL, 0);
		end();
	}
END_TEST

/* Pods whose mark is not set are not looked at, but for once a second; the mark is taken back. */
START_TEST(only_marked_pods_are_read)
	{
		uint32_t first, second;

		begin();
		first = arena.maps.pods[pod_of("10.0.0.1")].detail - 1u;
		second = arena.maps.pods[pod_of("10.0.0.2")].detail - 1u;
		*stats_of("10.0.0.1") = answers(5, 20);
		*stats_of("10.0.0.2") = answers(5, 30);
		tick(5000 * MS); /* all are read once a second */
		*stats_of("10.0.0.1") = answers(5000, 40);
		*stats_of("10.0.0.2") = answers(5000, 60);
		arena.maps.activity->pod[first] = 0;
		arena.maps.activity->pod[second] = 1;
		ck_assert_int_eq(learner__tick(l, 5500 * MS, &err), 0);
		ck_assert_int_eq(gain_in_force("10.0.0.1"), q8(20));
		ck_assert_int_gt(gain_in_force("10.0.0.2"), q8(30));
		ck_assert_uint_eq(arena.maps.activity->pod[second], 0);
		ck_assert_int_eq(learner__tick(l, 6100 * MS, &err), 0);
		ck_assert_int_gt(gain_in_force("10.0.0.1"), q8(20));
		end();
	}
END_TEST

int main(void)
{
	Suite *suite = suite_create("learner");
	TCase *tcase = tcase_create("learner");
	SRunner *runner;
	int failed;

	tcase_add_test(tcase, residuals_follow_the_nets);
	tcase_add_test(tcase, pods_on_trial);
	tcase_add_test(tcase, only_marked_pods_are_read);
	tcase_add_test(tcase, answers_become_gains);
	tcase_add_test(tcase, an_adopted_gain_is_a_first_sample);
	tcase_add_test(tcase, a_pod_that_comes_is_not_the_one_that_went);
	tcase_add_test(tcase, an_id_given_again_starts_anew);
	tcase_add_test(tcase, clocks_may_do_what_they_like);
	tcase_add_test(tcase, sampling_follows_the_rate);
	tcase_add_test(tcase, statistics_that_cannot_be_read_change_nothing);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
