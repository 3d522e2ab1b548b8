/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a plugin of the packet benchmark provides: it makes a program of its object ready for the flows of a case, says where each flow
 * must go, and checks the program's own counters. A shared object exports one symbol, `bench_plugin`; docs/benchmarks.md has an example.
 *
 * Order of calls: pre_load, (libbpf loads), post_load, (priming packets: one per flow of the case), primed, then any number of
 * { packets, verify } with reset between batches of new flows, close. Every function may be NULL. They return 0 or -errno
 * and write the story to env->why.
 */
#ifndef BENCH_PLUGIN_H
#define BENCH_PLUGIN_H

#include <stdbool.h>
#include <stdint.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "address.h"

#define BENCH_PLUGIN_ABI 1
#define BENCH_NO_POD (-1)

enum bench_kind {
	BENCH_ACK = 0,	 /* TCP ACK without payload of an open connection, or UDP datagram of a known flow */
	BENCH_DATA,	 /* TCP segment with payload of an open connection */
	BENCH_NEW,	 /* first packet of a flow: SYN, UDP datagram */
	BENCH_NEW_CLOSE, /* TCP: SYN and RST of the same flow in turn, so that one flow is new again and again */
	BENCH_REPLY,	 /* pod -> client: TCP segment with payload, UDP datagram */
	BENCH_TURN,	 /* request (forward program) and reply (reverse program) of a flow in turn, both at TC */
};

enum bench_rewrite { BENCH_SAME = 0, BENCH_DNAT, BENCH_SNAT };

/* What one packet must look like afterwards; the harness computes the bytes and all checksums by itself. */
struct bench_expect {
	uint32_t retval;
	enum bench_rewrite rewrite;
	bool decrements_ttl;
	bool sets_macs;
	uint8_t dmac[6], smac[6];
};

struct bench_env {
	/* given */
	const char *target; /* name of the row */
	const char *program;
	const char *args; /* text behind the plugin in --target; "" */
	bool is_tc;
	int family;    /* 4 or 6 */
	uint8_t proto; /* IPPROTO_TCP or IPPROTO_UDP */
	enum bench_kind kind;
	uint32_t capacity;   /* flows that tables are sized for */
	uint32_t first_flow; /* the timed packets belong to flows [first_flow, first_flow + nr_flows) */
	uint32_t nr_flows;
	uint32_t nr_services; /* frontend f belongs to service f, whose pods are [f * pods_per_service, ...) */
	uint32_t pods_per_service;
	uint32_t active_services; /* power of two: flow i goes to frontend i mod this */
	/* set by the plugin in pre_load or post_load */
	struct bench_expect expect;	    /* of the timed program */
	struct bench_expect expect_reverse; /* of reverse_program */
	const char
		*prime_program; /* in the same object: gets one first packet of each flow before anything else; NULL = none */
	const char *reverse_program; /* in the same object: takes replies of the pods, at TC; NULL = none */
	uint32_t redirect_ifindex;
	void *priv;
	char why[512];
};

/* Packets since the last call that went to the timed (or priming) program and to the reverse program. */
struct bench_ran {
	bool priming;
	uint64_t packets;
	uint64_t replies;
};

struct bench_placed {
	uint64_t flows;	 /* that should be in the table */
	uint64_t placed; /* found there */
};

struct bench_plugin {
	uint32_t abi;
	/* sizes, constants, which programs are loaded; -ENOTSUP: this program does not take part in this case */
	int (*pre_load)(struct bpf_object *obj, struct bench_env *env);
	int (*post_load)(struct bpf_object *obj, struct bench_env *env); /* contents of maps */
	int (*primed)(struct bench_env *env,
		      struct bench_placed *ret);	     /* counts flows from the table; remembers the state for reset */
	int (*reset)(struct bench_env *env);		     /* the state after priming again; not timed */
	int (*pod_of)(struct bench_env *env, uint32_t flow); /* where the table sends a flow, or BENCH_NO_POD */
	int (*verify)(struct bench_env *env,
		      const struct bench_ran *ran); /* the program's counters must have moved by exactly that */
	/* replaces the comparison with env->expect, for programs that do something else (encapsulate, ...) */
	int (*check)(struct bench_env *env, uint32_t flow, const uint8_t *in, uint32_t in_bytes, const uint8_t *out,
		     uint32_t out_bytes);
	void (*close)(struct bench_env *env);
};

extern const struct bench_plugin bench_plugin;

#endif
