// SPDX-License-Identifier: BSD-2-Clause
/* See scene.h. */
#include "tests/bpf/scene.h"

static const struct {
	struct wire_addr addr;
	uint16_t port;
	uint8_t proto, flags;
	int pods[2]; /* -1 = none */
} scene[NR_SCENE_FRONTENDS] = {
	[FE_TCP4] = { VIP4_A, 80, WIRE_TCP, 0, { POD_TCP4, -1 } },
	[FE_UDP4] = { VIP4_A, 53, WIRE_UDP, 0, { POD_UDP4, -1 } },
	[FE_TCP6] = { VIP6_A, 80, WIRE_TCP, 0, { POD_TCP6, -1 } },
	[FE_UDP6] = { VIP6_A, 53, WIRE_UDP, 0, { POD_UDP6, -1 } },
	[FE_RTCP4] = { VIP4_R, 80, WIRE_TCP, PINTLE_SVC_REDIRECT, { POD_RTCP4, -1 } },
	[FE_RTCP6] = { VIP6_R, 80, WIRE_TCP, PINTLE_SVC_REDIRECT, { POD_RTCP6, -1 } },
	[FE_RUDP4] = { VIP4_R, 53, WIRE_UDP, PINTLE_SVC_REDIRECT, { POD_RUDP4, -1 } },
	[FE_NOPOD] = { VIP4_NOPOD, 80, WIRE_TCP, 0, { -1, -1 } },
	[FE_SIBA] = { VIP4_SIB, 80, WIRE_TCP, 0, { POD_SIB0, POD_SIB1 } },
	[FE_SIBB] = { VIP4_SIB, 81, WIRE_TCP, 0, { POD_SIB0, POD_SIB1 } },
	[FE_LOCAL] = { VIP4_LOCAL, 80, WIRE_TCP, 0, { POD_LOCAL, -1 } },
	[FE_RPASS] = { VIP4_RPASS, 80, WIRE_TCP, PINTLE_SVC_REDIRECT, { POD_RPASS, -1 } },
	[FE_ONEA] = { VIP4_ONE, 80, WIRE_TCP, 0, { POD_ONE, -1 } },
	[FE_ONEB] = { VIP4_ONE, 81, WIRE_TCP, 0, { POD_ONE, -1 } },
};

static bool is_v6(int pod)
{
	return pod == POD_TCP6 || pod == POD_UDP6 || pod == POD_RTCP6;
}

void scene__make(struct rig *r)
{
	int i, k;

	rig__add_vip(r, (struct wire_addr)VIP4_LOCAL, true);
	for (i = 0; i < NR_SCENE_PODS; i++) {
		struct wire_addr a4 = POD4((uint8_t)i), a6 = POD6((uint8_t)i);

		ck_assert_uint_eq(rig__add_pod(r, is_v6(i) ? a6 : a4, POD_PORT), (unsigned int)i);
	}
	rig__set_redirect(r, POD_RTCP4, 0x41);
	rig__set_redirect(r, POD_RTCP6, 0x61);
	rig__set_redirect(r, POD_RUDP4, 0x42);
	for (i = 0; i < NR_SCENE_FRONTENDS; i++) {
		uint16_t service = rig__add_service(r, PINTLE_POLICY_SCORE, scene[i].flags);

		ck_assert_uint_eq(rig__add_frontend(r, service, scene[i].addr, scene[i].proto, scene[i].port), (unsigned int)i);
		for (k = 0; k < 2; k++)
			if (scene[i].pods[k] >= 0)
				rig__add_member(r, service, (uint16_t)scene[i].pods[k], 0, 1);
	}
	rig__link(r);
}
