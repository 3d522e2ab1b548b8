/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Never loaded: names every type of the ABI, so that the layout that clang gives it for the BPF target stands in BTF. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "pintle/abi.h"
#include "pintle/hash.h"
#include "pintle/verdict.h"

#define ABI_STRUCT(name, where) struct name *abi_##name;
#define ABI_ENUM(name) enum name abi_##name;
#include "abi_list.def"

enum pintle_verdict abi_pintle_verdict;
