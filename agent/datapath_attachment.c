/* SPDX-License-Identifier: BSD-2-Clause */
/* One program at one hook of one device: a pinned link, or a clsact filter with a note in the pin directory. */
#include "agent/datapath_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>

bool dp_attachment__parse(const char *name, struct dp_attachment *ret)
{
	char kind[8], word[8], extra;
	uint32_t ifindex;

	if (strlen(name) >= sizeof(ret->pin) || sscanf(name, "%7[a-z]_%7[a-z]_%u%c", word, kind, &ifindex, &extra) != 3 ||
	    !ifindex)
		return false;
	if (strcmp(word, "link") && strcmp(word, "filter"))
		return false;
	for (int k = 0; k < DP_NR_KINDS; k++) {
		if (strcmp(kind, dp_kinds[k].name))
			continue;
		dp_attachment__init(ret, (enum dp_kind)k, ifindex, word[0] == 'f');
		return !strcmp(ret->pin, name);
	}
	return false;
}

void dp_attachment__init(struct dp_attachment *att, enum dp_kind kind, uint32_t ifindex, bool is_filter)
{
	att->kind = kind;
	att->ifindex = ifindex;
	att->is_filter = is_filter;
	snprintf(att->pin, sizeof(att->pin), "%s_%s_%u", is_filter ? "filter" : "link", dp_kinds[kind].name, ifindex);
}

struct attachments {
	struct dp_attachment *list;
	size_t nr, room;
};

static int collect(void *arg, const char *name)
{
	struct attachments *all = arg;
	struct dp_attachment att, *list;

	if (!dp_attachment__parse(name, &att))
		return 0;
	if (all->nr == all->room) {
		all->room = all->room ? 2 * all->room : 16;
		list = realloc(all->list, all->room * sizeof(*list));
		if (!list)
			return -ENOMEM;
		all->list = list;
	}
	all->list[all->nr++] = att;
	return 0;
}

int dp_attachment__list(const char *pin_dir, struct dp_attachment **ret_list, size_t *ret_nr, struct pintle_err *err)
{
	struct attachments all = { 0 };
	int ret;

	ret = pins__each(pin_dir, collect, &all, err);
	if (ret == -ENOMEM)
		pintle_err__set(err, ret, "out of memory");
	if (ret) {
		free(all.list);
		return ret;
	}
	*ret_list = all.list;
	*ret_nr = all.nr;
	return 0;
}

uint32_t dp_prog__id(int prog_fd)
{
	struct bpf_prog_info info = { 0 };
	uint32_t info_bytes = sizeof(info);

	return bpf_obj_get_info_by_fd(prog_fd, &info, &info_bytes) ? 0 : info.id;
}

void dp_prog__name(uint32_t prog_id, char out[BPF_OBJ_NAME_LEN])
{
	struct bpf_prog_info info = { 0 };
	uint32_t info_bytes = sizeof(info);
	int fd = bpf_prog_get_fd_by_id(prog_id);

	snprintf(out, BPF_OBJ_NAME_LEN, "?");
	if (fd < 0)
		return;
	if (!bpf_obj_get_info_by_fd(fd, &info, &info_bytes) && info.name[0])
		snprintf(out, BPF_OBJ_NAME_LEN, "%.*s", BPF_OBJ_NAME_LEN - 1, info.name);
	close(fd);
}

bool dp_prog__is_ours(const char *pin_dir, uint32_t prog_id)
{
	static const char *const prefixes[] = { "", "next_" };
	char name[32];
	int fd;

	for (size_t i = 0; prog_id && i < 2 * DP_NR_PROGS; i++) {
		snprintf(name, sizeof(name), "%s%s", prefixes[i & 1], dp_prog_pins[i / 2]);
		fd = pins__get(pin_dir, name, PIN_PROG, true, NULL);
		if (fd < 0)
			continue;
		if (dp_prog__id(fd) == prog_id) {
			close(fd);
			return true;
		}
		close(fd);
	}
	return false;
}

/* The first word of every network link's info is its device, 0 when that went: XDP links have it there since 5.9, TCX links since 6.6
 * (union in struct bpf_link_info). */
