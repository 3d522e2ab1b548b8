/* SPDX-License-Identifier: BSD-2-Clause */
/* Between the parts of the steward. */
#ifndef PINTLE_AGENT_STEWARD_INT_H
#define PINTLE_AGENT_STEWARD_INT_H

#include <cjson/cJSON.h>

#include "agent/classstats.h"
#include "agent/models.h"
#include "agent/standing.h"
#include "agent/steward.h"
#include "policy/slow.h"

#define STEWARD_NAME_BYTES 256
#define STEWARD_HISTORY 64u
#define STEWARD_STATE "policy" /* stems of files in the run directory */
#define STEWARD_REQUEST "policy-request"
#define STEWARD_ANSWER "policy-answer"
#define STEWARD_VERSION 1

/* What is kept of a service over restarts. */
struct steward_memory {
	char name[STEWARD_NAME_BYTES];
	uint8_t family;
	struct standing standing;
	uint32_t configured; /* the production model of the configuration that the standing knows of */
	bool has_configured;
};

struct steward_entry {
	struct steward_memory m;
	uint16_t id;   /* service */
	uint16_t slot; /* of class_stats, from 0 */
	/* in force */
	uint32_t production, candidate;
	bool is_plain;
	struct table_classes classes;
	/* the window under way */
	bool is_disturbed; /* what is in force changed in it */
	bool has_before;
	struct guard_counts before[PINTLE_NR_CLASSES];
	struct guard guard;
	enum guard_reason reason; /* of the last window */
	uint16_t *slots;	  /* detail slots of the pods */
	uint32_t nr_slots;
	bool is_kept; /* during a refresh */
};

struct steward_event {
	uint64_t time_ns; /* real time */
	char service[STEWARD_NAME_BYTES];
	uint8_t family;
	const char *what; /* a constant */
	char reason[96];
	char from[MODELS_NAME_BYTES], to[MODELS_NAME_BYTES];
};

struct steward {
	struct datapath *dp;
	struct tables *tables;
	struct learner *learner;
	const char *run_dir, *pin_dir;
	const struct pintle_config *config;
	struct models *models;
	struct classstats *stats;
	bool is_distrusted; /* the state was torn: the configured model is a candidate */
	struct steward_entry **entries;
	uint32_t nr_entries;
	uint32_t nr_left_out; /* services with learning that got no class slot */
	bool slot_used[PINTLE_MAX_CLASSED];
	struct learner_service services[PINTLE_MAX_CLASSED]; /* of the learner; same order as entries */
	struct steward_memory *memories;		     /* of services that are not in the configuration now, or not yet */
	uint32_t nr_memories;
	struct steward_event history[STEWARD_HISTORY];
	uint32_t nr_history; /* ever */
	uint64_t next_window_ns, next_follow_ns, next_write_ns;
	bool is_dirty;
	/* the slow loop */
	struct slow slow;
	struct policy_knobs knobs;
	bool is_slow;
	uint64_t random;
};

/* steward.c */
void steward__put_in_force(struct steward *s, struct steward_entry *e);
void steward__note(struct steward *s, const struct steward_entry *e, const char *what, uint32_t from, uint32_t to,
		   const char *reason);
uint32_t steward__candidate_wanted(const struct steward *s);

/* steward_slow.c: after each window, with the counts of the production classes of all services (NULL: no measurement). */
void steward__slow_window(struct steward *s, const struct guard_counts *production, uint64_t now_ns);
void steward__slow_refresh(struct steward *s);

/* steward_state.c */
int steward__write_state(struct steward *s, struct pintle_err *err);
int steward__read_state(struct steward *s, struct pintle_err *err); /* -ENOENT: none */

/* steward_entries.c: which services are judged */
void steward__list_entries(struct steward *s);
void steward__free_entries(struct steward *s);

#endif
