// SPDX-License-Identifier: BSD-2-Clause
/* Which Ethernet addresses are this node's on a device, from link messages, and how the table of uplinks is written. */
#include <check.h>
#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

#include "agent/netinfo_impl.h"
#include "agent/ownmacs.h"
#include "agent/tables_store.h"

static struct netinfo *ni;

struct test_link {
	uint32_t ifindex, lower, master;
	int32_t nsid; /* -1: none is told */
	const char *kind;
	uint8_t mac; /* last byte */
};

static void tell(const struct test_link *l, uint16_t type)
{
	uint8_t buf[1024] __attribute__((aligned(8))), mac[6] = { 2, 0, 0, 0, 0, l->mac };
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct ifinfomsg *ifi;
	struct nlattr *nest;

	nlh->nlmsg_type = type;
	ifi = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifi));
	ifi->ifi_index = (int)l->ifindex;
	mnl_attr_put_strz(nlh, IFLA_IFNAME, "x");
	mnl_attr_put(nlh, IFLA_ADDRESS, 6, mac);
	if (l->lower)
		mnl_attr_put_u32(nlh, IFLA_LINK, l->lower);
	if (l->nsid >= 0)
		mnl_attr_put_u32(nlh, IFLA_LINK_NETNSID, (uint32_t)l->nsid);
	if (l->master)
		mnl_attr_put_u32(nlh, IFLA_MASTER, l->master);
	nest = mnl_attr_nest_start(nlh, IFLA_LINKINFO);
	mnl_attr_put_strz(nlh, IFLA_INFO_KIND, l->kind);
	mnl_attr_nest_end(nlh, nest);
	netinfo__apply(nlh, ni);
}

#define UPLINK 10000u /* numbers that no device of this machine has */

static const struct test_link links[] = {
	{ UPLINK, 0, UPLINK + 1, -1, "", 1 },
	{ UPLINK + 1, 0, 0, -1, "bridge", 2 },
	{ UPLINK + 2, UPLINK, 0, -1, "macvlan", 3 },	  /* VRRP */
	{ UPLINK + 3, UPLINK + 1, 0, -1, "vlan", 2 },	  /* the bridge's address again */
	{ UPLINK + 4, UPLINK + 3, 0, -1, "macvtap", 4 },  /* two storeys up */
	{ UPLINK + 5, UPLINK, 0, 3, "macvlan", 5 },	  /* its lower device is one of another namespace */
	{ UPLINK + 6, UPLINK, 0, -1, "vxlan", 6 },	  /* carried by it, not received by it */
	{ UPLINK + 7, UPLINK, 0, -1, "veth", 7 },	  /* its peer */
	{ UPLINK + 8, 0, UPLINK + 1, -1, "veth", 8 },	  /* another port of the bridge */
	{ UPLINK + 9, UPLINK + 20, 0, -1, "macvlan", 9 }, /* of another uplink */
	{ UPLINK + 20, 0, 0, -1, "", 20 },
};

static void setup(void)
{
	struct pintle_err err = { 0 };

	ck_assert_msg(!netinfo__open_ask(&ni, &err), "%s", err.msg);
	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++)
		tell(&links[i], RTM_NEWLINK);
}

static void teardown(void)
{
	netinfo__close(ni);
}

START_TEST(stack_of_devices)
	{
		uint8_t macs[8][6];
		uint32_t seen = 0;

		ck_assert_int_eq(netinfo__own_macs(ni, UPLINK, macs, 8), 4);
		ck_assert_uint_eq(macs[0][5], 1); /* its own first */
		for (int i = 0; i < 4; i++)
			seen |= 1u << macs[i][5];
		ck_assert_uint_eq(seen, 0x1e); /* 1, 2, 3, 4, each once */
		ck_assert_int_eq(netinfo__own_macs(ni, UPLINK + 20, macs, 8), 2);
		memset(macs, 0, sizeof(macs));
		ck_assert_int_gt(netinfo__own_macs(ni, UPLINK, macs, 1), 1); /* says so, and writes one */
		ck_assert_uint_eq(macs[1][5], 0);
		ck_assert_int_eq(netinfo__own_macs(ni, UPLINK + 99, macs, 8), -ENODEV);
	}
END_TEST

/* Master and lower of each other: no such kernel, but no loop either. */
START_TEST(circle_ends)
	{
		struct test_link a = { UPLINK + 30, UPLINK + 31, 0, -1, "vlan", 30 },
				 b = { UPLINK + 31, UPLINK + 30, UPLINK + 30, -1, "vlan", 31 };
		uint8_t macs[8][6];

		tell(&a, RTM_NEWLINK);
		tell(&b, RTM_NEWLINK);
		ck_assert_int_eq(netinfo__own_macs(ni, UPLINK + 30, macs, 8), 2);
	}
END_TEST

