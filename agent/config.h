/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the user wants steered: services, frontends, pods and a few global settings, independent of where it came from.
 * A configuration is immutable once made. Sources of services (the YAML file first, the Kubernetes API later) produce it;
 * tables.h turns it into map contents.
 */
#ifndef PINTLE_AGENT_CONFIG_H
#define PINTLE_AGENT_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/err.h"
#include "pintle/abi.h"

struct ip_addr {
	uint8_t family;	   /* 4 or 6 */
	uint8_t bytes[16]; /* network order; IPv4 in the first 4, the rest zero */
};

enum pod_state { POD_ACTIVE = 0, POD_DRAINING, POD_DOWN }; /* takes new flows; keeps its flows only; neither */
enum delivery { DELIVERY_PASS = 0, DELIVERY_REDIRECT };

struct cfg_frontend {
	struct ip_addr addr;
	uint8_t proto; /* IPPROTO_TCP or IPPROTO_UDP */
	uint16_t port; /* host order, 1..65535 */
	int line;      /* in the source, 0 if it has no lines */
};

struct cfg_pod {
	struct ip_addr addr;
	uint16_t port;	      /* host order */
	uint16_t concurrency; /* requests served at once, >= 1; default 1 */
	uint16_t weight;      /* 0..65535 relative share for `weighted` and `maglev`; default 100; 0 = no new flows */
	uint8_t state;	      /* enum pod_state */
	bool enforced;	      /* network policy is enforced for it in the stack: redirect is refused, delivery is pass */
	char device[16];      /* host-side device; "" = found by route, neighbour and bridge FDB */
	char *netns; /* name or path of its network namespace, NULL = found by the device's peer; used to turn on GRO */
	int line;
};

struct cfg_service {
	char *name;	  /* unique, [A-Za-z0-9._/-]{1,253} */
	uint8_t policy;	  /* enum pintle_policy; default score */
	uint8_t delivery; /* enum delivery; default pass */
	bool load_open;	  /* load is open connections, not awaited requests */
	bool no_learning; /* `score` by gains alone: no model, no holdout */
	uint32_t slo_ms;  /* latency objective of a request, 0 = none */
	struct cfg_frontend *frontends;
	size_t nr_frontends;
	struct cfg_pod *pods; /* of both families; a frontend uses those of its own */
	size_t nr_pods;
	int line;
};

/* `learning:`; what models do to services with policy `score` (docs/policy.md). */
struct cfg_learning {
	char *model;	    /* path, or "default" (that of the program), or NULL = none: gains alone */
	char *candidate;    /* path, or NULL = none */
	uint8_t holdout;    /* percent of new flows chosen by load alone; 0..50 */
	uint8_t canary;	    /* percent chosen by a candidate, while there is one; 1..50, with the holdout at most 75 */
	bool slow;	    /* the slow loop tunes externality and time constant */
	uint32_t window_ms; /* of the guard; 100..3600000 */
	int line;
};

struct pintle_config {
	struct cfg_service *services;
	size_t nr_services;
	struct cfg_learning learning;
	/* `settings:`; every one has a default */
	uint32_t tcp_idle_s;	  /* 7200; 64..14400 */
	uint32_t tcp_half_open_s; /* 30; 4..400 */
	uint32_t udp_idle_s;	  /* 60; 4..400 */
	uint32_t closed_s;	  /* 10; 4..400 */
	uint32_t awaiting_s;	  /* 120; 4..400 */
	uint32_t agent_absence_s; /* 300; 4..86400 */
	uint32_t rejects_per_s;	  /* 100; 0..100000 */
	double externality;	  /* x of psi, 1.0; 0..2 */
	char *name;		  /* of the file, for messages; NULL = none */
	/* what config__load_file() read, until keptconfig.h has kept it; NULL = none */
	char *text;
	size_t text_bytes;
};

#define CONFIG_MAX_BYTES (64u << 20) /* the largest file that commands read; 64k pods take about 6 MB */

/* Sets every setting to its default; services are left alone. For sources that build a configuration themselves. */
void config__set_defaults(struct pintle_config *config);

/* Reads a YAML (or JSON, a subset) file of at most `max_bytes`. On success *ret_config is the caller's, freed by config__free().
 * Errors: -ENOENT/-EACCES..., -EFBIG, -EINVAL with "FILE:LINE: FIELD: what is wrong; nearest valid key or value". Never partly read. */
int config__load_file(const char *path, size_t max_bytes, struct pintle_config **ret_config, struct pintle_err *err);
/* The same on memory; `name` stands for the file in messages. This is the fuzzed entry. */
int config__parse(const char *name, const void *text, size_t text_bytes, struct pintle_config **ret_config,
		  struct pintle_err *err);
void config__free(struct pintle_config *config); /* NULL is fine */

/* Whole-configuration rules, already applied by the two above; a source that builds a config itself calls it: limits of abi.h, unique
 * names, no (VIP, proto, port) twice, no pod twice in a service, a frontend's family has a pod of it or the service has no pods,
 * at most PINTLE_MAX_SIBLINGS frontends to one (address, port), weights not all zero, settings in range. -EINVAL, -ENOMEM. */
int config__validate(const char *name, const struct pintle_config *config, struct pintle_err *err);

const char *policy_name(unsigned int policy); /* "score", ...; "?" outside */
int policy_by_name(const char *name);	      /* enum pintle_policy or -EINVAL */
/* "10.0.0.1", "2001:db8::1" <-> ip_addr. -EINVAL on anything else (no zones, no prefixes). */
int ip_addr__parse(const char *text, struct ip_addr *ret_addr);
void ip_addr__format(const struct ip_addr *addr, char *out, size_t out_bytes);
bool ip_addr__equal(const struct ip_addr *a, const struct ip_addr *b);
/* bits: 0..32 or 0..128 by the family. */
bool ip_addr__in_prefix(const struct ip_addr *addr, const struct ip_addr *prefix, uint8_t bits);

#endif
