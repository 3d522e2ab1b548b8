/* SPDX-License-Identifier: BSD-2-Clause */
#include "agent/flowview.h"

#include <netinet/in.h>

/* Inverse of an odd number modulo 2^64 (Newton's iteration: correct bits double; x * x = 1 mod 8 gives the first three). */
static uint64_t flowview__inverse(uint64_t odd)
{
	uint64_t inverse = odd;
	int i;

	for (i = 0; i < 5; i++)
		inverse *= 2 - odd * inverse;
	return inverse;
}

static uint64_t flowview__unshift(uint64_t x, unsigned int shift)
{
	/* Each step makes `shift` more bits right, from the top; shifts of at least 22 need two. */
	uint64_t y = x ^ (x >> shift);

	return x ^ (y >> shift);
}

/* The steps of pintle_mix() backwards. */
uint64_t flowview__unmix(uint64_t key, const struct pintle_seed *seed)
{
	uint64_t x = flowview__unshift(key, 32);

	x = (x * flowview__inverse(seed->m1)) ^ seed->s3;
	x = flowview__unshift(x, 29);
	x *= flowview__inverse(seed->m2);
	x = flowview__unshift(x, 32);
	return (x * flowview__inverse(seed->m1)) ^ seed->s0;
}

struct pintle_seed flowview__seed(const struct pintle_meta *meta)
{
	return (struct pintle_seed){ meta->seed[0], meta->seed[1] | 1, meta->seed[2] | 1, meta->seed[3] };
}

bool flowview__frontend(const struct table_maps *maps, uint16_t id, struct endpoint *ret)
{
	const struct pintle_frontend *f;

	if (id >= maps->meta->max_frontends || !maps->frontends[id].family)
		return false;
	f = &maps->frontends[id];
	*ret = endpoint__from_words(f->family, f->addr_be, f->port_be, f->proto);
	return true;
}

bool flowview__pod(const struct table_maps *maps, uint16_t id, struct endpoint *ret)
{
	const struct pintle_pod *p;

	if (id >= maps->meta->max_pods || !maps->pods[id].family)
		return false;
	p = &maps->pods[id];
	*ret = endpoint__from_words(p->family, p->addr_be, p->port_be, 0);
	return true;
}

/* The programs age entries by jiffies_64, which starts 300 s before 2^32 (INITIAL_JIFFIES) and then follows CLOCK_MONOTONIC. */
uint64_t flowview__jiffies(const struct pintle_meta *meta, uint64_t mono_ns)
{
	uint64_t start = (1ull << 32) - 300ull * meta->hz;

	return start + mono_ns / 1000000000 * meta->hz + mono_ns % 1000000000 * meta->hz / 1000000000;
}

static void flowview__age(const struct table_maps *maps, uint64_t mono_ns, struct flow_entry *e)
{
	uint32_t shift = PINTLE_FS_IS_COARSE(e->state) ? maps->meta->coarse_shift : maps->meta->fine_shift;
	uint32_t then = (uint32_t)(e->state >> PINTLE_FS_AGE_SHIFT) & 0xff;
	uint32_t now = (uint32_t)(flowview__jiffies(maps->meta, mono_ns) >> (shift & 63)) & 0xff;
	uint32_t units = (now - then) & 0xff;

	e->age_unit_ns = maps->meta->hz ? 1000000000ull * (1ull << (shift & 31)) / maps->meta->hz : 0;
	/* 255: stored a moment after our look at the clock. */
	e->age_ns = units == 0xff ? 0 : units * e->age_unit_ns;
}

static void flowview__identify(const struct table_maps *maps, struct flow_entry *e)
{
	struct pintle_seed seed = flowview__seed(maps->meta);
	const struct pintle_siblings *siblings;
	uint32_t addr_be[4] = { 0 };
	uint64_t tuple;

	if (!(e->state & PINTLE_FS_V6)) {
		tuple = flowview__unmix(e->key, &seed);
		addr_be[0] = (uint32_t)(tuple >> 32);
		e->client = endpoint__from_words(4, addr_be, (uint16_t)(tuple >> 16), 0);
		e->frontend = (uint16_t)tuple;
		e->has_client = true;
		e->has_frontend = true;
		return;
	}
	if (e->pod >= maps->meta->max_pods)
		return;
	siblings = &maps->siblings[e->pod];
	if (siblings->set[siblings->active & 1].nr == 1) {
		e->frontend = siblings->set[siblings->active & 1].frontend[0];
		e->has_frontend = true;
	}
}

bool flowview__read(const struct table_maps *maps, uint32_t bucket, uint32_t slot, uint64_t mono_ns, struct flow_entry *ret)
{
	const struct pintle_slot *s = &maps->flows[bucket].slot[slot];
	struct flow_entry e = { .bucket = bucket, .slot = slot };

	e.state = __atomic_load_n(&s->state, __ATOMIC_ACQUIRE);
	if (!(e.state & PINTLE_FS_VALID))
		return false;
	e.key = __atomic_load_n(&s->key, __ATOMIC_ACQUIRE);
	/* Another flow's generation: the slot was given away while we looked. */
	if ((__atomic_load_n(&s->state, __ATOMIC_ACQUIRE) ^ e.state) & (PINTLE_FS_GEN_MASK | PINTLE_FS_VALID))
		return false;
	e.pod = (uint16_t)(e.state & PINTLE_FS_BACKEND_MASK);
	flowview__age(maps, mono_ns, &e);
	flowview__identify(maps, &e);
	*ret = e;
	return true;
}

bool flowview__find(const struct table_maps *maps, uint64_t key, uint8_t family, uint64_t mono_ns, struct flow_entry *ret)
{
	uint32_t mask = maps->meta->nr_buckets - 1;
	uint32_t buckets[2] = { pintle_bucket_first(key, mask), pintle_bucket_second(key, mask) };
	struct flow_entry e;
	uint32_t b, s;

	for (b = 0; b < 2; b++) {
		for (s = 0; s < PINTLE_BUCKET_SLOTS; s++) {
			if (!flowview__read(maps, buckets[b], s, mono_ns, &e) || e.key != key)
				continue;
			if (!(e.state & PINTLE_FS_V6) != (family != 6))
				continue;
			*ret = e;
			return true;
		}
	}
	return false;
}

const char *flowview__state_name(uint64_t state)
{
	if (PINTLE_FS_IS_CLOSED(state))
		return "closed";
	if (state & PINTLE_FS_UDP)
		return state & PINTLE_FS_EST ? "udp-answered" : "udp";
	if (state & PINTLE_FS_FIN_CLIENT)
		return "fin-client";
	if (state & PINTLE_FS_FIN_POD)
		return "fin-pod";
	return state & PINTLE_FS_EST ? "established" : "syn";
}
