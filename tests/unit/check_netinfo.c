// SPDX-License-Identifier: BSD-2-Clause
/* The cache's hash map against a plain array, and rtnetlink messages: whole, torn at every byte, with attributes of the wrong size. */
#include <check.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "agent/netinfo_map.h"
#include "agent/netinfo_msg.h"

#define KEYS 500

struct item {
	uint64_t key;
	uint64_t value;
};

static uint32_t next_random(uint32_t *state)
{
	*state = *state * 1664525u + 1013904223u;
	return *state >> 8;
}

START_TEST(map_equals_array)
	{
		uint64_t model[KEYS] = { 0 }; /* value, 0 = absent */
		struct netmap map;
		uint32_t state = 7, used = 0;

		netmap__init(&map, sizeof(uint64_t), sizeof(struct item), KEYS, (uint64_t)_i * 0x9e3779b9u);
		for (uint32_t step = 1; step <= 20000; step++) {
			uint64_t key = next_random(&state) % KEYS;
			struct item *item;
			bool made;

			/* Fills up, then empties, and again. */
			if (next_random(&state) % 100 < (step / 2000 % 2 ? 20u : 80u)) {
				item = netmap__put(&map, &key, &made);
				ck_assert_ptr_nonnull(item);
				ck_assert(made == (model[key] == 0));
				ck_assert_uint_eq(item->value, model[key]);
				used += made;
				item->value = model[key] = step;
			} else {
				ck_assert(netmap__del(&map, &key) == (model[key] != 0));
				used -= model[key] != 0;
				model[key] = 0;
			}
			ck_assert_uint_eq(map.used, used);
		}
		for (uint64_t key = 0; key < KEYS; key++) {
			struct item *item = netmap__get(&map, &key);

			ck_assert_uint_eq(item ? item->value : 0, model[key]);
		}
		for (uint32_t pos = 0; netmap__next(&map, &pos);)
			used--;
		ck_assert_uint_eq(used, 0);
		netmap__clear(&map);
		ck_assert_ptr_null(netmap__get(&map, &(uint64_t){ 1 }));
	}
END_TEST

START_TEST(map_is_bounded)
	{
		struct netmap map;
		bool made;

		netmap__init(&map, sizeof(uint64_t), sizeof(struct item), 3, 1);
		for (uint64_t key = 0; key < 3; key++)
			ck_assert_ptr_nonnull(netmap__put(&map, &key, &made));
		ck_assert_ptr_null(netmap__put(&map, &(uint64_t){ 9 }, &made));
		ck_assert_ptr_nonnull(netmap__put(&map, &(uint64_t){ 2 }, &made));
		ck_assert(!made);
		ck_assert(netmap__del(&map, &(uint64_t){ 0 }));
		ck_assert_ptr_nonnull(netmap__put(&map, &(uint64_t){ 9 }, &made));
		netmap__clear(&map);
	}
END_TEST

static uint8_t buf[4096] __attribute__((aligned(8)));
static const uint8_t mac_a[6] = { 2, 0, 0, 0, 0, 0xa };

static struct nlmsghdr *make_link(void)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct ifinfomsg *ifi;
	struct nlattr *nest;

	nlh->nlmsg_type = RTM_NEWLINK;
	ifi = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifi));
	ifi->ifi_index = 7;
	ifi->ifi_flags = IFF_UP;
	mnl_attr_put_strz(nlh, IFLA_IFNAME, "veth7");
	mnl_attr_put_u32(nlh, IFLA_MTU, 1450);
	mnl_attr_put_u32(nlh, IFLA_LINK, 3);
	mnl_attr_put_u32(nlh, IFLA_LINK_NETNSID, 5);
	mnl_attr_put_u32(nlh, IFLA_MASTER, 9);
	mnl_attr_put(nlh, IFLA_ADDRESS, 6, mac_a);
	nest = mnl_attr_nest_start(nlh, IFLA_LINKINFO);
	mnl_attr_put_strz(nlh, IFLA_INFO_KIND, "veth");
	mnl_attr_nest_end(nlh, nest);
	nest = mnl_attr_nest_start(nlh, IFLA_XDP);
	mnl_attr_put_u32(nlh, IFLA_XDP_PROG_ID, 42);
	mnl_attr_nest_end(nlh, nest);
	return nlh;
}

START_TEST(link_is_read)
	{
		struct msg_link msg;

		ck_assert_int_eq(netmsg__link(make_link(), &msg), 0);
		ck_assert_uint_eq(msg.link.ifindex, 7);
		ck_assert_str_eq(msg.link.name, "veth7");
		ck_assert_str_eq(msg.link.kind, "veth");
		ck_assert_uint_eq(msg.link.mtu, 1450);
		ck_assert_uint_eq(msg.link.peer_ifindex, 3);
		ck_assert_int_eq(msg.link.peer_nsid, 5);
		ck_assert_uint_eq(msg.link.master, 9);
		ck_assert_uint_eq(msg.link.xdp_prog_id, 42);
		ck_assert(msg.link.is_up && !msg.is_noarp);
		ck_assert_mem_eq(msg.link.mac, mac_a, 6);
	}
