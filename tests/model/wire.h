/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bytes on the wire, one at a time: the reference model and the packet builder use nothing of the data plane's own arithmetic. Sums are
 * naive big-endian additions (RFC 1071); classes modulo 65535 stand for ones-complement values.
 */
#ifndef PINTLE_TESTS_WIRE_H
#define PINTLE_TESTS_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define WIRE_ETH_BYTES 14u
#define WIRE_VLAN_BYTES 4u
#define WIRE_IP4_BYTES 20u
#define WIRE_IP6_BYTES 40u
#define WIRE_TCP_BYTES 20u
#define WIRE_UDP_BYTES 8u
#define WIRE_ICMP_BYTES 8u

#define WIRE_ETH_IP4 0x0800u
#define WIRE_ETH_IP6 0x86ddu
#define WIRE_ETH_8021Q 0x8100u
#define WIRE_ETH_8021AD 0x88a8u

#define WIRE_ICMP 1u
#define WIRE_TCP 6u
#define WIRE_UDP 17u
#define WIRE_ICMP6 58u

#define WIRE_FIN 0x01u
#define WIRE_SYN 0x02u
#define WIRE_RST 0x04u
#define WIRE_PSH 0x08u
#define WIRE_ACK 0x10u

struct wire_addr {
	uint8_t family; /* 4 or 6 */
	uint8_t b[16];	/* network order; IPv4 in the first 4, the rest zero */
};

static inline uint16_t wire__get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline void wire__put16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static inline uint32_t wire__get32(const uint8_t *p)
{
	return (uint32_t)wire__get16(p) << 16 | wire__get16(p + 2);
}

static inline void wire__put32(uint8_t *p, uint32_t v)
{
	wire__put16(p, (uint16_t)(v >> 16));
	wire__put16(p + 2, (uint16_t)v);
}

static inline size_t wire__addr_bytes(uint8_t family)
{
	return family == 4 ? 4u : 16u;
}

static inline bool wire__same_addr(const struct wire_addr *a, const struct wire_addr *b)
{
	return a->family == b->family && !memcmp(a->b, b->b, wire__addr_bytes(a->family));
}

/* Plain sum of 16-bit words; an odd last byte is the high half of a word (RFC 1071 section 4.1). */
static inline uint64_t wire__sum(const uint8_t *p, size_t bytes)
{
	uint64_t sum = 0;
	size_t i;

	for (i = 0; i + 1 < bytes; i += 2)
		sum += wire__get16(p + i);
	if (bytes & 1)
		sum += (uint32_t)p[bytes - 1] << 8;
	return sum;
}

/*
 * The checksum field that gives data of sum `without` (field taken as zero) the same ones-complement total that the old data had: 0 for a
 * right packet, so the result is the checksum computed from scratch; a wrong packet stays wrong by the same amount.
 */
static inline uint16_t wire__field_for(uint64_t old_total, uint64_t without)
{
	return (uint16_t)((old_total % 65535 + 65535 - without % 65535) % 65535);
}

/* Sum of the TCP/UDP/ICMPv6 pseudo header (RFC 9293 section 3.1, RFC 8200 section 8.1). */
static inline uint64_t wire__pseudo_sum(const uint8_t *l3, uint8_t family, uint8_t proto, size_t l4_bytes)
{
	const uint8_t *src = family == 4 ? l3 + 12 : l3 + 8;
	uint64_t sum = wire__sum(src, 2 * wire__addr_bytes(family));

	return sum + proto + (l4_bytes >> 16) + (l4_bytes & 0xffff);
}

#endif
