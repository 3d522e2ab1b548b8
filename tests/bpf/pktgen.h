/* SPDX-License-Identifier: BSD-2-Clause */
/* Builds frames from a description, with right checksums and lengths unless it says otherwise, and damages them at random. */
#ifndef PINTLE_TESTS_PKTGEN_H
#define PINTLE_TESTS_PKTGEN_H

#include "tests/bpf/rng.h"
#include "tests/model/wire.h"

/* What BPF_PROG_TEST_RUN takes in one linear piece: a page less 256 B of headroom and the skb_shared_info behind. */
#define PKT_MAX_BYTES 3500u

enum pkt_udp_check { PKT_UDP_RIGHT = 0, PKT_UDP_NONE, PKT_UDP_ALL_ONES /* payload chosen so that the sum is zero */ };

/* To whom the frame goes: the device's address, another of this node's, another host, everybody, a group. */
enum pkt_mac { PKT_MAC_OWN = 0, PKT_MAC_SECOND, PKT_MAC_OTHER, PKT_MAC_BROADCAST, PKT_MAC_GROUP, PKT_NR_MACS };
extern const uint8_t pkt_macs[PKT_NR_MACS][6];

struct pkt_spec {
	struct wire_addr src, dst;
	uint16_t sport, dport;
	uint8_t proto;	   /* WIRE_TCP, WIRE_UDP, WIRE_ICMP, WIRE_ICMP6 or anything */
	uint8_t tcp_flags; /* WIRE_SYN ... */
	uint8_t ttl;	   /* 0 = 64 */
	uint8_t zero_ttl;  /* the TTL is really 0 */
	uint32_t payload_bytes;
	uint8_t dst_mac;      /* enum pkt_mac */
	uint8_t nr_vlans;     /* 0..3; two or more start with 802.1ad */
	uint8_t doff;	      /* TCP header words, 0 = 5 (and room for so many is made when it is larger) */
	uint8_t udp_check;    /* enum pkt_udp_check */
	uint8_t option_words; /* IPv4 options, 4 B each */
	uint8_t ext_header;   /* an IPv6 extension header of 8 B and this type; ext_present must be set (0 is hop-by-hop) */
	uint8_t ext_present;
	uint16_t frag_field;		       /* IPv4 flags and offset, host order */
	int16_t ip_length_lie, udp_length_lie; /* added to the true lengths */
	uint32_t trailer_bytes;		       /* Ethernet padding behind the datagram */
	uint16_t ether_type;		       /* instead of the family's; 0 = right */
	int16_t check_lie, ip_check_lie;       /* added to the right checksums */
	/* ICMP */
	uint8_t icmp_type, icmp_code;
	const struct pkt_spec *inner; /* quoted packet (its L2 is left out) */
	uint32_t inner_bytes;	      /* of the quoted packet at most, 0 = all */
};

struct pkt {
	uint32_t bytes, l3, l4;
	uint8_t data[PKT_MAX_BYTES + 64];
};

void pkt__build(const struct pkt_spec *spec, struct pkt *ret);
/* 1..4 random injuries: bit flips, interesting bytes in headers, truncation, growth, length fields. */
void pkt__mutate(struct pkt *p, struct rng *rng);
/* A naive check of every checksum in an untruncated frame: 0, or the name of the wrong one. */
const char *pkt__wrong_checksum(const uint8_t *data, uint32_t bytes);
void pkt__dump(const char *title, const uint8_t *data, uint32_t bytes);

struct wire_addr addr4(uint8_t a, uint8_t b, uint8_t c, uint8_t d);
struct wire_addr addr6(uint16_t net, uint16_t host); /* 2001:db8:NET::HOST */

#endif
