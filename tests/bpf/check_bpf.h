/* SPDX-License-Identifier: BSD-2-Clause */
/* The suites of bpf_tests. */
#ifndef PINTLE_TESTS_CHECK_BPF_H
#define PINTLE_TESTS_CHECK_BPF_H

#include <check.h>

Suite *fixtures_suite(void);
Suite *diff_suite(void);
Suite *keys_suite(void);
Suite *races_suite(void);
Suite *policy_suite(void);
Suite *choose_suite(void);
Suite *class_suite(void);
Suite *table_suite(void);
Suite *sweep_suite(void);
Suite *life_suite(void);
Suite *heal_suite(void);
Suite *record_suite(void);
Suite *own_suite(void);
Suite *reset_suite(void);
Suite *arith_suite(void);

#endif
