/* SPDX-License-Identifier: BSD-2-Clause */
/* Small moves for tests that look at states and loads by literal values, without the model. */
#ifndef PINTLE_TESTS_KIT_H
#define PINTLE_TESTS_KIT_H

#include "tests/bpf/rig.h"

#define KIT_POD_PORT 8080

/* One service of `nr` IPv4 pods 10.2.0.x behind 198.51.100.1, TCP port 80 (service 0, frontend 0, pods 0..nr-1), linked. */
void kit__service(struct rig *r, uint8_t policy, uint8_t flags, int nr);
/* Runs a frame from client `n` (10.128.0.0/9, port 1024 + n % 60000) to the frontend of kit__service(), or a pod's answer. Returns the verdict. */
int kit__to_vip(struct rig *r, uint32_t n, uint8_t tcp_flags, uint32_t payload_bytes);
int kit__from_pod(struct rig *r, uint32_t n, uint16_t pod, uint8_t tcp_flags, uint32_t payload_bytes);
int kit__run(struct rig *r, enum model_prog prog, const struct pkt_spec *spec); /* verdict */
struct wire_addr kit__client(uint32_t n);
uint16_t kit__client_port(uint32_t n);
struct pintle_slot *kit__slot(struct rig *r, uint32_t n, uint16_t frontend); /* of client n's flow, or NULL */
uint64_t kit__flags(const struct pintle_slot *slot);			     /* PINTLE_FS_* without age, generation, backend */
int kit__new_flow(struct rig *r, uint32_t n);				     /* SYN of client n; the chosen pod */
/* Present readings of the two clocks of the age byte. Uses the tables: reset and fill afterwards. */
void kit__clocks(struct rig *r, uint8_t *ret_fine, uint8_t *ret_coarse);
/* Writes client n's entry into a slot by hand and counts it; age = units back from `now`. */
void kit__place(struct rig *r, uint32_t slot, uint32_t n, uint16_t frontend, uint16_t pod, uint64_t flags, uint8_t now,
		uint8_t age);
void kit__forget_flows(struct rig *r); /* table and loads */
/* A TCP frame to be fired many times with other ends; checksums are not kept up. Safe in threads. */
struct kit_frame {
	uint8_t data[128];
	uint32_t bytes;
};
void kit__frame_to_vip(struct kit_frame *f, uint32_t n, uint8_t tcp_flags, uint32_t payload_bytes);
void kit__frame_from_pod(struct kit_frame *f, uint32_t n, uint8_t pod, uint8_t tcp_flags, uint32_t payload_bytes);
void kit__set_source(struct kit_frame *f, uint32_t saddr, uint16_t sport); /* host order */
/* Runs it without looking at what comes out; returns the program's return value. */
uint32_t kit__fire(const struct rig *r, enum model_prog prog, const struct kit_frame *f);
/* Pearson's statistic of counts against expected shares. */
double kit__chi_square(const uint32_t *counts, const double *expected, int nr);

#endif
