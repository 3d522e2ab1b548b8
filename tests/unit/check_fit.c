// SPDX-License-Identifier: BSD-2-Clause
/* The trainer: derivatives against differences, a known function is learnt, integers do as well as floats, one seed gives one net. */
#include <check.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "policy/train/adam.h"
#include "policy/train/fit.h"

static const struct net_shape shapes[] = {
	{ .nr_layers = 1, .width = { 5, 1 } },
	{ .nr_layers = 2, .width = { 12, 16, 1 } },
	{ .nr_layers = 3, .width = { 12, 16, 8, 1 } },
	{ .nr_layers = 4, .width = { 12, 64, 64, 64, 1 } },
};

/* d(output)/d(param) by back propagation against (f(p + h) - f(p - h)) / 2h, for every parameter of every shape. */
START_TEST(gradient)
	{
		static double grad[NET_MAX_PARAMS];
		static struct net net;
		double in[NET_MAX_WIDTH];
		struct net_trace trace;
		const double h = 1e-6;
		struct rng rng;

		rng__init(&rng, (uint64_t)_i + 1);
		net__init(&net, &shapes[_i], &rng);
		for (uint32_t i = 0; i < net.nr_params; i++)
			net.param[i] += 0.1 * (rng__uniform(&rng) - 0.5); /* no bias is zero, no sum lies on the bend */
		for (uint32_t i = 0; i < net.shape.width[0]; i++)
			in[i] = 4 * rng__uniform(&rng) - 2;
		memset(grad, 0, sizeof(grad));
		net__run(&net, NULL, in, &trace);
		net__back(&net, &trace, 1, grad);
		net__back(&net, &trace, 0.5, grad);
		for (uint32_t i = 0; i < net.nr_params; i++) {
			double at = net.param[i], high, low;

			net.param[i] = at + h;
			high = net__run(&net, NULL, in, &trace);
			net.param[i] = at - h;
			low = net__run(&net, NULL, in, &trace);
			net.param[i] = at;
			ck_assert_double_eq_tol(grad[i], 1.5 * (high - low) / (2 * h), 1e-5);
		}
	}
END_TEST

START_TEST(loss_gradient)
	{
		struct fit_config c;
		double slope, unused;

		fit_config__default(&c);
		c.loss = _i ? FIT_HUBER : FIT_SQUARE;
		c.delta = 0.7;
		for (int i = -80; i < 80; i++) {
			double e = 0.0371 * i + 0.001;
			double difference = (fit__loss(&c, e + 1e-6, &unused) - fit__loss(&c, e - 1e-6, &unused)) / 2e-6;

			fit__loss(&c, e, &slope);
			ck_assert_double_eq_tol(slope, difference, 1e-5);
		}
	}
END_TEST

/* The first step of Adam is the rate against the sign of the slope, whatever its size (section 2.1 of the paper); a bowl is descended. */
START_TEST(adam)
	{
		double grad[2] = { 1e-3, -40 }, param[2] = { 1, 1 };
		static struct adam a;

		adam__init(&a);
		adam__step(&a, 0.01, grad, param, 2);
		ck_assert_double_eq_tol(param[0], 0.99, 1e-6);
		ck_assert_double_eq_tol(param[1], 1.01, 1e-6);
		for (int i = 0; i < 5000; i++) {
			grad[0] = 2 * (param[0] - 3);
			grad[1] = 20 * (param[1] + 1);
			adam__step(&a, 0.01, grad, param, 2);
		}
		ck_assert_double_eq_tol(param[0], 3, 1e-3);
		ck_assert_double_eq_tol(param[1], -1, 1e-3);
	}
END_TEST

/* Something with a bend, a product and noise, in octaves; 12 inputs of which 3 matter. */
static double truth(const int8_t *x)
{
	double a = x[0] / 32.0, b = x[3] / 32.0, c = x[7] / 32.0;

	return 0.4 * a - 0.3 * fmax(b, 0) + 0.15 * a * c;
}

static void make(struct dataset *d, size_t nr, uint64_t seed, double noise)
{
	struct rng rng;

	rng__init(&rng, seed);
	dataset__init(d, 12);
	for (size_t i = 0; i < nr; i++) {
		int8_t x[12];
		double y;

		for (int j = 0; j < 12; j++)
			x[j] = (int8_t)((int)rng__below(&rng, 129) - 64);
		y = truth(x) + noise * (rng__uniform(&rng) + rng__uniform(&rng) - 1);
		ck_assert_int_eq(dataset__add(d, x, (int32_t)lround(256 * y), i), 0);
	}
}

