// SPDX-License-Identifier: BSD-2-Clause
/* Services, frontends and pods into the maps and into the model. */
#include <math.h>

#include <bpf/bpf.h>

#include "tests/bpf/rig.h"

void rig__set_psi(struct rig *r, double externality)
{
	int i;

	for (i = 0; i < (int)PINTLE_PSI_ENTRIES; i++) {
		r->ctl->psi_q8[i] = (int16_t)lround(256 * log2(i + 1 + externality * i));
		r->ctl->latency_q8[i] = (int16_t)lround(256 * log2(i + 1));
	}
}

static uint32_t word_be(const uint8_t *p)
{
	uint32_t w;

	memcpy(&w, p, 4);
	return w;
}

static uint16_t port_be(uint16_t port)
{
	uint8_t b[2];
	uint16_t w;

	wire__put16(b, port);
	memcpy(&w, b, 2);
	return w;
}

static void words_be(const struct wire_addr *a, uint32_t out[4])
{
	int i;

	for (i = 0; i < 4; i++)
		out[i] = word_be(a->b + 4 * i);
}

/* Folded ones-complement sum of memory words; `invert` sums their complements. */
static uint16_t fold_words(const void *p, size_t bytes, bool invert)
{
	const uint8_t *b = p;
	uint64_t sum = 0;
	uint16_t w;
	size_t i;

	for (i = 0; i < bytes; i += 2) {
		memcpy(&w, b + i, 2);
		sum += invert ? (uint16_t)~w : w;
	}
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

static uint16_t sum_of(const struct wire_addr *a, uint16_t port, bool invert)
{
	uint8_t b[18] = { 0 };
	size_t n = wire__addr_bytes(a->family);

	memcpy(b, a->b, n);
	wire__put16(b + n, port);
	return fold_words(b, n + 2, invert);
}

static void put_ep4(struct rig *r, struct pintle_ep4_bucket *table, uint32_t mask, const struct pintle_ep4 *entry)
{
	uint64_t hash = pintle_ep4_hash(entry->addr_be, entry->port_be, entry->proto, &r->seed);
	struct pintle_ep4_bucket *b[2] = { &table[pintle_bucket_first(hash, mask)], &table[pintle_ep_second(hash, mask)] };
	int i;

	for (i = 0; i < 8; i++) {
		if (b[i / 4]->slot[i % 4].flags & PINTLE_EP_VALID)
			continue;
		b[i / 4]->slot[i % 4] = *entry;
		return;
	}
	ck_abort_msg("endpoint table is full");
}

static void put_ep6(struct rig *r, struct pintle_ep6_bucket *table, uint32_t mask, const struct pintle_ep6 *entry)
{
	uint64_t hash = pintle_ep6_hash(entry->addr_be, entry->port_be, entry->proto, &r->seed);
	struct pintle_ep6_bucket *b[2] = { &table[pintle_bucket_first(hash, mask)], &table[pintle_ep_second(hash, mask)] };
	int i;

	for (i = 0; i < 4; i++) {
		if (b[i / 2]->slot[i % 2].flags & PINTLE_EP_VALID)
			continue;
		b[i / 2]->slot[i % 2] = *entry;
		return;
	}
	ck_abort_msg("endpoint table is full");
}

static void put_endpoint(struct rig *r, bool is_pod, const struct wire_addr *a, uint16_t port, uint8_t proto, uint8_t flags,
			 uint16_t id, uint16_t service)
{
	struct pintle_ep4 e4 = { .addr_be = word_be(a->b),
				 .port_be = port_be(port),
				 .proto = proto,
				 .flags = flags,
				 .id = id,
				 .service = service,
				 .inv_sum = sum_of(a, port, true) };
	struct pintle_ep6 e6 = { .port_be = port_be(port),
				 .proto = proto,
				 .flags = flags,
				 .id = id,
				 .service = service,
				 .inv_sum = sum_of(a, port, true) };

	if (a->family == 4) {
		put_ep4(r, is_pod ? r->rev4 : r->vip4, (is_pod ? r->meta.nr_rev4_buckets : r->meta.nr_vip4_buckets) - 1, &e4);
		return;
	}
	words_be(a, e6.addr_be);
	put_ep6(r, is_pod ? r->rev6 : r->vip6, (is_pod ? r->meta.nr_rev6_buckets : r->meta.nr_vip6_buckets) - 1, &e6);
}

struct pintle_pool *rig__pool(struct rig *r, uint16_t service)
{
	return &r->services[service].pool[r->services[service].active];
}

uint16_t rig__add_service(struct rig *r, uint8_t policy, uint8_t flags)
{
	uint16_t id = 0;
	struct pintle_pool *pool;

	while (r->model.services[id].in_use)
		id++;
	ck_assert_uint_lt(id, MODEL_MAX_SERVICES);
	r->model.services[id].in_use = true;
	r->model.services[id].redirect = flags & PINTLE_SVC_REDIRECT;
	r->services[id].in_use = 1;
	pool = rig__pool(r, id);
	pool->members_line = id * RIG_MEMBER_LINES_EACH;
	pool->picks_line = id * RIG_PICK_LINES_EACH;
	pool->policy = policy;
	pool->flags = flags;
	return id;
}

void rig__add_vip(struct rig *r, struct wire_addr addr, bool local)
{
	struct model *m = &r->model;

	m->vips[m->nr_vips++] = (struct model_vip){ addr, local };
	put_endpoint(r, false, &addr, 0, 0, (uint8_t)(PINTLE_EP_VALID | (local ? PINTLE_EP_LOCAL : 0)), 0xffff, 0xffff);
}

uint16_t rig__add_frontend(struct rig *r, uint16_t service, struct wire_addr addr, uint8_t proto, uint16_t port)
{
	struct model *m = &r->model;
	uint16_t id = m->nr_frontends++;
	struct pintle_frontend *fe = &r->frontends[id];
	bool known = false;
	int i;

	ck_assert_uint_lt(id, MODEL_MAX_FRONTENDS);
	m->frontends[id] = (struct model_frontend){ .addr = addr, .port = port, .service = service, .proto = proto };
	words_be(&addr, fe->addr_be);
	fe->port_be = port_be(port);
	fe->proto = proto;
	fe->family = addr.family;
	fe->service = service;
	fe->sum = sum_of(&addr, port, false);
	put_endpoint(r, false, &addr, port, proto, PINTLE_EP_VALID, id, service);
	for (i = 0; i < m->nr_vips; i++)
		known |= wire__same_addr(&m->vips[i].addr, &addr);
	if (!known)
		rig__add_vip(r, addr, false);
	return id;
}

uint16_t rig__add_pod(struct rig *r, struct wire_addr addr, uint16_t port)
{
	uint16_t id = r->model.nr_pods++;
	struct pintle_pod *pod = &r->pods[id];

	ck_assert_uint_lt(id, MODEL_MAX_PODS);
	r->model.pods[id] = (struct model_pod){ .addr = addr, .port = port, .in_use = true };
	words_be(&addr, pod->addr_be);
	pod->port_be = port_be(port);
	pod->family = addr.family;
	pod->flags = PINTLE_POD_IN_USE;
	pod->sum = sum_of(&addr, port, false);
	pod->addr_sum = fold_words(addr.b, wire__addr_bytes(addr.family), false);
	pod->concurrency = 1;
	pod->detail = (uint16_t)(id + 1);
	return id;
}

static uint64_t mac_word(const uint8_t mac[6], uint16_t generation)
{
	uint64_t w = 0;

	memcpy(&w, mac, 6);
	return w | (uint64_t)generation << 48;
}

void rig__set_redirect(struct rig *r, uint16_t pod, uint8_t mac_low)
{
	struct model_pod *mp = &r->model.pods[pod];
	uint32_t slot = pod, lo = 1;

	memcpy(mp->dmac, (uint8_t[6]){ 0x0a, 1, 2, 3, 4, mac_low }, 6);
	memcpy(mp->smac, (uint8_t[6]){ 0x0e, 9, 8, 7, 6, mac_low }, 6);
	mp->redirect = true;
	mp->has_macs = true;
	r->pods[pod].dmac_gen = mac_word(mp->dmac, 7);
	r->pods[pod].smac_gen = mac_word(mp->smac, 7);
	r->pods[pod].flags |= PINTLE_POD_REDIRECT;
	r->pods[pod].ifindex = lo; /* test runs do not transmit; a devmap slot must name a device */
	r->pods[pod].devmap = slot;
	ck_assert_int_eq(bpf_map_update_elem(r->devmap_fd, &slot, &lo, BPF_ANY), 0);
}

uint16_t rig__add_member(struct rig *r, uint16_t service, uint16_t pod, double gain, uint16_t concurrency)
{
	struct model_service *svc = &r->model.services[service];
	struct pintle_pool *pool = rig__pool(r, service);
	uint16_t index = svc->nr_members++;
	int16_t q8 = (int16_t)lround(256 * gain);
	struct pintle_member member = { .pod = pod,
					.gain_q8 = q8,
					.gain_sat_q8 = (int16_t)(q8 - lround(256 * log2(concurrency))),
					.concurrency = concurrency };
	uint32_t line = pool->members_line + index / PINTLE_MEMBERS_PER_LINE, half;

	ck_assert_uint_lt(index, MODEL_MAX_MEMBERS);
	svc->members[index] = pod;
	r->pods[pod].concurrency = concurrency;
	for (half = 0; half < 2; half++)
		r->members[line + half * r->meta.member_lines].member[index % PINTLE_MEMBERS_PER_LINE] = member;
	pool->nr_members = svc->nr_members;
	return index;
}

void rig__set_picks(struct rig *r, uint16_t service, const uint16_t *member_index, uint32_t nr)
{
	struct pintle_pool *pool = rig__pool(r, service);
	uint32_t i;

	ck_assert_uint_le(nr, RIG_PICK_LINES_EACH * PINTLE_PICKS_PER_LINE);
	for (i = 0; i < nr; i++)
		r->picks[pool->picks_line + i / PINTLE_PICKS_PER_LINE].member[i % PINTLE_PICKS_PER_LINE] = member_index[i];
	pool->nr_picks = nr;
}

static void rig__link_pod(struct rig *r, uint16_t pod)
{
	struct model *m = &r->model;
	struct model_pod *mp = &m->pods[pod];
	struct pintle_sibling_set *set = &r->siblings[pod].set[r->siblings[pod].active];
	uint16_t fe;
	int i;

	mp->nr_siblings = 0;
	for (fe = 0; fe < m->nr_frontends; fe++) {
		const struct model_service *svc = &m->services[m->frontends[fe].service];

		for (i = 0; i < svc->nr_members && svc->members[i] != pod; i++)
			;
		if (i == svc->nr_members)
			continue;
		ck_assert_uint_lt(mp->nr_siblings, PINTLE_MAX_SIBLINGS);
		mp->siblings[mp->nr_siblings++] = fe;
	}
	set->nr = mp->nr_siblings;
	r->pods[pod].nr_frontends = mp->nr_siblings;
	memcpy(set->frontend, mp->siblings, sizeof(set->frontend));
	put_endpoint(r, true, &mp->addr, mp->port, 0, PINTLE_EP_VALID, pod, 0);
}

void rig__link(struct rig *r)
{
	uint16_t pod;

	for (pod = 0; pod < r->model.nr_pods; pod++)
		rig__link_pod(r, pod);
}
