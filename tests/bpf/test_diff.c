// SPDX-License-Identifier: BSD-2-Clause
/*
 * Differential fuzz: random conversations with structure-aware damage through all four programs and the model. PINTLE_FUZZ_PACKETS and
 * PINTLE_FUZZ_SEED choose; a packet that tells them apart is dumped and saved beside the object.
 */
#include <stdio.h>
#include <stdlib.h>

#include "tests/bpf/check_bpf.h"
#include "tests/bpf/scene.h"

struct fuzz {
	struct rng rng;
	struct rig *r;
};

static struct wire_addr fuzz__client(struct fuzz *f, uint8_t family)
{
	uint8_t n = (uint8_t)rng__below(&f->rng, 12);

	return family == 4 ? addr4(203, 0, 113, (uint8_t)(7 + n)) : addr6(9, (uint16_t)(7 + n));
}

static uint16_t fuzz__client_port(struct fuzz *f)
{
	return (uint16_t)(5000 + rng__below(&f->rng, 6));
}

static uint8_t fuzz__tcp_flags(struct fuzz *f)
{
	static const uint8_t usual[] = { WIRE_SYN,
					 WIRE_SYN,
					 WIRE_SYN | WIRE_ACK,
					 WIRE_ACK,
					 WIRE_ACK,
					 WIRE_PSH | WIRE_ACK,
					 WIRE_FIN | WIRE_ACK,
					 WIRE_RST,
					 WIRE_RST | WIRE_ACK,
					 WIRE_FIN | WIRE_PSH | WIRE_ACK };

	if (rng__one_in(&f->rng, 12))
		return (uint8_t)rng__below(&f->rng, 256);
	return usual[rng__below(&f->rng, sizeof(usual))];
}

static void fuzz__decorate(struct fuzz *f, struct pkt_spec *s)
{
	struct rng *rng = &f->rng;

	s->payload_bytes = rng__one_in(rng, 2) ? 0 : rng__below(rng, rng__one_in(rng, 20) ? 3200 : 120);
	if (rng__one_in(rng, 20))
		s->dst_mac = (uint8_t)rng__below(rng, PKT_NR_MACS);
	if (rng__one_in(rng, 8))
		s->nr_vlans = (uint8_t)rng__below(rng, 4);
	if (rng__one_in(rng, 8)) {
		s->ttl = (uint8_t)rng__below(rng, 4);
		s->zero_ttl = !s->ttl;
	}
	if (rng__one_in(rng, 8))
		s->check_lie = (int16_t)rng__next(rng);
	if (rng__one_in(rng, 16))
		s->ip_check_lie = (int16_t)rng__next(rng);
	if (rng__one_in(rng, 4))
		s->doff = (uint8_t)(5 + rng__below(rng, 11));
	s->udp_check = (uint8_t)rng__below(rng, 3);
	if (rng__one_in(rng, 8))
		s->trailer_bytes = rng__below(rng, 40);
	if (rng__one_in(rng, 30))
		s->frag_field = (uint16_t)rng__next(rng);
	if (rng__one_in(rng, 30))
		s->option_words = (uint8_t)rng__below(rng, 11);
	if (rng__one_in(rng, 30)) {
		s->ext_present = 1;
		s->ext_header = (uint8_t)rng__below(rng, 64);
	}
	if (rng__one_in(rng, 30))
		s->ip_length_lie = (int16_t)((int)rng__below(rng, 60) - 30);
	if (rng__one_in(rng, 30))
		s->udp_length_lie = (int16_t)((int)rng__below(rng, 60) - 30);
}

/* Client to a frontend, mostly one that exists. */
static void fuzz__request(struct fuzz *f, struct pkt_spec *s)
{
	const struct model_frontend *fe = &f->r->model.frontends[rng__below(&f->rng, NR_SCENE_FRONTENDS)];

	memset(s, 0, sizeof(*s));
	s->src = fuzz__client(f, fe->addr.family);
	s->sport = fuzz__client_port(f);
	s->dst = fe->addr;
	s->dport = rng__one_in(&f->rng, 25) ? (uint16_t)rng__next(&f->rng) : fe->port;
	s->proto = rng__one_in(&f->rng, 25) ? (uint8_t)rng__next(&f->rng) : fe->proto;
	if (rng__one_in(&f->rng, 40))
		s->dst.b[3] = (uint8_t)rng__next(&f->rng);
	s->tcp_flags = fuzz__tcp_flags(f);
}

/* A pod to a client. */
static void fuzz__reply(struct fuzz *f, struct pkt_spec *s)
{
	const struct model_pod *pod = &f->r->model.pods[rng__below(&f->rng, NR_SCENE_PODS)];
	uint8_t proto = pod->nr_siblings ? f->r->model.frontends[pod->siblings[0]].proto : WIRE_TCP;

	memset(s, 0, sizeof(*s));
	s->src = pod->addr;
	s->sport = rng__one_in(&f->rng, 25) ? (uint16_t)rng__next(&f->rng) : pod->port;
	s->dst = fuzz__client(f, pod->addr.family);
	s->dport = fuzz__client_port(f);
	s->proto = rng__one_in(&f->rng, 25) ? WIRE_UDP : proto;
	s->tcp_flags = fuzz__tcp_flags(f);
}

