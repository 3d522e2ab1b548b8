// SPDX-License-Identifier: BSD-2-Clause
/*
 * bpf_tests: the built object under BPF_PROG_TEST_RUN. Run as root from the top of the tree. The process lives in a network namespace of
 * its own (loopback only, no routes), so results do not depend on the machine.
 *
 * CK_RUN_SUITE / CK_RUN_CASE choose; PINTLE_FULL=1 runs full counts; PINTLE_BPF_OBJ names another object.
 */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/bpf/check_bpf.h"
#include "tests/bpf/rig.h"

int main(void)
{
	SRunner *runner;
	int failed;

	if (geteuid()) {
		printf("needs root\n");
		return 77;
	}
	if (unshare(CLONE_NEWNET)) {
		fprintf(stderr, "unshare: %s\n", strerror(errno));
		return 1;
	}
	libbpf_set_strict_mode(LIBBPF_STRICT_ALL);
	if (rig__open_shared())
		return 1;
	runner = srunner_create(fixtures_suite());
	srunner_add_suite(runner, life_suite());
	srunner_add_suite(runner, heal_suite());
	srunner_add_suite(runner, record_suite());
	srunner_add_suite(runner, own_suite());
	srunner_add_suite(runner, reset_suite());
	srunner_add_suite(runner, table_suite());
	srunner_add_suite(runner, sweep_suite());
	srunner_add_suite(runner, policy_suite());
	srunner_add_suite(runner, choose_suite());
	srunner_add_suite(runner, class_suite());
	srunner_add_suite(runner, keys_suite());
	srunner_add_suite(runner, races_suite());
	srunner_add_suite(runner, diff_suite());
	srunner_add_suite(runner, arith_suite());
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
