// SPDX-License-Identifier: BSD-2-Clause
/* Resets with the client's address: believed for the counters, not for the entry; and SYNs over what they leave. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/net_namespace.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/bpf/check_bpf.h"
#include "tests/bpf/kit.h"

#define SA (WIRE_SYN | WIRE_ACK)
#define PA (WIRE_PSH | WIRE_ACK)
#define EST_TCP (PINTLE_FS_VALID | PINTLE_FS_SYN | PINTLE_FS_EST)
#define BY_CLIENT (EST_TCP | PINTLE_FS_RST_CLIENT)

static struct rig *reset_rig(void)
{
	struct rig *r = rig__shared();

	kit__service(r, PINTLE_POLICY_RR, 0, 2);
	ck_assert_int_eq(kit__new_flow(r, 7), 0);
	ck_assert_int_eq(kit__from_pod(r, 7, 0, SA, 0), PINTLE_V_REV_STEER);
	kit__to_vip(r, 7, PA, 10);
	kit__from_pod(r, 7, 0, PA, 10);
	return r;
}

static void expect(struct rig *r, uint64_t flags, int32_t awaiting, int32_t open)
{
	char why[RIG_WHY_BYTES];

	ck_assert_ptr_nonnull(kit__slot(r, 7, 0));
	ck_assert_uint_eq(kit__flags(kit__slot(r, 7, 0)), flags);
	ck_assert_int_eq(r->loads[0].awaiting, awaiting);
	ck_assert_int_eq(r->loads[0].open, open);
	ck_assert_msg(!rig__audit(r, why), "%s", why);
}

/* As if a tick of the entry's clock had passed. */
static void one_tick(struct rig *r)
{
	struct pintle_slot *slot = kit__slot(r, 7, 0);
	uint64_t age = (slot->state >> PINTLE_FS_AGE_SHIFT) - 1;

	slot->state = (slot->state & ~PINTLE_FS_AGE_MASK) | ((age & 0xff) << PINTLE_FS_AGE_SHIFT);
}

/* _i: what shows that the connection lives. */
START_TEST(life_after_reset)
	{
		struct rig *r = reset_rig();

		kit__to_vip(r, 7, PA, 10);
		expect(r, EST_TCP | PINTLE_FS_AWAITING, 1, 1);
		kit__to_vip(r, 7, WIRE_RST, 0);
		expect(r, BY_CLIENT, 0, 0);
		ck_assert_uint_eq(rig__stats(r, 0).aborted, 1);
		/* in the same tick it may have overtaken the reset: translated, and no more */
		ck_assert_int_eq(kit__from_pod(r, 7, 0, PA, 10), PINTLE_V_REV_STEER);
		ck_assert_int_eq(kit__to_vip(r, 7, PA, 10), PINTLE_V_STEER_PASS);
		expect(r, BY_CLIENT, 0, 0);
		one_tick(r);
		kit__to_vip(r, 7, WIRE_RST, 0); /* again: nothing new, and its tick begins */
		kit__to_vip(r, 7, PA, 10);
		expect(r, BY_CLIENT, 0, 0);
		one_tick(r);
		if (_i == 0) {
			ck_assert_int_eq(kit__from_pod(r, 7, 0, WIRE_ACK, 0), PINTLE_V_REV_STEER);
			expect(r, EST_TCP, 0, 1);
		} else if (_i == 1) {
			ck_assert_int_eq(kit__to_vip(r, 7, WIRE_ACK, 0), PINTLE_V_STEER_PASS);
			expect(r, EST_TCP, 0, 1);
		} else {
			ck_assert_int_eq(kit__to_vip(r, 7, PA, 10), PINTLE_V_STEER_PASS);
			expect(r, EST_TCP | PINTLE_FS_AWAITING, 1, 1);
		}
		kit__from_pod(r, 7, 0, WIRE_RST | WIRE_ACK, 0); /* of the pod: for good */
		expect(r, EST_TCP | PINTLE_FS_RST, 0, 0);
		one_tick(r);
		kit__to_vip(r, 7, PA, 10);
		expect(r, EST_TCP | PINTLE_FS_RST, 0, 0);
	}
END_TEST

static struct pintle_sweep sweep_all(struct rig *r)
{
	struct pintle_sweep sweep = { .first_bucket = 0, .nr_buckets = r->meta.nr_buckets };
	char why[RIG_WHY_BYTES];

	ck_assert_int_eq(rig__sweep(r, &sweep), 0);
	ck_assert_msg(!rig__audit(r, why), "%s", why);
	return sweep;
}

