// SPDX-License-Identifier: BSD-2-Clause
/*
 * Exactness of the loads: two CPUs at the same keys of a table that is too small, and the whole life of many flows with lost FINs and
 * forced evictions. Afterwards every pod's load equals a recount, no key is there twice, no slot is BUSY.
 */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/bpf/check_bpf.h"
#include "tests/bpf/kit.h"

#define PODS 4
#define SHARED_FLOWS 220u

struct worker {
	struct rig *r;
	struct rng rng;
	unsigned int cpu;
	uint32_t ops;
	bool sweeps;
};

static void pin_to(unsigned int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set); /* on a machine with one CPU the threads just take turns */
}

static void worker__step(struct worker *w)
{
	static const uint8_t client_flags[] = { WIRE_SYN, WIRE_SYN, WIRE_SYN, WIRE_RST, WIRE_ACK, WIRE_FIN | WIRE_ACK };
	uint32_t n = rng__below(&w->rng, SHARED_FLOWS), payload = rng__one_in(&w->rng, 4) ? 10 : 0;
	struct kit_frame f;
	uint8_t pod;

	if (rng__one_in(&w->rng, 3)) {
		pod = (uint8_t)rng__below(&w->rng, PODS);
		kit__frame_from_pod(&f, n, pod,
				    rng__one_in(&w->rng, 4)   ? WIRE_FIN | WIRE_ACK
				    : rng__one_in(&w->rng, 6) ? WIRE_RST
				    : rng__one_in(&w->rng, 8) ? WIRE_SYN | WIRE_ACK
							      : WIRE_ACK,
				    payload);
		kit__fire(w->r, MODEL_REV_UP, &f);
		return;
	}
	kit__frame_to_vip(&f, n, client_flags[rng__below(&w->rng, sizeof(client_flags))], payload);
	kit__fire(w->r, rng__one_in(&w->rng, 2) ? MODEL_XDP : MODEL_TC, &f);
}

static void *worker__run(void *arg)
{
	struct worker *w = arg;
	uint32_t i;

	pin_to(w->cpu);
	for (i = 0; i < w->ops; i++) {
		worker__step(w);
		if (w->sweeps && i % 64 == 0) {
			struct pintle_sweep s = { .nr_buckets = w->r->meta.nr_buckets };

			if (rig__sweep(w->r, &s))
				abort();
		}
	}
	return NULL;
}

/* _i: 0 a table with room, 1 one that is too small, 2 a single bucket, 3 too small and with sweeps. */
START_TEST(two_cpus)
	{
		static const uint32_t buckets[] = { 256, 32, 1, 32 };
		uint64_t rounds = tests_count(NULL, 40, 1000), i;
		struct worker w[2];
		pthread_t threads[2];
		static struct rig r;
		char why[RIG_WHY_BYTES];
		int k;

		ck_assert_int_eq(rig__open_clocked(&r, buckets[_i], 31337, 0, 2), 0);
		rig__reset(&r);
		kit__service(&r, PINTLE_POLICY_SCORE, 0, PODS);
		r.ctl->evict_half_open = 1; /* a jiffy or two */
		r.ctl->evict_tcp = 1;
		r.ctl->age_closed = 2;
		r.ctl->age_half_open = 3;
		for (i = 0; i < rounds; i++) {
			for (k = 0; k < 2; k++) {
				w[k] = (struct worker){ .r = &r,
							.rng = { i * 2 + (unsigned int)k },
							.cpu = (unsigned int)k,
							.ops = 3000,
							.sweeps = _i == 3 && k };
				ck_assert_int_eq(pthread_create(&threads[k], NULL, worker__run, &w[k]), 0);
			}
			for (k = 0; k < 2; k++)
				pthread_join(threads[k], NULL);
			rig__drain_events(&r);
			ck_assert_msg(!rig__audit(&r, why), "%u buckets, round %llu: %s", buckets[_i], (unsigned long long)i,
				      why);
		}
		printf("# two CPUs, %u buckets: %llu packets; DROP_RACE %llu, evicted %llu, DROP_TABLE_FULL %llu\n",
		       buckets[_i], (unsigned long long)rounds * 6000, (unsigned long long)rig__verdict(&r, PINTLE_V_DROP_RACE),
		       (unsigned long long)r.nr_events[PINTLE_EVENT_EVICTED],
		       (unsigned long long)rig__verdict(&r, PINTLE_V_DROP_TABLE_FULL));
		rig__close(&r);
	}
