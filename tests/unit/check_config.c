/* SPDX-License-Identifier: BSD-2-Clause */
/* The configuration file: what is read, and the message of every mistake. */
#include <check.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/buf.h"
#include "agent/config.h"

#define FRONT "frontends: [{vip: 10.0.0.1, protocol: tcp, port: 80}]"
#define PODS "pods: [{address: 10.1.0.1, port: 8080}]"
#define SERVICE(rest) "services:\n- name: a\n  " FRONT "\n  " PODS "\n" rest
#define POD(rest) "services:\n- name: a\n  " FRONT "\n  pods:\n  - address: 10.1.0.1\n    port: 8080\n" rest

static struct pintle_config *parse(const char *text)
{
	struct pintle_config *config = NULL;
	struct pintle_err err = { 0 };
	int error = config__parse("f", text, strlen(text), &config, &err);

	ck_assert_msg(!error, "%s", err.msg);
	return config;
}

START_TEST(test_everything)
	{
		struct pintle_config *c = parse(
			"# comment\n"
			"services:\n"
			"- name: shop/web\n"
			"  policy: p2c\n"
			"  delivery: redirect\n"
			"  load: open\n"
			"  slo: 250ms\n"
			"  frontends:\n"
			"  - {vip: 10.0.0.1, protocol: tcp, port: 80}\n"
			"  - {vip: '2001:db8::1', protocol: udp, port: 65535}\n"
			"  pods:\n"
			"  - {address: 10.1.0.2, port: 8080, weight: 7, concurrency: 3, state: draining, device: veth1, netns: p1, enforced: true}\n"
			"  - {address: \"fd00::2\", port: 53}\n"
			"- {name: b, frontends: [], pods: []}\n"
			"settings: {tcp_idle: 1h, tcp_half_open: 20s, udp_idle: 90s, closed: 5s, awaiting: 1m, rejects_per_second: 0, "
			"externality: 0.5}\n");
		const struct cfg_service *s = &c->services[0];
		char text[64];

		ck_assert_uint_eq(c->nr_services, 2);
		ck_assert_str_eq(s->name, "shop/web");
		ck_assert_uint_eq(s->policy, PINTLE_POLICY_P2C);
		ck_assert_uint_eq(s->delivery, DELIVERY_REDIRECT);
		ck_assert(s->load_open);
		ck_assert_uint_eq(s->slo_ms, 250);
		ck_assert_int_eq(s->line, 3);
		ck_assert_uint_eq(s->nr_frontends, 2);
		ck_assert_uint_eq(s->frontends[0].proto, IPPROTO_TCP);
		ck_assert_uint_eq(s->frontends[1].proto, IPPROTO_UDP);
		ck_assert_uint_eq(s->frontends[1].port, 65535);
		ck_assert_int_eq(s->frontends[1].line, 10);
		ip_addr__format(&s->frontends[1].addr, text, sizeof(text));
		ck_assert_str_eq(text, "2001:db8::1");
		ck_assert_uint_eq(s->nr_pods, 2);
		ck_assert_uint_eq(s->pods[0].weight, 7);
		ck_assert_uint_eq(s->pods[0].concurrency, 3);
		ck_assert_uint_eq(s->pods[0].state, POD_DRAINING);
		ck_assert(s->pods[0].enforced);
		ck_assert_str_eq(s->pods[0].device, "veth1");
		ck_assert_str_eq(s->pods[0].netns, "p1");
		ck_assert_uint_eq(c->tcp_idle_s, 3600);
		ck_assert_uint_eq(c->tcp_half_open_s, 20);
		ck_assert_uint_eq(c->udp_idle_s, 90);
		ck_assert_uint_eq(c->closed_s, 5);
		ck_assert_uint_eq(c->awaiting_s, 60);
		ck_assert_uint_eq(c->rejects_per_s, 0);
		ck_assert_double_eq(c->externality, 0.5);
		config__free(c);
	}
END_TEST

