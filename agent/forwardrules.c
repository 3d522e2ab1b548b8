// SPDX-License-Identifier: BSD-2-Clause
/* Following iptables rules with three-valued matches: no, yes, perhaps. */
#include "agent/forwardrules.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "agent/forwardrules_match.h"

#define FW_MAX_CHAINS 8192u
#define FW_MAX_RULES 524288u
#define FW_MAX_STEPS 2000000u
#define FW_MAX_DEPTH 512u     /* nested chains: 200 bytes of stack each and more */
#define FW_INDEX_SLOTS 16384u /* a power of two, twice the chains */

/* Ways a chain can end for the packet. */
#define CAN_ACCEPT 1u
#define CAN_DROP 2u
#define CAN_RETURN 4u

struct fw_chain {
	const char *name; /* in the text, name_bytes long */
	size_t name_bytes;
	uint32_t first, end; /* its rules, others may lie between */
	bool drops;	     /* policy */
	bool is_active;	     /* being walked: who comes here again goes round in a circle */
	/* Ways out found before, by whether a mark may have been set when it was entered: nothing else distinguishes two visits. */
	struct fw_memo {
		unsigned int can; /* 0: not walked yet */
		bool mark_unknown;
	} memo[2];
};

struct fw_rule {
	const char *line; /* behind "-A CHAIN " */
	size_t bytes;
	uint32_t chain;
};

struct fw_table {
	struct fw_chain *chains;
	struct fw_rule *rules;
	uint32_t nr_chains, nr_rules, room_chains, room_rules;
	const struct fw_packet *packet;
	struct fw_result *result;
	uint32_t steps, depth;
	uint32_t index[FW_INDEX_SLOTS]; /* chains by name: number + 1 */
	bool mark_unknown;		/* a rule on the way may have set it */
	bool too_big;
};

static bool is_word(const char *text, size_t bytes, const char *word)
{
	return strlen(word) == bytes && memcmp(text, word, bytes) == 0;
}

/* ---- walking ---- */

/* Where the chain of that name is, or belongs. The index is at most half full. */
static uint32_t *chain_slot(struct fw_table *table, const char *name, size_t bytes)
{
	uint32_t at = 2166136261u; /* FNV-1a */

	for (size_t i = 0; i < bytes; i++)
		at = (at ^ (unsigned char)name[i]) * 16777619u;
	for (;; at++) {
		uint32_t *slot = &table->index[at & (FW_INDEX_SLOTS - 1)];
		const struct fw_chain *chain = *slot ? &table->chains[*slot - 1] : NULL;

		if (!chain || (chain->name_bytes == bytes && memcmp(chain->name, name, bytes) == 0))
			return slot;
	}
}

static uint32_t find_chain(struct fw_table *table, const char *name, size_t bytes)
{
	return *chain_slot(table, name, bytes) - 1; /* UINT32_MAX: none */
}

static bool goes_on(const char *target)
{
	static const char *const names[] = { "LOG",	 "NFLOG",   "ULOG",	   "TRACE",    "CONNMARK", "TCPMSS",
					     "SET",	 "CT",	    "AUDIT",	   "CLASSIFY", "DSCP",	   "TOS",
					     "CHECKSUM", "SECMARK", "CONNSECMARK", "NOTRACK" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(target, names[i]) == 0)
			return true;
	}
	return false;
}

/* The rule as the reader knows it: the first that can drop is the one to show. */
static void note_rule(const struct fw_table *table, const struct fw_rule *rule)
{
	const struct fw_chain *chain = &table->chains[rule->chain];
	char *out = table->result->rule;
	size_t room = FW_RULE_BYTES - 1, n = chain->name_bytes < room - 1 ? chain->name_bytes : room - 1, m;

	if (out[0])
		return;
	memcpy(out, chain->name, n);
	out[n++] = ' ';
	m = rule->bytes < room - n ? rule->bytes : room - n;
	memcpy(out + n, rule->line, m);
	out[n + m] = '\0';
}

static unsigned int visit(struct fw_table *table, uint32_t chain);

