// SPDX-License-Identifier: BSD-2-Clause
#include "pintle_config.h"

#include <errno.h>
#include <linux/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fail.h"

/* Points behind "name" in the list, or NULL. */
static const char *find_arg(const char *args, const char *name)
{
	size_t bytes = strlen(name);

	for (const char *at = args; at && *at; at = strchr(at, ',')) {
		at += *at == ',';
		if (!strncmp(at, name, bytes) && strchr("=,", at[bytes]))
			return at + bytes;
	}
	return NULL;
}

bool pintle_config__has(const char *args, const char *name)
{
	return find_arg(args, name) != NULL;
}

int pintle_config__number(const char *args, const char *name, int otherwise)
{
	const char *value = find_arg(args, name);

	return value && *value == '=' ? atoi(value + 1) : otherwise;
}

static int policy_of(const char *args, struct pintle_err *err)
{
	const char *value = find_arg(args, "policy");
	char name[32] = "score";
	int policy;

	if (value && *value == '=')
		snprintf(name, sizeof(name), "%.*s", (int)strcspn(value + 1, ","), value + 1);
	policy = policy_by_name(name);
	return policy < 0 ? pintle_err__set(err, policy, "no policy is called %s", name) : policy;
}

static void make_addr(int family, uint32_t net6, uint32_t number, struct ip_addr *ret)
{
	uint8_t *at = ret->bytes;

	memset(ret, 0, sizeof(*ret));
	ret->family = (uint8_t)family;
	if (family == 6) {
		at[0] = 0xfd;
		at[3] = (uint8_t)net6;
		at += 12;
	}
	for (int i = 0; i < 4; i++)
		at[i] = (uint8_t)(number >> (24 - 8 * i));
}

void pintle_config__pod_addr(int family, uint32_t pod, struct ip_addr *ret)
{
	make_addr(family, BENCH_NET6_POD, BENCH_POD4(pod), ret);
}

static void make_service(const struct bench_env *env, uint32_t index, int policy, struct cfg_service *ret)
{
	ret->name = xcalloc(1, 32);
	snprintf(ret->name, 32, "bench-%u", index);
	ret->policy = (uint8_t)policy;
	ret->delivery = pintle_config__has(env->args, "redirect") ? DELIVERY_REDIRECT : DELIVERY_PASS;
	ret->nr_frontends = 1;
	ret->frontends = xcalloc(1, sizeof(*ret->frontends));
	make_addr(env->family, BENCH_NET6_VIP, BENCH_VIP4(index), &ret->frontends[0].addr);
	ret->frontends[0].proto = env->proto;
	ret->frontends[0].port = BENCH_VIP_PORT;
	ret->nr_pods = env->pods_per_service;
	ret->pods = xcalloc(ret->nr_pods, sizeof(*ret->pods));
	for (uint32_t p = 0; p < ret->nr_pods; p++) {
		struct cfg_pod *pod = &ret->pods[p];

		pintle_config__pod_addr(env->family, index * env->pods_per_service + p, &pod->addr);
		pod->port = BENCH_POD_PORT;
		pod->concurrency = (uint16_t)pintle_config__number(env->args, "concurrency", 1);
		pod->weight = 100;
	}
}

int pintle_config__make(const struct bench_env *env, struct pintle_config **ret_config, struct pintle_err *err)
{
	int policy = policy_of(env->args, err);
	struct pintle_config *config;

	if (policy < 0)
		return policy;
	config = xcalloc(1, sizeof(*config));
	*config = (struct pintle_config){
		.tcp_idle_s = 7200,
		.tcp_half_open_s = 30,
		.udp_idle_s = 60,
		.closed_s = 10,
		.awaiting_s = 120,
		.rejects_per_s = 100,
		.externality = 1.0,
	};
	config->nr_services = env->nr_services;
	config->services = xcalloc(config->nr_services, sizeof(*config->services));
	for (uint32_t s = 0; s < env->nr_services; s++)
		make_service(env, s, policy, &config->services[s]);
	*ret_config = config;
	return 0;
}

void pintle_config__free(struct pintle_config *config)
{
	if (!config)
		return;
	for (size_t s = 0; s < config->nr_services; s++) {
		free(config->services[s].name);
		free(config->services[s].frontends);
		free(config->services[s].pods);
	}
	free(config->services);
	free(config);
}
