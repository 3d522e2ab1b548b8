// SPDX-License-Identifier: BSD-2-Clause
/* agent/choose.c (`flows explain`) against the program, on the same tables: the pod that it names is the pod that the next packet gets. */
#include <arpa/inet.h>

#include "agent/choose.h"
#include "agent/flowview.h"
#include "tests/bpf/check_bpf.h"
#include "tests/bpf/kit.h"
#include "tests/bpf/rng.h"

#define NR_PODS 96u /* members beyond them share pods */
#define NR_PICKS 509u
#define ROUNDS 24u

static const uint16_t sizes[] = { 1, 2, 3, 7, 8, 63, 64, 65, 66, 200 };
#define NR_SIZES (sizeof(sizes) / sizeof(sizes[0]))

static const struct {
	uint8_t family, proto;
} kinds[] = { { 4, WIRE_TCP }, { 4, WIRE_UDP }, { 6, WIRE_TCP }, { 6, WIRE_UDP } };
#define NR_KINDS (sizeof(kinds) / sizeof(kinds[0]))

static struct table_maps maps_of(struct rig *r)
{
	return (struct table_maps){ .meta = &r->meta,
				    .ctl = r->ctl,
				    .flows = r->flows,
				    .stamps = r->stamps,
				    .vip4 = r->vip4,
				    .rev4 = r->rev4,
				    .vip6 = r->vip6,
				    .rev6 = r->rev6,
				    .frontends = r->frontends,
				    .services = r->services,
				    .members = r->members,
				    .picks = r->picks,
				    .pods = r->pods,
				    .siblings = r->siblings,
				    .loads = r->loads };
}

static struct wire_addr addr_in(uint8_t family, uint8_t net, uint32_t host)
{
	struct wire_addr addr = { .family = 6, .b = { 0x20, 0x01, 0x0d, 0xb8, net } };

	if (family == 4)
		return addr4(10, net, (uint8_t)(host >> 8), (uint8_t)host);
	addr.b[14] = (uint8_t)(host >> 8);
	addr.b[15] = (uint8_t)host;
	return addr;
}

/* Service 0, frontend 0, NR_PODS pods; its lines run on into those of services that are not there. */
static struct rig *make_service(uint8_t family, uint8_t proto, uint8_t policy, uint8_t flags)
{
	struct rig *r = rig__shared();
	uint16_t service = rig__add_service(r, policy, flags);

	rig__set_psi(r, 1);
	rig__add_frontend(r, service, addr_in(family, 1, 1), proto, 80);
	for (uint32_t i = 0; i < NR_PODS; i++)
		rig__add_member(r, service, rig__add_pod(r, addr_in(family, 2, 1 + i), KIT_POD_PORT), 0, 1);
	rig__link(r);
	return r;
}

static void fill_members(struct rig *r, struct rng *rng, uint16_t nr)
{
	rig__pool(r, 0)->nr_members = nr;
	for (uint32_t half = 0; half < 4; half++) { /* of both variants */
		for (uint32_t i = 0; i < nr; i++) {
			uint16_t concurrency = (uint16_t)(1 + rng__below(rng, 5) * rng__below(rng, 30));
			int16_t gain = (int16_t)(rng__below(rng, 2) ? 256 * (int)rng__below(rng, 3)
								    : (int)rng__below(rng, 8000) - 3000);

			r->members[half * r->meta.member_lines + i / PINTLE_MEMBERS_PER_LINE]
				.member[i % PINTLE_MEMBERS_PER_LINE] = (struct pintle_member){
				.pod = (uint16_t)(i * 37 % NR_PODS),
				.gain_q8 = gain,
				.gain_sat_q8 = (int16_t)(gain - (int)rng__below(rng, 900)),
				.concurrency = concurrency,
			};
		}
	}
}

