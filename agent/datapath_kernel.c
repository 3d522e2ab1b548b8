/* SPDX-License-Identifier: BSD-2-Clause */
#include "agent/datapath_kernel.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <linux/capability.h>

int dp_kernel__check_release(const char *release, struct pintle_err *err)
{
	unsigned int major, minor;

	if (sscanf(release, "%u.%u", &major, &minor) != 2)
		return pintle_err__set(err, -EOPNOTSUPP, "cannot tell the version of kernel \"%s\"", release);
	if (major < DP_KERNEL_MAJOR || (major == DP_KERNEL_MAJOR && minor < DP_KERNEL_MINOR))
		return pintle_err__set(err, -EOPNOTSUPP, "kernel %s is too old: pintle needs Linux %d.%d or later", release,
				       DP_KERNEL_MAJOR, DP_KERNEL_MINOR);
	return 0;
}

void dp_kernel__missing_caps(uint64_t effective, char *out, size_t out_bytes)
{
	static const struct {
		int cap;
		const char *name;
		bool by_admin; /* CAP_SYS_ADMIN includes it */
	} needed[] = {
		{ CAP_BPF, "CAP_BPF", true },
		{ CAP_NET_ADMIN, "CAP_NET_ADMIN", false },
		{ CAP_PERFMON, "CAP_PERFMON", true },
	};
	bool is_admin = effective >> CAP_SYS_ADMIN & 1;
	size_t used = 0;

	out[0] = '\0';
	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
		if ((effective >> needed[i].cap & 1) || (needed[i].by_admin && is_admin))
			continue;
		used += (size_t)snprintf(out + used, out_bytes - used, "%s%s", used ? ", " : "", needed[i].name);
		if (used >= out_bytes)
			return;
	}
}

/* CapEff of this process; 0 or -errno. */
static int read_caps(uint64_t *ret_effective)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { { 0 } };

	if (syscall(SYS_capget, &header, data))
		return -errno;
	*ret_effective = (uint64_t)data[1].effective << 32 | data[0].effective;
	return 0;
}

int dp_kernel__check(struct pintle_err *err)
{
	uint64_t effective = 0;
	char missing[64];
	struct utsname un;
	int ret;

	if (uname(&un))
		return pintle_err__set(err, -errno, "uname: %s", strerror(errno));
	ret = dp_kernel__check_release(un.release, err);
	if (ret)
		return ret;
	ret = read_caps(&effective);
	if (ret)
		return pintle_err__set(err, ret, "cannot read the capabilities of this process: %s", strerror(-ret));
	dp_kernel__missing_caps(effective, missing, sizeof(missing));
	if (missing[0])
		return pintle_err__set(err, -EPERM,
				       "missing %s: run as root, or give the process CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON",
				       missing);
	return 0;
}

/* The resolution of the coarse clocks is the tick: posix_get_coarse_res() in kernel/time/posix-timers.c returns KTIME_LOW_RES, which is
 * TICK_NSEC = (10^9 + HZ / 2) / HZ. So no measurement, and no dependence on a readable kernel configuration. */
uint32_t dp_kernel__hz(void)
{
	struct timespec res;

	if (clock_getres(CLOCK_MONOTONIC_COARSE, &res) || res.tv_sec || res.tv_nsec < 100 * 1000 ||
	    res.tv_nsec > 100 * 1000 * 1000)
		return 0;
	return (uint32_t)((1000000000L + res.tv_nsec / 2) / res.tv_nsec);
}

/* A helper's flags are checked when it runs, not by the verifier: run it once on a packet of our own. Unknown flags are -EINVAL before
 * anything else is looked at (net/core/filter.c). The program returns 0 when the flag is known. */
uint64_t dp_kernel__v6_csum_flag(void)
{
	enum { FLAG_IPV6 = 1 << 7, CSUM_OFFSET = 16 };
	const struct bpf_insn insns[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_2, .imm = CSUM_OFFSET },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_3, .imm = 0 },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_4, .imm = 0 },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_5, .imm = FLAG_IPV6 | BPF_F_PSEUDO_HDR },
		{ .code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_l4_csum_replace },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	LIBBPF_OPTS(bpf_prog_load_opts, load);
	uint8_t packet[64] = { 0 };
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = packet, .data_size_in = sizeof(packet), .repeat = 1);
	int fd, ret;

	fd = bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "pt_probe_csum", "GPL", insns, sizeof(insns) / sizeof(insns[0]), &load);
	if (fd < 0)
		return 0;
	ret = bpf_prog_test_run_opts(fd, &run);
	close(fd);
	return !ret && run.retval == 0 ? FLAG_IPV6 : 0;
}

static bool has_lookups(const struct btf *btf)
{
	return btf && btf__find_by_name_kind(btf, "bpf_xdp_ct_lookup", BTF_KIND_FUNC) > 0 &&
	       btf__find_by_name_kind(btf, "bpf_skb_ct_lookup", BTF_KIND_FUNC) > 0;
}

bool dp_kernel__has_conntrack(void)
{
	struct btf *kernel = btf__load_vmlinux_btf(), *module;
	bool has = has_lookups(kernel);
	uint64_t effective = 0;

	if (!has && kernel && !read_caps(&effective) && (effective >> CAP_SYS_ADMIN & 1)) {
		module = btf__load_module_btf("nf_conntrack", kernel);
		has = has_lookups(module);
		btf__free(module);
	}
	btf__free(kernel);
	return has;
}

static struct {
	char text[4096]; /* the latest; older halves make room */
	size_t used;
	char line[256];
	bool to_stderr;
} capture;

static int capture_print(enum libbpf_print_level level, const char *fmt, va_list args)
{
	va_list again;
	int n;

	if (capture.to_stderr) {
		va_copy(again, args);
		vfprintf(stderr, fmt, again);
		va_end(again);
	}
	if (level != LIBBPF_WARN)
		return 0;
	if (capture.used > sizeof(capture.text) / 2) {
		memmove(capture.text, capture.text + capture.used / 2, capture.used - capture.used / 2);
		capture.used -= capture.used / 2;
	}
	n = vsnprintf(capture.text + capture.used, sizeof(capture.text) - capture.used, fmt, args);
	if (n > 0)
		capture.used += (size_t)n < sizeof(capture.text) - capture.used ? (size_t)n
										: sizeof(capture.text) - capture.used - 1;
	return 0;
}

void dp_kernel__capture(int to_stderr)
{
	capture.used = 0;
	capture.text[0] = '\0';
	capture.to_stderr = to_stderr;
	libbpf_set_print(capture_print);
}

/* Of a verifier log, the line before its closing statistics; else the first line. */
const char *dp_kernel__captured(void)
{
	const char *begin = capture.text, *end;

	capture.text[capture.used] = '\0';
	end = strstr(capture.text, "\nprocessed ");
	if (end) {
		begin = end;
		while (begin > capture.text && begin[-1] != '\n')
			begin--;
	} else {
		end = begin + strcspn(begin, "\n");
	}
	if (!strncmp(begin, "libbpf: ", 8))
		begin += 8;
	snprintf(capture.line, sizeof(capture.line), "%.*s", (int)(end - begin), begin);
	for (char *p = capture.line; *p; p++)
		if (iscntrl((unsigned char)*p))
			*p = ' ';
	return capture.line;
}
