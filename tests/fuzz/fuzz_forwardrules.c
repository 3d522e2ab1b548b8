/* SPDX-License-Identifier: BSD-2-Clause */
/* Any bytes as the output of iptables-save and of nft: a verdict with a reason, in bounded time. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "agent/forwardrules.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	static const struct ip_addr pod4 = { .family = 4, .bytes = { 10, 77, 1, 2 } },
				    pod6 = { .family = 6, .bytes = { 0xfd, 0x77 } };
	struct fw_packet packets[] = {
		{ .family = 4, .pod = &pod4, .in_device = "eth0", .out_device = "veth1" },
		{ .family = 4, .pod = &pod4, .is_reply = true, .in_device = "veth1", .out_device = "eth0" },
		{ .family = 6, .pod = &pod6 },
		{ .family = 4 },
	};
	char chains[4][FW_CHAIN_BYTES];
	bool kube_proxy;
	int nr;

	if (bytes > 65536)
		return 0;
	for (size_t i = 0; i < sizeof(packets) / sizeof(packets[0]); i++) {
		struct fw_result result;

		if (forwardrules__judge((const char *)data, bytes, &packets[i], &result) < 0)
			continue;
		if (!memchr(result.rule, 0, sizeof(result.rule)) || (result.verdict == FW_ACCEPT) != (result.rule[0] == '\0'))
			abort();
		if (!result.has_chain && result.verdict != FW_ACCEPT)
			abort();
	}
	nr = forwardrules__nft((const char *)data, bytes, chains, 4, &kube_proxy);
	if (nr > 4)
		abort();
	for (int i = 0; i < nr; i++) {
		if (!memchr(chains[i], 0, sizeof(chains[i])))
			abort();
	}
	return 0;
}
