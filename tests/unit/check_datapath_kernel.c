/* SPDX-License-Identifier: BSD-2-Clause */
/* As root: pins, locks, maps and programs of the datapath, in namespaces of the test's own. */
#include <check.h>
#include <errno.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "agent/datapath_priv.h"
#include "pintle/verdict.h"

/* A bpffs that only this process sees, and no network but its own. */
static bool private_world(char dir[64])
{
	if (geteuid())
		return false; /* `make check` as root runs these */
	ck_assert_int_eq(unshare(CLONE_NEWNS | CLONE_NEWNET), 0);
	ck_assert_int_eq(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	ck_assert_int_eq(mount("bpf", "/tmp", "bpf", 0, NULL), 0);
	snprintf(dir, 64, "/tmp/pintle");
	return true;
}

static int some_map(void)
{
	int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "pt_test", 4, 8, 1, NULL);

	ck_assert_int_ge(fd, 0);
	return fd;
}

START_TEST(test_pins)
	{
		struct pintle_err err = { 0 };
		int dir_fd, map, other, fd;
		char dir[64];

		if (!private_world(dir))
			return;
		ck_assert_int_eq(pins__open_dir(dir, false, &err), -ENOENT);
		ck_assert_int_eq(pins__open_dir("/proc", false, &err), -ENODEV);
		ck_assert_int_eq(pins__open_dir("/proc/pintle", true, &err), -ENODEV);
		ck_assert_ptr_nonnull(strstr(err.msg, "mount -t bpf bpf /proc"));
		dir_fd = pins__open_dir(dir, true, &err);
		ck_assert_int_ge(dir_fd, 0);
		map = some_map();
		other = some_map();
		ck_assert_int_eq(pins__get(dir, "m", PIN_MAP, true, &err), -ENOENT);
		ck_assert_int_eq(pins__put(dir, "m", map, &err), 0);
		ck_assert_int_eq(pins__put(dir, "m", other, &err), 0); /* in place of the first */
		fd = pins__get(dir, "m", PIN_MAP, true, &err);
		ck_assert_int_ge(fd, 0);
		close(fd);
		ck_assert_int_eq(pins__get(dir, "m", PIN_PROG, true, &err), -EPROTO);
		ck_assert_int_eq(pins__get(dir, "m", PIN_LINK, true, &err), -EPROTO);
		ck_assert_int_eq(pins__note(dir, "n", &err), 0);
		ck_assert_int_eq(pins__note(dir, "n", &err), 0);
		ck_assert(pins__has(dir, "n"));
		ck_assert_int_eq(pins__remove(dir, "n", &err), 0);
		ck_assert_int_eq(pins__remove(dir, "n", &err), 0);
		ck_assert_int_eq(pins__remove(dir, "m", &err), 0);
		ck_assert(!pins__has(dir, "m"));
	}
END_TEST

START_TEST(test_lock)
	{
		struct pintle_err err = { 0 };
		char dir[64], who[96];
		int first, second;

		if (!private_world(dir))
			return;
		first = pins__open_dir(dir, true, &err);
		second = pins__open_dir(dir, true, &err);
		ck_assert(!pins__is_locked(second, who, sizeof(who)));
		ck_assert_int_eq(pins__lock(first, dir, 0, &err), 0);
		ck_assert(pins__is_locked(second, who, sizeof(who)));
		ck_assert_int_eq(pins__lock(second, dir, 100, &err), -EBUSY);
		ck_assert_ptr_nonnull(strstr(err.msg, "process"));
		pins__unlock(first);
		ck_assert_int_eq(pins__lock(second, dir, 0, &err), 0);
		pins__unlock(second);
		/* removed, and made again, by another process while it was open here */
		ck_assert_int_eq(rmdir(dir), 0);
		ck_assert_int_eq(pins__lock(second, dir, 0, &err), -ESTALE);
		ck_assert_int_eq(mkdir(dir, 0700), 0);
		ck_assert_int_eq(pins__lock(second, dir, 0, &err), -ESTALE);
	}
END_TEST

static struct datapath *load(const char *dir)
{
	const struct table_sizes_in sizes = { .max_flows = 1024, .max_frontends = 16, .max_pods = 64 };
	struct pintle_err err = { 0 };
	struct datapath *dp = NULL;

	ck_assert_msg(!datapath__load(dir, &sizes, &dp, &err), "%s", err.msg);
	return dp;
}

START_TEST(test_grace)
	{
		struct datapath *dp;
		char dir[64];

		if (!private_world(dir))
			return;
		dp = load(dir);
		ck_assert_int_eq(datapath__grace(dp), 0);
		dp->is_grace_map = true; /* as if membarrier had been refused */
		ck_assert_int_eq(datapath__grace(dp), 0);
		ck_assert_int_ge(dp->grace_fd, 0);
		ck_assert_int_eq(datapath__grace(dp), 0);
		datapath__close(dp);
	}
END_TEST

