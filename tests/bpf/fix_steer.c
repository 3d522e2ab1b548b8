// SPDX-License-Identifier: BSD-2-Clause
/* Client to pod. */
#include "tests/bpf/fixtures.h"

static void no_budget(struct rig *r)
{
	r->ctl->reject_budget = 0;
	r->model.reject_budget = 0;
}

static void budget_of_one(struct rig *r)
{
	r->ctl->reject_budget = 1;
	r->model.reject_budget = 1;
}

static void draining(struct rig *r)
{
	r->ctl->flags = PINTLE_CTL_DRAINING;
	r->model.draining = true;
}

static void no_agent(struct rig *r)
{
	rig__set_silence(r, 3u << RIG_TIMELESS_SHIFT);
	r->ctl->absence = 3;
	r->model.no_agent = true;
}

static void forget_mac(struct rig *r)
{
	r->pods[POD_RTCP4].dmac_gen = 0;
	r->model.pods[POD_RTCP4].has_macs = false;
}

static void other_mac_generation(struct rig *r)
{
	r->pods[POD_RTCP4].smac_gen += 1ull << 48;
	r->model.pods[POD_RTCP4].has_macs = false;
}

#define TO(vip_, port_, flags_, ...)                                                                                \
	{                                                                                                           \
		.src = CLIENT4, .sport = 5000, .dst = vip_, .dport = port_, .proto = WIRE_TCP, .tcp_flags = flags_, \
		##__VA_ARGS__                                                                                       \
	}
#define SA (WIRE_SYN | WIRE_ACK)
#define PA (WIRE_PSH | WIRE_ACK)
#define ONE(name_, verdict_, ...)                  \
	{                                          \
		name_, NULL,                       \
		{                                  \
			FWD(verdict_, __VA_ARGS__) \
		}                                  \
	}