static unsigned int follow_target(struct fw_table *table, const struct fw_parsed *parsed)
{
	uint32_t chain;

	if (!parsed->has_target)
		return CAN_RETURN;
	if (strcmp(parsed->target, "ACCEPT") == 0)
		return CAN_ACCEPT;
	if (strcmp(parsed->target, "DROP") == 0 || strcmp(parsed->target, "REJECT") == 0)
		return CAN_DROP;
	if (strcmp(parsed->target, "MARK") == 0) {
		table->mark_unknown = true;
		return CAN_RETURN;
	}
	if (goes_on(parsed->target))
		return CAN_RETURN;
	chain = find_chain(table, parsed->target, strlen(parsed->target));
	if (chain == UINT32_MAX)
		return CAN_ACCEPT | CAN_DROP | CAN_RETURN; /* NFQUEUE and other extensions */
	return visit(table, chain);
}

/* Counts a step. True: there were too many of them, and no answer will come. */
static bool gives_up(struct fw_table *table)
{
	if (++table->steps > FW_MAX_STEPS)
		table->too_big = true;
	return table->too_big;
}

/* How the packet can leave `chain`. */
static unsigned int walk(struct fw_table *table, uint32_t chain)
{
	unsigned int can = 0;

	for (uint32_t i = table->chains[chain].first; i < table->chains[chain].end; i++) {
		const struct fw_rule *rule = &table->rules[i];
		struct fw_parsed parsed;
		unsigned int ways;

		if (gives_up(table))
			return CAN_ACCEPT | CAN_DROP | CAN_RETURN;
		if (rule->chain != chain)
			continue;
		fw_rule__parse(table->packet, table->mark_unknown, rule->line, rule->bytes, &parsed);
		if (parsed.match == FW_NO)
			continue;
		if (parsed.has_target && strcmp(parsed.target, "RETURN") == 0) {
			can |= CAN_RETURN;
			if (parsed.match == FW_YES)
				return can;
			continue;
		}
		ways = follow_target(table, &parsed);
		if (ways & CAN_DROP)
			note_rule(table, rule);
		can |= ways & (CAN_ACCEPT | CAN_DROP);
		if (ways & CAN_RETURN && parsed.is_goto)
			can |= CAN_RETURN;
		if (parsed.match == FW_YES && (!(ways & CAN_RETURN) || parsed.is_goto))
			return can;
	}
	return can | CAN_RETURN;
}

/*
 * Each chain is walked once, or twice for the two states of the mark: chains that call each other in layers have more ways through them than
 * could be followed. Circles, which the kernel refuses, are not followed; nor is a nesting that no stack would hold.
 */
static unsigned int visit(struct fw_table *table, uint32_t chain)
{
	struct fw_chain *c = &table->chains[chain];
	struct fw_memo *memo = &c->memo[table->mark_unknown];

	if (memo->can) {
		table->mark_unknown = memo->mark_unknown;
		return memo->can;
	}
	if (c->is_active || table->depth == FW_MAX_DEPTH) {
		table->too_big = true;
		return CAN_ACCEPT | CAN_DROP | CAN_RETURN;
	}
	c->is_active = true;
	table->depth++;
	memo->can = walk(table, chain);
	memo->mark_unknown = table->mark_unknown;
	table->depth--;
	c->is_active = false;
	return memo->can;
}

/* ---- reading ---- */

static bool grow(void **array, uint32_t *room, size_t item_bytes, uint32_t max)
{
	uint32_t want = *room ? *room * 2 : 64;
	void *bigger;

	if (*room >= max)
		return false;
	bigger = realloc(*array, want * item_bytes);
	if (!bigger)
		return false;
	*array = bigger;
	*room = want;
	return true;
}

/* ":FORWARD DROP [0:0]" */
static int read_chain(struct fw_table *table, const char *line, size_t bytes)
{
	const char *blank = memchr(line + 1, ' ', bytes - 1);
	struct fw_chain *chain;
	uint32_t *slot;

	if (!blank)
		return 0;
	if (table->nr_chains == table->room_chains &&
	    !grow((void **)&table->chains, &table->room_chains, sizeof(*table->chains), FW_MAX_CHAINS))
		return -E2BIG;
	chain = &table->chains[table->nr_chains++];
	*chain = (struct fw_chain){ .name = line + 1, .name_bytes = (size_t)(blank - line - 1) };
	slot = chain_slot(table, chain->name, chain->name_bytes);
	if (!*slot) /* a name that stands twice: the first */
		*slot = table->nr_chains;
	chain->drops = (size_t)(line + bytes - blank) > 5 && memcmp(blank, " DROP", 5) == 0;
	return 0;
}

