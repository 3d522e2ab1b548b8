// SPDX-License-Identifier: BSD-2-Clause
/* ICMP errors about steered flows, from the network to the pod and from the pod's side to the client. */
#include "tests/bpf/fixtures.h"

/* What was quoted: replies as the network saw them (VIP -> client), requests as the pod saw them (client -> pod). */
static const struct pkt_spec reply4 = FRAME(VIP4_A, 80, CLIENT4, 5000, WIRE_TCP, .tcp_flags = WIRE_ACK, .payload_bytes = 1400);
static const struct pkt_spec reply4_udp = FRAME(VIP4_A, 53, CLIENT4, 5000, WIRE_UDP, .payload_bytes = 100);
static const struct pkt_spec reply6 = FRAME(VIP6_A, 80, CLIENT6, 5000, WIRE_TCP, .tcp_flags = WIRE_ACK, .payload_bytes = 1400);
static const struct pkt_spec reply6_udp = FRAME(VIP6_A, 53, CLIENT6, 5000, WIRE_UDP, .payload_bytes = 100);
static const struct pkt_spec reply4_redirect = FRAME(VIP4_R, 80, CLIENT4, 5000, WIRE_TCP, .tcp_flags = WIRE_ACK,
						     .payload_bytes = 100);
static const struct pkt_spec reply6_redirect = FRAME(VIP6_R, 80, CLIENT6, 5000, WIRE_TCP, .tcp_flags = WIRE_ACK,
						     .payload_bytes = 100);
static const struct pkt_spec reply4_other_client = FRAME(VIP4_A, 80, CLIENT4, 5001, WIRE_TCP, .tcp_flags = WIRE_ACK);
static const struct pkt_spec reply4_other_port = FRAME(VIP4_A, 443, CLIENT4, 5000, WIRE_TCP, .tcp_flags = WIRE_ACK);
static const struct pkt_spec reply4_options = FRAME(VIP4_A, 80, CLIENT4, 5000, WIRE_TCP, .tcp_flags = WIRE_ACK,
						    .option_words = 2);
static const struct pkt_spec reply4_fragment = FRAME(VIP4_A, 80, CLIENT4, 5000, WIRE_TCP, .tcp_flags = WIRE_ACK,
						     .frag_field = 7);
static const struct pkt_spec reply4_bad_ip = FRAME(VIP4_A, 80, CLIENT4, 5000, WIRE_TCP, .tcp_flags = WIRE_ACK,
						   .ip_check_lie = 99);
static const struct pkt_spec echo4 = FRAME(VIP4_A, 0, CLIENT4, 0, WIRE_ICMP, .icmp_type = 8, .payload_bytes = 40);
static const struct pkt_spec request4 = FRAME(CLIENT4, 5000, POD4(POD_TCP4), POD_PORT, WIRE_TCP, .tcp_flags = WIRE_SYN);
static const struct pkt_spec request4_udp = FRAME(CLIENT4, 5000, POD4(POD_UDP4), POD_PORT, WIRE_UDP, .payload_bytes = 30);
static const struct pkt_spec request6 = FRAME(CLIENT6, 5000, POD6(POD_TCP6), POD_PORT, WIRE_TCP, .tcp_flags = WIRE_SYN);
static const struct pkt_spec request6_udp = FRAME(CLIENT6, 5000, POD6(POD_UDP6), POD_PORT, WIRE_UDP, .payload_bytes = 30);
static const struct pkt_spec request4_redirect = FRAME(CLIENT4, 5000, POD4(POD_RTCP4), POD_PORT, WIRE_TCP,
						       .tcp_flags = WIRE_SYN);
static const struct pkt_spec request6_redirect = FRAME(CLIENT6, 5000, POD6(POD_RTCP6), POD_PORT, WIRE_TCP,
						       .tcp_flags = WIRE_SYN);
static const struct pkt_spec request4_other = FRAME(CLIENT4, 5001, POD4(POD_TCP4), POD_PORT, WIRE_TCP, .tcp_flags = WIRE_SYN);
static const struct pkt_spec request4_not_pod = FRAME(CLIENT4, 5000, POD4(POD_TCP4), 9999, WIRE_TCP, .tcp_flags = WIRE_SYN);

#define ICMP4(src_, dst_, type_, code_, inner_, ...)                                                                    \
	{                                                                                                               \
		.src = src_, .dst = dst_, .proto = WIRE_ICMP, .icmp_type = type_, .icmp_code = code_, .inner = &inner_, \
		##__VA_ARGS__                                                                                           \
	}
