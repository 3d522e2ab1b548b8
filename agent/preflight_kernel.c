// SPDX-License-Identifier: BSD-2-Clause
/* Kernel features, each by doing it once: maps and programs that are closed at once, attachments in a network namespace of their own. */
#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <linux/membarrier.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/preflight.h"

#define CHILD_MS 5000
#define TCX_INGRESS 46 /* enum bpf_attach_type, since 6.6 */

/* Instructions by hand: the probes must not depend on a compiler or on our own object. */
#define MOV_IMM(reg, value) ((struct bpf_insn){ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = (reg), .imm = (value) })
#define MOV_REG(dst, src) ((struct bpf_insn){ .code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = (dst), .src_reg = (src) })
#define STORE_IMM(reg, offset, value) \
	((struct bpf_insn){ .code = BPF_ST | BPF_MEM | BPF_DW, .dst_reg = (reg), .off = (offset), .imm = (value) })
#define ATOMIC(op, dst, offset, src) \
	((struct bpf_insn){          \
		.code = BPF_STX | BPF_ATOMIC | BPF_DW, .dst_reg = (dst), .src_reg = (src), .off = (offset), .imm = (op) })
#define CALL(helper) ((struct bpf_insn){ .code = BPF_JMP | BPF_CALL, .imm = (helper) })
#define EXIT ((struct bpf_insn){ .code = BPF_JMP | BPF_EXIT })

static int load(enum bpf_prog_type type, uint32_t flags, const struct bpf_insn *insns, size_t nr)
{
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .prog_flags = flags);
	int fd = bpf_prog_load(type, "pt_check", "GPL", insns, nr, &opts);

	return fd < 0 ? -errno : fd;
}

static int close_probe(int fd)
{
	if (fd >= 0)
		close(fd);
	return fd < 0 ? fd : 0;
}

static int load_return(enum bpf_prog_type type, uint32_t flags, int value)
{
	const struct bpf_insn insns[] = { MOV_IMM(BPF_REG_0, value), EXIT };

	return load(type, flags, insns, 2);
}

static int probe_map(enum bpf_map_type type, uint32_t key, uint32_t value, uint32_t entries, uint32_t flags)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = flags);
	int fd = bpf_map_create(type, "pt_check", key, value, entries, &opts);

	return fd < 0 ? -errno : fd;
}

static int probe_xdp(void)
{
	return close_probe(load_return(BPF_PROG_TYPE_XDP, 0, XDP_DROP));
}

static int probe_tc(void)
{
	return close_probe(load_return(BPF_PROG_TYPE_SCHED_CLS, 0, 0));
}

static int probe_syscall(void)
{
	return close_probe(load_return(BPF_PROG_TYPE_SYSCALL, BPF_F_SLEEPABLE, 0));
}

static int probe_ringbuf(void)
{
	return close_probe(probe_map(BPF_MAP_TYPE_RINGBUF, 0, 0, (uint32_t)sysconf(_SC_PAGESIZE), 0));
}

static int probe_devmap(void)
{
	return close_probe(probe_map(BPF_MAP_TYPE_DEVMAP, 4, 4, 1, 0));
}

static int probe_mmap(void)
{
	size_t bytes = (size_t)sysconf(_SC_PAGESIZE);
	int fd = probe_map(BPF_MAP_TYPE_ARRAY, 4, (uint32_t)bytes, 1, BPF_F_MMAPABLE), ret = 0;
	void *memory;

	if (fd < 0)
		return fd;
	memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED)
		ret = -errno;
	else
		munmap(memory, bytes);
	close(fd);
	return ret;
}

/* 64-bit compare-and-exchange and fetch-and-add (-mcpu=v3). */
static int probe_atomics(void)
{
	const struct bpf_insn insns[] = {
		STORE_IMM(BPF_REG_10, -8, 0),
		MOV_IMM(BPF_REG_0, 0),
		MOV_IMM(BPF_REG_1, 1),
		ATOMIC(BPF_CMPXCHG, BPF_REG_10, -8, BPF_REG_1),
		ATOMIC(BPF_ADD | BPF_FETCH, BPF_REG_10, -8, BPF_REG_1),
		MOV_IMM(BPF_REG_0, XDP_DROP),
		EXIT,
	};

	return close_probe(load(BPF_PROG_TYPE_XDP, 0, insns, sizeof(insns) / sizeof(insns[0])));
}

