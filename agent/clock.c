/* SPDX-License-Identifier: BSD-2-Clause */
#include "agent/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#define NS_PER_S 1000000000ull

static uint64_t clock__read(clockid_t id)
{
	struct timespec ts = { 0 };

	/* Both clocks exist on every Linux; the call fails only for a bad id or pointer. */
	(void)clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

uint64_t clock__monotonic_ns(void)
{
	return clock__read(CLOCK_MONOTONIC);
}

uint64_t clock__realtime_ns(void)
{
	return clock__read(CLOCK_REALTIME);
}

void clock__format(uint64_t realtime_ns, char out[CLOCK_TEXT_BYTES])
{
	time_t seconds = (time_t)(realtime_ns / NS_PER_S);
	unsigned int ms = (unsigned int)(realtime_ns % NS_PER_S / 1000000);
	char date[24];
	struct tm tm;

	if (!gmtime_r(&seconds, &tm) || !strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm))
		date[0] = '\0';
	snprintf(out, CLOCK_TEXT_BYTES, "%s.%03uZ", date, ms);
}

/* Below a minute, one decimal unit with at most 3 figures (whole ones bare); above, two whole units. */
void clock__format_duration(uint64_t ns, char *out, size_t out_bytes)
{
	static const struct {
		uint64_t unit_ns;
		const char *name;
	} units[] = { { NS_PER_S, "s" }, { 1000000, "ms" }, { 1000, "us" }, { 1, "ns" } };
	uint64_t s = ns / NS_PER_S;
	unsigned int i = 0;

	if (s >= 86400) {
		snprintf(out, out_bytes, "%" PRIu64 " d %" PRIu64 " h", s / 86400, s % 86400 / 3600);
		return;
	}
	if (s >= 3600) {
		snprintf(out, out_bytes, "%" PRIu64 " h %" PRIu64 " m", s / 3600, s % 3600 / 60);
		return;
	}
	if (s >= 60) {
		snprintf(out, out_bytes, "%" PRIu64 " m %" PRIu64 " s", s / 60, s % 60);
		return;
	}
	while (i < 3 && ns < units[i].unit_ns)
		i++;
	if (ns % units[i].unit_ns == 0 || ns / units[i].unit_ns >= 100)
		snprintf(out, out_bytes, "%" PRIu64 " %s", ns / units[i].unit_ns, units[i].name);
	else
		snprintf(out, out_bytes, "%.*f %s", ns / units[i].unit_ns >= 10 ? 1 : 2, (double)ns / (double)units[i].unit_ns,
			 units[i].name);
}
