// SPDX-License-Identifier: BSD-2-Clause
/* Devices of redirected pods: set-up, self-test, comparison of what was sent with what arrived. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/log.h"
#include "agent/paths_impl.h"

#define SETUPS_PER_TICK 8u	 /* each may start a process that enters the pod's namespace */
#define BASELINE_NS (10 * MS_NS) /* how long a device's other traffic is counted, at least */
#define ARRIVAL_NS (100 * MS_NS) /* how long test frames may take */
#define PROBES_MIN 16u
#define PROBES_MAX 1024u
#define BACKOFF_MIN_NS SECOND_NS
#define BACKOFF_MAX_NS (64 * SECOND_NS)
#define HEALTHY_NS (60 * SECOND_NS) /* after so long the next failure starts with the shortest wait again */
#define COMPARE_MIN 20u		    /* packets */

static const char being_tested[] = "the self-test of redirect is under way";

uint64_t paths__redirected(const struct paths *paths, const struct path_pod *pod)
{
	const struct pintle_pod *record = &paths->maps->pods[pod->pod];
	struct pintle_pod_stats stats;

	if (!record->detail || datapath__pod_stats(paths->dp, record->detail - 1u, &stats, NULL) < 0)
		return pod->redirected;
	return stats.redirected;
}

void paths__device_restart(struct path_device *device, uint64_t now_ns)
{
	device->state = DEVICE_NEW;
	device->due_ns = now_ns;
	snprintf(device->reason, sizeof(device->reason), "%s", being_tested);
}

/* The device's index when it is known; else a free slot: the wanted one, or any. */
static uint32_t find_slot(const struct paths *paths, uint32_t ifindex, uint32_t wanted)
{
	uint32_t any = PATHS_NONE;

	for (uint32_t i = 0; i < PATHS_MAX; i++) {
		if (paths->devices[i].in_use && paths->devices[i].ifindex == ifindex)
			return i;
		if (!paths->devices[i].in_use && any == PATHS_NONE)
			any = i;
	}
	return wanted < PATHS_MAX && !paths->devices[wanted].in_use ? wanted : any;
}

uint32_t paths__device_get(struct paths *paths, uint32_t ifindex, uint32_t slot, const char *netns, uint64_t now_ns)
{
	struct path_device *device;
	struct net_link link;

	slot = find_slot(paths, ifindex, slot);
	if (slot == PATHS_NONE)
		return PATHS_NONE;
	device = &paths->devices[slot];
	if (!device->in_use) {
		if (netinfo__link_by_index(paths->ni, ifindex, &link, NULL) < 0)
			return PATHS_NONE;
		*device = (struct path_device){ .in_use = true, .ifindex = ifindex, .is_veth = strcmp(link.kind, "veth") == 0 };
		memcpy(device->name, link.name, sizeof(device->name));
		device->netns = netns ? strdup(netns) : NULL;
		paths__device_restart(device, now_ns);
	}
	device->nr_pods++;
	return slot;
}

void paths__device_put(struct paths *paths, uint32_t dev)
{
	struct path_device *device = &paths->devices[dev];

	if (--device->nr_pods)
		return;
	/* A device that went took its slot and its program along. */
	datapath__devmap_set(paths->dp, dev, 0, NULL);
	datapath__detach_pod(paths->dp, device->ifindex, NULL);
	free(device->netns);
	memset(device, 0, sizeof(*device));
}

void paths__allow(struct paths *paths, uint32_t dev, bool allowed)
{
	for (uint32_t i = 0; i < paths->nr_pods; i++) {
		struct path_pod *pod = &paths->pods[i];

		if (pod->in_use && pod->dev == dev)
			tables__set_redirect(paths->tables, pod->pod, allowed && pod->wants && pod->has_macs);
	}
}

uint32_t paths__pending(const struct paths *paths)
{
	uint32_t nr = 0;

	for (uint32_t i = 0; i < PATHS_MAX; i++)
		nr += paths->devices[i].in_use && paths->devices[i].state < DEVICE_OK;
	return nr;
}

static int read_tx(struct paths *paths, const struct path_device *device, uint64_t *ret_tx, struct pintle_err *err)
{
	struct net_counters counters;
	int ret = netinfo__counters(paths->ni, device->ifindex, &counters, err);

	if (ret == 0)
		*ret_tx = counters.tx_packets;
	return ret;
}