START_TEST(test_defaults)
	{
		struct pintle_config *c = parse(SERVICE(""));
		const struct cfg_service *s = &c->services[0];

		ck_assert_uint_eq(s->policy, PINTLE_POLICY_SCORE);
		ck_assert_uint_eq(s->delivery, DELIVERY_PASS);
		ck_assert(!s->load_open);
		ck_assert_uint_eq(s->slo_ms, 0);
		ck_assert_uint_eq(s->pods[0].weight, 100);
		ck_assert_uint_eq(s->pods[0].concurrency, 1);
		ck_assert_uint_eq(s->pods[0].state, POD_ACTIVE);
		ck_assert(!s->pods[0].enforced);
		ck_assert_str_eq(s->pods[0].device, "");
		ck_assert_ptr_null(s->pods[0].netns);
		ck_assert_uint_eq(c->tcp_idle_s, 7200);
		ck_assert_uint_eq(c->tcp_half_open_s, 30);
		ck_assert_uint_eq(c->udp_idle_s, 60);
		ck_assert_uint_eq(c->closed_s, 10);
		ck_assert_uint_eq(c->awaiting_s, 120);
		ck_assert_uint_eq(c->agent_absence_s, 300);
		ck_assert_uint_eq(c->rejects_per_s, 100);
		ck_assert_double_eq(c->externality, 1.0);
		config__free(c);
	}
END_TEST

/* JSON with tabs, without blanks, with escapes and a byte order mark. */
START_TEST(test_json)
	{
		static const char *const texts[] = {
			"{\n\t\"services\": [\n\t\t{\n\t\t\t\"name\": \"a\\u0062\\/c\",\n\t\t\t\"frontends\":\t[],\n\t\t\t\"pods\": []\n\t\t}\n\t]\n}\n",
			"{\"services\":[{\"name\":\"ab/c\",\"frontends\":[],\"pods\":[]}]}",
			"\xef\xbb\xbf{\"services\": [{\"name\": \"ab/c\", \"frontends\": [], \"pods\": []}]}",
			"services:\r\n- name: ab/c\r\n  frontends: []\r\n  pods: []\r\n",
			"---\nservices:\n- name: ab/c\n  frontends: []\n  pods: []\n...\n",
		};
		struct pintle_config *c = parse(texts[_i]);

		ck_assert_uint_eq(c->nr_services, 1);
		ck_assert_str_eq(c->services[0].name, "ab/c");
		config__free(c);
	}
END_TEST

struct mistake {
	const char *text;
	const char *message;
};

