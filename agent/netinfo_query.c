// SPDX-License-Identifier: BSD-2-Clause
/* Links by name or index, drivers, counters. */
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "agent/netinfo_impl.h"

struct link_answer {
	struct netinfo *ni;
	uint32_t ifindex; /* 0 until answered */
};

static int answer_link(const struct nlmsghdr *nlh, void *arg)
{
	struct link_answer *answer = arg;
	struct msg_link msg;

	if (netmsg__link(nlh, &msg) == 0)
		answer->ifindex = msg.link.ifindex;
	return netinfo__apply(nlh, answer->ni);
}

/* One RTM_GETLINK by index or name; the answer is put into the cache. */
static const struct link_entry *ask_link(struct netinfo *ni, uint32_t ifindex, const char *name)
{
	uint8_t buf[128] __attribute__((aligned(8)));
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct link_answer answer = { .ni = ni };
	struct ifinfomsg *ifi;

	nlh->nlmsg_type = RTM_GETLINK;
	ifi = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifi));
	ifi->ifi_index = (int)ifindex;
	if (name)
		mnl_attr_put_strz(nlh, IFLA_IFNAME, name);
	mnl_attr_put_u32(nlh, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
	if (netinfo__ask(ni, nlh, 0, answer_link, &answer) < 0 || !answer.ifindex)
		return NULL;
	return netmap__get(&ni->links, &(struct link_key){ .ifindex = answer.ifindex });
}

const struct link_entry *netinfo__link(struct netinfo *ni, uint32_t ifindex)
{
	const struct link_entry *entry = netmap__get(&ni->links, &(struct link_key){ .ifindex = ifindex });

	return entry || ifindex == 0 ? entry : ask_link(ni, ifindex, NULL);
}

const struct link_entry *netinfo__link_named(struct netinfo *ni, const char *name)
{
	return name[0] && strlen(name) < IFNAMSIZ ? ask_link(ni, 0, name) : NULL;
}

static void ask_driver(const struct netinfo *ni, struct net_link *link)
{
	struct ethtool_drvinfo info = { .cmd = ETHTOOL_GDRVINFO };
	struct ifreq req = { .ifr_data = (char *)&info };

	memcpy(req.ifr_name, link->name, sizeof(link->name));
	if (ioctl(ni->ioctl_fd, SIOCETHTOOL, &req) < 0)
		return;
	memcpy(link->driver, info.driver, sizeof(link->driver));
	link->driver[sizeof(link->driver) - 1] = '\0';
}

int netinfo__link_by_name(struct netinfo *ni, const char *name, struct net_link *ret_link, struct pintle_err *err)
{
	const struct link_entry *entry = netinfo__link_named(ni, name);

	if (!entry)
		return pintle_err__set(err, -ENODEV, "device %s does not exist; `ip link` lists those that do", name);
	*ret_link = entry->link;
	ask_driver(ni, ret_link);
	return 0;
}

int netinfo__link_by_index(struct netinfo *ni, uint32_t ifindex, struct net_link *ret_link, struct pintle_err *err)
{
	const struct link_entry *entry = ifindex ? ask_link(ni, ifindex, NULL) : NULL;

	if (!entry)
		return pintle_err__set(err, -ENODEV, "device with index %u does not exist (any more)", ifindex);
	*ret_link = entry->link;
	ask_driver(ni, ret_link);
	return 0;
}

#define STACK_MAX 64

/* A device and those above it, each once. */
struct stack {
	uint32_t ifindex[STACK_MAX];
	int nr;
};

static void stack__add(struct stack *s, uint32_t ifindex)
{
	for (int i = 0; i < s->nr; i++)
		if (s->ifindex[i] == ifindex)
			return;
	if (ifindex && s->nr < STACK_MAX)
		s->ifindex[s->nr++] = ifindex;
}

static void stack__add_uppers(struct stack *s, const struct netinfo *ni, uint32_t ifindex)
{
	const struct link_entry *entry;
	uint32_t pos = 0;

	while ((entry = netmap__next(&ni->links, &pos)))
		if (entry->link.ifindex == ifindex)
			stack__add(s, entry->link.master);
		else if (entry->link.lower == ifindex)
			stack__add(s, entry->link.ifindex);
}

int netinfo__own_macs(struct netinfo *ni, uint32_t ifindex, uint8_t (*macs)[6], int max)
{
	struct stack s = { .nr = 0 };
	int nr = 0;

	if (!netinfo__link(ni, ifindex))
		return -ENODEV;
	stack__add(&s, ifindex);
	for (int i = 0; i < s.nr; i++) { /* grows meanwhile */
		const struct link_entry *entry;
		int k = 0;

		stack__add_uppers(&s, ni, s.ifindex[i]);
		entry = netmap__get(&ni->links, &(struct link_key){ .ifindex = s.ifindex[i] });
		while (entry && k < nr && k < max && memcmp(macs[k], entry->link.mac, 6))
			k++;
		if (!entry || (k < nr && k < max))
			continue;
		if (nr < max)
			memcpy(macs[nr], entry->link.mac, 6);
		nr++;
	}
	return nr;
}

uint32_t netinfo__own_macs_epoch(const struct netinfo *ni)
{
	return ni->links_epoch;
}

struct counters_answer {
	uint32_t ifindex; /* asked for; 0 once answered */
	struct net_counters counters;
};

static int answer_counters(const struct nlmsghdr *nlh, void *arg)
{
	struct counters_answer *answer = arg;
	struct net_counters counters;
	uint32_t ifindex;

	if (netmsg__stats(nlh, &ifindex, &counters) == 0 && ifindex == answer->ifindex) {
		answer->counters = counters;
		answer->ifindex = 0;
	}
	return MNL_CB_OK;
}

int netinfo__counters(struct netinfo *ni, uint32_t ifindex, struct net_counters *ret, struct pintle_err *err)
{
	uint8_t buf[64] __attribute__((aligned(8)));
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct counters_answer answer = { .ifindex = ifindex };
	struct if_stats_msg *ism;
	int code;

	if (ifindex == 0)
		return pintle_err__set(err, -ENODEV, "no device: no counters");
	nlh->nlmsg_type = RTM_GETSTATS;
	ism = mnl_nlmsg_put_extra_header(nlh, sizeof(*ism));
	ism->ifindex = ifindex;
	ism->filter_mask = IFLA_STATS_FILTER_BIT(IFLA_STATS_LINK_64);
	code = netinfo__ask(ni, nlh, 0, answer_counters, &answer);
	if (code == 0 && answer.ifindex)
		code = -EPROTO;
	if (code < 0)
		return pintle_err__set(err, code, "no counters of device %u: %s", ifindex, strerror(-code));
	*ret = answer.counters;
	return 0;
}
