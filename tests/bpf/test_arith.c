// SPDX-License-Identifier: BSD-2-Clause
/* include/pintle/score.h in the kernel and here: the same bits for the same question, at the edges and at random. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pintle/score.h"
#include "policy/psi.h"
#include "tests/bpf/arith.h"
#include "tests/bpf/check_bpf.h"
#include "tests/bpf/rng.h"

#define OBJECT ".output/tests/arith.bpf.o"

static struct bpf_object *object;
static int program;
static int16_t psi_q8[PINTLE_PSI_ENTRIES];

static void open_object(void)
{
	struct bpf_map *data;

	object = bpf_object__open_file(OBJECT, NULL);
	ck_assert_msg(object && !bpf_object__load(object), OBJECT ": %s", strerror(errno));
	data = bpf_object__find_map_by_name(object, ".bss");
	ck_assert_ptr_nonnull(data);
	psi__fill(1, psi_q8);
	ck_assert_uint_eq(bpf_map__value_size(data), sizeof(psi_q8));
	ck_assert_int_eq(bpf_map_update_elem(bpf_map__fd(data), &(uint32_t){ 0 }, psi_q8, 0), 0);
	program = bpf_program__fd(bpf_object__find_program_by_name(object, "arith"));
}

static void close_object(void)
{
	bpf_object__close(object);
}

static void compare(const struct arith *question)
{
	struct arith a = *question;
	LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = &a, .ctx_size_in = sizeof(a)); /* the answers come back in it */

	ck_assert_int_eq(bpf_prog_test_run_opts(program, &opts), 0);
	ck_assert_int_eq(a.score_q8, pintle_score_q8(&question->member, question->load, psi_q8));
	ck_assert_int_eq(a.psi_q8, pintle_psi_log2_q8(psi_q8, question->load < 0 ? 0 : (uint32_t)question->load));
	ck_assert_int_eq(a.log2_q8, pintle_log2_q8(question->x));
	ck_assert_uint_eq(a.reckoned, pintle_reckon(question->own, question->offset_q8, question->share_q8));
}

START_TEST(kernel_and_user_agree_at_the_edges)
	{
		static const int32_t edges[] = { 0,	  1,	   2,	    3,	     62,	63,	  64,	65,
						 127,	  128,	   511,	    512,     -1,	-2,	  4095, 4096,
						 1 << 18, 1 << 19, 1 << 29, 1 << 30, INT32_MAX, INT32_MIN };
		size_t nr = sizeof(edges) / sizeof(edges[0]);

		for (size_t i = 0; i < nr; i++) {
			for (size_t k = 0; k < nr; k++) {
				struct arith a = { .load = edges[i],
						   .own = (uint32_t)edges[i],
						   .offset_q8 = edges[k],
						   .share_q8 = (uint32_t)edges[(i + k) % nr],
						   .x = (uint64_t)(uint32_t)edges[i] << (k * 3 % 33) };

				a.member.gain_q8 = (int16_t)edges[k];
				a.member.gain_sat_q8 = (int16_t)(edges[k] - 512);
				a.member.concurrency = (uint16_t)edges[(k + 3) % nr];
				compare(&a);
			}
		}
	}
END_TEST

START_TEST(kernel_and_user_agree_at_random)
	{
		struct rng rng = { 2026 };

		for (int i = 0; i < 30000; i++) {
			struct arith a = { .load = (int32_t)(rng__next(&rng) >> (32 + i % 32)),
					   .own = (uint32_t)(rng__next(&rng) >> (32 + i % 31)),
					   .offset_q8 = (int32_t)rng__next(&rng) >> (i % 29),
					   .share_q8 = (uint32_t)(rng__next(&rng) >> (32 + i % 30)),
					   .x = rng__next(&rng) >> (i % 64) };

			a.member.gain_q8 = (int16_t)rng__next(&rng);
			a.member.gain_sat_q8 = (int16_t)rng__next(&rng);
			a.member.concurrency = (uint16_t)(rng__next(&rng) >> (48 + i % 16));
			compare(&a);
		}
	}
END_TEST

Suite *arith_suite(void)
{
	Suite *suite = suite_create("arith");
	TCase *tcase = tcase_create("arith");

	tcase_add_unchecked_fixture(tcase, open_object, close_object);
	tcase_add_test(tcase, kernel_and_user_agree_at_the_edges);
	tcase_add_test(tcase, kernel_and_user_agree_at_random);
	suite_add_tcase(suite, tcase);
	return suite;
}