/* An idle connection outlives a stranger's reset where there is room; where there is not, what was reset goes before new flows have to look for it. */
START_TEST(reset_entries_age)
	{
		struct rig *r = rig__shared();
		uint8_t fine, coarse, k;

		kit__clocks(r, &fine, &coarse);
		rig__reset(r);
		kit__service(r, PINTLE_POLICY_RR, 0, 2);
		kit__place(r, 17 * 4, 7, 0, 0, BY_CLIENT, coarse, (uint8_t)(r->ctl->age_tcp - 1));
		ck_assert_uint_eq(sweep_all(r).valid, 1);
		kit__forget_flows(r);
		kit__place(r, 17 * 4, 7, 0, 0, BY_CLIENT, coarse, (uint8_t)(r->ctl->age_tcp + 1));
		ck_assert_uint_eq(sweep_all(r).expired, 1);
		kit__place(r, 17 * 4, 7, 0, 0, BY_CLIENT, coarse, 3);
		for (k = 0; k < 2; k++) { /* a third is one too many */
			ck_assert_uint_eq(sweep_all(r).expired, 0);
			kit__place(r, 17u * 4 + 1 + k, 8u + k, 0, 0, EST_TCP, coarse, 0);
		}
		ck_assert_uint_eq(sweep_all(r).expired, 1);
		ck_assert_ptr_null(kit__slot(r, 7, 0));
		kit__place(r, 17 * 4, 7, 0, 0, BY_CLIENT, coarse, 1); /* not before a whole tick has passed */
		ck_assert_uint_eq(sweep_all(r).expired, 0);
		kit__forget_flows(r);
		/* no connection yet: as long as closed */
		kit__place(r, 17 * 4, 7, 0, 0, PINTLE_FS_SYN | PINTLE_FS_RST_CLIENT, fine, (uint8_t)(r->ctl->age_closed + 1));
		ck_assert_uint_eq(sweep_all(r).expired, 1);
		/* the pod has finished: nothing to keep */
		kit__place(r, 17 * 4, 7, 0, 0, BY_CLIENT | PINTLE_FS_FIN_POD, fine, (uint8_t)(r->ctl->age_closed + 1));
		ck_assert_uint_eq(sweep_all(r).expired, 1);
	}
END_TEST

/* ---- SYNs over what a reset has left: a real connection stands behind it, or does not ---- */

/* Gives this network namespace an id in itself, as a pod's has one in the node's. */
static void name_netns(uint32_t nsid)
{
	struct {
		struct nlmsghdr nlh;
		struct rtgenmsg gen;
		uint8_t pad[3];
		struct rtattr pid_attr;
		uint32_t pid;
		struct rtattr id_attr;
		uint32_t id;
	} msg = { .nlh = { .nlmsg_len = sizeof(msg), .nlmsg_type = RTM_NEWNSID, .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK },
		  .pid_attr = { .rta_len = RTA_LENGTH(4), .rta_type = NETNSA_PID },
		  .pid = (uint32_t)getpid(),
		  .id_attr = { .rta_len = RTA_LENGTH(4), .rta_type = NETNSA_NSID },
		  .id = nsid };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	struct {
		struct nlmsghdr nlh;
		struct nlmsgerr err;
		char room[256];
	} answer;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(send(fd, &msg, sizeof(msg), 0), (int)sizeof(msg));
	ck_assert_int_gt(recv(fd, &answer, sizeof(answer), 0), 0);
	/* the tests of a run share one namespace */
	ck_assert(answer.nlh.nlmsg_type == NLMSG_ERROR && (!answer.err.error || answer.err.error == -EEXIST));
	close(fd);
}

struct ends {
	struct wire_addr client, pod, vip;
	struct sockaddr_storage client_sa, pod_sa;
	socklen_t sa_bytes;
};

static void put_sockaddr(struct sockaddr_storage *sa, const struct wire_addr *a, uint16_t port)
{
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)sa;
	struct sockaddr_in *in = (struct sockaddr_in *)sa;

	memset(sa, 0, sizeof(*sa));
	if (a->family == 4) {
		in->sin_family = AF_INET;
		in->sin_port = htons(port);
		memcpy(&in->sin_addr, a->b, 4);
	} else {
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons(port);
		memcpy(&in6->sin6_addr, a->b, 16);
	}
}

static int bound_socket(const struct ends *e, const struct sockaddr_storage *sa)
{
	const struct linger reset = { .l_onoff = 1 };
	const int on = 1;
	int fd = socket(sa->ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_ge(fd, 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)); /* gone when it is closed, without TIME-WAIT */
	ck_assert_msg(!bind(fd, (const struct sockaddr *)sa, e->sa_bytes), "bind: %m");
	return fd;
}

static int syn(struct rig *r, const struct ends *e, enum model_prog prog)
{
	struct pkt_spec spec = {
		.src = e->client, .dst = e->vip, .sport = 5000, .dport = 80, .proto = WIRE_TCP, .tcp_flags = WIRE_SYN
	};

	return kit__run(r, prog, &spec);
}