END_TEST

/* A message cut anywhere, in memory of exactly that size (so that the sanitizer sees a read behind it), is refused or read in part. */
static void cut_everywhere(const struct nlmsghdr *nlh, int (*parse)(const struct nlmsghdr *nlh))
{
	for (uint32_t bytes = NLMSG_HDRLEN; bytes <= nlh->nlmsg_len; bytes++) {
		struct nlmsghdr *cut = malloc(bytes);

		ck_assert_ptr_nonnull(cut);
		memcpy(cut, nlh, bytes);
		cut->nlmsg_len = bytes;
		parse(cut);
		free(cut);
	}
}

/* Every length field of an attribute set to every small value and to the largest. */
static void lie_everywhere(const struct nlmsghdr *nlh, uint32_t first, int (*parse)(const struct nlmsghdr *nlh))
{
	for (uint32_t at = first; at + 2 <= nlh->nlmsg_len; at += 2) {
		for (uint32_t value = 0; value < 70; value++) {
			struct nlmsghdr *lie = malloc(nlh->nlmsg_len);
			uint16_t word = (uint16_t)(value < 64 ? value : 0xffffu >> (value - 64));

			ck_assert_ptr_nonnull(lie);
			memcpy(lie, nlh, nlh->nlmsg_len);
			memcpy((uint8_t *)lie + at, &word, sizeof(word));
			parse(lie);
			free(lie);
		}
	}
}

static int parse_link(const struct nlmsghdr *nlh)
{
	struct msg_link msg;
	int ret = netmsg__link(nlh, &msg);

	ck_assert(ret == 0 || ret == -EBADMSG);
	if (ret == 0) {
		ck_assert_uint_lt(strnlen(msg.link.name, sizeof(msg.link.name)), sizeof(msg.link.name));
		ck_assert_uint_lt(strnlen(msg.link.kind, sizeof(msg.link.kind)), sizeof(msg.link.kind));
	}
	return ret;
}

START_TEST(link_torn)
	{
		cut_everywhere(make_link(), parse_link);
		lie_everywhere(make_link(), NLMSG_HDRLEN, parse_link);
	}
END_TEST

START_TEST(link_wrong_sizes)
	{
		struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
		struct ifinfomsg *ifi;
		struct msg_link msg;
		char name[64];

		memset(name, 'x', sizeof(name));
		nlh->nlmsg_type = RTM_NEWLINK;
		ifi = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifi));
		ifi->ifi_index = 1;
		mnl_attr_put(nlh, IFLA_IFNAME, sizeof(name), name); /* neither short nor ended */
		mnl_attr_put_u8(nlh, IFLA_MTU, 9);
		mnl_attr_put(nlh, IFLA_ADDRESS, 20, name); /* as of an InfiniBand device */
		ck_assert_int_eq(netmsg__link(nlh, &msg), 0);
		ck_assert_uint_eq(strlen(msg.link.name), sizeof(msg.link.name) - 1);
		ck_assert_uint_eq(msg.link.mtu, 0);
		ck_assert_mem_eq(msg.link.mac, ((uint8_t[6]){ 0 }), 6);
		ifi->ifi_index = 0;
		ck_assert_int_eq(netmsg__link(nlh, &msg), -EBADMSG);
		ifi->ifi_index = -5;
		ck_assert_int_eq(netmsg__link(nlh, &msg), -EBADMSG);
		nlh->nlmsg_type = RTM_NEWADDR;
		ck_assert_int_eq(netmsg__link(nlh, &msg), -EBADMSG);
	}
END_TEST

static struct nlmsghdr *make_neigh(uint8_t family)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct ndmsg *ndm;
	uint8_t addr[16] = { 10, 1, 2, 3, 5 };

	nlh->nlmsg_type = RTM_NEWNEIGH;
	ndm = mnl_nlmsg_put_extra_header(nlh, sizeof(*ndm));
	ndm->ndm_family = family;
	ndm->ndm_ifindex = 4;
	ndm->ndm_state = NUD_REACHABLE;
	mnl_attr_put(nlh, NDA_LLADDR, 6, mac_a);
	if (family == AF_BRIDGE) {
		mnl_attr_put_u32(nlh, NDA_MASTER, 11);
		mnl_attr_put_u16(nlh, NDA_VLAN, 12);
	} else {
		mnl_attr_put(nlh, NDA_DST, family == AF_INET ? 4 : 16, addr);
	}
	return nlh;
}

static int parse_neigh(const struct nlmsghdr *nlh)
{
	struct msg_neigh msg;

	return netmsg__neigh(nlh, &msg);
}

