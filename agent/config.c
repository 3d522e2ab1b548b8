/* SPDX-License-Identifier: BSD-2-Clause */
#include "agent/config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/config_int.h"
#include "agent/wholefile.h"

const struct cfg_setting config_settings[] = {
	{ "tcp_idle", offsetof(struct pintle_config, tcp_idle_s), 64, 14400, 7200, true },
	{ "tcp_half_open", offsetof(struct pintle_config, tcp_half_open_s), 4, 400, 30, true },
	{ "udp_idle", offsetof(struct pintle_config, udp_idle_s), 4, 400, 60, true },
	{ "closed", offsetof(struct pintle_config, closed_s), 4, 400, 10, true },
	{ "awaiting", offsetof(struct pintle_config, awaiting_s), 4, 400, 120, true },
	{ "agent_absence", offsetof(struct pintle_config, agent_absence_s), 4, 86400, 300, true },
	{ "rejects_per_second", offsetof(struct pintle_config, rejects_per_s), 0, 100000, 100, false },
};
const size_t config_nr_settings = sizeof(config_settings) / sizeof(config_settings[0]);

const char config_policies[] = "score|leastconn|rr|maglev|weighted|p2c";

static const char *const policy_names[] = {
	[PINTLE_POLICY_SCORE] = "score",   [PINTLE_POLICY_LEASTCONN] = "leastconn", [PINTLE_POLICY_RR] = "rr",
	[PINTLE_POLICY_MAGLEV] = "maglev", [PINTLE_POLICY_WEIGHTED] = "weighted",   [PINTLE_POLICY_P2C] = "p2c",
};
_Static_assert(sizeof(policy_names) / sizeof(policy_names[0]) == PINTLE_POLICY_MAX, "a name for each policy");

const char *policy_name(unsigned int policy)
{
	return policy < PINTLE_POLICY_MAX ? policy_names[policy] : "?";
}

int policy_by_name(const char *name)
{
	int i;

	for (i = 0; i < PINTLE_POLICY_MAX; i++) {
		if (!strcmp(policy_names[i], name))
			return i;
	}
	return -EINVAL;
}

/* ---- addresses ---- */

int ip_addr__parse(const char *text, struct ip_addr *ret_addr)
{
	struct ip_addr addr = { 0 };

	addr.family = strchr(text, ':') ? 6 : 4;
	if (inet_pton(addr.family == 6 ? AF_INET6 : AF_INET, text, addr.bytes) != 1)
		return -EINVAL;
	*ret_addr = addr;
	return 0;
}

void ip_addr__format(const struct ip_addr *addr, char *out, size_t out_bytes)
{
	char text[INET6_ADDRSTRLEN] = "?";

	if (addr->family == 4 || addr->family == 6)
		(void)inet_ntop(addr->family == 6 ? AF_INET6 : AF_INET, addr->bytes, text, sizeof(text));
	if (out_bytes)
		*(char *)mempcpy(out, text, strnlen(text, out_bytes - 1)) = '\0';
}

bool ip_addr__equal(const struct ip_addr *a, const struct ip_addr *b)
{
	return a->family == b->family && !memcmp(a->bytes, b->bytes, a->family == 4 ? 4 : 16);
}

bool ip_addr__in_prefix(const struct ip_addr *addr, const struct ip_addr *prefix, uint8_t bits)
{
	uint32_t whole = bits / 8u, rest = bits % 8u;

	if (addr->family != prefix->family || memcmp(addr->bytes, prefix->bytes, whole) != 0)
		return false;
	return !rest || (addr->bytes[whole] ^ prefix->bytes[whole]) >> (8 - rest) == 0;
}

/* ---- life of a configuration ---- */

void config__set_defaults(struct pintle_config *config)
{
	size_t i;

	for (i = 0; i < config_nr_settings; i++)
		*(uint32_t *)((char *)config + config_settings[i].offset) = config_settings[i].def;
	config->externality = CONFIG_EXTERNALITY_DEFAULT;
	config->learning = (struct cfg_learning){ .holdout = 5, .canary = 5, .window_ms = 10000 };
}

void config__free(struct pintle_config *config)
{
	size_t i, j;

	if (!config)
		return;
	for (i = 0; i < config->nr_services; i++) {
		struct cfg_service *s = &config->services[i];

		for (j = 0; j < s->nr_pods; j++)
			free(s->pods[j].netns);
		free(s->name);
		free(s->frontends);
		free(s->pods);
	}
	free(config->services);
	free(config->learning.model);
	free(config->learning.candidate);
	free(config->name);
	free(config->text);
	free(config);
}

int config__parse(const char *name, const void *text, size_t text_bytes, struct pintle_config **ret_config,
		  struct pintle_err *err)
{
	struct pintle_config *config;
	int error = config__read(name, text, text_bytes, &config, err);

	if (error)
		return error;
	config->name = strdup(name);
	error = config->name ? config__validate(name, config, err) : pintle_err__set(err, -ENOMEM, "%s: out of memory", name);
	if (error) {
		config__free(config);
		return error;
	}
	*ret_config = config;
	return 0;
}

/* ---- files ---- */

int config__load_file(const char *path, size_t max_bytes, struct pintle_config **ret_config, struct pintle_err *err)
{
	size_t bytes;
	char *text;
	int error = wholefile__read(path, max_bytes, &text, &bytes, err);

	if (error)
		return error;
	error = config__parse(path, text, bytes, ret_config, err);
	if (error) {
		free(text);
		return error;
	}
	(*ret_config)->text = text;
	(*ret_config)->text_bytes = bytes;
	return 0;
}
