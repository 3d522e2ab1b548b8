// SPDX-License-Identifier: BSD-2-Clause
#include "agent/netinfo_msg.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/net_namespace.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>

#define MSG_MAX_ATTR 128u

/* Attributes by type; of two with one type the last counts, as in the kernel. */
struct msg_attrs {
	const struct nlattr *by_type[MSG_MAX_ATTR];
};

static int msg_attrs__add(const struct nlattr *attr, void *data)
{
	struct msg_attrs *attrs = data;
	uint16_t type = mnl_attr_get_type(attr);

	if (type < MSG_MAX_ATTR)
		attrs->by_type[type] = attr;
	return MNL_CB_OK;
}

/* The family header of `bytes` bytes and the attributes behind it; NULL when the message is too short for it. (mnl_attr_parse() rounds the end
 * of a message up, so that its last attribute may reach 3 bytes too far.) */
static const void *msg__open(const struct nlmsghdr *nlh, size_t bytes, struct msg_attrs *ret_attrs)
{
	size_t payload = mnl_nlmsg_get_payload_len(nlh), skip = NLMSG_ALIGN(bytes);

	if (nlh->nlmsg_len < NLMSG_HDRLEN || payload < bytes)
		return NULL;
	memset(ret_attrs, 0, sizeof(*ret_attrs));
	if (payload > skip)
		mnl_attr_parse_payload((const uint8_t *)mnl_nlmsg_get_payload(nlh) + skip, payload - skip, msg_attrs__add,
				       ret_attrs);
	return mnl_nlmsg_get_payload(nlh);
}

static void msg_attrs__nested(const struct nlattr *nest, struct msg_attrs *ret_attrs)
{
	memset(ret_attrs, 0, sizeof(*ret_attrs));
	if (nest)
		mnl_attr_parse_nested(nest, msg_attrs__add, ret_attrs);
}

/* Copies an attribute of exactly `bytes` bytes. */
static bool msg_attrs__copy(const struct msg_attrs *attrs, unsigned int type, void *out, size_t bytes)
{
	const struct nlattr *attr = attrs->by_type[type];

	if (!attr || mnl_attr_get_payload_len(attr) != bytes)
		return false;
	memcpy(out, mnl_attr_get_payload(attr), bytes);
	return true;
}

static uint32_t msg_attrs__u32(const struct msg_attrs *attrs, unsigned int type)
{
	uint32_t value = 0;

	return msg_attrs__copy(attrs, type, &value, sizeof(value)) ? value : 0;
}

/* Text is cut to fit and always ends. */
static void msg_attrs__text(const struct msg_attrs *attrs, unsigned int type, char *out, size_t out_bytes)
{
	const struct nlattr *attr = attrs->by_type[type];
	size_t bytes;

	out[0] = '\0';
	if (!attr)
		return;
	bytes = strnlen(mnl_attr_get_payload(attr), mnl_attr_get_payload_len(attr));
	if (bytes >= out_bytes)
		bytes = out_bytes - 1;
	memcpy(out, mnl_attr_get_payload(attr), bytes);
	out[bytes] = '\0';
}

static bool msg_attrs__addr(const struct msg_attrs *attrs, unsigned int type, int family, struct ip_addr *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->family = family == AF_INET ? 4 : 6;
	return msg_attrs__copy(attrs, type, ret->bytes, family == AF_INET ? 4 : 16);
}

/* Kinds whose frames come in by the device that IFLA_LINK names. (Of tunnels it is the device that carries them.) */
static bool is_stacked_kind(const char *kind)
{
	return !strcmp(kind, "vlan") || !strcmp(kind, "macvlan") || !strcmp(kind, "macvtap");
}

int netmsg__link(const struct nlmsghdr *nlh, struct msg_link *ret)
{
	struct msg_attrs attrs, nested;
	const struct ifinfomsg *ifi = msg__open(nlh, sizeof(*ifi), &attrs);
	struct net_link *link = &ret->link;
	int32_t nsid;

	if (!ifi || ifi->ifi_index <= 0 || (nlh->nlmsg_type != RTM_NEWLINK && nlh->nlmsg_type != RTM_DELLINK))
		return -EBADMSG;
	memset(ret, 0, sizeof(*ret));
	ret->family = ifi->ifi_family;
	ret->is_noarp = (ifi->ifi_flags & IFF_NOARP) != 0;
	link->ifindex = (uint32_t)ifi->ifi_index;
	link->is_up = (ifi->ifi_flags & IFF_UP) != 0;
	msg_attrs__text(&attrs, IFLA_IFNAME, link->name, sizeof(link->name));
	link->mtu = msg_attrs__u32(&attrs, IFLA_MTU);
	link->master = msg_attrs__u32(&attrs, IFLA_MASTER);
	msg_attrs__copy(&attrs, IFLA_ADDRESS, link->mac, sizeof(link->mac));
	link->peer_nsid = msg_attrs__copy(&attrs, IFLA_LINK_NETNSID, &nsid, sizeof(nsid)) ? nsid : -1;
	msg_attrs__nested(attrs.by_type[IFLA_LINKINFO], &nested);
	msg_attrs__text(&nested, IFLA_INFO_KIND, link->kind, sizeof(link->kind));
	if (strcmp(link->kind, "veth") == 0)
		link->peer_ifindex = msg_attrs__u32(&attrs, IFLA_LINK);
	/* with a namespace id, IFLA_LINK is a device of that namespace */
	else if (!attrs.by_type[IFLA_LINK_NETNSID] && is_stacked_kind(link->kind))
		link->lower = msg_attrs__u32(&attrs, IFLA_LINK);
	msg_attrs__nested(attrs.by_type[IFLA_XDP], &nested);
	link->xdp_prog_id = msg_attrs__u32(&nested, IFLA_XDP_PROG_ID);
	return 0;
}

