// SPDX-License-Identifier: BSD-2-Clause
/* Runs the fixtures, forward steps by XDP and by TC, and sees that no verdict is without one. */
#include <stdio.h>

#include <bpf/bpf.h>

#include "tests/bpf/check_bpf.h"
#include "tests/bpf/fixtures.h"

static const struct {
	const char *name;
	const struct fixture *fixtures;
	const size_t *nr;
} groups[] = {
	{ "parse", fixtures_parse, &nr_fixtures_parse },
	{ "steer", fixtures_steer, &nr_fixtures_steer },
	{ "icmp", fixtures_icmp, &nr_fixtures_icmp },
	{ "reverse", fixtures_reverse, &nr_fixtures_reverse },
};
#define NR_GROUPS (sizeof(groups) / sizeof(groups[0]))

/* Verdicts that need more than one packet after another on one CPU; each has a test of its own. */
static const struct {
	int verdict;
	const char *test;
} elsewhere[] = {
	{ PINTLE_V_DROP_TABLE_FULL, "test_table.c: full_of_young_flows" },
	{ PINTLE_V_DROP_RACE, "test_table.c: lost_race" },
	{ PINTLE_V_PASS_INTERNAL, "test_policy.c: missing_tables" },
	/* a test run cannot set tc_index, nor run an skb through two programs */
	{ PINTLE_V_REV_REDIRECTED, "tests/net/test_steer.sh: test_redirect" },
	{ PINTLE_V_STEER_HEALED, "test_heal.c: socket_is_found" },
	{ PINTLE_V_PASS_MISS_TWICE, "test_heal.c: not_told_apart" },
	{ PINTLE_V_DROP_HEAL_LATER, "test_heal.c: not_told_apart, rate" },
	{ PINTLE_V_DROP_GUESS, "test_heal.c: guess_is_refuted" },
	{ PINTLE_V_REV_HEALED, "test_heal.c: guess_is_confirmed" },
	{ PINTLE_V_REV_HEAL_LATER, "test_heal.c: rate" },
	{ PINTLE_V_REV_UNHEALED, "test_diff.c" },
	/* programs that can ask conntrack, devices of pods */
	{ PINTLE_V_PASS_OWNED, "tests/net/test_heal.sh" },
	{ PINTLE_V_PASS_MISS_BLIND, "tests/net/test_heal.sh" },
	{ PINTLE_V_STEER_HEALED_REDIRECT, "tests/net/test_heal.sh" },
	{ PINTLE_V_PASS_MISS_RATE, "as DROP_HEAL_LATER, where conntrack can be asked" },
	/* bpf_l4_csum_replace() fails only outside the packet, which the parser has excluded, or without memory to unshare an skb */
	{ PINTLE_V_DROP_INTERNAL, "not reachable from a test run" },
	{ PINTLE_V_REV_INTERNAL, "not reachable from a test run" },
};

static void run_fixture(const struct fixture *fx, bool by_tc)
{
	struct rig *r = rig__timeless();
	char why[RIG_WHY_BYTES];
	struct pkt p;
	int i, verdict;

	scene__make(r);
	if (fx->tweak)
		fx->tweak(r);
	for (i = 0; i < FIXTURE_MAX_STEPS && fx->steps[i].verdict; i++) {
		const struct fixture_step *step = &fx->steps[i];
		enum model_prog prog = step->prog == MODEL_XDP && by_tc ? MODEL_TC : step->prog;

		pkt__build(&step->spec, &p);
		if (rig__step(r, prog, p.data, p.bytes, &verdict, why)) {
			pkt__dump(fx->name, p.data, p.bytes);
			ck_abort_msg("%s (%s), step %d: %s", fx->name, by_tc ? "TC" : "XDP", i + 1, why);
		}
		ck_assert_msg(verdict == step->verdict,
			      "%s (%s), step %d: verdict %s of program and model, the fixture says %s", fx->name,
			      by_tc ? "TC" : "XDP", i + 1, verdict_name(verdict), verdict_name(step->verdict));
	}
	ck_assert_msg(!rig__audit(r, why), "%s: %s", fx->name, why);
}

static void run_group(size_t group, int i)
{
	run_fixture(&groups[group].fixtures[i / 2], i % 2);
}

START_TEST(fixture_parse)
	{
		run_group(0, _i);
	}
END_TEST

START_TEST(fixture_steer)
	{
		run_group(1, _i);
	}
END_TEST

START_TEST(fixture_icmp)
	{
		run_group(2, _i);
	}
END_TEST

START_TEST(fixture_reverse)
	{
		run_group(3, _i);
	}
END_TEST

START_TEST(every_verdict_has_a_fixture)
	{
		bool hit[PINTLE_V_MAX] = { [PINTLE_V_CONTINUE] = true };
		size_t g, i;
		int s, v;

		for (i = 0; i < sizeof(elsewhere) / sizeof(elsewhere[0]); i++)
			hit[elsewhere[i].verdict] = true;
		for (g = 0; g < NR_GROUPS; g++)
			for (i = 0; i < *groups[g].nr; i++)
				for (s = 0; s < FIXTURE_MAX_STEPS; s++)
					hit[groups[g].fixtures[i].steps[s].verdict] = true;
		for (v = 0; v < PINTLE_V_MAX; v++)
			ck_assert_msg(hit[v], "no fixture ends in %s", verdict_name(v));
	}
