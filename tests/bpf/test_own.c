// SPDX-License-Identifier: BSD-2-Clause
/* Whose frames are taken: states of pt_uplinks that the fixtures do not have. */
#include "tests/bpf/check_bpf.h"
#include "tests/bpf/kit.h"

#define LO 1u

static struct rig *own_rig(void)
{
	struct rig *r = rig__shared();

	kit__service(r, PINTLE_POLICY_SCORE, 0, 1);
	return r;
}

static int syn(struct rig *r, enum model_prog prog, enum pkt_mac mac)
{
	struct pkt_spec spec = { .src = kit__client(1),
				 .dst = addr4(198, 51, 100, 1),
				 .sport = 1024,
				 .dport = 80,
				 .proto = WIRE_TCP,
				 .tcp_flags = WIRE_SYN,
				 .dst_mac = (uint8_t)mac };

	return kit__run(r, prog, &spec);
}

static void move_entry(struct rig *r, uint32_t to)
{
	r->uplinks[to] = r->uplinks[LO];
	r->uplinks[LO] = (struct pintle_uplink){ .ifindex = LO + PINTLE_MAX_UPLINKS, .nr_macs = 1, .mac = { 0x0200000000ull } };
}

/* Another device holds the place where the look-up begins. */
START_TEST(device_in_another_entry)
	{
		struct rig *r = own_rig();

		move_entry(r, _i ? 0 : PINTLE_MAX_UPLINKS - 1);
		ck_assert_int_eq(syn(r, MODEL_XDP, PKT_MAC_OWN), PINTLE_V_STEER_PASS);
		ck_assert_int_eq(syn(r, MODEL_TC, PKT_MAC_SECOND), PINTLE_V_STEER_PASS);
		ck_assert_int_eq(syn(r, MODEL_XDP, PKT_MAC_OTHER), PINTLE_V_PASS_OTHER_MAC);
		ck_assert_int_eq(syn(r, MODEL_TC, PKT_MAC_BROADCAST), PINTLE_V_PASS_OTHER_MAC);
	}
END_TEST

/* Attached before anybody has written the table: every frame is taken. */
START_TEST(device_without_entry)
	{
		struct rig *r = own_rig();

		if (_i)
			move_entry(r, 5);
		r->uplinks[_i ? 5 : LO].ifindex = 0;
		ck_assert_int_eq(syn(r, MODEL_XDP, PKT_MAC_OTHER), PINTLE_V_STEER_PASS);
		ck_assert_int_eq(syn(r, MODEL_TC, PKT_MAC_OTHER), PINTLE_V_STEER_PASS);
	}
END_TEST

/* While the list is written, and when it does not fit, rather too many than none. */
START_TEST(any_address)
	{
		struct rig *r = own_rig();

		r->uplinks[LO].nr_macs = PINTLE_UPLINK_ANY_MAC;
		ck_assert_int_eq(syn(r, MODEL_XDP, PKT_MAC_OTHER), PINTLE_V_STEER_PASS);
		r->uplinks[LO].nr_macs = PINTLE_UPLINK_MACS + 1; /* nobody writes this; bounded all the same */
		ck_assert_int_eq(syn(r, MODEL_XDP, PKT_MAC_OTHER), PINTLE_V_STEER_PASS);
		r->uplinks[LO].nr_macs = PINTLE_UPLINK_MACS;
		ck_assert_int_eq(syn(r, MODEL_XDP, PKT_MAC_OTHER), PINTLE_V_PASS_OTHER_MAC);
		memcpy(&r->uplinks[LO].mac[PINTLE_UPLINK_MACS - 1], pkt_macs[PKT_MAC_OTHER], 6);
		ck_assert_int_eq(syn(r, MODEL_XDP, PKT_MAC_OTHER), PINTLE_V_STEER_PASS);
		r->uplinks[LO].nr_macs = PINTLE_UPLINK_MACS - 1;
		ck_assert_int_eq(syn(r, MODEL_TC, PKT_MAC_OTHER), PINTLE_V_PASS_OTHER_MAC);
	}
END_TEST

/* At TC the kernel's word comes first: the table may be behind when a device's address has changed. */
START_TEST(kernel_knows_its_own)
	{
		static struct rig_out out;
		struct rig *r = own_rig();
		struct pkt_spec spec = { .src = kit__client(1),
					 .dst = addr4(198, 51, 100, 1),
					 .sport = 1024,
					 .dport = 80,
					 .proto = WIRE_TCP,
					 .tcp_flags = WIRE_SYN };
		struct pkt p;

		pkt__build(&spec, &p);
		memset(p.data, 0, 6); /* the address of lo */
		ck_assert_int_eq(rig__run(r, MODEL_XDP, p.data, p.bytes, &out), 0);
		ck_assert_uint_eq(rig__verdict(r, PINTLE_V_PASS_OTHER_MAC), 1);
		ck_assert_int_eq(rig__run(r, MODEL_TC, p.data, p.bytes, &out), 0);
		ck_assert_uint_eq(rig__verdict(r, PINTLE_V_STEER_PASS), 1);
	}
END_TEST

Suite *own_suite(void)
{
	Suite *s = suite_create("own");
	TCase *tc = tcase_create("own");

	tcase_add_loop_test(tc, device_in_another_entry, 0, 2);
	tcase_add_loop_test(tc, device_without_entry, 0, 2);
	tcase_add_test(tc, any_address);
	tcase_add_test(tc, kernel_knows_its_own);
	suite_add_tcase(s, tc);
	return s;
}
