// SPDX-License-Identifier: BSD-2-Clause
/* Following iptables rules with three-valued matches: no, yes, perhaps. */
#include "agent/forwardrules.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define FW_MAX_CHAINS 8192u
#define FW_MAX_RULES 524288u
#define FW_MAX_STEPS 2000000u
#define FW_MAX_DEPTH 32
#define FW_WORD_BYTES 128

enum fw_match { FW_NO = 0, FW_YES, FW_PERHAPS };

/* Ways a chain can end for the packet. */
#define CAN_ACCEPT 1u
#define CAN_DROP 2u
#define CAN_RETURN 4u

struct fw_chain {
	const char *name; /* in the text, name_bytes long */
	size_t name_bytes;
	uint32_t first, end; /* its rules, others may lie between */
	bool drops;	     /* policy */
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
	uint32_t steps;
	bool mark_unknown; /* a rule on the way may have set it */
	bool too_big;
};

/* ---- words ---- */

struct fw_words {
	const char *at, *end;
};

/* Next word, unquoted, cut to fit. False at the end. */
static bool next_word(struct fw_words *words, char out[FW_WORD_BYTES])
{
	bool quoted = false;
	size_t n = 0;

	while (words->at < words->end && *words->at == ' ')
		words->at++;
	if (words->at == words->end)
		return false;
	for (; words->at < words->end && (quoted || *words->at != ' '); words->at++) {
		char c = *words->at;

		if (c == '"') {
			quoted = !quoted;
			continue;
		}
		if (c == '\\' && quoted && words->at + 1 < words->end)
			c = *++words->at;
		if (n < FW_WORD_BYTES - 1)
			out[n++] = c;
	}
	out[n] = '\0';
	return true;
}

static bool is_word(const char *text, size_t bytes, const char *word)
{
	return strlen(word) == bytes && memcmp(text, word, bytes) == 0;
}

/* ---- matches ---- */

/* "10.0.0.0/8", "10.1.2.3", "10.0.0.0/255.0.0.0", "fd00::/8". */
static enum fw_match match_addr(const char *text, const struct ip_addr *addr, int family)
{
	char copy[FW_WORD_BYTES], *slash;
	uint8_t want[16] = { 0 }, mask[16] = { 0 };
	int af = family == 4 ? AF_INET : AF_INET6;
	size_t bytes = family == 4 ? 4 : 16;

	strcpy(copy, text); /* both FW_WORD_BYTES */
	slash = strchr(copy, '/');
	if (slash)
		*slash++ = '\0';
	if (inet_pton(af, copy, want) != 1)
		return FW_PERHAPS;
	if (!slash) {
		memset(mask, 0xff, bytes);
	} else if (inet_pton(af, slash, mask) != 1) {
		long bits = strtol(slash, NULL, 10);

		for (size_t i = 0; i < bytes; i++, bits -= 8)
			mask[i] = (uint8_t)(bits >= 8 ? 0xffu : bits > 0 ? 0xff00u >> bits : 0u);
	}
	for (size_t i = 0; i < bytes; i++) {
		if (!mask[i])
			continue;
		if (!addr)
			return FW_PERHAPS;
		if ((addr->bytes[i] ^ want[i]) & mask[i])
			return FW_NO;
	}
	return FW_YES;
}

static enum fw_match match_device(const char *pattern, const char *device)
{
	size_t len = strlen(pattern);

	if (strcmp(pattern, "+") == 0)
		return FW_YES;
	if (!device)
		return FW_PERHAPS;
	if (len && pattern[len - 1] == '+')
		return strncmp(pattern, device, len - 1) == 0 ? FW_YES : FW_NO;
	return strcmp(pattern, device) == 0 ? FW_YES : FW_NO;
}

static enum fw_match match_state(const char *list, bool is_reply)
{
	char copy[FW_WORD_BYTES], *save, *word;

	strcpy(copy, list);
	for (word = strtok_r(copy, ",", &save); word; word = strtok_r(NULL, ",", &save)) {
		if (strcmp(word, is_reply ? "ESTABLISHED" : "NEW") == 0)
			return FW_YES;
	}
	return FW_NO; /* RELATED, INVALID, UNTRACKED, SNAT, DNAT: not this packet */
}

/* Steered packets carry no mark. */
static enum fw_match match_mark(const char *text, bool unknown)
{
	if (unknown)
		return FW_PERHAPS;
	return strtoul(text, NULL, 0) == 0 ? FW_YES : FW_NO;
}

static enum fw_match match_proto(const char *text)
{
	if (strcmp(text, "all") == 0 || strcmp(text, "0") == 0)
		return FW_YES;
	return strcmp(text, "tcp") == 0 || strcmp(text, "udp") == 0 || strcmp(text, "6") == 0 || strcmp(text, "17") == 0
		       ? FW_PERHAPS
		       : FW_NO;
}

static enum fw_match negate(enum fw_match match, bool negated)
{
	if (!negated || match == FW_PERHAPS)
		return match;
	return match == FW_YES ? FW_NO : FW_YES;
}

/* One option and its value. Options that are not known leave the rule open. */
static enum fw_match match_option(const struct fw_table *table, const char *option, const char *value)
{
	const struct fw_packet *packet = table->packet;