END_TEST

/* Correct packets must leave with correct checksums, judged by naive sums alone and not by the model. */
START_TEST(correct_stays_correct)
	{
		static const struct pkt_spec specs[] = { TO4(80, WIRE_SYN),	  TO6(WIRE_SYN), U4(.payload_bytes = 33),
							 U6(.payload_bytes = 32), R4(WIRE_SYN),	 R6(WIRE_SYN) };
		static struct rig_out out;
		struct rig *r = rig__timeless();
		const char *wrong;
		struct pkt p;
		int i;

		scene__make(r);
		for (i = 0; i < 2 * (int)(sizeof(specs) / sizeof(specs[0])); i++) {
			pkt__build(&specs[i / 2], &p);
			wrong = pkt__wrong_checksum(p.data, p.bytes);
			ck_assert_msg(!wrong, "the generator made a wrong %s checksum", wrong);
			ck_assert_int_eq(rig__run(r, i % 2 ? MODEL_TC : MODEL_XDP, p.data, p.bytes, &out), 0);
			ck_assert_msg(memcmp(out.data, p.data, p.bytes), "packet %d was not translated", i / 2);
			wrong = pkt__wrong_checksum(out.data, out.bytes);
			ck_assert_msg(!wrong, "packet %d left with a wrong %s checksum", i / 2, wrong);
		}
	}
END_TEST

/* Torn at every byte: whatever is left, program and model agree and nothing else is touched. */
START_TEST(torn_at_every_byte)
	{
		static const struct pkt_spec inner = FRAME(VIP4_A, 80, CLIENT4, 5000, WIRE_TCP, .tcp_flags = WIRE_ACK,
							   .payload_bytes = 30);
		static const struct pkt_spec specs[] = {
			TO4(80, WIRE_SYN, .doff = 8),
			TO6(WIRE_SYN, .nr_vlans = 2),
			U4(.payload_bytes = 20, .nr_vlans = 1),
			U6(.payload_bytes = 9),
			FROM4(POD_TCP4, WIRE_ACK, .payload_bytes = 12),
			{ .src = ROUTER4, .dst = VIP4_A, .proto = WIRE_ICMP, .icmp_type = 3, .inner = &inner }
		};
		struct rig *r = rig__timeless();
		char why[RIG_WHY_BYTES];
		uint32_t n, s, prog;
		struct pkt p;

		scene__make(r);
		for (s = 0; s < sizeof(specs) / sizeof(specs[0]); s++) {
			pkt__build(&specs[s], &p);
			for (n = WIRE_ETH_BYTES; n <= p.bytes; n++)
				for (prog = 0; prog < MODEL_NR_PROGS; prog++)
					ck_assert_msg(!rig__can_run(prog, p.data, n) ||
							      !rig__step(r, prog, p.data, n, NULL, why),
						      "packet %u, %u of %u bytes, program %u: %s", s, n, p.bytes, prog, why);
		}
		ck_assert_msg(!rig__audit(r, why), "%s", why);
	}
END_TEST

/* XDP redirects through the devmap: an empty slot means that the stack delivers. TC names the device itself. */
START_TEST(devmap_slot_empty)
	{
		static const struct pkt_spec syn = R4(WIRE_SYN);
		struct rig *r = rig__timeless();
		char why[RIG_WHY_BYTES];
		uint32_t slot;
		struct pkt p;
		int verdict;

		scene__make(r);
		slot = r->pods[POD_RTCP4].devmap;
		ck_assert_int_eq(bpf_map_delete_elem(r->devmap_fd, &slot), 0);
		pkt__build(&syn, &p);
		ck_assert_msg(!rig__step(r, MODEL_TC, p.data, p.bytes, &verdict, why), "%s", why);
		ck_assert_int_eq(verdict, PINTLE_V_STEER_REDIRECT);
		r->model.pods[POD_RTCP4].has_macs = false; /* to the client the same: not possible now */
		ck_assert_msg(!rig__step(r, MODEL_XDP, p.data, p.bytes, &verdict, why), "%s", why);
		ck_assert_int_eq(verdict, PINTLE_V_STEER_FALLBACK);
	}
END_TEST

/* Runs a frame as a GSO super-packet of four segments; the verdict. */
static int run_gso(struct rig *r, enum model_prog prog, const struct pkt *p, struct rig_out *out, uint32_t segments)
{
	struct __sk_buff skb = { .gso_segs = segments, .gso_size = segments ? 100 : 0 };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = p->data, .data_size_in = p->bytes, .data_out = out->data,
		    .data_size_out = sizeof(out->data), .ctx_in = &skb, .ctx_size_in = sizeof(skb));
	uint64_t before[PINTLE_V_MAX], after[PINTLE_V_MAX];
	int v, seen = 0;

	rig__verdicts(r, before);
	ck_assert_int_eq(bpf_prog_test_run_opts(r->prog_fd[prog], &opts), 0);
	rig__verdicts(r, after);
	for (v = 0; v < PINTLE_V_MAX; v++)
		seen = after[v] != before[v] ? v : seen;
	out->bytes = opts.data_size_out;
	return seen;
}

