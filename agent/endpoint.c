/* SPDX-License-Identifier: BSD-2-Clause */
#include "agent/endpoint.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "agent/opt.h"

const char *proto_name(uint8_t proto)
{
	return proto == IPPROTO_TCP ? "tcp" : proto == IPPROTO_UDP ? "udp" : "?";
}

static int endpoint__fail(const char *text, bool with_proto, struct pintle_err *err)
{
	int code = pintle_err__set(err, -EINVAL, "\"%.100s\" is not ADDRESS:PORT%s, as in 10.0.0.1:80%s or [2001:db8::1]:80%s",
				   text, with_proto ? "/PROTOCOL" : "", with_proto ? "/tcp" : "", with_proto ? "/udp" : "");

	return pintle_err__usage(err, code);
}

static uint8_t proto_by_name(const char *name)
{
	if (!strcmp(name, "tcp"))
		return IPPROTO_TCP;
	return !strcmp(name, "udp") ? IPPROTO_UDP : 0;
}

/* "ADDRESS:PORT", IPv6 in brackets; cut apart in place. */
static int endpoint__parse_host(char *text, struct endpoint *e)
{
	bool is_bracketed = *text == '[';
	char *addr = text + is_bracketed, *end = strchr(addr, is_bracketed ? ']' : ':'), *port;
	uint64_t number;

	if (!end || (is_bracketed && end[1] != ':'))
		return -EINVAL;
	port = end + 1 + is_bracketed;
	*end = '\0';
	if (opt__u64(port, &number) || !number || number > UINT16_MAX)
		return -EINVAL;
	if (ip_addr__parse(addr, &e->addr) || (e->addr.family == 6) != is_bracketed)
		return -EINVAL;
	e->port = (uint16_t)number;
	return 0;
}

int endpoint__parse(const char *text, bool with_proto, struct endpoint *ret, struct pintle_err *err)
{
	struct endpoint e = { 0 };
	char copy[96], *proto;

	if (strlen(text) >= sizeof(copy))
		return endpoint__fail(text, with_proto, err);
	strcpy(copy, text);
	proto = strchr(copy, '/');
	if ((proto != NULL) != with_proto)
		return endpoint__fail(text, with_proto, err);
	if (proto) {
		*proto++ = '\0';
		e.proto = proto_by_name(proto);
	}
	if ((with_proto && !e.proto) || endpoint__parse_host(copy, &e))
		return endpoint__fail(text, with_proto, err);
	*ret = e;
	return 0;
}

void endpoint__format(const struct endpoint *endpoint, char out[ENDPOINT_BYTES])
{
	char addr[INET6_ADDRSTRLEN];
	bool is_v6 = endpoint->addr.family == 6;

	ip_addr__format(&endpoint->addr, addr, sizeof(addr));
	snprintf(out, ENDPOINT_BYTES, "%s%s%s:%u%s%s", is_v6 ? "[" : "", addr, is_v6 ? "]" : "", endpoint->port,
		 endpoint->proto ? "/" : "", endpoint->proto ? proto_name(endpoint->proto) : "");
}

struct endpoint endpoint__from_words(uint8_t family, const uint32_t addr_be[4], uint16_t port_be, uint8_t proto)
{
	struct endpoint e = { .addr.family = family, .port = ntohs(port_be), .proto = proto };

	memcpy(e.addr.bytes, addr_be, family == 4 ? 4 : 16);
	return e;
}

int endpoint__compare(const struct endpoint *a, const struct endpoint *b)
{
	int order = a->addr.family - b->addr.family;

	if (!order)
		order = memcmp(a->addr.bytes, b->addr.bytes, sizeof(a->addr.bytes));
	if (!order)
		order = a->port - b->port;
	return order ? order : a->proto - b->proto;
}
