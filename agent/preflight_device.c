// SPDX-License-Identifier: BSD-2-Clause
/* Uplinks: there, up, free, and which hook `auto` will take. */
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "agent/preflight.h"

/* uapi linux/netdev.h, since 6.3; not in older headers. */
#define NETDEV_FAMILY "netdev"
#define NETDEV_VERSION 1
#define NETDEV_DEV_GET 1
#define NETDEV_DEV_IFINDEX 1
#define NETDEV_DEV_XDP_FEATURES 3
#define NETDEV_XDP_BASIC 1u

/* Without frags support a frame must fit in one page with its headroom and tail: drivers differ, this is about where they refuse. */
#define XDP_MTU_LIMIT 3498u
#define CHECK_LINKS 256

struct genl_answer {
	uint16_t attr;
	uint16_t bytes;
	uint64_t value;
	bool found;
};

static int take_attr(const struct nlattr *attr, void *data)
{
	struct genl_answer *answer = data;

	if (mnl_attr_get_type(attr) != answer->attr || mnl_attr_get_payload_len(attr) != answer->bytes)
		return MNL_CB_OK;
	memcpy(&answer->value, mnl_attr_get_payload(attr), answer->bytes);
	answer->found = true;
	return MNL_CB_OK;
}

static int take_message(const struct nlmsghdr *nlh, void *data)
{
	if (mnl_nlmsg_get_payload_len(nlh) >= sizeof(struct genlmsghdr))
		mnl_attr_parse(nlh, sizeof(struct genlmsghdr), take_attr, data);
	return MNL_CB_OK;
}

static int genl_ask(struct mnl_socket *socket, struct nlmsghdr *nlh, struct genl_answer *answer)
{
	uint8_t buf[8192];
	int ret = 1;

	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	nlh->nlmsg_seq = 1u + answer->attr;
	if (mnl_socket_sendto(socket, nlh, nlh->nlmsg_len) < 0)
		return -errno;
	while (ret > 0) {
		ssize_t bytes = mnl_socket_recvfrom(socket, buf, sizeof(buf));

		if (bytes < 0)
			return -errno;
		ret = mnl_cb_run(buf, (size_t)bytes, nlh->nlmsg_seq, mnl_socket_get_portid(socket), take_message, answer);
	}
	if (ret < 0)
		return -errno;
	return answer->found ? 0 : -ENODATA;
}

static struct nlmsghdr *genl_message(void *buf, uint16_t family, uint8_t command, uint8_t version)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct genlmsghdr *genl;

	nlh->nlmsg_type = family;
	genl = mnl_nlmsg_put_extra_header(nlh, sizeof(*genl));
	genl->cmd = command;
	genl->version = version;
	return nlh;
}

static int ask_features(struct mnl_socket *socket, uint32_t ifindex, uint64_t *ret_features)
{
	struct genl_answer family = { .attr = CTRL_ATTR_FAMILY_ID, .bytes = 2 };
	struct genl_answer features = { .attr = NETDEV_DEV_XDP_FEATURES, .bytes = 8 };
	uint8_t buf[256] __attribute__((aligned(8)));
	struct nlmsghdr *nlh = genl_message(buf, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, 1);
	int ret;

	mnl_attr_put_strz(nlh, CTRL_ATTR_FAMILY_NAME, NETDEV_FAMILY);
	ret = genl_ask(socket, nlh, &family);
	if (ret < 0)
		return ret;
	nlh = genl_message(buf, (uint16_t)family.value, NETDEV_DEV_GET, NETDEV_VERSION);
	mnl_attr_put_u32(nlh, NETDEV_DEV_IFINDEX, ifindex);
	ret = genl_ask(socket, nlh, &features);
	if (ret == 0)
		*ret_features = features.value;
	return ret;
}

int preflight__native_xdp(uint32_t ifindex)
{
	struct mnl_socket *socket = mnl_socket_open2(NETLINK_GENERIC, SOCK_CLOEXEC);
	struct timeval limit = { .tv_sec = 2 };
	uint64_t features = 0;
	int ret;

	if (!socket)
		return -errno;
	if (mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0 ||
	    setsockopt(mnl_socket_get_fd(socket), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) < 0)
		ret = -errno;
	else
		ret = ask_features(socket, ifindex, &features);
	mnl_socket_close(socket);
	if (ret < 0)
		return ret;
	return features & NETDEV_XDP_BASIC ? 1 : 0;
}

