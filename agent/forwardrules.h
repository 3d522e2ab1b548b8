/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Would the node's FORWARD rules let a steered packet through? Reads what iptables-save and `nft -j list chains` print, and follows the rules
 * with three-valued matches: what cannot be judged from outside (sets, marks set on the way, limits) leaves the answer open.
 */
#ifndef PINTLE_AGENT_FORWARDRULES_H
#define PINTLE_AGENT_FORWARDRULES_H

#include <stdbool.h>
#include <stddef.h>

#include "agent/config.h"
#include "agent/err.h"

enum fw_verdict {
	FW_ACCEPT = 0,
	FW_DROP,
	FW_OPEN, /* depends on what cannot be seen from here */
};

/* The packet in question. Client addresses are any. */
struct fw_packet {
	int family;		   /* 4 or 6 */
	const struct ip_addr *pod; /* NULL = some pod */
	bool is_reply;		   /* pod -> client of a known connection; else client -> pod of a new one */
	const char *in_device;	   /* NULL = any */
	const char *out_device;
};

#define FW_RULE_BYTES 160
struct fw_result {
	enum fw_verdict verdict;
	bool has_chain;		  /* there is a filter table with a FORWARD chain */
	bool drops_invalid;	  /* some rule drops ctstate INVALID (kube-proxy's) */
	char rule[FW_RULE_BYTES]; /* what drops, or leaves it open; "policy DROP" for the chain's policy */
};

/* Judges one output of iptables-save or ip6tables-save; other tables in it are skipped. Pure. -E2BIG: more rules than can be held; -ENOMEM. */
int forwardrules__judge(const char *text, size_t bytes, const struct fw_packet *packet, struct fw_result *ret);

/* Base chains of `nft -j list chains` at the forward hook whose policy is drop, save those of iptables-nft (ip/ip6 filter FORWARD), as
 * "family table chain", at most `max`; *ret_kube_proxy: there is a table of kube-proxy's nftables mode. Returns their number or -EBADMSG. Pure. */
#define FW_CHAIN_BYTES 96
int forwardrules__nft(const char *json, size_t bytes, char (*chains)[FW_CHAIN_BYTES], int max, bool *ret_kube_proxy);

/* Runs a command of the system's directories and returns its output (ends with NUL, freed by the caller). -ENOENT: not installed,
 * -EIO: it failed (message has its last words), -EFBIG, -ETIMEDOUT. */
int forwardrules__run(const char *const argv[], char **ret_text, size_t *ret_bytes, struct pintle_err *err);

#endif