/* An error that quotes a reply as the network saw it, or a request as the pod saw it. */
static void fuzz__icmp(struct fuzz *f, bool reverse, struct pkt_spec *s, struct pkt_spec *inner)
{
	struct pkt_spec seen;
	bool v6;

	if (reverse)
		fuzz__reply(f, &seen); /* what the pod would have sent; the quote goes the other way */
	else
		fuzz__request(f, &seen);
	memset(inner, 0, sizeof(*inner));
	if (rng__one_in(&f->rng, 4))
		fuzz__decorate(f, inner);
	inner->src = seen.dst;
	inner->sport = seen.dport;
	inner->dst = seen.src;
	inner->dport = seen.sport;
	inner->proto = seen.proto;
	inner->nr_vlans = 0;
	if (inner->payload_bytes > 1200)
		inner->payload_bytes = 1200;
	v6 = inner->src.family == 6;
	memset(s, 0, sizeof(*s));
	fuzz__decorate(f, s);
	s->src = v6 ? addr6(8, 1) : addr4(192, 0, 2, 1);
	if (reverse && rng__one_in(&f->rng, 2))
		s->src = inner->dst;
	s->dst = inner->src;
	s->proto = v6 ? WIRE_ICMP6 : WIRE_ICMP;
	s->icmp_type = (uint8_t)rng__below(&f->rng, 14);
	if (!rng__one_in(&f->rng, 6))
		s->icmp_type = v6 ? 2 : 3;
	s->icmp_code = (uint8_t)rng__below(&f->rng, 6);
	s->inner = inner;
	if (rng__one_in(&f->rng, 2))
		s->inner_bytes = 1 + rng__below(&f->rng, 90);
	/* a quote of ICMP would quote nothing: its own inner is absent */
	inner->inner = NULL;
	inner->icmp_type = 8;
}

static enum model_prog fuzz__make(struct fuzz *f, struct pkt *p)
{
	bool reverse = rng__one_in(&f->rng, 2);
	struct pkt_spec s, inner;

	memset(&inner, 0, sizeof(inner));
	if (rng__one_in(&f->rng, 6)) {
		fuzz__icmp(f, reverse, &s, &inner);
	} else {
		if (reverse)
			fuzz__reply(f, &s);
		else
			fuzz__request(f, &s);
		fuzz__decorate(f, &s);
	}
	pkt__build(&s, p);
	if (rng__one_in(&f->rng, 4))
		pkt__mutate(p, &f->rng);
	if (rng__one_in(&f->rng, 50)) /* the wrong direction altogether */
		reverse = !reverse;
	if (reverse)
		return rng__one_in(&f->rng, 2) ? MODEL_REV_UP : MODEL_REV_VETH;
	return rng__one_in(&f->rng, 2) ? MODEL_XDP : MODEL_TC;
}

/* Now and then the world changes. */
static void fuzz__tweak(struct fuzz *f)
{
	struct rig *r = f->r;

	switch (rng__below(&f->rng, 9)) {
	case 0:
		r->model.draining = !r->model.draining && rng__one_in(&f->rng, 2);
		r->ctl->flags = r->model.draining ? PINTLE_CTL_DRAINING : 0;
		break;
	case 1:
		r->model.reject_budget = (int32_t)rng__below(&f->rng, 40);
		r->ctl->reject_budget = r->model.reject_budget;
		break;
	case 2:
		r->model.pods[POD_RTCP4].has_macs = rng__one_in(&f->rng, 2);
		r->pods[POD_RTCP4].smac_gen = (r->pods[POD_RTCP4].smac_gen & ((1ull << 48) - 1)) |
					      (r->model.pods[POD_RTCP4].has_macs ? 7ull : 8ull) << 48;
		break;
	case 3:
		r->model.has_uplink = rng__one_in(&f->rng, 2);
		r->ctl->uplink_ifindex = r->model.has_uplink;
		break;
	case 4:
		r->model.no_agent = rng__one_in(&f->rng, 3);
		rig__set_silence(r, r->model.no_agent ? 9u << RIG_TIMELESS_SHIFT : 0);
		r->ctl->absence = 9;
		break;
	case 5:
	case 6:
		r->model.recovering = rng__one_in(&f->rng, 2);
		r->ctl->recover_until_ns = r->model.recovering ? UINT64_MAX : 0;
		break;
	default:
		r->model.has_uplink = true;
		r->ctl->uplink_ifindex = 1;
	}
}

