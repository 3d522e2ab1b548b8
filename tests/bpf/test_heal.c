// SPDX-License-Identifier: BSD-2-Clause
/* A lost table, by literal states and loads. Sockets of a pod are real ones, in a network namespace of their own. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/net_namespace.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <libmnl/libmnl.h>

#include "tests/bpf/check_bpf.h"
#include "tests/bpf/kit.h"

#define PA (WIRE_PSH | WIRE_ACK)
#define EST_TCP (PINTLE_FS_VALID | PINTLE_FS_SYN | PINTLE_FS_EST)
#define REFUTED (PINTLE_FS_VALID | PINTLE_FS_RST)
#define NSID ((uint32_t)getpid()) /* one is free again some time after its namespace went */

#define expect_flow(r_, n_, flags_, open_)                                   \
	do {                                                                 \
		ck_assert_ptr_nonnull(kit__slot(r_, n_, 0));                 \
		ck_assert_uint_eq(kit__flags(kit__slot(r_, n_, 0)), flags_); \
		ck_assert_int_eq((r_)->loads[0].open, open_);                \
	} while (0)

static struct rig *lost_table(int nr_pods)
{
	struct rig *r = rig__shared();

	kit__service(r, PINTLE_POLICY_SCORE, 0, nr_pods);
	r->ctl->recover_until_ns = UINT64_MAX;
	return r;
}

START_TEST(guess_is_confirmed)
	{
		struct rig *r = lost_table(1);
		char why[RIG_WHY_BYTES];

		ck_assert_int_eq(kit__from_pod(r, 7, 0, PA, 100), PINTLE_V_REV_HEALED);
		expect_flow(r, 7, PINTLE_FS_VALID, 1);
		ck_assert_int_eq(kit__from_pod(r, 7, 0, PA, 100), PINTLE_V_REV_STEER);
		ck_assert_int_eq(kit__to_vip(r, 7, WIRE_ACK, 0), PINTLE_V_STEER_PASS);
		expect_flow(r, 7, EST_TCP, 1);
		ck_assert_int_eq(kit__to_vip(r, 7, WIRE_RST, 0), PINTLE_V_STEER_PASS); /* of a connection that is known */
		ck_assert_msg(!rig__audit(r, why), "%s", why);
	}
END_TEST

START_TEST(guess_is_refuted)
	{
		struct rig *r = lost_table(1);
		char why[RIG_WHY_BYTES];

		ck_assert_int_eq(kit__from_pod(r, 7, 0, PA, 100), PINTLE_V_REV_HEALED);
		ck_assert_int_eq(kit__to_vip(r, 7, WIRE_RST, 0), PINTLE_V_DROP_GUESS);
		expect_flow(r, 7, REFUTED, 0);
		ck_assert_int_eq(kit__from_pod(r, 7, 0, PA, 100), PINTLE_V_REV_NO_FLOW);
		ck_assert_int_eq(kit__to_vip(r, 7, WIRE_RST, 0), PINTLE_V_DROP_GUESS);
		expect_flow(r, 7, REFUTED, 0);
		/* the same port of the client, now through the frontend */
		ck_assert_int_eq(kit__new_flow(r, 7), 0);
		ck_assert_int_eq(kit__from_pod(r, 7, 0, WIRE_SYN | WIRE_ACK, 0), PINTLE_V_REV_STEER);
		ck_assert_msg(!rig__audit(r, why), "%s", why);
	}
END_TEST

START_TEST(new_connection_is_noted)
	{
		struct rig *r = lost_table(1);

		ck_assert_int_eq(kit__from_pod(r, 7, 0, WIRE_SYN | WIRE_ACK, 0), PINTLE_V_REV_NEW_CONN);
		expect_flow(r, 7, REFUTED, 0);
		ck_assert_int_eq(kit__from_pod(r, 7, 0, PA, 100), PINTLE_V_REV_NO_FLOW);
	}
END_TEST

START_TEST(guess_gives_way_to_syn)
	{
		struct rig *r = lost_table(1);
		char why[RIG_WHY_BYTES];

		ck_assert_int_eq(kit__from_pod(r, 7, 0, PA, 100), PINTLE_V_REV_HEALED);
		ck_assert_int_eq(kit__new_flow(r, 7), 0);
		expect_flow(r, 7, PINTLE_FS_VALID | PINTLE_FS_SYN | PINTLE_FS_AWAITING, 1);
		ck_assert_msg(!rig__audit(r, why), "%s", why);
	}
END_TEST

START_TEST(not_guessed)
	{
		struct rig *r = lost_table(2);
		int pod = kit__new_flow(r, 7);

		/* not at a pod whose client is known to be at another, not a reset, not at the pod's device, not when nothing was lost */
		ck_assert_int_eq(kit__from_pod(r, 7, (uint16_t)!pod, PA, 100), PINTLE_V_REV_NO_FLOW);
		ck_assert_int_eq(kit__from_pod(r, 8, 0, WIRE_RST, 0), PINTLE_V_REV_NO_FLOW);
		r->ctl->recover_until_ns = 1;
		ck_assert_int_eq(kit__from_pod(r, 9, 0, PA, 100), PINTLE_V_REV_NO_FLOW);
		ck_assert_ptr_null(kit__slot(r, 9, 0));
		r->ctl->recover_until_ns = UINT64_MAX;
		ck_assert_int_eq(kit__from_pod(r, 9, 0, PA, 100), PINTLE_V_REV_HEALED);
	}