static void config(struct fit_config *c)
{
	fit_config__default(c);
	c->seed = 5;
	c->rate = 5e-3;
	c->epochs = 20;
	c->patience = 4;
	c->quant_epochs = 4;
}

START_TEST(learns_a_known_function)
	{
		struct dataset train, held;
		struct fit_report report;
		struct fit_config c;
		struct mlp mlp;

		make(&train, 6000, 1, 0.1);
		make(&held, 2000, 2, 0);
		config(&c);
		c.loss = _i ? FIT_HUBER : FIT_SQUARE;
		ck_assert_int_eq(fit__train(&c, &train, &held, &mlp, &report), 0);
		ck_assert_double_gt(report.zero, 0.1);
		ck_assert_double_lt(report.held, 0.02 * report.zero);
		ck_assert_double_lt(report.held_int8, 0.025 * report.zero);
		ck_assert_double_le(report.held_int8, report.held_rounded);
		ck_assert_double_eq(report.held_int8, fit__evaluate_int8(&c, &mlp, &held));
		dataset__free(&train);
		dataset__free(&held);
	}
END_TEST

/* Noise that grows with an input that does not move the mean: an upper expectile sees it, the mean does not. Centred, it is zero in the mean. */
START_TEST(expectile_sees_the_tail)
	{
		struct dataset train, held;
		struct fit_report report;
		int8_t low[12] = { 0 }, high[12] = { 0 };
		struct fit_config c;
		int64_t sum = 0;
		struct mlp mlp;
		struct rng rng;

		make(&train, 6000, 1, 0);
		make(&held, 2000, 2, 0);
		rng__init(&rng, 8);
		for (int k = 0; k < 2; k++) {
			struct dataset *d = k ? &held : &train;

			for (size_t i = 0; i < d->nr; i++)
				d->targets[i] = (int32_t)(4 * (d->inputs[i * 12 + 2] + 64) * (rng__uniform(&rng) - 0.5));
		}
		low[2] = -64;
		high[2] = 64;
		config(&c);
		c.loss = FIT_SQUARE;
		ck_assert_int_eq(fit__train(&c, &train, &held, &mlp, &report), 0);
		ck_assert_int_lt(abs(mlp__run(&mlp, high) - mlp__run(&mlp, low)), 60);
		c.loss = FIT_EXPECTILE;
		c.expectile = 0.9;
		c.centre = true;
		ck_assert_int_eq(fit__train(&c, &train, &held, &mlp, &report), 0);
		ck_assert_int_gt(mlp__run(&mlp, high) - mlp__run(&mlp, low), 90); /* 512 * (3 / 4 - 1 / 2) = 128 */
		ck_assert_int_lt(mlp__run(&mlp, high) - mlp__run(&mlp, low), 170);
		for (size_t i = 0; i < train.nr; i++)
			sum += mlp__run(&mlp, train.inputs + i * 12);
		ck_assert_int_lt(llabs(sum), (int64_t)train.nr);
		dataset__free(&train);
		dataset__free(&held);
	}
END_TEST

/* Targets that have nothing to do with the inputs: it stops early and does not claim to have learnt. */
START_TEST(stops_when_there_is_nothing_to_learn)
	{
		struct dataset train, held;
		struct fit_report report;
		struct fit_config c;
		struct mlp mlp;
		struct rng rng;

		make(&train, 400, 1, 0);
		make(&held, 2000, 2, 0);
		rng__init(&rng, 3);
		for (size_t i = 0; i < train.nr; i++)
			train.targets[i] = (int32_t)rng__below(&rng, 513) - 256;
		for (size_t i = 0; i < held.nr; i++)
			held.targets[i] = (int32_t)rng__below(&rng, 513) - 256;
		config(&c);
		c.epochs = 200;
		ck_assert_int_eq(fit__train(&c, &train, &held, &mlp, &report), 0);
		ck_assert_uint_le(report.epochs, report.best + c.patience);
		ck_assert_uint_lt(report.epochs, 100);
		ck_assert_double_gt(report.held, 0.95 * report.zero);
		ck_assert_double_lt(report.trained, report.held);
		dataset__free(&train);
		dataset__free(&held);
	}
END_TEST

START_TEST(one_seed_one_net)
	{
		struct dataset train, held;
		struct fit_report report;
		struct mlp mlp[3];
		struct fit_config c;

		make(&train, 2000, 1, 0.1);
		make(&held, 500, 2, 0.1);
		config(&c);
		c.epochs = 3;
		memset(mlp, 0, sizeof(mlp));
		for (int i = 0; i < 3; i++) {
			c.seed = i == 2 ? 6 : 5;
			ck_assert_int_eq(fit__train(&c, &train, &held, &mlp[i], &report), 0);
		}
		ck_assert_mem_eq(&mlp[0], &mlp[1], sizeof(mlp[0]));
		ck_assert_mem_ne(&mlp[0], &mlp[2], sizeof(mlp[0]));
		dataset__free(&train);
		dataset__free(&held);
	}