static void fuzz__save(const struct pkt *p, uint64_t seed, uint64_t at)
{
	const char *path = ".output/fuzz-packet.bin";
	FILE *out = fopen(path, "wb");

	pkt__dump("the packet that tells program and model apart", p->data, p->bytes);
	if (!out)
		return;
	fwrite(p->data, 1, p->bytes, out);
	fclose(out);
	fprintf(stderr, "saved in %s; again by PINTLE_FUZZ_SEED=%llu PINTLE_FUZZ_PACKETS=%llu\n", path,
		(unsigned long long)seed, (unsigned long long)at + 1);
}

/* Flows pile up; a round ends before the table is so full that one gives way, which the model does not do. */
#define FUZZ_ROUND 100000u

static void fuzz__begin_round(struct fuzz *f, uint64_t total[PINTLE_V_MAX])
{
	uint64_t verdicts[PINTLE_V_MAX];
	char why[RIG_WHY_BYTES];
	int v;

	ck_assert_msg(!rig__audit(f->r, why), "%s", why);
	rig__verdicts(f->r, verdicts);
	for (v = 0; v < PINTLE_V_MAX; v++)
		total[v] += verdicts[v];
	f->r = rig__timeless();
	scene__make(f->r);
}

/* A full table, two CPUs, a helper that fails, sockets of pods: not in this world. */
static bool fuzz__is_elsewhere(int verdict)
{
	static const int elsewhere[] = { PINTLE_V_DROP_TABLE_FULL,	PINTLE_V_DROP_RACE,	 PINTLE_V_DROP_INTERNAL,
					 PINTLE_V_PASS_INTERNAL,	PINTLE_V_REV_INTERNAL,	 PINTLE_V_REV_REDIRECTED,
					 PINTLE_V_STEER_HEALED,		PINTLE_V_PASS_OWNED,	 PINTLE_V_PASS_MISS_TWICE,
					 PINTLE_V_PASS_MISS_BLIND,	PINTLE_V_PASS_MISS_RATE, PINTLE_V_REV_HEAL_LATER,
					 PINTLE_V_STEER_HEALED_REDIRECT };
	size_t i;

	for (i = 0; i < sizeof(elsewhere) / sizeof(elsewhere[0]); i++)
		if (elsewhere[i] == verdict)
			return true;
	return false;
}

static void fuzz__report(const uint64_t total[PINTLE_V_MAX], uint64_t seed, uint64_t ran, bool demand_all)
{
	uint64_t sum = 0;
	int v;

	for (v = 0; v < PINTLE_V_MAX; v++)
		sum += total[v];
	ck_assert_uint_eq(sum, ran);
	printf("# differential fuzz: seed %llu, %llu packets, all equal;", (unsigned long long)seed, (unsigned long long)ran);
	for (v = 1; v < PINTLE_V_MAX; v++)
		printf(" %s %llu", verdict_name(v), (unsigned long long)total[v]);
	printf("\n");
	for (v = 1; demand_all && v < PINTLE_V_MAX; v++) /* a generator that never gets there proves nothing */
		ck_assert_msg(total[v] || fuzz__is_elsewhere(v), "no packet ended in %s", verdict_name(v));
}

START_TEST(programs_equal_model)
	{
		uint64_t nr = tests_count("PINTLE_FUZZ_PACKETS", 100000, 10000000),
			 seed = tests_count("PINTLE_FUZZ_SEED", 20240611, 20240611), i;
		static const char *const names[] = { "pt_xdp", "pt_tc", "pt_rev_up", "pt_rev_veth" };
		uint64_t total[PINTLE_V_MAX] = { 0 }, ran = 0;
		struct fuzz f = { .rng = { seed }, .r = rig__timeless() };
		char why[RIG_WHY_BYTES];
		enum model_prog prog;
		struct pkt p;

		for (i = 0; i < nr; i++) {
			if (i % FUZZ_ROUND == 0)
				fuzz__begin_round(&f, total);
			if (i % 64 == 0)
				rig__drain_events(f.r);
			if (i % 512 == 511)
				fuzz__tweak(&f);
			prog = fuzz__make(&f, &p);
			if (!rig__can_run(prog, p.data, p.bytes))
				continue;
			ran++;
			if (!rig__step(f.r, prog, p.data, p.bytes, NULL, why))
				continue;
			fuzz__save(&p, seed, i);
			ck_abort_msg("seed %llu, packet %llu, %s: %s", (unsigned long long)seed, (unsigned long long)i,
				     names[prog], why);
		}
		fuzz__begin_round(&f, total);
		fuzz__report(total, seed, ran, nr >= 100000);
	}
END_TEST

Suite *diff_suite(void)
{
	Suite *s = suite_create("diff");
	TCase *tc = tcase_create("diff");

	tcase_set_timeout(tc, tests_full() ? 3600 : 120);
	tcase_add_test(tc, programs_equal_model);
	suite_add_tcase(s, tc);
	return s;
}
