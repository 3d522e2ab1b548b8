/* SPDX-License-Identifier: BSD-2-Clause */
/* Settings in the programs' terms: seconds as units of the age clocks, the externality as a table. */
#include "agent/tables_apply.h"
#include "policy/psi.h"

/* An age is the difference of two bytes: it must not come near the wrap before the sweep sees it. */
#define MAX_AGE 240u
/* Under pressure a full bucket gives up what is idle for this long, or for its time-out if that is shorter. */
#define EVICT_HALF_OPEN_S 4u
#define EVICT_UDP_S 10u
#define EVICT_TCP_S 300u
#define MAX_EVICT_SCAN (2 * PINTLE_BUCKET_SLOTS)

/* Whole units, rounded up, so that nothing ends early. */
static uint8_t age_units(const struct pintle_meta *meta, uint32_t seconds, uint32_t shift)
{
	uint64_t units = (((uint64_t)seconds * meta->hz) + (1ull << shift) - 1) >> shift;

	return (uint8_t)(units < 1 ? 1 : units > MAX_AGE ? MAX_AGE : units);
}

static uint32_t at_most(uint32_t seconds, uint32_t limit)
{
	return seconds < limit ? seconds : limit;
}

static void set_age(uint8_t *age, uint8_t units)
{
	if (*age != units)
		store8(age, units);
}

static void write_ages(struct tables *t, const struct pintle_config *config)
{
	const struct pintle_meta *meta = t->maps.meta;
	struct pintle_ctl *ctl = t->maps.ctl;
	uint32_t fine = meta->fine_shift, coarse = meta->coarse_shift;
	uint64_t units;

	set_age(&ctl->age_half_open, age_units(meta, config->tcp_half_open_s, fine));
	set_age(&ctl->age_closed, age_units(meta, config->closed_s, fine));
	set_age(&ctl->age_udp, age_units(meta, config->udp_idle_s, fine));
	set_age(&ctl->age_tcp, age_units(meta, config->tcp_idle_s, coarse));
	set_age(&ctl->age_awaiting, age_units(meta, config->awaiting_s, fine));
	set_age(&ctl->evict_half_open, age_units(meta, at_most(config->tcp_half_open_s, EVICT_HALF_OPEN_S), fine));
	set_age(&ctl->evict_udp, age_units(meta, at_most(config->udp_idle_s, EVICT_UDP_S), fine));
	set_age(&ctl->evict_tcp, age_units(meta, at_most(config->tcp_idle_s, EVICT_TCP_S), coarse));
	units = (((uint64_t)config->agent_absence_s * meta->hz) + (1ull << fine) - 1) >> fine;
	units = units > UINT16_MAX ? UINT16_MAX : units;
	if (ctl->absence != units)
		store16(&ctl->absence, (uint16_t)units);
	if (ctl->max_evict_scan != MAX_EVICT_SCAN)
		store32(&ctl->max_evict_scan, MAX_EVICT_SCAN);
}

static void write_curve(int16_t *to, const int16_t from[PINTLE_PSI_ENTRIES])
{
	for (uint32_t r = 0; r < PINTLE_PSI_ENTRIES; r++) {
		if (to[r] != from[r])
			store16((uint16_t *)&to[r], (uint16_t)from[r]);
	}
}

void tables__set_externality(struct tables *t, double externality)
{
	int16_t curve[PINTLE_PSI_ENTRIES];

	psi__fill(externality, curve);
	write_curve(t->maps.ctl->psi_q8, curve);
}

void ctl__write(struct tables *t, const struct pintle_config *config)
{
	int16_t curve[PINTLE_PSI_ENTRIES];

	write_ages(t, config);
	tables__set_externality(t, config->externality);
	psi__fill_latency(curve);
	write_curve(t->maps.ctl->latency_q8, curve);
}
