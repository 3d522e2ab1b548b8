/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Has a pod of this node a connection with the client of the flow in scratch? Asked of the pod's own network namespace, by its id. */
#ifndef PINTLE_SOCKET_BPF_H
#define PINTLE_SOCKET_BPF_H

#include "scratch.bpf.h"

/* States of a connection that a SYN must not replace (RFC 9293 section 3.10.7.4). Listeners match every client; requests and TIME-WAIT give way. */
#define PT_LIVE_STATES                                                                                            \
	(1u << BPF_TCP_ESTABLISHED | 1u << BPF_TCP_SYN_RECV | 1u << BPF_TCP_FIN_WAIT1 | 1u << BPF_TCP_FIN_WAIT2 | \
	 1u << BPF_TCP_CLOSE_WAIT | 1u << BPF_TCP_LAST_ACK | 1u << BPF_TCP_CLOSING)

/* False also where nothing is known of the pod's namespace. */
static __always_inline bool socket_lives(void *ctx, __u32 pod_id)
{
	struct pintle_pod *pod = bpf_map_lookup_elem(&pt_pods, &pod_id);
	struct new_flow *f = scratch_flow();
	struct bpf_sock_tuple tuple = {};
	__u32 bytes = sizeof(tuple.ipv4), state;
	struct bpf_sock *sock;

	if (!pod || !f || !pod->netns)
		return false;
	if (pod->family == 4) {
		tuple.ipv4.saddr = (PINTLE_FORCE __be32)f->saddr_be[0];
		tuple.ipv4.daddr = pod->addr_be[0];
		tuple.ipv4.sport = (PINTLE_FORCE __be16)f->sport_be;
		tuple.ipv4.dport = pod->port_be;
	} else {
		__builtin_memcpy(tuple.ipv6.saddr, f->saddr_be, sizeof(tuple.ipv6.saddr));
		__builtin_memcpy(tuple.ipv6.daddr, pod->addr_be, sizeof(tuple.ipv6.daddr));
		tuple.ipv6.sport = (PINTLE_FORCE __be16)f->sport_be;
		tuple.ipv6.dport = pod->port_be;
		bytes = sizeof(tuple.ipv6);
	}
	if (bytes == sizeof(tuple.ipv4))
		sock = bpf_skc_lookup_tcp(ctx, &tuple, sizeof(tuple.ipv4), pod->netns - 1, 0);
	else
		sock = bpf_skc_lookup_tcp(ctx, &tuple, sizeof(tuple.ipv6), pod->netns - 1, 0);
	if (!sock)
		return false;
	state = sock->state;
	bpf_sk_release(sock);
	return 1u << (state & 31) & PT_LIVE_STATES;
}

__global_fn int xdp_socket_lives(struct xdp_md *ctx, __u32 pod_id)
{
	return socket_lives(ctx, pod_id);
}

__global_fn int tc_socket_lives(struct __sk_buff *skb, __u32 pod_id)
{
	return socket_lives(skb, pod_id);
}

#endif