/* Called with arguments that the verifier accepts; never run. */
static int probe_redirect_neigh(void)
{
	const struct bpf_insn insns[] = {
		MOV_IMM(BPF_REG_1, 1), MOV_IMM(BPF_REG_2, 0),	      MOV_IMM(BPF_REG_3, 0),
		MOV_IMM(BPF_REG_4, 0), CALL(BPF_FUNC_redirect_neigh), EXIT,
	};

	return close_probe(load(BPF_PROG_TYPE_SCHED_CLS, 0, insns, sizeof(insns) / sizeof(insns[0])));
}

static int probe_jiffies(void)
{
	const struct bpf_insn insns[] = { CALL(BPF_FUNC_jiffies64), MOV_IMM(BPF_REG_0, XDP_DROP), EXIT };

	return close_probe(load(BPF_PROG_TYPE_XDP, 0, insns, 3));
}

/* One frame through a program that drops it: no device sees it. */
static int probe_live_frames(void)
{
	uint8_t frame[64] = { 0 };
	struct xdp_md ctx = { .data_end = sizeof(frame) };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = sizeof(frame), .ctx_in = &ctx,
		    .ctx_size_in = sizeof(ctx), .repeat = 1, .flags = BPF_F_TEST_XDP_LIVE_FRAMES);
	int fd = load_return(BPF_PROG_TYPE_XDP, 0, XDP_DROP), ret;

	if (fd < 0)
		return fd;
	ret = bpf_prog_test_run_opts(fd, &opts);
	close(fd);
	return ret < 0 ? -errno : 0;
}

static int attach_xdp_link(void)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts, .flags = XDP_FLAGS_SKB_MODE);
	int prog = load_return(BPF_PROG_TYPE_XDP, 0, XDP_PASS), link;

	if (prog < 0)
		return prog;
	link = bpf_link_create(prog, (int)if_nametoindex("lo"), BPF_XDP, &opts);
	return link < 0 ? -errno : 0;
}

static int attach_tcx_link(void)
{
	int prog = load_return(BPF_PROG_TYPE_SCHED_CLS, 0, -1), link;

	if (prog < 0)
		return prog;
	link = bpf_link_create(prog, (int)if_nametoindex("lo"), (enum bpf_attach_type)TCX_INGRESS, NULL);
	return link < 0 ? -errno : 0;
}

/* Runs `probe` in a child with a network namespace of its own; everything it attached goes with it. -ENOSYS: no such namespace. */
static int in_own_namespace(int (*probe)(void))
{
	int ends[2], result = -ETIMEDOUT;
	struct pollfd poller;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	pid = fork();
	if (pid == 0) {
		result = unshare(CLONE_NEWNET) < 0 ? -ENOSYS : probe();
		_exit(write(ends[1], &result, sizeof(result)) == (ssize_t)sizeof(result) ? 0 : 1);
	}
	close(ends[1]);
	if (pid > 0) {
		poller = (struct pollfd){ .fd = ends[0], .events = POLLIN };
		if (poll(&poller, 1, CHILD_MS) <= 0 || read(ends[0], &result, sizeof(result)) != (ssize_t)sizeof(result)) {
			kill(pid, SIGKILL);
			result = -ETIMEDOUT;
		}
		while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	close(ends[0]);
	return pid < 0 ? -EAGAIN : result;
}

static int probe_xdp_link(void)
{
	return in_own_namespace(attach_xdp_link);
}

static int probe_tcx(void)
{
	return in_own_namespace(attach_tcx_link);
}

static int probe_membarrier(void)
{
	long commands = syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0);

	if (commands < 0)
		return -errno;
	return commands & MEMBARRIER_CMD_GLOBAL ? 0 : -EOPNOTSUPP;
}

