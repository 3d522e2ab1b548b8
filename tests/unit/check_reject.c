// SPDX-License-Identifier: BSD-2-Clause
/* Answers to rejected packets: what RFC 9293, RFC 792 and RFC 4443 ask for, and nothing for packets that must not be answered. */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/reject.h"

#define L2 14u
#define SYN 0x02
#define RST 0x04
#define ACK 0x10

static void put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void put32(uint8_t *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p + 2, v & 0xffff);
}

static uint32_t get16(const uint8_t *p)
{
	return (uint32_t)p[0] << 8 | p[1];
}

static uint32_t get32(const uint8_t *p)
{
	return get16(p) << 16 | get16(p + 2);
}

/* Ones-complement sum, folded: 0xffff over a region with a right checksum in it. */
static uint32_t folded(uint32_t sum, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		sum += i & 1 ? p[i] : (uint32_t)p[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static struct pintle_event event_of(size_t l3_bytes)
{
	struct pintle_event e = { .type = PINTLE_EVENT_REJECT, .l3_offset = L2 };

	e.copied_bytes = (uint16_t)(L2 + l3_bytes);
	e.packet_bytes = e.copied_bytes;
	return e;
}

/* 198.51.100.7:40000 -> 10.96.0.1:81, `data` bytes behind the L4 header. */
static struct pintle_event packet4(uint8_t proto, uint8_t flags, uint32_t seq, uint32_t ack, size_t data)
{
	size_t header = proto == IPPROTO_TCP ? 20 : 8;
	struct pintle_event e = event_of(20 + header + data);
	uint8_t *ip = e.packet + L2, *l4 = ip + 20;

	ip[0] = 0x45;
	put16(ip + 2, (uint32_t)(20 + header + data));
	ip[8] = 60;
	ip[9] = proto;
	put32(ip + 12, 0xc6336407);
	put32(ip + 16, 0x0a600001);
	put16(l4, 40000);
	put16(l4 + 2, 81);
	if (proto == IPPROTO_TCP) {
		put32(l4 + 4, seq);
		put32(l4 + 8, ack);
		l4[12] = 5 << 4;
		l4[13] = flags;
	} else {
		put16(l4 + 4, (uint32_t)(8 + data));
	}
	return e;
}

static struct pintle_event packet6(uint8_t proto, uint8_t flags, size_t data)
{
	size_t header = proto == IPPROTO_TCP ? 20 : 8;
	struct pintle_event e = event_of(40 + header + data);
	uint8_t *ip = e.packet + L2, *l4 = ip + 40;

	ip[0] = 0x60;
	put16(ip + 4, (uint32_t)(header + data));
	ip[6] = proto;
	ip[7] = 60;
	memcpy(ip + 8, "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\7", 16);
	memcpy(ip + 24, "\xfd\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1", 16);
	put16(l4, 40000);
	put16(l4 + 2, 81);
	if (proto == IPPROTO_TCP) {
		l4[12] = 5 << 4;
		l4[13] = flags;
	}
	return e;
}

START_TEST(test_syn_gets_reset_that_acknowledges_it)
	{
		struct pintle_event e = packet4(IPPROTO_TCP, SYN, 1000, 0, 0);
		uint8_t out[REJECT_MAX_BYTES];
		struct ip_addr to;
		size_t bytes;

		ck_assert_int_eq(reject__build(&e, out, &bytes, &to), 0);
		ck_assert_uint_eq(bytes, 40);
		ck_assert_uint_eq(folded(0, out, 20), 0xffff);
		ck_assert_uint_eq(folded(IPPROTO_TCP + 20, out + 12, 28), 0xffff);
		ck_assert_uint_eq(get32(out + 12), 0x0a600001);
		ck_assert_uint_eq(get32(out + 16), 0xc6336407);
		ck_assert_uint_eq(get16(out + 20), 81);
		ck_assert_uint_eq(get16(out + 22), 40000);
		ck_assert_uint_eq(get32(out + 24), 0);
		ck_assert_uint_eq(get32(out + 28), 1001);
		ck_assert_uint_eq(out[33], RST | ACK);
		ck_assert_uint_eq(to.family, 4);
		ck_assert_mem_eq(to.bytes, out + 16, 4);
	}
END_TEST

START_TEST(test_reset_for_a_segment_with_ack_takes_its_number)
	{
		struct pintle_event e = packet4(IPPROTO_TCP, ACK, 5, 7777, 10);
		uint8_t out[REJECT_MAX_BYTES];
		struct ip_addr to;
		size_t bytes;

		ck_assert_int_eq(reject__build(&e, out, &bytes, &to), 0);
		ck_assert_uint_eq(get32(out + 24), 7777);
		ck_assert_uint_eq(out[33], RST);
	}
END_TEST

START_TEST(test_reset_counts_data_that_was_not_copied)
	{
		struct pintle_event e = packet4(IPPROTO_TCP, SYN, 1000, 0, 40);
		uint8_t out[REJECT_MAX_BYTES];
		struct ip_addr to;
		size_t bytes;

		put16(e.packet + L2 + 2, 20 + 20 + 1000);
		ck_assert_int_eq(reject__build(&e, out, &bytes, &to), 0);
		ck_assert_uint_eq(get32(out + 28), 1000 + 1 + 1000);
	}
END_TEST

START_TEST(test_udp_gets_port_unreachable_with_its_head)
	{
		struct pintle_event e = packet4(IPPROTO_UDP, 0, 0, 0, 5);
		uint8_t out[REJECT_MAX_BYTES];
		struct ip_addr to;
		size_t bytes;

		ck_assert_int_eq(reject__build(&e, out, &bytes, &to), 0);
		ck_assert_uint_eq(bytes, 20 + 8 + 33);
		ck_assert_uint_eq(out[9], IPPROTO_ICMP);
		ck_assert_uint_eq(out[20], 3);
		ck_assert_uint_eq(out[21], 3);
		ck_assert_uint_eq(folded(0, out, 20), 0xffff);
		ck_assert_uint_eq(folded(0, out + 20, bytes - 20), 0xffff);
		ck_assert_mem_eq(out + 28, e.packet + L2, 33);
	}
END_TEST

START_TEST(test_ipv6_answers)
	{
		struct pintle_event tcp = packet6(IPPROTO_TCP, SYN, 0), udp = packet6(IPPROTO_UDP, 0, 3);
		uint8_t out[REJECT_MAX_BYTES];
		struct ip_addr to;
		size_t bytes;

		ck_assert_int_eq(reject__build(&tcp, out, &bytes, &to), 0);
		ck_assert_uint_eq(bytes, 60);
		ck_assert_uint_eq(folded(IPPROTO_TCP + 20, out + 8, 52), 0xffff);
		ck_assert_mem_eq(out + 8, tcp.packet + L2 + 24, 16);
		ck_assert_uint_eq(to.family, 6);
		ck_assert_mem_eq(to.bytes, tcp.packet + L2 + 8, 16);
		ck_assert_int_eq(reject__build(&udp, out, &bytes, &to), 0);
		ck_assert_uint_eq(out[6], IPPROTO_ICMPV6);
		ck_assert_uint_eq(out[40], 1);
		ck_assert_uint_eq(out[41], 4);
		ck_assert_uint_eq(folded(IPPROTO_ICMPV6 + (uint32_t)(bytes - 40), out + 8, bytes - 8), 0xffff);
	}
END_TEST

START_TEST(test_never_answered)
	{
		static const uint32_t bad_sources[] = { 0, 0x7f000001, 0xe0000001, 0xffffffff };
		struct pintle_event e = packet4(IPPROTO_TCP, RST, 1, 0, 0);
		uint8_t out[REJECT_MAX_BYTES];
		struct ip_addr to;
		size_t bytes;

		ck_assert_int_eq(reject__build(&e, out, &bytes, &to), -ENOMSG);
		for (size_t i = 0; i < sizeof(bad_sources) / sizeof(*bad_sources); i++) {
			e = packet4(IPPROTO_UDP, 0, 0, 0, 0);
			put32(e.packet + L2 + 12, bad_sources[i]);
			ck_assert_int_eq(reject__build(&e, out, &bytes, &to), -ENOMSG);
		}
		e = packet6(IPPROTO_UDP, 0, 0);
		e.packet[L2 + 8] = 0xff;
		ck_assert_int_eq(reject__build(&e, out, &bytes, &to), -ENOMSG);
	}
END_TEST

/* Every truncation and length lie: refused or answered inside the bounds (the sanitizers watch). */
START_TEST(test_torn_events)
	{
		uint8_t out[REJECT_MAX_BYTES];
		struct ip_addr to;
		size_t bytes;

		for (unsigned int kind = 0; kind < 4; kind++) {
			for (unsigned int cut = 0; cut <= 200; cut++) {
				struct pintle_event e = kind & 1 ? packet4(kind & 2 ? IPPROTO_TCP : IPPROTO_UDP, SYN, 1, 0, 0)
								 : packet6(kind & 2 ? IPPROTO_TCP : IPPROTO_UDP, SYN, 0);
				int whole = e.copied_bytes;

				e.copied_bytes = (uint16_t)cut;
				bytes = 0;
				if ((int)cut < whole || cut > PINTLE_EVENT_PACKET_BYTES)
					ck_assert_int_eq(reject__build(&e, out, &bytes, &to), -EBADMSG);
				else
					reject__build(&e, out, &bytes, &to);
				ck_assert_uint_le(bytes, REJECT_MAX_BYTES);
			}
		}
		for (unsigned int i = 0; i < 20000; i++) {
			struct pintle_event e = event_of(0);

			srand(i);
			for (size_t k = 0; k < sizeof(e.packet); k++)
				e.packet[k] = (uint8_t)rand();
			e.packet[L2] = i & 1 ? 0x45 : 0x60;
			e.copied_bytes = (uint16_t)(rand() % 200);
			bytes = 0;
			reject__build(&e, out, &bytes, &to);
			ck_assert_uint_le(bytes, REJECT_MAX_BYTES);
		}
	}
END_TEST

int main(void)
{
	Suite *suite = suite_create("reject");
	TCase *tcase = tcase_create("build");
	SRunner *runner;
	int failed;

	tcase_add_test(tcase, test_syn_gets_reset_that_acknowledges_it);
	tcase_add_test(tcase, test_reset_for_a_segment_with_ack_takes_its_number);
	tcase_add_test(tcase, test_reset_counts_data_that_was_not_copied);
	tcase_add_test(tcase, test_udp_gets_port_unreachable_with_its_head);
	tcase_add_test(tcase, test_ipv6_answers);
	tcase_add_test(tcase, test_never_answered);
	tcase_add_test(tcase, test_torn_events);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