const struct fixture fixtures_steer[] = {
	ONE("SYN", STEER_PASS, TO4(80, WIRE_SYN)),
	ONE("SYN with options", STEER_PASS, TO4(80, WIRE_SYN, .doff = 10)),
	ONE("SYN, IPv6", STEER_PASS, TO6(WIRE_SYN)),
	ONE("SYN, VLAN", STEER_PASS, TO4(80, WIRE_SYN, .nr_vlans = 1)),
	ONE("SYN, QinQ", STEER_PASS, TO4(80, WIRE_SYN, .nr_vlans = 2)),
	ONE("SYN, IPv6, QinQ", STEER_PASS, TO6(WIRE_SYN, .nr_vlans = 2)),
	ONE("SYN, padded frame", STEER_PASS, TO4(80, WIRE_SYN, .trailer_bytes = 6)),
	ONE("SYN, TTL 1 (pass leaves it to the stack)", STEER_PASS, TO4(80, WIRE_SYN, .ttl = 1)),
	ONE("SYN, wrong TCP checksum stays wrong", STEER_PASS, TO4(80, WIRE_SYN, .check_lie = 77)),
	ONE("SYN, wrong IP checksum stays wrong", STEER_PASS, TO4(80, WIRE_SYN, .ip_check_lie = -5)),
	ONE("SYN, IPv6, wrong checksum stays wrong", STEER_PASS, TO6(WIRE_SYN, .check_lie = 1000)),
	ONE("SYN with ECN flags", STEER_PASS, TO4(80, WIRE_SYN | 0xc0)),
	ONE("UDP", STEER_PASS, U4(.payload_bytes = 33)),
	ONE("UDP without payload", STEER_PASS, U4(.payload_bytes = 0)),
	ONE("UDP without checksum", STEER_PASS, U4(.payload_bytes = 33, .udp_check = PKT_UDP_NONE)),
	ONE("UDP whose checksum is all ones", STEER_PASS, U4(.payload_bytes = 34, .udp_check = PKT_UDP_ALL_ONES)),
	ONE("UDP over IPv6", STEER_PASS, U6(.payload_bytes = 33)),
	ONE("UDP over IPv6 whose checksum is all ones", STEER_PASS, U6(.payload_bytes = 34, .udp_check = PKT_UDP_ALL_ONES)),
	ONE("UDP over IPv6 without checksum", STEER_PASS, U6(.payload_bytes = 4, .udp_check = PKT_UDP_NONE)),
	ONE("UDP, wrong checksum stays wrong", STEER_PASS, U4(.payload_bytes = 10, .check_lie = 3)),
	ONE("UDP, largest linear frame", STEER_PASS, U4(.payload_bytes = 3390)),
	ONE("UDP, length shorter than the datagram", STEER_PASS, U4(.payload_bytes = 40, .udp_length_lie = -8)),
	ONE("ACK of nobody", PASS_MISS, TO4(80, WIRE_ACK)),
	ONE("SYN-ACK of nobody", PASS_MISS, TO4(80, SA)),
	ONE("RST of nobody", PASS_MISS, TO4(80, WIRE_RST)),
	ONE("SYN and RST of nobody", PASS_MISS, TO4(80, WIRE_SYN | WIRE_RST)),
	ONE("FIN of nobody", PASS_MISS, TO4(80, WIRE_FIN | WIRE_ACK)),
	ONE("no flags at all", PASS_MISS, TO4(80, 0)),
	ONE("data of nobody, IPv6", PASS_MISS, TO6(PA, .payload_bytes = 100)),
	{ "connection to its end",
	  NULL,
	  { FWD(STEER_PASS, TO4(80, WIRE_SYN)), FWD(STEER_PASS, TO4(80, WIRE_SYN)), UP(REV_STEER, FROM4(POD_TCP4, SA)),
	    FWD(STEER_PASS, TO4(80, WIRE_ACK)), FWD(STEER_PASS, TO4(80, PA, .payload_bytes = 90)),
	    UP(REV_STEER, FROM4(POD_TCP4, PA, .payload_bytes = 1000)), FWD(STEER_PASS, TO4(80, WIRE_FIN | WIRE_ACK)),
	    UP(REV_STEER, FROM4(POD_TCP4, WIRE_FIN | WIRE_ACK)), FWD(STEER_PASS, TO4(80, WIRE_ACK)),
	    FWD(STEER_PASS, TO4(80, WIRE_SYN)) } },
	{ "connection to its end, IPv6",
	  NULL,
	  { FWD(STEER_PASS, TO6(WIRE_SYN)), UP(REV_STEER, FROM6(SA)), FWD(STEER_PASS, TO6(PA, .payload_bytes = 90)),
	    UP(REV_STEER, FROM6(PA, .payload_bytes = 1000)), FWD(STEER_PASS, TO6(PA, .payload_bytes = 9)),
	    FWD(STEER_PASS, TO6(WIRE_RST)), UP(REV_STEER, FROM6(WIRE_RST)), FWD(STEER_PASS, TO6(WIRE_ACK)) } },
	{ "several requests on a connection",
	  NULL,
	  { FWD(STEER_PASS, TO4(80, WIRE_SYN)), UP(REV_STEER, FROM4(POD_TCP4, SA)),
	    FWD(STEER_PASS, TO4(80, PA, .payload_bytes = 1)), UP(REV_STEER, FROM4(POD_TCP4, PA, .payload_bytes = 1)),
	    UP(REV_STEER, FROM4(POD_TCP4, PA, .payload_bytes = 1)), FWD(STEER_PASS, TO4(80, PA, .payload_bytes = 2)),
	    FWD(STEER_PASS, TO4(80, PA, .payload_bytes = 2)), UP(REV_STEER, FROM4(POD_TCP4, PA, .payload_bytes = 1)) } },
	{ "UDP exchange",
	  NULL,
	  { FWD(STEER_PASS, U4(.payload_bytes = 5)), FWD(STEER_PASS, U4(.payload_bytes = 6)),
	    UP(REV_STEER, FRAME(POD4(POD_UDP4), POD_PORT, CLIENT4, 5000, WIRE_UDP, .payload_bytes = 7)),
	    FWD(STEER_PASS, U4(.payload_bytes = 5)) } },
	{ "redirect",
	  NULL,
	  { FWD(STEER_REDIRECT, R4(WIRE_SYN)), FWD(STEER_REDIRECT, R4(WIRE_ACK)),
	    FWD(STEER_REDIRECT, R4(PA, .payload_bytes = 7)) } },
	ONE("redirect, IPv6", STEER_REDIRECT, R6(WIRE_SYN)),
	ONE("redirect, UDP", STEER_REDIRECT, FRAME(CLIENT4, 5000, VIP4_R, 53, WIRE_UDP, .payload_bytes = 12)),
	ONE("redirect, TTL 2", STEER_REDIRECT, R4(WIRE_SYN, .ttl = 2)),
	ONE("redirect, TTL 1", STEER_FALLBACK, R4(WIRE_SYN, .ttl = 1)),
	ONE("redirect, TTL 0", STEER_FALLBACK, R4(WIRE_SYN, .zero_ttl = 1)),
	ONE("redirect, hop limit 1", STEER_FALLBACK, R6(WIRE_SYN, .ttl = 1)),
	ONE("redirect, SYN in a VLAN is a pass flow", STEER_PASS, R4(WIRE_SYN, .nr_vlans = 1)),
	{ "redirect, later packet in a VLAN",
	  NULL,
	  { FWD(STEER_REDIRECT, R4(WIRE_SYN)), FWD(STEER_FALLBACK, R4(WIRE_ACK, .nr_vlans = 1)) } },
	{ "redirect, MAC unknown", forget_mac, { FWD(STEER_FALLBACK, R4(WIRE_SYN)) } },
	{ "redirect, MACs of different generations", other_mac_generation, { FWD(STEER_FALLBACK, R4(WIRE_SYN)) } },
	{ "redirect, wrong checksums stay wrong",
	  NULL,
	  { FWD(STEER_REDIRECT, R4(WIRE_SYN, .ip_check_lie = 9, .check_lie = 9)) } },
	ONE("redirect asked for, pod does not allow it", STEER_PASS, TO(VIP4_RPASS, 80, WIRE_SYN)),
	ONE("unknown TCP port", REJECT_PORT, TO4(81, WIRE_SYN)),
	ONE("unknown TCP port, not a SYN", REJECT_PORT, TO4(81, WIRE_ACK)),
	ONE("unknown TCP port, RST costs no budget", REJECT_PORT, TO4(81, WIRE_RST)),
	ONE("known port of the other protocol", REJECT_PORT, FRAME(CLIENT4, 5000, VIP4_A, 80, WIRE_UDP, .payload_bytes = 3)),
	ONE("unknown port, IPv6", REJECT_PORT, FRAME(CLIENT6, 5000, VIP6_A, 81, WIRE_TCP, .tcp_flags = WIRE_SYN)),
	ONE("port 0", REJECT_PORT, FRAME(CLIENT4, 5000, VIP4_A, 0, WIRE_TCP, .tcp_flags = WIRE_SYN)),
	ONE("unknown port of the node's own address", PASS_LOCAL_PORT, TO(VIP4_LOCAL, 22, WIRE_SYN)),
	ONE("known port of the node's own address", STEER_PASS, TO(VIP4_LOCAL, 80, WIRE_SYN)),
	ONE("no pod", REJECT_NO_POD, TO(VIP4_NOPOD, 80, WIRE_SYN)),
	ONE("no pod, ACK", PASS_MISS, TO(VIP4_NOPOD, 80, WIRE_ACK)),
	{ "reject without budget",
	  no_budget,
	  { FWD(DROP_REJECT_RATE, TO4(81, WIRE_SYN)), FWD(DROP_REJECT_RATE, TO(VIP4_NOPOD, 80, WIRE_SYN)) } },
	{ "reject until the budget is spent",
	  budget_of_one,
	  { FWD(REJECT_PORT, TO4(81, WIRE_SYN)), FWD(DROP_REJECT_RATE, TO4(81, WIRE_SYN)) } },
	{ "frames to another host: nothing is steered, rejected or closed",
	  NULL,
	  { FWD(PASS_OTHER_MAC, TO4(80, WIRE_SYN, .dst_mac = PKT_MAC_OTHER)), FWD(PASS_MISS, TO4(80, WIRE_ACK)),
	    FWD(PASS_OTHER_MAC, TO4(81, WIRE_SYN, .dst_mac = PKT_MAC_OTHER)),
	    FWD(PASS_OTHER_MAC, TO(VIP4_NOPOD, 80, WIRE_SYN, .dst_mac = PKT_MAC_OTHER)), FWD(STEER_PASS, TO4(80, WIRE_SYN)),
	    FWD(PASS_OTHER_MAC, TO4(80, WIRE_RST, .dst_mac = PKT_MAC_OTHER)),
	    FWD(PASS_OTHER_MAC, TO4(80, PA, .payload_bytes = 9, .dst_mac = PKT_MAC_OTHER)),
	    FWD(STEER_PASS, TO4(80, WIRE_ACK)) } },
	{ "frames to another host are not redirected",
	  NULL,
	  { FWD(STEER_REDIRECT, R4(WIRE_SYN)), FWD(PASS_OTHER_MAC, R4(WIRE_ACK, .dst_mac = PKT_MAC_OTHER)) } },
	ONE("broadcast", PASS_OTHER_MAC, TO4(80, WIRE_SYN, .dst_mac = PKT_MAC_BROADCAST)),
	ONE("frame to a group", PASS_OTHER_MAC, U4(.payload_bytes = 4, .dst_mac = PKT_MAC_GROUP)),
	ONE("frame to another host, IPv6, VLAN", PASS_OTHER_MAC, TO6(WIRE_SYN, .nr_vlans = 1, .dst_mac = PKT_MAC_OTHER)),
	ONE("frame to another address of this node", STEER_PASS, TO4(80, WIRE_SYN, .dst_mac = PKT_MAC_SECOND)),
	ONE("no VIP, to another host", PASS_OTHER_MAC,
	    FRAME(CLIENT4, 5000, OTHER4, 80, WIRE_TCP, .tcp_flags = WIRE_SYN, .dst_mac = PKT_MAC_OTHER)),
	{ "no agent for long: new flows and unknown ports are the stack's, known flows go on",
	  no_agent,
	  { FWD(PASS_NO_AGENT, TO4(80, WIRE_SYN)), FWD(PASS_NO_AGENT, TO4(81, WIRE_SYN)),
	    FWD(PASS_NO_AGENT, U6(.payload_bytes = 3)), FWD(PASS_NO_AGENT, TO(VIP4_NOPOD, 80, WIRE_SYN)),
	    FWD(PASS_MISS, TO4(80, WIRE_ACK)), FWD(PASS_LOCAL_PORT, TO(VIP4_LOCAL, 22, WIRE_SYN)) } },
	{ "draining",
	  draining,
	  { FWD(PASS_DRAINING, TO4(80, WIRE_SYN)), FWD(PASS_DRAINING, U6(.payload_bytes = 3)),
	    FWD(PASS_MISS, TO4(80, WIRE_ACK)) } },
};
const size_t nr_fixtures_steer = sizeof(fixtures_steer) / sizeof(fixtures_steer[0]);
