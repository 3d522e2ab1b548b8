/* SPDX-License-Identifier: BSD-2-Clause */
#include "agent/presence.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/log.h"

#define ASKS_PER_TICK 32u
#define RETRY_MIN_NS 1000000000ull
#define RETRY_MAX_NS (32 * RETRY_MIN_NS)
#define SILENT_TRIES 3u /* unanswered so often, a MAC is reported missing: 1 + 2 s after the first question */

struct presence_pod {
	bool in_use, seen, is_due;
	uint8_t state; /* enum presence_state */
	uint8_t tries; /* for a MAC, since the last answer */
	uint16_t pod;
	uint16_t port_be;
	struct ip_addr addr;
	char device[16];  /* configured; "" = none */
	uint32_t ifindex; /* device that led to it last; 0 = none yet */
	uint32_t oif;
	uint64_t retry_ns; /* 0 = only when something changes */
};

struct presence {
	struct tables *tables;
	const struct table_maps *maps;
	struct netinfo *ni;
	presence_fn changed;
	void *arg;
	bool has_changed, is_busy; /* is_busy: something is due or to be tried again */
	uint32_t nr;		   /* records in use end before this */
	uint32_t cursor;
	struct presence_pod pods[PRESENCE_MAX];
	uint16_t *record; /* by pod id: index + 1 */
};

int presence__open(struct tables *tables, const struct table_maps *maps, struct netinfo *ni, presence_fn changed, void *arg,
		   struct presence **ret_presence, struct pintle_err *err)
{
	struct presence *p = calloc(1, sizeof(*p));

	if (p)
		p->record = calloc(maps->meta->max_pods, sizeof(*p->record));
	if (!p || !p->record) {
		presence__close(p);
		return pintle_err__set(err, -ENOMEM, "no memory to watch pods");
	}
	p->tables = tables;
	p->maps = maps;
	p->ni = ni;
	p->changed = changed;
	p->arg = arg;
	*ret_presence = p;
	return 0;
}

void presence__close(struct presence *p)
{
	if (p)
		free(p->record);
	free(p);
}

static const char *text_of(uint8_t state)
{
	switch (state) {
	case PRESENCE_NO_MAC:
		return "its MAC is unknown: the neighbour or the bridge does not answer";
	case PRESENCE_NO_ROUTE:
		return "no route leads to it";
	case PRESENCE_GONE:
		return "its device is gone: no new flows until it is back";
	default:
		return NULL;
	}
}

/* ---- which pods ---- */

static struct presence_pod *find(const struct presence *p, uint16_t pod)
{
	if (pod >= p->maps->meta->max_pods || !p->record[pod])
		return NULL;
	return (struct presence_pod *)&p->pods[p->record[pod] - 1];
}

static void forget(struct presence *p, struct presence_pod *e)
{
	p->record[e->pod] = 0;
	*e = (struct presence_pod){ 0 };
	while (p->nr && !p->pods[p->nr - 1].in_use)
		p->nr--;
}

/* An agent before this one may have found that it is gone: then that is where this one begins. */
static struct presence_pod *make(struct presence *p, uint16_t pod, const struct cfg_pod *cfg)
{
	const struct pintle_pod *record = &p->maps->pods[pod];

	for (uint32_t i = 0; i < PRESENCE_MAX; i++) {
		struct presence_pod *e = &p->pods[i];

		if (e->in_use)
			continue;
		*e = (struct presence_pod){ .in_use = true, .pod = pod, .port_be = record->port_be, .addr = cfg->addr };
		e->state = record->flags & PINTLE_POD_GONE ? PRESENCE_GONE : PRESENCE_UNKNOWN;
		p->record[pod] = (uint16_t)(i + 1);
		if (i >= p->nr)
			p->nr = i + 1;
		return e;
	}
	return NULL;
}

static bool is_same(const struct presence_pod *e, const struct cfg_pod *cfg, uint16_t port_be)
{
	return ip_addr__equal(&e->addr, &cfg->addr) && e->port_be == port_be && !strcmp(e->device, cfg->device);
}

