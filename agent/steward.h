/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The steward of the learned policies: which model each service runs, which candidate its canary tries, and what the guard (policy/guard.h) says of them
 * after every window. It sets the classes of the services, gives the learner their nets, follows the model files, keeps its state in the run
 * directory, and does what `pintle policy` asks for.
 */
#ifndef PINTLE_AGENT_STEWARD_H
#define PINTLE_AGENT_STEWARD_H

#include "agent/learner.h"

struct steward;

/* Pointers must outlive. Reads the state that an earlier agent left; one that is torn is refused with a word in the log: every service then starts
 * with gains alone, and the configured model has to earn its place as a candidate. */
int steward__open(struct datapath *dp, struct tables *tables, struct learner *learner, const char *run_dir, const char *pin_dir,
		  struct steward **ret_steward, struct pintle_err *err);
void steward__close(struct steward *s);
/* After every applied configuration; `config` is kept until the next call. */
void steward__refresh(struct steward *s, const struct pintle_config *config);
/* Windows, files, state. Bounded: nothing but a comparison until something is due. */
void steward__tick(struct steward *s, uint64_t now_ns);
/* Looks for a request of the command line; how many it carried out (0 or 1). Those need no new layout of the tables. */
uint32_t steward__look_at_requests(struct steward *s, uint64_t now_ns);

#endif
