/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The choice over a service's members as the programs make it (bpf/select.bpf.h), by the same arithmetic (include/pintle/score.h): for the
 * simulator, for `explain`, and for the test that compares both bit by bit.
 */
#ifndef PINTLE_POLICY_PICK_H
#define PINTLE_POLICY_PICK_H

#include <stdint.h>

#include "pintle/score.h"

struct pick_input {
	const struct pintle_member *members;
	const uint32_t *own;	  /* own requests in flight, by member */
	const int32_t *offset_q8; /* policy/reckon.h, by member; NULL = no other balancers */
	uint32_t share_q8;	  /* of policy/reckon.h; ignored without offsets */
	const int16_t *psi_q8;	  /* PINTLE_PSI_ENTRIES */
	uint32_t nr;		  /* >= 1 */
	uint32_t candidates;	  /* so many members from the flow's own place on are looked at; 0 = all */
};

/* Index of the member of the lowest score; ties go to the first at or after the place that `hash` gives, like in the programs. ret_load (may be
 * NULL): the load that was assumed for it. */
uint32_t pick__member(const struct pick_input *in, uint64_t hash, uint32_t *ret_load);

#endif
