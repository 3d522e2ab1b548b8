/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Programs at TC. From Linux 6.6 as TCX links: owned by a file descriptor, pinned, replaced atomically. Before that as clsact filters
 * of fixed priority and handle, which live on the device until somebody removes them; replaced atomically by netlink.
 */
#ifndef PINTLE_AGENT_TC_H
#define PINTLE_AGENT_TC_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/err.h"

enum tc_point { TC_INGRESS = 0, TC_EGRESS };

#define TC_FILTER_PRIORITY 49152u /* where no distribution or CNI puts filters of its own */
#define TC_FILTER_HANDLE 0x70746c /* "ptl" */

/* True when filters are to be used though the kernel may have TCX: PINTLE_TC=clsact in the environment. */
bool tc__prefers_filters(void);

/* Puts the program first at a point of a device. Returns the link's descriptor or -errno: -EOPNOTSUPP when the kernel has no TCX. */
int tc__link_create(int prog_fd, uint32_t ifindex, enum tc_point point, struct pintle_err *err);

/* Kernel id of the program in our filter slot, 0 if the slot is free; -errno. -ENODEV: no such device. */
int tc__filter_prog(uint32_t ifindex, enum tc_point point, uint32_t *ret_prog_id, struct pintle_err *err);
/* Puts the program into the slot, in place of what is there: the caller has looked whose it is. Makes the clsact qdisc if there is
 * none, and says so. */
int tc__filter_attach(int prog_fd, uint32_t ifindex, enum tc_point point, bool *ret_made_qdisc, struct pintle_err *err);
int tc__filter_detach(uint32_t ifindex, enum tc_point point, struct pintle_err *err);
/* Removes the clsact qdisc unless a filter of anybody is left on it. *ret_is_gone: there is none now. */
int tc__qdisc_remove_if_empty(uint32_t ifindex, bool *ret_is_gone, struct pintle_err *err);

#endif
