// SPDX-License-Identifier: BSD-2-Clause
#include "agent/reject.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/icmp6.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/ip_icmp.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <stdbool.h>
#include <string.h>

#define REJECT_TTL 64

/* What is rejected; addresses in network order. */
struct original {
	const uint8_t *l3, *l4;
	size_t l3_bytes; /* copied, from the IP header on */
	size_t l4_copied_bytes;
	uint32_t l4_bytes; /* as the IP header says */
	int family;
	uint8_t proto;
	uint8_t src[16], dst[16];
};

/* Ones-complement sum of bytes, added to `sum` (RFC 1071). */
static uint32_t sum_bytes(uint32_t sum, const uint8_t *bytes, size_t nr)
{
	for (size_t i = 0; i + 1 < nr; i += 2)
		sum += (uint32_t)bytes[i] << 8 | bytes[i + 1];
	if (nr & 1)
		sum += (uint32_t)bytes[nr - 1] << 8;
	return sum;
}

static uint16_t finish_sum(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons((uint16_t)~sum);
}

/* Checksum of an L4 message with the pseudo-header of its addresses. */
static uint16_t l4_checksum(const struct original *o, uint8_t proto, const uint8_t *l4, size_t l4_bytes)
{
	size_t addr_bytes = o->family == 4 ? 4 : 16;
	uint32_t sum = (uint32_t)proto + (uint32_t)l4_bytes;

	sum = sum_bytes(sum, o->src, addr_bytes);
	sum = sum_bytes(sum, o->dst, addr_bytes);
	return finish_sum(sum_bytes(sum, l4, l4_bytes));
}

static int parse4(struct original *o)
{
	struct iphdr ip;

	if (o->l3_bytes < sizeof(ip))
		return -EBADMSG;
	memcpy(&ip, o->l3, sizeof(ip));
	if (ip.ihl != 5 || ntohs(ip.tot_len) < sizeof(ip))
		return -EBADMSG;
	memcpy(o->src, &ip.saddr, 4);
	memcpy(o->dst, &ip.daddr, 4);
	o->proto = ip.protocol;
	o->l4 = o->l3 + sizeof(ip);
	o->l4_copied_bytes = o->l3_bytes - sizeof(ip);
	o->l4_bytes = ntohs(ip.tot_len) - (uint32_t)sizeof(ip);
	return 0;
}

static int parse6(struct original *o)
{
	struct ip6_hdr ip;

	if (o->l3_bytes < sizeof(ip))
		return -EBADMSG;
	memcpy(&ip, o->l3, sizeof(ip));
	memcpy(o->src, &ip.ip6_src, 16);
	memcpy(o->dst, &ip.ip6_dst, 16);
	o->proto = ip.ip6_nxt;
	o->l4 = o->l3 + sizeof(ip);
	o->l4_copied_bytes = o->l3_bytes - sizeof(ip);
	o->l4_bytes = ntohs(ip.ip6_plen);
	return 0;
}

static int parse(const struct pintle_event *event, struct original *o)
{
	int err;

	*o = (struct original){ 0 };
	if (event->copied_bytes > PINTLE_EVENT_PACKET_BYTES || event->l3_offset >= event->copied_bytes)
		return -EBADMSG;
	o->l3 = event->packet + event->l3_offset;
	o->l3_bytes = (size_t)event->copied_bytes - event->l3_offset;
	o->family = o->l3[0] >> 4;
	if (o->family == 4)
		err = parse4(o);
	else if (o->family == 6)
		err = parse6(o);
	else
		err = -EBADMSG;
	return err;
}

static bool is_zero(const uint8_t *bytes, size_t nr)
{
	for (size_t i = 0; i < nr; i++)
		if (bytes[i])
			return false;
	return true;
}

/* Neither side may be something that an answer could multiply or go astray to. */
static bool may_answer(const struct original *o)
{
	if (o->family == 6)
		return o->src[0] != 0xff && o->dst[0] != 0xff && !is_zero(o->src, 15);
	return o->src[0] != 0 && o->src[0] != 127 && o->src[0] < 224 && o->dst[0] < 224;
}

/* Swaps the roles: the answer goes from the VIP to the client. */
static void turn_around(struct original *o)
{
	uint8_t addr[16];

	memcpy(addr, o->src, 16);
	memcpy(o->src, o->dst, 16);
	memcpy(o->dst, addr, 16);
}

