/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Members of abi.h called `shown` are a second view of the words beside them, for people: `bpftool map dump` prints it by BTF, addresses and ports as
 * bytes, flags by name. Code uses the words. tests/abi compares both views; abi.h asserts the sizes of what holds them.
 */
#ifndef PINTLE_ABI_SHOWN_H
#define PINTLE_ABI_SHOWN_H

#include <linux/types.h>

/* PINTLE_FS_* by name. */
struct pintle_state_bits {
	__u64 backend : 16, generation : 8, age : 8;
	__u64 valid : 1, busy : 1, awaiting : 1, v6 : 1, udp : 1, established : 1;
	__u64 fin_client : 1, fin_pod : 1, reset : 1, redirect : 1, stamped : 1, syn : 1;
	__u64 cpu : 8, mark : 11, reset_client : 1;
};

struct pintle_ep_bits {
	__u8 valid : 1, local : 1, pad : 6;
};

struct pintle_ep4_shown {
	__u8 addr[4], port[2], proto;
	struct pintle_ep_bits flags;
};

struct pintle_ep6_shown {
	__u8 addr[16], port[2], proto;
	struct pintle_ep_bits flags;
};

struct pintle_frontend_shown {
	__u8 addr[16], port[2], proto, family;
};

struct pintle_svc_bits {
	__u8 redirect : 1, load_open : 1, pad : 6;
};

struct pintle_pod_bits {
	__u8 in_use : 1, redirect : 1, drain : 1, gone : 1, pad : 4;
};

/* A MAC and which one it is: changes when the MAC does. */
struct pintle_mac {
	__u8 addr[6];
	__u16 generation;
};

struct pintle_pod_shown {
	__u8 addr[16], port[2], family;
	struct pintle_pod_bits flags;
	__u16 sum, addr_sum;
	struct pintle_mac dmac, smac;
};

#endif
