// SPDX-License-Identifier: BSD-2-Clause
#include "model.h"

#include <linux/in.h>
#include <string.h>

#define ETH_BYTES 14u

/* A side of a connection, host order. */
struct side {
	uint32_t net6;
	uint32_t number; /* IPv4 address; last word of the IPv6 one */
	uint16_t port;
};

struct ends {
	struct side from, to;
};

static void put16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static void put32(uint8_t *at, uint32_t value)
{
	put16(at, value >> 16);
	put16(at + 2, value);
}

/* RFC 1071 over bytes; an odd last byte is padded with zero. */
static uint32_t sum_bytes(const uint8_t *at, uint32_t bytes)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < bytes; i++)
		sum += (uint64_t)at[i] << (i & 1 ? 0 : 8);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint32_t)sum;
}

static uint32_t ip_bytes(const struct model *m)
{
	return m->family == 4 ? 20 : 40;
}

static uint32_t l4_header_bytes(const struct model *m)
{
	return m->proto == IPPROTO_TCP ? 20 : 8;
}

/* Bytes behind the IP header: SYN, ACK and RST carry no payload (the frame is padded), the rest fills the frame. */
static uint32_t l4_bytes(const struct model *m, enum model_packet kind)
{
	bool is_bare = m->proto == IPPROTO_TCP && kind != MODEL_DATA && kind != MODEL_REPLY;

	return is_bare ? l4_header_bytes(m) : m->frame_bytes - ETH_BYTES - ip_bytes(m);
}

uint32_t model__min_bytes(const struct model *m, enum model_packet kind)
{
	uint32_t bytes = ETH_BYTES + ip_bytes(m) + l4_header_bytes(m) + (kind == MODEL_DATA || kind == MODEL_REPLY ? 1 : 0);
	uint32_t words = 8 * (m->family == 4 ? DRIVER_HEADER_WORDS_V4 : DRIVER_HEADER_WORDS);

	bytes = bytes < words ? words : bytes;
	return bytes < 60 ? 60 : bytes;
}

static void put_addr(const struct model *m, uint8_t *at, const struct side *side)
{
	if (m->family == 6) {
		memset(at, 0, 16);
		put16(at, 0xfd00);
		put16(at + 2, side->net6);
		put32(at + 12, side->number);
	} else {
		put32(at, side->number);
	}
}

static void put_ip(const struct model *m, uint8_t *ip, uint32_t payload_bytes, uint8_t ttl, const struct ends *ends)
{
	if (m->family == 6) {
		ip[0] = 0x60;
		put16(ip + 4, payload_bytes);
		ip[6] = m->proto;
		ip[7] = ttl;
		put_addr(m, ip + 8, &ends->from);
		put_addr(m, ip + 24, &ends->to);
		return;
	}
	ip[0] = 0x45;
	put16(ip + 2, 20 + payload_bytes);
	put16(ip + 4, 0x1234);
	put16(ip + 6, 0x4000); /* DF */
	ip[8] = ttl;
	ip[9] = m->proto;
	put_addr(m, ip + 12, &ends->from);
	put_addr(m, ip + 16, &ends->to);
	put16(ip + 10, ~sum_bytes(ip, 20));
}

static uint8_t tcp_flags(enum model_packet kind)
{
	switch (kind) {
	case MODEL_SYN:
		return 0x02;
	case MODEL_RST:
		return 0x04;
	case MODEL_DATA:
	case MODEL_REPLY:
		return 0x18; /* PSH, ACK */
	default:
		return 0x10;
	}
}

static void put_l4(const struct model *m, uint8_t *ip, enum model_packet kind, uint32_t bytes, const struct ends *ends)
{
	uint8_t *l4 = ip + ip_bytes(m), *addresses = m->family == 4 ? ip + 12 : ip + 8;
	uint32_t check_at = m->proto == IPPROTO_TCP ? 16 : 6, check;

	put16(l4, ends->from.port);
	put16(l4 + 2, ends->to.port);
	if (m->proto == IPPROTO_TCP) {
		put32(l4 + 4, 0x11111111);
		put32(l4 + 8, kind == MODEL_SYN ? 0 : 0x22222222);
		l4[12] = 0x50;
		l4[13] = tcp_flags(kind);
		put16(l4 + 14, 64000);
	} else {
		put16(l4 + 4, bytes);
	}
	check = sum_bytes(addresses, m->family == 4 ? 8 : 32) + m->proto + bytes + sum_bytes(l4, bytes);
	check = (check & 0xffff) + (check >> 16);
	check = ~((check & 0xffff) + (check >> 16)) & 0xffff;
	if (m->proto == IPPROTO_UDP && !check)
		check = 0xffff; /* RFC 768: zero means no checksum */
	put16(l4 + check_at, check);
}

