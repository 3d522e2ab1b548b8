// SPDX-License-Identifier: BSD-2-Clause
/* Pod to client, sibling frontends, and connections that are not ours. */
#include "tests/bpf/fixtures.h"

#define SA (WIRE_SYN | WIRE_ACK)
#define PA (WIRE_PSH | WIRE_ACK)
#define RR4(flags_, ...) FRAME(POD4(POD_RTCP4), POD_PORT, CLIENT4, 5000, WIRE_TCP, .tcp_flags = flags_, ##__VA_ARGS__)
#define RR6(flags_, ...) FRAME(POD6(POD_RTCP6), POD_PORT, CLIENT6, 5000, WIRE_TCP, .tcp_flags = flags_, ##__VA_ARGS__)
#define SIB(port_, flags_, ...) FRAME(CLIENT4, 5000, VIP4_SIB, port_, WIRE_TCP, .tcp_flags = flags_, ##__VA_ARGS__)
#define ONEVIP(port_, flags_, ...) FRAME(CLIENT4, 5000, VIP4_ONE, port_, WIRE_TCP, .tcp_flags = flags_, ##__VA_ARGS__)
#define ONEPOD(flags_, ...) FRAME(POD4(POD_ONE), POD_PORT, CLIENT4, 5000, WIRE_TCP, .tcp_flags = flags_, ##__VA_ARGS__)
#define OPEN4 FWD(STEER_PASS, TO4(80, WIRE_SYN))
#define CLOSE4 FWD(STEER_PASS, TO4(80, WIRE_RST))

static void no_uplink(struct rig *r)
{
	r->ctl->uplink_ifindex = 0; /* and the test's namespace has no routes */
	r->model.has_uplink = false;
}