END_TEST

struct pair {
	struct rig *r;
	uint32_t *arrived; /* of both threads */
	unsigned int cpu;
	uint32_t nr;
};

/* Both threads fire the SYN of the same new flow at the same time, one flow after the other. */
static void *pair__run(void *arg)
{
	struct pair *p = arg;
	struct kit_frame f;
	uint32_t i, spins;

	pin_to(p->cpu);
	for (i = 0; i < p->nr; i++) {
		kit__frame_to_vip(&f, i, WIRE_SYN, 0);
		__atomic_fetch_add(p->arrived, 1, __ATOMIC_SEQ_CST);
		for (spins = 0; __atomic_load_n(p->arrived, __ATOMIC_SEQ_CST) < 2 * (i + 1); spins++)
			if (spins % 1000 == 999)
				sched_yield();
		kit__fire(p->r, MODEL_XDP, &f);
	}
	return NULL;
}

START_TEST(same_syn_on_two_cpus)
	{
		const uint32_t nr = 1000;
		uint64_t rounds = tests_count(NULL, 40, 1000), i;
		struct pair pairs[2];
		pthread_t threads[2];
		static struct rig r;
		char why[RIG_WHY_BYTES];
		uint32_t n, arrived;
		int k;

		ck_assert_int_eq(rig__open(&r, 4096, 5), 0);
		rig__reset(&r);
		kit__service(&r, PINTLE_POLICY_RR, 0, PODS);
		for (i = 0; i < rounds; i++) {
			kit__forget_flows(&r);
			arrived = 0;
			for (k = 0; k < 2; k++) {
				pairs[k] = (struct pair){ .r = &r, .arrived = &arrived, .cpu = (unsigned int)k, .nr = nr };
				ck_assert_int_eq(pthread_create(&threads[k], NULL, pair__run, &pairs[k]), 0);
			}
			for (k = 0; k < 2; k++)
				pthread_join(threads[k], NULL);
			ck_assert_msg(!rig__audit(&r, why), "round %llu: %s", (unsigned long long)i, why);
			for (n = 0, k = 0; k < PODS; k++)
				n += (uint32_t)r.loads[k].open;
			ck_assert_uint_eq(n, nr);
		}
		/* round robin advances at every choice: what is beyond one a flow was chosen twice and taken back */
		printf("# the same SYN on two CPUs: %llu flows, %llu chosen twice, DROP_RACE %llu\n",
		       (unsigned long long)rounds * nr, (unsigned long long)r.services[0].rr_next - rounds * nr,
		       (unsigned long long)rig__verdict(&r, PINTLE_V_DROP_RACE));
		rig__close(&r);
	}
END_TEST

#define ACTIVE 3000u

struct life {
	uint32_t n, step;
};

