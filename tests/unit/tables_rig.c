/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/unit/tables_rig.h"

#include <check.h>
#include <netinet/in.h>

struct tables_rig rig;

void rig__on_store(void *arg)
{
	(void)arg;
	rig.stores++;
}

int rig__grace(void *arg)
{
	(void)arg;
	rig.graces++;
	return 0;
}

void rig__begin(uint32_t max_frontends, uint32_t max_pods, uint32_t pick_lines)
{
	rig = (struct tables_rig){ 0 };
	arena__init(&rig.arena, max_frontends, max_pods, pick_lines);
	ck_assert_int_eq(tables__open(&rig.arena.maps, rig__grace, NULL, &rig.t, &rig.err), 0);
	rig.stores = 0;
	rig.graces = 0;
	tables_store_hook = rig__on_store;
}

void rig__end(void)
{
	tables_store_hook = NULL;
	tables_store_hook_arg = NULL;
	tables__close(rig.t);
	arena__destroy(&rig.arena);
}

void rig__reopen(void)
{
	tables__close(rig.t);
	rig.t = NULL;
	ck_assert_msg(!tables__open(&rig.arena.maps, rig__grace, NULL, &rig.t, &rig.err), "%s", rig.err.msg);
}

int rig__try(const struct pintle_config *config)
{
	rig.stores = 0;
	rig.graces = 0;
	return tables__apply(rig.t, config, NULL, NULL, &rig.applied, &rig.err);
}

void rig__apply(const struct pintle_config *config)
{
	ck_assert_msg(!rig__try(config), "%s", rig.err.msg);
}

struct pintle_config *rig__two_services(void)
{
	static const char *const pods[2][4] = { { "10.0.0.1", "10.0.0.2", "10.0.0.3", "fd01::1" },
						{ "10.0.0.3", "10.0.0.4", "fd01::2", "fd01::3" } };
	struct pintle_config *config = config_make__new();

	for (int i = 0; i < 2; i++) {
		struct cfg_service *service = config_make__service(config, i ? "beta" : "alpha", PINTLE_POLICY_SCORE);

		config_make__frontend(service, "10.96.0.1", IPPROTO_TCP, (uint16_t)(80 + i));
		config_make__frontend(service, "fd00::1", IPPROTO_UDP, (uint16_t)(80 + i));
		for (int p = 0; p < 4; p++)
			config_make__pod(service, pods[i][p], 8080)->concurrency = (uint16_t)(1 + 3 * i);
	}
	return config;
}

uint16_t rig__pod_at(const char *text)
{
	struct ip_addr addr = addr_of(text);
	uint16_t pod = 0xffff;

	ck_assert_int_eq(tables__pod_by_addr(rig.t, &addr, 8080, &pod), 0);
	return pod;
}

const struct pintle_member *rig__member_of(const char *service, int family, uint32_t half, uint16_t pod)
{
	uint16_t id;

	ck_assert_int_eq(tables__service_ids(rig.t, service, family, &id), 0);
	for (uint32_t i = 0; i < pool_in_force(rig.t, id)->nr_members; i++) {
		const struct pintle_member *m = member_at(rig.t, 0, half, pool_in_force(rig.t, id)->members_line, i);

		if (m->pod == pod)
			return m;
	}
	return NULL;
}

int16_t rig__gain_in_force(const char *service, uint16_t pod)
{
	return rig__member_of(service, 4, rig.arena.maps.ctl->gains_half, pod)->gain_q8;
}
