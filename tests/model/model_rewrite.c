// SPDX-License-Identifier: BSD-2-Clause
/* Rewrites: put the new words, then sum the whole thing again. A wrong input checksum stays wrong by the same amount. */
#include "model.h"

static uint8_t *model__addr_at(const struct model_frame *f, uint32_t l3, enum model_side side)
{
	size_t n = wire__addr_bytes(f->family), at = f->family == 4 ? 12u : 8u;

	return f->data + l3 + at + (side == MODEL_DST ? n : 0);
}

/* Total of an IPv4 header, its checksum field included; 0 for IPv6, which has none. */
static uint64_t model__ip_total(const struct model_frame *f, uint32_t l3)
{
	return f->family == 4 ? wire__sum(f->data + l3, WIRE_IP4_BYTES) : 0;
}

static void model__set_ip_check(struct model_frame *f, uint32_t l3, uint64_t old_total)
{
	uint8_t *field = f->data + l3 + 10;

	if (f->family != 4)
		return;
	wire__put16(field, 0);
	wire__put16(field, wire__field_for(old_total, wire__sum(f->data + l3, WIRE_IP4_BYTES)));
}

static uint64_t model__l4_total(const struct model_frame *f)
{
	uint64_t sum = wire__sum(f->data + f->l4, f->end - f->l4);

	if (f->proto == WIRE_ICMP)
		return sum; /* RFC 792: no pseudo header */
	return sum + wire__pseudo_sum(f->data + f->l3, f->family, f->proto, f->end - f->l4);
}

static void model__set_l4_check(struct model_frame *f, uint32_t at, uint64_t old_total)
{
	uint8_t *field = f->data + f->l4 + at;
	uint16_t check;

	if (f->proto == WIRE_UDP && !wire__get16(field))
		return; /* RFC 768: no checksum was sent */
	wire__put16(field, 0);
	check = wire__field_for(old_total, model__l4_total(f));
	if (f->proto == WIRE_UDP && !check)
		check = 0xffff; /* RFC 768: a computed zero is sent as all ones */
	wire__put16(field, check);
}

void model__rewrite_l4(struct model_frame *f, enum model_side side, const struct wire_addr *addr, uint16_t port)
{
	uint64_t ip_total = model__ip_total(f, f->l3), l4_total = model__l4_total(f);

	memcpy(model__addr_at(f, f->l3, side), addr->b, wire__addr_bytes(f->family));
	wire__put16(f->data + f->l4 + (side == MODEL_DST ? 2 : 0), port);
	model__set_ip_check(f, f->l3, ip_total);
	model__set_l4_check(f, f->proto == WIRE_TCP ? 16 : 6, l4_total);
}

void model__rewrite_icmp(struct model_frame *f, enum model_side out_side, bool rewrite_outer, const struct wire_addr *out_addr,
			 enum model_side in_side, const struct wire_addr *in_addr, uint16_t in_port)
{
	uint64_t out_total = model__ip_total(f, f->l3), in_total = model__ip_total(f, f->in_l3), l4_total = model__l4_total(f);
	size_t n = wire__addr_bytes(f->family);

	memcpy(model__addr_at(f, f->in_l3, in_side), in_addr->b, n);
	wire__put16(f->data + f->in_l4 + (in_side == MODEL_DST ? 2 : 0), in_port);
	model__set_ip_check(f, f->in_l3, in_total);
	if (rewrite_outer)
		memcpy(model__addr_at(f, f->l3, out_side), out_addr->b, n);
	model__set_ip_check(f, f->l3, out_total);
	model__set_l4_check(f, 2, l4_total);
}

uint8_t model__ttl(const struct model_frame *f)
{
	return f->data[f->l3 + (f->family == 4 ? 8 : 7)];
}

void model__decrement_ttl(struct model_frame *f)
{
	uint64_t total = model__ip_total(f, f->l3);

	f->data[f->l3 + (f->family == 4 ? 8 : 7)]--;
	model__set_ip_check(f, f->l3, total);
}
