// SPDX-License-Identifier: BSD-2-Clause
/* The latency that a probe reports. Prequal (Wydrowski et al., NSDI 2024, section 4) takes the median of recent latencies "at or near" the current number in flight and
 * leaves open how many and how near. */
#include <stdlib.h>
#include <string.h>

#include "bench/pod/pod.h"

#define NUMBERS_IN_FLIGHT 128u /* from the last on, all that are higher */
#define KEPT 16u	       /* latencies for each */
#define RECENT_NS 1000000000ull

struct history {
	struct {
		uint64_t latency_ns, at_ns;
	} last[KEPT];
	uint32_t nr, next;
};

static struct history histories[NUMBERS_IN_FLIGHT];

static struct history *history_of(uint32_t in_flight)
{
	return &histories[in_flight < NUMBERS_IN_FLIGHT ? in_flight : NUMBERS_IN_FLIGHT - 1];
}

void estimate__add(uint32_t in_flight, uint64_t latency_ns, uint64_t now)
{
	struct history *h = history_of(in_flight);

	h->last[h->next].latency_ns = latency_ns;
	h->last[h->next].at_ns = now;
	h->next = (h->next + 1) % KEPT;
	if (h->nr < KEPT)
		h->nr++;
}

static int compare_times(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* 0: none that are no older than `age_ns`. */
static uint64_t history__median_ns(const struct history *h, uint64_t now, uint64_t age_ns)
{
	uint64_t sorted[KEPT];
	size_t nr = 0;

	for (uint32_t i = 0; i < h->nr; i++)
		if (now < h->last[i].at_ns || now - h->last[i].at_ns <= age_ns)
			sorted[nr++] = h->last[i].latency_ns;
	if (!nr)
		return 0;
	qsort(sorted, nr, sizeof(*sorted), compare_times);
	return sorted[nr / 2] ? sorted[nr / 2] : 1;
}

static uint64_t nearest_ns(uint32_t in_flight, uint64_t now, uint64_t age_ns)
{
	for (uint32_t distance = 0; distance < NUMBERS_IN_FLIGHT; distance++) {
		uint64_t found = 0;

		if (in_flight >= distance)
			found = history__median_ns(history_of(in_flight - distance), now, age_ns);
		if (!found && distance && in_flight + distance < NUMBERS_IN_FLIGHT)
			found = history__median_ns(history_of(in_flight + distance), now, age_ns);
		if (found)
			return found;
	}
	return 0;
}

uint64_t estimate__latency_ns(uint32_t in_flight, uint64_t now)
{
	uint64_t found;

	if (in_flight >= NUMBERS_IN_FLIGHT)
		in_flight = NUMBERS_IN_FLIGHT - 1;
	found = nearest_ns(in_flight, now, RECENT_NS);
	return found ? found : nearest_ns(in_flight, now, UINT64_MAX);
}
