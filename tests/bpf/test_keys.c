// SPDX-License-Identifier: BSD-2-Clause
/*
 * Flow keys: the IPv4 mix is a bijection, nothing is found that was not put in, IPv6 hashes do not collide, and flows crafted for one seed
 * are ordinary under another. User-space builds of the same hash.h, and the real table where it says so.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/bpf/check_bpf.h"
#include "tests/bpf/kit.h"

#define PASSES 16 /* duplicates are looked for in one sixteenth of the keys at a time */

static struct pintle_seed make_seed(uint64_t base)
{
	struct rng rng = { base };
	struct pintle_seed s;

	s.s0 = rng__next(&rng);
	s.m1 = rng__next(&rng) | 1;
	s.m2 = rng__next(&rng) | 1;
	s.s3 = rng__next(&rng);
	return s;
}

/* Inverse of an odd number modulo 2^64 by Newton's iteration; each step doubles the right bits, x = a is right in 3. */
static uint64_t odd_inverse(uint64_t a)
{
	uint64_t x = a;
	int i;

	for (i = 0; i < 6; i++)
		x *= 2 - a * x;
	return x;
}

static uint64_t unmix(uint64_t y, const struct pintle_seed *s)
{
	uint64_t x = y ^ (y >> 32);

	x = (x * odd_inverse(s->m1)) ^ s->s3;
	x ^= (x >> 29) ^ (x >> 58);
	x *= odd_inverse(s->m2);
	x ^= x >> 32;
	return (x * odd_inverse(s->m1)) ^ s->s0;
}

START_TEST(mix_is_a_bijection)
	{
		uint64_t i, x;
		int k;

		for (k = 0; k < 20; k++) {
			struct pintle_seed s = make_seed(1000u + (unsigned int)k);
			struct rng rng = { 5u + (unsigned int)k };

			for (i = 0; i < 100000; i++) {
				x = i % 2 ? rng__next(&rng) : i;
				ck_assert(unmix(pintle_mix(x, &s), &s) == x && pintle_mix(unmix(x, &s), &s) == x);
			}
		}
	}
END_TEST

/* Tuple number i of a series: half of them neighbours in address and port, half random. Series never share a tuple. */
static uint64_t key4_of(uint64_t i, uint16_t frontend, const struct pintle_seed *s)
{
	struct rng rng = { i * 2 + 1 };
	uint32_t saddr = i & 1 ? (uint32_t)rng__next(&rng) : (uint32_t)(0x0a000000 + i / 2 % 60000);
	uint16_t sport = i & 1 ? (uint16_t)rng__next(&rng) : (uint16_t)(i / 2 / 60000);

	return pintle_flow_key4(saddr, sport, frontend, s);
}

static uint64_t key6_of(uint64_t i, uint16_t frontend, const struct pintle_seed *s)
{
	struct rng rng = { i * 2 + 1 };
	uint32_t a[4] = { 0xb80d0120, 0, 0, 0 };

	if (i & 1) { /* random interface identifier in one of 65536 networks; the serial number keeps tuples apart */
		a[1] = (uint32_t)rng__next(&rng) & 0xffff;
		a[2] = (uint32_t)rng__next(&rng);
		a[3] = (uint32_t)i;
		return pintle_flow_key6(a, (uint16_t)rng__next(&rng), frontend, s);
	}
	a[3] = __builtin_bswap32((uint32_t)(i / 2 % 60000));
	return pintle_flow_key6(a, (uint16_t)(i / 2 / 60000), frontend, s);
}

/* The table's rule in plain C: first bucket, then second. */
static bool probe(const struct pintle_bucket *table, uint32_t mask, uint64_t key, uint64_t family)
{
	const struct pintle_bucket *b[2] = { &table[pintle_bucket_first(key, mask)], &table[pintle_bucket_second(key, mask)] };
	uint32_t i;

	for (i = 0; i < 2 * PINTLE_BUCKET_SLOTS; i++) {
		const struct pintle_slot *slot = &b[i / PINTLE_BUCKET_SLOTS]->slot[i % PINTLE_BUCKET_SLOTS];

		if (slot->key == key && (slot->state & (PINTLE_FS_VALID | PINTLE_FS_V6)) == (PINTLE_FS_VALID | family))
			return true;
	}
	return false;
}

static bool put(struct pintle_bucket *table, uint32_t mask, uint64_t key, uint64_t family)
{
	struct pintle_bucket *b[2] = { &table[pintle_bucket_first(key, mask)], &table[pintle_bucket_second(key, mask)] };
	uint32_t i;

	for (i = 0; i < 2 * PINTLE_BUCKET_SLOTS; i++) {
		struct pintle_slot *slot = &b[i / PINTLE_BUCKET_SLOTS]->slot[i % PINTLE_BUCKET_SLOTS];

		if (slot->state)
			continue;
		slot->key = key;
		slot->state = PINTLE_FS_VALID | family;
		return true;
	}
	return false;
}