END_TEST

/* ---- sockets ---- */

struct pod_ns {
	int home, away;
	int listener, client, server;
};

static void add_address(const char *text)
{
	static int nr;
	struct ifreq req = { 0 };
	struct sockaddr_in *addr = (struct sockaddr_in *)(void *)&req.ifr_addr;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	snprintf(req.ifr_name, sizeof(req.ifr_name), "lo:%d", nr++);
	addr->sin_family = AF_INET;
	ck_assert_int_eq(inet_pton(AF_INET, text, &addr->sin_addr), 1);
	ck_assert_int_eq(ioctl(fd, SIOCSIFADDR, &req), 0);
	close(fd);
}

static void loopback_up(void)
{
	struct ifreq req = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	ck_assert_int_eq(ioctl(fd, SIOCSIFFLAGS, &req), 0);
	close(fd);
}

/* The kernel's name of the namespace behind `fd`, as seen from this one. */
static void set_nsid(int fd, int nsid)
{
	uint8_t buf[256] __attribute__((aligned(8)));
	struct mnl_socket *nl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);

	ck_assert_ptr_nonnull(nl);
	nlh->nlmsg_type = RTM_NEWNSID;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	mnl_nlmsg_put_extra_header(nlh, sizeof(struct rtgenmsg));
	mnl_attr_put_u32(nlh, NETNSA_NSID, (uint32_t)nsid);
	mnl_attr_put_u32(nlh, NETNSA_FD, (uint32_t)fd);
	ck_assert_int_eq(mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID), 0);
	ck_assert_int_gt((int)mnl_socket_sendto(nl, nlh, nlh->nlmsg_len), 0);
	ck_assert_int_gt((int)mnl_socket_recvfrom(nl, buf, sizeof(buf)), 0);
	ck_assert_int_ge(mnl_cb_run(buf, ((struct nlmsghdr *)(void *)buf)->nlmsg_len, 0, 0, NULL, NULL), 0);
	mnl_socket_close(nl);
}

static struct sockaddr_in at(const char *text, uint16_t port)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_port = htons(port) };

	ck_assert_int_eq(inet_pton(AF_INET, text, &addr.sin_addr), 1);
	return addr;
}

/* A namespace in which pod 0 of kit__service() listens, and client 7 is connected to it. */
static void pod_ns__open(struct pod_ns *p)
{
	struct sockaddr_in pod = at("10.2.0.1", KIT_POD_PORT), client = at("10.128.0.0", kit__client_port(7));

	p->home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	ck_assert_int_eq(unshare(CLONE_NEWNET), 0);
	p->away = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	loopback_up();
	add_address("10.2.0.1");
	add_address("10.128.0.0");
	p->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	p->client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(bind(p->listener, (struct sockaddr *)&pod, sizeof(pod)), 0);
	ck_assert_int_eq(listen(p->listener, 4), 0);
	ck_assert_int_eq(bind(p->client, (struct sockaddr *)&client, sizeof(client)), 0);
	ck_assert_int_eq(connect(p->client, (struct sockaddr *)&pod, sizeof(pod)), 0);
	p->server = accept4(p->listener, NULL, NULL, SOCK_CLOEXEC);
	ck_assert_int_ge(p->server, 0);
	ck_assert_int_eq(setns(p->home, CLONE_NEWNET), 0);
	set_nsid(p->away, (int)NSID);
}

static void pod_ns__close(struct pod_ns *p)
{
	close(p->client);
	close(p->server);
	close(p->listener);
	close(p->away);
	close(p->home);
}

static void list_pods(struct rig *r, uint32_t nr, uint32_t nsid)
{
	for (uint32_t i = 0; i < nr; i++) {
		r->locals[i] = i;
		r->pods[i].netns = nsid + 1;
	}
	r->ctl->nr_locals = nr;
}