static int pod_of(struct rig *r, const struct ends *e)
{
	struct pintle_slot *slot = rig__slot(r, &e->client, 5000, 0);

	ck_assert_ptr_nonnull(slot);
	return (int)(slot->state & PINTLE_FS_BACKEND_MASK);
}

static void reset_by_client(struct rig *r, const struct ends *e)
{
	struct pkt_spec spec = { .src = e->client, .dst = e->vip, .sport = 5000, .dport = 80, .proto = WIRE_TCP };

	spec.tcp_flags = WIRE_ACK;
	ck_assert_int_eq(kit__run(r, MODEL_XDP, &spec), PINTLE_V_STEER_PASS);
	spec.tcp_flags = WIRE_RST;
	ck_assert_int_eq(kit__run(r, MODEL_XDP, &spec), PINTLE_V_STEER_PASS);
}

#define NSID 9u

/* _i & 1: IPv6; _i & 2: TC. Pod 0 is the end of a real connection; pod 1 is nobody. */
START_TEST(syn_over_reset)
	{
		bool v6 = _i & 1;
		enum model_prog prog = _i & 2 ? MODEL_TC : MODEL_XDP;
		struct ends e = { .client = v6 ? addr6(0, 1) : addr4(127, 0, 0, 9),
				  .pod = v6 ? addr6(0, 1) : addr4(127, 0, 0, 1),
				  .vip = v6 ? addr6(3, 1) : addr4(198, 51, 100, 1),
				  .sa_bytes = v6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in) };
		struct rig *r = rig__shared();
		uint16_t service = rig__add_service(r, PINTLE_POLICY_RR, 0);
		int listener, client, pod;

		ck_assert_int_eq(system("ip link set lo up"), 0);
		if (v6) { /* ::1 */
			memset(e.client.b, 0, 15);
			memset(e.pod.b, 0, 15);
		}
		name_netns(NSID);
		put_sockaddr(&e.client_sa, &e.client, 5000);
		put_sockaddr(&e.pod_sa, &e.pod, 8080);
		rig__add_frontend(r, service, e.vip, WIRE_TCP, 80);
		rig__add_member(r, service, rig__add_pod(r, e.pod, 8080), 0, 1);
		rig__add_member(r, service, rig__add_pod(r, v6 ? addr6(4, 2) : addr4(10, 2, 0, 2), 8080), 0, 1);
		rig__link(r);
		listener = bound_socket(&e, &e.pod_sa);
		client = bound_socket(&e, &e.client_sa);
		ck_assert(!listen(listener, 1) && !connect(client, (struct sockaddr *)&e.pod_sa, e.sa_bytes));
		pod = accept(listener, NULL, NULL);
		ck_assert_int_ge(pod, 0);
		ck_assert_int_eq(syn(r, &e, prog), PINTLE_V_STEER_PASS);
		ck_assert_int_eq(pod_of(r, &e), 0);
		reset_by_client(r, &e);
		r->pods[0].netns = NSID + 1;
		ck_assert_int_eq(syn(r, &e, prog), PINTLE_V_STEER_PASS); /* a challenge ACK would follow */
		ck_assert_int_eq(pod_of(r, &e), 0);
		ck_assert_uint_eq(kit__flags(rig__slot(r, &e.client, 5000, 0)) & ~PINTLE_FS_V6, BY_CLIENT);
		/* no connection any more, the listener does not count */
		close(client);
		close(pod);
		ck_assert_int_eq(syn(r, &e, prog), PINTLE_V_STEER_PASS);
		ck_assert_int_eq(pod_of(r, &e), 1);
		close(listener);
		ck_assert_int_eq(r->loads[0].open, 0);
		ck_assert_int_eq(r->loads[1].open, 1);
	}
END_TEST

/* Where the pod lives is not known: a new flow begins. So it does when the pod has ended the connection, whatever its sockets. */
START_TEST(syn_over_end)
	{
		struct rig *r = reset_rig();

		if (_i)
			kit__from_pod(r, 7, 0, WIRE_FIN | WIRE_ACK, 0);
		kit__to_vip(r, 7, WIRE_RST, 0);
		ck_assert_int_eq(kit__new_flow(r, 7), 1);
	}
END_TEST

Suite *reset_suite(void)
{
	Suite *s = suite_create("reset");
	TCase *tc = tcase_create("reset");

	tcase_set_timeout(tc, 30);
	tcase_add_loop_test(tc, life_after_reset, 0, 3);
	tcase_add_test(tc, reset_entries_age);
	tcase_add_loop_test(tc, syn_over_reset, 0, 4);
	tcase_add_loop_test(tc, syn_over_end, 0, 2);
	suite_add_tcase(s, tc);
	return s;
}
