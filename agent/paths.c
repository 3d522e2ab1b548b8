// SPDX-License-Identifier: BSD-2-Clause
/* Which pods are followed, and where each of them is. */
#include "agent/paths.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/paths_impl.h"

#define RETRY_MIN_NS SECOND_NS
#define RETRY_MAX_NS (32 * SECOND_NS)
#define MAX_LINKS 4096
#define ADDR_TEXT_BYTES 48

int paths__open(struct datapath *dp, struct tables *tables, struct netinfo *ni, bool hook_is_xdp,
		const struct paths_callbacks *callbacks, struct paths **ret_paths, struct pintle_err *err)
{
	struct paths *paths = calloc(1, sizeof(*paths));
	size_t ids = datapath__maps(dp)->meta->max_pods;
	int ret;

	if (paths) {
		paths->why = calloc(ids, sizeof(paths->why[0]));
		paths->record = calloc(ids, sizeof(paths->record[0]));
	}
	if (!paths || !paths->why || !paths->record) {
		paths__close(paths);
		return pintle_err__set(err, -ENOMEM, "no memory for the paths of %zu pods", ids);
	}
	paths->dp = dp;
	paths->tables = tables;
	paths->ni = ni;
	paths->maps = datapath__maps(dp);
	paths->hook_is_xdp = hook_is_xdp;
	if (callbacks)
		paths->callbacks = *callbacks;
	ret = presence__open(tables, paths->maps, ni, paths->callbacks.reach, paths->callbacks.arg, &paths->presence, err);
	if (ret) {
		paths__close(paths);
		return ret;
	}
	*ret_paths = paths;
	return 0;
}

void paths__close(struct paths *paths)
{
	if (!paths)
		return;
	for (uint32_t i = 0; i < PATHS_MAX; i++) {
		free(paths->pods[i].netns);
		free(paths->devices[i].netns);
	}
	presence__close(paths->presence);
	free(paths->why);
	free(paths->record);
	free(paths);
}

void paths__set_uplink_mtu(struct paths *paths, uint32_t mtu_bytes)
{
	paths->uplink_mtu = mtu_bytes;
}

void paths__set_hook(struct paths *paths, bool hook_is_xdp)
{
	if (paths->hook_is_xdp == hook_is_xdp)
		return;
	paths->hook_is_xdp = hook_is_xdp;
	/* What was shown for one way of redirecting says nothing about the other. */
	for (uint32_t dev = 0; dev < PATHS_MAX; dev++) {
		if (!paths->devices[dev].in_use)
			continue;
		paths__allow(paths, dev, false);
		paths__device_restart(&paths->devices[dev], 0);
	}
}

int paths__vet(const struct netinfo *ni, const struct pintle_config *config, struct pintle_err *err)
{
	for (size_t s = 0; s < config->nr_services; s++) {
		const struct cfg_service *service = &config->services[s];

		for (size_t i = 0; i < service->nr_pods; i++) {
			const struct cfg_pod *pod = &service->pods[i];
			char text[ADDR_TEXT_BYTES];

			if (!netinfo__is_local(ni, &pod->addr))
				continue;
			ip_addr__format(&pod->addr, text, sizeof(text));
			return pintle_err__set(
				err, -EINVAL,
				"%s:%d: service %s: pod %s is an address of this node (a hostNetwork pod): not supported; leave this "
				"service to kube-proxy or give the pod its own network",
				config->name ? config->name : "configuration", pod->line, service->name, text);
		}
	}
	return 0;
}

/* ---- one pod ---- */

static void path_pod__leave_device(struct paths *paths, struct path_pod *pod)
{
	if (pod->dev == PATHS_NONE)
		return;
	paths__device_put(paths, pod->dev);
	pod->dev = PATHS_NONE;
}

/* No way for a redirect: the stack delivers. While the device exists, the reverse program stays there for the flows that need it; when it went,
 * so do the path words. */
static void path_pod__lose(struct paths *paths, struct path_pod *pod, enum path_why why)
{
	struct net_link link;

	pod->has_macs = false;
	pod->oif = 0;
	pod->why = why;
	tables__set_redirect(paths->tables, pod->pod, false);
	if (pod->dev != PATHS_NONE && netinfo__link_by_index(paths->ni, paths->devices[pod->dev].ifindex, &link, NULL) == 0) {
		tables__set_path(paths->tables, pod->pod, paths->devices[pod->dev].ifindex, pod->dev, NULL, NULL);
		return;
	}
	tables__set_path(paths->tables, pod->pod, 0, 0, NULL, NULL);
	path_pod__leave_device(paths, pod);
}

