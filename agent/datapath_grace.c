/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Waiting until every program run that began before has ended.
 *
 * XDP and TC programs run inside RCU read-side sections (the network receive and transmit paths are; see Documentation/RCU and
 * net/core/dev.c), so an RCU grace period is what is needed. User space can ask for one:
 *   membarrier(MEMBARRIER_CMD_GLOBAL) calls synchronize_rcu() (kernel/sched/membarrier.c) when more than one CPU is online, and answers
 *   -EINVAL under nohz_full;
 *   an update of an element of an array of maps ends in maybe_wait_bpf_programs(), which calls synchronize_rcu() for this very purpose
 *   (kernel/bpf/syscall.c).
 * With one CPU membarrier does nothing, which is right only where a program cannot be preempted by us (not on PREEMPT_RT): there the map
 * is used. The sweep program runs under another flavour of RCU and is started by us alone, so it is never waited for.
 */
#include "agent/datapath_priv.h"

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <linux/membarrier.h>

static int make_outer(struct datapath *dp)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts);
	int inner, outer;

	inner = bpf_map_create(BPF_MAP_TYPE_ARRAY, "pt_grace_in", sizeof(uint32_t), sizeof(uint32_t), 1, NULL);
	if (inner < 0)
		return inner;
	opts.inner_map_fd = (uint32_t)inner;
	outer = bpf_map_create(BPF_MAP_TYPE_ARRAY_OF_MAPS, "pt_grace", sizeof(uint32_t), sizeof(uint32_t), 1, &opts);
	close(inner);
	if (outer < 0)
		return outer;
	dp->grace_fd = outer;
	return 0;
}

static int grace_by_map(struct datapath *dp)
{
	uint32_t key = 0;
	int inner, ret;

	if (dp->grace_fd < 0) {
		ret = make_outer(dp);
		if (ret)
			return ret;
	}
	inner = bpf_map_create(BPF_MAP_TYPE_ARRAY, "pt_grace_in", sizeof(uint32_t), sizeof(uint32_t), 1, NULL);
	if (inner < 0)
		return inner;
	ret = bpf_map_update_elem(dp->grace_fd, &key, &inner, BPF_ANY);
	close(inner);
	return ret;
}

int datapath__grace(void *arg)
{
	struct datapath *dp = arg;

	if (!dp->is_grace_map && sysconf(_SC_NPROCESSORS_ONLN) > 1) {
		if (!syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0))
			return 0;
		dp->is_grace_map = true;
	}
	return grace_by_map(dp);
}