/* 250k flows of each family in a table of the size for 1M; then keys of other flows, none of which may be found. */
START_TEST(no_false_hit)
	{
		const uint32_t buckets = 1u << 19, mask = buckets - 1;
		struct pintle_bucket *table = aligned_alloc(64, buckets * sizeof(*table));
		uint64_t nr = tests_count("PINTLE_KEYS", 4000000, 100000000), i, put_in = 0, hits = 0;
		struct pintle_seed s = make_seed(77);

		ck_assert_ptr_nonnull(table);
		memset(table, 0, buckets * sizeof(*table));
		for (i = 0; i < 250000; i++) {
			put_in += put(table, mask, key4_of(i, 1, &s), 0);
			put_in += put(table, mask, key6_of(i, 1, &s), PINTLE_FS_V6);
		}
		ck_assert_uint_gt(put_in, 499000);
		for (i = 0; i < 1000; i++) /* the probe does find what is there */
			ck_assert(probe(table, mask, key4_of(i, 1, &s), 0) &&
				  probe(table, mask, key6_of(i, 1, &s), PINTLE_FS_V6));
		for (i = 0; i < nr; i++)
			hits += i % 2 ? probe(table, mask, key6_of(i, 2, &s), PINTLE_FS_V6)
				      : probe(table, mask, key4_of(i, 2, &s), 0);
		ck_assert_msg(hits == 0, "%llu of %llu keys were found that nobody put in", (unsigned long long)hits,
			      (unsigned long long)nr);
		printf("# flow keys: no false hit in %llu\n", (unsigned long long)nr);
		free(table);
	}
END_TEST

static int compare_u64(const void *a, const void *b)
{
	uint64_t x, y;

	memcpy(&x, a, sizeof(x));
	memcpy(&y, b, sizeof(y));
	return x < y ? -1 : x > y;
}

START_TEST(ipv6_hashes_differ)
	{
		uint64_t nr = tests_count("PINTLE_KEYS", 4000000, 100000000), i, n, key, room = nr / PASSES + nr / 100 + 10000;
		struct pintle_seed s = make_seed(88);
		uint64_t *keys = malloc(room * sizeof(*keys)), equal = 0;
		unsigned int pass;

		ck_assert_ptr_nonnull(keys);
		for (pass = 0; pass < PASSES; pass++) {
			for (i = 0, n = 0; i < nr; i++) {
				key = key6_of(i, 3, &s);
				if (key >> 60 != pass)
					continue;
				ck_assert_uint_lt(n, room); /* the top bits are uniform to a percent */
				keys[n++] = key;
			}
			qsort(keys, n, sizeof(*keys), compare_u64);
			for (i = 1; i < n; i++)
				equal += keys[i] == keys[i - 1];
		}
		ck_assert_msg(equal == 0, "%llu collisions in %llu tuples", (unsigned long long)equal, (unsigned long long)nr);
		printf("# IPv6 hashes: no collision in %llu\n", (unsigned long long)nr);
		free(keys);
	}
END_TEST

#define CRAFTED 100000u
#define CRAFT_BUCKETS 1024u

struct tuple {
	uint32_t saddr;
	uint16_t sport;
};

/* Flows that meet in one bucket of a table whose seed is known. */
static void craft(struct tuple *out, const struct pintle_seed *s)
{
	struct rng rng = { 4242 };
	uint32_t n = 0;

	while (n < CRAFTED) {
		uint64_t x = rng__next(&rng);
		struct tuple t = { (uint32_t)x, (uint16_t)(x >> 40) };
		uint64_t key = pintle_flow_key4(__builtin_bswap32(t.saddr), __builtin_bswap16(t.sport), 0, s);

		if (pintle_bucket_first(key, CRAFT_BUCKETS - 1) == 0 && pintle_bucket_second(key, 3) == 0)
			out[n++] = t;
	}
}

