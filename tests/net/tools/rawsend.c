// SPDX-License-Identifier: BSD-2-Clause
/*
 * Sends frames as they are, by a packet socket:
 *	rawsend DEVICE MAC syn|hostile COUNT SEED SOURCE4 VIP4 PORT [SOURCE6 VIP6]
 * syn: correct SYNs, each of another client: SOURCE4 is a network of 16 bits, its host part and the port are drawn. hostile: whole and damaged frames
 * of every kind. Prints what was sent as JSON; `torn_tags` are frames that end within a VLAN tag, which the kernel drops before TC.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define FRAME_BYTES 1514u
#define BATCH 64u /* frames between two pauses: a veth with NAPI holds 256 */
#define PAUSE_NS 200000l

struct frame {
	uint32_t bytes, l3, l4;
	uint8_t data[FRAME_BYTES + 128];
};

struct sender {
	int fd;
	struct sockaddr_ll to;
	uint8_t mac[6];
	uint64_t random;
	uint8_t source4[4], vip4[4], source6[16], vip6[16];
	uint16_t port;
	uint32_t has_v6;
	uint64_t sent, refused, torn_tags;
};

/* xorshift64 (Marsaglia 2003) */
static uint32_t draw(struct sender *s, uint32_t below)
{
	s->random ^= s->random << 13;
	s->random ^= s->random >> 7;
	s->random ^= s->random << 17;
	return (uint32_t)((s->random >> 32) % below);
}

static void put16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static uint32_t sum16(const uint8_t *data, uint32_t bytes, uint32_t sum)
{
	for (uint32_t i = 0; i < bytes; i++)
		sum += i & 1 ? data[i] : (uint32_t)data[i] << 8;
	return sum;
}

static uint32_t fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return ~sum & 0xffff;
}

static void put_ethernet(struct sender *s, struct frame *f, uint32_t tags, uint32_t type)
{
	memcpy(f->data, s->mac, 6);
	memset(f->data + 6, 2, 6);
	f->bytes = 12;
	for (uint32_t i = 0; i < tags; i++) {
		put16(f->data + f->bytes, i + 1 < tags ? ETH_P_8021AD : ETH_P_8021Q);
		put16(f->data + f->bytes + 2, 100 + i);
		f->bytes += 4;
	}
	put16(f->data + f->bytes, type);
	f->bytes += 2;
	f->l3 = f->bytes;
}

/* Header of IP with `l4_bytes` to come behind. `words` of options (v4) or one extension header of 8 bytes (v6) when not 0. */
static void put_ip(struct sender *s, struct frame *f, int is_v6, uint8_t proto, uint32_t l4_bytes, uint32_t words,
		   uint32_t fragment)
{
	uint8_t *ip = f->data + f->l3;
	uint32_t header = is_v6 ? 40 + (words ? 8 : 0) : 20 + 4 * words;

	memset(ip, 0, header);
	if (is_v6) {
		ip[0] = 0x60;
		put16(ip + 4, l4_bytes + header - 40);
		ip[6] = words ? (fragment ? IPPROTO_FRAGMENT : IPPROTO_HOPOPTS) : proto;
		ip[7] = 64;
		memcpy(ip + 8, s->source6, 16);
		memcpy(ip + 24, s->vip6, 16);
		if (words)
			ip[40] = proto;
	} else {
		ip[0] = (uint8_t)(0x40 + header / 4);
		put16(ip + 2, header + l4_bytes);
		put16(ip + 6, fragment);
		ip[8] = 64;
		ip[9] = proto;
		memcpy(ip + 12, s->source4, 4);
		memcpy(ip + 16, s->vip4, 4);
		memset(ip + 20, 1, header - 20); /* no operation */
		put16(ip + 10, fold(sum16(ip, header, 0)));
	}
	f->l4 = f->l3 + header;
	f->bytes = f->l4 + l4_bytes;
}

static void put_checksum(struct frame *f, int is_v6, uint8_t proto, uint32_t at)
{
	const uint8_t *addresses = f->data + f->l3 + (is_v6 ? 8 : 12);
	uint32_t bytes = f->bytes - f->l4, sum = 0;

	if (proto != IPPROTO_ICMP)
		sum = sum16(addresses, is_v6 ? 32 : 8, bytes + proto);
	put16(f->data + f->l4 + at, 0);
	put16(f->data + f->l4 + at, fold(sum16(f->data + f->l4, bytes, sum)));
}