static void build(const struct model *m, enum model_packet kind, const struct ends *ends, const struct bench_expect *e,
		  uint8_t *out)
{
	static const uint8_t dmac[6] = { 2, 0, 0, 0, 0, 1 }, smac[6] = { 2, 0, 0, 0, 0, 2 };
	uint32_t bytes = l4_bytes(m, kind);

	memset(out, 0, m->frame_bytes);
	memcpy(out, e && e->sets_macs ? e->dmac : dmac, 6);
	memcpy(out + 6, e && e->sets_macs ? e->smac : smac, 6);
	put16(out + 12, m->family == 4 ? 0x0800 : 0x86dd);
	put_ip(m, out + ETH_BYTES, bytes, e && e->decrements_ttl ? 63 : 64, ends);
	put_l4(m, out + ETH_BYTES, kind, bytes, ends);
}

static void client_side(uint32_t flow, struct side *ret)
{
	ret->net6 = BENCH_NET6_CLIENT;
	ret->number = BENCH_CLIENT4(flow);
	ret->port = BENCH_CLIENT_PORT(flow);
}

static void vip_side(const struct model *m, uint32_t flow, struct side *ret)
{
	ret->net6 = BENCH_NET6_VIP;
	ret->number = BENCH_VIP4(flow & (m->active_services - 1));
	ret->port = BENCH_VIP_PORT;
}

static void pod_side(uint32_t pod, struct side *ret)
{
	ret->net6 = BENCH_NET6_POD;
	ret->number = BENCH_POD4(pod);
	ret->port = BENCH_POD_PORT;
}

void model__packet(const struct model *m, enum model_packet kind, uint32_t flow, uint32_t pod, uint8_t *out)
{
	struct ends ends;

	if (kind == MODEL_REPLY) {
		pod_side(pod, &ends.from);
		client_side(flow, &ends.to);
	} else {
		client_side(flow, &ends.from);
		vip_side(m, flow, &ends.to);
	}
	build(m, kind, &ends, NULL, out);
}

void model__expected(const struct model *m, enum model_packet kind, uint32_t flow, uint32_t pod, const struct bench_expect *e,
		     uint8_t *out)
{
	struct ends ends;

	if (e->rewrite == BENCH_SAME) {
		model__packet(m, kind, flow, pod, out);
		return;
	}
	if (e->rewrite == BENCH_SNAT) {
		vip_side(m, flow, &ends.from);
		client_side(flow, &ends.to);
	} else {
		client_side(flow, &ends.from);
		pod_side(pod, &ends.to);
	}
	build(m, kind, &ends, e, out);
}

/* Ones-complement sum of a packet's IP and L4 parts as the driver adds them up: words as they lie in memory. */
static uint32_t sum_le(const uint8_t *at, uint32_t bytes)
{
	uint32_t sum = sum_bytes(at, bytes);

	return (sum & 0xff) << 8 | sum >> 8;
}

/* Flow 0, frontend 0 and pod 0 taken out again: their addresses, the client's port and the checksums count as zero. */
void model__template(const struct model *m, enum model_packet kind, struct driver_template *ret)
{
	uint32_t addr_at = m->family == 4 ? 12 : 8, addr_bytes = m->family == 4 ? 4 : 16, bytes = l4_bytes(m, kind);
	uint8_t frame[MODEL_MAX_BYTES + 2], pseudo[4] = { 0, m->proto, (uint8_t)(bytes >> 8), (uint8_t)bytes };
	uint8_t *ip = frame + ETH_BYTES, *l4 = ip + ip_bytes(m);

	memset(ret, 0, sizeof(*ret));
	model__packet(m, kind, 0, 0, frame);
	memset(ip + addr_at + addr_bytes - 4, 0, 4);
	memset(ip + addr_at + 2 * addr_bytes - 4, 0, 4);
	memset(kind == MODEL_REPLY ? l4 + 2 : l4, 0, 2);
	memset(l4 + (m->proto == IPPROTO_TCP ? 16 : 6), 0, 2);
	if (m->family == 4)
		memset(ip + 10, 0, 2);
	ret->ip_sum = sum_le(ip, m->family == 4 ? 20 : 0);
	ret->l4_sum = sum_le(ip + addr_at, 2 * addr_bytes) + sum_le(pseudo, sizeof(pseudo)) + sum_le(l4, bytes);
	memcpy(ret->header, frame, 8 * (m->family == 4 ? DRIVER_HEADER_WORDS_V4 : DRIVER_HEADER_WORDS));
	ret->reverse = kind == MODEL_REPLY;
}