START_TEST(test_sweep)
	{
		struct pintle_sweep sweep = { .first_bucket = 0 };
		struct datapath *dp;
		struct pintle_ctl *ctl;
		struct pintle_err err = { 0 };
		char dir[64];

		if (!private_world(dir))
			return;
		dp = load(dir);
		ctl = datapath__maps(dp)->ctl;
		ctl->age_half_open = ctl->age_closed = ctl->age_udp = ctl->age_tcp = ctl->age_awaiting = 255;
		datapath__maps(dp)->flows[1].slot[2].state = PINTLE_FS_VALID | PINTLE_FS_EST;
		datapath__maps(dp)->flows[2].slot[0].state = PINTLE_FS_VALID | PINTLE_FS_EST | PINTLE_FS_RST;
		sweep.nr_buckets = datapath__maps(dp)->meta->nr_buckets;
		ck_assert_msg(!datapath__sweep(dp, &sweep, &err), "%s", err.msg);
		ck_assert_uint_eq(sweep.valid, 2);
		ck_assert_uint_eq(sweep.closed, 1);
		datapath__close(dp);
	}
END_TEST

/* Written through memory, read through the kernel, and the other way round. */
START_TEST(test_memory)
	{
		struct pintle_load value = { .awaiting = 3, .open = 5 }, back = { 0 };
		const struct table_maps *maps;
		struct datapath *dp, *reader = NULL;
		struct datapath_map_info info;
		struct pintle_err err = { 0 };
		uint32_t key = 63, nr = 0;
		char dir[64];

		if (!private_world(dir))
			return;
		dp = load(dir);
		maps = datapath__maps(dp);
		maps->loads[63] = value;
		ck_assert_int_eq(bpf_map_lookup_elem(datapath__map_fd(dp, "pt_loads"), &key, &back), 0);
		ck_assert_int_eq(back.awaiting, value.awaiting);
		ck_assert_int_eq(back.open, value.open);
		ck_assert_int_eq(datapath__map_fd(dp, "pt_nothing"), -ENOENT);
		ck_assert_uint_eq(maps->meta->seed[1] & maps->meta->seed[2] & 1, 1);
		ck_assert_uint_eq(maps->meta->hz, datapath__hz());
		ck_assert_int_eq(datapath__open(dir, false, &reader, &err), 0);
		ck_assert_int_eq(datapath__maps(reader)->loads[63].open, 5);
		while (!datapath__map_info(dp, nr, &info, &err)) {
			ck_assert_msg(info.memory_bytes > 0, "%s", info.name);
			nr++;
		}
		ck_assert_uint_eq(nr, DP_NR_MAPS);
		datapath__close(reader);
		datapath__close(dp);
	}
END_TEST

/* What is opened for reading cannot be written: the process would be killed by SIGSEGV. */
START_TEST(test_read_only)
	{
		struct datapath *dp, *reader = NULL;
		struct pintle_err err = { 0 };
		char dir[64];
		int status = 0;
		pid_t child;

		if (!private_world(dir))
			return;
		dp = load(dir);
		ck_assert_int_eq(datapath__open(dir, false, &reader, &err), 0);
		child = fork();
		if (!child) {
			signal(SIGSEGV, SIG_DFL);
			datapath__maps(reader)->loads[0].open = 1;
			_exit(0);
		}
		ck_assert_int_eq(waitpid(child, &status, 0), child);
		ck_assert(!WIFEXITED(status) || WEXITSTATUS(status)); /* the sanitizer turns the signal into an exit code */
		ck_assert_int_eq(datapath__maps(dp)->loads[0].open, 0);
		datapath__close(reader);
		datapath__close(dp);
	}
END_TEST

START_TEST(test_writer)
	{
		struct datapath *dp, *other = NULL;
		struct pintle_err err = { 0 };
		char dir[64], who[96];

		if (!private_world(dir))
			return;
		dp = load(dir);
		ck_assert_int_eq(datapath__open(dir, true, &other, &err), 0);
		ck_assert(!datapath__has_writer(other, who, sizeof(who)));
		ck_assert_int_eq(datapath__lock_writer(dp, &err), 0);
		ck_assert_int_eq(datapath__lock_writer(dp, &err), 0); /* holds it already */
		ck_assert(datapath__has_writer(other, who, sizeof(who)));
		ck_assert_int_eq(datapath__lock_writer(other, &err), -EBUSY);
		ck_assert(!datapath__is_removed(other));
		ck_assert_int_eq(datapath__remove(dir, &err), 0);
		ck_assert(datapath__is_removed(dp));
		ck_assert(datapath__is_removed(other));
		datapath__close(dp);
		dp = load(dir); /* made again: what is open is still the old one */
		ck_assert(datapath__is_removed(other));
		ck_assert(!datapath__is_removed(dp));
		ck_assert_int_eq(datapath__lock_writer(dp, &err), 0);
		datapath__close(dp);
		datapath__close(other);
	}
END_TEST

