/* SPDX-License-Identifier: BSD-2-Clause */
#include "agent/datapath_dev.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/ethtool.h>
#include <linux/sockios.h>

#include "agent/nearest.h"

int dp_dev__get(uint32_t ifindex, struct dp_dev *ret_dev, struct pintle_err *err)
{
	struct ethtool_drvinfo info = { .cmd = ETHTOOL_GDRVINFO };
	struct dp_dev dev = { .ifindex = ifindex };
	struct ifreq request = { 0 };
	int fd, ret = 0;

	if (!if_indextoname(ifindex, dev.name))
		return pintle_err__set(err, -ENODEV, "device %u does not exist in this network namespace", ifindex);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return pintle_err__set(err, -errno, "socket: %s", strerror(errno));
	memcpy(request.ifr_name, dev.name, sizeof(dev.name));
	if (ioctl(fd, SIOCGIFFLAGS, &request)) {
		ret = -errno;
	} else {
		dev.is_up = request.ifr_flags & IFF_UP;
		dev.has_carrier = request.ifr_flags & IFF_RUNNING;
		request.ifr_data = (char *)&info;
		if (!ioctl(fd, SIOCETHTOOL, &request)) /* not every device answers; that is no error */
			snprintf(dev.driver, sizeof(dev.driver), "%.*s", (int)sizeof(dev.driver) - 1, info.driver);
	}
	close(fd);
	if (ret)
		return pintle_err__set(err, ret, "%s: cannot read its flags: %s", dev.name, strerror(-ret));
	*ret_dev = dev;
	return 0;
}

static int no_such_device(const char *name, struct pintle_err *err)
{
	struct if_nameindex *list = if_nameindex();
	char text[IF_NAMESIZE] = "";
	struct nearest nearest;

	nearest__init(&nearest, name);
	for (const struct if_nameindex *i = list; i && i->if_index; i++)
		nearest__offer(&nearest, i->if_name);
	if (nearest.best)
		snprintf(text, sizeof(text), "%s", nearest.best);
	if (list)
		if_freenameindex(list);
	if (text[0])
		return pintle_err__set(err, -ENODEV, "no device \"%s\" in this network namespace; did you mean %s?", name,
				       text);
	return pintle_err__set(err, -ENODEV, "no device \"%s\" in this network namespace; `ip link` lists them", name);
}

int dp_dev__get_by_name(const char *name, struct dp_dev *ret_dev, struct pintle_err *err)
{
	unsigned int ifindex = strlen(name) < IF_NAMESIZE ? if_nametoindex(name) : 0;

	return ifindex ? dp_dev__get(ifindex, ret_dev, err) : no_such_device(name, err);
}