static const struct mistake mistakes[] = {
	/* the document */
	{ "", "f:1: the file is empty; write \"services: []\" for no services" },
	{ "# only a comment\n", "f:2: the file is empty; write \"services: []\" for no services" },
	{ "---\n", "f:2: the file is empty; write \"services: []\" for no services" },
	{ "settings: {}\n", "f:1: key \"services\" is missing" },
	{ "- a\n", "f:1: expected a mapping (key: value), found a list" },
	{ "hello\n", "f:1: expected a mapping (key: value), found a single value" },
	{ "services: []\n---\nservices: []\n", "f:2: a second YAML document begins here; only one is read" },
	{ "services: [\n", "f:2: not YAML: did not find expected node content (column 1)" },
	{ "services:\n\t- a\n",
	  "f:2: not YAML: found character that cannot start any token (column 1); indent with blanks, not tabs, and quote "
	  "text that begins with a special character" },
	{ "services:\n- name: b: c\n",
	  "f:2: not YAML: mapping values are not allowed in this context (column 10); text with a colon, such as an IPv6 address, "
	  "may need quotes" },
	{ "\xff\xfe\n", "f:1: not UTF-8 text: invalid leading UTF-8 octet (byte 0)" },
	{ "services: []\n# \xc3\x28\n", "f:2: not UTF-8 text: invalid trailing UTF-8 octet (byte 16)" },
	{ "services: []\n\x01\n", "f:2: not UTF-8 text: control characters are not allowed (byte 13)" },
	/* keys */
	{ "servces: []\n", "f:1: unknown key \"servces\"; did you mean \"services\"?" },
	{ "zzz: []\n", "f:1: unknown key \"zzz\"; valid keys are services, settings, learning" },
	{ "services: []\nservices: []\n", "f:2: key \"services\" stands here twice (first in line 1)" },
	{ "? [a]\n: b\n", "f:1: expected a key, found a list" },
	{ "\"a\\0b\": c\n", "f:1: a key holds a NUL character" },
	{ SERVICE("  polcy: rr\n"), "f:5: services[0]: unknown key \"polcy\"; did you mean \"policy\"?" },
	{ SERVICE("  name: b\n"), "f:5: services[0]: key \"name\" stands here twice (first in line 2)" },
	{ POD("    adress: x\n"), "f:7: services[0].pods[0]: unknown key \"adress\"; did you mean \"address\"?" },
	{ "services:\n- " FRONT "\n  " PODS "\n", "f:2: services[0]: key \"name\" is missing" },
	{ "services:\n- name: a\n  " PODS "\n", "f:2: services[0]: key \"frontends\" is missing" },
	{ "services:\n- name: a\n  " FRONT "\n", "f:2: services[0]: key \"pods\" is missing" },
	{ "services:\n- name: a\n  " FRONT "\n  pods:\n  - port: 1\n", "f:5: services[0].pods[0]: key \"address\" is missing" },
	/* YAML that is not supported */
	{ "services: &x []\n", "f:1: services: anchors (&x) are not supported" },
	{ "services: *x\n", "f:1: services: aliases (*x) are not supported; write the value out" },
	{ "services: !!seq []\n", "f:1: services: tags (tag:yaml.org,2002:seq) are not supported" },
	{ SERVICE("  <<: {policy: rr}\n"),
	  "f:5: services[0]: unknown key \"<<\"; valid keys are name, policy, delivery, load, learning, slo, frontends, pods" },
	/* types */
	{ "services: {}\n", "f:1: services: expected a list, found a mapping" },
	{ "services:\n", "f:1: services: expected a list, found nothing" },
	{ "services: [[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]\n",
	  "f:1: services[0]: expected a mapping (key: value), found a list" },
	{ "services: [{name: 12}]\n",
	  "f:1: services[0].name: expected text, found a number; write \"12\" in quotes if it is meant" },
	{ "services: [{name: true}]\n",
	  "f:1: services[0].name: expected text, found true or false; write \"true\" in quotes if it is meant" },
	{ "services: [{name: ~}]\n", "f:1: services[0].name: expected text, found nothing" },
	{ "services: [{name: [a]}]\n", "f:1: services[0].name: expected text, found a list" },
	{ "services: [{name: {a: b}}]\n", "f:1: services[0].name: expected text, found a mapping" },
	{ "services: [{name: \"a\\0b\"}]\n", "f:1: services[0].name: the value holds a NUL character" },
	{ "services: [{name: 'a b'}]\n", "f:1: services[0].name: \"a b\" is not a name (1 to 253 of A-Z a-z 0-9 . _ / -)" },
	{ "services: [{name: ''}]\n", "f:1: services[0].name: \"\" is not a name (1 to 253 of A-Z a-z 0-9 . _ / -)" },
	/* values */
	{ SERVICE("  policy: scor\n"), "f:5: services[0].policy: unknown value \"scor\"; did you mean \"score\"?" },
	{ SERVICE("  policy: fastest\n"),
	  "f:5: services[0].policy: unknown value \"fastest\"; valid values are score, leastconn, rr, maglev, weighted, p2c" },
	{ SERVICE("  delivery: peer\n"), "f:5: services[0].delivery: unknown value \"peer\"; valid values are pass, redirect" },
	{ SERVICE("  load: opn\n"), "f:5: services[0].load: unknown value \"opn\"; did you mean \"open\"?" },
	{ SERVICE("  slo: 250\n"), "f:5: services[0].slo: \"250\" has no unit; write 250ms or 250s" },
	{ SERVICE("  slo: 10us\n"), "f:5: services[0].slo: \"10us\" is finer than 1ms" },
	{ SERVICE("  slo: 0ms\n"), "f:5: services[0].slo: 0ms is out of range; 1ms to 3600000ms" },
	{ SERVICE("  slo: 1.5s\n"),
	  "f:5: services[0].slo: \"1.5s\" is not a time; whole numbers with a unit of ns, us, ms, s, m, h" },
	{ SERVICE("  slo: soon\n"),
	  "f:5: services[0].slo: \"soon\" is not a time; write a whole number and a unit, as in 250ms, 10s, 5m" },
	{ SERVICE("  slo: 99999999999999999999h\n"), "f:5: services[0].slo: \"99999999999999999999h\" is too long a time" },
	{ SERVICE("  slo: 9999999999h\n"), "f:5: services[0].slo: \"9999999999h\" is too long a time" },
	{ POD("    weight: 65536\n"), "f:7: services[0].pods[0].weight: 65536 is out of range; 0 to 65535" },
	{ POD("    weight: -1\n"), "f:7: services[0].pods[0].weight: expected a whole number from 0 to 65535, found \"-1\"" },
	{ POD("    weight: 010\n"), "f:7: services[0].pods[0].weight: expected a whole number from 0 to 65535, found \"010\"" },
	{ POD("    weight: 1e3\n"), "f:7: services[0].pods[0].weight: expected a whole number from 0 to 65535, found \"1e3\"" },
	{ POD("    weight: \"10\"\n"),
	  "f:7: services[0].pods[0].weight: expected a whole number from 0 to 65535, found text in quotes: \"10\"" },
	{ POD("    weight: 99999999999999999999999\n"),
	  "f:7: services[0].pods[0].weight: 99999999999999999999999 is out of range; 0 to 65535" },
	{ POD("    concurrency: 0\n"), "f:7: services[0].pods[0].concurrency: 0 is out of range; 1 to 65535" },
	{ POD("    enforced: yes\n"), "f:7: services[0].pods[0].enforced: expected true or false, found \"yes\"" },
	{ POD("    enforced: 1\n"), "f:7: services[0].pods[0].enforced: expected true or false, found \"1\"" },
	{ POD("    state: drained\n"),
	  "f:7: services[0].pods[0].state: unknown value \"drained\"; did you mean \"draining\"?" },
	{ POD("    device: a/b\n"),
	  "f:7: services[0].pods[0].device: \"a/b\" is not a device name (1 to 15 characters, no '/', ':' or blanks)" },
	{ POD("    device: abcdefghijklmnop\n"),
	  "f:7: services[0].pods[0].device: \"abcdefghijklmnop\" is not a device name (1 to 15 characters, no '/', ':' or blanks)" },
	{ POD("    netns: a/b\n"),
	  "f:7: services[0].pods[0].netns: \"a/b\" is neither the name of a network namespace (as in /run/netns) nor an "
	  "absolute path" },
	{ "services: [{name: a, frontends: [{vip: 10.0.0.256, protocol: tcp, port: 1}]}]",
	  "f:1: services[0].frontends[0].vip: \"10.0.0.256\" is not an IPv4 or IPv6 address (no names, prefixes, ports or zones)" },
	{ "services: [{name: a, frontends: [{vip: 10.0.0.1/32, protocol: tcp, port: 1}]}]",
	  "f:1: services[0].frontends[0].vip: \"10.0.0.1/32\" is not an IPv4 or IPv6 address (no names, prefixes, ports or zones)" },
	{ "services: [{name: a, frontends: [{vip: 10.0.0.1, protocol: sctp, port: 1}]}]",
	  "f:1: services[0].frontends[0].protocol: unknown value \"sctp\"; valid values are tcp, udp" },
	{ "services: [{name: a, frontends: [{vip: 10.0.0.1, protocol: tcp, port: 0}]}]",
	  "f:1: services[0].frontends[0].port: 0 is out of range; 1 to 65535" },
	/* settings */
	{ SERVICE("settings: {tcp_idl: 1s}\n"), "f:5: settings: unknown key \"tcp_idl\"; did you mean \"tcp_idle\"?" },
	{ SERVICE("settings: {tcp_idle: 5h}\n"), "f:5: settings.tcp_idle: 5h is out of range; 64s to 14400s" },
	{ SERVICE("settings: {udp_idle: 1500ms}\n"), "f:5: settings.udp_idle: \"1500ms\" is finer than 1s" },
	{ SERVICE("settings: {rejects_per_second: 100001}\n"),
	  "f:5: settings.rejects_per_second: 100001 is out of range; 0 to 100000" },
	{ SERVICE("settings: {externality: 2.01}\n"), "f:5: settings.externality: 2.01 is out of range; 0 to 2" },
	{ SERVICE("settings: {externality: .nan}\n"),
	  "f:5: settings.externality: expected a number from 0 to 2, found \".nan\"" },
	{ SERVICE("settings: {externality: 0x1}\n"),
	  "f:5: settings.externality: expected a number from 0 to 2, found \"0x1\"" },
	{ SERVICE("settings:\n"), "f:5: settings: expected a mapping (key: value), found nothing" },
	/* the whole */
	{ "services:\n- {name: a, frontends: [], pods: []}\n- {name: b, frontends: [], pods: []}\n- {name: a, frontends: [], pods: []}\n",
	  "f:4: services[2].name: \"a\" is also the name of services[0] (line 2)" },
	{ SERVICE("- name: b\n  " FRONT "\n  pods: []\n"),
	  "f:6: services[1].frontends[0]: 10.0.0.1 port 80/tcp is already a frontend of service \"a\" (line 3)" },
	{ POD("  - {address: 10.1.0.1, port: 8080}\n"),
	  "f:7: services[0].pods[1]: 10.1.0.1 port 8080 is already a pod of this service (line 5)" },
	{ "services: [{name: a, frontends: [{vip: '2001:db8::1', protocol: tcp, port: 80}], " PODS "}]",
	  "f:1: services[0].frontends[0]: service \"a\" has no IPv6 pod for this IPv6 frontend" },
	{ POD("    weight: 0\n"), "f:2: services[0].pods: every weight is 0; at least one pod must take new flows" },
	{ "services: [{name: a, frontends: [{vip: 127.0.0.1, protocol: tcp, port: 80}], pods: []}]",
	  "f:1: services[0].frontends[0].vip: 127.0.0.1 is a loopback address" },
	{ "services: [{name: a, frontends: [{vip: 224.0.0.1, protocol: udp, port: 80}], pods: []}]",
	  "f:1: services[0].frontends[0].vip: 224.0.0.1 is a multicast or reserved address" },
	{ "services: [{name: a, frontends: [{vip: '::ffff:10.0.0.1', protocol: udp, port: 80}], pods: []}]",
	  "f:1: services[0].frontends[0].vip: ::ffff:10.0.0.1 is an IPv4 address in IPv6 form; write it as IPv4" },
	{ "services: [{name: a, frontends: [{vip: 'fe80::1', protocol: udp, port: 80}], pods: []}]",
	  "f:1: services[0].frontends[0].vip: fe80::1 is a link-local address" },
	{ "services: [{name: a, frontends: [], pods: [{address: '::', port: 1}]}]",
	  "f:1: services[0].pods[0].address: :: is the unspecified address" },
	{ POD("- name: b\n  frontends: []\n  pods:\n  - {address: 10.1.0.1, port: 8080, device: other}\n"),
	  "f:10: services[1].pods[0]: 10.1.0.1 port 8080 has another device, netns or enforced than in line 5" },
	{ "services: []\nlearning: {holdout: 26, canary: 50}\n",
	  "f:2: learning.canary: 50 with learning.holdout 26 leaves 24 percent for production; together at most 75" },
};

