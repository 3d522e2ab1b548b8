/* SPDX-License-Identifier: BSD-2-Clause */
/* Attaching: the reverse program before the forward program, what is asked for before what was there goes. */
#include "agent/datapath_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/if_link.h>

#include "agent/datapath_dev.h"

#define WHY_BYTES 128
#define CARRIER_TEST_MS 400 /* drivers that restart their queues to take a program drop the carrier at once */

/* Our attachment of this kind, whichever form it has. A dead one is cleared away. */
static int find_attachment(const struct datapath *dp, enum dp_kind kind, uint32_t ifindex, struct dp_attachment *ret_att,
			   bool *ret_found, struct pintle_err *err)
{
	uint32_t prog_id;
	int ret;

	*ret_found = false;
	for (int is_filter = 0; is_filter < 2; is_filter++) {
		dp_attachment__init(ret_att, kind, ifindex, is_filter);
		if (!pins__has(dp->pin_dir, ret_att->pin))
			continue;
		ret = dp_attachment__prog(dp->pin_dir, ret_att, &prog_id, err);
		if (ret)
			return ret;
		if (prog_id) {
			*ret_found = true;
			return 0;
		}
		ret = dp_attachment__remove(dp->pin_dir, ret_att, err);
		if (ret)
			return ret;
	}
	return 0;
}

static int remove_kind(const struct datapath *dp, enum dp_kind kind, uint32_t ifindex, struct pintle_err *err)
{
	struct dp_attachment att;
	int ret = 0;

	for (int is_filter = 0; !ret && is_filter < 2; is_filter++) {
		dp_attachment__init(&att, kind, ifindex, is_filter);
		if (pins__has(dp->pin_dir, att.pin))
			ret = dp_attachment__remove(dp->pin_dir, &att, err);
	}
	return ret;
}

static int pin_link(const struct datapath *dp, enum dp_kind kind, uint32_t ifindex, int link_fd, struct pintle_err *err)
{
	struct dp_attachment att;

	dp_attachment__init(&att, kind, ifindex, false);
	return pins__put(dp->pin_dir, att.pin, link_fd, err);
}

static int attach_filter(const struct datapath *dp, enum dp_kind kind, const struct dp_dev *dev, struct pintle_err *err)
{
	const struct dp_kind_def *def = &dp_kinds[kind];
	char name[BPF_OBJ_NAME_LEN], qdisc[32];
	struct dp_attachment att;
	bool made_qdisc = false;
	uint32_t prog_id;
	int ret;

	ret = tc__filter_prog(dev->ifindex, def->point, &prog_id, err);
	if (ret)
		return ret;
	if (prog_id && !dp_prog__is_ours(dp->pin_dir, prog_id)) {
		dp_prog__name(prog_id, name);
		return pintle_err__set(
			err, -EBUSY,
			"%s: a filter that is not pintle's has priority %u at TC %s (program %u, \"%s\"); remove it: tc filter "
			"del dev %s %s prio %u",
			dev->name, TC_FILTER_PRIORITY, def->point == TC_INGRESS ? "ingress" : "egress", prog_id, name,
			dev->name, def->point == TC_INGRESS ? "ingress" : "egress", TC_FILTER_PRIORITY);
	}
	dp_attachment__init(&att, kind, dev->ifindex, true);
	ret = pins__note(dp->pin_dir, att.pin, err); /* before the filter: a filter without a note would never be removed */
	if (ret)
		return ret;
	ret = tc__filter_attach(dp->prog_fds[def->prog], dev->ifindex, def->point, &made_qdisc, err);
	if (ret) {
		pins__remove(dp->pin_dir, att.pin, NULL);
		return ret;
	}
	snprintf(qdisc, sizeof(qdisc), "clsact_%u", dev->ifindex);
	return made_qdisc ? pins__note(dp->pin_dir, qdisc, err) : 0;
}

/* *ret_made is set if it was not there before. */
static int attach_tc(const struct datapath *dp, enum dp_kind kind, const struct dp_dev *dev, bool *ret_made,
		     struct pintle_err *err)
{
	struct dp_attachment att;
	bool found;
	int fd, ret;

	ret = find_attachment(dp, kind, dev->ifindex, &att, &found, err);
	if (ret || found)
		return ret;
	*ret_made = true;
	if (tc__prefers_filters())
		return attach_filter(dp, kind, dev, err);
	fd = tc__link_create(dp->prog_fds[dp_kinds[kind].prog], dev->ifindex, dp_kinds[kind].point, err);
	if (fd == -EOPNOTSUPP)
		return attach_filter(dp, kind, dev, err);
	if (fd < 0)
		return fd;
	ret = pin_link(dp, kind, dev->ifindex, fd, err);
	close(fd); /* unpinned, it detaches */
	return ret;
}