/* Delivery falls back to the stack; the next attempt comes after a wait that doubles. */
static void fail(struct paths *paths, uint32_t dev, uint64_t now_ns)
{
	struct path_device *device = &paths->devices[dev];

	paths__allow(paths, dev, false);
	if (device->ok_since_ns && now_ns - device->ok_since_ns >= HEALTHY_NS)
		device->backoff_ns = 0;
	device->ok_since_ns = 0;
	device->backoff_ns = device->backoff_ns ? device->backoff_ns * 2 : BACKOFF_MIN_NS;
	if (device->backoff_ns > BACKOFF_MAX_NS)
		device->backoff_ns = BACKOFF_MAX_NS;
	device->state = DEVICE_FAILED;
	device->due_ns = now_ns + device->backoff_ns;
	log_warn("redirect not allowed", log_str("device", device->name), log_str("reason", device->reason),
		 log_uint("retry_s", device->backoff_ns / SECOND_NS));
}

static void fail_with(struct paths *paths, uint32_t dev, uint64_t now_ns, const struct pintle_err *err)
{
	snprintf(paths->devices[dev].reason, sizeof(paths->devices[dev].reason), "%.300s", err->msg);
	fail(paths, dev, now_ns);
}

static void pass(struct paths *paths, uint32_t dev, uint64_t now_ns, uint64_t tx)
{
	struct path_device *device = &paths->devices[dev];

	device->state = DEVICE_OK;
	device->ok_since_ns = now_ns;
	device->reason[0] = '\0';
	device->alarm.text = NULL;
	device->sent = 0;
	device->tx_seen = tx;
	for (uint32_t i = 0; i < paths->nr_pods; i++) {
		if (paths->pods[i].in_use && paths->pods[i].dev == dev)
			paths->pods[i].redirected = paths__redirected(paths, &paths->pods[i]);
	}
	paths__allow(paths, dev, true);
	log_info("redirect allowed", log_str("device", device->name), log_uint("test_frames", device->probes));
}

static void set_up(struct paths *paths, uint32_t dev, uint64_t now_ns)
{
	struct path_device *device = &paths->devices[dev];
	struct pintle_err err = { 0 };

	device->gro[0] = '\0';
	device->probes = 0;
	if (datapath__attach_pod(paths->dp, device->ifindex, &err) < 0 ||
	    (paths->hook_is_xdp && datapath__devmap_set(paths->dp, dev, device->ifindex, &err) < 0) ||
	    read_tx(paths, device, &device->base_tx, &err) < 0) {
		fail_with(paths, dev, now_ns, &err);
		return;
	}
	if (!paths->hook_is_xdp) { /* an skb needs no NAPI at the other end */
		pass(paths, dev, now_ns, device->base_tx);
		return;
	}
	/* Not the last word: GRO may be on already, and the test shows it. */
	if (device->is_veth && netns__set_gro(device->netns, device->name, true, &err) < 0)
		snprintf(device->gro, sizeof(device->gro), "%.150s", err.msg);
	device->state = DEVICE_BASELINE;
	device->base_ns = now_ns;
	device->due_ns = now_ns + BASELINE_NS;
}

static const struct path_pod *any_pod(const struct paths *paths, uint32_t dev)
{
	for (uint32_t i = 0; i < paths->nr_pods; i++) {
		const struct path_pod *pod = &paths->pods[i];

		if (pod->in_use && pod->dev == dev && pod->has_macs)
			return pod;
	}
	return NULL;
}

/* True when all frames have arrived; then the device is in order. */
static bool arrived(struct paths *paths, uint32_t dev, uint64_t now_ns)
{
	struct path_device *device = &paths->devices[dev];
	uint64_t tx = 0;

	if (read_tx(paths, device, &tx, NULL) < 0 || tx - device->base_tx < device->probes)
		return false;
	pass(paths, dev, now_ns, tx);
	return true;
}

/* Enough frames that the device's other traffic, four times over, cannot be taken for them. */
static void probe(struct paths *paths, uint32_t dev, uint64_t now_ns)
{
	struct path_device *device = &paths->devices[dev];
	const struct path_pod *pod = any_pod(paths, dev);
	struct pintle_err err = { 0 };
	uint64_t tx = 0, noise, windows;

	if (read_tx(paths, device, &tx, &err) < 0) {
		fail_with(paths, dev, now_ns, &err);
		return;
	}
	if (!pod) { /* a neighbour is unknown just now: the baseline begins again */
		device->base_tx = tx;
		device->base_ns = now_ns;
		device->due_ns = now_ns + ARRIVAL_NS;
		return;
	}
	/* Scaled to the time that the frames are waited for. */
	windows = 1 + ARRIVAL_NS / (now_ns - device->base_ns + 1);
	noise = (tx - device->base_tx) * windows;
	device->noise = noise;
	device->probes = noise > (PROBES_MAX - PROBES_MIN) / 4 ? PROBES_MAX : (uint32_t)(PROBES_MIN + 4 * noise);
	device->base_tx = tx;
	if (datapath__probe_redirect(paths->dp, dev, pod->dmac, pod->smac, device->probes, &err) < 0) {
		fail_with(paths, dev, now_ns, &err);
		return;
	}
	device->state = DEVICE_PROBED;
	device->base_ns = now_ns;
	device->due_ns = now_ns + ARRIVAL_NS;
	/* The receiving side runs before the call returns, as a rule: then other traffic had no time to count. */
	arrived(paths, dev, now_ns);
}

