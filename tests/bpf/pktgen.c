// SPDX-License-Identifier: BSD-2-Clause
/* Frames from descriptions. */
#include "tests/bpf/pktgen.h"

struct wire_addr addr4(uint8_t a, uint8_t b, uint8_t c, uint8_t d)
{
	struct wire_addr r = { .family = 4, .b = { a, b, c, d } };

	return r;
}

struct wire_addr addr6(uint16_t net, uint16_t host)
{
	struct wire_addr r = { .family = 6, .b = { 0x20, 0x01, 0x0d, 0xb8 } };

	wire__put16(r.b + 4, net);
	wire__put16(r.b + 14, host);
	return r;
}

const uint8_t pkt_macs[PKT_NR_MACS][6] = {
	[PKT_MAC_OWN] = { 0x02, 0, 0, 0, 0, 0x01 },
	[PKT_MAC_SECOND] = { 0, 0, 0x5e, 0, 0x01, 0x0a }, /* VRRP (RFC 9568 section 7.3) */
	[PKT_MAC_OTHER] = { 0x02, 0, 0, 0, 0, 0x03 },
	[PKT_MAC_BROADCAST] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff },
	[PKT_MAC_GROUP] = { 0x03, 0, 0, 0, 0, 0x01 },
};

static uint32_t pkt__put_l2(const struct pkt_spec *s, uint8_t *out)
{
	static const uint8_t source[6] = { 0x02, 0, 0, 0, 0, 0x02 };
	uint16_t type = s->src.family == 4 ? WIRE_ETH_IP4 : WIRE_ETH_IP6;
	uint32_t at = 12, i;

	memcpy(out, pkt_macs[s->dst_mac], 6);
	memcpy(out + 6, source, 6);
	for (i = 0; i < s->nr_vlans; i++) {
		wire__put16(out + at, i == 0 && s->nr_vlans > 1 ? WIRE_ETH_8021AD : WIRE_ETH_8021Q);
		wire__put16(out + at + 2, (uint16_t)(100 + i));
		at += 4;
	}
	wire__put16(out + at, s->ether_type ? s->ether_type : type);
	return at + 2;
}

static uint32_t pkt__put_l3(const struct pkt_spec *s, uint8_t *l3, uint32_t l4_bytes)
{
	uint8_t ttl = s->zero_ttl ? 0 : (s->ttl ? s->ttl : 64);
	uint32_t header = WIRE_IP4_BYTES + s->option_words * 4u;

	if (s->src.family == 4) {
		memset(l3, 1, header); /* options are no-operations */
		l3[0] = (uint8_t)(0x40 | (header / 4));
		l3[1] = 0;
		wire__put16(l3 + 2, (uint16_t)(header + l4_bytes + (uint16_t)s->ip_length_lie));
		wire__put16(l3 + 4, 0x1234);
		wire__put16(l3 + 6, s->frag_field);
		l3[8] = ttl;
		l3[9] = s->proto;
		wire__put16(l3 + 10, 0);
		memcpy(l3 + 12, s->src.b, 4);
		memcpy(l3 + 16, s->dst.b, 4);
		wire__put16(l3 + 10, (uint16_t)(wire__field_for(0, wire__sum(l3, header)) + s->ip_check_lie));
		return header;
	}
	header = WIRE_IP6_BYTES + (s->ext_present ? 8u : 0u);
	memset(l3, 0, header);
	l3[0] = 0x60;
	l3[3] = 0x42; /* flow label */
	wire__put16(l3 + 4, (uint16_t)(header - WIRE_IP6_BYTES + l4_bytes + (uint16_t)s->ip_length_lie));
	l3[6] = s->ext_present ? s->ext_header : s->proto;
	l3[7] = ttl;
	memcpy(l3 + 8, s->src.b, 16);
	memcpy(l3 + 24, s->dst.b, 16);
	if (s->ext_present)
		l3[WIRE_IP6_BYTES] = s->proto;
	return header;
}

static void pkt__fill(uint8_t *p, uint32_t bytes)
{
	uint32_t i;

	for (i = 0; i < bytes; i++)
		p[i] = (uint8_t)(i * 7 + 3);
}

static uint32_t pkt__put_tcp(const struct pkt_spec *s, uint8_t *l4)
{
	uint32_t header = s->doff > 5 ? s->doff * 4u : WIRE_TCP_BYTES;

	memset(l4, 1, header);
	wire__put16(l4, s->sport);
	wire__put16(l4 + 2, s->dport);
	wire__put32(l4 + 4, 0x01020304);
	wire__put32(l4 + 8, 0x0a0b0c0d);
	l4[12] = (uint8_t)((s->doff ? s->doff : 5) << 4);
	l4[13] = s->tcp_flags;
	wire__put16(l4 + 14, 502);
	wire__put32(l4 + 16, 0);
	pkt__fill(l4 + header, s->payload_bytes);
	return header + s->payload_bytes;
}