START_TEST(test_counters)
	{
		struct pintle_traffic traffic, cpus[1024] = { 0 };
		uint64_t counts[PINTLE_V_MAX];
		struct pintle_pod_stats stats;
		struct pintle_err err = { 0 };
		struct datapath *dp;
		uint32_t key = 7;
		char dir[64];

		if (!private_world(dir))
			return;
		dp = load(dir);
		for (int cpu = 0; cpu < 1024; cpu++)
			cpus[cpu] = (struct pintle_traffic){ .packets = 1, .bytes = 100 };
		ck_assert_int_eq(bpf_map_update_elem(datapath__map_fd(dp, "pt_traffic"), &key, cpus, BPF_ANY), 0);
		ck_assert_int_eq(datapath__traffic(dp, 7, &traffic, &err), 0);
		ck_assert_uint_ge(traffic.packets, 1);
		ck_assert_uint_eq(traffic.bytes, 100 * traffic.packets);
		ck_assert_int_eq(datapath__traffic(dp, 64, &traffic, &err), -ENOENT);
		ck_assert_int_eq(datapath__verdicts(dp, counts, &err), 0);
		ck_assert_int_eq(datapath__pod_stats(dp, 0, &stats, &err), 0);
		ck_assert_uint_eq(stats.rev_packets, 0);
		ck_assert_int_eq(datapath__pod_stats(dp, PINTLE_MAX_DETAIL, &stats, &err), -ENOENT);
		ck_assert_int_eq(datapath__devmap_set(dp, 3, 1, &err), 0); /* lo */
		ck_assert_int_eq(datapath__devmap_set(dp, 3, 0, &err), 0);
		ck_assert_int_lt(datapath__devmap_set(dp, 3, 999999, &err), 0);
		ck_assert_int_lt(datapath__devmap_set(dp, PINTLE_MAX_DETAIL, 1, &err), 0);
		datapath__close(dp);
	}
END_TEST

static void bring_up_lo(void)
{
	struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(ioctl(fd, SIOCSIFFLAGS, &request), 0);
	close(fd);
}

static int count_next(void *arg, const char *name)
{
	*(int *)arg += !strncmp(name, "next_", 5) || !strncmp(name, "new_", 4);
	return 0;
}

/* The third attachment of an upgrade cannot take the new program: the two before it get the old one back, and nothing is left over. */
START_TEST(test_rollback)
	{
		const struct table_sizes_in sizes = { .max_flows = 1024, .max_frontends = 16, .max_pods = 64 };
		struct datapath_link before[4], after[4];
		struct datapath *dp, *again = NULL;
		struct pintle_err err = { 0 };
		enum datapath_hook hook;
		char dir[64], why[128];
		int fd, leftovers = 0;

		if (!private_world(dir))
			return;
		bring_up_lo();
		dp = load(dir);
		ck_assert_msg(!datapath__attach_uplink(dp, 1, HOOK_TC, &hook, why, &err), "%s", err.msg);
		fd = tc__link_create(dp->prog_fds[DP_PROG_TC], 1, TC_EGRESS, &err);
		if (fd == -EOPNOTSUPP)
			return; /* filters have no such order */
		ck_assert_int_ge(fd, 0);
		ck_assert_int_eq(pins__put(dir, "link_xdp_1", fd, &err), 0); /* a TC link, which refuses an XDP program */
		ck_assert_int_eq(datapath__links(dp, before, 4, &err), 3);
		ck_assert_int_lt(datapath__load(dir, &sizes, &again, &err), 0);
		ck_assert_ptr_nonnull(strstr(err.msg, "link_xdp_1"));
		ck_assert_int_eq(datapath__links(dp, after, 4, &err), 3);
		for (int i = 0; i < 3; i++) {
			ck_assert(after[i].is_alive);
			ck_assert_uint_eq(after[i].prog_id, before[i].prog_id);
		}
		ck_assert_int_eq(pins__each(dir, count_next, &leftovers, &err), 0);
		ck_assert_int_eq(leftovers, 0);
		ck_assert_int_eq(pins__remove(dir, "link_xdp_1", &err), 0);
		close(fd);
		ck_assert_msg(!datapath__load(dir, &sizes, &again, &err), "%s", err.msg);
		ck_assert_int_eq(datapath__links(again, after, 4, &err), 2);
		ck_assert_uint_ne(after[0].prog_id, before[0].prog_id);
		datapath__close(again);
		datapath__close(dp);
	}
END_TEST

int main(void)
{
	Suite *suite = suite_create("datapath_kernel");
	TCase *tc = tcase_create("datapath_kernel");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, test_pins);
	tcase_add_test(tc, test_lock);
	tcase_add_test(tc, test_grace);
	tcase_add_test(tc, test_sweep);
	tcase_add_test(tc, test_memory);
	tcase_add_test(tc, test_read_only);
	tcase_add_test(tc, test_writer);
	tcase_add_test(tc, test_counters);
	tcase_add_test(tc, test_rollback);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