/* Few values, so that there are ties; below zero and beyond every table too. */
static int32_t some_load(struct rng *rng, uint32_t round)
{
	switch (round % 4) {
	case 0:
		return (int32_t)rng__below(rng, 3) - 1;
	case 1:
		return (int32_t)rng__below(rng, 100);
	case 2:
		return (int32_t)rng__below(rng, 5000);
	default:
		return (1 << 22) - 2 + (int32_t)(rng__below(rng, 4) << rng__below(rng, 8));
	}
}

static void fill_state(struct rig *r, struct rng *rng, uint16_t nr, uint32_t round)
{
	uint16_t picks[NR_PICKS];

	kit__forget_flows(r);
	fill_members(r, rng, nr);
	for (uint32_t i = 0; i < NR_PICKS; i++)
		picks[i] = (uint16_t)rng__below(rng, nr);
	rig__set_picks(r, 0, picks, round % 6 == 5 ? 0 : NR_PICKS - round);
	for (uint32_t i = 0; i < NR_PODS; i++) {
		r->loads[i].awaiting = some_load(rng, round);
		r->loads[i].open = some_load(rng, round + 1);
	}
	r->ctl->gains_half = rng__below(rng, 2);
	r->services[0].rr_next = rng__below(rng, 1000);
	rig__pool(r, 0)->holdout = (uint8_t)rng__below(rng, 100);
	rig__pool(r, 0)->canary = (uint8_t)rng__below(rng, 100);
	rig__pool(r, 0)->class_flags = (uint8_t)rng__below(rng, 2);
}

static void check_one(struct rig *r, struct rng *rng, uint8_t family, uint8_t proto, uint16_t nr)
{
	static struct choose_member members[256];
	const struct table_maps maps = maps_of(r);
	struct wire_addr client = addr_in(family, 3, rng__below(rng, 65536));
	struct pkt_spec spec = { .src = client,
				 .dst = addr_in(family, 1, 1),
				 .sport = (uint16_t)(1024 + rng__below(rng, 60000)),
				 .dport = 80,
				 .proto = proto,
				 .tcp_flags = WIRE_SYN };
	struct choose_flow flow = { .family = family, .proto = proto, .sport_be = htons(spec.sport) };
	struct choose_result result;
	struct flow_entry entry;

	memcpy(flow.saddr_be, client.b, family == 4 ? 4 : 16);
	flow.key = choose__key(&maps, &flow);
	ck_assert_int_eq(choose__explain(&maps, 0, &flow, members, &result), 0);
	ck_assert_uint_lt(result.member, nr);
	ck_assert(members[result.member].is_candidate);
	ck_assert_int_eq(kit__run(r, MODEL_XDP, &spec), PINTLE_V_STEER_PASS);
	ck_assert_msg(flowview__find(&maps, flow.key, family, 0, &entry), "the flow is not where its key says");
	ck_assert_msg(entry.pod == members[result.member].pod, "policy %u, %u members: explained pod %u (%s), chosen %u",
		      rig__pool(r, 0)->policy, nr, members[result.member].pod, result.why, entry.pod);
}

START_TEST(explained_is_chosen)
	{
		uint8_t policy = (uint8_t)(_i / 2), flags = _i % 2 ? PINTLE_SVC_LOAD_OPEN : 0;
		struct rng rng = { 1000u + (unsigned int)_i };

		for (uint32_t kind = 0; kind < NR_KINDS; kind++) {
			struct rig *r = make_service(kinds[kind].family, kinds[kind].proto, policy, flags);

			for (uint32_t i = 0; i < NR_SIZES * ROUNDS; i++) {
				uint16_t nr = sizes[i / ROUNDS];

				fill_state(r, &rng, nr, i % ROUNDS);
				check_one(r, &rng, kinds[kind].family, kinds[kind].proto, nr);
			}
		}
	}
END_TEST

Suite *choose_suite(void)
{
	Suite *s = suite_create("choose");
	TCase *tc = tcase_create("choose");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, explained_is_chosen, 0, 2 * PINTLE_POLICY_MAX);
	suite_add_tcase(s, tc);
	return s;
}
