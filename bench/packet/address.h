/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Which addresses flow i, frontend f and pod p have: shared by the driver program, the model and the plugins. Host order. */
#ifndef BENCH_ADDRESS_H
#define BENCH_ADDRESS_H

#define BENCH_MAX_FLOWS (1u << 20)

/* 64 connections a client: 100.64.0.0/10, fd00:c::<client> */
#define BENCH_CLIENT4(flow) (0x64400000u + ((flow) >> 6))
#define BENCH_CLIENT_PORT(flow) ((unsigned short)(1024u + ((flow)&63u) * 997u))
/* 10.96.0.0/12, fd00:f::<frontend>; one service each, flow i goes to frontend i mod (number of active ones, a power of two) */
#define BENCH_VIP4(frontend) (0x0a600000u + (frontend))
#define BENCH_VIP_PORT 80u
/* 10.128.0.0/16, fd00:d::<pod> */
#define BENCH_POD4(pod) (0x0a800000u + (pod))
#define BENCH_POD_PORT 8080u

/* IPv6 addresses are fd00:<net>::<32-bit number>, the number being the IPv4 one. */
#define BENCH_NET6_CLIENT 0xcu
#define BENCH_NET6_VIP 0xfu
#define BENCH_NET6_POD 0xdu

#endif
