/* SPDX-License-Identifier: BSD-2-Clause */
/* One iptables rule against the packet in question, with three-valued matches: what cannot be judged from outside is "perhaps". */
#ifndef PINTLE_AGENT_FORWARDRULES_MATCH_H
#define PINTLE_AGENT_FORWARDRULES_MATCH_H

#include <stdbool.h>
#include <stddef.h>

#include "agent/forwardrules.h"

#define FW_WORD_BYTES 128

enum fw_match { FW_NO = 0, FW_YES, FW_PERHAPS };

struct fw_parsed {
	enum fw_match match;
	bool is_goto;
	bool has_target;
	char target[FW_WORD_BYTES];
};

/* `line`: as iptables-save prints it behind "-A CHAIN ", without a newline, `bytes` long. `mark_unknown`: a rule on the way may have set a mark. */
void fw_rule__parse(const struct fw_packet *packet, bool mark_unknown, const char *line, size_t bytes, struct fw_parsed *ret);

#endif
