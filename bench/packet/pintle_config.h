/* SPDX-License-Identifier: BSD-2-Clause */
/* The configuration that a case means: one frontend a service, its own pods each. */
#ifndef BENCH_PINTLE_CONFIG_H
#define BENCH_PINTLE_CONFIG_H

#include <stdbool.h>

#include "agent/config.h"
#include "plugin.h"

int pintle_config__make(const struct bench_env *env, struct pintle_config **ret_config, struct pintle_err *err);
void pintle_config__free(struct pintle_config *config); /* NULL is fine */
void pintle_config__pod_addr(int family, uint32_t pod, struct ip_addr *ret);

/* Plugin arguments: "name" and "name=value", separated by commas. */
bool pintle_config__has(const char *args, const char *name);
int pintle_config__number(const char *args, const char *name, int otherwise);

#endif