static int link_info(const char *pin_dir, const char *pin, uint32_t *ret_prog_id, uint32_t *ret_ifindex, struct pintle_err *err)
{
	struct bpf_link_info info = { 0 };
	uint32_t info_bytes = sizeof(info);
	int fd, ret;

	fd = pins__get(pin_dir, pin, PIN_LINK, true, err);
	if (fd < 0)
		return fd;
	ret = bpf_obj_get_info_by_fd(fd, &info, &info_bytes);
	close(fd);
	if (ret)
		return pintle_err__set(err, ret, "%s/%s: %s", pin_dir, pin, strerror(-ret));
	*ret_prog_id = info.prog_id;
	*ret_ifindex = info.xdp.ifindex;
	return 0;
}

int dp_attachment__prog(const char *pin_dir, const struct dp_attachment *att, uint32_t *ret_prog_id, struct pintle_err *err)
{
	uint32_t prog_id = 0, ifindex = 0;
	int ret;

	if (att->is_filter) {
		ret = tc__filter_prog(att->ifindex, dp_kinds[att->kind].point, &prog_id, err);
		if (ret && ret != -ENODEV)
			return ret;
		*ret_prog_id = !ret && dp_prog__is_ours(pin_dir, prog_id) ? prog_id : 0;
		return 0;
	}
	ret = link_info(pin_dir, att->pin, &prog_id, &ifindex, err);
	if (ret)
		return ret;
	*ret_prog_id = ifindex == att->ifindex ? prog_id : 0;
	return 0;
}

static int update_filter(const char *pin_dir, const struct dp_attachment *att, int prog_fd, struct pintle_err *err)
{
	uint32_t prog_id;
	bool made;
	int ret;

	ret = dp_attachment__prog(pin_dir, att, &prog_id, err);
	if (ret)
		return ret;
	if (!prog_id)
		return pintle_err__set(err, -ENOLINK, "%s: the filter is not there any more", att->pin);
	return tc__filter_attach(prog_fd, att->ifindex, dp_kinds[att->kind].point, &made, err);
}

int dp_attachment__update(const char *pin_dir, const struct dp_attachment *att, int prog_fd, struct pintle_err *err)
{
	int fd, ret;

	if (att->is_filter)
		return update_filter(pin_dir, att, prog_fd, err);
	fd = pins__get(pin_dir, att->pin, PIN_LINK, true, err);
	if (fd < 0)
		return fd;
	ret = bpf_link_update(fd, prog_fd, NULL);
	close(fd);
	if (ret)
		return pintle_err__set(err, ret, "%s/%s: cannot replace the program: %s", pin_dir, att->pin, strerror(-ret));
	return 0;
}

static int remove_filter(const char *pin_dir, const struct dp_attachment *att, struct pintle_err *err)
{
	bool is_gone = false;
	char qdisc[32];
	uint32_t prog_id;
	int ret;

	ret = dp_attachment__prog(pin_dir, att, &prog_id, err);
	if (!ret && prog_id)
		ret = tc__filter_detach(att->ifindex, dp_kinds[att->kind].point, err);
	snprintf(qdisc, sizeof(qdisc), "clsact_%u", att->ifindex);
	if (!ret && pins__has(pin_dir, qdisc))
		ret = tc__qdisc_remove_if_empty(att->ifindex, &is_gone, err);
	if (!ret && is_gone)
		ret = pins__remove(pin_dir, qdisc, err);
	if (!ret)
		ret = pins__remove(pin_dir, att->pin, err);
	return ret;
}

int dp_attachment__remove(const char *pin_dir, const struct dp_attachment *att, struct pintle_err *err)
{
	int fd, ret;

	if (att->is_filter)
		return remove_filter(pin_dir, att, err);
	fd = pins__get(pin_dir, att->pin, PIN_LINK, true, err);
	if (fd == -ENOENT)
		return 0;
	if (fd < 0)
		return fd;
	/* Detached explicitly: somebody else may hold the link open, and dropping the pin would then change nothing. */
	ret = bpf_link_detach(fd);
	close(fd);
	if (ret && ret != -ENOLINK && ret != -EOPNOTSUPP)
		return pintle_err__set(err, ret, "%s/%s: cannot detach: %s", pin_dir, att->pin, strerror(-ret));
	return pins__remove(pin_dir, att->pin, err);
}