static void judge(struct paths *paths, uint32_t dev, uint64_t now_ns)
{
	struct path_device *device = &paths->devices[dev];
	bool is_clear = 2 * device->noise + PROBES_MIN <= device->probes && now_ns - device->base_ns <= 2 * ARRIVAL_NS;
	uint64_t tx = device->base_tx;

	if (is_clear && arrived(paths, dev, now_ns))
		return;
	if (now_ns < device->due_ns)
		return;
	read_tx(paths, device, &tx, NULL);
	snprintf(
		device->reason, sizeof(device->reason),
		"self-test: the counter of %s advanced by %llu after %u frames%s%s; delivery is pass. Is GRO on in the pod (ethtool -K DEV gro on)?",
		device->name, (unsigned long long)(tx - device->base_tx), device->probes, device->gro[0] ? "; " : "",
		device->gro);
	fail(paths, dev, now_ns);
}

void paths__devices_tick(struct paths *paths, uint64_t now_ns)
{
	uint32_t setups = 0;

	for (uint32_t dev = 0; dev < PATHS_MAX; dev++) {
		struct path_device *device = &paths->devices[dev];

		if (!device->in_use || device->state == DEVICE_OK)
			continue;
		if (device->state == DEVICE_PROBED)
			judge(paths, dev, now_ns);
		else if (now_ns >= device->due_ns && device->state == DEVICE_BASELINE)
			probe(paths, dev, now_ns);
		else if (now_ns >= device->due_ns && setups++ < SETUPS_PER_TICK)
			set_up(paths, dev, now_ns);
	}
}

static void alarm_silent_drop(struct paths *paths, uint32_t dev, uint64_t arrived_packets, uint64_t now_ns)
{
	struct path_device *device = &paths->devices[dev];
	const struct path_pod *pod = any_pod(paths, dev);
	struct paths_alarm alarm = { .ifindex = device->ifindex,
				     .device = device->name,
				     .pod = pod ? pod->pod : 0,
				     .redirected = device->sent,
				     .arrived = arrived_packets,
				     .text = device->reason };

	snprintf(
		device->reason, sizeof(device->reason),
		"redirected packets vanish: %llu sent into %s, its counter advanced by %llu; delivery is pass until the self-test succeeds",
		(unsigned long long)device->sent, device->name, (unsigned long long)arrived_packets);
	log_error("redirected packets vanish", log_str("device", device->name), log_uint("redirected", device->sent),
		  log_uint("arrived", arrived_packets));
	memcpy(device->alarm_text, device->reason, sizeof(device->alarm_text));
	device->alarm = alarm;
	device->alarm.text = device->alarm_text;
	fail(paths, dev, now_ns);
	if (paths->callbacks.alarm)
		paths->callbacks.alarm(paths->callbacks.arg, &alarm);
}

uint32_t paths__alarms(const struct paths *paths, struct paths_alarm *ret_alarms, uint32_t max)
{
	uint32_t nr = 0;

	for (uint32_t dev = 0; dev < PATHS_MAX && nr < max; dev++) {
		if (paths->devices[dev].in_use && paths->devices[dev].alarm.text)
			ret_alarms[nr++] = paths->devices[dev].alarm;
	}
	return nr;
}

void paths__compare(struct paths *paths, uint64_t now_ns)
{
	/* What was sent first, then what arrived: a packet between the two counts in favour of the device. */
	for (uint32_t i = 0; i < paths->nr_pods; i++) {
		struct path_pod *pod = &paths->pods[i];
		uint64_t redirected;

		if (!pod->in_use || pod->dev == PATHS_NONE || paths->devices[pod->dev].state != DEVICE_OK)
			continue;
		redirected = paths__redirected(paths, pod);
		if (redirected > pod->redirected)
			paths->devices[pod->dev].sent += redirected - pod->redirected;
		pod->redirected = redirected;
	}
	for (uint32_t dev = 0; dev < PATHS_MAX; dev++) {
		struct path_device *device = &paths->devices[dev];
		uint64_t tx = 0;

		if (!device->in_use || device->state != DEVICE_OK || device->sent < COMPARE_MIN ||
		    read_tx(paths, device, &tx, NULL) < 0)
			continue;
		if ((tx - device->tx_seen) * 2 < device->sent) {
			alarm_silent_drop(paths, dev, tx - device->tx_seen, now_ns);
			continue;
		}
		device->sent = 0;
		device->tx_seen = tx;
	}
}