/* "BIG TCP" super-packets state no length, UDP ones that of a segment: with GSO the frame bounds them, without they are malformed. */
START_TEST(gso_lengths)
	{
		static const struct pkt_spec syns[] = { TO4(80, WIRE_SYN), TO6(WIRE_SYN) };
		static const struct pkt_spec datas[] = { TO4(80, WIRE_ACK, .payload_bytes = 400),
							 TO6(WIRE_ACK, .payload_bytes = 400) };
		static const struct pkt_spec udp = U4(.payload_bytes = 400);
		static struct rig_out out;
		struct rig *r = rig__timeless();
		struct pkt p;

		scene__make(r);
		pkt__build(&syns[_i], &p);
		ck_assert_int_eq(rig__run(r, MODEL_TC, p.data, p.bytes, &out), 0);
		pkt__build(&datas[_i], &p);
		wire__put16(p.data + p.l3 + (_i ? 4 : 2), 0);
		ck_assert_int_eq(run_gso(r, MODEL_TC, &p, &out, 0), PINTLE_V_PASS_MALFORMED);
		ck_assert_int_eq(run_gso(r, MODEL_TC, &p, &out, 4), PINTLE_V_STEER_PASS);
		ck_assert_int_eq(wire__get16(out.data + p.l3 + (_i ? 4 : 2)), 0);
		pkt__build(&udp, &p);
		wire__put16(p.data + p.l4 + 4, 1000); /* beyond the datagram */
		ck_assert_int_eq(run_gso(r, MODEL_TC, &p, &out, 0), PINTLE_V_PASS_MALFORMED);
		ck_assert_int_eq(run_gso(r, MODEL_TC, &p, &out, 4), PINTLE_V_STEER_PASS);
	}
END_TEST

/* Every value that a UDP checksum can take, before and after: among them 0, which is sent as 0xffff (RFC 768). */
START_TEST(udp_every_checksum)
	{
		static const struct pkt_spec specs[] = { U4(.payload_bytes = 2), U4(.payload_bytes = 2), U6(.payload_bytes = 2),
							 FRAME(POD4(POD_UDP4), POD_PORT, CLIENT4, 5000, WIRE_UDP,
							       .payload_bytes = 2) };
		static const enum model_prog progs[] = { MODEL_XDP, MODEL_TC, MODEL_XDP, MODEL_REV_UP };
		struct rig *r = rig__timeless();
		char why[RIG_WHY_BYTES];
		struct pkt_spec spec = specs[_i];
		uint32_t word, check = 0;
		struct pkt p;

		scene__make(r);
		pkt__build(&specs[0], &p);
		ck_assert_msg(!rig__step(r, MODEL_XDP, p.data, p.bytes, NULL, why), "%s", why);
		spec.udp_check = PKT_UDP_NONE;
		for (word = 0; word < 65536; word++) { /* the checksum falls as the payload word rises; 0 stands for 0xffff */
			pkt__build(&spec, &p);
			wire__put16(p.data + p.l4 + 8, (uint16_t)word);
			check = wire__field_for(
				0, wire__sum(p.data + p.l4, p.bytes - p.l4) +
					   wire__pseudo_sum(p.data + p.l3, spec.src.family, WIRE_UDP, p.bytes - p.l4));
			wire__put16(p.data + p.l4 + 6, (uint16_t)(check ? check : 0xffff));
			ck_assert_msg(!rig__step(r, progs[_i], p.data, p.bytes, NULL, why), "payload %04x: %s", word, why);
		}
	}
END_TEST

Suite *fixtures_suite(void)
{
	Suite *s = suite_create("fixtures");
	TCase *tc = tcase_create("fixtures");

	tcase_set_timeout(tc, 30);
	tcase_add_loop_test(tc, fixture_parse, 0, 2 * (int)nr_fixtures_parse);
	tcase_add_loop_test(tc, fixture_steer, 0, 2 * (int)nr_fixtures_steer);
	tcase_add_loop_test(tc, fixture_icmp, 0, 2 * (int)nr_fixtures_icmp);
	tcase_add_loop_test(tc, fixture_reverse, 0, 2 * (int)nr_fixtures_reverse);
	tcase_add_test(tc, every_verdict_has_a_fixture);
	tcase_add_test(tc, devmap_slot_empty);
	tcase_add_loop_test(tc, udp_every_checksum, 0, 4);
	tcase_add_loop_test(tc, gso_lengths, 0, 2);
	tcase_add_test(tc, correct_stays_correct);
	tcase_add_test(tc, torn_at_every_byte);
	suite_add_tcase(s, tc);
	return s;
}
