/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The services that fixtures and the fuzzer use: one pod each where a test must know the pod beforehand.
 *
 *   frontend            service            pods
 *   FE_TCP4  .10:80     pass               POD_TCP4
 *   FE_UDP4  .10:53     pass               POD_UDP4
 *   FE_TCP6  ::10:80    pass               POD_TCP6
 *   FE_UDP6  ::10:53    pass               POD_UDP6
 *   FE_RTCP4 .20:80     redirect           POD_RTCP4
 *   FE_RTCP6 ::20:80    redirect           POD_RTCP6
 *   FE_RUDP4 .20:53     redirect           POD_RUDP4
 *   FE_NOPOD .30:80     pass               none
 *   FE_SIBA  .40:80, FE_SIBB .40:81        POD_SIB0, POD_SIB1 in both services, score
 *   FE_LOCAL .50:80     pass, node's own   POD_LOCAL
 *   FE_RPASS .60:80     redirect           POD_RPASS, which does not allow redirect
 *   FE_ONEA  .70:80, FE_ONEB .70:81        POD_ONE in both services
 */
#ifndef PINTLE_TESTS_SCENE_H
#define PINTLE_TESTS_SCENE_H

#include "tests/bpf/rig.h"

#define A4(a, b_, c, d)                           \
	{                                         \
		.family = 4, .b = { a, b_, c, d } \
	}
#define A6(net, host)                                                             \
	{                                                                         \
		.family = 6, .b = { 0x20, 0x01, 0x0d, 0xb8, 0, net, [15] = host } \
	}

#define VIP4_A A4(198, 51, 100, 10)
#define VIP4_R A4(198, 51, 100, 20)
#define VIP4_NOPOD A4(198, 51, 100, 30)
#define VIP4_SIB A4(198, 51, 100, 40)
#define VIP4_LOCAL A4(198, 51, 100, 50)
#define VIP4_RPASS A4(198, 51, 100, 60)
#define VIP4_ONE A4(198, 51, 100, 70)
#define VIP6_A A6(1, 0x10)
#define VIP6_R A6(1, 0x20)
#define CLIENT4 A4(203, 0, 113, 7)
#define CLIENT6 A6(9, 7)
#define ROUTER4 A4(192, 0, 2, 1)
#define ROUTER6 A6(8, 1)
#define OTHER4 A4(192, 0, 2, 99)
#define OTHER6 A6(8, 0x99)
#define POD4(n) A4(10, 1, 0, 10 + (n))
#define POD6(n) A6(2, 10 + (n))
#define POD_PORT 8080

enum {
	FE_TCP4 = 0,
	FE_UDP4,
	FE_TCP6,
	FE_UDP6,
	FE_RTCP4,
	FE_RTCP6,
	FE_RUDP4,
	FE_NOPOD,
	FE_SIBA,
	FE_SIBB,
	FE_LOCAL,
	FE_RPASS,
	FE_ONEA,
	FE_ONEB,
	NR_SCENE_FRONTENDS
};
enum {
	POD_TCP4 = 0,
	POD_UDP4,
	POD_TCP6,
	POD_UDP6,
	POD_RTCP4,
	POD_RTCP6,
	POD_RUDP4,
	POD_SIB0,
	POD_SIB1,
	POD_LOCAL,
	POD_RPASS,
	POD_ONE,
	NR_SCENE_PODS
};

void scene__make(struct rig *r);

#endif
