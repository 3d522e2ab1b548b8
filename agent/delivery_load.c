/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading of agent/delivery.h. The file may be torn, or of another hand: nothing in it is believed unseen. */
#include <cjson/cJSON.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "agent/delivery.h"
#include "agent/rundir.h"

struct delivery_pod {
	struct endpoint pod;
	const char *reason;
	bool is_unreachable;
};

static int delivery_pod__compare(const void *a, const void *b)
{
	return endpoint__compare(&((const struct delivery_pod *)a)->pod, &((const struct delivery_pod *)b)->pod);
}

static uint32_t array_size(const cJSON *array)
{
	return (uint32_t)cJSON_GetArraySize(array);
}

static int read_pods(struct delivery_report *d, struct delivery_reason *reason, const cJSON *pods)
{
	const cJSON *item;

	cJSON_ArrayForEach (item, pods) {
		struct delivery_pod *pod = &d->pods[d->nr_pods];

		if (!cJSON_IsString(item) || endpoint__parse(item->valuestring, false, &pod->pod, NULL))
			return -EINVAL;
		pod->reason = reason->text;
		pod->is_unreachable = reason->is_unreachable;
		if (!reason->nr_pods++)
			reason->example = pod->pod;
		d->nr_pods++;
	}
	return 0;
}

static int read_reasons(struct delivery_report *d, const cJSON *reasons)
{
	const cJSON *item;
	size_t nr_pods = 0;

	if (!cJSON_IsArray(reasons))
		return -EINVAL;
	cJSON_ArrayForEach (item, reasons)
		nr_pods += array_size(cJSON_GetObjectItem(item, "pods"));
	d->reasons = calloc(array_size(reasons) + 1u, sizeof(*d->reasons));
	d->pods = calloc(nr_pods + 1, sizeof(*d->pods));
	if (!d->reasons || !d->pods)
		return -ENOMEM;
	cJSON_ArrayForEach (item, reasons) {
		struct delivery_reason *reason = &d->reasons[d->nr_reasons++];
		const cJSON *pods = cJSON_GetObjectItem(item, "pods");

		reason->text = cJSON_GetStringValue(cJSON_GetObjectItem(item, "reason"));
		reason->is_unreachable = cJSON_IsTrue(cJSON_GetObjectItem(item, "unreachable"));
		if (!reason->text || !cJSON_IsArray(pods) || read_pods(d, reason, pods))
			return -EINVAL;
	}
	qsort(d->pods, d->nr_pods, sizeof(*d->pods), delivery_pod__compare);
	return 0;
}

/* A count of the file; what does not fit is no count. */
static int read_u64(const cJSON *object, const char *key, double max, uint64_t *ret)
{
	const cJSON *item = cJSON_GetObjectItem(object, key);

	if (!cJSON_IsNumber(item) || !(item->valuedouble >= 0) || item->valuedouble > max)
		return -EINVAL;
	*ret = (uint64_t)item->valuedouble;
	return 0;
}

static int read_alarms(struct delivery_report *d, const cJSON *alarms)
{
	const cJSON *item;

	if (!cJSON_IsArray(alarms))
		return -EINVAL;
	d->alarms = calloc(array_size(alarms) + 1u, sizeof(*d->alarms));
	if (!d->alarms)
		return -ENOMEM;
	cJSON_ArrayForEach (item, alarms) {
		struct delivery_alarm *alarm = &d->alarms[d->nr_alarms++];
		uint64_t ifindex = 0;

		alarm->device = cJSON_GetStringValue(cJSON_GetObjectItem(item, "device"));
		alarm->text = cJSON_GetStringValue(cJSON_GetObjectItem(item, "text"));
		if (!alarm->device || !alarm->text || read_u64(item, "ifindex", UINT32_MAX, &ifindex) ||
		    read_u64(item, "redirected_packets", 0x1p63, &alarm->redirected) ||
		    read_u64(item, "arrived_packets", 0x1p63, &alarm->arrived))
			return -EINVAL;
		alarm->ifindex = (uint32_t)ifindex;
	}
	return 0;
}

int delivery__load(const char *run_dir, const char *pin_dir, struct delivery_report **ret_delivery, struct pintle_err *err)
{
	struct delivery_report *d = calloc(1, sizeof(*d));
	char *text = NULL;
	size_t bytes = 0;
	int ret;

	if (!d)
		return pintle_err__set(err, -ENOMEM, "out of memory");
	ret = rundir__slurp(run_dir, "delivery", pin_dir, &text, &bytes, err);
	if (ret) {
		free(d);
		return ret;
	}
	d->json = cJSON_ParseWithLength(text, bytes);
	free(text);
	ret = d->json ? read_reasons(d, cJSON_GetObjectItem(d->json, "reasons")) : -EINVAL;
	if (!ret)
		ret = read_alarms(d, cJSON_GetObjectItem(d->json, "alarms"));
	if (ret) {
		delivery__free(d);
		return pintle_err__set(err, ret, "the file of delivery reasons in %s %s", run_dir,
				       ret == -ENOMEM ? "does not fit in memory" : "is torn; the agent writes it again");
	}
	*ret_delivery = d;
	return 0;
}

void delivery__free(struct delivery_report *d)
{
	if (!d)
		return;
	cJSON_Delete(d->json);
	free(d->reasons);
	free(d->alarms);
	free(d->pods);
	free(d);
}

static const struct delivery_pod *find_pod(const struct delivery_report *d, const struct endpoint *pod)
{
	struct delivery_pod key = { .pod = *pod };

	return d ? bsearch(&key, d->pods, d->nr_pods, sizeof(*d->pods), delivery_pod__compare) : NULL;
}

const char *delivery__reason(const struct delivery_report *d, const struct endpoint *pod)
{
	const struct delivery_pod *found = find_pod(d, pod);

	return found ? found->reason : NULL;
}

bool delivery__is_unreachable(const struct delivery_report *d, const struct endpoint *pod)
{
	const struct delivery_pod *found = find_pod(d, pod);

	return found && found->is_unreachable;
}
