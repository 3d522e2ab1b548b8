// SPDX-License-Identifier: BSD-2-Clause
/* Damage to frames, and a look at their checksums. */
#include <stdio.h>

#include "tests/bpf/pktgen.h"
#include "tests/model/model.h"

static const uint8_t pkt_bytes[] = { 0,	 1,  4,	 5,  6,	 7,  15, 17,  20,  31,	40,  43,
				     44, 58, 60, 63, 64, 69, 70, 127, 128, 129, 254, 255 };

static void pkt__mutate_once(struct pkt *p, struct rng *rng)
{
	uint32_t headers = p->bytes < 100 ? p->bytes : 100, at = rng__below(rng, headers), n;

	switch (rng__below(rng, 8)) {
	case 0:
		p->data[at] ^= (uint8_t)(1u << rng__below(rng, 8));
		break;
	case 1:
		p->data[at] = pkt_bytes[rng__below(rng, sizeof(pkt_bytes))];
		break;
	case 2:
		p->data[at] = (uint8_t)rng__next(rng);
		break;
	case 3: /* torn anywhere, at least an Ethernet header is left */
		if (p->bytes > WIRE_ETH_BYTES)
			p->bytes = WIRE_ETH_BYTES + rng__below(rng, p->bytes - WIRE_ETH_BYTES + 1);
		break;
	case 4: /* longer than it says */
		n = rng__below(rng, 64);
		memset(p->data + p->bytes, 0xab, n);
		p->bytes += n;
		break;
	case 5: /* length fields of IP */
		if (p->l3 + 6 <= p->bytes)
			wire__put16(p->data + p->l3 + (rng__one_in(rng, 2) ? 2 : 4),
				    (uint16_t)(p->bytes - p->l3 - 24 + rng__below(rng, 48)));
		break;
	case 6: /* a transport header's byte */
		if (p->l4 + 14 <= p->bytes)
			p->data[p->l4 + rng__below(rng, 14)] = (uint8_t)rng__next(rng);
		break;
	default: /* TCP flags, or the like of UDP and ICMP payloads */
		if (p->l4 + 14 <= p->bytes)
			p->data[p->l4 + 13] = (uint8_t)rng__below(rng, 64);
	}
}

void pkt__mutate(struct pkt *p, struct rng *rng)
{
	uint32_t n = 1 + rng__below(rng, 4);

	while (n--)
		pkt__mutate_once(p, rng);
	if (p->bytes > PKT_MAX_BYTES)
		p->bytes = PKT_MAX_BYTES;
}

const char *pkt__wrong_checksum(const uint8_t *data, uint32_t bytes)
{
	struct model_frame f;
	const uint8_t *l3, *l4;
	uint64_t sum;

	if (bytes > PKT_MAX_BYTES || model_frame__parse((uint8_t *)(uintptr_t)data, bytes, &f) > MODEL_CLASS_ICMP)
		return "not a whole datagram";
	l3 = data + f.l3;
	l4 = data + f.l4;
	if (f.family == 4 && wire__sum(l3, WIRE_IP4_BYTES) % 65535)
		return "IPv4 header";
	if (f.has_inner && f.family == 4 && wire__sum(data + f.in_l3, WIRE_IP4_BYTES) % 65535)
		return "inner IPv4 header";
	if (f.proto == WIRE_UDP && !wire__get16(l4 + 6))
		return NULL;
	sum = wire__sum(l4, f.end - f.l4);
	if (f.proto != WIRE_ICMP)
		sum += wire__pseudo_sum(l3, f.family, f.proto, f.end - f.l4);
	return sum % 65535 ? "transport" : NULL;
}

void pkt__dump(const char *title, const uint8_t *data, uint32_t bytes)
{
	uint32_t i;

	fprintf(stderr, "%s (%u bytes)\n", title, bytes);
	for (i = 0; i < bytes; i++)
		fprintf(stderr, "%02x%s", data[i], i % 16 == 15 || i + 1 == bytes ? "\n" : " ");
}