END_TEST

/* What the fine-tuning simulates is what the integers compute, to a step of the output per layer. */
START_TEST(simulated_is_real)
	{
		struct dataset d;
		struct net_steps steps;
		static struct net net, rounded;
		struct net_trace trace;
		struct rng rng;
		struct mlp mlp;
		double in[12];

		make(&d, 2000, 9, 0);
		rng__init(&rng, 4);
		net__init(&net, &shapes[2], &rng);
		quant__observe(&net, &d, 1, &steps);
		quant__round_weights(&net, &rounded);
		ck_assert_int_eq(quant__export(&net, &steps, &mlp), MLP_OK);
		for (size_t row = 0; row < d.nr; row++) {
			double y;

			for (int i = 0; i < 12; i++)
				in[i] = d.inputs[row * 12 + (size_t)i] / 32.0;
			y = net__run(&rounded, &steps, in, &trace);
			ck_assert_double_eq_tol(mlp__run(&mlp, d.inputs + row * 12) / 256.0, y, 0.02);
		}
		dataset__free(&d);
	}
END_TEST

START_TEST(refuses_nonsense)
	{
		struct fit_report report;
		struct dataset d, empty, held;
		struct fit_config c;
		struct net_steps steps = { .step = { 1, 1, 1, 1 } };
		static struct net net;
		struct rng rng;
		struct mlp mlp;

		make(&d, 100, 1, 0);
		dataset__init(&empty, 12);
		dataset__init(&held, 11);
		config(&c);
		ck_assert_int_eq(fit__train(&c, &empty, &d, &mlp, &report), -EINVAL);
		ck_assert_int_eq(fit__train(&c, &d, &empty, &mlp, &report), -EINVAL);
		ck_assert_int_eq(fit__train(&c, &d, &held, &mlp, &report), -EINVAL);
		c.batch = 0;
		ck_assert_int_eq(fit__train(&c, &d, &d, &mlp, &report), -EINVAL);
		config(&c);
		c.rate = NAN;
		ck_assert_int_eq(fit__train(&c, &d, &d, &mlp, &report), -EINVAL);
		config(&c);
		c.shape.width[1] = 65;
		ck_assert_int_eq(fit__train(&c, &d, &d, &mlp, &report), -EINVAL);
		rng__init(&rng, 1);
		net__init(&net, &shapes[2], &rng);
		net.param[3] = NAN;
		ck_assert_int_ne(quant__export(&net, &steps, &mlp), MLP_OK);
		net__init(&net, &shapes[2], &rng);
		net.param[net.biases_at[0]] = 1e30;
		ck_assert_int_ne(quant__export(&net, &steps, &mlp), MLP_OK);
		dataset__free(&d);
	}
END_TEST

START_TEST(split_by_time)
	{
		struct dataset d, train, held;
		int8_t x[12] = { 0 };

		dataset__init(&d, 12);
		ck_assert_int_eq(dataset__split(&d, 20, &train, &held), -ERANGE);
		for (uint64_t t = 0; t < 1000; t++)
			ck_assert_int_eq(dataset__add(&d, x, (int32_t)t, 5000 + t * 7 % 1000 * 10), 0);
		ck_assert_int_eq(dataset__split(&d, 20, &train, &held), 0);
		ck_assert_uint_gt(held.nr, 190);
		ck_assert_uint_lt(held.nr, 210);
		ck_assert_uint_gt(train.nr, 780);
		for (size_t i = 0; i < train.nr; i++)
			for (size_t j = 0; j < held.nr; j++)
				ck_assert_uint_lt(train.times[i] + 90, held.times[j]);
		dataset__free(&d);
		dataset__free(&train);
		dataset__free(&held);
	}
END_TEST

int main(void)
{
	Suite *suite = suite_create("fit");
	TCase *tc = tcase_create("fit");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(tc, gradient, 0, (int)(sizeof(shapes) / sizeof(shapes[0])));
	tcase_add_loop_test(tc, loss_gradient, 0, 3);
	tcase_add_test(tc, adam);
	tcase_add_loop_test(tc, learns_a_known_function, 0, 2);
	tcase_add_test(tc, expectile_sees_the_tail);
	tcase_add_test(tc, stops_when_there_is_nothing_to_learn);
	tcase_add_test(tc, one_seed_one_net);
	tcase_add_test(tc, simulated_is_real);
	tcase_add_test(tc, refuses_nonsense);
	tcase_add_test(tc, split_by_time);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