/* A frame that is no business of ours must pass. It is counted as one more pass_not_ip. */
static int self_test_program(const struct datapath *dp, struct pintle_err *err)
{
	uint8_t frame[60] = { [12] = 0x88, [13] = 0xB5 }, out[64 + 256];
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = sizeof(frame), .data_out = out,
		    .data_size_out = sizeof(out), .repeat = 1);
	int ret;

	ret = bpf_prog_test_run_opts(dp->prog_fds[DP_PROG_XDP], &opts);
	if (ret)
		return pintle_err__set(err, ret, "self-test: cannot run the program: %s", strerror(-ret));
	if (opts.retval != XDP_PASS || opts.data_size_out != sizeof(frame) || memcmp(frame, out, sizeof(frame)))
		return pintle_err__set(err, -EIO,
				       "self-test: a foreign frame came back changed, or with verdict %u instead of pass",
				       opts.retval);
	return 0;
}

static int self_test_carrier(const struct dp_dev *before, struct pintle_err *err)
{
	const struct timespec step = { .tv_nsec = 50 * 1000 * 1000 };
	struct dp_dev now;
	int ret;

	if (!before->has_carrier)
		return 0;
	for (int ms = 0; ms < CARRIER_TEST_MS; ms += 50)
		nanosleep(&step, NULL);
	ret = dp_dev__get(before->ifindex, &now, err);
	if (ret)
		return ret;
	if (!now.has_carrier)
		return pintle_err__set(err, -EIO, "self-test: %s lost its carrier when driver %s took the program", now.name,
				       now.driver);
	return 0;
}

static int xdp_refused(const struct dp_dev *dev, int ret, struct pintle_err *err)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, query);
	char name[BPF_OBJ_NAME_LEN];
	uint32_t id = 0;

	if (ret == -EOPNOTSUPP || ret == -EINVAL || ret == -ENOTSUP)
		return pintle_err__set(err, -EOPNOTSUPP, "%s: driver %s has no native XDP as it is set up (%s); use --hook tc",
				       dev->name, dev->driver[0] ? dev->driver : "?", strerror(-ret));
	if (ret != -EBUSY && ret != -EEXIST)
		return pintle_err__set(err, ret, "%s: driver %s refuses the XDP program: %s; use --hook tc", dev->name,
				       dev->driver[0] ? dev->driver : "?", strerror(-ret));
	if (!bpf_xdp_query((int)dev->ifindex, 0, &query))
		id = query.prog_id ? query.prog_id : query.drv_prog_id ? query.drv_prog_id : query.skb_prog_id;
	dp_prog__name(id, name);
	return pintle_err__set(
		err, -EBUSY,
		"%s: XDP program %u (\"%s\") of somebody else is attached; remove it (ip link set dev %s xdp off, or the tool "
		"that put it there) or use --hook tc",
		dev->name, id, name, dev->name);
}

static int attach_xdp(const struct datapath *dp, const struct dp_dev *dev, struct pintle_err *err)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts, .flags = XDP_FLAGS_DRV_MODE);
	int fd, ret;

	ret = self_test_program(dp, err);
	if (ret)
		return ret;
	fd = bpf_link_create(dp->prog_fds[DP_PROG_XDP], (int)dev->ifindex, BPF_XDP, &opts);
	if (fd < 0)
		return xdp_refused(dev, fd, err);
	ret = pin_link(dp, DP_KIND_XDP, dev->ifindex, fd, err);
	if (!ret) {
		ret = self_test_carrier(dev, err);
		if (ret)
			remove_kind(dp, DP_KIND_XDP, dev->ifindex, NULL);
	}
	close(fd);
	return ret;
}

/* The forward program by XDP, or at TC; then the one at the other hook, which would find nothing to do, is taken away. */
static int attach_forward(const struct datapath *dp, const struct dp_dev *dev, enum datapath_hook hook,
			  enum datapath_hook *ret_hook, char ret_why[WHY_BYTES], struct pintle_err *err)
{
	struct pintle_err why = { 0 };
	bool is_veth = !strcmp(dev->driver, "veth"), made;
	int ret;

	if (hook == HOOK_XDP || (hook == HOOK_AUTO && !is_veth)) {
		ret = attach_xdp(dp, dev, hook == HOOK_XDP ? err : &why);
		if (!ret) {
			*ret_hook = HOOK_XDP;
			snprintf(ret_why, WHY_BYTES, "native XDP of driver %s, self-test passed",
				 dev->driver[0] ? dev->driver : "?");
			return remove_kind(dp, DP_KIND_TCIN, dev->ifindex, err);
		}
		if (hook == HOOK_XDP)
			return ret;
	}
	ret = attach_tc(dp, DP_KIND_TCIN, dev, &made, err);
	if (ret)
		return ret;
	*ret_hook = HOOK_TC;
	if (hook == HOOK_TC)
		snprintf(ret_why, WHY_BYTES, "asked for");
	else if (is_veth)
		snprintf(ret_why, WHY_BYTES, "a veth: XDP there would halve inbound bulk traffic");
	else
		snprintf(ret_why, WHY_BYTES, "%.*s", WHY_BYTES - 1, why.msg);
	return remove_kind(dp, DP_KIND_XDP, dev->ifindex, err);
}

