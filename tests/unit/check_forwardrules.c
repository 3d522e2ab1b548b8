// SPDX-License-Identifier: BSD-2-Clause
/* Verdicts over outputs of iptables-save as real nodes have them, and over broken ones. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/forwardrules.h"

#define HEAD "*nat\n:PREROUTING DROP [0:0]\n-A PREROUTING -j DROP\nCOMMIT\n*filter\n:INPUT DROP [0:0]\n:FORWARD "
#define KUBE                                                                                                  \
	":KUBE-FORWARD - [0:0]\n"                                                                             \
	"-A FORWARD -m comment --comment \"kubernetes forwarding rules\" -j KUBE-FORWARD\n"                   \
	"-A KUBE-FORWARD -m conntrack --ctstate INVALID -j DROP\n"                                            \
	"-A KUBE-FORWARD -m comment --comment \"forward -j ACCEPT\" -m mark --mark 0x4000/0x4000 -j ACCEPT\n" \
	"-A KUBE-FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n"

static const struct verdict_case {
	const char *text;
	enum fw_verdict to_pod, reply;
} cases[] = {
	{ "", FW_ACCEPT, FW_ACCEPT },
	{ HEAD "ACCEPT [0:0]\nCOMMIT\n", FW_ACCEPT, FW_ACCEPT },
	{ HEAD "DROP [0:0]\nCOMMIT\n", FW_DROP, FW_DROP },
	/* kube-proxy passes its own packets by their mark, not ours; replies are of a known connection */
	{ HEAD "DROP [0:0]\n" KUBE "COMMIT\n", FW_DROP, FW_ACCEPT },
	{ HEAD "ACCEPT [0:0]\n" KUBE "COMMIT\n", FW_ACCEPT, FW_ACCEPT },
	/* by pod network, as flannel does */
	{ HEAD "DROP [0:0]\n-A FORWARD -s 10.77.0.0/16 -j ACCEPT\n-A FORWARD -d 10.77.0.0/16 -j ACCEPT\n", FW_ACCEPT,
	  FW_ACCEPT },
	{ HEAD "DROP [0:0]\n-A FORWARD -d 10.78.0.0/16 -j ACCEPT\n", FW_DROP, FW_OPEN },
	{ HEAD "DROP [0:0]\n-A FORWARD ! -d 10.78.0.0/16 -j ACCEPT\n", FW_ACCEPT, FW_OPEN },
	{ HEAD "DROP [0:0]\n-A FORWARD -d 10.77.1.2/32 -j ACCEPT\n", FW_ACCEPT, FW_OPEN },
	{ HEAD "DROP [0:0]\n-A FORWARD -d 10.77.0.0/255.255.0.0 -j ACCEPT\n", FW_ACCEPT, FW_OPEN },
	{ HEAD "ACCEPT [0:0]\n-A FORWARD -d 10.77.1.0/24 -j REJECT --reject-with icmp-port-unreachable\n", FW_DROP, FW_OPEN },
	/* devices */
	{ HEAD "DROP [0:0]\n-A FORWARD -i eth0 -j ACCEPT\n-A FORWARD -o eth0 -j ACCEPT\n", FW_ACCEPT, FW_ACCEPT },
	{ HEAD "DROP [0:0]\n-A FORWARD -o veth+ -j ACCEPT\n-A FORWARD -i veth+ -j ACCEPT\n", FW_ACCEPT, FW_ACCEPT },
	{ HEAD "DROP [0:0]\n-A FORWARD -i docker0 -j ACCEPT\n", FW_DROP, FW_DROP },
	/* what cannot be seen from outside */
	{ HEAD "DROP [0:0]\n-A FORWARD -m set --match-set pods dst -j ACCEPT\n", FW_OPEN, FW_OPEN },
	{ HEAD "DROP [0:0]\n-A FORWARD -p tcp -m tcp --dport 80 -j ACCEPT\n", FW_OPEN, FW_OPEN },
	{ HEAD "ACCEPT [0:0]\n-A FORWARD -j NFQUEUE --queue-num 1\n", FW_OPEN, FW_OPEN },
	{ HEAD "DROP [0:0]\n-A FORWARD -j MARK --set-xmark 0x1/0xffffffff\n-A FORWARD -m mark --mark 0x1 -j ACCEPT\n", FW_OPEN,
	  FW_OPEN },
	{ HEAD "ACCEPT [0:0]\n-A FORWARD -p sctp -j DROP\n-A FORWARD -f -j DROP\n", FW_ACCEPT, FW_ACCEPT },
	/* chains */
	{ HEAD
	  "DROP [0:0]\n:A - [0:0]\n:B - [0:0]\n-A FORWARD -j A\n-A FORWARD -j ACCEPT\n-A A -j B\n-A A -j DROP\n-A B -j RETURN\n",
	  FW_DROP, FW_DROP },
	{ HEAD "DROP [0:0]\n:A - [0:0]\n-A FORWARD -j A\n-A FORWARD -j ACCEPT\n-A A -j RETURN\n-A A -j DROP\n", FW_ACCEPT,
	  FW_ACCEPT },
	{ HEAD "ACCEPT [0:0]\n:A - [0:0]\n-A FORWARD -g A\n-A FORWARD -j DROP\n-A A -j LOG --log-prefix \"x -j DROP\"\n",
	  FW_ACCEPT, FW_ACCEPT },
	/* a loop, which the kernel would refuse: no answer, but an end */
	{ HEAD "ACCEPT [0:0]\n:A - [0:0]\n-A FORWARD -j A\n-A A -j A\n", FW_OPEN, FW_OPEN },
};