const struct fixture fixtures_reverse[] = {
	{ "direct connection: SYN-ACK", NULL, { UP(REV_NEW_CONN, FROM4(POD_TCP4, SA)) } },
	{ "direct connection: SYN of the pod", NULL, { UP(REV_NEW_CONN, FROM4(POD_TCP4, WIRE_SYN)) } },
	{ "direct connection: data", NULL, { UP(REV_NO_FLOW, FROM4(POD_TCP4, PA, .payload_bytes = 10)) } },
	{ "direct connection: UDP",
	  NULL,
	  { UP(REV_NO_FLOW, FRAME(POD4(POD_UDP4), POD_PORT, CLIENT4, 5000, WIRE_UDP, .payload_bytes = 1)) } },
	{ "UDP from a TCP pod's port",
	  NULL,
	  { OPEN4, UP(REV_NO_FLOW, FRAME(POD4(POD_TCP4), POD_PORT, CLIENT4, 5000, WIRE_UDP, .payload_bytes = 1)) } },
	{ "another port of the pod",
	  NULL,
	  { OPEN4, UP(REV_NOT_POD, FRAME(POD4(POD_TCP4), 22, CLIENT4, 5000, WIRE_TCP, .tcp_flags = WIRE_ACK)) } },
	{ "another client port",
	  NULL,
	  { OPEN4, UP(REV_NO_FLOW, FRAME(POD4(POD_TCP4), POD_PORT, CLIENT4, 5001, WIRE_TCP, .tcp_flags = WIRE_ACK)) } },
	{ "SYN of the pod on a live flow's tuple",
	  NULL,
	  { OPEN4, UP(REV_NEW_CONN, FROM4(POD_TCP4, WIRE_SYN)), UP(REV_STEER, FROM4(POD_TCP4, SA)) } },
	{ "SYN-ACK twice", NULL, { OPEN4, UP(REV_STEER, FROM4(POD_TCP4, SA)), UP(REV_STEER, FROM4(POD_TCP4, SA)) } },
	{ "refused", NULL, { OPEN4, UP(REV_STEER, FROM4(POD_TCP4, WIRE_RST | WIRE_ACK)), FWD(STEER_PASS, TO4(80, WIRE_SYN)) } },
	{ "closed entry and a SYN-ACK: it goes",
	  NULL,
	  { OPEN4, CLOSE4, UP(REV_NEW_CONN, FROM4(POD_TCP4, SA)), UP(REV_NO_FLOW, FROM4(POD_TCP4, PA, .payload_bytes = 3)),
	    FWD(PASS_MISS, TO4(80, WIRE_ACK)) } },
	{ "closed entry and a SYN of the pod: it goes",
	  NULL,
	  { OPEN4, CLOSE4, UP(REV_NEW_CONN, FROM4(POD_TCP4, WIRE_SYN)), UP(REV_NO_FLOW, FROM4(POD_TCP4, WIRE_ACK)) } },
	{ "late data of a closed flow is still translated",
	  NULL,
	  { OPEN4, CLOSE4, UP(REV_STEER, FROM4(POD_TCP4, PA, .payload_bytes = 3)) } },
	{ "FIN of the pod, then data of the client",
	  NULL,
	  { OPEN4, UP(REV_STEER, FROM4(POD_TCP4, WIRE_FIN | WIRE_ACK)), FWD(STEER_PASS, TO4(80, PA, .payload_bytes = 3)),
	    FWD(STEER_PASS, TO4(80, WIRE_FIN | WIRE_ACK)), FWD(STEER_PASS, TO4(80, WIRE_SYN)) } },
	{ "FIN with data answers the request",
	  NULL,
	  { OPEN4, UP(REV_STEER, FROM4(POD_TCP4, WIRE_FIN | PA, .payload_bytes = 3)) } },
	{ "reply in QinQ", NULL, { OPEN4, UP(REV_STEER, FROM4(POD_TCP4, SA, .nr_vlans = 2)) } },
	{ "reply with wrong checksums stays wrong",
	  NULL,
	  { OPEN4, UP(REV_STEER, FROM4(POD_TCP4, SA, .ip_check_lie = 4, .check_lie = 6)) } },
	{ "UDP reply without checksum",
	  NULL,
	  { FWD(STEER_PASS, U4(.payload_bytes = 5)), UP(REV_STEER, FRAME(POD4(POD_UDP4), POD_PORT, CLIENT4, 5000, WIRE_UDP,
									 .payload_bytes = 7, .udp_check = PKT_UDP_NONE)) } },
	{ "UDP reply whose checksum is all ones",
	  NULL,
	  { FWD(STEER_PASS, U6(.payload_bytes = 5)),
	    UP(REV_STEER,
	       FRAME(POD6(POD_UDP6), POD_PORT, CLIENT6, 5000, WIRE_UDP, .payload_bytes = 8, .udp_check = PKT_UDP_ALL_ONES)) } },
	{ "pass flow at the pod's device",
	  NULL,
	  { OPEN4, VETH(REV_OTHER_HOOK, FROM4(POD_TCP4, SA)), UP(REV_STEER, FROM4(POD_TCP4, SA)) } },
	{ "redirect flow at the pod's device",
	  NULL,
	  { FWD(STEER_REDIRECT, R4(WIRE_SYN)), UP(REV_STEER, RR4(SA)), VETH(REV_REDIRECT, RR4(SA)),
	    VETH(REV_REDIRECT, RR4(PA, .payload_bytes = 900)) } },
	{ "redirect flow at the pod's device, IPv6",
	  NULL,
	  { FWD(STEER_REDIRECT, R6(WIRE_SYN)), UP(REV_STEER, RR6(SA)), VETH(REV_REDIRECT, RR6(SA)) } },
	{ "redirected reply, TTL 2", NULL, { FWD(STEER_REDIRECT, R4(WIRE_SYN)), VETH(REV_REDIRECT, RR4(SA, .ttl = 2)) } },
	{ "redirected reply, TTL 1", NULL, { FWD(STEER_REDIRECT, R4(WIRE_SYN)), VETH(REV_TTL, RR4(SA, .ttl = 1)) } },
	{ "redirected reply, hop limit 0", NULL, { FWD(STEER_REDIRECT, R6(WIRE_SYN)), VETH(REV_TTL, RR6(SA, .zero_ttl = 1)) } },
	{ "redirected reply, no route", no_uplink, { FWD(STEER_REDIRECT, R4(WIRE_SYN)), VETH(REV_NO_ROUTE, RR4(SA)) } },
	{ "redirected reply, no route, IPv6", no_uplink, { FWD(STEER_REDIRECT, R6(WIRE_SYN)), VETH(REV_NO_ROUTE, RR6(SA)) } },
	{ "siblings: the same client port through both frontends", /* the model demands different pods */
	  NULL,
	  { FWD(STEER_PASS, SIB(80, WIRE_SYN)), FWD(STEER_PASS, SIB(81, WIRE_SYN)), FWD(STEER_PASS, SIB(80, WIRE_ACK)),
	    FWD(STEER_PASS, SIB(81, WIRE_ACK)) } },
	{ "siblings: replies of both pods go to their own frontend",
	  NULL,
	  { FWD(STEER_PASS, SIB(80, WIRE_SYN)), FWD(STEER_PASS, SIB(81, WIRE_SYN)),
	    UP(REV_STEER, FRAME(POD4(POD_SIB0), POD_PORT, CLIENT4, 5000, WIRE_TCP, .tcp_flags = SA)),
	    UP(REV_STEER, FRAME(POD4(POD_SIB1), POD_PORT, CLIENT4, 5000, WIRE_TCP, .tcp_flags = SA)) } },
	{ "siblings: the only pod is taken",
	  NULL,
	  { FWD(STEER_PASS, ONEVIP(80, WIRE_SYN)), FWD(DROP_SIBLING, ONEVIP(81, WIRE_SYN)),
	    FWD(PASS_MISS, ONEVIP(81, WIRE_ACK)), FWD(STEER_PASS, ONEVIP(80, WIRE_ACK)) } },
	{ "siblings: a reset in the client's name does not free the pod",
	  NULL,
	  { FWD(STEER_PASS, ONEVIP(80, WIRE_SYN)), UP(REV_STEER, ONEPOD(SA)),
	    FWD(STEER_PASS, ONEVIP(80, PA, .payload_bytes = 5)), FWD(STEER_PASS, ONEVIP(80, WIRE_RST)),
	    FWD(DROP_SIBLING, ONEVIP(81, WIRE_SYN)), UP(REV_STEER, ONEPOD(PA, .payload_bytes = 5)) } },
	{ "siblings: one closed, the other opened to the same pod",
	  NULL,
	  { FWD(STEER_PASS, ONEVIP(80, WIRE_SYN)), UP(REV_STEER, ONEPOD(SA)), UP(REV_STEER, ONEPOD(WIRE_RST)),
	    FWD(STEER_PASS, ONEVIP(81, WIRE_SYN)), UP(REV_STEER, ONEPOD(SA)),
	    FWD(STEER_PASS, ONEVIP(81, PA, .payload_bytes = 5)), UP(REV_STEER, ONEPOD(PA, .payload_bytes = 5)) } },
};
const size_t nr_fixtures_reverse = sizeof(fixtures_reverse) / sizeof(fixtures_reverse[0]);
