/* SPDX-License-Identifier: BSD-2-Clause */
/* The simulator against queueing theory, against itself, and against nonsense. */
#include <check.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "policy/train/sim/draw.h"
#include "policy/train/sim/pintle.h"
#include "policy/train/sim/pod.h"
#include "policy/train/sim/rivals.h"
#include "policy/train/sim/scenario.h"
#include "policy/train/sim/trace.h"

static struct sim_result result, again;
static struct sim_scenario scenario;
static struct sim_scenario_data data;
static char why[160];

static void make(const char *name, double load, double duration_s)
{
	scenario__free(&data);
	ck_assert_msg(!scenario__make(name, load, NULL, &scenario, &data, why), "%s", why);
	scenario.duration_ns = (uint64_t)(duration_s * 1e9);
	if (scenario.warmup_ns > scenario.duration_ns / 10)
		scenario.warmup_ns = scenario.duration_ns / 10;
}

static void run(const char *policy, uint32_t balancers, double report_ms, uint64_t seed, struct sim_result *ret)
{
	struct sim_run r = { .scenario = &scenario,
			     .policy = sim_policy__find(policy),
			     .nr_balancers = balancers,
			     .report_period_ns = (uint64_t)(report_ms * 1e6),
			     .seed = seed };
	const char *reason = "";
	int error = sim__run(&r, ret, &reason);

	ck_assert_msg(!error, "%s: %d %s", policy, error, reason);
	ck_assert_msg(!ret->diverged, "%s diverged", policy);
}

static double p99_ms(const struct sim_result *r)
{
	return sim_hist__quantile(&r->latency, 0.99) / 1e6;
}

/* One pod of one slot, deterministic work D, Poisson arrivals: mean wait rho D / (2 (1 - rho)) (Pollaczek-Khinchine). */
START_TEST(a_queue_waits_as_theory_says)
	{
		make("s1", 0.8, 4000);
		scenario.nr_pods = 1;
		scenario.pods[0].base_ns = 0;
		scenario.size_ns[0] = 20 * SIM_MS;
		scenario.size_ns[1] = 0;
		scenario.rate_per_s = 0.8 / 0.020;
		run("rr", 1, 0, 1, &result);
		ck_assert_double_eq_tol(result.mean_ns / 1e6, 20 + 0.8 * 20 / (2 * 0.2), 1.5);
	}
END_TEST

/* Processor sharing on one core: mean time 1 / (1 - rho) of the work whatever its distribution. */
START_TEST(processor_sharing_is_insensitive)
	{
		make("s2-pareto", 0.5, 2000);
		scenario.nr_pods = 1;
		scenario.pods[0].slots = 1;
		scenario.pods[0].nr_states = 0;
		scenario.rate_per_s = 0.6e9 / draw__mean_work_ns(&scenario);
		run("rr", 1, 0, 2, &result);
		ck_assert_double_eq_tol(result.mean_ns / draw__mean_work_ns(&scenario), 2.5, 0.15);
	}
END_TEST

/* A batching server alone: r others slow a request by 3 % each. */
START_TEST(a_batch_slows_by_its_size)
	{
		struct sim_pod_spec spec = {
			.discipline = SIM_BATCH, .slots = 2, .slowdown = 0.5, .speed = 1, .concurrency = 1
		};
		struct sim_pod pod;

		ck_assert_int_eq(sim_pod__init(&pod, &spec, 1), 0);
		for (uint32_t i = 0; i < 3; i++)
			ck_assert_int_eq(sim_pod__push(&pod, i, 100, 0), 0);
		ck_assert_uint_eq(pod.nr_waiting, 1);
		ck_assert_uint_eq(sim_pod__next_ns(&pod), 150);
		ck_assert_uint_lt(sim_pod__pop(&pod, 150), 2);
		ck_assert_uint_lt(sim_pod__pop(&pod, sim_pod__next_ns(&pod)), 2);
		ck_assert_uint_eq(sim_pod__next_ns(&pod), 250);
		ck_assert_double_eq_tol(sim_pod__work_left(&pod, 200), 50, 1e-6);
		ck_assert_uint_eq(sim_pod__pop(&pod, 250), 2);
		ck_assert_uint_eq(sim_pod__next_ns(&pod), SIM_NEVER);
		sim_pod__fini(&pod);
	}
END_TEST

START_TEST(antagonists_have_their_mean)
	{
		double capacity;

		make("s2", 0.9, 10);
		capacity = scenario__pod_capacity(&scenario, 0);
		ck_assert_double_eq_tol(capacity, 4 * 0.862 / 0.020, 0.1);
	}
END_TEST

/* The same seed gives the same bits, another one does not; arrivals do not depend on the policy. */
START_TEST(runs_are_reproducible)
	{
		make("s2", 0.9, 5);
		run("pintle", 16, 10, 3, &result);
		run("pintle", 16, 10, 3, &again);
		ck_assert_mem_eq(&result, &again, sizeof(result));
		run("p2c", 16, 10, 3, &again);
		ck_assert_uint_eq(result.requests, again.requests);
		ck_assert_double_ne(result.mean_ns, again.mean_ns);
		run("pintle", 16, 10, 4, &again);
		ck_assert_double_ne(result.mean_ns, again.mean_ns);
	}
