/* SPDX-License-Identifier: BSD-2-Clause */
#include "agent/steward.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/clock.h"
#include "agent/log.h"
#include "agent/steward_int.h"

#define FOLLOW_PERIOD_NS 1000000000ull
#define WRITE_PERIOD_NS 1000000000ull

/* ---- what is in force ---- */

uint32_t steward__candidate_wanted(const struct steward *s)
{
	uint32_t candidate = models__wanted(s->models, MODELS_CANDIDATE);

	return candidate || !s->is_distrusted ? candidate : models__wanted(s->models, MODELS_PRODUCTION);
}

void steward__note(struct steward *s, const struct steward_entry *e, const char *what, uint32_t from, uint32_t to,
		   const char *reason)
{
	struct steward_event *event = &s->history[s->nr_history++ % STEWARD_HISTORY];

	*event = (struct steward_event){ .time_ns = clock__realtime_ns(), .family = e->m.family, .what = what };
	memcpy(event->service, e->m.name, sizeof(event->service));
	snprintf(event->from, sizeof(event->from), "%s", models__name(s->models, from));
	snprintf(event->to, sizeof(event->to), "%s", e->is_plain && !to ? "plain" : models__name(s->models, to));
	snprintf(event->reason, sizeof(event->reason), "%s", reason);
	log_info("policy", log_str("service", e->m.name), log_uint("family", e->m.family), log_str("what", what),
		 log_str("from", event->from), log_str("to", event->to), log_str("reason", reason));
	s->is_dirty = true;
}

static const struct mlp *net_of(struct steward *s, uint32_t *crc32c)
{
	const struct model *model = models__get(s->models, *crc32c);

	if (!model)
		*crc32c = 0;
	return model ? &model->mlp : NULL;
}

static uint8_t buckets(uint8_t percent)
{
	return (uint8_t)((percent * 256u + 50u) / 100u);
}

static uint32_t index_of(const struct steward *s, const struct steward_entry *e)
{
	uint32_t i = 0;

	while (s->entries[i] != e)
		i++;
	return i;
}

/* A production model that is nowhere any more (no copy was kept) is one that cannot run: down the ladder, without a mark against it. */
static void settle_production(struct steward *s, struct steward_entry *e)
{
	struct standing *standing = &e->m.standing;

	while (standing->nr_models && !models__get(s->models, standing->models[standing->nr_models - 1])) {
		steward__note(s, e, "model lost", standing->models[standing->nr_models - 1], 0,
			      "no copy of it in the run directory");
		standing->nr_models--;
	}
	if (standing->pin == STANDING_PIN_MODEL && !models__get(s->models, standing->pinned))
		standing->pin = STANDING_FREE;
}

static bool is_same(const struct table_classes *a, const struct table_classes *b)
{
	return a->slot == b->slot && a->is_plain == b->is_plain && a->holdout == b->holdout && a->canary == b->canary;
}

void steward__put_in_force(struct steward *s, struct steward_entry *e)
{
	struct learner_service *service = &s->services[index_of(s, e)];
	struct table_classes classes = { .slot = (uint16_t)(e->slot + 1) };
	uint32_t production = e->production, candidate = e->candidate;
	const struct mlp *nets[LEARNER_VARIANTS];

	settle_production(s, e);
	e->production = standing__production(&e->m.standing, &e->is_plain);
	e->candidate = standing__candidate(&e->m.standing, steward__candidate_wanted(s));
	nets[0] = net_of(s, &e->production);
	nets[1] = net_of(s, &e->candidate);
	classes.is_plain = e->is_plain;
	classes.holdout = buckets(s->config->learning.holdout);
	classes.canary = nets[1] ? buckets(s->config->learning.canary) : 0;
	tables__set_classes(s->tables, e->id, &classes);
	service->is_stale |= nets[0] != service->nets[0] || nets[1] != service->nets[1];
	service->nets[0] = nets[0];
	service->nets[1] = nets[1];
	if (e->production != production || e->is_plain != e->classes.is_plain)
		guard__restart(&e->guard);
	else if (e->candidate != candidate)
		guard__restart_candidate(&e->guard);
	/* A window goes on over what changes nothing: a reload, a pod that comes or goes. Else whoever reloads often switches the guard off. */
	e->is_disturbed |= e->production != production || e->candidate != candidate || !is_same(&classes, &e->classes);
	e->classes = classes;
	s->is_dirty = true;
}

