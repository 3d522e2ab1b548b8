// SPDX-License-Identifier: BSD-2-Clause
/* Frames to parts: Ethernet, up to two VLAN tags (802.1Q), IPv4 (RFC 791), IPv6 (RFC 8200), TCP, UDP, ICMP errors (RFC 792, 4443). */
#include "model.h"

static void model__read_addrs(const uint8_t *l3, uint8_t family, struct wire_addr *src, struct wire_addr *dst)
{
	size_t n = wire__addr_bytes(family), at = family == 4 ? 12u : 8u;

	memset(src, 0, sizeof(*src));
	memset(dst, 0, sizeof(*dst));
	src->family = family;
	dst->family = family;
	memcpy(src->b, l3 + at, n);
	memcpy(dst->b, l3 + at + n, n);
}

/* RFC 8200 section 4: headers that may stand between IPv6 and a transport that can be read: hop-by-hop, routing, destination options, AH,
 * mobility. ESP hides what follows and counts as a transport of its own. */
static bool model__is_ext_header(uint8_t next)
{
	static const uint8_t ext[] = { 0, 43, 51, 60, 135 };

	return memchr(ext, next, sizeof(ext)) != NULL;
}

static bool model__is_icmp_error(uint8_t family, uint8_t type)
{
	if (family == 4)
		return type == 3 || type == 11 || type == 12;
	return type >= 1 && type <= 4;
}

/* The quoted packet: enough to know both ends. Anything less is an error about no flow of ours. */
static void model__parse_inner(struct model_frame *f)
{
	uint32_t hdr = f->family == 4 ? WIRE_IP4_BYTES : WIRE_IP6_BYTES;
	const uint8_t *in;

	f->in_l3 = f->l4 + WIRE_ICMP_BYTES;
	if (f->in_l3 + hdr + 8 > f->end)
		return;
	in = f->data + f->in_l3;
	if (f->family == 4) {
		if (in[0] != 0x45 || (wire__get16(in + 6) & 0x1fff))
			return;
		f->in_proto = in[9];
	} else {
		if (in[0] >> 4 != 6)
			return;
		f->in_proto = in[6];
	}
	if (f->in_proto != WIRE_TCP && f->in_proto != WIRE_UDP)
		return;
	f->in_l4 = f->in_l3 + hdr;
	model__read_addrs(in, f->family, &f->in_src, &f->in_dst);
	f->in_sport = wire__get16(f->data + f->in_l4);
	f->in_dport = wire__get16(f->data + f->in_l4 + 2);
	f->has_inner = true;
}

static enum model_class model__parse_l4(struct model_frame *f)
{
	uint8_t icmp = f->family == 4 ? WIRE_ICMP : WIRE_ICMP6;
	const uint8_t *l4 = f->data + f->l4;
	uint32_t left = f->end - f->l4, doff;

	if (f->proto == WIRE_TCP) {
		if (left < WIRE_TCP_BYTES)
			return MODEL_CLASS_MALFORMED;
		doff = (uint32_t)(l4[12] >> 4) * 4;
		if (doff < WIRE_TCP_BYTES || doff > left)
			return MODEL_CLASS_MALFORMED;
		f->tcp_flags = l4[13] & 0x1f;
		f->payload_bytes = left - doff;
	} else if (f->proto == WIRE_UDP) {
		if (left < WIRE_UDP_BYTES || wire__get16(l4 + 4) < WIRE_UDP_BYTES || wire__get16(l4 + 4) > left)
			return MODEL_CLASS_MALFORMED;
		f->payload_bytes = left - WIRE_UDP_BYTES;
	} else if (f->proto == icmp) {
		if (left < WIRE_ICMP_BYTES)
			return MODEL_CLASS_MALFORMED;
		if (!model__is_icmp_error(f->family, l4[0]))
			return MODEL_CLASS_NOT_L4;
		model__parse_inner(f);
		return MODEL_CLASS_ICMP;
	} else {
		return MODEL_CLASS_NOT_L4;
	}
	f->sport = wire__get16(l4);
	f->dport = wire__get16(l4 + 2);
	return MODEL_CLASS_OK;
}