/* "-A FORWARD -j KUBE-FORWARD" */
static int read_rule(struct fw_table *table, const char *line, size_t bytes)
{
	const char *name = line + 3, *end = line + bytes, *blank = memchr(name, ' ', bytes - 3);
	size_t name_bytes = (size_t)((blank ? blank : end) - name);
	uint32_t last = table->nr_rules ? table->rules[table->nr_rules - 1].chain : UINT32_MAX, chain;
	struct fw_rule *rule;

	/* Rules of a chain stand together, as a rule. */
	if (last != UINT32_MAX && table->chains[last].name_bytes == name_bytes &&
	    memcmp(table->chains[last].name, name, name_bytes) == 0)
		chain = last;
	else
		chain = find_chain(table, name, name_bytes);
	if (chain == UINT32_MAX)
		return 0;
	if (table->nr_rules == table->room_rules &&
	    !grow((void **)&table->rules, &table->room_rules, sizeof(*table->rules), FW_MAX_RULES))
		return -E2BIG;
	rule = &table->rules[table->nr_rules];
	*rule = (struct fw_rule){ .line = blank ? blank + 1 : end,
				  .bytes = blank ? (size_t)(end - blank - 1) : 0,
				  .chain = chain };
	if (table->chains[chain].end == 0)
		table->chains[chain].first = table->nr_rules;
	table->chains[chain].end = ++table->nr_rules;
	if (memmem(rule->line, rule->bytes, "INVALID", 7) && memmem(rule->line, rule->bytes, "-j DROP", 7))
		table->result->drops_invalid = true;
	return 0;
}

static int read_table(struct fw_table *table, const char *text, size_t bytes)
{
	const char *end = text + bytes;
	bool in_filter = false;
	int ret = 0;

	while (text < end && ret == 0) {
		const char *newline = memchr(text, '\n', (size_t)(end - text));
		size_t line_bytes = (size_t)((newline ? newline : end) - text);

		if (line_bytes && text[0] == '*')
			in_filter = is_word(text, line_bytes, "*filter");
		else if (in_filter && line_bytes > 1 && text[0] == ':')
			ret = read_chain(table, text, line_bytes);
		else if (in_filter && line_bytes > 3 && memcmp(text, "-A ", 3) == 0)
			ret = read_rule(table, text, line_bytes);
		text += line_bytes + 1;
	}
	return ret;
}

int forwardrules__judge(const char *text, size_t bytes, const struct fw_packet *packet, struct fw_result *ret)
{
	struct fw_result result = { .verdict = FW_ACCEPT };
	struct fw_table *table = calloc(1, sizeof(*table));
	uint32_t forward;
	unsigned int can;
	int code;

	if (!table)
		return -ENOMEM;
	table->packet = packet;
	table->result = &result;
	code = read_table(table, text, bytes);
	forward = find_chain(table, "FORWARD", 7);
	if (code == 0 && forward != UINT32_MAX) {
		result.has_chain = true;
		can = visit(table, forward);
		if (can & CAN_RETURN)
			can |= table->chains[forward].drops ? CAN_DROP : CAN_ACCEPT;
		if (table->too_big)
			result.verdict = FW_OPEN;
		else if ((can & (CAN_ACCEPT | CAN_DROP)) == (CAN_ACCEPT | CAN_DROP))
			result.verdict = FW_OPEN;
		else
			result.verdict = can & CAN_DROP ? FW_DROP : FW_ACCEPT;
		if (result.verdict == FW_ACCEPT)
			result.rule[0] = '\0';
		else if (!result.rule[0])
			strcpy(result.rule, "policy DROP");
	}
	free(table->chains);
	free(table->rules);
	free(table);
	if (code == 0)
		*ret = result;
	return code;
}