END_TEST

/* Every policy answers every request, with reports, connections and a network, while pods come and go. */
START_TEST(every_policy_runs_everywhere)
	{
		static const struct sim_change changes[] = {
			{ SIM_S, 3, false }, { SIM_S, 4, false }, { 2 * SIM_S, 3, true }, { 3 * SIM_S, 0, false }
		};
		const struct sim_balancer_ops *p = sim_policy__at((uint32_t)_i);
		uint64_t sum = 0;

		make("s2", 0.5, 4);
		scenario.changes = changes;
		scenario.nr_changes = 4;
		scenario.requests_per_connection = 3;
		scenario.network_ns = SIM_MS;
		scenario.warmup_ns = 0;
		run(p->name, 3, 10, 5, &result);
		for (uint32_t i = 0; i < scenario.nr_pods; i++)
			sum += result.share[i];
		ck_assert_uint_eq(sum, result.requests);
		ck_assert_uint_gt(result.requests, 5000);
		ck_assert_double_ge(sim_hist__quantile(&result.latency, 0.0001), 2e6); /* the way there and back */
	}
END_TEST

/* The order that all of it is about; figures with intervals: bench/sim. */
START_TEST(policies_rank_as_they_should)
	{
		double pintle, p2c, oracle, least;

		make("s2", 0.8, 30);
		run("pintle", 16, 10, 1, &result);
		pintle = p99_ms(&result);
		run("p2c", 16, 10, 1, &result);
		p2c = p99_ms(&result);
		run("least", 16, 10, 1, &result);
		least = p99_ms(&result);
		run("oracle-work", 16, 10, 1, &result);
		oracle = p99_ms(&result);
		ck_assert_double_lt(oracle, pintle);
		ck_assert_double_lt(pintle, 0.7 * least);
		ck_assert_double_lt(pintle, 0.5 * p2c);
	}
END_TEST

/* A pod that refuses most of its requests at once does not attract them. */
START_TEST(fast_failing_pod_is_no_sink)
	{
		make("s2-fail", 0.7, 20);
		run("pintle", 4, 10, 1, &result);
		ck_assert_double_lt((double)result.share[0] / (double)result.requests, 0.12);
	}
END_TEST

START_TEST(synthetic_tokens_resemble_the_trace)
	{
		uint64_t *work, sum = 0;
		uint32_t nr;

		ck_assert_int_eq(trace__work(NULL, &work, &nr, why), 0);
		for (uint32_t i = 0; i < nr; i++)
			sum += work[i];
		ck_assert_double_eq_tol((double)sum / nr / 1e9, 3.22, 0.35); /* the real one's mean is 3.22 s */
		free(work);
		ck_assert_int_eq(trace__work("/nonexistent", &work, &nr, why), -ENOENT);
		ck_assert_ptr_nonnull(strstr(why, "AzurePublicDataset"));
	}
END_TEST

START_TEST(damaged_traces_are_refused)
	{
		static const char *const bad[] = { "TIMESTAMP,ContextTokens,GeneratedTokens\nt,1,2\nt,5\n",
						   "t,-1,2\n",
						   "t,1,2,3\n",
						   "t,1,99999999\n",
						   "",
						   "t,,\n" };
		char dir[] = "/tmp/check_sim.XXXXXX", path[64];
		uint64_t *work;
		uint32_t nr;

		ck_assert_ptr_nonnull(mkdtemp(dir));
		for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
			static const char *const names[] = { "AzureLLMInferenceTrace_conv.csv",
							     "AzureLLMInferenceTrace_code.csv" };

			for (int k = 0; k < 2; k++) {
				FILE *file;

				snprintf(path, sizeof(path), "%s/%s", dir, names[k]);
				file = fopen(path, "we");
				ck_assert_ptr_nonnull(file);
				fputs(bad[i], file);
				fclose(file);
			}
			ck_assert_int_eq(trace__work(dir, &work, &nr, why), -EBADMSG);
		}
		for (int k = 0; k < 2; k++) {
			snprintf(path, sizeof(path), "%s/AzureLLMInferenceTrace_%s.csv", dir, k ? "code" : "conv");
			unlink(path);
		}
		rmdir(dir);
	}
END_TEST