static void put_tcp(struct frame *f, int is_v6, uint16_t sport, uint16_t dport, uint8_t flags)
{
	uint8_t *tcp = f->data + f->l4;

	put16(tcp, sport);
	put16(tcp + 2, dport);
	put16(tcp + 4, sport);
	tcp[12] = 5 << 4;
	tcp[13] = flags;
	put16(tcp + 14, 1024);
	put_checksum(f, is_v6, IPPROTO_TCP, 16);
}

static void put_udp(struct frame *f, int is_v6, uint16_t sport, uint16_t dport)
{
	uint8_t *udp = f->data + f->l4;

	put16(udp, sport);
	put16(udp + 2, dport);
	put16(udp + 4, f->bytes - f->l4);
	put_checksum(f, is_v6, IPPROTO_UDP, 6);
}

/* An ICMP error about a packet from the VIP to the source. */
static void put_icmp_error(struct sender *s, struct frame *f, int is_v6)
{
	static const uint8_t types4[] = { 3, 4, 5, 8, 11, 12 }, types6[] = { 1, 2, 3, 4, 128, 135 };
	uint8_t *icmp = f->data + f->l4, *inner = icmp + 8;
	const uint8_t *outer = f->data + f->l3;

	icmp[0] = is_v6 ? types6[draw(s, 6)] : types4[draw(s, 6)];
	icmp[1] = (uint8_t)draw(s, 6);
	if (f->bytes - f->l4 < 8 + 40 + 8)
		return;
	memcpy(inner, outer, is_v6 ? 40 : 20);
	memcpy(inner + (is_v6 ? 8 : 12), is_v6 ? s->vip6 : s->vip4, is_v6 ? 16 : 4);
	memcpy(inner + (is_v6 ? 24 : 16), is_v6 ? s->source6 : s->source4, is_v6 ? 16 : 4);
	inner[is_v6 ? 6 : 9] = draw(s, 2) ? IPPROTO_TCP : IPPROTO_UDP;
	put16(inner + (is_v6 ? 40 : 20), s->port);
	put16(inner + (is_v6 ? 42 : 22), 1024 + draw(s, 64000));
	if (!is_v6)
		put_checksum(f, 0, IPPROTO_ICMP, 2);
}

static void build_syn(struct sender *s, struct frame *f)
{
	memset(f->data, 0, sizeof(f->data));
	put16(s->source4 + 2, 1 + draw(s, 65000));
	put_ethernet(s, f, 0, ETH_P_IP);
	put_ip(s, f, 0, IPPROTO_TCP, 20, 0, 0);
	put_tcp(f, 0, (uint16_t)(1024 + draw(s, 64000)), s->port, 2);
}

static void put_transport(struct sender *s, struct frame *f, int is_v6, uint8_t proto)
{
	uint16_t sport = (uint16_t)(1024 + draw(s, 64000)), dport = draw(s, 8) ? s->port : (uint16_t)draw(s, 65536);

	if (proto == IPPROTO_TCP)
		put_tcp(f, is_v6, sport, dport, draw(s, 2) ? 2 : (uint8_t)draw(s, 256));
	else if (proto == IPPROTO_UDP)
		put_udp(f, is_v6, sport, dport);
	else if (proto == IPPROTO_ICMP || proto == IPPROTO_ICMPV6)
		put_icmp_error(s, f, is_v6);
}

static void build_any(struct sender *s, struct frame *f)
{
	static const uint8_t protos[] = { IPPROTO_TCP, IPPROTO_TCP, IPPROTO_UDP, IPPROTO_UDP, IPPROTO_ICMP, 50, 132, 0 };
	int is_v6 = s->has_v6 && draw(s, 2);
	uint32_t tags = draw(s, 4) ? 0 : 1 + draw(s, 3), words = draw(s, 4) ? 0 : 1 + draw(s, 10);
	uint32_t fragment = draw(s, 6) ? 0 : draw(s, 0x4000), payload = draw(s, 4) ? draw(s, 64) : draw(s, 1300);
	uint8_t proto = protos[draw(s, sizeof(protos))];

	memset(f->data, 0, sizeof(f->data));
	put_ethernet(s, f, tags, draw(s, 16) ? (is_v6 ? ETH_P_IPV6 : ETH_P_IP) : draw(s, 65536));
	if (proto == IPPROTO_ICMP && is_v6)
		proto = IPPROTO_ICMPV6;
	put_ip(s, f, is_v6, proto, 20 + payload, words, fragment);
	put_transport(s, f, is_v6, proto);
}