/* The hook that attach will take, and why: the same rule as datapath__attach_uplink(), without attaching. */
static void add_hook(struct preflight *pf, const char *what, const struct net_link *link, enum datapath_hook hook, int native)
{
	const char *need = "XDP or TC";
	const char *driver = link->driver[0] ? link->driver : "?";
	bool is_large = link->mtu > XDP_MTU_LIMIT;

	if (hook == HOOK_TC)
		preflight__add(pf, PREFLIGHT_OK, "device", what, need, NULL, "TC: asked for");
	else if (hook == HOOK_XDP && native == 0)
		preflight__add(pf, PREFLIGHT_MISSING, "device", what, need, "--hook tc",
			       "XDP was asked for, but driver %s has no native XDP", driver);
	else if (hook == HOOK_XDP && is_large)
		preflight__add(pf, PREFLIGHT_WARN, "device", what, need, "--hook tc, or a smaller MTU",
			       "XDP was asked for; MTU %u may be refused", link->mtu);
	else if (hook == HOOK_XDP)
		preflight__add(pf, PREFLIGHT_OK, "device", what, need, NULL, "XDP: asked for");
	else if (strcmp(link->driver, "veth") == 0)
		preflight__add(pf, PREFLIGHT_OK, "device", what, need, NULL,
			       "auto takes TC: a veth, where XDP would halve inbound bulk traffic");
	else if (native == 0)
		preflight__add(pf, PREFLIGHT_OK, "device", what, need, NULL, "auto takes TC: driver %s has no native XDP",
			       driver);
	else if (native < 0)
		preflight__add(pf, PREFLIGHT_OK, "device", what, need, NULL,
			       "auto takes XDP if its self-test passes, else TC (the kernel does not tell: %s)",
			       strerror(-native));
	else
		preflight__add(pf, PREFLIGHT_OK, "device", what, need, NULL,
			       "auto takes XDP%s if its self-test passes, else TC",
			       is_large ? " (the MTU may be refused)" : "");
}

/* Our own program on the device? */
static bool is_ours(const char *pin_dir, const struct net_link *link)
{
	struct datapath_link links[CHECK_LINKS];
	struct datapath *dp;
	bool ours = false;
	int nr;

	if (datapath__open(pin_dir, false, &dp, NULL) < 0)
		return false;
	nr = datapath__links(dp, links, CHECK_LINKS, NULL);
	for (int i = 0; i < nr && i < CHECK_LINKS; i++)
		ours |= links[i].ifindex == link->ifindex && strcmp(links[i].kind, "xdp") == 0 &&
			links[i].prog_id == link->xdp_prog_id;
	datapath__close(dp);
	return ours;
}

static void add_xdp_program(struct preflight *pf, const char *name, const char *what, const struct net_link *link,
			    const struct preflight_in *in, bool takes_tc)
{
	const char *need = "no foreign XDP program";
	char fix[96];

	if (!link->xdp_prog_id) {
		preflight__add(pf, PREFLIGHT_OK, "device", what, need, NULL, "none");
		return;
	}
	if (is_ours(in->pin_dir, link)) {
		preflight__add(pf, PREFLIGHT_OK, "device", what, need, NULL, "pintle's own (id %u)", link->xdp_prog_id);
		return;
	}
	snprintf(fix, sizeof(fix), "find its owner: bpftool net show dev %s; or use --hook tc", name);
	preflight__add(pf, takes_tc ? PREFLIGHT_WARN : PREFLIGHT_MISSING, "device", what, need, fix,
		       "a program with id %u that is not pintle's", link->xdp_prog_id);
}

static void add_device(struct preflight *pf, const char *name, const struct preflight_in *in)
{
	struct pintle_err err = { 0 };
	struct net_link link;
	char what[72];
	int native;

	snprintf(what, sizeof(what), "%s", name);
	if (netinfo__link_by_name(in->ni, name, &link, &err) < 0) {
		preflight__add(pf, PREFLIGHT_MISSING, "device", what, "exists",
			       "ip link lists the devices of this network namespace", "%s", err.msg);
		return;
	}
	preflight__add(pf, PREFLIGHT_NOTE, "device", what, "exists", NULL, "driver %s, kind %s, MTU %u",
		       link.driver[0] ? link.driver : "?", link.kind[0] ? link.kind : "-", link.mtu);
	snprintf(what, sizeof(what), "%s up", name);
	if (link.is_up) {
		preflight__add(pf, PREFLIGHT_OK, "device", what, "yes", NULL, "yes");
	} else {
		char fix[64];

		snprintf(fix, sizeof(fix), "ip link set %s up", name);
		preflight__add(pf, PREFLIGHT_MISSING, "device", what, "yes", fix, "no");
	}
	native = preflight__native_xdp(link.ifindex);
	snprintf(what, sizeof(what), "%s hook", name);
	add_hook(pf, what, &link, in->hook, native);
	snprintf(what, sizeof(what), "%s XDP program", name);
	add_xdp_program(pf, name, what, &link, in,
			in->hook == HOOK_TC || (in->hook == HOOK_AUTO && (native == 0 || strcmp(link.driver, "veth") == 0)));
}

void preflight__devices(struct preflight *pf, const struct preflight_in *in)
{
	if (!in->ni) {
		preflight__add(pf, PREFLIGHT_MISSING, "device", "netlink", "works",
			       "kernel with CONFIG_NET; not blocked by seccomp", "no");
		return;
	}
	for (int i = 0; i < in->nr_devices; i++)
		add_device(pf, in->devices[i], in);
}
