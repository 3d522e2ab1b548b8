/* SPDX-License-Identifier: BSD-2-Clause */
/* One iptables rule against the packet in question. */
#include <arpa/inet.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "agent/forwardrules_match.h"

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
static enum fw_match match_option(const struct fw_packet *packet, bool mark_unknown, const char *option, const char *value)
{
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
		return match_mark(value, mark_unknown);
	if (strcmp(option, "-m") == 0 || strcmp(option, "--comment") == 0)
		return FW_YES;
	return FW_PERHAPS;
}

void fw_rule__parse(const struct fw_packet *packet, bool mark_unknown, const char *line, size_t bytes, struct fw_parsed *ret)
{
	struct fw_words words = { line, line + bytes };
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
			match = next_word(&words, value) ? match_option(packet, mark_unknown, option, value) : FW_PERHAPS;
		match = negate(match, negated);
		negated = false;
		if (match == FW_NO)
			ret->match = FW_NO;
		else if (match == FW_PERHAPS && ret->match == FW_YES)
			ret->match = FW_PERHAPS;
	}
}
