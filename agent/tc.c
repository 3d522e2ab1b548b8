/* SPDX-License-Identifier: BSD-2-Clause */
#include "agent/tc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <libmnl/libmnl.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

/* UAPI of Linux 6.6 (include/uapi/linux/bpf.h); the system's headers may be older. */
enum { ATTACH_TCX_INGRESS = 46, ATTACH_TCX_EGRESS = 47 };
#define TCX_BEFORE (1u << 3) /* BPF_F_BEFORE; relative to nothing: in front of all */

static const char *point_name(enum tc_point point)
{
	return point == TC_INGRESS ? "ingress" : "egress";
}

/* For messages: the name if it has one in this namespace. */
static const char *device_name(uint32_t ifindex, char out[IF_NAMESIZE])
{
	return if_indextoname(ifindex, out) ? out : "device that is gone";
}

bool tc__prefers_filters(void)
{
	const char *choice = getenv("PINTLE_TC");

	return choice && !strcmp(choice, "clsact");
}

int tc__link_create(int prog_fd, uint32_t ifindex, enum tc_point point, struct pintle_err *err)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts, .flags = TCX_BEFORE);
	int type = point == TC_INGRESS ? ATTACH_TCX_INGRESS : ATTACH_TCX_EGRESS;
	char name[IF_NAMESIZE];
	int fd;

	/* libbpf passes attach types that it does not know through to the kernel, which answers -EINVAL to what itself does not know. */
	fd = bpf_link_create(prog_fd, (int)ifindex, (enum bpf_attach_type)type, &opts);
	if (fd == -EINVAL)
		return pintle_err__set(err, -EOPNOTSUPP, "this kernel has no TCX (Linux 6.6)");
	if (fd < 0)
		return pintle_err__set(err, fd, "%s: cannot attach at TC %s: %s", device_name(ifindex, name), point_name(point),
				       strerror(-fd));
	return fd;
}

/* Not a function: libbpf looks at the padding too, which returning by value does not keep zero. */
#define TC_HOOK(hook, device, point)                             \
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)(device), \
		    .attach_point = (point) == TC_INGRESS ? BPF_TC_INGRESS : BPF_TC_EGRESS)

int tc__filter_prog(uint32_t ifindex, enum tc_point point, uint32_t *ret_prog_id, struct pintle_err *err)
{
	TC_HOOK(hook, ifindex, point);
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = TC_FILTER_HANDLE, .priority = TC_FILTER_PRIORITY);
	char name[IF_NAMESIZE];
	int ret;

	ret = bpf_tc_query(&hook, &opts);
	if (!ret) {
		*ret_prog_id = opts.prog_id;
		return 0;
	}
	if (!if_indextoname(ifindex, name))
		return pintle_err__set(err, -ENODEV, "device %u does not exist", ifindex);
	/* No qdisc, no filter of this priority, none with this handle: the kernel has a code for each. */
	if (ret == -ENOENT || ret == -EINVAL) {
		*ret_prog_id = 0;
		return 0;
	}
	return pintle_err__set(err, ret, "%s: cannot ask for the TC %s filter: %s", name, point_name(point), strerror(-ret));
}

int tc__filter_attach(int prog_fd, uint32_t ifindex, enum tc_point point, bool *ret_made_qdisc, struct pintle_err *err)
{
	TC_HOOK(hook, ifindex, point);
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = TC_FILTER_HANDLE, .priority = TC_FILTER_PRIORITY, .prog_fd = prog_fd,
		    .flags = BPF_TC_F_REPLACE);
	char name[IF_NAMESIZE];
	bool is_gone;
	int made, ret;

	made = bpf_tc_hook_create(&hook);
	if (made && made != -EEXIST)
		return pintle_err__set(err, made,
				       "%s: cannot make the clsact qdisc: %s; the kernel needs CONFIG_NET_SCH_INGRESS",
				       device_name(ifindex, name), strerror(-made));
	ret = bpf_tc_attach(&hook, &opts);
	if (ret) {
		if (!made)
			tc__qdisc_remove_if_empty(ifindex, &is_gone, NULL);
		return pintle_err__set(err, ret,
				       "%s: cannot attach the filter at TC %s: %s; the kernel needs CONFIG_NET_CLS_BPF",
				       device_name(ifindex, name), point_name(point), strerror(-ret));
	}
	*ret_made_qdisc = !made;
	return 0;
}

