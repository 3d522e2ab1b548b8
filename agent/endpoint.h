/* SPDX-License-Identifier: BSD-2-Clause */
/* Addresses with ports as people write them: 10.0.0.1:80, [2001:db8::1]:80, 10.0.0.1:80/tcp. */
#ifndef PINTLE_AGENT_ENDPOINT_H
#define PINTLE_AGENT_ENDPOINT_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/config.h"

#define ENDPOINT_BYTES 64

struct endpoint {
	struct ip_addr addr;
	uint16_t port;
	uint8_t proto; /* IPPROTO_*; 0 = none written */
};

/* `with_proto`: "/tcp" or "/udp" must follow; otherwise it must not. -EINVAL, as of the command line
 * (is_usage), with an example of the form. */
int endpoint__parse(const char *text, bool with_proto, struct endpoint *ret, struct pintle_err *err);
/* The protocol is written when it is not 0. */
void endpoint__format(const struct endpoint *endpoint, char out[ENDPOINT_BYTES]);
/* Words of the maps: IPv4 in addr_be[0]. */
struct endpoint endpoint__from_words(uint8_t family, const uint32_t addr_be[4], uint16_t port_be, uint8_t proto);
const char *proto_name(uint8_t proto); /* "tcp", "udp", "?" */
/* An order, for sorting and searching. */
int endpoint__compare(const struct endpoint *a, const struct endpoint *b);

#endif