START_TEST(test_mistake)
	{
		const struct mistake *m = &mistakes[_i];
		struct pintle_config *config = NULL;
		struct pintle_err err = { 0 };

		ck_assert_int_eq(config__parse("f", m->text, strlen(m->text), &config, &err), -EINVAL);
		ck_assert_ptr_null(config);
		ck_assert_int_eq(err.code, -EINVAL);
		ck_assert_str_eq(err.msg, m->message);
		/* No story wanted. */
		ck_assert_int_eq(config__parse("f", m->text, strlen(m->text), &config, NULL), -EINVAL);
	}
END_TEST

START_TEST(test_nul_byte)
	{
		static const char text[] = "services: []\n\0\n";
		struct pintle_config *config = NULL;
		struct pintle_err err = { 0 };

		ck_assert_int_eq(config__parse("f", text, sizeof(text) - 1, &config, &err), -EINVAL);
		ck_assert_str_eq(err.msg, "f:2: not UTF-8 text: control characters are not allowed (byte 13)");
	}
END_TEST

/* Every beginning of a valid file either is an error or a configuration; nothing leaks (ASan). */
START_TEST(test_torn)
	{
		static const char text[] = POD("    state: down\n    netns: x\nsettings: {externality: 1.5}\n");
		struct pintle_config *config;
		size_t bytes;

		for (bytes = 0; bytes < sizeof(text); bytes++) {
			struct pintle_err err = { 0 };

			if (!config__parse("f", text, bytes, &config, &err))
				config__free(config);
			else
				ck_assert_str_ne(err.msg, "");
		}
	}