START_TEST(neigh_is_read)
	{
		static const uint8_t families[] = { AF_INET, AF_INET6, AF_BRIDGE };
		uint8_t family = families[_i];
		struct msg_neigh msg;

		ck_assert_int_eq(netmsg__neigh(make_neigh(family), &msg), 0);
		ck_assert_uint_eq(msg.ifindex, 4);
		ck_assert(msg.has_mac);
		ck_assert_mem_eq(msg.mac, mac_a, 6);
		if (family == AF_BRIDGE) {
			ck_assert_uint_eq(msg.master, 11);
			ck_assert_uint_eq(msg.vlan, 12);
		} else {
			ck_assert_uint_eq(msg.addr.family, family == AF_INET ? 4 : 6);
			ck_assert_uint_eq(msg.addr.bytes[3], 3);
			ck_assert_uint_eq(msg.addr.bytes[4], family == AF_INET ? 0 : 5);
		}
		cut_everywhere(make_neigh(family), parse_neigh);
		lie_everywhere(make_neigh(family), NLMSG_HDRLEN, parse_neigh);
	}
END_TEST

static struct nlmsghdr *make_route(uint8_t prefix_len)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct rtmsg *rtm;

	nlh->nlmsg_type = RTM_NEWROUTE;
	rtm = mnl_nlmsg_put_extra_header(nlh, sizeof(*rtm));
	rtm->rtm_family = AF_INET;
	rtm->rtm_dst_len = prefix_len;
	rtm->rtm_type = RTN_UNICAST;
	if (prefix_len)
		mnl_attr_put_u32(nlh, RTA_DST, 0x0000010a);
	mnl_attr_put_u32(nlh, RTA_OIF, 3);
	return nlh;
}

static int parse_route(const struct nlmsghdr *nlh)
{
	struct msg_route msg;
	int ret = netmsg__route(nlh, &msg);

	if (ret == 0)
		ck_assert_uint_le(msg.prefix_len, msg.dst.family == 4 ? 32 : 128);
	return ret;
}

START_TEST(route_is_read)
	{
		struct nlmsghdr *nlh = make_route(16);
		struct msg_route msg;

		ck_assert_int_eq(netmsg__route(nlh, &msg), 0);
		ck_assert_uint_eq(msg.oif, 3);
		ck_assert_uint_eq(msg.prefix_len, 16);
		ck_assert(!msg.has_gateway);
		mnl_attr_put_u32(nlh, RTA_GATEWAY, 1);
		ck_assert_int_eq(netmsg__route(nlh, &msg), 0);
		ck_assert(msg.has_gateway);
		ck_assert_int_eq(netmsg__route(make_route(0), &msg), 0);
		ck_assert_int_eq(netmsg__route(make_route(33), &msg), -EBADMSG);
		cut_everywhere(make_route(24), parse_route);
		lie_everywhere(make_route(24), NLMSG_HDRLEN, parse_route);
	}
END_TEST

static int parse_stats(const struct nlmsghdr *nlh)
{
	struct net_counters counters;
	uint32_t ifindex;

	return netmsg__stats(nlh, &ifindex, &counters);
}

START_TEST(stats_are_read)
	{
		struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
		struct rtnl_link_stats64 stats = { .tx_packets = 5, .rx_packets = 6, .tx_dropped = 7 };
		struct if_stats_msg *ism;
		struct net_counters counters;
		uint32_t ifindex = 0;

		nlh->nlmsg_type = RTM_NEWSTATS;
		ism = mnl_nlmsg_put_extra_header(nlh, sizeof(*ism));
		ism->ifindex = 9;
		mnl_attr_put(nlh, IFLA_STATS_LINK_64, sizeof(stats), &stats);
		ck_assert_int_eq(netmsg__stats(nlh, &ifindex, &counters), 0);
		ck_assert_uint_eq(ifindex, 9);
		ck_assert_uint_eq(counters.tx_packets, 5);
		ck_assert_uint_eq(counters.rx_packets, 6);
		ck_assert_uint_eq(counters.tx_dropped, 7);
		cut_everywhere(nlh, parse_stats);
		lie_everywhere(nlh, NLMSG_HDRLEN, parse_stats);
	}
END_TEST

static Suite *netinfo_suite(void)
{
	Suite *suite = suite_create("netinfo");
	TCase *map = tcase_create("map"), *msg = tcase_create("msg");

	tcase_add_loop_test(map, map_equals_array, 0, 4);
	tcase_add_test(map, map_is_bounded);
	tcase_add_test(msg, link_is_read);
	tcase_add_test(msg, link_torn);
	tcase_add_test(msg, link_wrong_sizes);
	tcase_add_loop_test(msg, neigh_is_read, 0, 3);
	tcase_add_test(msg, route_is_read);
	tcase_add_test(msg, stats_are_read);
	suite_add_tcase(suite, map);
	suite_add_tcase(suite, msg);
	return suite;
}

int main(void)
{
	SRunner *runner = srunner_create(netinfo_suite());
	int failed;

	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
