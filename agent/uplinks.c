// SPDX-License-Identifier: BSD-2-Clause
#include "agent/uplinks.h"

#include <string.h>

#define MAX_LINKS 64

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
		sum.nr++;
	}
	*ret = sum;
	return 0;
}