	if (strcmp(option, "-s") == 0)
		return match_addr(value, packet->is_reply ? packet->pod : NULL, packet->family);
	if (strcmp(option, "-d") == 0)
		return match_addr(value, packet->is_reply ? NULL : packet->pod, packet->family);
	if (strcmp(option, "-i") == 0)
		return match_device(value, packet->in_device);
	if (strcmp(option, "-o") == 0)
		return match_device(value, packet->out_device);
	if (strcmp(option, "-p") == 0)
		return match_proto(value);
	if (strcmp(option, "--ctstate") == 0 || strcmp(option, "--state") == 0)
		return match_state(value, packet->is_reply);
	if (strcmp(option, "--mark") == 0)
		return match_mark(value, table->mark_unknown);
	if (strcmp(option, "-m") == 0 || strcmp(option, "--comment") == 0)
		return FW_YES;
	return FW_PERHAPS;
}

struct fw_parsed {
	enum fw_match match;
	bool is_goto;
	bool has_target;
	char target[FW_WORD_BYTES];
};

static void parse_rule(const struct fw_table *table, const struct fw_rule *rule, struct fw_parsed *ret)
{
	struct fw_words words = { rule->line, rule->line + rule->bytes };
	char option[FW_WORD_BYTES], value[FW_WORD_BYTES];
	bool negated = false;

	*ret = (struct fw_parsed){ .match = FW_YES };
	while (next_word(&words, option)) {
		enum fw_match match;

		if (strcmp(option, "!") == 0) {
			negated = true;
			continue;
		}
		if (option[0] != '-')
			continue; /* a further value of an option that is not known */
		if (strcmp(option, "-j") == 0 || strcmp(option, "-g") == 0) {
			ret->is_goto = option[1] == 'g';
			ret->has_target = next_word(&words, ret->target);
			return; /* the target's own options follow */
		}
		if (strcmp(option, "-f") == 0)
			match = FW_NO; /* second and further fragments are never steered */
		else
			match = next_word(&words, value) ? match_option(table, option, value) : FW_PERHAPS;
		match = negate(match, negated);
		negated = false;
		if (match == FW_NO)
			ret->match = FW_NO;
		else if (match == FW_PERHAPS && ret->match == FW_YES)
			ret->match = FW_PERHAPS;
	}
}

/* ---- walking ---- */

static uint32_t find_chain(const struct fw_table *table, const char *name, size_t bytes)
{
	for (uint32_t i = 0; i < table->nr_chains; i++) {
		if (table->chains[i].name_bytes == bytes && memcmp(table->chains[i].name, name, bytes) == 0)
			return i;
	}
	return UINT32_MAX;
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

static unsigned int walk(struct fw_table *table, uint32_t chain, int depth);

static unsigned int follow_target(struct fw_table *table, const struct fw_parsed *parsed, int depth)
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
	return walk(table, chain, depth + 1);
}

/* Counts a step. True: there were too many of them, or of nested chains, and no answer will come. */
static bool gives_up(struct fw_table *table)
{
	if (++table->steps > FW_MAX_STEPS)
		table->too_big = true;
	return table->too_big;
}

/* How the packet can leave `chain`. */
static unsigned int walk(struct fw_table *table, uint32_t chain, int depth)
{
	unsigned int can = 0;

	if (depth > FW_MAX_DEPTH) {
		table->too_big = true;
		return CAN_ACCEPT | CAN_DROP | CAN_RETURN;
	}
	for (uint32_t i = table->chains[chain].first; i < table->chains[chain].end; i++) {
		const struct fw_rule *rule = &table->rules[i];
		struct fw_parsed parsed;
		unsigned int ways;

		if (gives_up(table))
			return CAN_ACCEPT | CAN_DROP | CAN_RETURN;
		if (rule->chain != chain)
			continue;
		parse_rule(table, rule, &parsed);
		if (parsed.match == FW_NO)
			continue;
		if (parsed.has_target && strcmp(parsed.target, "RETURN") == 0) {
			can |= CAN_RETURN;
			if (parsed.match == FW_YES)
				return can;
			continue;
		}
		ways = follow_target(table, &parsed, depth);
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

	if (!blank)
		return 0;
	if (table->nr_chains == table->room_chains &&
	    !grow((void **)&table->chains, &table->room_chains, sizeof(*table->chains), FW_MAX_CHAINS))
		return -E2BIG;
	chain = &table->chains[table->nr_chains++];
	*chain = (struct fw_chain){ .name = line + 1, .name_bytes = (size_t)(blank - line - 1) };
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
	struct fw_table table = { .packet = packet, .result = &result };
	uint32_t forward;
	unsigned int can;
	int code = read_table(&table, text, bytes);

	forward = find_chain(&table, "FORWARD", 7);
	if (code == 0 && forward != UINT32_MAX) {
		result.has_chain = true;
		can = walk(&table, forward, 0);
		if (can & CAN_RETURN)
			can |= table.chains[forward].drops ? CAN_DROP : CAN_ACCEPT;
		if (table.too_big)
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
	free(table.chains);
	free(table.rules);
	if (code == 0)
		*ret = result;
	return code;
}