int tc__filter_detach(uint32_t ifindex, enum tc_point point, struct pintle_err *err)
{
	TC_HOOK(hook, ifindex, point);
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = TC_FILTER_HANDLE, .priority = TC_FILTER_PRIORITY);
	char name[IF_NAMESIZE];
	int ret;

	ret = bpf_tc_detach(&hook, &opts);
	if (ret && ret != -ENOENT)
		return pintle_err__set(err, ret, "%s: cannot remove the TC %s filter: %s", device_name(ifindex, name),
				       point_name(point), strerror(-ret));
	return 0;
}

static int count_filter(const struct nlmsghdr *nlh, void *arg)
{
	unsigned int *nr = arg;

	if (nlh->nlmsg_type == RTM_NEWTFILTER)
		(*nr)++;
	return MNL_CB_OK;
}

/* Filters of anybody below one of clsact's two classes. */
static int count_filters(struct mnl_socket *nl, uint32_t ifindex, uint32_t parent_minor, unsigned int *ret_nr)
{
	unsigned int seq = (unsigned int)time(NULL) ^ parent_minor, port = mnl_socket_get_portid(nl), nr = 0;
	char buf[16 * 1024]; /* libmnl asks for at least a page; filters are small */
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct tcmsg *tcm;
	ssize_t n;
	int ret;

	nlh->nlmsg_type = RTM_GETTFILTER;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	nlh->nlmsg_seq = seq;
	tcm = mnl_nlmsg_put_extra_header(nlh, sizeof(*tcm));
	tcm->tcm_family = AF_UNSPEC;
	tcm->tcm_ifindex = (int)ifindex;
	tcm->tcm_parent = TC_H_MAKE(TC_H_CLSACT, parent_minor);
	if (mnl_socket_sendto(nl, nlh, nlh->nlmsg_len) < 0)
		return -errno;
	do {
		n = mnl_socket_recvfrom(nl, buf, sizeof(buf));
		if (n < 0)
			return -errno;
		ret = mnl_cb_run(buf, (size_t)n, seq, port, count_filter, &nr);
	} while (ret > MNL_CB_STOP);
	if (ret < 0)
		return -errno;
	*ret_nr = nr;
	return 0;
}

static int is_qdisc_empty(uint32_t ifindex, bool *ret_empty)
{
	struct mnl_socket *nl = mnl_socket_open(NETLINK_ROUTE);
	unsigned int ingress = 0, egress = 0;
	int ret;

	if (!nl)
		return -errno;
	ret = mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) ? -errno : 0;
	if (!ret)
		ret = count_filters(nl, ifindex, TC_H_MIN_INGRESS, &ingress);
	if (!ret)
		ret = count_filters(nl, ifindex, TC_H_MIN_EGRESS, &egress);
	mnl_socket_close(nl);
	if (!ret)
		*ret_empty = !ingress && !egress;
	return ret;
}

int tc__qdisc_remove_if_empty(uint32_t ifindex, bool *ret_is_gone, struct pintle_err *err)
{
	TC_HOOK(hook, ifindex, TC_INGRESS);
	char name[IF_NAMESIZE];
	bool empty = false;
	int ret;

	ret = is_qdisc_empty(ifindex, &empty);
	if (!ret && empty) {
		hook.attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS; /* libbpf: both = the qdisc itself */
		ret = bpf_tc_hook_destroy(&hook);
	}
	if (ret && ret != -ENOENT && ret != -EINVAL && ret != -ENODEV)
		return pintle_err__set(err, ret, "%s: cannot remove the clsact qdisc: %s", device_name(ifindex, name),
				       strerror(-ret));
	*ret_is_gone = ret || empty;
	return 0;
}