END_TEST

/* n services of one pod and one frontend each; or one service. */
static struct pintle_config *generated(unsigned int nr_services, unsigned int nr_frontends, bool one_pod,
				       struct pintle_err *err)
{
	struct pintle_config *config = NULL;
	struct buf text = { 0 };
	unsigned int i, j;

	buf__puts(&text, "services:\n");
	for (i = 0; i < nr_services; i++) {
		buf__printf(&text, "- name: s%u\n  frontends:\n", i);
		for (j = 0; j < nr_frontends; j++) {
			unsigned int n = i * nr_frontends + j;

			buf__printf(&text, "  - {vip: 10.%u.%u.%u, protocol: tcp, port: 80}\n", n >> 16, n >> 8 & 255, n & 255);
		}
		buf__printf(&text, "  pods: [{address: 10.200.%u.%u, port: 80}]\n", one_pod ? 0 : i >> 8,
			    one_pod ? 1 : i & 255);
	}
	config__parse("f", text.data, text.len, &config, err);
	buf__free(&text);
	return config;
}

START_TEST(test_siblings)
	{
		struct pintle_err err = { 0 };
		struct pintle_config *config = generated(1, PINTLE_MAX_SIBLINGS, true, &err);

		ck_assert_msg(config != NULL, "%s", err.msg);
		config__free(config);
		ck_assert_ptr_null(generated(1, PINTLE_MAX_SIBLINGS + 1, true, &err));
		ck_assert_str_eq(
			err.msg,
			"f:18: services[0].pods[0]: more than 13 frontends lead to 10.200.0.1 port 80; give the rest another pod port");
		/* Over several services too. */
		ck_assert_ptr_null(generated(PINTLE_MAX_SIBLINGS + 1, 1, true, &err));
		ck_assert_ptr_nonnull(strstr(err.msg, "services[13].pods[0]: more than 13 frontends"));
	}