static void path_pod__retry_later(struct path_pod *pod, uint64_t now_ns)
{
	pod->backoff_ns = pod->backoff_ns ? pod->backoff_ns * 2 : RETRY_MIN_NS;
	if (pod->backoff_ns > RETRY_MAX_NS)
		pod->backoff_ns = RETRY_MAX_NS;
	pod->retry_ns = now_ns + pod->backoff_ns;
}

static void path_pod__join_device(struct paths *paths, struct path_pod *pod, uint32_t ifindex, uint64_t now_ns)
{
	if (pod->dev != PATHS_NONE && paths->devices[pod->dev].ifindex == ifindex)
		return;
	path_pod__leave_device(paths, pod);
	pod->dev = paths__device_get(paths, ifindex, PATHS_NONE, pod->netns, now_ns);
	pod->redirected = paths__redirected(paths, pod);
}

/* Why a path that is there will not do, whatever else is found out about it. */
static enum path_why path_pod__unfit(const struct paths *paths, const struct path_pod *pod, const struct net_path *path)
{
	if (path->is_local)
		return WHY_HOST_NETWORK;
	if (path->has_gateway)
		return WHY_REMOTE;
	if (pod->wants && paths->uplink_mtu && path->mtu && path->mtu != paths->uplink_mtu)
		return WHY_MTU;
	return WHY_NONE;
}

/* Route, neighbour and FDB say where it is; writes the path words when they differ from what is there. */
static void path_pod__resolve(struct paths *paths, struct path_pod *pod, uint64_t now_ns)
{
	struct net_path path;
	int ret = netinfo__path(paths->ni, &pod->addr, pod->device, &path, NULL);

	pod->retry_ns = 0;
	if (ret < 0) {
		path_pod__lose(paths, pod, ret == -ENODEV ? WHY_NO_DEVICE : WHY_NO_ROUTE);
		path_pod__retry_later(pod, now_ns);
		return;
	}
	if (path_pod__unfit(paths, pod, &path) != WHY_NONE) {
		path_pod__lose(paths, pod, path_pod__unfit(paths, pod, &path));
		return;
	}
	if (!path.has_macs) { /* the neighbour, or the bridge, is being asked */
		path_pod__lose(paths, pod, pod->wants ? WHY_NO_MAC : pod->why);
		pod->oif = path.oif;
		path_pod__retry_later(pod, now_ns);
		return;
	}
	pod->oif = path.oif;
	pod->has_macs = true;
	pod->backoff_ns = 0;
	memcpy(pod->dmac, path.dmac, sizeof(pod->dmac));
	memcpy(pod->smac, path.smac, sizeof(pod->smac));
	path_pod__join_device(paths, pod, path.ifindex, now_ns);
	if (pod->dev == PATHS_NONE) {
		path_pod__lose(paths, pod, WHY_NO_SLOT);
		path_pod__retry_later(pod, now_ns);
		return;
	}
	tables__set_path(paths->tables, pod->pod, path.ifindex, pod->dev, pod->dmac, pod->smac);
	if (pod->wants)
		pod->why = WHY_DEVICE;
	if (paths->devices[pod->dev].state == DEVICE_OK || !pod->wants)
		tables__set_redirect(paths->tables, pod->pod, pod->wants);
}

/* ---- records ---- */

static void path_pod__forget(struct paths *paths, struct path_pod *pod)
{
	path_pod__leave_device(paths, pod);
	paths->record[pod->pod] = 0;
	free(pod->netns);
	memset(pod, 0, sizeof(*pod));
	while (paths->nr_pods && !paths->pods[paths->nr_pods - 1].in_use)
		paths->nr_pods--;
}

static void record_addr(const struct pintle_pod *record, struct ip_addr *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->family = record->family;
	memcpy(ret->bytes, record->addr_be, record->family == 4 ? 4 : 16);
}

static struct path_pod *path_pod__make(struct paths *paths, uint16_t id)
{
	const struct pintle_pod *record = &paths->maps->pods[id];

	for (uint32_t i = 0; i < PATHS_MAX; i++) {
		struct path_pod *pod = &paths->pods[i];

		if (pod->in_use)
			continue;
		*pod = (struct path_pod){ .in_use = true, .pod = id, .port = record->port_be, .dev = PATHS_NONE };
		record_addr(record, &pod->addr);
		paths->record[id] = (uint16_t)(i + 1);
		if (i >= paths->nr_pods)
			paths->nr_pods = i + 1;
		return pod;
	}
	return NULL;
}

