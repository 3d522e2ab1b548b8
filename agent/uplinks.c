// SPDX-License-Identifier: BSD-2-Clause
#include "agent/uplinks.h"

#include <string.h>

#include "agent/ownmacs.h"

#define MAX_LINKS 64

static void add_ifindex(struct uplinks *sum, uint32_t ifindex)
{
	if (sum->nr < PINTLE_MAX_UPLINKS)
		sum->ifindex[sum->nr] = ifindex;
	sum->nr++;
}

static void add(struct uplinks *sum, const struct datapath_link *link, struct netinfo *ni)
{
	struct net_link dev;

	sum->has_xdp |= !strcmp(link->kind, "xdp");
	if (!link->is_alive || netinfo__link_by_index(ni, link->ifindex, &dev, NULL)) {
		sum->nr_gone++;
		return;
	}
	if (sum->nr == sum->nr_gone)
		sum->mtu_bytes = dev.mtu;
	else if (sum->mtu_bytes != dev.mtu)
		sum->mtu_bytes = 0;
}

int uplinks__look(const struct datapath *dp, struct netinfo *ni, struct uplinks *ret, struct pintle_err *err)
{
	struct datapath_link links[MAX_LINKS];
	struct uplinks sum = { 0 };
	int nr = datapath__links(dp, links, MAX_LINKS, err);

	if (nr < 0)
		return nr;
	for (int i = 0; i < nr && i < MAX_LINKS; i++) {
		if (strcmp(links[i].kind, "xdp") && strcmp(links[i].kind, "tcin"))
			continue;
		add(&sum, &links[i], ni);
		add_ifindex(&sum, links[i].ifindex);
	}
	*ret = sum;
	return 0;
}

int uplinks__write_macs(const struct datapath *dp, struct netinfo *ni, uint32_t one_more, struct pintle_err *err)
{
	struct uplinks uplinks;
	int ret = uplinks__look(dp, ni, &uplinks, err);

	if (ret)
		return ret;
	if (one_more)
		add_ifindex(&uplinks, one_more);
	if (uplinks.nr > PINTLE_MAX_UPLINKS)
		uplinks.nr = PINTLE_MAX_UPLINKS;
	return ownmacs__write(datapath__maps(dp)->uplinks, ni, uplinks.ifindex, uplinks.nr);
}