END_TEST

START_TEST(test_limits)
	{
		struct pintle_err err = { 0 };
		struct pintle_config *config = generated(PINTLE_MAX_FRONTENDS, 1, false, &err);

		ck_assert_msg(config != NULL, "%s", err.msg);
		config__free(config);
		ck_assert_ptr_null(generated(PINTLE_MAX_FRONTENDS + 1, 1, false, &err));
		ck_assert_str_eq(err.msg, "f: services: 16385 (a service with IPv4 and IPv6 counts twice); at most 16384");
		ck_assert_ptr_null(generated(8193, 2, false, &err));
		ck_assert_str_eq(err.msg, "f: services: 16386 frontends in all; at most 16384");
	}
END_TEST

/* 65536 pods fit, 65537 do not; also 64k pods of which two are the same are found (by sorting, within the time limit). */
START_TEST(test_many_pods)
	{
		struct pintle_config *config = NULL;
		struct pintle_err err = { 0 };
		struct buf text = { 0 };
		unsigned int i;

		buf__puts(&text, "services:\n");
		for (i = 0; i < PINTLE_MAX_PODS; i++) {
			if (!(i % 16384))
				buf__printf(&text, "- name: s%u\n  frontends: []\n  pods:\n", i);
			buf__printf(&text, "  - {address: 10.1.%u.%u, port: 80}\n", i >> 8, i & 255);
		}
		ck_assert_int_eq(config__parse("f", text.data, text.len, &config, &err), 0);
		config__free(config);
		buf__puts(&text, "  - {address: 10.2.0.0, port: 80}\n");
		ck_assert_int_eq(config__parse("f", text.data, text.len, &config, &err), -EINVAL);
		ck_assert_str_eq(err.msg, "f: services: 65537 different pods; at most 65536");
		buf__puts(&text, "  - {address: 10.1.255.255, port: 80}\n");
		ck_assert_int_eq(config__parse("f", text.data, text.len, &config, &err), -EINVAL);
		ck_assert_ptr_nonnull(strstr(err.msg, "10.1.255.255 port 80 is already a pod of this service"));
		buf__free(&text);
	}
END_TEST