/* As large as a middling flow table, and without raising the limit. */
static int probe_memlock(void)
{
	union bpf_attr attr = { .map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4096, .max_entries = 4096 };
	long fd = syscall(SYS_bpf, BPF_MAP_CREATE, &attr, sizeof(attr));

	if (fd < 0)
		return -errno;
	close((int)fd);
	return 0;
}

static const struct kernel_probe {
	const char *what;
	const char *need;
	int (*probe)(void);
	enum preflight_status without; /* status when it is not there */
	const char *fix;
} kernel_probes[] = {
	{ "XDP programs", "load", probe_xdp, PREFLIGHT_MISSING,
	  "kernel with CONFIG_BPF_SYSCALL; run as root or with CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON" },
	{ "TC programs", "load", probe_tc, PREFLIGHT_MISSING, "kernel with CONFIG_NET_CLS_BPF" },
	{ "syscall programs", "load (5.14)", probe_syscall, PREFLIGHT_MISSING,
	  "a newer kernel: the sweep of the flow table runs as one" },
	{ "ring buffer", "map (5.8)", probe_ringbuf, PREFLIGHT_MISSING, "a newer kernel" },
	{ "memory-mapped arrays", "map (5.5)", probe_mmap, PREFLIGHT_MISSING, "a newer kernel" },
	{ "devmap", "map", probe_devmap, PREFLIGHT_MISSING, "kernel with CONFIG_XDP_SOCKETS or XDP redirect support" },
	{ "64-bit atomics", "compare-and-exchange, fetch (5.12)", probe_atomics, PREFLIGHT_MISSING,
	  "a newer kernel with the BPF JIT on (net.core.bpf_jit_enable=1)" },
	{ "jiffies helper", "call", probe_jiffies, PREFLIGHT_MISSING, "a newer kernel (5.6)" },
	{ "redirect_neigh helper", "call (5.10)", probe_redirect_neigh, PREFLIGHT_MISSING, "a newer kernel" },
	{ "XDP links", "attach (5.9)", probe_xdp_link, PREFLIGHT_MISSING, "a newer kernel" },
	{ "live frames", "test run (5.18)", probe_live_frames, PREFLIGHT_MISSING,
	  "a newer kernel: the self-tests of XDP and of redirect use them" },
	{ "TCX links", "attach (6.6); clsact filters stand in", probe_tcx, PREFLIGHT_NOTE, NULL },
	{ "membarrier GLOBAL", "grace periods; a map stands in", probe_membarrier, PREFLIGHT_NOTE, NULL },
	{ "locked memory", "16 MiB map", probe_memlock, PREFLIGHT_WARN,
	  "raise the limit: ulimit -l unlimited, LimitMEMLOCK=infinity in a unit" },
};

void preflight__kernel(struct preflight *pf)
{
	struct utsname name;

	for (size_t i = 0; i < sizeof(kernel_probes) / sizeof(kernel_probes[0]); i++) {
		const struct kernel_probe *probe = &kernel_probes[i];
		int ret = probe->probe();

		if (ret == 0)
			preflight__add(pf, PREFLIGHT_OK, "kernel", probe->what, probe->need, NULL, "works");
		else if (ret == -EPERM || ret == -EACCES)
			preflight__add(pf, probe->without == PREFLIGHT_NOTE ? PREFLIGHT_UNKNOWN : probe->without, "kernel",
				       probe->what, probe->need, "run as root or with CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON",
				       "not permitted (%s)", strerror(-ret));
		else if (ret == -ENOSYS || ret == -ETIMEDOUT || ret == -EAGAIN)
			preflight__add(pf, PREFLIGHT_UNKNOWN, "kernel", probe->what, probe->need,
				       "CAP_SYS_ADMIN would let it be tried out of the way", "could not be tried (%s)",
				       strerror(-ret));
		else
			preflight__add(pf, probe->without, "kernel", probe->what, probe->need, probe->fix, "no (%s)",
				       strerror(-ret));
	}
	if (uname(&name) == 0)
		preflight__add(pf, PREFLIGHT_NOTE, "kernel", "release", "none: features are probed", NULL, "%s", name.release);
}
