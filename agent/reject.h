/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Answers to packets that pintle rejects: TCP gets a RST (RFC 9293 section 3.5.2), UDP an ICMP port unreachable (RFC 792, RFC 4443 section
 * 3.1) from the VIP, as the VIP's own host would send. The programs hand over the packet's head at a limited rate.
 */
#ifndef PINTLE_AGENT_REJECT_H
#define PINTLE_AGENT_REJECT_H

#include <stddef.h>
#include <stdint.h>

#include "agent/config.h"
#include "agent/err.h"
#include "pintle/abi.h"

#define REJECT_MAX_BYTES 256

/* Builds the answer as an IP packet in `out` and names its destination. Pure. 0; -EBADMSG: the event's packet is torn or no TCP or UDP;
 * -ENOMSG: such a packet is never answered (RST; multicast, broadcast or unspecified addresses: RFC 1122 section 3.2.2). */
int reject__build(const struct pintle_event *event, uint8_t out[REJECT_MAX_BYTES], size_t *ret_bytes, struct ip_addr *ret_to);

struct rejector;
/* Raw sockets of both families; IPv6 may be absent. */
int rejector__open(struct rejector **ret_rejector, struct pintle_err *err);
void rejector__close(struct rejector *r);
/* Answers one event. As reject__build(), or -errno of the socket. */
int rejector__send(struct rejector *r, const struct pintle_event *event);

#endif