/* A source that builds its own configuration has no lines; its mistakes are found all the same. */
START_TEST(test_validate_built)
	{
		struct cfg_frontend frontend = { .proto = IPPROTO_TCP };
		struct cfg_service service = { .name = (char *)"a", .frontends = &frontend, .nr_frontends = 1 };
		struct pintle_config config = { .services = &service, .nr_services = 1 };
		struct pintle_err err = { 0 };

		ck_assert_int_eq(config__validate("api", &config, &err), -EINVAL);
		ck_assert_str_eq(err.msg, "api: settings.tcp_idle: 0 is out of range; 64 to 14400");
		config__set_defaults(&config);
		ck_assert_int_eq(config__validate("api", &config, &err), -EINVAL);
		ck_assert_str_eq(err.msg, "api: services[0].frontends[0].vip: ? is of no address family");
		ck_assert_int_eq(ip_addr__parse("10.0.0.1", &frontend.addr), 0);
		ck_assert_int_eq(config__validate("api", &config, &err), -EINVAL);
		ck_assert_str_eq(err.msg, "api: services[0].frontends[0].port: 0 is out of range; 1 to 65535");
		frontend.port = 80;
		ck_assert_int_eq(config__validate("api", &config, &err), 0);
		config.learning.holdout = 50;
		config.learning.canary = 26;
		ck_assert_int_eq(config__validate("api", &config, &err), -EINVAL);
		config.learning.canary = 25;
		ck_assert_int_eq(config__validate("api", &config, &err), 0);
		service.name = (char *)"a b";
		ck_assert_int_eq(config__validate("api", &config, &err), -EINVAL);
		service.name = NULL;
		ck_assert_int_eq(config__validate("api", &config, &err), -EINVAL);
	}
END_TEST

START_TEST(test_files)
	{
		char path[] = "/tmp/pintle-config-XXXXXX";
		int fd = mkstemp(path);
		struct pintle_config *config = NULL;
		struct pintle_err err = { 0 };
		static const char text[] = SERVICE("");

		ck_assert_int_ge(fd, 0);
		ck_assert_int_eq(write(fd, text, sizeof(text) - 1), sizeof(text) - 1);
		ck_assert_int_eq(config__load_file(path, sizeof(text) - 1, &config, &err), 0);
		config__free(config);
		ck_assert_int_eq(config__load_file(path, sizeof(text) - 2, &config, &err), -EFBIG);
		ck_assert_ptr_nonnull(strstr(err.msg, "at most"));
		ck_assert_int_eq(unlink(path), 0);
		ck_assert_int_eq(config__load_file(path, 100, &config, &err), -ENOENT);
		ck_assert_int_eq(config__load_file("/tmp", 100000, &config, &err), -EINVAL);
		ck_assert_str_eq(err.msg, "/tmp: is not a regular file");
		close(fd);
	}
END_TEST

START_TEST(test_addresses)
	{
		static const char *const good[] = { "10.0.0.1", "255.255.255.255", "2001:db8::1", "::", "fe80::1" };
		static const char *const bad[] = { "",	  "10.0.0",	"10.0.0.1 ", "010.0.0.1", "1.2.3.4.5", "fe80::1%eth0",
						   ":::", "10.0.0.1/8", "localhost" };
		struct ip_addr a, b;
		char text[64];
		size_t i;

		for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
			ck_assert_int_eq(ip_addr__parse(good[i], &a), 0);
			ip_addr__format(&a, text, sizeof(text));
			ck_assert_str_eq(text, good[i]);
		}
		for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
			ck_assert_int_eq(ip_addr__parse(bad[i], &a), -EINVAL);
		ck_assert_int_eq(ip_addr__parse("10.0.0.1", &a), 0);
		ck_assert_int_eq(ip_addr__parse("a00:1::", &b), 0);
		ck_assert(!ip_addr__equal(&a, &b));
		ip_addr__format(&a, text, 5);
		ck_assert_str_eq(text, "10.0");
		for (i = 0; i < PINTLE_POLICY_MAX; i++)
			ck_assert_int_eq(policy_by_name(policy_name((unsigned int)i)), (int)i);
		ck_assert_int_eq(policy_by_name("?"), -EINVAL);
		ck_assert_str_eq(policy_name(99), "?");
	}
END_TEST

int main(void)
{
	Suite *suite = suite_create("config");
	TCase *tc = tcase_create("parse");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(tc, 30);
	tcase_add_test(tc, test_everything);
	tcase_add_test(tc, test_defaults);
	tcase_add_loop_test(tc, test_json, 0, 5);
	tcase_add_loop_test(tc, test_mistake, 0, sizeof(mistakes) / sizeof(mistakes[0]));
	tcase_add_test(tc, test_nul_byte);
	tcase_add_test(tc, test_torn);
	tcase_add_test(tc, test_siblings);
	tcase_add_test(tc, test_limits);
	tcase_add_test(tc, test_many_pods);
	tcase_add_test(tc, test_validate_built);
	tcase_add_test(tc, test_files);
	tcase_add_test(tc, test_addresses);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