/* ---- configuration and files ---- */

/* The configured production model, when it is another one than the standing knows of. */
static void configure(struct steward *s, struct steward_entry *e)
{
	uint32_t wanted = models__wanted(s->models, MODELS_PRODUCTION), before = e->production;

	if (!models__is_known(s->models, MODELS_PRODUCTION) || (e->m.has_configured && e->m.configured == wanted))
		return;
	e->m.configured = wanted;
	if (!e->m.has_configured && s->is_distrusted) {
		e->m.has_configured = true;
		return;
	}
	e->m.has_configured = true;
	standing__configure(&e->m.standing, wanted);
	e->is_plain = false;
	steward__note(s, e, "configured", before, wanted, "the configuration names it");
}

static bool is_used(void *arg, uint32_t crc32c)
{
	const struct steward *s = arg;

	for (uint32_t i = 0; i < s->nr_entries + s->nr_memories; i++) {
		const struct steward_memory *m = i < s->nr_entries ? &s->entries[i]->m : &s->memories[i - s->nr_entries];

		if (m->standing.pin == STANDING_PIN_MODEL && m->standing.pinned == crc32c)
			return true;
		for (uint32_t k = 0; k < m->standing.nr_models; k++)
			if (m->standing.models[k] == crc32c)
				return true;
	}
	return false;
}

static void put_all_in_force(struct steward *s)
{
	for (uint32_t i = 0; i < s->nr_entries; i++) {
		configure(s, s->entries[i]);
		steward__put_in_force(s, s->entries[i]);
	}
	models__keep(s->models, is_used, s);
}

void steward__refresh(struct steward *s, const struct pintle_config *config)
{
	s->config = config;
	models__follow(s->models, &config->learning);
	steward__list_entries(s);
	memset(s->services, 0, sizeof(s->services));
	for (uint32_t i = 0; i < s->nr_entries; i++)
		s->services[i] = (struct learner_service){ .slots = s->entries[i]->slots,
							   .nr_slots = s->entries[i]->nr_slots,
							   .is_stale = true };
	put_all_in_force(s);
	learner__set_services(s->learner, s->services, s->nr_entries);
	steward__slow_refresh(s);
}

/* ---- windows ---- */

static void act(struct steward *s, struct steward_entry *e, enum guard_verdict verdict)
{
	const char *reason = guard_reason__text(e->reason);
	uint32_t production = e->production, candidate = e->candidate;

	/* an operator's pin is not overruled; what would have been done is said by the status */
	if (verdict == GUARD_HOLD || e->m.standing.pin != STANDING_FREE)
		return;
	if (verdict == GUARD_PROMOTE) {
		standing__promote(&e->m.standing, candidate);
	} else if (verdict == GUARD_DROP_CANDIDATE) {
		standing__refuse(&e->m.standing, candidate);
	} else if (!standing__step_down(&e->m.standing)) {
		return; /* plain already: as slow as the holdout is no fault of a policy */
	}
	steward__put_in_force(s, e);
	if (verdict == GUARD_PROMOTE)
		steward__note(s, e, "promoted", production, candidate, reason);
	else if (verdict == GUARD_DROP_CANDIDATE)
		steward__note(s, e, "candidate dropped", candidate, production, reason);
	else
		steward__note(s, e, "rolled back", production, e->production, reason);
}

/* True: *window is what the classes met since the last one. */
static bool measure(struct steward *s, struct steward_entry *e, struct guard_counts window[PINTLE_NR_CLASSES])
{
	struct guard_counts now[PINTLE_NR_CLASSES];
	struct pintle_err err = { 0 };
	bool is_good = e->has_before && !e->is_disturbed;

	if (classstats__read(s->stats, e->slot, now, &err)) {
		log_warn_limited("classes not judged", log_str("reason", err.msg));
		return false;
	}
	for (uint32_t c = 0; c < PINTLE_NR_CLASSES; c++)
		is_good &= guard_counts__delta(&now[c], &e->before[c], &window[c]);
	memcpy(e->before, now, sizeof(now));
	e->has_before = true;
	e->is_disturbed = false;
	return is_good;
}