static void watch(struct presence *p, const struct cfg_pod *cfg, bool may_make)
{
	struct presence_pod *e;
	uint16_t pod;

	if (tables__pod_by_addr(p->tables, &cfg->addr, cfg->port, &pod) < 0)
		return; /* no frontend of its family */
	e = find(p, pod);
	if (e && e->seen)
		return; /* of another service too */
	if (e && !is_same(e, cfg, p->maps->pods[pod].port_be)) {
		forget(p, e);
		e = NULL;
	}
	if (!e && may_make) {
		e = make(p, pod, cfg);
		if (!e)
			return;
		memcpy(e->device, cfg->device, sizeof(e->device));
		e->is_due = p->is_busy = true;
	}
	if (e)
		e->seen = true;
}

static void watch_all(struct presence *p, const struct pintle_config *config, bool may_make)
{
	size_t nr = 0;

	for (size_t s = 0; s < config->nr_services; s++) {
		for (size_t i = 0; i < config->services[s].nr_pods && nr < PRESENCE_MAX; i++, nr++)
			watch(p, &config->services[s].pods[i], may_make);
	}
}

/* Nobody would find that they are back. */
static void release_unwatched(struct presence *p)
{
	uint16_t pod;

	for (uint32_t from = 0; !tables__next_pod(p->tables, from, &pod); from = pod + 1u) {
		if (p->record[pod] || !(p->maps->pods[pod].flags & PINTLE_POD_GONE))
			continue;
		tables__set_gone(p->tables, pod, false);
		p->has_changed = true;
	}
}

void presence__refresh(struct presence *p, const struct pintle_config *config)
{
	for (uint32_t i = 0; i < p->nr; i++)
		p->pods[i].seen = false;
	watch_all(p, config, false);
	for (uint32_t i = p->nr; i-- > 0;) { /* those that left make room */
		if (p->pods[i].in_use && !p->pods[i].seen)
			forget(p, &p->pods[i]);
	}
	watch_all(p, config, true);
	release_unwatched(p);
}

/* ---- where they are ---- */

static void set_state(struct presence *p, struct presence_pod *e, uint8_t state)
{
	const char *before = text_of(e->state), *now = text_of(state);

	if (state == PRESENCE_GONE)
		tables__set_netns(p->tables, e->pod, -1); /* the kernel gives the id to the next namespace */
	if ((e->state == PRESENCE_GONE) != (state == PRESENCE_GONE)) {
		tables__set_gone(p->tables, e->pod, state == PRESENCE_GONE);
		p->has_changed = true;
	}
	e->state = state;
	if (before != now && p->changed)
		p->changed(p->arg, e->pod, now);
}

static bool exists(const struct presence *p, uint32_t ifindex, int32_t *ret_nsid, bool *ret_is_bridge)
{
	struct net_link link;

	if (!ifindex || netinfo__link_by_index(p->ni, ifindex, &link, NULL))
		return false;
	if (ret_nsid)
		*ret_nsid = link.peer_ifindex ? link.peer_nsid : -1;
	if (ret_is_bridge)
		*ret_is_bridge = !strcmp(link.kind, "bridge");
	return true;
}

/* No way was found. Was there a device, and is it gone? */
static uint8_t without_path(const struct presence *p, const struct presence_pod *e, int error, uint8_t otherwise)
{
	bool is_lost = e->ifindex && !exists(p, e->ifindex, NULL, NULL);

	if (is_lost || e->state == PRESENCE_GONE || (error == -ENODEV && e->device[0]))
		return PRESENCE_GONE;
	return otherwise;
}

static void retry_later(struct presence_pod *e, uint64_t now_ns)
{
	uint64_t pause_ns = RETRY_MIN_NS << (e->tries < 6 ? e->tries : 6);

	e->retry_ns = now_ns + (pause_ns < RETRY_MAX_NS ? pause_ns : RETRY_MAX_NS);
	if (e->tries < UINT8_MAX)
		e->tries++;
}