START_TEST(crafted_flows_spread)
	{
		const uint32_t buckets = 1u << 17;
		struct pintle_seed known = make_seed(1);
		struct tuple *flows = malloc(CRAFTED * sizeof(*flows));
		static uint32_t counts[CRAFT_BUCKETS], second[CRAFT_BUCKETS];
		static double expected[CRAFT_BUCKETS];
		double mean = CRAFTED / (double)CRAFT_BUCKETS, sigma = sqrt(mean);
		static struct rig r;
		struct kit_frame f;
		uint32_t i;

		ck_assert_ptr_nonnull(flows);
		craft(flows, &known);
		ck_assert_int_eq(rig__open(&r, buckets, 2), 0);
		rig__reset(&r);
		kit__service(&r, PINTLE_POLICY_SCORE, 0, 4);
		kit__frame_to_vip(&f, 0, WIRE_SYN, 0);
		for (i = 0; i < CRAFTED; i++) {
			uint64_t key = pintle_flow_key4(__builtin_bswap32(flows[i].saddr), __builtin_bswap16(flows[i].sport), 0,
							&r.seed);

			counts[pintle_bucket_first(key, CRAFT_BUCKETS - 1)]++;
			second[pintle_bucket_second(key, CRAFT_BUCKETS - 1)]++;
			kit__set_source(&f, flows[i].saddr, flows[i].sport);
			kit__fire(&r, MODEL_XDP, &f);
		}
		for (i = 0; i < CRAFT_BUCKETS; i++) {
			expected[i] = mean;
			/* binomial, 1024 buckets: six sigma above happens in 1 of 10^6 runs */
			ck_assert_msg(counts[i] < mean + 6 * sigma && second[i] < mean + 6 * sigma,
				      "bucket %u got %u and %u of %.0f", i, counts[i], second[i], mean);
		}
		/* 1023 degrees: mean 1023, sigma 45.2; five sigma */
		ck_assert_double_lt(kit__chi_square(counts, expected, CRAFT_BUCKETS), 1023 + 5 * 45.2);
		ck_assert_double_lt(kit__chi_square(second, expected, CRAFT_BUCKETS), 1023 + 5 * 45.2);
		ck_assert_uint_eq(rig__verdict(&r, PINTLE_V_STEER_PASS), CRAFTED);
		ck_assert_int_eq(r.loads[0].open + r.loads[1].open + r.loads[2].open + r.loads[3].open, CRAFTED);
		rig__close(&r);
		free(flows);
	}
END_TEST

/* The default size, 2 slots a flow: of 1M random flows at least 99.9 % have a place. */
START_TEST(placement)
	{
		const uint32_t buckets = 1u << 19, nr = 1000000;
		uint32_t i, first = 0, entries = 0;
		struct rng rng = { 1234 };
		static struct rig r;
		struct kit_frame f;
		double share;

		ck_assert_int_eq(rig__open(&r, buckets, 3), 0);
		rig__reset(&r);
		kit__service(&r, PINTLE_POLICY_RR, 0, 4);
		r.ctl->age_half_open = 255; /* nothing may give way, however slow the machine */
		r.ctl->evict_half_open = 255;
		kit__frame_to_vip(&f, 0, WIRE_SYN, 0);
		for (i = 0; i < nr; i++) {
			uint64_t x = rng__next(&rng);

			kit__set_source(&f, (uint32_t)x, (uint16_t)(x >> 32));
			kit__fire(&r, MODEL_XDP, &f);
		}
		for (i = 0; i < buckets * PINTLE_BUCKET_SLOTS; i++) {
			const struct pintle_slot *slot = &r.flows[i / PINTLE_BUCKET_SLOTS].slot[i % PINTLE_BUCKET_SLOTS];

			if (!(slot->state & PINTLE_FS_VALID))
				continue;
			entries++;
			first += pintle_bucket_first(slot->key, r.mask) == i / PINTLE_BUCKET_SLOTS;
		}
		share = 100.0 * (double)rig__verdict(&r, PINTLE_V_STEER_PASS) / nr;
		printf("# placement: %.4f %% of %u flows in %u slots, %.2f %% in their first bucket\n", share, nr,
		       buckets * PINTLE_BUCKET_SLOTS, 100.0 * first / entries);
		/* a repeated tuple would be a hit: 1M of 2^48 are different but for a chance of 0.2 % of a single pair */
		ck_assert_uint_ge(entries + 2, rig__verdict(&r, PINTLE_V_STEER_PASS));
		ck_assert_uint_eq(rig__verdict(&r, PINTLE_V_STEER_PASS) + rig__verdict(&r, PINTLE_V_DROP_TABLE_FULL), nr);
		ck_assert_msg(share >= 99.9, "only %.4f %% of the flows were placed", share);
		rig__close(&r);
	}
END_TEST

Suite *keys_suite(void)
{
	Suite *s = suite_create("keys");
	TCase *tc = tcase_create("keys");

	tcase_set_timeout(tc, tests_full() ? 900 : 60);
	tcase_add_test(tc, mix_is_a_bijection);
	tcase_add_test(tc, no_false_hit);
	tcase_add_test(tc, ipv6_hashes_differ);
	tcase_add_test(tc, crafted_flows_spread);
	tcase_add_test(tc, placement);
	suite_add_tcase(s, tc);
	return s;
}