static uint32_t pkt__put_udp(const struct pkt_spec *s, uint8_t *l4)
{
	wire__put16(l4, s->sport);
	wire__put16(l4 + 2, s->dport);
	wire__put16(l4 + 4, (uint16_t)(WIRE_UDP_BYTES + s->payload_bytes + (uint16_t)s->udp_length_lie));
	wire__put16(l4 + 6, 0);
	pkt__fill(l4 + WIRE_UDP_BYTES, s->payload_bytes);
	return WIRE_UDP_BYTES + s->payload_bytes;
}

static uint32_t pkt__put_icmp(const struct pkt_spec *s, uint8_t *l4)
{
	struct pkt quoted;
	uint32_t n;

	l4[0] = s->icmp_type;
	l4[1] = s->icmp_code;
	wire__put16(l4 + 2, 0);
	wire__put32(l4 + 4, s->icmp_type == 3 && s->icmp_code == 4 ? 1400 : 0);
	if (!s->inner) {
		pkt__fill(l4 + WIRE_ICMP_BYTES, s->payload_bytes);
		return WIRE_ICMP_BYTES + s->payload_bytes;
	}
	pkt__build(s->inner, &quoted);
	n = quoted.bytes - quoted.l3;
	if (s->inner_bytes && n > s->inner_bytes)
		n = s->inner_bytes;
	memcpy(l4 + WIRE_ICMP_BYTES, quoted.data + quoted.l3, n);
	return WIRE_ICMP_BYTES + n;
}

static uint32_t pkt__put_l4(const struct pkt_spec *s, uint8_t *l4)
{
	switch (s->proto) {
	case WIRE_TCP:
		return pkt__put_tcp(s, l4);
	case WIRE_UDP:
		return pkt__put_udp(s, l4);
	case WIRE_ICMP:
	case WIRE_ICMP6:
		return pkt__put_icmp(s, l4);
	default:
		pkt__fill(l4, s->payload_bytes);
		return s->payload_bytes;
	}
}

static uint64_t pkt__total(const struct pkt_spec *s, const uint8_t *l3, const uint8_t *l4, uint32_t l4_bytes)
{
	uint64_t sum = wire__sum(l4, l4_bytes);

	return s->proto == WIRE_ICMP ? sum : sum + wire__pseudo_sum(l3, s->src.family, s->proto, l4_bytes);
}

static void pkt__set_l4_check(const struct pkt_spec *s, const uint8_t *l3, uint8_t *l4, uint32_t l4_bytes)
{
	uint32_t at = s->proto == WIRE_TCP ? 16 : s->proto == WIRE_UDP ? 6 : 2;
	uint16_t check;

	if (s->proto != WIRE_TCP && s->proto != WIRE_UDP && s->proto != WIRE_ICMP && s->proto != WIRE_ICMP6)
		return;
	if (s->proto == WIRE_UDP && s->udp_check == PKT_UDP_NONE)
		return;
	if (s->proto == WIRE_UDP && s->udp_check == PKT_UDP_ALL_ONES && s->payload_bytes >= 2) {
		wire__put16(l4 + 8, 0);
		wire__put16(l4 + 8, wire__field_for(0, pkt__total(s, l3, l4, l4_bytes)));
	}
	check = wire__field_for(0, pkt__total(s, l3, l4, l4_bytes));
	check = (uint16_t)(check + s->check_lie);
	if (s->proto == WIRE_UDP && !check)
		check = 0xffff;
	wire__put16(l4 + at, check);
}

void pkt__build(const struct pkt_spec *s, struct pkt *ret)
{
	uint32_t l4_bytes, header;
	uint8_t *l3;

	ret->l3 = pkt__put_l2(s, ret->data);
	l3 = ret->data + ret->l3;
	header = s->src.family == 4 ? WIRE_IP4_BYTES + s->option_words * 4u : WIRE_IP6_BYTES + (s->ext_present ? 8u : 0u);
	ret->l4 = ret->l3 + header;
	l4_bytes = pkt__put_l4(s, ret->data + ret->l4);
	pkt__put_l3(s, l3, l4_bytes);
	pkt__set_l4_check(s, l3, ret->data + ret->l4, l4_bytes);
	ret->bytes = ret->l4 + l4_bytes;
	memset(ret->data + ret->bytes, 0xee, s->trailer_bytes);
	ret->bytes += s->trailer_bytes;
}