/* Sends the next packet of a connection; false when it has ended or its entry is gone. */
static bool life__next(struct rig *r, struct life *l, struct rng *rng)
{
	static const struct {
		bool from_pod;
		uint8_t flags, payload;
	} steps[] = { { false, WIRE_SYN, 0 },
		      { true, WIRE_SYN | WIRE_ACK, 0 },
		      { false, WIRE_ACK, 0 },
		      { false, WIRE_PSH | WIRE_ACK, 10 },
		      { true, WIRE_PSH | WIRE_ACK, 20 },
		      { false, WIRE_FIN | WIRE_ACK, 0 },
		      { true, WIRE_FIN | WIRE_ACK, 0 } };
	struct pintle_slot *slot = l->step ? kit__slot(r, l->n, 0) : NULL;
	struct kit_frame f;

	if (l->step && !slot)
		return false;
	if (steps[l->step].flags & WIRE_FIN && rng__one_in(rng, 100))
		return false; /* the FIN was lost, and its sender with it */
	if (steps[l->step].from_pod) {
		kit__frame_from_pod(&f, l->n, (uint8_t)(slot->state & PINTLE_FS_BACKEND_MASK), steps[l->step].flags,
				    steps[l->step].payload);
		kit__fire(r, MODEL_REV_UP, &f);
	} else {
		kit__frame_to_vip(&f, l->n, steps[l->step].flags, steps[l->step].payload);
		kit__fire(r, MODEL_XDP, &f);
	}
	return ++l->step < sizeof(steps) / sizeof(steps[0]);
}

START_TEST(in_flight_is_exact)
	{
		uint64_t nr = tests_count("PINTLE_LIVES", 60000, 1000000), done = 0, complete = 0;
		static struct life lives[ACTIVE];
		struct rng rng = { 2718 };
		struct pintle_sweep s;
		uint32_t next = 0, i;
		struct kit_frame f;
		static struct rig r;
		char why[RIG_WHY_BYTES];

		ck_assert_int_eq(rig__open_clocked(&r, 512, 999, 0, 3), 0); /* 2048 slots for 3000 flows at a time */
		rig__reset(&r);
		kit__service(&r, PINTLE_POLICY_SCORE, 0, PODS);
		r.ctl->evict_half_open = 1;
		r.ctl->evict_tcp = 1;
		r.ctl->age_awaiting = 20;
		for (i = 0; i < ACTIVE; i++)
			lives[i] = (struct life){ .n = next++ };
		while (done < nr) {
			i = rng__below(&rng, ACTIVE);
			if (life__next(&r, &lives[i], &rng))
				continue;
			complete += lives[i].step == 7;
			lives[i] = (struct life){ .n = next++ };
			if (++done % 500 == 0) {
				s = (struct pintle_sweep){ .first_bucket = (uint32_t)(done / 500 % 8) * 64, .nr_buckets = 64 };
				ck_assert_int_eq(rig__sweep(&r, &s), 0);
				rig__drain_events(&r);
			}
			if (done % 20000 == 0)
				ck_assert_msg(!rig__audit(&r, why), "after %llu flows: %s", (unsigned long long)done, why);
		}
		ck_assert_msg(!rig__audit(&r, why), "%s", why);
		ck_assert_msg(r.nr_events[PINTLE_EVENT_EVICTED] > nr / 1000, "nothing was evicted, the test proves nothing");
		ck_assert_uint_gt(complete, nr / 10);
		printf("# in flight: %llu flows, %llu to their end, %llu evicted alive; awaiting and open equal the recount\n",
		       (unsigned long long)nr, (unsigned long long)complete,
		       (unsigned long long)r.nr_events[PINTLE_EVENT_EVICTED]);
		for (i = 0; i < ACTIVE; i++) { /* the last ones are reset: nothing of them stays in flight */
			kit__frame_to_vip(&f, lives[i].n, WIRE_RST, 0);
			kit__fire(&r, MODEL_XDP, &f);
			ck_assert(!kit__slot(&r, lives[i].n, 0) || !(kit__slot(&r, lives[i].n, 0)->state & PINTLE_FS_AWAITING));
		}
		ck_assert_msg(!rig__audit(&r, why), "%s", why);
		rig__close(&r);
	}
END_TEST

Suite *races_suite(void)
{
	Suite *s = suite_create("races");
	TCase *tc = tcase_create("races");

	tcase_set_timeout(tc, tests_full() ? 1800 : 60);
	tcase_add_loop_test(tc, two_cpus, 0, 4);
	tcase_add_test(tc, same_syn_on_two_cpus);
	tcase_add_test(tc, in_flight_is_exact);
	suite_add_tcase(s, tc);
	return s;
}
