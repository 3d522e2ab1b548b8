/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The built object, loaded with test sizes, its maps as plain memory, filled without the agent's code; beside it the model with the same
 * services. A step runs one frame through a program and the model and compares everything that can be seen.
 */
#ifndef PINTLE_TESTS_RIG_H
#define PINTLE_TESTS_RIG_H

#include <check.h>
#include <bpf/libbpf.h>

#include "pintle/abi.h"
#include "pintle/hash.h"
#include "pintle/verdict.h"
#include "tests/bpf/pktgen.h"
#include "tests/model/model.h"

#define RIG_MEMBER_LINES_EACH 16u /* of a service: 128 members */
#define RIG_PICK_LINES_EACH 128u  /* of a service: 4096 picks */
#define RIG_MAX_CPUS 64

struct rig {
	struct bpf_object *obj;
	int prog_fd[MODEL_NR_PROGS], sweep_fd;
	int verdicts_fd, traffic_fd, stats_fd, classes_fd, devmap_fd;
	int nr_cpus;
	struct pintle_meta meta;
	struct pintle_seed seed;
	uint32_t mask; /* flow buckets - 1 */
	struct pintle_bucket *flows;
	uint64_t *stamps;
	struct pintle_ep4_bucket *vip4, *rev4;
	struct pintle_ep6_bucket *vip6, *rev6;
	struct pintle_frontend *frontends;
	struct pintle_service *services;
	struct pintle_member_line *members;
	struct pintle_pick_line *picks;
	struct pintle_pod *pods;
	struct pintle_siblings *siblings;
	struct pintle_load *loads;
	struct pintle_activity *activity;
	uint64_t *locals;
	struct pintle_ctl *ctl;
	struct pintle_uplink *uplinks;
	struct ring_buffer *events;
	uint64_t nr_events[PINTLE_EVENT_MAX];
	struct pintle_event last_event;
	struct model model;
};

/* Loads .output/pintle.bpf.o (or $PINTLE_BPF_OBJ). 0 or -errno; the reason is on stderr. `seed_base` makes the four seeds.
 * Maps are as the kernel makes them: reset before use. */
int rig__open(struct rig *r, uint32_t nr_buckets, uint64_t seed_base);
/* The same with other clocks than the usual 9 and 14: 0 ages a flow every jiffy. */
int rig__open_clocked(struct rig *r, uint32_t nr_buckets, uint64_t seed_base, uint32_t fine_shift, uint32_t coarse_shift);
/* The same with so few searches for sockets in a tick of the kernel. */
int rig__open_slow(struct rig *r, uint32_t nr_buckets, uint64_t seed_base, uint32_t searches);
void rig__close(struct rig *r);
/* Everything empty, default control words. */
void rig__reset(struct rig *r);
/* The loaded standard rig (4096 buckets) that all tests share; reset. */
struct rig *rig__shared(void);
/* The same with clocks that do not move while a test runs: for comparisons with the model. */
#define RIG_TIMELESS_SHIFT 24 /* 18 hours a tick */
struct rig *rig__timeless(void);
int rig__open_shared(void);

/* rig_fill.c: into the maps and the model alike. */
void rig__set_psi(struct rig *r, double externality);
uint16_t rig__add_service(struct rig *r, uint8_t policy, uint8_t flags);
uint16_t rig__add_frontend(struct rig *r, uint16_t service, struct wire_addr addr, uint8_t proto, uint16_t port);
void rig__add_vip(struct rig *r, struct wire_addr addr,
		  bool local); /* the wildcard; add_frontend() makes a foreign one by itself */
uint16_t rig__add_pod(struct rig *r, struct wire_addr addr, uint16_t port);
void rig__set_redirect(struct rig *r, uint16_t pod, uint8_t mac_low);
uint16_t rig__add_member(struct rig *r, uint16_t service, uint16_t pod, double gain, uint16_t concurrency);
void rig__set_picks(struct rig *r, uint16_t service, const uint16_t *member_index, uint32_t nr);
/* Writes siblings and reverse entries from what was added. Call once at the end. */
void rig__link(struct rig *r);
struct pintle_pool *rig__pool(struct rig *r, uint16_t service); /* the active one */

/* rig_run.c */
/* The kernel refuses test runs of frames without an Ethernet header, and for TC those whose IP header is torn right behind it. */
bool rig__can_run(enum model_prog prog, const uint8_t *data, uint32_t bytes);
struct rig_out {
	uint32_t retval, bytes;
	uint8_t data[PKT_MAX_BYTES + 512];
};
int rig__run(struct rig *r, enum model_prog prog, const uint8_t *data, uint32_t bytes, struct rig_out *ret);
uint64_t rig__verdict(struct rig *r, int verdict);
void rig__verdicts(struct rig *r, uint64_t counts[PINTLE_V_MAX]);
struct pintle_traffic rig__traffic(struct rig *r, uint16_t pod);
struct pintle_pod_stats rig__stats(struct rig *r, uint16_t pod);
struct pintle_class_stats rig__class_stats(struct rig *r, uint32_t slot, uint32_t flow_class);
int rig__sweep(struct rig *r, struct pintle_sweep *sweep);
/* As if the last sweep was so many jiffies ago. */
void rig__set_silence(struct rig *r, uint32_t jiffies);
void rig__drain_events(struct rig *r);
/* The entry of a flow, or NULL; by hash.h. */
struct pintle_slot *rig__slot(struct rig *r, const struct wire_addr *client, uint16_t client_port, uint16_t frontend);
uint64_t rig__key(const struct rig *r, const struct wire_addr *client, uint16_t client_port, uint16_t frontend);

/* Compares program and model on one frame; 0, or -1 with the story in why. Changes both states. */
#define RIG_WHY_BYTES 1024
int rig__step(struct rig *r, enum model_prog prog, const uint8_t *data, uint32_t bytes, int *ret_verdict,
	      char why[RIG_WHY_BYTES]);
/* Recounts the flow table and compares with pt_loads; checks for double keys and BUSY slots. 0, or -1 and why. */
int rig__audit(struct rig *r, char why[RIG_WHY_BYTES]);

const char *verdict_name(int verdict);
bool tests_full(void); /* PINTLE_FULL=1: full counts */
uint64_t tests_count(const char *env, uint64_t normal, uint64_t full);

#endif