static const struct ip_addr pod4 = { .family = 4, .bytes = { 10, 77, 1, 2 } };

static struct fw_result judge(const char *text, bool is_reply)
{
	struct fw_packet packet = { .family = 4,
				    .pod = &pod4,
				    .is_reply = is_reply,
				    .in_device = is_reply ? "veth1" : "eth0",
				    .out_device = is_reply ? "eth0" : "veth1" };
	struct fw_result result = { .verdict = FW_OPEN };

	ck_assert_int_eq(forwardrules__judge(text, strlen(text), &packet, &result), 0);
	return result;
}

START_TEST(verdicts)
	{
		const struct verdict_case *c = &cases[_i];
		struct fw_result to_pod = judge(c->text, false), reply = judge(c->text, true);

		ck_assert_msg(to_pod.verdict == c->to_pod, "%s: to pod %d, not %d (%s)", c->text, to_pod.verdict, c->to_pod,
			      to_pod.rule);
		ck_assert_msg(reply.verdict == c->reply, "%s: reply %d, not %d (%s)", c->text, reply.verdict, c->reply,
			      reply.rule);
		ck_assert_int_eq(to_pod.rule[0] != '\0', to_pod.verdict != FW_ACCEPT);
	}
END_TEST

START_TEST(what_is_told)
	{
		struct fw_result result = judge(HEAD "DROP [0:0]\n" KUBE "COMMIT\n", false);

		ck_assert(result.has_chain && result.drops_invalid);
		ck_assert_str_eq(result.rule, "policy DROP");
		result = judge(HEAD "ACCEPT [0:0]\n-A FORWARD -d 10.77.1.0/24 -j REJECT\n", false);
		ck_assert_str_eq(result.rule, "FORWARD -d 10.77.1.0/24 -j REJECT");
		ck_assert(!result.drops_invalid);
		ck_assert(!judge("", false).has_chain);
		ck_assert(!judge("*nat\n:FORWARD DROP [0:0]\nCOMMIT\n", false).has_chain);
	}
END_TEST

START_TEST(ipv6)
	{
		static const struct ip_addr pod = { .family = 6, .bytes = { 0xfd, 0x77, [15] = 2 } };
		struct fw_packet packet = { .family = 6, .pod = &pod };
		struct fw_result result;
		const char *text = HEAD "DROP [0:0]\n-A FORWARD -d fd77::/17 -j ACCEPT\n",
			   *other = HEAD "DROP [0:0]\n-A FORWARD -d fd77:8000::/17 -j ACCEPT\n";

		ck_assert_int_eq(forwardrules__judge(text, strlen(text), &packet, &result), 0);
		ck_assert_int_eq(result.verdict, FW_ACCEPT);
		ck_assert_int_eq(forwardrules__judge(other, strlen(other), &packet, &result), 0);
		ck_assert_int_eq(result.verdict, FW_DROP);
	}
END_TEST

/* Layers of chains, each of which calls the next one twice: 2^layers ways, and one answer. `end`: the rule of the last, or NULL. */
static enum fw_verdict judge_layers(int layers, const char *end)
{
	struct fw_packet packet = { .family = 4 };
	struct fw_result result;
	char *text = malloc(1 << 17);
	size_t n = 0;

	n += (size_t)sprintf(text + n, "*filter\n:FORWARD ACCEPT [0:0]\n");
	for (int i = 0; i < layers; i++)
		n += (size_t)sprintf(text + n, ":C%d - [0:0]\n", i);
	n += (size_t)sprintf(text + n, "-A FORWARD -j C0\n");
	for (int i = 0; i < layers - 1; i++)
		n += (size_t)sprintf(text + n, "-A C%d -m mark --mark 0x1 -j DROP\n-A C%d -j C%d\n-A C%d -j C%d\n", i, i, i + 1,
				     i, i + 1);
	if (end)
		n += (size_t)sprintf(text + n, "-A C%d %s\n", layers - 1, end);
	ck_assert_int_eq(forwardrules__judge(text, n, &packet, &result), 0);
	free(text);
	return result.verdict;
}

