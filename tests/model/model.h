/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reference model of the data plane: what a packet must become, by the shortest code that says it, written from the RFCs. Arrays and linear
 * look-ups, checksums summed from scratch, no shared arithmetic with the programs. It keeps its own flows, so that it can be run beside
 * them packet by packet.
 *
 * Its time stands still: what a client has reset does not come back to life (test_life.c shows that it does), and nothing ages.
 *
 * The one thing it does not predict is which pod a policy picks: that comes from choose(); the model says whether it was allowed.
 */
#ifndef PINTLE_TESTS_MODEL_H
#define PINTLE_TESTS_MODEL_H

#include "pintle/abi.h"
#include "pintle/verdict.h"
#include "wire.h"

#define MODEL_MAX_FRONTENDS 64u
#define MODEL_MAX_SERVICES 32u
#define MODEL_MAX_PODS 128u
#define MODEL_MAX_MEMBERS 96u
#define MODEL_FLOW_CHAINS 4096u

enum model_prog { MODEL_XDP = 0, MODEL_TC, MODEL_REV_UP, MODEL_REV_VETH, MODEL_NR_PROGS };

struct model_frontend {
	struct wire_addr addr;
	uint16_t port, service; /* host order */
	uint8_t proto;
};

struct model_vip {
	struct wire_addr addr;
	bool local; /* an address of the node: unknown ports pass */
};

struct model_pod {
	struct wire_addr addr;
	uint16_t port;
	bool in_use, redirect, has_macs;
	uint8_t dmac[6], smac[6];
	uint16_t siblings[PINTLE_MAX_SIBLINGS];
	uint16_t nr_siblings;
	int32_t awaiting, open; /* as pintle_load */
	uint64_t packets, bytes, rev_packets, first_bytes, aborted, flows;
};

struct model_service {
	bool in_use, redirect;
	uint16_t members[MODEL_MAX_MEMBERS];
	uint16_t nr_members;
};

struct model_flow {
	struct model_flow *next;
	struct wire_addr client;
	uint16_t client_port, frontend, pod;
	bool udp, awaiting, est, fin_client, fin_pod, rst, rst_client, redirect, syn;
};

struct model {
	struct model_frontend frontends[MODEL_MAX_FRONTENDS]; /* index = frontend id */
	uint16_t nr_frontends;
	struct model_vip vips[MODEL_MAX_FRONTENDS];
	uint16_t nr_vips;
	struct model_service services[MODEL_MAX_SERVICES];
	struct model_pod pods[MODEL_MAX_PODS];
	uint16_t nr_pods;
	bool draining, no_agent, has_uplink; /* a device for redirected replies is known */
	uint8_t own_macs[2][6];		     /* of the device that packets come in by */
	int nr_own_macs;		     /* 0: not known, every frame is ours */
	bool recovering;		     /* the flow table counts as lost; sockets cannot be asked for */
	int32_t reject_budget;
	struct model_flow *chains[MODEL_FLOW_CHAINS];
	uint32_t nr_flows;
	/* the pod that the program under test gave to this new flow, or -1 when it has none */
	int (*choose)(void *arg, uint16_t frontend, const struct wire_addr *client, uint16_t client_port);
	void *choose_arg;
};

struct model_result {
	int verdict;		 /* enum pintle_verdict */
	int action;		 /* enum pintle_action */
	bool bad_choice;	 /* choose() gave a pod that the rules forbid */
	struct model_flow *flow; /* that the packet belongs to, or NULL */
};

/* Where a frame's parts are. */
enum model_class {
	MODEL_CLASS_OK = 0,
	MODEL_CLASS_ICMP,
	MODEL_CLASS_NOT_IP,
	MODEL_CLASS_NOT_L4,
	MODEL_CLASS_FRAGMENT,
	MODEL_CLASS_OPTIONS,
	MODEL_CLASS_MALFORMED
};

struct model_frame {
	uint8_t *data;
	uint32_t bytes, l3, l4, end; /* offsets; end = of the IP datagram, padding excluded */
	uint8_t family, proto, nr_vlans, tcp_flags;
	uint16_t sport, dport;
	uint32_t payload_bytes;
	struct wire_addr src, dst;
	/* ICMP errors: the quoted packet */
	uint32_t in_l3, in_l4;
	uint8_t in_proto;
	uint16_t in_sport, in_dport;
	struct wire_addr in_src, in_dst;
	bool has_inner;
};

void model__init(struct model *m);
void model__free(struct model *m); /* its flows */
/* Runs one frame through the model of one program; changes `data` as the program must. */
void model__run(struct model *m, enum model_prog prog, uint8_t *data, uint32_t bytes, struct model_result *ret);

/* model_parse.c */
enum model_class model_frame__parse(uint8_t *data, uint32_t bytes, struct model_frame *ret);
int model__class_verdict(enum model_class class, bool is_reverse);

/* model_rewrite.c */
enum model_side { MODEL_SRC = 0, MODEL_DST };
void model__rewrite_l4(struct model_frame *f, enum model_side side, const struct wire_addr *addr, uint16_t port);
/* Inner `in_side` always, outer `out_side` only when asked. */
void model__rewrite_icmp(struct model_frame *f, enum model_side out_side, bool rewrite_outer, const struct wire_addr *out_addr,
			 enum model_side in_side, const struct wire_addr *in_addr, uint16_t in_port);
void model__decrement_ttl(struct model_frame *f);
uint8_t model__ttl(const struct model_frame *f);

/* model_flow.c */
struct model_flow *model__find_flow(const struct model *m, const struct wire_addr *client, uint16_t client_port,
				    uint16_t frontend);
struct model_flow *model__add_flow(struct model *m, const struct wire_addr *client, uint16_t client_port, uint16_t frontend);
void model__del_flow(struct model *m, struct model_flow *flow);
bool model__is_closed(const struct model_flow *flow);
bool model__is_ended(const struct model_flow *flow); /* closed, and a reset of the client alone does not count */
bool model__is_guess(const struct model_flow *flow); /* made from a reply alone */
void model__guess_flow(struct model *m, struct model_flow *flow, uint16_t pod);
void model__refute_flow(struct model *m, struct model_flow *flow); /* the connection did not come through the frontend */
void model__start_flow(struct model *m, struct model_flow *flow, uint16_t pod, bool udp, bool redirect);
void model__client_packet(struct model *m, struct model_flow *flow, const struct model_frame *f);
void model__pod_packet(struct model *m, struct model_flow *flow, const struct model_frame *f);
/* Takes a flow out of the loads; it stays in the map. */
void model__close_flow(struct model *m, struct model_flow *flow);

/* model_forward.c, model_reverse.c */
void model__forward(struct model *m, enum model_prog prog, struct model_frame *f, struct model_result *ret);
void model__reverse(struct model *m, enum model_prog prog, struct model_frame *f, struct model_result *ret);
int model__find_frontend(const struct model *m, const struct wire_addr *addr, uint16_t port, uint8_t proto); /* id or -1 */
int model__find_pod(const struct model *m, const struct wire_addr *addr, uint16_t port);		     /* id or -1 */

#endif
