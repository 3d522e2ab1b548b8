/* SPDX-License-Identifier: BSD-2-Clause */
/* What attaching must know of a device, by ioctl in the current network namespace. */
#ifndef PINTLE_AGENT_DATAPATH_DEV_H
#define PINTLE_AGENT_DATAPATH_DEV_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "agent/err.h"

struct dp_dev {
	uint32_t ifindex;
	char name[IF_NAMESIZE];
	char driver[32]; /* "" if it does not say */
	bool is_up;
	bool has_carrier;
};

/* -ENODEV: no such device. */
int dp_dev__get(uint32_t ifindex, struct dp_dev *ret_dev, struct pintle_err *err);
/* The same by name; -ENODEV names the nearest. */
int dp_dev__get_by_name(const char *name, struct dp_dev *ret_dev, struct pintle_err *err);

#endif
