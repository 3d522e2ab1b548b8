/* SPDX-License-Identifier: BSD-2-Clause */
/* Rules about the configuration as a whole. Uniqueness by sorting: 64k pods, no quadratic step. */
#include <errno.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/config_int.h"

struct cfg_validator {
	const char *name;
	const struct pintle_config *config;
	struct pintle_err *err;
};

/* One frontend or pod, for sorting. */
struct cfg_item {
	const struct ip_addr *addr;
	uint16_t port;
	uint8_t proto; /* frontends */
	uint32_t service, index;
	int line;
};

static int cfg_validator__fail(const struct cfg_validator *v, int line, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static int cfg_validator__fail(const struct cfg_validator *v, int line, const char *fmt, ...)
{
	char what[PINTLE_ERR_BYTES];
	va_list args;

	va_start(args, fmt);
	vsnprintf(what, sizeof(what), fmt, args);
	va_end(args);
	if (line)
		return pintle_err__set(v->err, -EINVAL, "%s:%d: %s", v->name, line, what);
	return pintle_err__set(v->err, -EINVAL, "%s: %s", v->name, what);
}

bool config__is_name(const char *name)
{
	static const char valid[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._/-";
	size_t bytes = strspn(name, valid);

	return bytes && bytes <= CONFIG_MAX_NAME && !name[bytes];
}

/* Addresses that no packet on a wire has as its destination for one host. */
static const char *cfg__bad_addr(const struct ip_addr *addr)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	static const uint8_t zero[16] = { 0 };
	const uint8_t *b = addr->bytes;

	if (addr->family == 4) {
		if (!b[0])
			return "is not an address of a host (0.0.0.0/8)";
		if (b[0] == 127)
			return "is a loopback address";
		return b[0] >= 224 ? "is a multicast or reserved address" : NULL;
	}
	if (addr->family != 6)
		return "is of no address family";
	if (!memcmp(b, zero, 15) && b[15] <= 1)
		return b[15] ? "is the loopback address" : "is the unspecified address";
	if (!memcmp(b, mapped, sizeof(mapped)))
		return "is an IPv4 address in IPv6 form; write it as IPv4";
	if (b[0] == 0xff)
		return "is a multicast address";
	return b[0] == 0xfe && (b[1] & 0xc0) == 0x80 ? "is a link-local address" : NULL;
}

/* ---- services one by one ---- */

static int cfg_validator__families(const struct cfg_validator *v, uint32_t i)
{
	const struct cfg_service *s = &v->config->services[i];
	bool has_pod[2] = { false, false };
	size_t j;

	for (j = 0; j < s->nr_pods; j++)
		has_pod[s->pods[j].addr.family == 6] = true;
	for (j = 0; j < s->nr_frontends && s->nr_pods; j++) {
		if (!has_pod[s->frontends[j].addr.family == 6])
			return cfg_validator__fail(
				v, s->frontends[j].line,
				"services[%u].frontends[%zu]: service \"%s\" has no IPv%u pod for this IPv%u frontend", i, j,
				s->name, s->frontends[j].addr.family, s->frontends[j].addr.family);
	}
	return 0;
}

static int cfg_validator__frontends(const struct cfg_validator *v, uint32_t i)
{
	const struct cfg_service *s = &v->config->services[i];
	char addr[INET6_ADDRSTRLEN];
	size_t j;

	for (j = 0; j < s->nr_frontends; j++) {
		const struct cfg_frontend *f = &s->frontends[j];
		const char *why = cfg__bad_addr(&f->addr);

		ip_addr__format(&f->addr, addr, sizeof(addr));
		if (why)
			return cfg_validator__fail(v, f->line, "services[%u].frontends[%zu].vip: %s %s", i, j, addr, why);
		if (!f->port)
			return cfg_validator__fail(v, f->line,
						   "services[%u].frontends[%zu].port: 0 is out of range; 1 to 65535", i, j);
		if (f->proto != IPPROTO_TCP && f->proto != IPPROTO_UDP)
			return cfg_validator__fail(v, f->line, "services[%u].frontends[%zu].protocol: neither TCP nor UDP", i,
						   j);
	}
	return 0;
}

static int cfg_validator__pods(const struct cfg_validator *v, uint32_t i)
{
	const struct cfg_service *s = &v->config->services[i];
	char addr[INET6_ADDRSTRLEN];
	uint64_t weights = 0;
	size_t j;

	for (j = 0; j < s->nr_pods; j++) {
		const struct cfg_pod *p = &s->pods[j];
		const char *why = cfg__bad_addr(&p->addr);

		ip_addr__format(&p->addr, addr, sizeof(addr));
		if (why)
			return cfg_validator__fail(v, p->line, "services[%u].pods[%zu].address: %s %s", i, j, addr, why);
		if (!p->port)
			return cfg_validator__fail(v, p->line, "services[%u].pods[%zu].port: 0 is out of range; 1 to 65535", i,
						   j);
		if (!p->concurrency)
			return cfg_validator__fail(v, p->line,
						   "services[%u].pods[%zu].concurrency: 0 is out of range; 1 to 65535", i, j);
		weights += p->weight;
	}
	if (s->nr_pods && !weights)
		return cfg_validator__fail(v, s->line,
					   "services[%u].pods: every weight is 0; at least one pod must take new flows", i);
	if (s->nr_pods > UINT16_MAX)
		return cfg_validator__fail(v, s->line, "services[%u].pods: %zu pods; a service has at most %u", i, s->nr_pods,
					   UINT16_MAX);
	return 0;
}

static int cfg_validator__service(const struct cfg_validator *v, uint32_t i)
{
	const struct cfg_service *s = &v->config->services[i];
	int error;

	if (!s->name || !config__is_name(s->name))
		return cfg_validator__fail(v, s->line, "services[%u].name: not a name (1 to %d of A-Z a-z 0-9 . _ / -)", i,
					   CONFIG_MAX_NAME);
	if (s->policy >= PINTLE_POLICY_MAX)
		return cfg_validator__fail(v, s->line, "services[%u].policy: %u is unknown", i, s->policy);
	error = cfg_validator__frontends(v, i);
	if (!error)
		error = cfg_validator__pods(v, i);
	return error ? error : cfg_validator__families(v, i);
}

/* ---- sizes and settings ---- */

static unsigned int cfg__nr_families(const struct cfg_service *s)
{
	unsigned int families = 0;
	size_t i;

	for (i = 0; i < s->nr_frontends; i++)
		families |= s->frontends[i].addr.family == 6 ? 2 : 1;
	return families == 3 ? 2 : 1;
}

static int cfg_validator__sizes(const struct cfg_validator *v, size_t *ret_frontends, size_t *ret_pods)
{
	size_t frontends = 0, pods = 0, services = 0, i;

	for (i = 0; i < v->config->nr_services; i++) {
		frontends += v->config->services[i].nr_frontends;
		pods += v->config->services[i].nr_pods;
		services += cfg__nr_families(&v->config->services[i]);
	}
	if (services > PINTLE_MAX_SERVICES)
		return cfg_validator__fail(v, 0, "services: %zu (a service with IPv4 and IPv6 counts twice); at most %u",
					   services, PINTLE_MAX_SERVICES);
	if (frontends > PINTLE_MAX_FRONTENDS)
		return cfg_validator__fail(v, 0, "services: %zu frontends in all; at most %u", frontends, PINTLE_MAX_FRONTENDS);
	*ret_frontends = frontends;
	*ret_pods = pods;
	return 0;
}

static int cfg_validator__settings(const struct cfg_validator *v)
{
	size_t i;

	for (i = 0; i < config_nr_settings; i++) {
		const struct cfg_setting *s = &config_settings[i];
		uint32_t value = *(const uint32_t *)((const char *)v->config + s->offset);

		if (value < s->min || value > s->max)
			return cfg_validator__fail(v, 0, "settings.%s: %u is out of range; %u to %u", s->key, value, s->min,
						   s->max);
	}
	if (!(v->config->externality >= 0 && v->config->externality <= CONFIG_EXTERNALITY_MAX))
		return cfg_validator__fail(v, 0, "settings.externality: %g is out of range; 0 to 2", v->config->externality);
	return 0;
}

static int cfg_validator__learning(const struct cfg_validator *v)
{
	uint32_t holdout = v->config->learning.holdout, canary = v->config->learning.canary;

	if (holdout + canary > CONFIG_CLASSES_MAX)
		return cfg_validator__fail(
			v, v->config->learning.line,
			"learning.canary: %u with learning.holdout %u leaves %u percent for production; together at most %u",
			canary, holdout, holdout + canary > 100 ? 0 : 100 - holdout - canary, CONFIG_CLASSES_MAX);
	return 0;
}

/* ---- uniqueness ---- */

static int cfg_service__compare(const void *a, const void *b)
{
	const struct cfg_service *x = *(const struct cfg_service *const *)a, *y = *(const struct cfg_service *const *)b;
	int order = strcmp(x->name, y->name);

	return order ? order : (x > y) - (x < y);
}

static int cfg_validator__names(const struct cfg_validator *v)
{
	size_t nr = v->config->nr_services, i;
	const struct cfg_service **sorted;
	int error = 0;

	if (nr < 2)
		return 0;
	sorted = calloc(nr, sizeof(*sorted));
	if (!sorted)
		return pintle_err__set(v->err, -ENOMEM, "%s: out of memory", v->name);
	for (i = 0; i < nr; i++)
		sorted[i] = &v->config->services[i];
	qsort(sorted, nr, sizeof(*sorted), cfg_service__compare);
	for (i = 1; i < nr && !error; i++) {
		if (!strcmp(sorted[i - 1]->name, sorted[i]->name))
			error = cfg_validator__fail(v, sorted[i]->line,
						    "services[%zu].name: \"%s\" is also the name of services[%zu] (line %d)",
						    (size_t)(sorted[i] - v->config->services), sorted[i]->name,
						    (size_t)(sorted[i - 1] - v->config->services), sorted[i - 1]->line);
	}
	free(sorted);
	return error;
}

/* By family, address, port, protocol: what makes two the same. Then by place, so that the later one is blamed. */
static int cfg_item__same(const struct cfg_item *x, const struct cfg_item *y)
{
	int order = x->addr->family - y->addr->family;

	if (!order)
		order = memcmp(x->addr->bytes, y->addr->bytes, sizeof(x->addr->bytes));
	if (!order)
		order = x->port - y->port;
	return order ? order : x->proto - y->proto;
}

static int cfg_item__compare(const void *a, const void *b)
{
	const struct cfg_item *x = a, *y = b;
	int order = cfg_item__same(x, y);

	if (!order)
		order = (x->service > y->service) - (x->service < y->service);
	return order ? order : (x->index > y->index) - (x->index < y->index);
}

static int cfg_validator__unique_frontends(const struct cfg_validator *v, struct cfg_item *items)
{
	const struct cfg_service *services = v->config->services;
	char addr[INET6_ADDRSTRLEN];
	uint32_t i, j;
	size_t nr = 0, k;

	for (i = 0; i < v->config->nr_services; i++) {
		for (j = 0; j < services[i].nr_frontends; j++) {
			const struct cfg_frontend *f = &services[i].frontends[j];

			items[nr++] = (struct cfg_item){ &f->addr, f->port, f->proto, i, j, f->line };
		}
	}
	qsort(items, nr, sizeof(*items), cfg_item__compare);
	for (k = 1; k < nr; k++) {
		if (cfg_item__same(&items[k - 1], &items[k]))
			continue;
		ip_addr__format(items[k].addr, addr, sizeof(addr));
		return cfg_validator__fail(
			v, items[k].line,
			"services[%u].frontends[%u]: %s port %u/%s is already a frontend of service \"%s\" (line %d)",
			items[k].service, items[k].index, addr, items[k].port, items[k].proto == IPPROTO_TCP ? "tcp" : "udp",
			services[items[k - 1].service].name, items[k - 1].line);
	}
	return 0;
}

/* items[first, last) are the same pod in several services. */
static int cfg_validator__pod(const struct cfg_validator *v, const struct cfg_item *items, size_t first, size_t last)
{
	const struct cfg_pod *one = &v->config->services[items[first].service].pods[items[first].index];
	char addr[INET6_ADDRSTRLEN];
	size_t siblings = 0, k, f;

	ip_addr__format(&one->addr, addr, sizeof(addr));
	for (k = first; k < last; k++) {
		const struct cfg_service *s = &v->config->services[items[k].service];
		const struct cfg_pod *p = &s->pods[items[k].index];

		if (k > first && items[k - 1].service == items[k].service)
			return cfg_validator__fail(
				v, p->line, "services[%u].pods[%u]: %s port %u is already a pod of this service (line %d)",
				items[k].service, items[k].index, addr, p->port, items[k - 1].line);
		if (strcmp(p->device, one->device) != 0 ||
		    strcmp(p->netns ? p->netns : "", one->netns ? one->netns : "") != 0 || p->enforced != one->enforced)
			return cfg_validator__fail(
				v, p->line,
				"services[%u].pods[%u]: %s port %u has another device, netns or enforced than in line %d",
				items[k].service, items[k].index, addr, p->port, one->line);
		for (f = 0; f < s->nr_frontends; f++)
			siblings += s->frontends[f].addr.family == p->addr.family;
		if (siblings > PINTLE_MAX_SIBLINGS)
			return cfg_validator__fail(
				v, p->line,
				"services[%u].pods[%u]: more than %u frontends lead to %s port %u; give the rest another pod port",
				items[k].service, items[k].index, PINTLE_MAX_SIBLINGS, addr, p->port);
	}
	return 0;
}

static int cfg_validator__unique_pods(const struct cfg_validator *v, struct cfg_item *items)
{
	const struct cfg_service *services = v->config->services;
	size_t nr = 0, distinct = 0, first, last;
	uint32_t i, j;
	int error;

	for (i = 0; i < v->config->nr_services; i++) {
		for (j = 0; j < services[i].nr_pods; j++) {
			const struct cfg_pod *p = &services[i].pods[j];

			items[nr++] = (struct cfg_item){ &p->addr, p->port, 0, i, j, p->line };
		}
	}
	qsort(items, nr, sizeof(*items), cfg_item__compare);
	for (first = 0; first < nr; first = last) {
		for (last = first + 1; last < nr && !cfg_item__same(&items[first], &items[last]); last++)
			;
		error = cfg_validator__pod(v, items, first, last);
		if (error)
			return error;
		distinct++;
	}
	if (distinct > PINTLE_MAX_PODS)
		return cfg_validator__fail(v, 0, "services: %zu different pods; at most %u", distinct, PINTLE_MAX_PODS);
	return 0;
}

int config__validate(const char *name, const struct pintle_config *config, struct pintle_err *err)
{
	struct cfg_validator v = { .name = name, .config = config, .err = err };
	size_t nr_frontends = 0, nr_pods = 0;
	struct cfg_item *items;
	uint32_t i;
	int error = cfg_validator__sizes(&v, &nr_frontends, &nr_pods);

	if (!error)
		error = cfg_validator__settings(&v);
	if (!error)
		error = cfg_validator__learning(&v);
	for (i = 0; !error && i < config->nr_services; i++)
		error = cfg_validator__service(&v, i);
	if (!error)
		error = cfg_validator__names(&v);
	if (error)
		return error;
	items = calloc((nr_frontends > nr_pods ? nr_frontends : nr_pods) + 1, sizeof(*items));
	if (!items)
		return pintle_err__set(err, -ENOMEM, "%s: out of memory", name);
	error = cfg_validator__unique_frontends(&v, items);
	if (!error)
		error = cfg_validator__unique_pods(&v, items);
	free(items);
	return error;
}