START_TEST(epoch_tells_of_changes)
	{
		struct test_link l = links[2];
		uint32_t before = netinfo__own_macs_epoch(ni);

		tell(&l, RTM_NEWLINK);
		ck_assert_uint_eq(netinfo__own_macs_epoch(ni), before);
		l.mac = 77;
		tell(&l, RTM_NEWLINK);
		ck_assert_uint_ne(netinfo__own_macs_epoch(ni), before);
		before = netinfo__own_macs_epoch(ni);
		tell(&l, RTM_DELLINK);
		ck_assert_uint_ne(netinfo__own_macs_epoch(ni), before);
	}
END_TEST

static struct pintle_uplink table[PINTLE_MAX_UPLINKS];

static const struct pintle_uplink *entry_of(uint32_t ifindex)
{
	const struct pintle_uplink *found = NULL;

	for (uint32_t i = 0; i < PINTLE_MAX_UPLINKS; i++) {
		if (table[i].ifindex != ifindex)
			continue;
		ck_assert_ptr_null(found);
		found = &table[i];
	}
	return found;
}

static bool holds(const struct pintle_uplink *entry, uint8_t last)
{
	for (uint32_t i = 0; i < entry->nr_macs && i < PINTLE_UPLINK_MACS; i++)
		if (entry->mac[i] == (2 | (uint64_t)last << 40))
			return true;
	return false;
}

START_TEST(table_is_written)
	{
		/* the second has the first's place, the third is no device */
		const uint32_t both[] = { UPLINK, UPLINK + PINTLE_MAX_UPLINKS, UPLINK + 99 };
		struct test_link l = { UPLINK + PINTLE_MAX_UPLINKS, 0, 0, -1, "", 40 };

		memset(table, 0, sizeof(table));
		tell(&l, RTM_NEWLINK);
		ck_assert_int_eq(ownmacs__write(table, ni, both, 3), 0);
		ck_assert_ptr_eq(entry_of(UPLINK), &table[UPLINK % PINTLE_MAX_UPLINKS]);
		ck_assert_uint_eq(entry_of(UPLINK)->nr_macs, 4);
		ck_assert_uint_eq(entry_of(UPLINK)->mac[0], 2 | 1ull << 40);
		ck_assert_ptr_nonnull(entry_of(l.ifindex));
		ck_assert(holds(entry_of(l.ifindex), 40));
		ck_assert_uint_eq(entry_of(UPLINK + 99)->nr_macs, PINTLE_UPLINK_ANY_MAC);
		/* one goes; the other stays where it is */
		ck_assert_int_eq(ownmacs__write(table, ni, both + 1, 1), 0);
		ck_assert_ptr_null(entry_of(UPLINK));
		ck_assert_ptr_null(entry_of(UPLINK + 99));
		ck_assert(holds(entry_of(l.ifindex), 40));
	}
END_TEST

static bool ever_alone; /* a reader saw the old list no more and the new one not yet */

static void watch(void *arg)
{
	const struct pintle_uplink *entry = entry_of(UPLINK);

	(void)arg;
	ever_alone |= entry && entry->nr_macs <= PINTLE_UPLINK_MACS && !holds(entry, 3);
}

/* The macvlan's address stays through every store of a change beside it. */
START_TEST(no_store_turns_an_address_away)
	{
		const uint32_t one = UPLINK;
		struct test_link l = links[0];

		memset(table, 0, sizeof(table));
		ck_assert_int_eq(ownmacs__write(table, ni, &one, 1), 0);
		tell(&links[1], RTM_DELLINK);
		l.mac = 50;
		l.master = 0;
		tell(&l, RTM_NEWLINK);
		ever_alone = false;
		tables_store_hook = watch;
		ck_assert_int_eq(ownmacs__write(table, ni, &one, 1), 0);
		tables_store_hook = NULL;
		ck_assert(!ever_alone);
		ck_assert_uint_eq(entry_of(UPLINK)->mac[0], 2 | 50ull << 40);
		ck_assert(holds(entry_of(UPLINK), 3) && !holds(entry_of(UPLINK), 2));
	}
END_TEST

START_TEST(too_many_take_all)
	{
		const uint32_t one = UPLINK;

		for (uint8_t i = 0; i < PINTLE_UPLINK_MACS; i++)
			tell(&(struct test_link){ UPLINK + 100u + i, UPLINK, 0, -1, "macvlan", (uint8_t)(100 + i) },
			     RTM_NEWLINK);
		memset(table, 0, sizeof(table));
		ck_assert_int_eq(ownmacs__write(table, ni, &one, 1), 1);
		ck_assert_uint_eq(entry_of(UPLINK)->nr_macs, PINTLE_UPLINK_ANY_MAC);
	}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ownmacs");
	TCase *tc = tcase_create("ownmacs");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, stack_of_devices);
	tcase_add_test(tc, circle_ends);
	tcase_add_test(tc, epoch_tells_of_changes);
	tcase_add_test(tc, table_is_written);
	tcase_add_test(tc, no_store_turns_an_address_away);
	tcase_add_test(tc, too_many_take_all);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