static size_t put_ip_header(const struct original *o, uint8_t *out, uint8_t proto, size_t l4_bytes)
{
	struct iphdr ip4 = { .version = 4, .ihl = 5, .ttl = REJECT_TTL, .protocol = proto, .frag_off = htons(IP_DF) };
	struct ip6_hdr ip6 = { 0 };

	if (o->family == 4) {
		ip4.tot_len = htons((uint16_t)(sizeof(ip4) + l4_bytes));
		memcpy(&ip4.saddr, o->src, 4);
		memcpy(&ip4.daddr, o->dst, 4);
		memcpy(out, &ip4, sizeof(ip4));
		ip4.check = finish_sum(sum_bytes(0, out, sizeof(ip4)));
		memcpy(out, &ip4, sizeof(ip4));
		return sizeof(ip4);
	}
	ip6.ip6_flow = htonl(6u << 28);
	ip6.ip6_plen = htons((uint16_t)l4_bytes);
	ip6.ip6_nxt = proto;
	ip6.ip6_hlim = REJECT_TTL;
	memcpy(&ip6.ip6_src, o->src, 16);
	memcpy(&ip6.ip6_dst, o->dst, 16);
	memcpy(out, &ip6, sizeof(ip6));
	return sizeof(ip6);
}

static int build_reset(struct original *o, uint8_t *out, size_t *ret_bytes)
{
	struct tcphdr in, tcp = { 0 };
	size_t ip_bytes;
	uint32_t data_bytes;

	if (o->l4_copied_bytes < sizeof(in) || o->l4_bytes < sizeof(in))
		return -EBADMSG;
	memcpy(&in, o->l4, sizeof(in));
	if (in.rst)
		return -ENOMSG;
	if (in.doff < 5 || in.doff * 4u > o->l4_bytes)
		return -EBADMSG;
	data_bytes = o->l4_bytes - in.doff * 4u;
	tcp.source = in.dest;
	tcp.dest = in.source;
	tcp.doff = 5;
	tcp.rst = 1;
	if (in.ack) {
		tcp.seq = in.ack_seq;
	} else {
		tcp.ack = 1;
		tcp.ack_seq = htonl(ntohl(in.seq) + data_bytes + in.syn + in.fin);
	}
	turn_around(o);
	ip_bytes = put_ip_header(o, out, IPPROTO_TCP, sizeof(tcp));
	tcp.check = l4_checksum(o, IPPROTO_TCP, (const uint8_t *)&tcp, sizeof(tcp));
	memcpy(out + ip_bytes, &tcp, sizeof(tcp));
	*ret_bytes = ip_bytes + sizeof(tcp);
	return 0;
}

static int build_unreachable(struct original *o, uint8_t *out, size_t *ret_bytes)
{
	uint8_t message[8 + PINTLE_EVENT_PACKET_BYTES] = { 0 };
	size_t message_bytes = 8 + o->l3_bytes, ip_bytes;
	uint16_t check;
	uint8_t proto = o->family == 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6;

	if (o->l4_copied_bytes < sizeof(struct udphdr))
		return -EBADMSG;
	message[0] = o->family == 4 ? ICMP_DEST_UNREACH : ICMP6_DST_UNREACH;
	message[1] = o->family == 4 ? ICMP_PORT_UNREACH : ICMP6_DST_UNREACH_NOPORT;
	memcpy(message + 8, o->l3, o->l3_bytes);
	turn_around(o);
	ip_bytes = put_ip_header(o, out, proto, message_bytes);
	if (o->family == 4)
		check = finish_sum(sum_bytes(0, message, message_bytes));
	else
		check = l4_checksum(o, proto, message, message_bytes);
	memcpy(message + 2, &check, sizeof(check));
	memcpy(out + ip_bytes, message, message_bytes);
	*ret_bytes = ip_bytes + message_bytes;
	return 0;
}

int reject__build(const struct pintle_event *event, uint8_t out[REJECT_MAX_BYTES], size_t *ret_bytes, struct ip_addr *ret_to)
{
	struct original o;
	size_t bytes = 0;
	int err = parse(event, &o);

	if (err)
		return err;
	if (!may_answer(&o))
		return -ENOMSG;
	if (o.proto == IPPROTO_TCP)
		err = build_reset(&o, out, &bytes);
	else if (o.proto == IPPROTO_UDP)
		err = build_unreachable(&o, out, &bytes);
	else
		err = -EBADMSG;
	if (err)
		return err;
	*ret_to = (struct ip_addr){ .family = (uint8_t)o.family };
	memcpy(ret_to->bytes, o.dst, o.family == 4 ? 4 : 16);
	*ret_bytes = bytes;
	return 0;
}