/* The pod id was given to another pod, or to none. */
static bool path_pod__is_stale(const struct paths *paths, const struct path_pod *pod)
{
	const struct pintle_pod *record = &paths->maps->pods[pod->pod];
	struct ip_addr addr;

	record_addr(record, &addr);
	return !(record->flags & PINTLE_POD_IN_USE) || record->port_be != pod->port || !ip_addr__equal(&addr, &pod->addr);
}

static void path_pod__configure(struct path_pod *pod, const struct cfg_pod *cfg)
{
	bool same_netns = (!pod->netns && !cfg->netns) || (pod->netns && cfg->netns && strcmp(pod->netns, cfg->netns) == 0);

	memcpy(pod->device, cfg->device, sizeof(pod->device));
	pod->device[sizeof(pod->device) - 1] = '\0';
	if (same_netns)
		return;
	free(pod->netns);
	pod->netns = cfg->netns ? strdup(cfg->netns) : NULL; /* without memory: found by the peer */
}

/* An agent before this one left device and slot in the map: the slot is kept, and redirect stays as it is until the self-test says. */
static void path_pod__adopt(struct paths *paths, struct path_pod *pod, uint64_t now_ns)
{
	const struct pintle_pod *record = &paths->maps->pods[pod->pod];

	if (!record->ifindex || pod->dev != PATHS_NONE)
		return;
	pod->dev = paths__device_get(paths, record->ifindex, record->devmap, pod->netns, now_ns);
	pod->redirected = paths__redirected(paths, pod);
	if (pod->dev != record->devmap) /* two devices with one slot: not a state that an agent leaves behind */
		tables__set_redirect(paths->tables, pod->pod, false);
}

/* A configured pod that asks for redirect. */
static void follow(struct paths *paths, uint16_t id, const struct cfg_pod *cfg)
{
	struct path_pod *pod = paths->record[id] ? &paths->pods[paths->record[id] - 1] : NULL;

	paths->why[id] = WHY_NONE;
	if (!pod && paths->maps->pods[id].detail)
		pod = path_pod__make(paths, id);
	if (!pod) {
		paths->why[id] = WHY_NO_DETAIL;
		return;
	}
	path_pod__configure(pod, cfg);
	pod->seen = true;
	pod->wants = true;
}

static void refresh_service(struct paths *paths, const struct cfg_service *service, size_t index)
{
	for (size_t i = 0; i < service->nr_pods; i++) {
		const struct cfg_pod *cfg = &service->pods[i];
		uint16_t id;

		if (tables__configured_pod(paths->tables, index, i, &id) < 0)
			continue; /* no frontend of its family */
		if (service->delivery == DELIVERY_REDIRECT && !cfg->enforced) {
			follow(paths, id, cfg);
			continue;
		}
		if (paths->record[id] && paths->pods[paths->record[id] - 1].seen)
			continue; /* another service redirects to it */
		if (netinfo__is_local(paths->ni, &cfg->addr))
			paths->why[id] = WHY_HOST_NETWORK;
		else
			paths->why[id] = service->delivery == DELIVERY_REDIRECT ? WHY_ENFORCED : WHY_NONE;
	}
}

/* Pods that have a path in the map and no record: from an agent before, now without redirect or with flows only. */
static void adopt_others(struct paths *paths)
{
	uint16_t id;

	for (uint32_t from = 0; tables__next_pod(paths->tables, from, &id) == 0; from = id + 1u) {
		struct path_pod *pod;
		struct pod_ref ref;

		if (!paths->maps->pods[id].ifindex || paths->record[id])
			continue;
		pod = path_pod__make(paths, id);
		if (!pod)
			return;
		pod->seen = true;
		pod->wants = tables__pod_ref(paths->tables, id, &ref) == 0 && !ref.cfg &&
			     (paths->maps->pods[id].flags & PINTLE_POD_REDIRECT);
	}
}