START_TEST(nonsense_is_refused)
	{
		struct sim_run r = { .scenario = &scenario, .policy = sim_policy__find("rr"), .nr_balancers = 1 };
		const char *reason = NULL;

		ck_assert_int_eq(scenario__make("s9", 0.5, NULL, &scenario, &data, why), -EINVAL);
		ck_assert_int_eq(scenario__make("s1", NAN, NULL, &scenario, &data, why), -EINVAL);
		make("s1", 0.5, 1);
		r.nr_balancers = SIM_MAX_BALANCERS + 1;
		ck_assert_int_eq(sim__run(&r, &result, &reason), -EINVAL);
		ck_assert_ptr_nonnull(reason);
		r.nr_balancers = 2;
		scenario.pods[1].slots = 0;
		ck_assert_int_eq(sim__run(&r, &result, &reason), -EINVAL);
		scenario.pods[1].slots = 1;
		scenario.rate_per_s = -1;
		ck_assert_int_eq(sim__run(&r, &result, &reason), -EINVAL);
		scenario.rate_per_s = 1;
		r.report_period_ns = 1000;
		r.report_age_ns = SIM_S;
		ck_assert_int_eq(sim__run(&r, &result, &reason), -EINVAL);
	}
END_TEST

/* What training reads: features of the pod before the choice, and what the gain and psi did not explain. */
static void take_row(void *arg, const struct sim_row *row)
{
	double *sums = arg;

	sums[0] += 1;
	sums[1] += row->target_q8;
	sums[2] += abs(row->input[1]);
	ck_assert_uint_eq(row->nr_inputs, FEATURE_NR);
}

START_TEST(rows_are_recorded)
	{
		double sums[3] = { 0 };
		struct sim_run r = { .scenario = &scenario,
				     .policy = &sim_pintle,
				     .nr_balancers = 4,
				     .report_period_ns = 10 * SIM_MS,
				     .seed = 1,
				     .on_row = take_row,
				     .row_arg = sums };

		make("s2", 0.7, 10);
		ck_assert_int_eq(sim__run(&r, &result, NULL), 0);
		ck_assert_double_gt(sums[0], 20000);
		ck_assert_double_lt(fabs(sums[1] / sums[0]),
				    64); /* the gain follows the mean: a quarter of an octave at most is left */
		ck_assert_double_gt(sums[2], 0);
	}
END_TEST

static bool slow(void *arg, uint64_t now_ns, const struct sim_window *w, struct policy_knobs *knobs)
{
	uint64_t *calls = arg;

	ck_assert_uint_eq(w->to_ns, now_ns);
	ck_assert_uint_gt(w->latency->count, 1000);
	ck_assert_double_gt(w->mean_ns, 1e6);
	knobs->externality_q8 = UINT32_MAX; /* is clamped */
	return ++*calls > 1;
}

START_TEST(slow_loop_sets_knobs)
	{
		uint64_t calls = 0;
		struct sim_run r = { .scenario = &scenario,
				     .policy = &sim_pintle,
				     .nr_balancers = 4,
				     .report_period_ns = 10 * SIM_MS,
				     .seed = 1,
				     .slow_ns = SIM_S,
				     .on_slow = slow,
				     .slow_arg = &calls };

		make("s2", 0.7, 10);
		knobs__default(&r.knobs);
		ck_assert_int_eq(sim__run(&r, &result, NULL), 0);
		ck_assert_uint_ge(calls, 9);
		run("pintle", 4, 10, 1, &again);
		ck_assert_double_ne(result.mean_ns, again.mean_ns);
	}
END_TEST

START_TEST(histogram_holds_its_error)
	{
		struct sim_hist *h = calloc(1, sizeof(*h));

		for (uint64_t i = 1; i <= 100000; i++)
			sim_hist__add(h, i * 1000);
		for (int i = 1; i < 1000; i++)
			ck_assert_double_le(fabs(sim_hist__quantile(h, i / 1000.0) / (i * 1e5) - 1), 0.004);
		sim_hist__add(h, UINT64_MAX);
		ck_assert_uint_eq(h->count, 100001);
		sim_hist__clear(h);
		ck_assert_double_eq(sim_hist__quantile(h, 0.99), 0);
		free(h);
	}
END_TEST

int main(void)
{
	Suite *suite = suite_create("sim");
	TCase *tcase = tcase_create("sim");
	SRunner *runner;
	int failed, policies = 0;

	while (sim_policy__at((uint32_t)policies))
		policies++;
	tcase_add_test(tcase, a_queue_waits_as_theory_says);
	tcase_add_test(tcase, processor_sharing_is_insensitive);
	tcase_add_test(tcase, a_batch_slows_by_its_size);
	tcase_add_test(tcase, antagonists_have_their_mean);
	tcase_add_test(tcase, runs_are_reproducible);
	tcase_add_loop_test(tcase, every_policy_runs_everywhere, 0, policies);
	tcase_add_test(tcase, policies_rank_as_they_should);
	tcase_add_test(tcase, fast_failing_pod_is_no_sink);
	tcase_add_test(tcase, synthetic_tokens_resemble_the_trace);
	tcase_add_test(tcase, damaged_traces_are_refused);
	tcase_add_test(tcase, nonsense_is_refused);
	tcase_add_test(tcase, rows_are_recorded);
	tcase_add_test(tcase, slow_loop_sets_knobs);
	tcase_add_test(tcase, histogram_holds_its_error);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
