// SPDX-License-Identifier: BSD-2-Clause
/* What is not for us, and what cannot be read: every header combination that ends before a look-up. */
#include "tests/bpf/fixtures.h"

#define PARSE(name_, fwd_, rev_, ...)                                                          \
	{                                                                                      \
		name_, NULL,                                                                   \
		{                                                                              \
			FWD(fwd_, __VA_ARGS__), UP(rev_, __VA_ARGS__), VETH(rev_, __VA_ARGS__) \
		}                                                                              \
	}

const struct fixture fixtures_parse[] = {
	PARSE("ARP", PASS_NOT_IP, REV_NOT_IP, TO4(80, WIRE_SYN, .ether_type = 0x0806)),
	PARSE("unknown EtherType", PASS_NOT_IP, REV_NOT_IP, TO4(80, WIRE_SYN, .ether_type = 0x88cc)),
	PARSE("three VLAN tags", PASS_NOT_IP, REV_NOT_IP, TO4(80, WIRE_SYN, .nr_vlans = 3)),
	PARSE("IPv4 header in an IPv6 EtherType", PASS_MALFORMED, REV_MALFORMED, TO4(80, WIRE_SYN, .ether_type = WIRE_ETH_IP6)),
	PARSE("IPv6 header in an IPv4 EtherType", PASS_MALFORMED, REV_MALFORMED, TO6(WIRE_SYN, .ether_type = WIRE_ETH_IP4)),
	PARSE("GRE", PASS_NOT_L4, REV_NOT_L4, FRAME(CLIENT4, 0, VIP4_A, 0, 47, .payload_bytes = 40)),
	PARSE("SCTP over IPv6", PASS_NOT_L4, REV_NOT_L4, FRAME(CLIENT6, 0, VIP6_A, 0, 132, .payload_bytes = 40)),
	PARSE("ICMPv6 inside IPv4", PASS_NOT_L4, REV_NOT_L4,
	      FRAME(CLIENT4, 0, VIP4_A, 0, WIRE_ICMP6, .icmp_type = 1, .payload_bytes = 60)),
	PARSE("ICMPv4 inside IPv6", PASS_NOT_L4, REV_NOT_L4,
	      FRAME(CLIENT6, 0, VIP6_A, 0, WIRE_ICMP, .icmp_type = 3, .payload_bytes = 60)),
	PARSE("no next header", PASS_NOT_L4, REV_NOT_L4, FRAME(CLIENT6, 0, VIP6_A, 0, 59, .payload_bytes = 4)),
	PARSE("ESP", PASS_NOT_L4, REV_NOT_L4, FRAME(CLIENT6, 0, VIP6_A, 0, 50, .payload_bytes = 40)),
	PARSE("first fragment", PASS_FRAGMENT, REV_FRAGMENT, TO4(80, WIRE_SYN, .frag_field = 0x2000, .payload_bytes = 40)),
	PARSE("middle fragment", PASS_FRAGMENT, REV_FRAGMENT, TO4(80, WIRE_SYN, .frag_field = 0x2010, .payload_bytes = 40)),
	PARSE("last fragment", PASS_FRAGMENT, REV_FRAGMENT, TO4(80, WIRE_SYN, .frag_field = 0x0010, .payload_bytes = 40)),
	PARSE("fragment of an unknown protocol", PASS_FRAGMENT, REV_FRAGMENT,
	      FRAME(CLIENT4, 0, VIP4_A, 0, 47, .frag_field = 1, .payload_bytes = 4)),
	PARSE("IPv6 fragment header", PASS_FRAGMENT, REV_FRAGMENT, TO6(WIRE_SYN, .ext_present = 1, .ext_header = 44)),
	PARSE("one word of IPv4 options", PASS_IP_OPTIONS, REV_IP_OPTIONS, TO4(80, WIRE_SYN, .option_words = 1)),
	PARSE("ten words of IPv4 options", PASS_IP_OPTIONS, REV_IP_OPTIONS, TO4(80, WIRE_SYN, .option_words = 10)),
	PARSE("hop-by-hop options", PASS_IP_OPTIONS, REV_IP_OPTIONS, TO6(WIRE_SYN, .ext_present = 1, .ext_header = 0)),
	PARSE("routing header", PASS_IP_OPTIONS, REV_IP_OPTIONS, TO6(WIRE_SYN, .ext_present = 1, .ext_header = 43)),
	PARSE("destination options", PASS_IP_OPTIONS, REV_IP_OPTIONS, TO6(WIRE_SYN, .ext_present = 1, .ext_header = 60)),
	PARSE("authentication header", PASS_IP_OPTIONS, REV_IP_OPTIONS, TO6(WIRE_SYN, .ext_present = 1, .ext_header = 51)),
	PARSE("mobility header", PASS_IP_OPTIONS, REV_IP_OPTIONS, TO6(WIRE_SYN, .ext_present = 1, .ext_header = 135)),
	PARSE("IPv4 total length beyond the frame", PASS_MALFORMED, REV_MALFORMED, TO4(80, WIRE_SYN, .ip_length_lie = 1)),
	PARSE("IPv4 total length far beyond the frame", PASS_MALFORMED, REV_MALFORMED,
	      TO4(80, WIRE_SYN, .ip_length_lie = 30000)),
	PARSE("IPv4 total length below its header", PASS_MALFORMED, REV_MALFORMED, TO4(80, WIRE_SYN, .ip_length_lie = -21)),
	PARSE("IPv4 total length cuts the TCP header", PASS_MALFORMED, REV_MALFORMED, TO4(80, WIRE_SYN, .ip_length_lie = -1)),
	PARSE("IPv6 payload length beyond the frame", PASS_MALFORMED, REV_MALFORMED, TO6(WIRE_SYN, .ip_length_lie = 1)),
	PARSE("IPv6 payload length cuts the TCP header", PASS_MALFORMED, REV_MALFORMED, TO6(WIRE_SYN, .ip_length_lie = -1)),
	PARSE("TCP data offset below 5", PASS_MALFORMED, REV_MALFORMED, TO4(80, WIRE_SYN, .doff = 4)),
	PARSE("TCP data offset beyond the segment", PASS_MALFORMED, REV_MALFORMED,
	      TO4(80, WIRE_SYN, .doff = 15, .ip_length_lie = -4)),
	PARSE("UDP length below 8", PASS_MALFORMED, REV_MALFORMED, U4(.payload_bytes = 8, .udp_length_lie = -9)),
	PARSE("UDP length zero", PASS_MALFORMED, REV_MALFORMED, U6(.payload_bytes = 8, .udp_length_lie = -16)),
	PARSE("UDP length beyond the datagram", PASS_MALFORMED, REV_MALFORMED, U4(.payload_bytes = 8, .udp_length_lie = 1)),
	PARSE("echo request", PASS_NOT_L4, REV_NOT_L4,
	      FRAME(CLIENT4, 0, VIP4_A, 0, WIRE_ICMP, .icmp_type = 8, .payload_bytes = 56)),
	PARSE("echo reply", PASS_NOT_L4, REV_NOT_L4,
	      FRAME(CLIENT4, 0, VIP4_A, 0, WIRE_ICMP, .icmp_type = 0, .payload_bytes = 56)),
	PARSE("source quench", PASS_NOT_L4, REV_NOT_L4,
	      FRAME(CLIENT4, 0, VIP4_A, 0, WIRE_ICMP, .icmp_type = 4, .payload_bytes = 56)),
	PARSE("ICMPv6 echo", PASS_NOT_L4, REV_NOT_L4,
	      FRAME(CLIENT6, 0, VIP6_A, 0, WIRE_ICMP6, .icmp_type = 128, .payload_bytes = 56)),
	PARSE("neighbour solicitation", PASS_NOT_L4, REV_NOT_L4,
	      FRAME(CLIENT6, 0, VIP6_A, 0, WIRE_ICMP6, .icmp_type = 135, .payload_bytes = 24)),
	PARSE("not a VIP, not a pod, TCP", PASS_NOT_VIP, REV_NOT_POD,
	      FRAME(CLIENT4, 5000, OTHER4, 80, WIRE_TCP, .tcp_flags = WIRE_SYN)),
	PARSE("not a VIP, not a pod, UDP over IPv6", PASS_NOT_VIP, REV_NOT_POD,
	      FRAME(CLIENT6, 5000, OTHER6, 53, WIRE_UDP, .payload_bytes = 9)),
};
const size_t nr_fixtures_parse = sizeof(fixtures_parse) / sizeof(fixtures_parse[0]);