int netmsg__addr(const struct nlmsghdr *nlh, struct msg_addr *ret)
{
	struct msg_attrs attrs;
	const struct ifaddrmsg *ifa = msg__open(nlh, sizeof(*ifa), &attrs);

	if (!ifa || (nlh->nlmsg_type != RTM_NEWADDR && nlh->nlmsg_type != RTM_DELADDR) ||
	    (ifa->ifa_family != AF_INET && ifa->ifa_family != AF_INET6))
		return -EBADMSG;
	memset(ret, 0, sizeof(*ret));
	ret->ifindex = ifa->ifa_index;
	/* IFA_ADDRESS is the far end of a point-to-point link; IFA_LOCAL, where present, is ours. */
	if (!msg_attrs__addr(&attrs, IFA_LOCAL, ifa->ifa_family, &ret->addr) &&
	    !msg_attrs__addr(&attrs, IFA_ADDRESS, ifa->ifa_family, &ret->addr))
		return -EBADMSG;
	return 0;
}

int netmsg__neigh(const struct nlmsghdr *nlh, struct msg_neigh *ret)
{
	struct msg_attrs attrs;
	const struct ndmsg *ndm = msg__open(nlh, sizeof(*ndm), &attrs);

	if (!ndm || ndm->ndm_ifindex <= 0 || (nlh->nlmsg_type != RTM_NEWNEIGH && nlh->nlmsg_type != RTM_DELNEIGH))
		return -EBADMSG;
	memset(ret, 0, sizeof(*ret));
	ret->family = ndm->ndm_family;
	ret->state = ndm->ndm_state;
	ret->ifindex = (uint32_t)ndm->ndm_ifindex;
	ret->has_mac = msg_attrs__copy(&attrs, NDA_LLADDR, ret->mac, sizeof(ret->mac));
	if (ndm->ndm_family == AF_BRIDGE) {
		ret->master = msg_attrs__u32(&attrs, NDA_MASTER);
		msg_attrs__copy(&attrs, NDA_VLAN, &ret->vlan, sizeof(ret->vlan));
		return ret->has_mac ? 0 : -EBADMSG;
	}
	if ((ndm->ndm_family != AF_INET && ndm->ndm_family != AF_INET6) ||
	    !msg_attrs__addr(&attrs, NDA_DST, ndm->ndm_family, &ret->addr))
		return -EBADMSG;
	return 0;
}

int netmsg__route(const struct nlmsghdr *nlh, struct msg_route *ret)
{
	struct msg_attrs attrs;
	const struct rtmsg *rtm = msg__open(nlh, sizeof(*rtm), &attrs);

	if (!rtm || (nlh->nlmsg_type != RTM_NEWROUTE && nlh->nlmsg_type != RTM_DELROUTE) ||
	    (rtm->rtm_family != AF_INET && rtm->rtm_family != AF_INET6))
		return -EBADMSG;
	memset(ret, 0, sizeof(*ret));
	ret->type = rtm->rtm_type;
	ret->prefix_len = rtm->rtm_dst_len;
	ret->is_cloned = (rtm->rtm_flags & RTM_F_CLONED) != 0;
	ret->oif = msg_attrs__u32(&attrs, RTA_OIF);
	/* RTA_VIA: a next hop of another family. RTA_MULTIPATH stands only in notifications; an answer has chosen. */
	ret->has_gateway = attrs.by_type[RTA_GATEWAY] || attrs.by_type[RTA_VIA];
	if (!msg_attrs__addr(&attrs, RTA_DST, rtm->rtm_family, &ret->dst) && ret->prefix_len != 0)
		return -EBADMSG;
	if (ret->prefix_len > (rtm->rtm_family == AF_INET ? 32 : 128))
		return -EBADMSG;
	return 0;
}

int netmsg__stats(const struct nlmsghdr *nlh, uint32_t *ret_ifindex, struct net_counters *ret)
{
	struct msg_attrs attrs;
	const struct if_stats_msg *ism = msg__open(nlh, sizeof(*ism), &attrs);
	const struct nlattr *attr;
	struct rtnl_link_stats64 stats = { 0 };
	size_t bytes;

	if (!ism || nlh->nlmsg_type != RTM_NEWSTATS)
		return -EBADMSG;
	attr = attrs.by_type[IFLA_STATS_LINK_64];
	/* The structure grew over time; its first fields are the ones used here. */
	if (!attr || mnl_attr_get_payload_len(attr) < offsetof(struct rtnl_link_stats64, multicast))
		return -EBADMSG;
	bytes = mnl_attr_get_payload_len(attr);
	memcpy(&stats, mnl_attr_get_payload(attr), bytes < sizeof(stats) ? bytes : sizeof(stats));
	*ret_ifindex = ism->ifindex;
	*ret = (struct net_counters){
		.rx_packets = stats.rx_packets,
		.rx_bytes = stats.rx_bytes,
		.rx_dropped = stats.rx_dropped,
		.tx_packets = stats.tx_packets,
		.tx_bytes = stats.tx_bytes,
		.tx_dropped = stats.tx_dropped,
	};
	return 0;
}

int netmsg__nsid(const struct nlmsghdr *nlh, int32_t *ret_nsid)
{
	struct msg_attrs attrs;
	const struct rtgenmsg *gen = msg__open(nlh, sizeof(*gen), &attrs);

	if (!gen || nlh->nlmsg_type != RTM_NEWNSID)
		return -EBADMSG;
	if (!msg_attrs__copy(&attrs, NETNSA_NSID, ret_nsid, sizeof(*ret_nsid)))
		return -EBADMSG;
	return 0;
}
