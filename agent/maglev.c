/* SPDX-License-Identifier: BSD-2-Clause */
#include "agent/maglev.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* splitmix64 finaliser (Steele, Lea, Flood 2014): fixed, so that nodes agree. */
static uint64_t mix64(uint64_t x)
{
	x += 0x9e3779b97f4a7c15ull;
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ x >> 27) * 0x94d049bb133111ebull;
	return x ^ x >> 31;
}

uint64_t pick_name_hash(const uint32_t addr_be[4], uint16_t port_be)
{
	uint64_t hash = mix64((uint64_t)addr_be[0] << 32 | addr_be[1]);

	hash = mix64(hash ^ ((uint64_t)addr_be[2] << 32 | addr_be[3]));
	return mix64(hash ^ port_be);
}

uint32_t maglev__size(uint32_t nr)
{
	/* about a factor of the square root of 2 apart, just below multiples of the 32 entries of a line */
	static const uint32_t primes[] = { 127,	 191,  251,  383,   509,   761,	  1021,	 1531,	2039, 3067,
					   4093, 6143, 8191, 12281, 16381, 24571, 32749, 49139, 65521 };
	uint32_t nr_primes = sizeof(primes) / sizeof(primes[0]);

	for (uint32_t i = 0; i < nr_primes; i++) {
		if (primes[i] / 100 >= nr)
			return primes[i];
	}
	return primes[nr_primes - 1];
}

/* One member's permutation of the table: offset + j * skip (mod size), size prime. */
struct turn {
	uint32_t at, skip;
	uint32_t credit; /* weight gathered; a turn costs the mean weight */
};

static void take_turn(struct turn *turn, uint8_t *taken, uint16_t *picks, uint32_t size, uint16_t member)
{
	while (taken[turn->at]) {
		turn->at += turn->skip;
		if (turn->at >= size)
			turn->at -= size;
	}
	taken[turn->at] = 1;
	picks[turn->at] = member;
}

/* Eisenbud et al., "Maglev: A Fast and Reliable Software Network Load Balancer", NSDI 2016, section 3.4: members take turns, each takes the
 * next free entry of its own permutation; the relative frequency of turns is the weight. */
int maglev__fill(const struct pick_member *members, uint32_t nr, uint16_t *picks, uint32_t size)
{
	struct turn *turns = calloc(nr, sizeof(*turns));
	uint8_t *taken = calloc(size, 1);
	uint32_t filled = 0, cost;
	uint64_t sum = 0;

	if (!turns || !taken) {
		free(turns);
		free(taken);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < nr; i++) {
		turns[i].at = (uint32_t)(mix64(members[i].name_hash) % size);
		turns[i].skip = (uint32_t)(mix64(members[i].name_hash ^ 0x6d61676c6576ull) % (size - 1)) + 1;
		sum += members[i].weight;
	}
	cost = nr && sum > nr ? (uint32_t)(sum / nr) : 1;
	while (filled < size) {
		for (uint32_t i = 0; i < nr && filled < size; i++) {
			struct turn *turn = &turns[i];

			turn->credit += members[i].weight;
			for (; turn->credit >= cost && filled < size; turn->credit -= cost, filled++)
				take_turn(turn, taken, picks, size, (uint16_t)i);
		}
	}
	free(turns);
	free(taken);
	return 0;
}

static uint32_t gcd(uint32_t a, uint32_t b)
{
	while (b) {
		uint32_t rest = a % b;

		a = b;
		b = rest;
	}
	return a;
}

uint32_t weighted__size(const struct pick_member *members, uint32_t nr)
{
	uint64_t sum = 0, limit = 64ull * nr;
	uint32_t divisor = 0;

	for (uint32_t i = 0; i < nr; i++) {
		sum += members[i].weight;
		divisor = gcd(divisor, members[i].weight);
	}
	if (limit > 65536)
		limit = 65536;
	if (divisor && sum / divisor <= limit)
		return (uint32_t)(sum / divisor);
	return (uint32_t)limit;
}

static void shuffle(uint16_t *picks, uint32_t nr)
{
	uint64_t random = 0x70696e746c65ull;

	for (uint32_t i = nr; i > 1; i--) {
		uint32_t j;
		uint16_t swap = picks[i - 1];

		random = mix64(random);
		j = (uint32_t)(((random >> 32) * i) >> 32);
		picks[i - 1] = picks[j];
		picks[j] = swap;
	}
}

struct share {
	uint32_t member, entries;
	uint64_t remainder;
};

static int by_remainder(const void *a, const void *b)
{
	const struct share *x = a, *y = b;

	if (x->remainder != y->remainder)
		return x->remainder > y->remainder ? -1 : 1;
	return (x->member > y->member) - (x->member < y->member);
}

static int by_entries(const void *a, const void *b)
{
	const struct share *x = a, *y = b;

	if (x->entries != y->entries)
		return x->entries > y->entries ? -1 : 1;
	return (x->member > y->member) - (x->member < y->member);
}

/* Whole quotas, then one more for the largest remainders. A member whose quota is below one gets one all the same, taken from the largest. */
static void apportion(const struct pick_member *members, struct share *shares, uint32_t nr, uint32_t size)
{
	uint64_t sum = 0;
	uint32_t given = 0;

	for (uint32_t i = 0; i < nr; i++)
		sum += members[i].weight;
	for (uint32_t i = 0; i < nr; i++) {
		uint64_t quota = (uint64_t)members[i].weight * size;

		shares[i].member = i;
		shares[i].entries = (uint32_t)(quota / sum);
		shares[i].remainder = quota % sum;
		if (!shares[i].entries) {
			shares[i].entries = 1;
			shares[i].remainder = 0;
		}
		given += shares[i].entries;
	}
	qsort(shares, nr, sizeof(*shares), by_remainder);
	for (uint32_t i = 0; given < size; i = (i + 1) % nr, given++)
		shares[i].entries++;
	if (given == size)
		return;
	qsort(shares, nr, sizeof(*shares), by_entries);
	for (uint32_t i = 0; given > size; i = (i + 1) % nr) {
		if (shares[i].entries > 1) {
			shares[i].entries--;
			given--;
		}
	}
}

int weighted__fill(const struct pick_member *members, uint32_t nr, uint16_t *picks, uint32_t size)
{
	struct share *shares = calloc(nr, sizeof(*shares));
	uint32_t at = 0;

	if (!shares)
		return -ENOMEM;
	apportion(members, shares, nr, size);
	/* back to the order of members: the table depends on shares alone */
	for (uint32_t i = 0; i < nr; i++) {
		while (shares[i].member != i) {
			struct share swap = shares[shares[i].member];

			shares[shares[i].member] = shares[i];
			shares[i] = swap;
		}
	}
	for (uint32_t i = 0; i < nr; i++) {
		for (uint32_t k = 0; k < shares[i].entries; k++)
			picks[at++] = (uint16_t)i;
	}
	free(shares);
	shuffle(picks, size);
	return 0;
}