START_TEST(layers_of_chains)
	{
		ck_assert_int_eq(judge_layers(400, NULL), FW_ACCEPT);
		ck_assert_int_eq(judge_layers(400, "-j DROP"), FW_DROP);
		/* a mark that is set on one way makes the other open */
		ck_assert_int_eq(judge_layers(400, "-j MARK --set-xmark 0x1"), FW_OPEN);
		ck_assert_int_eq(judge_layers(1000, NULL), FW_OPEN); /* deeper than is followed */
	}
END_TEST

/* Cut anywhere, in memory of exactly that size. */
START_TEST(torn_and_hostile)
	{
		static const char text[] = HEAD "DROP [0:0]\n" KUBE
						"-A FORWARD ! -s 1.2.3.4 -m comment --comment \"a\\\" b\" -j ACCEPT\nCOMMIT\n";
		struct fw_packet packet = { .family = 4 };
		struct fw_result result;

		for (size_t bytes = 0; bytes < sizeof(text); bytes++) {
			char *cut = malloc(bytes ? bytes : 1);

			memcpy(cut, text, bytes);
			ck_assert_int_eq(forwardrules__judge(cut, bytes, &packet, &result), 0);
			free(cut);
		}
	}
END_TEST

START_TEST(nft_chains)
	{
		static const char json[] =
			"# Warning: something\n"
			"{\"nftables\": [{\"metainfo\": {\"version\": \"1.0.6\"}},"
			"{\"chain\": {\"family\": \"ip\", \"table\": \"filter\", \"name\": \"FORWARD\", \"hook\": \"forward\", \"policy\": \"drop\"}},"
			"{\"chain\": {\"family\": \"inet\", \"table\": \"fw\", \"name\": \"fwd\", \"hook\": \"forward\", \"policy\": \"drop\"}},"
			"{\"chain\": {\"family\": \"inet\", \"table\": \"fw\", \"name\": \"in\", \"hook\": \"input\", \"policy\": \"drop\"}},"
			"{\"chain\": {\"family\": \"ip\", \"table\": \"kube-proxy\", \"name\": \"f\", \"hook\": \"forward\", \"policy\": \"accept\"}},"
			"{\"chain\": 5}, 7]}";
		char chains[2][FW_CHAIN_BYTES];
		bool kube_proxy = false;

		ck_assert_int_eq(forwardrules__nft(json, strlen(json), chains, 2, &kube_proxy), 1);
		ck_assert_str_eq(chains[0], "inet fw fwd");
		ck_assert(kube_proxy);
		for (size_t bytes = 0; bytes + 1 < sizeof(json); bytes++)
			ck_assert_int_eq(forwardrules__nft(json, bytes, chains, 2, &kube_proxy), -EBADMSG);
	}
END_TEST

START_TEST(commands)
	{
		static const char *const absent[] = { "pintle-no-such-command", NULL },
					 *const fails[] = { "ls", "/nonexistent/x", NULL },
					 *const works[] = { "echo", "a b", NULL };
		struct pintle_err err;
		size_t bytes = 0;
		char *text;

		ck_assert_int_eq(forwardrules__run(absent, &text, &bytes, &err), -ENOENT);
		ck_assert_int_eq(forwardrules__run(fails, &text, &bytes, &err), -EIO);
		ck_assert_ptr_nonnull(strstr(err.msg, "/nonexistent/x"));
		ck_assert_int_eq(forwardrules__run(works, &text, &bytes, &err), 0);
		ck_assert_str_eq(text, "a b\n");
		ck_assert_uint_eq(bytes, 4);
		free(text);
	}
END_TEST

int main(void)
{
	Suite *suite = suite_create("forwardrules");
	TCase *tcase = tcase_create("rules");
	SRunner *runner;
	int failed;

	tcase_add_test(tcase, layers_of_chains);
	tcase_add_loop_test(tcase, verdicts, 0, sizeof(cases) / sizeof(cases[0]));
	tcase_add_test(tcase, what_is_told);
	tcase_add_test(tcase, ipv6);
	tcase_add_test(tcase, torn_and_hostile);
	tcase_add_test(tcase, nft_chains);
	tcase_add_test(tcase, commands);
	tcase_set_timeout(tcase, 30);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
