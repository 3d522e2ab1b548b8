/* SPDX-License-Identifier: BSD-2-Clause */
/* What the running kernel and this process can do. */
#ifndef PINTLE_AGENT_DATAPATH_KERNEL_H
#define PINTLE_AGENT_DATAPATH_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/err.h"

#define DP_KERNEL_MAJOR 5 /* oldest kernel that can load the programs: XDP live frames, the active self-test, came with 5.18 */
#define DP_KERNEL_MINOR 18

/* -EOPNOTSUPP: release ("6.1.0-18-amd64") is older than the above, or no version at all. */
int dp_kernel__check_release(const char *release, struct pintle_err *err);
/* Release of the running kernel and capabilities of this process. -EPERM names the ones that are missing. */
int dp_kernel__check(struct pintle_err *err);
/* Names of the missing ones among CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON, by ", "; "" if none. `effective` as in CapEff. */
void dp_kernel__missing_caps(uint64_t effective, char *out, size_t out_bytes);

/* Ticks a second (CONFIG_HZ), exact; 0 if the kernel's answer makes no sense. */
uint32_t dp_kernel__hz(void);
/* Can programs ask conntrack (bpf_xdp_ct_lookup, bpf_skb_ct_lookup: 5.19)? Needs the kernel's BTF; where conntrack is a module, it must be
 * loaded, and the process needs CAP_SYS_ADMIN to name its functions. */
bool dp_kernel__has_conntrack(void);
/* BPF_F_IPV6 if bpf_l4_csum_replace() knows it (6.16), else 0. */
uint64_t dp_kernel__v6_csum_flag(void);

/* libbpf and the verifier say on their own why a load failed: while capturing, that is kept instead of printed. Process-wide.
 * `to_stderr` lets it through as well (-vv). */
void dp_kernel__capture(int to_stderr);
/* The telling part, on one line; "" if nothing was said. Valid until the next capture. */
const char *dp_kernel__captured(void);

#endif