START_TEST(socket_is_found)
	{
		struct rig *r = lost_table(3);
		struct pod_ns ns;
		char why[RIG_WHY_BYTES];

		pod_ns__open(&ns);
		list_pods(r, 3, NSID);
		/* a client without a connection, though all three listen: LISTEN says nothing */
		ck_assert_int_eq(kit__to_vip(r, 8, PA, 10), PINTLE_V_PASS_MISS);
		ck_assert_int_eq(kit__to_vip(r, 7, PA, 10), PINTLE_V_STEER_HEALED);
		ck_assert_uint_eq(kit__slot(r, 7, 0)->state & PINTLE_FS_BACKEND_MASK, 0);
		expect_flow(r, 7, EST_TCP | PINTLE_FS_AWAITING, 1);
		ck_assert_int_eq(kit__to_vip(r, 7, PA, 10), PINTLE_V_STEER_PASS);
		ck_assert_int_eq(kit__from_pod(r, 7, 0, PA, 10), PINTLE_V_REV_STEER);
		/* only while the table counts as lost: this object cannot ask conntrack whose it is */
		kit__forget_flows(r);
		r->ctl->recover_until_ns = 0;
		ck_assert_int_eq(kit__to_vip(r, 7, PA, 10), PINTLE_V_PASS_MISS);
		/* what the socket has been told already */
		r->ctl->recover_until_ns = UINT64_MAX;
		ck_assert_int_eq(shutdown(ns.client, SHUT_WR), 0);
		ck_assert_int_eq(kit__to_vip(r, 7, WIRE_ACK, 0), PINTLE_V_STEER_HEALED);
		expect_flow(r, 7, EST_TCP | PINTLE_FS_FIN_CLIENT, 1);
		ck_assert_msg(!rig__audit(r, why), "%s", why);
		pod_ns__close(&ns);
	}
END_TEST

START_TEST(not_told_apart)
	{
		struct rig *r = lost_table(2);
		struct pod_ns ns;

		pod_ns__open(&ns);
		list_pods(r, 2, NSID);
		r->pods[1] = r->pods[0]; /* a second pod with that socket */
		ck_assert_int_eq(kit__to_vip(r, 7, PA, 10), PINTLE_V_PASS_MISS_TWICE);
		r->ctl->nr_locals = 1;
		r->pods[0].netns = 0; /* the agent does not know yet where it is */
		ck_assert_int_eq(kit__to_vip(r, 7, PA, 10), PINTLE_V_DROP_HEAL_LATER);
		r->ctl->nr_locals = 0; /* nor which pods there are */
		ck_assert_int_eq(kit__to_vip(r, 7, PA, 10), PINTLE_V_DROP_HEAL_LATER);
		r->ctl->nr_locals = PINTLE_MAX_LOCALS + 1; /* not all are in the list */
		r->pods[0].netns = NSID + 1;
		r->pods[1].flags = 0;
		ck_assert_int_eq(kit__to_vip(r, 7, PA, 10), PINTLE_V_STEER_HEALED);
		pod_ns__close(&ns);
	}
END_TEST

START_TEST(rate)
	{
		static struct rig slow;
		int later = 0, healed = 0, back = 0;
		uint32_t n;

		ck_assert_int_eq(rig__open_slow(&slow, 256, 3, 2), 0);
		rig__reset(&slow);
		kit__service(&slow, PINTLE_POLICY_SCORE, 0, 1);
		slow.ctl->recover_until_ns = UINT64_MAX;
		list_pods(&slow, 1, NSID);
		for (n = 0; n < 200; n++) {
			int verdict = kit__to_vip(&slow, n, WIRE_ACK, 0);

			later += verdict == PINTLE_V_DROP_HEAL_LATER;
			verdict = kit__from_pod(&slow, n, 0, PA, 10);
			back += verdict == PINTLE_V_REV_HEAL_LATER;
			healed += verdict == PINTLE_V_REV_HEALED;
		}
		/* 400 packets take some ticks, of two searches each */
		ck_assert_int_gt(later, 0);
		ck_assert_int_gt(back, 0);
		ck_assert_int_gt(healed, 0);
		ck_assert_int_eq(back + healed, 200);
		rig__close(&slow);
	}
END_TEST

START_TEST(wipe)
	{
		struct pintle_sweep sweep = { .flags = PINTLE_SWEEP_WIPE };
		struct rig *r = lost_table(2);
		char why[RIG_WHY_BYTES];
		uint32_t n;

		for (n = 0; n < 100; n++)
			kit__new_flow(r, n);
		sweep.nr_buckets = r->meta.nr_buckets;
		ck_assert_int_eq(rig__sweep(r, &sweep), 0);
		ck_assert_uint_eq(sweep.expired, 100);
		ck_assert_uint_eq(sweep.valid, 0);
		ck_assert_int_eq(r->loads[0].open + r->loads[1].open, 0);
		ck_assert_int_eq(r->loads[0].awaiting + r->loads[1].awaiting, 0);
		ck_assert_msg(!rig__audit(r, why), "%s", why);
	}
END_TEST

Suite *heal_suite(void)
{
	Suite *s = suite_create("heal");
	TCase *tc = tcase_create("heal");

	tcase_add_test(tc, guess_is_confirmed);
	tcase_add_test(tc, guess_is_refuted);
	tcase_add_test(tc, new_connection_is_noted);
	tcase_add_test(tc, guess_gives_way_to_syn);
	tcase_add_test(tc, not_guessed);
	tcase_add_test(tc, socket_is_found);
	tcase_add_test(tc, not_told_apart);
	tcase_add_test(tc, rate);
	tcase_add_test(tc, wipe);
	suite_add_tcase(s, tc);
	return s;
}