#define ICMP6(src_, dst_, type_, code_, inner_, ...)                                                                     \
	{                                                                                                                \
		.src = src_, .dst = dst_, .proto = WIRE_ICMP6, .icmp_type = type_, .icmp_code = code_, .inner = &inner_, \
		##__VA_ARGS__                                                                                            \
	}
#define OPEN4 FWD(STEER_PASS, TO4(80, WIRE_SYN))
#define OPEN4_UDP FWD(STEER_PASS, U4(.payload_bytes = 5))
#define OPEN6 FWD(STEER_PASS, TO6(WIRE_SYN))
#define OPEN6_UDP FWD(STEER_PASS, U6(.payload_bytes = 5))
#define IN4(name_, verdict_, open_, ...)                                          \
	{                                                                         \
		name_, NULL,                                                      \
		{                                                                 \
			open_, FWD(verdict_, ICMP4(ROUTER4, VIP4_A, __VA_ARGS__)) \
		}                                                                 \
	}
#define IN6(name_, verdict_, open_, ...)                                          \
	{                                                                         \
		name_, NULL,                                                      \
		{                                                                 \
			open_, FWD(verdict_, ICMP6(ROUTER6, VIP6_A, __VA_ARGS__)) \
		}                                                                 \
	}

const struct fixture fixtures_icmp[] = {
	IN4("fragmentation needed", STEER_ICMP, OPEN4, 3, 4, reply4, .inner_bytes = 28),
	IN4("fragmentation needed, long quote", STEER_ICMP, OPEN4, 3, 4, reply4, .inner_bytes = 548),
	IN4("fragmentation needed, odd quote", STEER_ICMP, OPEN4, 3, 4, reply4, .inner_bytes = 531),
	IN4("fragmentation needed, to another host", PASS_OTHER_MAC, OPEN4, 3, 4, reply4, .inner_bytes = 28,
	    .dst_mac = PKT_MAC_OTHER),
	IN6("packet too big, to a group", PASS_OTHER_MAC, OPEN6, 2, 0, reply6, .inner_bytes = 48, .dst_mac = PKT_MAC_GROUP),
	IN4("port unreachable, UDP", STEER_ICMP, OPEN4_UDP, 3, 3, reply4_udp),
	IN4("time exceeded", STEER_ICMP, OPEN4, 11, 0, reply4, .inner_bytes = 28),
	IN4("parameter problem", STEER_ICMP, OPEN4, 12, 0, reply4, .inner_bytes = 28),
	IN4("VLAN", STEER_ICMP, OPEN4, 3, 4, reply4, .inner_bytes = 28, .nr_vlans = 2),
	IN4("wrong ICMP checksum stays wrong", STEER_ICMP, OPEN4, 3, 4, reply4, .inner_bytes = 28, .check_lie = 5),
	IN4("wrong outer checksum stays wrong", STEER_ICMP, OPEN4, 3, 4, reply4, .inner_bytes = 28, .ip_check_lie = 5),
	IN4("wrong quoted checksum stays wrong", STEER_ICMP, OPEN4, 3, 4, reply4_bad_ip, .inner_bytes = 28),
	IN4("another client port", PASS_ICMP, OPEN4, 3, 4, reply4_other_client, .inner_bytes = 28),
	IN4("another frontend port", PASS_ICMP, OPEN4, 3, 4, reply4_other_port, .inner_bytes = 28),
	IN4("quote with options", PASS_ICMP, OPEN4, 3, 4, reply4_options, .inner_bytes = 60),
	IN4("quote of a later fragment", PASS_ICMP, OPEN4, 3, 4, reply4_fragment, .inner_bytes = 28),
	IN4("quote of an echo", PASS_ICMP, OPEN4, 3, 1, echo4, .inner_bytes = 28),
	IN4("quote too short for ports", PASS_ICMP, OPEN4, 3, 4, reply4, .inner_bytes = 27),
	IN4("quote too short for its header", PASS_ICMP, OPEN4, 3, 4, reply4, .inner_bytes = 19),
	IN4("quote only in the frame's padding", PASS_ICMP, OPEN4, 3, 4, reply4, .inner_bytes = 28, .ip_length_lie = -8),
	{ "error to another address",
	  NULL,
	  { OPEN4, FWD(PASS_ICMP, ICMP4(ROUTER4, OTHER4, 3, 4, reply4, .inner_bytes = 28)) } },
	{ "error of a redirected flow",
	  NULL,
	  { FWD(STEER_REDIRECT, R4(WIRE_SYN)), FWD(STEER_ICMP_REDIRECT, ICMP4(ROUTER4, VIP4_R, 3, 4, reply4_redirect)) } },
	{ "error of a redirected flow, TTL 1",
	  NULL,
	  { FWD(STEER_REDIRECT, R4(WIRE_SYN)), FWD(STEER_ICMP, ICMP4(ROUTER4, VIP4_R, 3, 4, reply4_redirect, .ttl = 1)) } },
	{ "error of a redirected flow, IPv6",
	  NULL,
	  { FWD(STEER_REDIRECT, R6(WIRE_SYN)), FWD(STEER_ICMP_REDIRECT, ICMP6(ROUTER6, VIP6_R, 2, 0, reply6_redirect)) } },
	IN6("packet too big", STEER_ICMP, OPEN6, 2, 0, reply6, .inner_bytes = 48),
	IN6("packet too big, long quote", STEER_ICMP, OPEN6, 2, 0, reply6, .inner_bytes = 1200),
	IN6("unreachable", STEER_ICMP, OPEN6_UDP, 1, 4, reply6_udp),
	IN6("hop limit exceeded", STEER_ICMP, OPEN6, 3, 0, reply6, .inner_bytes = 48),
	IN6("parameter problem, IPv6", STEER_ICMP, OPEN6, 4, 1, reply6, .inner_bytes = 48),
	IN6("wrong ICMPv6 checksum stays wrong", STEER_ICMP, OPEN6, 2, 0, reply6, .inner_bytes = 48, .check_lie = 5),
	IN6("IPv6 quote too short", PASS_ICMP, OPEN6, 2, 0, reply6, .inner_bytes = 47),
	{ "ICMP header torn by its length",
	  NULL,
	  { FWD(PASS_MALFORMED, { .src = ROUTER4,
				  .dst = VIP4_A,
				  .proto = WIRE_ICMP,
				  .icmp_type = 3,
				  .payload_bytes = 40,
				  .ip_length_lie = -41 }) } },
	{ "port unreachable by the pod",
	  NULL,
	  { OPEN4_UDP, UP(REV_ICMP, ICMP4(POD4(POD_UDP4), CLIENT4, 3, 3, request4_udp)),
	    VETH(REV_OTHER_HOOK, ICMP4(POD4(POD_UDP4), CLIENT4, 3, 3, request4_udp)) } },
	{ "error of the node about the pod", NULL, { OPEN4, UP(REV_ICMP, ICMP4(ROUTER4, CLIENT4, 3, 1, request4)) } },
	{ "error of the pod, TCP",
	  NULL,
	  { OPEN4, UP(REV_ICMP, ICMP4(POD4(POD_TCP4), CLIENT4, 3, 13, request4, .inner_bytes = 28)) } },
	{ "IPv6 error of the pod", NULL, { OPEN6_UDP, UP(REV_ICMP, ICMP6(POD6(POD_UDP6), CLIENT6, 1, 4, request6_udp)) } },
	{ "IPv6 error of the node about the pod", NULL, { OPEN6, UP(REV_ICMP, ICMP6(ROUTER6, CLIENT6, 1, 3, request6)) } },
	{ "error of a redirected pod",
	  NULL,
	  { FWD(STEER_REDIRECT, R4(WIRE_SYN)),
	    VETH(REV_ICMP_REDIRECT, ICMP4(POD4(POD_RTCP4), CLIENT4, 3, 13, request4_redirect)),
	    UP(REV_ICMP, ICMP4(POD4(POD_RTCP4), CLIENT4, 3, 13, request4_redirect)) } },
	{ "IPv6 error of a redirected pod",
	  NULL,
	  { FWD(STEER_REDIRECT, R6(WIRE_SYN)),
	    VETH(REV_ICMP_REDIRECT, ICMP6(POD6(POD_RTCP6), CLIENT6, 1, 1, request6_redirect)) } },
	{ "error of a pod about a direct connection",
	  NULL,
	  { OPEN4, UP(REV_NO_FLOW, ICMP4(POD4(POD_TCP4), CLIENT4, 3, 13, request4_other)) } },
	{ "error about a port that is no pod",
	  NULL,
	  { OPEN4, UP(REV_NOT_POD, ICMP4(POD4(POD_TCP4), CLIENT4, 3, 3, request4_not_pod)) } },
	{ "error about a pod, sent to somebody else",
	  NULL,
	  { OPEN4, UP(REV_NOT_POD, ICMP4(POD4(POD_TCP4), OTHER4, 3, 3, request4)) } },
};
const size_t nr_fixtures_icmp = sizeof(fixtures_icmp) / sizeof(fixtures_icmp[0]);
