/* SPDX-License-Identifier: BSD-2-Clause */
/* What is said about the way to a pod. */
#include "agent/paths_impl.h"

static const char *text_of(enum path_why why)
{
	static const char *const texts[] = {
		[WHY_ENFORCED] = "network policy is enforced for this pod: delivery is pass",
		[WHY_HOST_NETWORK] = "its address is one of this node (a hostNetwork pod): not supported",
		[WHY_REMOTE] = "the route has a next hop: not a pod of this node",
		[WHY_NO_ROUTE] = "no route leads to it",
		[WHY_NO_DEVICE] = "its device does not exist",
		[WHY_NO_MAC] = "its MAC is unknown: the neighbour or the bridge has not answered",
		[WHY_NO_DETAIL] = "more pods than statistics slots: redirect could not be supervised, delivery is pass",
		[WHY_MTU] = "its MTU is not the uplink's: a redirected packet that is too big would vanish, delivery is pass",
		[WHY_NO_SLOT] = "its device went, or there is no devmap slot left: delivery is pass",
	};

	return why == WHY_NONE || why == WHY_DEVICE ? NULL : texts[why];
}

const char *paths__reason(const struct paths *paths, uint16_t pod)
{
	const struct path_pod *record;
	const char *unreachable;
	enum path_why why;

	if (pod >= paths->maps->meta->max_pods)
		return NULL;
	unreachable = presence__unreachable(paths->presence, pod);
	if (unreachable)
		return unreachable;
	why = (enum path_why)paths->why[pod];
	if (!paths->record[pod])
		return why == WHY_NONE && presence__state(paths->presence, pod) == PRESENCE_REMOTE ? text_of(WHY_REMOTE)
												   : text_of(why);
	record = &paths->pods[paths->record[pod] - 1];
	if (record->why == WHY_DEVICE && record->dev != PATHS_NONE)
		return paths->devices[record->dev].reason[0] ? paths->devices[record->dev].reason : NULL;
	return text_of(record->why);
}

bool paths__is_unreachable(const struct paths *paths, uint16_t pod)
{
	return presence__unreachable(paths->presence, pod) != NULL;
}

bool paths__take_changed(struct paths *paths)
{
	return presence__take_changed(paths->presence);
}