/* Attached already, at a hook that will do. */
static int is_attached(const struct datapath *dp, const struct dp_dev *dev, enum datapath_hook hook,
		       enum datapath_hook *ret_hook, bool *ret_found, struct pintle_err *err)
{
	struct dp_attachment att;
	int ret;

	*ret_found = false;
	if (hook != HOOK_TC) {
		ret = find_attachment(dp, DP_KIND_XDP, dev->ifindex, &att, ret_found, err);
		if (ret)
			return ret;
		*ret_hook = HOOK_XDP;
	}
	if (!*ret_found && hook != HOOK_XDP) {
		ret = find_attachment(dp, DP_KIND_TCIN, dev->ifindex, &att, ret_found, err);
		if (ret)
			return ret;
		*ret_hook = HOOK_TC;
	}
	return 0;
}

static int attach_uplink(const struct datapath *dp, const struct dp_dev *dev, enum datapath_hook hook,
			 enum datapath_hook *ret_hook, char ret_why[WHY_BYTES], struct pintle_err *err)
{
	bool found, made_reverse = false;
	int ret;

	ret = is_attached(dp, dev, hook, ret_hook, &found, err);
	if (ret)
		return ret;
	if (!found && !dev->is_up)
		return pintle_err__set(err, -ENETDOWN, "%s is down; bring it up first: ip link set dev %s up", dev->name,
				       dev->name);
	ret = attach_tc(dp, DP_KIND_TCEG, dev, &made_reverse, err);
	if (ret)
		return ret;
	if (found) {
		snprintf(ret_why, WHY_BYTES, "was attached; the programs were replaced in place");
		/* A switch of hooks that was cut short leaves both. */
		return remove_kind(dp, *ret_hook == HOOK_XDP ? DP_KIND_TCIN : DP_KIND_XDP, dev->ifindex, err);
	}
	ret = attach_forward(dp, dev, hook, ret_hook, ret_why, err);
	if (ret && made_reverse)
		remove_kind(dp, DP_KIND_TCEG, dev->ifindex, NULL);
	return ret;
}

/* Redirected replies leave by the one uplink there is; with several the program asks the FIB. */
static int tell_uplink(const struct datapath *dp, struct pintle_err *err)
{
	struct dp_attachment *list;
	uint32_t only = 0;
	size_t nr;
	int ret;

	ret = dp_attachment__list(dp->pin_dir, &list, &nr, err);
	if (ret)
		return ret;
	for (size_t i = 0; i < nr; i++) {
		if (list[i].kind != DP_KIND_XDP && list[i].kind != DP_KIND_TCIN)
			continue;
		if (only && only != list[i].ifindex) {
			only = 0;
			break;
		}
		only = list[i].ifindex;
	}
	free(list);
	__atomic_store_n(&dp->maps.ctl->uplink_ifindex, only, __ATOMIC_RELAXED);
	return 0;
}

int datapath__attach_uplink(struct datapath *dp, uint32_t ifindex, enum datapath_hook hook, enum datapath_hook *ret_hook,
			    char ret_why[WHY_BYTES], struct pintle_err *err)
{
	enum datapath_hook chosen = hook;
	char why[WHY_BYTES] = "";
	struct dp_dev dev;
	int ret;

	ret = dp_dev__get(ifindex, &dev, err);
	if (!ret)
		ret = pins__lock(dp->dir_fd, dp->pin_dir, DP_LOCK_WAIT_MS, err);
	if (ret)
		return ret;
	ret = attach_uplink(dp, &dev, hook, &chosen, why, err);
	if (!ret)
		ret = tell_uplink(dp, err);
	pins__unlock(dp->dir_fd);
	if (ret)
		return ret;
	*ret_hook = chosen;
	memcpy(ret_why, why, sizeof(why));
	return 0;
}

int datapath__attach_pod(struct datapath *dp, uint32_t ifindex, struct pintle_err *err)
{
	struct dp_dev dev;
	bool made;
	int ret;

	ret = dp_dev__get(ifindex, &dev, err);
	if (!ret)
		ret = pins__lock(dp->dir_fd, dp->pin_dir, DP_LOCK_WAIT_MS, err);
	if (ret)
		return ret;
	ret = attach_tc(dp, DP_KIND_REV, &dev, &made, err);
	pins__unlock(dp->dir_fd);
	return ret;
}

int datapath__detach_pod(struct datapath *dp, uint32_t ifindex, struct pintle_err *err)
{
	int ret;

	ret = pins__lock(dp->dir_fd, dp->pin_dir, DP_LOCK_WAIT_MS, err);
	if (ret)
		return ret;
	ret = remove_kind(dp, DP_KIND_REV, ifindex, err);
	pins__unlock(dp->dir_fd);
	return ret;
}
