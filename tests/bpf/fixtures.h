/* SPDX-License-Identifier: BSD-2-Clause */
/* Table-driven packet tests: short conversations, each frame with the verdict that it must end in. */
#ifndef PINTLE_TESTS_FIXTURES_H
#define PINTLE_TESTS_FIXTURES_H

#include "tests/bpf/scene.h"

#define FIXTURE_MAX_STEPS 10

struct fixture_step {
	enum model_prog prog;
	int verdict; /* 0 ends the list */
	struct pkt_spec spec;
};

struct fixture {
	const char *name;
	void (*tweak)(struct rig *r); /* of the scene, or NULL */
	struct fixture_step steps[FIXTURE_MAX_STEPS];
};

/* Shorthands for specifications. */
#define FRAME(src_, sport_, dst_, dport_, proto_, ...)                                                   \
	{                                                                                                \
		.src = src_, .sport = sport_, .dst = dst_, .dport = dport_, .proto = proto_, __VA_ARGS__ \
	}
#define TO4(port_, flags_, ...) FRAME(CLIENT4, 5000, VIP4_A, port_, WIRE_TCP, .tcp_flags = flags_, ##__VA_ARGS__)
#define FROM4(pod_, flags_, ...) FRAME(POD4(pod_), POD_PORT, CLIENT4, 5000, WIRE_TCP, .tcp_flags = flags_, ##__VA_ARGS__)
#define TO6(flags_, ...) FRAME(CLIENT6, 5000, VIP6_A, 80, WIRE_TCP, .tcp_flags = flags_, ##__VA_ARGS__)
#define FROM6(flags_, ...) FRAME(POD6(POD_TCP6), POD_PORT, CLIENT6, 5000, WIRE_TCP, .tcp_flags = flags_, ##__VA_ARGS__)
#define U4(...) FRAME(CLIENT4, 5000, VIP4_A, 53, WIRE_UDP, __VA_ARGS__)
#define U6(...) FRAME(CLIENT6, 5000, VIP6_A, 53, WIRE_UDP, __VA_ARGS__)
#define R4(flags_, ...) FRAME(CLIENT4, 5000, VIP4_R, 80, WIRE_TCP, .tcp_flags = flags_, ##__VA_ARGS__)
#define R6(flags_, ...) FRAME(CLIENT6, 5000, VIP6_R, 80, WIRE_TCP, .tcp_flags = flags_, ##__VA_ARGS__)

#define FWD(verdict_, ...)                                  \
	{                                                   \
		MODEL_XDP, PINTLE_V_##verdict_, __VA_ARGS__ \
	}
#define UP(verdict_, ...)                                      \
	{                                                      \
		MODEL_REV_UP, PINTLE_V_##verdict_, __VA_ARGS__ \
	}
#define VETH(verdict_, ...)                                      \
	{                                                        \
		MODEL_REV_VETH, PINTLE_V_##verdict_, __VA_ARGS__ \
	}

extern const struct fixture fixtures_parse[], fixtures_steer[], fixtures_icmp[], fixtures_reverse[];
extern const size_t nr_fixtures_parse, nr_fixtures_steer, nr_fixtures_icmp, nr_fixtures_reverse;

#endif
