// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The same programs for kernels in which they can ask conntrack (bpf_xdp_ct_lookup and bpf_skb_ct_lookup, 5.19): see heal.bpf.h. An object of its
 * own, because one that names kernel functions loads only where the kernel has BTF, and those of modules only with CAP_SYS_ADMIN. */
#define PT_WITH_CT 1
#include "pintle.bpf.c"