static enum model_class model__parse_ip4(struct model_frame *f)
{
	const uint8_t *l3 = f->data + f->l3;
	uint32_t total;

	if (f->l3 + WIRE_IP4_BYTES > f->bytes)
		return MODEL_CLASS_MALFORMED;
	if (l3[0] >> 4 != 4 || (l3[0] & 15) < 5)
		return MODEL_CLASS_MALFORMED;
	total = wire__get16(l3 + 2);
	if (total < (l3[0] & 15) * 4u || f->l3 + total > f->bytes)
		return MODEL_CLASS_MALFORMED;
	if ((l3[0] & 15) > 5)
		return MODEL_CLASS_OPTIONS;
	if (wire__get16(l3 + 6) & 0x3fff)
		return MODEL_CLASS_FRAGMENT;
	f->family = 4;
	f->proto = l3[9];
	f->l4 = f->l3 + WIRE_IP4_BYTES;
	f->end = f->l3 + total;
	model__read_addrs(l3, 4, &f->src, &f->dst);
	return model__parse_l4(f);
}

static enum model_class model__parse_ip6(struct model_frame *f)
{
	const uint8_t *l3 = f->data + f->l3;
	uint32_t payload;

	if (f->l3 + WIRE_IP6_BYTES > f->bytes)
		return MODEL_CLASS_MALFORMED;
	if (l3[0] >> 4 != 6)
		return MODEL_CLASS_MALFORMED;
	payload = wire__get16(l3 + 4);
	if (f->l3 + WIRE_IP6_BYTES + payload > f->bytes)
		return MODEL_CLASS_MALFORMED;
	if (l3[6] == 44)
		return MODEL_CLASS_FRAGMENT;
	if (model__is_ext_header(l3[6]))
		return MODEL_CLASS_OPTIONS;
	f->family = 6;
	f->proto = l3[6];
	f->l4 = f->l3 + WIRE_IP6_BYTES;
	f->end = f->l4 + payload;
	model__read_addrs(l3, 6, &f->src, &f->dst);
	return model__parse_l4(f);
}

enum model_class model_frame__parse(uint8_t *data, uint32_t bytes, struct model_frame *f)
{
	uint16_t type;

	memset(f, 0, sizeof(*f));
	f->data = data;
	f->bytes = bytes;
	if (bytes < WIRE_ETH_BYTES)
		return MODEL_CLASS_MALFORMED;
	f->l3 = WIRE_ETH_BYTES;
	type = wire__get16(data + 12);
	while ((type == WIRE_ETH_8021Q || type == WIRE_ETH_8021AD) && f->nr_vlans < 2) {
		if (f->l3 + WIRE_VLAN_BYTES > bytes)
			return MODEL_CLASS_MALFORMED;
		type = wire__get16(data + f->l3 + 2);
		f->l3 += WIRE_VLAN_BYTES;
		f->nr_vlans++;
	}
	if (type == WIRE_ETH_IP4)
		return model__parse_ip4(f);
	if (type == WIRE_ETH_IP6)
		return model__parse_ip6(f);
	return MODEL_CLASS_NOT_IP;
}

int model__class_verdict(enum model_class class, bool is_reverse)
{
	switch (class) {
	case MODEL_CLASS_NOT_IP:
		return is_reverse ? PINTLE_V_REV_NOT_IP : PINTLE_V_PASS_NOT_IP;
	case MODEL_CLASS_NOT_L4:
		return is_reverse ? PINTLE_V_REV_NOT_L4 : PINTLE_V_PASS_NOT_L4;
	case MODEL_CLASS_FRAGMENT:
		return is_reverse ? PINTLE_V_REV_FRAGMENT : PINTLE_V_PASS_FRAGMENT;
	case MODEL_CLASS_OPTIONS:
		return is_reverse ? PINTLE_V_REV_IP_OPTIONS : PINTLE_V_PASS_IP_OPTIONS;
	case MODEL_CLASS_MALFORMED:
		return is_reverse ? PINTLE_V_REV_MALFORMED : PINTLE_V_PASS_MALFORMED;
	default:
		return PINTLE_V_CONTINUE;
	}
}