/* The address is on a link of this node. A bridge is not the pod's device: until it has learned the port, what was known before counts. */
static void found(struct presence *p, struct presence_pod *e, const struct net_path *path, uint64_t now_ns)
{
	bool is_bridge = false;
	int32_t nsid = -1;

	e->oif = path->oif;
	if (!exists(p, path->ifindex, &nsid, &is_bridge)) {
		e->is_due = true;
		return;
	}
	if (!is_bridge) {
		e->ifindex = path->ifindex;
		tables__set_netns(p->tables, e->pod, nsid);
		tables__set_remote(p->tables, e->pod, false);
	}
	if (path->has_macs || (path->is_noarp && !is_bridge)) {
		e->tries = 0;
		set_state(p, e, PRESENCE_HERE);
		return;
	}
	retry_later(e, now_ns);
	if (is_bridge && without_path(p, e, 0, PRESENCE_UNKNOWN) == PRESENCE_GONE)
		set_state(p, e, PRESENCE_GONE);
	else if (e->tries > SILENT_TRIES)
		set_state(p, e, PRESENCE_NO_MAC);
	else if (e->state == PRESENCE_GONE || e->state == PRESENCE_NO_ROUTE)
		set_state(p, e, PRESENCE_UNKNOWN);
}

static void ask(struct presence *p, struct presence_pod *e, uint64_t now_ns)
{
	struct net_path path;
	int ret = netinfo__path(p->ni, &e->addr, e->device, &path, NULL);

	e->is_due = false;
	e->retry_ns = 0;
	if (ret == -ENODEV && !e->device[0])
		retry_later(e, now_ns); /* a device that goes at this moment: its routes go next */
	if (ret < 0)
		set_state(p, e, without_path(p, e, ret, PRESENCE_NO_ROUTE));
	else if (path.is_local || path.has_gateway)
		set_state(p, e, without_path(p, e, 0, PRESENCE_REMOTE));
	else
		found(p, e, &path, now_ns);
	if (e->state == PRESENCE_REMOTE)
		tables__set_remote(p->tables, e->pod, true);
}

/* ---- when ---- */

static bool is_concerned(const struct presence_pod *e, const struct net_change *change)
{
	switch (change->kind) {
	case NET_CHANGE_LINK:
		return e->ifindex == change->ifindex || e->oif == change->ifindex || text_of(e->state) != NULL;
	case NET_CHANGE_ADDR:
	case NET_CHANGE_NEIGH:
		return ip_addr__equal(&e->addr, &change->addr);
	case NET_CHANGE_FDB:
		return e->oif == change->ifindex && e->state != PRESENCE_HERE;
	case NET_CHANGE_ROUTE:
		return ip_addr__in_prefix(&e->addr, &change->addr, change->prefix_len);
	case NET_CHANGE_ALL:
	default:
		return true;
	}
}

void presence__note(struct presence *p, const struct net_change *change)
{
	for (uint32_t i = 0; i < p->nr; i++) {
		struct presence_pod *e = &p->pods[i];

		if (e->in_use && is_concerned(e, change))
			e->is_due = p->is_busy = true;
	}
}

void presence__tick(struct presence *p, uint64_t now_ns)
{
	uint32_t asked = 0, nr = p->nr, i;
	bool is_busy = false;

	if (!p->is_busy)
		return;
	for (i = 0; i < nr; i++) {
		struct presence_pod *e = &p->pods[(p->cursor + i) % nr];

		if (!e->in_use)
			continue;
		if (e->is_due || (e->retry_ns && now_ns >= e->retry_ns)) {
			if (asked++ == ASKS_PER_TICK)
				break;
			ask(p, e, now_ns);
		}
		is_busy |= e->is_due || e->retry_ns;
	}
	p->cursor = nr ? (p->cursor + i) % nr : 0;
	p->is_busy = is_busy || i < nr;
}

bool presence__take_changed(struct presence *p)
{
	bool has_changed = p->has_changed;

	p->has_changed = false;
	return has_changed;
}

enum presence_state presence__state(const struct presence *p, uint16_t pod)
{
	const struct presence_pod *e = find(p, pod);

	return e ? (enum presence_state)e->state : PRESENCE_UNKNOWN;
}

const char *presence__unreachable(const struct presence *p, uint16_t pod)
{
	return text_of((uint8_t)presence__state(p, pod));
}