static void damage(struct sender *s, struct frame *f)
{
	uint32_t headers = f->bytes < 100 ? f->bytes : 100;

	switch (draw(s, 6)) {
	case 0:
		f->data[12 + draw(s, headers - 12)] ^= (uint8_t)(1u << draw(s, 8));
		break;
	case 1:
		f->data[12 + draw(s, headers - 12)] = (uint8_t)draw(s, 256);
		break;
	case 2: /* torn anywhere */
		f->bytes = ETH_HLEN + draw(s, f->bytes - ETH_HLEN + 1);
		break;
	case 3: /* lengths of IP */
		put16(f->data + f->l3 + (draw(s, 2) ? 2 : 4), draw(s, 2) ? draw(s, 65536) : draw(s, 64));
		break;
	case 4: /* a word of the transport header */
		put16(f->data + f->l4 + 2 * draw(s, 10), draw(s, 65536));
		break;
	default: /* nothing but noise behind the addresses */
		for (uint32_t i = 14; i < f->bytes; i++)
			f->data[i] = (uint8_t)draw(s, 256);
	}
}

static int is_torn_tag(const struct frame *f)
{
	uint32_t type = (uint32_t)f->data[12] << 8 | f->data[13];

	return (type == ETH_P_8021Q || type == ETH_P_8021AD) &&
	       f->bytes < 20; /* skb_vlan_untag() wants the type behind the tag too */
}

static void send_all(struct sender *s, uint64_t count, int is_syn)
{
	const struct timespec pause = { .tv_nsec = PAUSE_NS };
	struct frame f;

	for (uint64_t i = 0; i < count; i++) {
		if (is_syn) {
			build_syn(s, &f);
		} else {
			build_any(s, &f);
			for (uint32_t injuries = draw(s, 4); injuries; injuries--)
				damage(s, &f);
			if (f.bytes > FRAME_BYTES)
				f.bytes = FRAME_BYTES;
		}
		if (sendto(s->fd, f.data, f.bytes, 0, (struct sockaddr *)&s->to, sizeof(s->to)) < 0) {
			s->refused++;
		} else {
			s->sent++;
			s->torn_tags += (uint64_t)is_torn_tag(&f);
		}
		if (i % BATCH == BATCH - 1)
			nanosleep(&pause, NULL);
	}
}

static int usage(void)
{
	fprintf(stderr, "usage: rawsend DEVICE MAC syn|hostile COUNT SEED SOURCE4 VIP4 PORT [SOURCE6 VIP6]\n");
	return 2;
}

int main(int argc, char **argv)
{
	struct sender s = { 0 };
	unsigned int mac[6];

	if (argc != 9 && argc != 11)
		return usage();
	if (sscanf(argv[2], "%x:%x:%x:%x:%x:%x", &mac[0], &mac[1], &mac[2], &mac[3], &mac[4], &mac[5]) != 6 ||
	    inet_pton(AF_INET, argv[6], s.source4) != 1 || inet_pton(AF_INET, argv[7], s.vip4) != 1)
		return usage();
	s.has_v6 = argc == 11;
	if (s.has_v6 && (inet_pton(AF_INET6, argv[9], s.source6) != 1 || inet_pton(AF_INET6, argv[10], s.vip6) != 1))
		return usage();
	for (int i = 0; i < 6; i++)
		s.mac[i] = (uint8_t)mac[i];
	s.port = (uint16_t)atoi(argv[8]);
	s.random = strtoull(argv[5], NULL, 0) * 0x9e3779b97f4a7c15ull | 1;
	s.to = (struct sockaddr_ll){ .sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex(argv[1]), .sll_halen = 6 };
	s.fd = socket(AF_PACKET, SOCK_RAW, 0);
	if (s.fd < 0 || !s.to.sll_ifindex) {
		fprintf(stderr, "rawsend: %s: %s\n", argv[1], strerror(errno));
		return 1;
	}
	send_all(&s, strtoull(argv[4], NULL, 0), !strcmp(argv[3], "syn"));
	printf("{\"sent\":%llu,\"refused\":%llu,\"torn_tags\":%llu}\n", (unsigned long long)s.sent,
	       (unsigned long long)s.refused, (unsigned long long)s.torn_tags);
	close(s.fd);
	return 0;
}