/* Reverse programs at devices that no pod in the tables uses any more. */
static int detach_unused(struct paths *paths, struct pintle_err *err)
{
	struct datapath_link *links = calloc(MAX_LINKS, sizeof(*links));
	int nr, ret = 0;

	if (!links)
		return pintle_err__set(err, -ENOMEM, "no memory for the list of attachments");
	nr = datapath__links(paths->dp, links, MAX_LINKS, err);
	for (int i = 0; i < nr && i < MAX_LINKS; i++) {
		bool used = strcmp(links[i].kind, "rev") != 0;

		for (uint32_t dev = 0; dev < PATHS_MAX && !used; dev++)
			used = paths->devices[dev].in_use && paths->devices[dev].ifindex == links[i].ifindex;
		if (!used)
			ret = datapath__detach_pod(paths->dp, links[i].ifindex, err);
	}
	free(links);
	return nr < 0 ? nr : ret;
}

int paths__refresh(struct paths *paths, const struct pintle_config *config, uint64_t now_ns, struct pintle_err *err)
{
	for (uint32_t i = 0; i < paths->nr_pods; i++) {
		if (paths->pods[i].in_use && path_pod__is_stale(paths, &paths->pods[i]))
			path_pod__forget(paths, &paths->pods[i]);
		else
			paths->pods[i].seen = false;
	}
	memset(paths->why, WHY_NONE, paths->maps->meta->max_pods);
	for (size_t s = 0; s < config->nr_services; s++)
		refresh_service(paths, &config->services[s], s);
	presence__refresh(paths->presence, config);
	adopt_others(paths);
	for (uint32_t i = 0; i < paths->nr_pods; i++) {
		struct path_pod *pod = &paths->pods[i];
		struct pod_ref ref;

		if (!pod->in_use)
			continue;
		/* Out of the configuration it keeps what it has for its flows; in it, without redirect, the stack delivers. */
		if (!pod->seen && tables__pod_ref(paths->tables, pod->pod, &ref) == 0 && ref.cfg)
			pod->wants = false;
		if (!pod->wants)
			pod->why = paths->why[pod->pod];
		path_pod__adopt(paths, pod, now_ns);
		path_pod__resolve(paths, pod, now_ns);
	}
	return detach_unused(paths, err);
}

/* ---- changes ---- */

static bool path_pod__is_concerned(const struct paths *paths, const struct path_pod *pod, const struct net_change *change)
{
	switch (change->kind) {
	case NET_CHANGE_LINK:
		return pod->oif == change->ifindex || pod->dev == PATHS_NONE ||
		       paths->devices[pod->dev].ifindex == change->ifindex;
	case NET_CHANGE_ADDR:
	case NET_CHANGE_NEIGH:
		return ip_addr__equal(&pod->addr, &change->addr);
	case NET_CHANGE_FDB:
		return pod->oif == change->ifindex &&
		       (!pod->has_macs || memcmp(pod->dmac, change->mac, sizeof(pod->dmac)) == 0);
	case NET_CHANGE_ROUTE:
		return ip_addr__in_prefix(&pod->addr, &change->addr, change->prefix_len);
	case NET_CHANGE_ALL:
	default:
		return true;
	}
}

void paths__update(struct paths *paths, uint64_t now_ns)
{
	struct net_change change;

	/* A burst of changes asks the kernel once for each pod. */
	while (netinfo__next_change(paths->ni, &change)) {
		for (uint32_t i = 0; i < paths->nr_pods; i++) {
			struct path_pod *pod = &paths->pods[i];

			pod->dirty |= pod->in_use && path_pod__is_concerned(paths, pod, &change);
		}
		presence__note(paths->presence, &change);
	}
	presence__tick(paths->presence, now_ns);
	for (uint32_t i = 0; i < paths->nr_pods; i++) {
		struct path_pod *pod = &paths->pods[i];

		if (!pod->dirty)
			continue;
		pod->dirty = false;
		if (path_pod__is_stale(paths, pod))
			path_pod__forget(paths, pod);
		else
			path_pod__resolve(paths, pod, now_ns);
	}
}

void paths__tick(struct paths *paths, uint64_t now_ns)
{
	bool compare = now_ns - paths->compared_ns >= SECOND_NS;

	for (uint32_t i = 0; i < paths->nr_pods; i++) {
		struct path_pod *pod = &paths->pods[i];

		if (!pod->in_use)
			continue;
		if (path_pod__is_stale(paths, pod))
			path_pod__forget(paths, pod);
		else if (pod->retry_ns && now_ns >= pod->retry_ns)
			path_pod__resolve(paths, pod, now_ns);
	}
	presence__tick(paths->presence, now_ns);
	paths__devices_tick(paths, now_ns);
	if (!compare)
		return;
	paths->compared_ns = now_ns;
	paths__compare(paths, now_ns);
}