static void add_counts(struct guard_counts *sum, const struct guard_counts *c)
{
	sum->count += c->count;
	sum->latency_ns += c->latency_ns;
	for (uint32_t i = 0; i < PINTLE_FINE_BUCKETS; i++)
		sum->hist[i] += c->hist[i];
}

static void judge_all(struct steward *s, uint64_t now_ns, uint64_t window_ns)
{
	static struct guard_counts window[PINTLE_NR_CLASSES], production;
	bool is_good, is_all_good = true;

	memset(&production, 0, sizeof(production));
	for (uint32_t i = 0; i < s->nr_entries; i++) {
		struct steward_entry *e = s->entries[i];
		enum guard_verdict verdict;

		is_good = measure(s, e, window);
		is_all_good &= is_good;
		if (is_good)
			add_counts(&production, &window[PINTLE_CLASS_PRODUCTION]);
		verdict = guard__window(&e->guard, is_good ? window : NULL, now_ns, window_ns, e->candidate != 0, &e->reason);
		act(s, e, verdict);
	}
	steward__slow_window(s, is_all_good ? &production : NULL, now_ns);
}

static void follow(struct steward *s, uint64_t now_ns)
{
	if (now_ns < s->next_follow_ns)
		return;
	s->next_follow_ns = now_ns + FOLLOW_PERIOD_NS;
	if (models__follow(s->models, &s->config->learning))
		put_all_in_force(s);
}

static void write_state(struct steward *s, uint64_t now_ns)
{
	struct pintle_err err = { 0 };

	if (!s->is_dirty || now_ns < s->next_write_ns)
		return;
	s->next_write_ns = now_ns + WRITE_PERIOD_NS;
	s->is_dirty = false;
	if (steward__write_state(s, &err))
		log_warn_limited("state of the policies not written", log_str("reason", err.msg));
}

void steward__tick(struct steward *s, uint64_t now_ns)
{
	uint64_t window_ns;
	uint32_t nr_history = s->nr_history;

	if (!s->config)
		return;
	window_ns = s->config->learning.window_ms * 1000000ull;
	follow(s, now_ns);
	if (now_ns >= s->next_window_ns || s->next_window_ns - now_ns > window_ns) {
		if (s->next_window_ns)
			judge_all(s, now_ns, window_ns);
		s->next_window_ns = now_ns + window_ns;
		s->is_dirty |= s->nr_entries != 0;
	}
	if (s->nr_history != nr_history)
		s->next_write_ns = 0; /* a decision is kept at once */
	write_state(s, now_ns);
}

/* ---- opening ---- */

int steward__open(struct datapath *dp, struct tables *tables, struct learner *learner, const char *run_dir, const char *pin_dir,
		  struct steward **ret_steward, struct pintle_err *err)
{
	struct steward *s = calloc(1, sizeof(*s));
	struct pintle_err why = { 0 };
	int code;

	if (!s)
		return pintle_err__set(err, -ENOMEM, "policies: out of memory");
	s->dp = dp;
	s->tables = tables;
	s->learner = learner;
	s->run_dir = run_dir;
	s->pin_dir = pin_dir;
	s->random = clock__monotonic_ns() | 1;
	code = models__open(run_dir, pin_dir, &s->models, err);
	if (!code)
		code = classstats__open(dp, &s->stats, err);
	if (code) {
		steward__close(s);
		return code;
	}
	code = steward__read_state(s, &why);
	if (code && code != -ENOENT) {
		s->is_distrusted = true;
		log_error("state of the policies refused: services start with gains alone, the configured model as a candidate",
			  log_str("reason", why.msg));
	}
	*ret_steward = s;
	return 0;
}

void steward__close(struct steward *s)
{
	struct pintle_err err = { 0 };

	if (!s)
		return;
	if (s->config && s->is_dirty && steward__write_state(s, &err))
		log_warn("state of the policies not written", log_str("reason", err.msg));
	if (s->learner)
		learner__set_services(s->learner, NULL, 0);
	steward__free_entries(s);
	models__close(s->models);
	classstats__close(s->stats);
	free(s);
}
