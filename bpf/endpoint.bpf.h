/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Look-up of (address, port, protocol) in the endpoint tables: frontends going in, pods coming back. */
#ifndef PINTLE_ENDPOINT_BPF_H
#define PINTLE_ENDPOINT_BPF_H

#include "config.bpf.h"
#include "maps.bpf.h"
#include "pkt.bpf.h"

struct endpoint {
	__u16 id; /* frontend, or pod */
	__u16 service;
	__u16 inv_sum;
	__u8 flags;
};

/* The word that publishes an entry: port, protocol, flags (and the address of an IPv4 one). LOCAL does not take part. */
static __always_inline __u64 ep4_word(__u32 addr_be, __u16 port_be, __u8 proto)
{
	return addr_be | (__u64)port_be << 32 | (__u64)proto << 48 | (__u64)PINTLE_EP_VALID << 56;
}

#define PT_EP4_COMPARE (~((__u64)PINTLE_EP_LOCAL << 56))

static __always_inline bool ep4_in_bucket(const struct pintle_ep4_bucket *bucket, __u64 word, struct endpoint *ret)
{
#pragma clang loop unroll(full)
	for (int i = 0; i < 4; i++) {
		const struct pintle_ep4 *slot = &bucket->slot[i];
		__u64 head = *(const volatile __u64 *)slot;

		if ((head & PT_EP4_COMPARE) != word)
			continue;
		ret->id = slot->id;
		ret->service = slot->service;
		ret->inv_sum = slot->inv_sum;
		ret->flags = (__u8)(head >> 56);
		return true;
	}
	return false;
}

static __always_inline bool ep4_find(void *map, __u32 mask, __u32 addr_be, __u16 port_be, __u8 proto, struct endpoint *ret)
{
	__u64 word = ep4_word(addr_be, port_be, proto);
	const struct pintle_seed seed = table_seed();
	__u64 hash = pintle_ep4_hash(addr_be, port_be, proto, &seed);
	__u32 index = pintle_bucket_first(hash, mask);
	const struct pintle_ep4_bucket *bucket = bpf_map_lookup_elem(map, &index);

	if (bucket && ep4_in_bucket(bucket, word, ret))
		return true;
	index = pintle_ep_second(hash, mask);
	bucket = bpf_map_lookup_elem(map, &index);
	return bucket && ep4_in_bucket(bucket, word, ret);
}

static __always_inline bool ep6_in_bucket(const struct pintle_ep6_bucket *bucket, const __u32 *addr_be, __u32 word,
					  struct endpoint *ret)
{
#pragma clang loop unroll(full)
	for (int i = 0; i < 2; i++) {
		const struct pintle_ep6 *slot = &bucket->slot[i];
		__u32 head = *(const volatile __u32 *)&slot->port_be;
		const __u64 *have = (const __u64 *)slot->addr_be;

		if ((head & ~((__u32)PINTLE_EP_LOCAL << 24)) != word)
			continue;
		if (have[0] != (addr_be[0] | (__u64)addr_be[1] << 32) || have[1] != (addr_be[2] | (__u64)addr_be[3] << 32))
			continue;
		ret->id = slot->id;
		ret->service = slot->service;
		ret->inv_sum = slot->inv_sum;
		ret->flags = (__u8)(head >> 24);
		return true;
	}
	return false;
}

static __always_inline bool ep6_find(void *map, __u32 mask, const __u32 *addr_be, __u16 port_be, __u8 proto,
				     struct endpoint *ret)
{
	__u32 word = port_be | (__u32)proto << 16 | (__u32)PINTLE_EP_VALID << 24;
	const struct pintle_seed seed = table_seed();
	__u64 hash = pintle_ep6_hash(addr_be, port_be, proto, &seed);
	__u32 index = pintle_bucket_first(hash, mask);
	const struct pintle_ep6_bucket *bucket = bpf_map_lookup_elem(map, &index);

	if (bucket && ep6_in_bucket(bucket, addr_be, word, ret))
		return true;
	index = pintle_ep_second(hash, mask);
	bucket = bpf_map_lookup_elem(map, &index);
	return bucket && ep6_in_bucket(bucket, addr_be, word, ret);
}

static __always_inline bool vip_find(int family, const __u32 *addr_be, __u16 port_be, __u8 proto, struct endpoint *ret)
{
	if (family == 4)
		return ep4_find(&pt_vip4, pt_vip4_mask, addr_be[0], port_be, proto, ret);
	return ep6_find(&pt_vip6, pt_vip6_mask, addr_be, port_be, proto, ret);
}

static __always_inline bool rev_find(int family, const __u32 *addr_be, __u16 port_be, struct endpoint *ret)
{
	if (family == 4)
		return ep4_find(&pt_rev4, pt_rev4_mask, addr_be[0], port_be, 0, ret);
	return ep6_find(&pt_rev6, pt_rev6_mask, addr_be, port_be, 0, ret);
}

#endif
